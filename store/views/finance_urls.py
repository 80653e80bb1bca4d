"""Addresses of the desk of finance staff, under /finance/."""

from django.urls import path

from store.views import finance

urlpatterns = [
    path("", finance.overview, name="finance"),
    path("alerts/<int:key>/close/", finance.close_alert, name="finance-alert-close"),
]
