"""Certificates and proofs: what anybody may see, and what nobody may."""

import hashlib

import pytest
from django.test import Client

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


def test_nothing_names_the_buyer(visitor: Client, certificate: Certificate, alice: User) -> None:
    order = certificate.order_line.order
    for path in (f"/certificates/{certificate.public_id}", f"/certificates/{certificate.public_id}.json"):
        text = visitor.get(path).content.decode()
        assert alice.email not in text
        assert order.number not in text
        assert str(order.public_id) not in text


def test_the_document_has_the_hash_it_is_said_to_have(visitor: Client, certificate: Certificate) -> None:
    answer = visitor.get(f"/certificates/{certificate.public_id}.json")
    assert hashlib.sha256(answer.content).hexdigest() == certificate.sha256


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
