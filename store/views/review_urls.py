"""Addresses of the reviewer's desk, under /review/."""

from django.urls import include, path

from store.views import review, review_acts, review_altered

urlpatterns = [
    path("", review.queue, name="review"),
    path("decided/", review.decided, name="review-decided"),
    path("records/<uuid:record_id>/", review.case, name="review-case"),
    path("records/<uuid:record_id>/sound/<uuid:public_id>/", review.sound, name="review-sound"),
    path("records/<uuid:record_id>/copy/<uuid:public_id>/", review.copy, name="review-copy"),
    path("records/<uuid:record_id>/approve/", review_acts.approve, name="review-approve"),
    path("records/<uuid:record_id>/refuse/", review_acts.refuse, name="review-refuse"),
    path("records/<uuid:record_id>/ask/", review_acts.ask, name="review-ask"),
    path("records/<uuid:record_id>/together/", review_acts.together, name="review-together"),
    path("altered/", review_altered.altered, name="review-altered"),
    path("words/", review_acts.words, name="review-words"),
    path("words/<slug:code>/retire/", review_acts.retire_words, name="review-words-retire"),
    path("evidence/<uuid:public_id>/", review.evidence, name="review-evidence"),
    path("notices/", include("store.views.review_notice_urls")),
]
