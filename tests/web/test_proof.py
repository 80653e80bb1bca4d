"""Certificates and proofs: what anybody may see, and what nobody may."""

import hashlib
import html
import re

import pypdfium2
import pytest
from django.test import Client

from licensing import audit
from payments import chain
from store.models import Certificate, User
from tests.factories import shelf
from transcoding.models import Master

pytestmark = pytest.mark.django_db


@pytest.fixture
def certificate(alice: User) -> Certificate:
    return shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice).lines.get().certificate


def test_anybody_sees_what_was_cleared_and_on_which_evidence(visitor: Client, certificate: Certificate) -> None:
    page = visitor.get(f"/certificates/{certificate.public_id}")
    text = page.content.decode()
    assert page.context["problems"] == []
    for word in ("First Light, part 1", "The recording", "The composition", "CC BY-SA 4.0", "independent reviewer"):
        assert word in text


def words(visitor: Client, page: str) -> str:
    """The text of the sheet."""
    sheet = pypdfium2.PdfDocument(visitor.get(f"{page}.pdf").content)
    return "\n".join(page.get_textpage().get_text_bounded() for page in sheet)


def test_nothing_names_the_buyer(visitor: Client, certificate: Certificate, alice: User) -> None:
    order = certificate.order_line.order
    page = f"/certificates/{certificate.public_id}"
    for text in (
        visitor.get(page).content.decode(),
        visitor.get(f"{page}.json").content.decode(),
        words(visitor, page),
    ):
        assert alice.email not in text
        assert order.number not in text
        assert str(order.public_id) not in text


def test_what_is_signed_has_the_hash_the_certificate_is_said_to_have(visitor: Client, certificate: Certificate) -> None:
    answer = visitor.get(f"/certificates/{certificate.public_id}.json")
    _, _, signed = answer.content.partition(b'"signed":')
    assert hashlib.sha256(signed[:-1]).hexdigest() == certificate.sha256
    assert answer["ETag"] == f'"{certificate.sha256}"'
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_the_page_shows_title_author_source_and_licence(visitor: Client, certificate: Certificate) -> None:
    text = visitor.get(f"/certificates/{certificate.public_id}").content.decode()
    said = certificate.document["recordings"][0]["attribution"]
    assert said["title"] == "First Light, part 1"
    assert f"{said['title']}, by {said['author']}" in text
    assert said["source"] in text
    assert [(licence["layer"], licence["name"]) for licence in said["licences"]] == [
        ("RECORDING", "CC BY-SA 4.0"),
        ("WORK", "CC BY-SA 4.0"),
    ]


def test_the_page_shows_both_chains(visitor: Client, certificate: Certificate) -> None:
    waiting = visitor.get(f"/certificates/{certificate.public_id}").content.decode()
    assert "waits for its place" in waiting
    audit.seal_new(at=shelf.NOW)
    chain.seal_new(at=shelf.NOW)
    text = visitor.get(f"/certificates/{certificate.public_id}").content.decode()
    entry = audit.place_of("store_certificate", certificate.pk)
    assert entry is not None
    assert f"place {entry.position}" in text
    assert "In the ledger" in text


def test_every_fact_marked_as_signed_stands_in_the_document(visitor: Client, certificate: Certificate) -> None:
    text = visitor.get(f"/certificates/{certificate.public_id}").content.decode()
    marked = re.findall(r'data-signed="([^"]+)"[^>]*>([^<]*)<', text)
    assert len(marked) > 15
    for path, shown in marked:
        value = certificate.document
        for name in path.split("."):
            value = value[int(name) if name.isdigit() else name]
        assert html.unescape(shown).replace(" ", "") == value.replace(" ", "")


def test_a_hash_is_printed_in_groups_of_four(visitor: Client, certificate: Certificate) -> None:
    groups = " ".join(certificate.sha256[n : n + 4] for n in range(0, 64, 4))
    assert groups in visitor.get(f"/certificates/{certificate.public_id}").content.decode()


def test_lost_evidence_shows_on_the_certificate(
    visitor: Client, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.certificates.sha256_of", lambda _document: "0" * 64)
    text = visitor.get(f"/certificates/{certificate.public_id}").content.decode()
    assert "This certificate does not hold" in text


def test_a_sound_leads_to_what_stands_behind_it(visitor: Client) -> None:
    shelf.shelve("First Light", tracks=1)
    sound = Master.objects.get().sound_sha256
    text = visitor.get(f"/proof/{sound}").content.decode()
    assert "Cleared for sale" in text
    assert "worldwide" in text


def test_an_unknown_sound_has_no_proof(visitor: Client) -> None:
    assert visitor.get(f"/proof/{'0' * 64}").status_code == 404
