"""Staff enter a notice; it holds at once and until it is lifted with a reason."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording
from licensing.models import Notice, NoticeEnd
from store import demands
from tests.factories import catalog

URL = "/review/notices/new/"
BODY = {"kind": "TAKEDOWN", "claimant": "Carla", "contact": "carla@example.org", "statement": "It is my song."}


@pytest.fixture
def known(label: Party) -> Recording:
    return catalog.make_recording("Tide", label=label, isrc="DEA012400003")


def test_a_notice_is_about_the_recording_of_its_isrc(at_adas: Client, known: Recording) -> None:
    assert at_adas.post(URL, BODY | {"subject": "DE-A01-24-00003"}).status_code == 302
    notice = Notice.objects.get()
    assert (notice.recording, notice.kind, notice.claimant) == (known, "TAKEDOWN", "Carla")


def test_a_letter_is_kept_as_evidence(at_adas: Client, known: Recording) -> None:
    letter = SimpleUploadedFile("l.pdf", b"%PDF-1.4 letter", "application/pdf")
    at_adas.post(URL, BODY | {"subject": known.isrc, "letter": letter})
    assert Notice.objects.get().instrument.bytes == 15


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8000/release/first", "/release/first/", "http://x/release/first?from=mail"]
)
def test_a_release_is_known_by_its_address(label: Party, text: str) -> None:
    release = catalog.make_release(label=label, slug="first")
    assert demands.find(text) == release


def test_a_label_is_known_by_its_address(label: Party) -> None:
    assert demands.find("/label/bobs") == label


@pytest.mark.parametrize("text", ["", "nothing", "/release/none", "USABC2400001", "/artist/ana", "http://[bad"])
def test_what_is_not_here_is_said_not_to_be(at_adas: Client, label: Party, text: str) -> None:
    assert at_adas.post(URL, BODY | {"subject": text}).status_code == 422
    assert not Notice.objects.exists()


def test_a_notice_is_lifted_once_and_with_a_reason(at_adas: Client, known: Recording) -> None:
    at_adas.post(URL, BODY | {"subject": known.isrc})
    lift = reverse("review-notice-lift", args=[Notice.objects.get().public_id])
    at_adas.post(lift, {"reason": ""})
    assert not NoticeEnd.objects.exists()
    at_adas.post(lift, {"reason": "Agreed with Carla."})
    at_adas.post(lift, {"reason": "Again."})
    assert NoticeEnd.objects.get().reason == "Agreed with Carla."


def test_the_list_shows_what_holds_and_what_was_lifted(
    at_adas: Client, known: Recording, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        at_adas.post(URL, BODY | {"subject": known.isrc})
    with django_assert_max_num_queries(14):
        page = at_adas.get("/review/notices/").text
    assert page.count("Tide") == 5
    assert "Holds" in page
