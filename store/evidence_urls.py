"""All that the evidence host answers to (`EVIDENCE_HOST`): files of strangers, and neither pages nor sessions."""

from django.urls import path

from store.views import attachments

urlpatterns = [
    path("evidence/<str:token>", attachments.evidence_file, name="evidence-file"),
    path("tax-forms/<str:token>", attachments.tax_paper_file, name="tax-form-file"),
]
handler400 = handler403 = handler404 = attachments.nothing_there
handler500 = attachments.failed_there
