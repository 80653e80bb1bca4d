"""Rows of licensing for tests, made by its own acts: holders, evidence, records, approvals."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from catalog.models import Party, Recording, Work
from licensing import grants, instruments, reviews
from licensing.models import Instrument, LicenceGrant, RightsHolder
from licensing.reviews import Reviewer
from licensing.terms import Basis, EvidenceKind, Layer
from tests.factories.catalog import make_label, make_recording

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
SOUND = "5" * 64
BY = "https://creativecommons.org/licenses/by/4.0/"
RITA = Reviewer("user:rita")


def make_holder(party: Party | None = None) -> RightsHolder:
    return grants.ensure_holder(party or make_label())


def make_evidence(kind: EvidenceKind = EvidenceKind.TAG_STATEMENT, **over: Any) -> Instrument:
    return instruments.capture(kind, **{"text": f"LICENSE={BY}", "actor": "user:bob", "at": NOW, **over})


def make_grant(
    subject: Recording | Work,
    *,
    holder: RightsHolder | None = None,
    evidence: Sequence[Instrument] | None = None,
    **over: Any,
) -> LicenceGrant:
    """A record on CC BY 4.0, handed in by Bob and not reviewed."""
    layer = Layer.RECORDING if isinstance(subject, Recording) else Layer.WORK
    if evidence is None:
        evidence = [make_evidence(), make_evidence(EvidenceKind.DECLARATION, text="Our own works.")]
    fields = {"layer": layer, "basis": Basis.PUBLIC_LICENCE, "licence_url": BY, "actor": "user:bob", "at": NOW, **over}
    return grants.record_grant(holder or make_holder(), subject=subject, evidence=evidence, **fields)


def make_wide(
    catalogue: Party, *, layer: Layer = Layer.RECORDING, basis: Basis = Basis.DIRECT, **over: Any
) -> LicenceGrant:
    """A record for the whole catalogue of a party, given by that party itself and not reviewed."""
    evidence = [make_evidence(EvidenceKind.AGREEMENT, text=f"Agreement of {catalogue}")]
    fields = {"layer": layer, "basis": basis, "catalogue": catalogue, "actor": "user:bob", "at": NOW, **over}
    return grants.record_grant(make_holder(catalogue), evidence=evidence, **fields)


def make_approved(subject: Recording | Work, *, sound: str = SOUND, **over: Any) -> LicenceGrant:
    """The same, approved by Rita."""
    grant = make_grant(subject, **over)
    reviews.approve(grant, reviewer=RITA, sound_sha256=sound, at=NOW)
    return grant


def make_cleared(recording: Recording | None = None, **over: Any) -> Recording:
    """A recording with an approved record for itself and for each of its works."""
    recording = recording or make_recording()
    holder = make_holder(recording.label)
    subjects: list[Recording | Work] = [recording, *recording.works.all()]
    for subject in subjects:
        make_approved(subject, holder=holder, **over)
    return recording
