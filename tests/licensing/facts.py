"""Plain values for the engine's tests: an approved record, a question, and the evidence around them."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from licensing.licences import parse
from licensing.records import Approval, Evidence, EvidenceItem, Question, Record, evidence_hash
from licensing.terms import ALL_USES, Basis, CmoStatus, EvidenceKind, Layer, Licensee, RecordState, ReviewOutcome, Use
from licensing.territories import TerritorySet

RECORDING = "rec-1"
WORK = "work-1"
SOUND = "5" * 64
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WORLD = TerritorySet.world()

_KIND = {
    Basis.PUBLIC_LICENCE: EvidenceKind.TAG_STATEMENT,
    Basis.PD: EvidenceKind.DECLARATION,
    Basis.PASS_THROUGH: EvidenceKind.DECLARATION,
}


def ask(use: Use | str = Use.PERMANENT_DOWNLOAD, at: datetime = NOW, **over: Any) -> Question:
    return Question(use=str(use), at=at, **{"sound_sha256": SOUND, **over})


def approved(record: Record, **over: Any) -> Record:
    """The record with an independent approval, bound to its evidence and to the sound."""
    approval = Approval(
        outcome=ReviewOutcome.APPROVED,
        reviewer="user:rita",
        independent=True,
        evidence_sha256=evidence_hash(item.sha256 for item in record.evidence),
        sound_sha256=SOUND,
    )
    return replace(record, state=RecordState.APPROVED, approval=replace(approval, **over))


def draft(layer: Layer, basis: Basis = Basis.DIRECT, **over: Any) -> Record:
    """A record with evidence that nobody has reviewed."""
    kind = _KIND.get(basis, EvidenceKind.AGREEMENT)
    public = basis == Basis.PUBLIC_LICENCE
    values: dict[str, Any] = {
        "id": f"{layer.lower()}-{basis.lower()}-{over.get('licensor', 'bob')}",
        "version": 1,
        "layer": layer.value,
        "subject": RECORDING if layer is Layer.RECORDING else WORK,
        "licensor": "bob",
        "licensor_name": over.get("licensor", "bob"),
        "licensee": Licensee.PUBLIC if public else Licensee.STORE,
        "basis": basis.value,
        "uses": frozenset(ALL_USES),
        "territories": WORLD,
        "state": RecordState.SUBMITTED,
        "evidence": (EvidenceItem(kind, "e" * 64, "e" * 64),),
        "cmo_status": CmoStatus.NOT_BOUND,
        "cmo_mandate_proven": True,
        "cmo_in_repertoire": True,
    }
    return Record(**{**values, **over})


def master(basis: Basis = Basis.DIRECT, **over: Any) -> Record:
    return approved(draft(Layer.RECORDING, basis, **over))


def work(basis: Basis = Basis.DIRECT, **over: Any) -> Record:
    return approved(draft(Layer.WORK, basis, **over))


def public(layer: Layer, name: str, **over: Any) -> Record:
    """An approved record on the public licence of that name."""
    return approved(draft(layer, Basis.PUBLIC_LICENCE, licence_url=parse(name).url, **over))


def both(name: str, **over: Any) -> tuple[Record, Record]:
    return public(Layer.RECORDING, name, **over), public(Layer.WORK, name, **over)


def known(*records: Record, **over: Any) -> Evidence:
    values: dict[str, Any] = {
        "recording": RECORDING,
        "works": (WORK,),
        "records": records,
        "title": "Elan",
        "creators": ("Bob",),
    }
    return Evidence(**{**values, **over})


def part(numerator: int, denominator: int = 100) -> Fraction:
    return Fraction(numerator, denominator)
