"""Questions and answers stay with the record; a paper that comes with an answer makes a version that rests on it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import Error

from licensing import questions, reviews
from licensing.errors import GrantOutdated, QuestionRefused, ReviewNotIndependent
from licensing.models import Answer, LicenceGrant, Question, ReviewCase
from licensing.reviews import Reviewer
from licensing.terms import EvidenceKind
from tests.factories.catalog import make_label, make_recording
from tests.factories.licensing import NOW, RITA, SOUND, make_evidence, make_grant

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=5)


def ask(grant: LicenceGrant, **over: Any) -> Question:
    return questions.ask(grant, **{"reviewer": RITA, "text": "Who signed this?", "at": NOW, **over})


def answer(question: Question, **over: Any) -> Answer:
    return questions.answer(question, **{"text": "Our director.", "actor": "user:bob", "at": LATER, **over})


@pytest.fixture
def grant() -> LicenceGrant:
    return make_grant(make_recording())


def test_an_answer_stands_by_its_question(grant: LicenceGrant) -> None:
    asked = ask(grant)
    assert questions.open_of([grant.record_id]) == [asked]
    answer(asked)
    (one,) = questions.of_record(grant.record_id)
    assert (one.text, one.answer.text) == ("Who signed this?", "Our director.")
    assert not questions.open_of([grant.record_id])


def test_a_question_is_answered_once(grant: LicenceGrant) -> None:
    asked = ask(grant)
    answer(asked)
    with pytest.raises(QuestionRefused):
        answer(asked)


@pytest.mark.parametrize("text", ["", "  ", "x" * 4001])
def test_an_empty_or_endless_text_is_refused(grant: LicenceGrant, text: str) -> None:
    with pytest.raises(QuestionRefused):
        ask(grant, text=text)
    asked = ask(grant)
    with pytest.raises(QuestionRefused):
        answer(asked, text=text)


def test_nobody_asks_about_her_own_labels_record() -> None:
    label = make_label()
    grant = make_grant(make_recording(label=label), submitted_for=label)
    with pytest.raises(ReviewNotIndependent):
        ask(grant, reviewer=Reviewer("user:eve", frozenset({label.pk})))


def test_nothing_is_asked_about_what_is_decided(grant: LicenceGrant) -> None:
    reviews.refuse(grant, reviewer=RITA, reason="No.", at=NOW)
    with pytest.raises(QuestionRefused):
        ask(grant)


def test_a_paper_makes_a_version_that_rests_on_it_too(grant: LicenceGrant) -> None:
    paper = make_evidence(EvidenceKind.AGREEMENT, text="Signed.")
    answer(ask(grant), instrument=paper)
    newer = LicenceGrant.objects.get(record_id=grant.record_id, successor=None)
    assert newer.version == 2
    assert paper in newer.evidence.all()
    assert newer.evidence.count() == grant.evidence.count() + 1
    assert ReviewCase.objects.get().grant_id == newer.pk
    assert len(questions.of_record(grant.record_id)) == 1


def test_an_approval_of_the_evidence_before_the_paper_is_refused(grant: LicenceGrant) -> None:
    answer(ask(grant), instrument=make_evidence(EvidenceKind.AGREEMENT, text="Signed."))
    with pytest.raises(GrantOutdated):
        reviews.approve(grant, reviewer=RITA, sound_sha256=SOUND, at=LATER)


def test_a_paper_that_is_there_already_makes_no_version(grant: LicenceGrant) -> None:
    answer(ask(grant), instrument=grant.evidence.first())
    assert LicenceGrant.objects.get().version == 1


def test_a_paper_for_a_decided_record_is_refused_and_so_is_its_answer(grant: LicenceGrant) -> None:
    asked = ask(grant)
    reviews.refuse(grant, reviewer=RITA, reason="No.", at=NOW)
    with pytest.raises(QuestionRefused):
        answer(asked, instrument=make_evidence(EvidenceKind.AGREEMENT, text="Signed."))
    assert not Answer.objects.exists()
    answer(asked)


@pytest.mark.parametrize("model", [Question, Answer])
def test_what_was_said_is_never_changed(grant: LicenceGrant, model: Any) -> None:
    answer(ask(grant))
    for act in (lambda: model.objects.update(text="Otherwise"), lambda: model.objects.all()._raw_delete("default")):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            act()
