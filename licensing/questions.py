"""What reviewers ask the label about a record, and what the label answers; both stay with the record for good.

While a question is open the record waits for the label, and the reviewers' clock stands still. A paper that comes with
an answer makes a new version of the record, which rests on it as well: what an approval is bound to never grows
unseen.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from licensing import dossiers, grants
from licensing.errors import GrantOutdated, QuestionRefused, ReviewNotIndependent
from licensing.models import Answer, Instrument, LicenceGrant, Question, ReviewCase
from licensing.reviews import Reviewer

MOST_LETTERS = 4000


def ask(grant: LicenceGrant, *, reviewer: Reviewer, text: str, at: datetime) -> Question:
    """Ask the label something before deciding. Raises ReviewNotIndependent, or QuestionRefused where nothing is asked
    or the record does not wait any more."""
    said = _said(text, "question")
    if not dossiers.is_independent(grant, actor=reviewer.actor, label_ids=reviewer.label_ids):
        raise ReviewNotIndependent("You handed this record in or belong to its label. Another reviewer asks.")
    with transaction.atomic():
        if not ReviewCase.objects.select_for_update().filter(grant=grant).exists():
            raise QuestionRefused("This record does not wait for a decision any more. Load the page again.")
        return Question.objects.create(grant=grant, text=said, asked_by=reviewer.actor, at=at)


def answer(question: Question, *, text: str, actor: str, at: datetime, instrument: Instrument | None = None) -> Answer:
    """Answer for the label. With `instrument` the record gets a new version that rests on it too, and which the
    reviewer finds in the queue. Raises QuestionRefused where it was answered before, or where a paper comes for a
    record that has been decided or changed meanwhile."""
    said = _said(text, "answer")
    with transaction.atomic():
        asked = (
            Question.objects.select_for_update(of=("self",), no_key=True).select_related("grant").get(pk=question.pk)
        )
        if Answer.objects.filter(question=asked).exists():
            raise QuestionRefused("This question has been answered already.")
        if instrument is not None:
            _add(asked.grant, instrument, actor=actor, at=at)
        return Answer.objects.create(question=asked, text=said, instrument=instrument, answered_by=actor, at=at)


def of_record(record_id: UUID) -> list[Question]:
    """All that was asked about a record in all its versions, the oldest first, with answers. One statement."""
    asked = Question.objects.filter(grant__record_id=record_id)
    return list(asked.select_related("answer__instrument", "grant").order_by("at", "pk"))


def open_of(records: Iterable[UUID]) -> list[Question]:
    """The questions about these records that nobody has answered, the oldest first. One statement."""
    return list(
        Question.objects.filter(grant__record_id__in=list(records), answer=None)
        .select_related("grant")
        .order_by("at", "pk")
    )


def _add(grant: LicenceGrant, instrument: Instrument, *, actor: str, at: datetime) -> None:
    newest = LicenceGrant.objects.filter(record_id=grant.record_id, successor=None).get()
    if not ReviewCase.objects.filter(grant=newest).exists():
        raise QuestionRefused("The record has been decided meanwhile. Hand the paper in with a new version of it.")
    evidence = list(newest.evidence.order_by("pk"))
    if any(piece.sha256 == instrument.sha256 for piece in evidence):
        return
    try:
        grants.new_version(newest, actor=actor, evidence=[*evidence, instrument], at=at)
    except GrantOutdated as error:
        raise QuestionRefused("The record was changed at the same moment. Send your answer again.") from error


def _said(text: str, what: str) -> str:
    said = text.strip()
    if not said:
        raise QuestionRefused(f"The {what} is empty. Write it down first.")
    if len(said) > MOST_LETTERS:
        raise QuestionRefused(f"The {what} is longer than {MOST_LETTERS} letters. Shorten it, or attach a paper.")
    return said
