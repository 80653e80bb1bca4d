"""An approval holds for exactly what the reviewer was shown; a refusal has its reason; nobody decides on her own."""

import re

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording
from licensing import grants
from licensing.models import LicenceGrant, Review, evidence_storage
from licensing.records import evidence_hash
from licensing.terms import EvidenceKind
from store import cases, offers
from store.models import User
from tests.factories import catalog, licensing, transcoding


def _case(client: Client, grant: LicenceGrant) -> str:
    return client.get(reverse("review-case", args=[grant.record_id])).text


def _shown(page: str) -> dict[str, str]:
    """What the page's form would send: the hashes that were shown."""
    found = re.findall(r'name="(evidence_sha256|sound_sha256)"(?: value="([0-9a-f]*)")?', page)
    return dict(found)


def _approve(client: Client, grant: LicenceGrant, shown: dict[str, str]) -> int:
    return client.post(reverse("review-approve", args=[grant.record_id]), shown).status_code


def test_an_approval_is_bound_to_evidence_and_sound(at_ritas: Client, rita: User, grant: LicenceGrant) -> None:
    assert _approve(at_ritas, grant, _shown(_case(at_ritas, grant))) == 302
    review = Review.objects.get()
    assert (review.outcome, review.reviewer, review.grant) == ("APPROVED", rita.actor, grant)
    assert len(review.sound_sha256) == 64
    assert len(review.evidence_sha256) == 64


def test_after_a_decision_the_next_case_comes(at_ritas: Client, grant: LicenceGrant) -> None:
    shown = _shown(_case(at_ritas, grant))
    answer = at_ritas.post(reverse("review-approve", args=[grant.record_id]) + "?label=bobs", shown)
    following = LicenceGrant.objects.get(layer="WORK")
    assert answer["Location"] == reverse("review-case", args=[following.record_id]) + "?label=bobs"


def test_after_the_last_case_the_queue_is_shown(at_ritas: Client, grant: LicenceGrant) -> None:
    for one in LicenceGrant.objects.all():
        answer = at_ritas.post(reverse("review-approve", args=[one.record_id]), _shown(_case(at_ritas, one)))
    assert answer["Location"] == reverse("review")


def test_a_new_master_asks_the_reviewer_to_listen_again(
    at_ritas: Client, recording: Recording, grant: LicenceGrant
) -> None:
    shown = _shown(_case(at_ritas, grant))
    transcoding.make_master(recording, accepted_at=timezone.now())
    answer = at_ritas.post(reverse("review-approve", args=[grant.record_id]), shown)
    assert answer.status_code == 422
    assert "A new master has come in" in answer.text
    assert not Review.objects.exists()


def test_evidence_that_was_altered_cannot_be_approved(at_ritas: Client, label: Party) -> None:
    recording = catalog.make_recording(label=label)
    transcoding.make_master(recording)
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=b"%PDF-1.4 a", media_type="application/pdf")
    grant = licensing.make_grant(recording, evidence=[paper], basis="DIRECT", licence_url="", submitted_for=label)
    shown = _shown(_case(at_ritas, grant))
    storage = evidence_storage()
    storage.delete(str(paper.file.name))
    storage.save(str(paper.file.name), ContentFile(b"%PDF-1.4 forged"))
    page = _case(at_ritas, grant)
    assert "Bytes differ from their hash" in page
    assert re.search(r'data-key="a"[^>]* disabled', page)
    assert _approve(at_ritas, grant, shown) == 422
    assert not Review.objects.exists()


def test_a_form_without_what_was_shown_is_refused(at_ritas: Client, grant: LicenceGrant) -> None:
    assert _approve(at_ritas, grant, {}) == 422
    assert _approve(at_ritas, grant, {"evidence_sha256": "0" * 64}) == 422
    assert not Review.objects.exists()


def test_a_recording_without_sound_cannot_be_approved(at_ritas: Client, label: Party) -> None:
    grant = licensing.make_grant(catalog.make_recording(label=label), submitted_for=label)
    assert _approve(at_ritas, grant, _shown(_case(at_ritas, grant))) == 422
    assert not Review.objects.exists()


def test_a_record_without_evidence_cannot_be_approved(at_ritas: Client, label: Party) -> None:
    recording = catalog.make_recording(label=label)
    transcoding.make_master(recording)
    grant = licensing.make_grant(recording, evidence=[], submitted_for=label)
    assert "No evidence is attached" in _case(at_ritas, grant)
    assert _approve(at_ritas, grant, _shown(_case(at_ritas, grant))) == 422


@pytest.mark.parametrize("act", ["review-approve", "review-refuse"])
def test_nobody_decides_on_a_record_of_her_own_label(at_charlies: Client, grant: LicenceGrant, act: str) -> None:
    page = _case(at_charlies, grant)
    assert 'data-key="a"' not in page
    assert "You belong to Bob&#x27;s Records" in page
    body = {"evidence_sha256": _evidence_hash(grant), "sound_sha256": "", "reason": "no"}
    assert at_charlies.post(reverse(act, args=[grant.record_id]), body).status_code == 422
    assert not Review.objects.exists()


def _evidence_hash(grant: LicenceGrant) -> str:
    return evidence_hash(piece.sha256 for piece in grant.evidence.all())


def test_nobody_decides_on_what_she_handed_in(at_ritas: Client, rita: User, label: Party) -> None:
    recording = catalog.make_recording(label=label)
    transcoding.make_master(recording)
    grant = licensing.make_grant(recording, actor=rita.actor, submitted_for=label)
    page = _case(at_ritas, grant)
    assert "You handed this record in yourself" in page
    assert 'data-key="a"' not in page


def test_a_refusal_keeps_the_saved_words_and_her_own(at_ritas: Client, grant: LicenceGrant) -> None:
    body = _shown(_case(at_ritas, grant)) | {"saved": "unsigned", "reason": "Page 3 is missing."}
    at_ritas.post(reverse("review-refuse", args=[grant.record_id]), body)
    review = Review.objects.get()
    assert review.outcome == "REFUSED"
    assert review.reason == "The agreement is not signed by both sides. Page 3 is missing."


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_refusal_without_a_reason_is_none(at_ritas: Client, grant: LicenceGrant, reason: str) -> None:
    body = _shown(_case(at_ritas, grant)) | {"reason": reason}
    answer = at_ritas.post(reverse("review-refuse", args=[grant.record_id]), body)
    assert answer.status_code == 422
    assert "A refusal needs its reason" in answer.text
    assert not Review.objects.exists()


def test_what_is_decided_is_listed_with_its_reason(at_ritas: Client, grant: LicenceGrant) -> None:
    body = _shown(_case(at_ritas, grant)) | {"saved": "cover"}
    at_ritas.post(reverse("review-refuse", args=[grant.record_id]), body)
    page = at_ritas.get(reverse("review-decided")).text
    assert "Tide" in page
    assert "somebody else&#x27;s" in page


def test_a_decided_record_offers_no_decision(at_ritas: Client, grant: LicenceGrant) -> None:
    _approve(at_ritas, grant, _shown(_case(at_ritas, grant)))
    assert 'data-key="a"' not in _case(at_ritas, grant)


def test_a_newer_version_comes_back_to_the_queue(at_ritas: Client, grant: LicenceGrant) -> None:
    _approve(at_ritas, grant, _shown(_case(at_ritas, grant)))
    grants.new_version(grant, actor="user:bob", licence_statement="again")
    assert "Version 2 handed in" in _case(at_ritas, grant)
    assert 'data-key="a"' in _case(at_ritas, grant)


def test_a_record_without_evidence_can_be_refused(at_ritas: Client, label: Party) -> None:
    grant = licensing.make_grant(catalog.make_recording(label=label), evidence=[], submitted_for=label)
    body = _shown(_case(at_ritas, grant)) | {"saved": "not-theirs"}
    assert at_ritas.post(reverse("review-refuse", args=[grant.record_id]), body).status_code == 302
    assert Review.objects.get().outcome == "REFUSED"


def _becomes_dear(grant: LicenceGrant) -> None:
    """After the queue last looked at it, far more is asked for it than one reviewer may let through."""
    cases.assess([grant], at=timezone.now())
    offers.set_price(grant.recording or catalog.make_recording(), currency="EUR", amount_minor=60_000, actor="user:bob")


def _together(client: Client, grant: LicenceGrant) -> int:
    page = _case(client, grant)
    tokens = re.findall(r'name="record"[^>]* value="([^"]+)"', page)
    sent = {"record": tokens, "outcome": "APPROVED", "reason": ""}
    return client.post(reverse("review-together", args=[grant.record_id]), sent).status_code


def test_what_became_dear_since_the_queue_looked_needs_a_second_reviewer(at_ritas: Client, grant: LicenceGrant) -> None:
    shown = _shown(_case(at_ritas, grant))
    _becomes_dear(grant)
    assert _approve(at_ritas, grant, shown) == 302
    assert Review.objects.get().second_needed


def test_by_what_the_queue_knew_one_would_have_been_enough(
    at_ritas: Client, grant: LicenceGrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _shown(_case(at_ritas, grant))
    _becomes_dear(grant)
    monkeypatch.setattr(cases, "assess", lambda *_grants, **_how: {})
    assert _approve(at_ritas, grant, shown) == 302
    assert not Review.objects.get().second_needed


def test_deciding_together_knows_it_as_well(at_ritas: Client, grant: LicenceGrant) -> None:
    _becomes_dear(grant)
    assert _together(at_ritas, grant) == 302
    assert {review.grant_id for review in Review.objects.filter(second_needed=True)} >= {grant.pk}
