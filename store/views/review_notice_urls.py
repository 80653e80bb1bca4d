"""Addresses of the notice desk, under /review/notices/."""

from django.urls import path

from store.views import review_notices

urlpatterns = [
    path("", review_notices.notices, name="review-notices"),
    path("new/", review_notices.new, name="review-notice-new"),
    path("reports/", review_notices.reports, name="review-reports"),
    path("reports/<uuid:public_id>/", review_notices.report, name="review-report"),
    path("refunds/", review_notices.refund_cases, name="review-refunds"),
    path("refunds/<int:key>/", review_notices.settle_refund, name="review-refund-settle"),
    path("papers/<uuid:public_id>/", review_notices.paper, name="review-notice-paper"),
    path("<uuid:public_id>/", review_notices.case, name="review-notice"),
    path("<uuid:public_id>/say/", review_notices.say, name="review-notice-say"),
    path("<uuid:public_id>/lift/", review_notices.lift, name="review-notice-lift"),
]
