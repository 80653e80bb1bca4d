"""The desk enters a notice, keeps what is said to it, and lifts it; nobody on what strikes her own label."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording
from licensing.models import Notice, NoticeEnd
from store import demands
from store.models import Letter, User
from tests.factories import catalog, licensing
from tests.factories.store import make_user, sign_in

URL = "/review/notices/new/"
BODY = {"kind": "TAKEDOWN", "claimant": "Carla", "contact": "carla@example.org", "statement": "It is my song."}
LIFT = {"outcome": "SETTLED", "reason": "Agreed with Carla."}


def paper() -> SimpleUploadedFile:
    return SimpleUploadedFile("l.pdf", b"%PDF-1.4 letter", "application/pdf")


@pytest.fixture
def known(label: Party) -> Recording:
    return catalog.make_recording("Tide", label=label, isrc="DEA012400003")


def entered(client: Client, known: Recording, **over: object) -> Notice:
    assert client.post(URL, BODY | {"subject": known.isrc} | over).status_code == 302
    return Notice.objects.latest("pk")


def test_a_notice_is_about_the_recording_of_its_isrc(at_ritas: Client, known: Recording) -> None:
    notice = entered(at_ritas, known, subject="DE-A01-24-00003")
    assert (notice.recording, notice.kind, notice.claimant) == (known, "TAKEDOWN", "Carla")


def test_staff_may_enter_one_as_well(db: None, known: Recording) -> None:
    assert entered(sign_in(make_user("Ada", is_staff=True, is_reviewer=True)), known)


def test_a_letter_is_kept_as_evidence(at_ritas: Client, known: Recording) -> None:
    assert entered(at_ritas, known, letter=paper()).instrument.bytes == 15


def test_a_paper_of_a_case_is_the_desks_to_read_and_other_evidence_is_not(
    at_adas: Client, at_ritas: Client, known: Recording
) -> None:
    mine = entered(at_ritas, known, letter=paper()).instrument
    answer = at_adas.get(reverse("review-notice-paper", args=[mine.public_id]))
    assert b"".join(answer.streaming_content) == b"%PDF-1.4 letter"  # type: ignore[attr-defined]
    other = licensing.make_evidence()
    assert at_adas.get(reverse("review-notice-paper", args=[other.public_id])).status_code == 404


def test_an_order_is_entered_with_its_paper_only(at_ritas: Client, known: Recording) -> None:
    body = BODY | {"subject": known.isrc, "kind": "LEGAL_HOLD"}
    assert at_ritas.post(URL, body).status_code == 422
    assert entered(at_ritas, known, kind="LEGAL_HOLD", letter=paper(), until="2026-12-31")


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:8000/release/first", "/release/first/", "http://x/release/first?from=mail"]
)
def test_a_release_is_known_by_its_address(label: Party, text: str) -> None:
    release = catalog.make_release(label=label, slug="first")
    assert demands.find(text) == release


def test_a_track_is_known_by_its_place_on_the_page(label: Party) -> None:
    release = catalog.make_release(label=label, slug="first", tracks=2)
    track = release.tracks.get(number=2)
    assert demands.find(f"/release/first#track-{track.pk}") == track.recording


def test_a_track_of_another_release_is_none_of_this_one(label: Party) -> None:
    catalog.make_release(label=label, slug="first", tracks=1)
    other = catalog.make_release(label=label, tracks=1).tracks.get()
    assert demands.find(f"/release/first#track-{other.pk}") is None


def test_a_label_is_known_by_its_address(label: Party) -> None:
    assert demands.find("/label/bobs") == label


def test_a_work_is_known_by_its_code(db: None) -> None:
    work = catalog.make_work(iswc="T0345246801")
    assert demands.find("T-034.524.680-1") == work


@pytest.mark.parametrize("text", ["", "nothing", "/release/none", "USABC2400001", "/artist/ana", "http://[bad"])
def test_what_is_not_here_is_said_not_to_be(at_ritas: Client, label: Party, text: str) -> None:
    assert at_ritas.post(URL, BODY | {"subject": text}).status_code == 422
    assert not Notice.objects.exists()


def test_a_notice_is_lifted_once_and_with_a_reason(at_ritas: Client, known: Recording) -> None:
    notice = entered(at_ritas, known)
    url = reverse("review-notice-lift", args=[notice.public_id])
    assert at_ritas.post(url, LIFT | {"reason": ""}).status_code == 422
    assert not NoticeEnd.objects.exists()
    at_ritas.post(url, LIFT)
    assert at_ritas.post(url, LIFT | {"reason": "Again."}).status_code == 422
    assert NoticeEnd.objects.get().reason == "Agreed with Carla."


def test_an_order_is_lifted_on_paper_only(at_ritas: Client, known: Recording) -> None:
    notice = entered(at_ritas, known, kind="LEGAL_HOLD", letter=paper())
    url = reverse("review-notice-lift", args=[notice.public_id])
    assert at_ritas.post(url, LIFT).status_code == 422
    assert at_ritas.post(url, LIFT | {"letter": paper()}).status_code == 302


def test_a_dispute_is_lifted_in_favour_of_somebody(at_ritas: Client, known: Recording) -> None:
    carla = catalog.make_party("Carla", slug="carla")
    notice = entered(at_ritas, known, kind="DISPUTE", layer="WORK")
    url = reverse("review-notice-lift", args=[notice.public_id])
    assert at_ritas.post(url, LIFT | {"proven": "nobody"}).status_code == 422
    at_ritas.post(url, LIFT | {"proven": "carla", "percent": "33.333333"})
    award = NoticeEnd.objects.get().awards.get()
    assert (award.holder.party, award.share_numerator, award.share_denominator) == (carla, 33333333, 100000000)


def test_nobody_lifts_what_strikes_her_own_label(at_ritas: Client, at_charlies: Client, known: Recording) -> None:
    notice = entered(at_ritas, known)
    page = reverse("review-notice", args=[notice.public_id])
    assert "a label you belong to" in at_charlies.get(page).text
    assert at_charlies.post(reverse("review-notice-lift", args=[notice.public_id]), LIFT).status_code == 422
    assert not NoticeEnd.objects.exists()


def test_an_act_takes_a_second_factor(rita: User, known: Recording) -> None:
    client = Client()
    client.force_login(rita)
    assert client.post(URL, BODY | {"subject": known.isrc})["Location"].startswith("/account/2fa/")
    assert not Notice.objects.exists()


def test_what_came_by_letter_is_kept_with_the_case(at_ritas: Client, known: Recording) -> None:
    notice = entered(at_ritas, known)
    said = {"side": "CLAIMANT", "what": "WITHDRAWAL", "name": "Carla", "statement": "I was wrong."}
    at_ritas.post(reverse("review-notice-say", args=[notice.public_id]), said)
    page = at_ritas.get(reverse("review-notice", args=[notice.public_id])).text
    assert "I was wrong." in page
    assert "Given up: lift it" in page


def test_both_sides_are_told(at_ritas: Client, at_bobs: Client, known: Recording) -> None:
    entered(at_ritas, known)
    kinds = dict(Letter.objects.values_list("kind", "recipient"))
    assert kinds["notice_claimant"] == "carla@example.org"
    assert kinds["notice_label"].startswith("bob")


def test_the_list_shows_what_holds_and_what_was_lifted(
    at_ritas: Client, known: Recording, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        entered(at_ritas, known)
    with django_assert_max_num_queries(26):
        page = at_ritas.get("/review/notices/?show=all").text
    assert page.count("Tide") == 5
    assert "Holds" in page


def test_a_longer_list_takes_no_more_statements(
    at_ritas: Client, known: Recording, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(15):
        entered(at_ritas, known)
    with django_assert_max_num_queries(26):
        at_ritas.get("/review/notices/")
