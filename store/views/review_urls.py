"""Addresses of the reviewer's desk, under /review/."""

from django.urls import path

from store.views import review, review_acts, review_altered, review_notices

urlpatterns = [
    path("", review.queue, name="review"),
    path("decided/", review.decided, name="review-decided"),
    path("records/<uuid:record_id>/", review.case, name="review-case"),
    path("records/<uuid:record_id>/approve/", review_acts.approve, name="review-approve"),
    path("records/<uuid:record_id>/refuse/", review_acts.refuse, name="review-refuse"),
    path("records/<uuid:record_id>/ask/", review_acts.ask, name="review-ask"),
    path("records/<uuid:record_id>/together/", review_acts.together, name="review-together"),
    path("altered/", review_altered.altered, name="review-altered"),
    path("words/", review_acts.words, name="review-words"),
    path("words/<slug:code>/retire/", review_acts.retire_words, name="review-words-retire"),
    path("evidence/<uuid:public_id>/", review.evidence, name="review-evidence"),
    path("sound/<uuid:public_id>/", review.sound, name="review-sound"),
    path("preview/<uuid:public_id>/", review.preview, name="review-preview"),
    path("notices/", review_notices.notices, name="review-notices"),
    path("notices/new/", review_notices.new, name="review-notice-new"),
    path("notices/reports/", review_notices.reports, name="review-reports"),
    path("notices/reports/<uuid:public_id>/", review_notices.report, name="review-report"),
    path("notices/refunds/", review_notices.refund_cases, name="review-refunds"),
    path("notices/refunds/<int:key>/", review_notices.settle_refund, name="review-refund-settle"),
    path("notices/<uuid:public_id>/", review_notices.case, name="review-notice"),
    path("notices/<uuid:public_id>/say/", review_notices.say, name="review-notice-say"),
    path("notices/<uuid:public_id>/lift/", review_notices.lift, name="review-notice-lift"),
]
