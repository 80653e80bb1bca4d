"""What a reviewer asks stands on the record's page, and whoever handed the record in answers there."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party
from licensing import questions
from licensing.models import Answer, LicenceGrant, Question
from tests.factories import catalog, licensing


@pytest.fixture
def asked(label: Party) -> Question:
    grant = licensing.make_grant(catalog.make_recording("Tide", label=label), submitted_for=label)
    return questions.ask(grant, reviewer=licensing.RITA, text="Who signed this?", at=timezone.now())


def _page(client: Client, asked: Question) -> str:
    return client.get(reverse("studio-record", args=["bobs", asked.grant.record_id])).text


def _answer(client: Client, asked: Question, slug: str = "bobs", **body: object) -> int:
    url = reverse("studio-record-answer", args=[slug, asked.grant.record_id, asked.public_id])
    return client.post(url, {"text": "Our managing director.", **body}).status_code


def test_a_question_is_shown_with_a_place_for_the_answer(at_bobs: Client, asked: Question) -> None:
    page = _page(at_bobs, asked)
    assert "Who signed this?" in page
    assert "waits for your answer" in page
    assert reverse("studio-record-answer", args=["bobs", asked.grant.record_id, asked.public_id]) in page


def test_an_answer_is_kept_and_shown(at_bobs: Client, asked: Question) -> None:
    assert _answer(at_bobs, asked) == 302
    assert Answer.objects.get().text == "Our managing director."
    page = _page(at_bobs, asked)
    assert "Our managing director." in page
    assert "waits for your answer" not in page


def test_a_paper_becomes_evidence_of_a_new_version(at_bobs: Client, asked: Question) -> None:
    paper = SimpleUploadedFile("extract.pdf", b"%PDF-1.4 extract", content_type="application/pdf")
    assert _answer(at_bobs, asked, paper=paper) == 302
    newest = LicenceGrant.objects.get(record_id=asked.grant.record_id, successor=None)
    assert newest.version == 2
    assert Answer.objects.get().instrument in newest.evidence.all()


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_answer_is_none(at_bobs: Client, asked: Question, text: str) -> None:
    assert _answer(at_bobs, asked, text=text) == 422
    assert not Answer.objects.exists()


def test_a_question_is_answered_once(at_bobs: Client, asked: Question) -> None:
    _answer(at_bobs, asked)
    assert _answer(at_bobs, asked, text="Somebody else.") == 422
    assert Answer.objects.get().text == "Our managing director."


def test_another_label_neither_finds_nor_answers_it(at_charlies: Client, asked: Question) -> None:
    assert _answer(at_charlies, asked) == 404
    assert _answer(at_charlies, asked, slug="charlies") == 404
    assert not Answer.objects.exists()


def test_a_question_of_another_record_is_not_found(at_bobs: Client, asked: Question) -> None:
    url = reverse("studio-record-answer", args=["bobs", asked.grant.record_id, uuid.uuid4()])
    assert at_bobs.post(url, {"text": "x"}).status_code == 404
