"""Addresses of a label's notices, under /studio/<label>/notices/."""

from django.urls import path

from store.views import studio_notices

urlpatterns = [
    path("", studio_notices.notices, name="studio-notices"),
    path("<uuid:public_id>/", studio_notices.notice, name="studio-notice"),
    path("<uuid:public_id>/paper/<uuid:paper>/", studio_notices.paper, name="studio-notice-paper"),
]
