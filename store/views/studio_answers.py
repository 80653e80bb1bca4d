"""The label answers what a reviewer asked about one of its records, with a paper where it has one."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from catalog.models import Party
from licensing import instruments, questions
from licensing.errors import LicensingError
from licensing.models import Instrument, Question
from licensing.terms import EvidenceKind
from store import submissions
from store.review_forms import AnswerForm
from store.views.studio import actor, for_label, sent
from store.views.studio_rights import record_of, record_page


@require_POST
@for_label
def answer(request: HttpRequest, label: Party, record_id: UUID, question_id: UUID) -> HttpResponse:
    """Only whoever handed the record in answers for it; a paper makes a new version, which the reviewer sees next."""
    found = record_of(label, record_id)
    if not submissions.is_own(label, found.grant):
        raise Http404("There is no such record of this label.")
    asked = get_object_or_404(Question, public_id=question_id, grant__record_id=record_id)
    form = AnswerForm(*sent(request))
    if form.is_valid():
        try:
            questions.answer(
                asked,
                text=form.cleaned_data["text"],
                actor=actor(request),
                at=timezone.now(),
                instrument=_paper(form, actor(request)),
            )
        except LicensingError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Your answer is with the reviewers; the record is back in their queue.")
            return redirect("studio-record", label.slug, record_id)
    return record_page(request, label, found, answer_form=form)


def _paper(form: AnswerForm, by: str) -> Instrument | None:
    file = form.cleaned_data["paper"]
    if file is None:
        return None
    return instruments.capture(EvidenceKind.AGREEMENT, data=file.read(), media_type="application/pdf", actor=by)
