"""E4, the ways out: evidence leaves us as an attachment in which nothing runs, or as pictures, to those it concerns."""

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from catalog.models import Party
from licensing.models import Instrument
from licensing.terms import EvidenceKind
from store import evidence_pages, records
from store.models import EvidencePages
from store.views import attachments
from tests.factories import catalog, licensing
from tests.factories.store import make_user
from tests.store import papers
from tests.studio.conftest import signed_in

HOST = "http://evidence.example"


@pytest.fixture
def paper(label: Party) -> Instrument:
    """Bob's agreement, which is a web page with a script as well; drawn."""
    kept = licensing.make_evidence(
        EvidenceKind.AGREEMENT, text="", data=papers.web_page_too(), media_type="application/pdf"
    )
    licensing.make_grant(catalog.make_recording(label=label), evidence=[kept], submitted_for=label)
    evidence_pages.draw(EvidencePages.objects.get(sha256=kept.sha256).pk)
    return kept


def file_of(paper: Instrument) -> str:
    return reverse("studio-evidence", args=["bobs", paper.public_id])


def page_of(paper: Instrument, number: int = 1) -> str:
    return reverse("evidence-page", args=[paper.public_id, number])


def test_a_file_is_saved_and_never_shown(at_bobs: Client, paper: Instrument) -> None:
    answer = at_bobs.get(file_of(paper))
    assert answer.getvalue() == papers.web_page_too()
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("application/pdf", "nosniff")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"])
def test_what_a_browser_would_run_goes_out_as_bytes_without_a_kind(
    at_bobs: Client, label: Party, media_type: str
) -> None:
    kept = licensing.make_evidence(
        EvidenceKind.LICENCE_PAGE, text="", data=b"<script>1</script>", media_type=media_type
    )
    licensing.make_grant(catalog.make_recording(label=label), evidence=[kept], submitted_for=label)
    answer = at_bobs.get(file_of(kept))
    assert answer["Content-Type"] == "application/octet-stream"
    answer.close()


def test_with_a_host_of_its_own_it_comes_from_there_alone(
    at_bobs: Client, paper: Instrument, settings: LazySettings
) -> None:
    settings.EVIDENCE_HOST, settings.ALLOWED_HOSTS = HOST, ["*"]
    way = at_bobs.get(file_of(paper))
    assert way["Location"].startswith(f"{HOST}/evidence/")
    path = way["Location"].removeprefix(HOST)
    answer = Client(HTTP_HOST="evidence.example").get(path)
    assert answer.getvalue() == papers.web_page_too()
    assert answer["Content-Disposition"].startswith("attachment")
    assert "Set-Cookie" not in answer.headers
    assert at_bobs.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/studio/", "/account/login/", "/review/", "/admin/", "/healthz"])
def test_that_host_answers_to_nothing_else(at_bobs: Client, settings: LazySettings, path: str) -> None:
    settings.EVIDENCE_HOST, settings.ALLOWED_HOSTS = HOST, ["*"]
    assert at_bobs.get(path, HTTP_HOST="evidence.example").status_code == 404


def test_without_the_middleware_it_would(at_bobs: Client, settings: LazySettings) -> None:
    """The control of the test above."""
    settings.EVIDENCE_HOST, settings.ALLOWED_HOSTS = HOST, ["*"]
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "evidence_host" not in each]
    assert at_bobs.get("/healthz", HTTP_HOST="evidence.example").status_code == 200


@pytest.mark.parametrize("spoil", [lambda token: token[:-1] + "x", lambda token: f"x{token}", lambda _: "x"])
def test_an_address_there_cannot_be_made_up(paper: Instrument, settings: LazySettings, spoil) -> None:
    settings.EVIDENCE_HOST, settings.ALLOWED_HOSTS = HOST, ["*"]
    token = attachments.attachment(paper)["Location"].rpartition("/")[2]
    there = Client(HTTP_HOST="evidence.example")
    assert there.get(f"/evidence/{spoil(token)}").status_code == 404


def test_an_address_there_is_soon_over(
    paper: Instrument, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVIDENCE_HOST, settings.ALLOWED_HOSTS = HOST, ["*"]
    path = attachments.attachment(paper)["Location"].removeprefix(HOST)
    monkeypatch.setattr(attachments, "TOKEN_SECONDS", -1)
    assert Client(HTTP_HOST="evidence.example").get(path).status_code == 404


# Pages as pictures


def test_the_label_and_any_reviewer_see_the_pages(at_bobs: Client, paper: Instrument) -> None:
    rita = make_user("Rita", is_reviewer=True)
    for client in (at_bobs, signed_in(rita)):
        answer = client.get(page_of(paper))
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
        assert answer["Content-Security-Policy"].startswith("sandbox")
        assert answer["X-Content-Type-Options"] == "nosniff"


def test_nobody_else_does(at_charlies: Client, at_alices: Client, paper: Instrument) -> None:
    for client in (at_charlies, at_alices, Client()):
        assert client.get(page_of(paper)).status_code == 404


def test_without_the_guard_everybody_would(
    at_charlies: Client, paper: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    monkeypatch.setattr(records, "rest_on", lambda *_: True)
    assert at_charlies.get(page_of(paper)).status_code == 200


def test_a_page_that_is_not_there_is_not_found(at_bobs: Client, paper: Instrument) -> None:
    assert at_bobs.get(page_of(paper, 2)).status_code == 404


def test_the_record_shows_the_pages_and_says_what_is_odd(at_bobs: Client, paper: Instrument) -> None:
    record = paper.grants.get().record_id
    shown = at_bobs.get(reverse("studio-record", args=["bobs", record])).text
    assert page_of(paper) in shown
    assert evidence_pages.NOTES["MARKUP"] in shown
    assert "alert(1)" not in shown
