"""Addresses of the desk of finance staff, under /finance/."""

from django.urls import path

from store.views import finance, finance_tax

urlpatterns = [
    path("", finance.overview, name="finance"),
    path("alerts/<int:key>/close/", finance.close_alert, name="finance-alert-close"),
    path("tax/", finance_tax.overview, name="finance-tax"),
    path("tax/oss-<str:quarter>.csv", finance_tax.oss_csv, name="finance-oss"),
]
