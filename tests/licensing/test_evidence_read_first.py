"""Evidence is hashed before the transaction of an act, or not at all: no lock waits for a storage."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from catalog.models import Recording
from licensing import clearance, dossiers, grants, instruments, notices, scrubbing
from licensing.models import ClearanceDecision, LicenceGrant, evidence_storage
from licensing.terms import Basis, EvidenceKind, Use
from licensing.verdicts import Verdict
from tests.factories.catalog import make_recording
from tests.factories.licensing import NOW, RITA, SOUND, make_approved, make_evidence, make_grant, make_holder

SALE = Use.PERMANENT_DOWNLOAD
PAPER = b"We license this recording to the store."


def paper() -> dict[str, Any]:
    """The terms of an agreement whose bytes lie in the storage."""
    evidence = [make_evidence(EvidenceKind.AGREEMENT, data=PAPER, text="", media_type="application/pdf")]
    return {"basis": Basis.DIRECT, "licence_url": "", "evidence": evidence}


def clear(recording: Recording) -> ClearanceDecision:
    return clearance.clear(recording, use=SALE, at=NOW, actor="t", sound_sha256=SOUND)


def cleared_twice() -> tuple[Recording, LicenceGrant]:
    """A recording that two records clear, so that it stays cleared when either ends."""
    recording = make_recording()
    holder = make_holder(recording.label)
    for subject in (recording, recording.works.get()):
        make_approved(subject, holder=holder, **paper())
    spare = make_approved(recording, holder=holder, **paper())
    clear(recording)
    return recording, spare


def approve() -> None:
    recording = make_recording()
    holder = make_holder(recording.label)
    make_approved(recording.works.get(), holder=holder, **paper())
    clear(recording)
    from licensing import reviews

    grant = make_grant(recording, holder=holder, **paper())
    reviews.approve(grant, reviewer=RITA, sound_sha256=SOUND, at=NOW)


def lift() -> None:
    recording, _ = cleared_twice()
    notice = notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    notices.lift(notice, reason="Settled.", actor="t", at=NOW)


def end() -> None:
    _, spare = cleared_twice()
    grants.end_grant(spare, reason="Over.", actor="user:bob", at=NOW)


def change() -> None:
    _, spare = cleared_twice()
    grants.new_version(spare, actor="user:bob", at=NOW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", [approve, lift, end, change])
def test_no_storage_is_read_while_a_transaction_is_open(
    own_evidence: object, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> None:
    hash_of, inside = instruments._hash_of, []

    def watched(name: str | None) -> str:
        inside.append(connection.in_atomic_block)
        return hash_of(name)

    monkeypatch.setattr(instruments, "_hash_of", watched)
    act()
    assert inside
    assert not any(inside)
    assert ClearanceDecision.objects.latest("pk").cleared_countries


@pytest.mark.django_db(transaction=True)
def test_hashing_inside_a_transaction_is_refused() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        dossiers.hashes_of([1])


@pytest.mark.django_db
def test_a_right_ends_although_the_storage_does_not_answer(
    own_evidence: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, _ = cleared_twice()

    def dead(*_args: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(evidence_storage()), "open", dead)
    notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    assert clearance.latest(recording, SALE).cleared_countries == []


@pytest.mark.django_db
def test_what_was_found_altered_is_not_believed_again(own_evidence: object) -> None:
    recording, spare = cleared_twice()
    for instrument in spare.evidence.all():
        path = evidence_storage().path(str(instrument.file.name))
        with open(path, "wb") as file:  # noqa: PTH123 - a storage names paths as text
            file.write(b"Forged.")
    scrubbing.scrub(at=timezone.now() + timedelta(days=2))
    grants.end_grant(spare, reason="Over.", actor="user:bob", at=NOW)
    assert Verdict.from_data(clearance.latest(recording, SALE).verdict).codes_in("DE")
