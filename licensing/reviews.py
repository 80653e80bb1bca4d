"""Four eyes on every record: a reviewer approves or refuses what she saw and heard, and nothing else."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from licensing import affected, clearance, dossiers, instruments
from licensing.errors import GrantOutdated, ReviewIncomplete, ReviewNotIndependent
from licensing.models import GrantEnd, Instrument, LicenceGrant, Review
from licensing.records import evidence_hash
from licensing.terms import EndKind, Layer, ReviewOutcome


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides, and the labels (party keys) she belongs to at that moment."""

    actor: str
    label_ids: frozenset[int] = field(default_factory=frozenset)


def approve(
    grant: LicenceGrant,
    *,
    reviewer: Reviewer,
    sound_sha256: str,
    at: datetime,
    evidence_sha256: str = "",
    reason: str = "",
) -> Review:
    """Approve a record, bound to its evidence and to the sound that was heard.

    `evidence_sha256`, where given, is what the reviewer's page showed; it must be what is on record. A record for a
    recording needs a sound, one for a work does not: the same work is heard in many recordings. Raises
    ReviewNotIndependent, ReviewIncomplete or GrantOutdated.
    """
    _may_decide(grant, reviewer)
    evidence = list(grant.evidence.all())
    bound = evidence_hash(each.sha256 for each in evidence)
    if not evidence:
        raise ReviewIncomplete("The record has no evidence. Ask the label for a new version with it.")
    hashes = instruments.current_hashes(evidence)
    if any(hashes[each.pk] != each.sha256 for each in evidence):
        raise ReviewIncomplete("The evidence in the store is not what was captured. Ask the label to hand it in again.")
    if evidence_sha256 and evidence_sha256 != bound:
        raise ReviewIncomplete("The evidence is not what the page showed. Load the page again and look at it.")
    if grant.layer == Layer.RECORDING and not sound_sha256:
        raise ReviewIncomplete("There is no accepted sound yet. Wait until the master is examined, then listen.")
    review = _record(grant, reviewer, ReviewOutcome.APPROVED, at, reason=reason, bound=bound, sound=sound_sha256)
    clearance.decide_again(affected.by_grant(grant), at=at, actor=reviewer.actor)
    return review


def refuse(grant: LicenceGrant, *, reviewer: Reviewer, reason: str, at: datetime, sound_sha256: str = "") -> Review:
    """Refuse a record with a reason that its label can act on. Raises ReviewNotIndependent or ReviewIncomplete."""
    _may_decide(grant, reviewer)
    if not reason.strip():
        raise ReviewIncomplete("Say what is wrong and what the label can do about it.")
    bound = evidence_hash(each.sha256 for each in grant.evidence.all())
    review = _record(grant, reviewer, ReviewOutcome.REFUSED, at, reason=reason, bound=bound, sound=sound_sha256)
    clearance.decide_again(affected.by_grant(grant), at=at, actor=reviewer.actor)
    return review


def may_decide(grant: LicenceGrant, reviewer: Reviewer) -> bool:
    """Whether this reviewer is independent of the record."""
    return dossiers.is_independent(grant, actor=reviewer.actor, label_ids=reviewer.label_ids)


def queue() -> QuerySet[LicenceGrant]:
    """Records that wait for a decision, the oldest first, with all that a list of them shows; three statements."""
    revoked = GrantEnd.objects.filter(grant__record_id=OuterRef("record_id"), kind=EndKind.REVOKED)
    return (
        LicenceGrant.objects.filter(
            ~Exists(Review.objects.filter(grant=OuterRef("pk"))), ~Exists(revoked), successor=None
        )
        .select_related("licensor__party", "submitted_for", "recording__label", "work", "supersedes")
        .prefetch_related(Prefetch("evidence", Instrument.objects.order_by("pk")))
        .order_by("created_at", "pk")
    )


def _may_decide(grant: LicenceGrant, reviewer: Reviewer) -> None:
    if not may_decide(grant, reviewer):
        raise ReviewNotIndependent("You handed this record in or belong to its label. Another reviewer must decide.")
    if LicenceGrant.objects.filter(supersedes=grant).exists():
        raise GrantOutdated("A newer version of this record exists. Decide on that one.")


def _record(
    grant: LicenceGrant,
    reviewer: Reviewer,
    outcome: ReviewOutcome,
    at: datetime,
    *,
    reason: str,
    bound: str,
    sound: str,
) -> Review:
    with transaction.atomic():
        return Review.objects.create(
            grant=grant,
            outcome=outcome.value,
            reason=reason,
            reviewer=reviewer.actor,
            reviewer_labels=sorted(reviewer.label_ids),
            evidence_sha256=bound,
            sound_sha256=sound,
            at=at,
        )
