"""Addresses of the label studio, under /studio/."""

from django.urls import include, path

from store.views import studio, studio_money, studio_rights, studio_settings, studio_statements

urlpatterns = [
    path("", studio.studio, name="studio"),
    path("<slug:slug>/", studio.label_home, name="studio-label"),
    path("<slug:slug>/deliver/", studio.deliver, name="studio-deliver"),
    path("<slug:slug>/deliveries/<uuid:public_id>/", studio.delivery, name="studio-delivery"),
    path("<slug:slug>/catalogue/", studio.show_catalogue, name="studio-catalogue"),
    path("<slug:slug>/recordings/<uuid:public_id>/", studio.recording, name="studio-recording"),
    path("<slug:slug>/recordings/<uuid:public_id>/price/", studio.price_recording, name="studio-recording-price"),
    path("<slug:slug>/recordings/<uuid:public_id>/title/", studio.title_recording, name="studio-recording-title"),
    path("<slug:slug>/releases/<uuid:public_id>/", studio.release, name="studio-release"),
    path("<slug:slug>/releases/<uuid:public_id>/price/", studio.price_release, name="studio-release-price"),
    path("<slug:slug>/releases/<uuid:public_id>/title/", studio.title_release, name="studio-release-title"),
    path("<slug:slug>/rights/", studio_rights.rights, name="studio-rights"),
    path("<slug:slug>/rights/declare/", studio_rights.declare, name="studio-declare"),
    path("<slug:slug>/rights/<uuid:record_id>/", studio_rights.record, name="studio-record"),
    path("<slug:slug>/rights/<uuid:record_id>/end/", studio_rights.end_record, name="studio-record-end"),
    path("<slug:slug>/evidence/<uuid:public_id>/", studio_rights.evidence, name="studio-evidence"),
    path("<slug:slug>/notices/", include("store.views.studio_notice_urls")),
    path("<slug:slug>/money/", studio_money.money, name="studio-money"),
    path("<slug:slug>/money/sales/", studio_money.sales, name="studio-sales"),
    path("<slug:slug>/money/statement/", studio_statements.statement, name="studio-statement"),
    path("<slug:slug>/money/statement.csv", studio_statements.statement_csv, name="studio-statement-csv"),
    path("<slug:slug>/money/payees/", studio_money.payees, name="studio-payees"),
    path("<slug:slug>/money/payees/<uuid:public_id>/connect/", studio_money.connect, name="studio-connect"),
    path("<slug:slug>/settings/", studio_settings.settings_page, name="studio-settings"),
    path("<slug:slug>/settings/members/<int:key>/remove/", studio_settings.remove_member, name="studio-member-remove"),
]
