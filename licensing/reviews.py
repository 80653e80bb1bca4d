"""Four eyes on every record: a reviewer approves or refuses what she saw and heard, and nothing else.

Where the risk or the value is high (`licensing.risk`), two reviewers must approve the same evidence and the same sound.
The first approval then says `second_needed`, and the record waits on until another person says the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from licensing import affected, assessments, clearance, dossiers, instruments
from licensing.affected import Affected
from licensing.errors import AgreementsDiffer, GrantOutdated, ReviewIncomplete, ReviewNotIndependent, ReviewTwice
from licensing.models import Instrument, LicenceGrant, Review, ReviewCase
from licensing.records import evidence_hash
from licensing.terms import EvidenceKind, Layer, ReviewOutcome


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides, and the labels (party keys) she belongs to at that moment."""

    actor: str
    label_ids: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class _Word:
    """What will be written down about one grant, and what it is bound to."""

    grant: LicenceGrant
    outcome: ReviewOutcome
    reason: str
    bound: str
    sound: str


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

    `evidence_sha256`, where given, is what the reviewer's page showed; it must be what is on record. A record for one
    recording needs a sound; one for a work or a whole catalogue does not: these are heard in many recordings. The
    review says `second_needed` where the record counts only once another reviewer has approved the same. Raises
    ReviewNotIndependent, ReviewIncomplete, ReviewTwice or GrantOutdated.
    """
    _may_decide([grant], reviewer)
    shown = {grant.pk: evidence_sha256} if evidence_sha256 else {}
    words = _approvals([grant], sounds={grant.pk: sound_sha256}, shown=shown, reason=reason)
    return _write(words, reviewer=reviewer, at=at)[0]


def refuse(grant: LicenceGrant, *, reviewer: Reviewer, reason: str, at: datetime, sound_sha256: str = "") -> Review:
    """Refuse a record with a reason that its label can act on. Raises ReviewNotIndependent or ReviewIncomplete."""
    _may_decide([grant], reviewer)
    words = _refusals([grant], sounds={grant.pk: sound_sha256}, reason=reason)
    return _write(words, reviewer=reviewer, at=at)[0]


def decide_all(
    grants: Sequence[LicenceGrant],
    *,
    reviewer: Reviewer,
    outcome: ReviewOutcome | str,
    at: datetime,
    sounds: Mapping[int, str],
    evidence: Mapping[int, str] | None = None,
    reason: str = "",
) -> list[Review]:
    """One word for many records that rest on one agreement: a review each, or none at all where one cannot be decided.

    `sounds` and `evidence` are, by primary key, the hashes of what the reviewer was shown. Raises AgreementsDiffer, or
    whatever `approve` and `refuse` raise, naming the record that stands in the way.
    """
    chosen = sorted({grant.pk: grant for grant in grants}.values(), key=lambda grant: grant.pk)
    if not chosen:
        raise ReviewIncomplete("No record is chosen. Choose at least one.")
    if not share_one_agreement(chosen):
        raise AgreementsDiffer("These records do not rest on one agreement. Decide on them one by one.")
    _may_decide(chosen, reviewer)
    if ReviewOutcome(outcome) is ReviewOutcome.APPROVED:
        words = _approvals(chosen, sounds=sounds, shown=evidence or {}, reason=reason)
    else:
        words = _refusals(chosen, sounds=sounds, reason=reason)
    return _write(words, reviewer=reviewer, at=at)


def share_one_agreement(grants: Iterable[LicenceGrant]) -> bool:
    """Whether all rest on one agreement: its number in the name of one licensor, one signed paper, or all evidence."""
    listed = list(grants)
    if len({(grant.agreement, grant.licensor_id) for grant in listed}) == 1 and listed[0].agreement:
        return True
    papers = [
        {piece.sha256 for piece in grant.evidence.all() if piece.kind == EvidenceKind.AGREEMENT} for grant in listed
    ]
    bundles = {evidence_hash(piece.sha256 for piece in grant.evidence.all()) for grant in listed}
    whole = len(bundles) == 1 and all(grant.evidence.all() for grant in listed)
    return whole or bool(set.intersection(*papers))


def may_decide(grant: LicenceGrant, reviewer: Reviewer) -> bool:
    """Whether this reviewer is independent of the record."""
    return dossiers.is_independent(grant, actor=reviewer.actor, label_ids=reviewer.label_ids)


def first_approval(grant: LicenceGrant) -> Review | None:
    """The approval that waits for a second reviewer; None where none does."""
    if not ReviewCase.objects.filter(grant=grant, seconding=True).exists():
        return None
    return grant.reviews.filter(outcome=ReviewOutcome.APPROVED, second_needed=True).order_by("-pk").first()


def queue() -> QuerySet[LicenceGrant]:
    """Records that wait for a decision, the riskiest first, then the oldest, with all that a list of them shows."""
    return (
        LicenceGrant.objects.filter(case__isnull=False)
        .select_related(
            "case", "licensor__party", "submitted_for", "recording__label", "work", "catalogue", "supersedes"
        )
        .prefetch_related(Prefetch("evidence", Instrument.objects.order_by("pk")))
        .order_by("-case__points", "case__opened_at", "pk")
    )


def _may_decide(grants: Sequence[LicenceGrant], reviewer: Reviewer) -> None:
    for grant in grants:
        if not may_decide(grant, reviewer):
            raise ReviewNotIndependent(
                "You handed this record in or belong to its label. Another reviewer must decide."
            )
    if LicenceGrant.objects.filter(supersedes__in=[grant.pk for grant in grants]).exists():
        raise GrantOutdated("A newer version of this record exists. Decide on that one.")


def _approvals(
    grants: Sequence[LicenceGrant], *, sounds: Mapping[int, str], shown: Mapping[int, str], reason: str
) -> list[_Word]:
    """Check what the approvals are to be bound to. Reads the evidence storage, so it comes before any transaction."""
    evidence = {grant.pk: list(grant.evidence.all()) for grant in grants}
    hashes = instruments.current_hashes({piece.pk: piece for each in evidence.values() for piece in each}.values())
    words = []
    for grant in grants:
        bound = evidence_hash(piece.sha256 for piece in evidence[grant.pk])
        if not evidence[grant.pk]:
            raise ReviewIncomplete("The record has no evidence. Ask the label for a new version with it.")
        if any(hashes[piece.pk] != piece.sha256 for piece in evidence[grant.pk]):
            raise ReviewIncomplete(
                "The evidence in the store is not what was captured. Ask the label to hand it in again."
            )
        if shown.get(grant.pk, bound) != bound:
            raise ReviewIncomplete("The evidence is not what the page showed. Load the page again and look at it.")
        sound = sounds.get(grant.pk, "")
        if grant.layer == Layer.RECORDING and grant.catalogue_id is None and not sound:
            raise ReviewIncomplete("There is no accepted sound yet. Wait until the master is examined, then listen.")
        words.append(_Word(grant, ReviewOutcome.APPROVED, reason, bound, sound))
    return words


def _refusals(grants: Sequence[LicenceGrant], *, sounds: Mapping[int, str], reason: str) -> list[_Word]:
    if not reason.strip():
        raise ReviewIncomplete("Say what is wrong and what the label can do about it.")
    return [
        _Word(
            grant,
            ReviewOutcome.REFUSED,
            reason,
            evidence_hash(piece.sha256 for piece in grant.evidence.all()),
            sounds.get(grant.pk, ""),
        )
        for grant in grants
    ]


def _write(words: Sequence[_Word], *, reviewer: Reviewer, at: datetime) -> list[Review]:
    """Write all down or nothing, then decide again about what they touch.

    The cases are held meanwhile, so that two reviewers at once come one after the other, and a new version comes
    before or after but never between.
    """
    grants = [word.grant for word in words]
    keys = [grant.pk for grant in grants]
    with transaction.atomic():
        _hold(keys)
        if LicenceGrant.objects.filter(supersedes__in=keys).exists():
            raise GrantOutdated("A newer version of this record has just come in. Decide on that one.")
        approvals = [word for word in words if word.outcome is ReviewOutcome.APPROVED]
        second = _second_needed([word.grant for word in approvals], at=at) if approvals else set()
        _not_twice(approvals, second, reviewer)
        made = [
            Review.objects.create(
                grant=word.grant,
                outcome=word.outcome.value,
                reason=word.reason,
                reviewer=reviewer.actor,
                reviewer_labels=sorted(reviewer.label_ids),
                evidence_sha256=word.bound,
                sound_sha256=word.sound,
                second_needed=word.grant.pk in second and word.outcome is ReviewOutcome.APPROVED,
                at=at,
            )
            for word in words
        ]
    touched = _touched(grants)
    hashes = dossiers.hashes_of(touched.recordings)
    clearance.decide_again(touched, at=at, actor=reviewer.actor, hashes=hashes)
    return made


def _hold(keys: Sequence[int]) -> None:
    """Lock the cases of these grants until the transaction ends, all in one order."""
    list(ReviewCase.objects.select_for_update().filter(grant__in=keys).order_by("grant").values_list("pk"))


def _second_needed(grants: Sequence[LicenceGrant], *, at: datetime) -> set[int]:
    """The grants that need two reviewers: by today's risk, or because an approval before said so."""
    risks = assessments.assess(grants, at=at)
    said = Review.objects.filter(grant__in=[grant.pk for grant in grants], second_needed=True)
    return {key for key, found in risks.items() if found.second_needed} | set(said.values_list("grant", flat=True))


def _not_twice(words: Sequence[_Word], second: set[int], reviewer: Reviewer) -> None:
    mine = Review.objects.filter(grant__in=second, outcome=ReviewOutcome.APPROVED, reviewer=reviewer.actor).values_list(
        "grant", "evidence_sha256", "sound_sha256"
    )
    said = set(mine)
    if any((word.grant.pk, word.bound, word.sound) in said for word in words):
        raise ReviewTwice("You have approved this record already. A second reviewer must look at it now.")


def _touched(grants: Iterable[LicenceGrant]) -> Affected:
    found = [affected.by_grant(grant) for grant in grants]
    return Affected(
        tuple(sorted({key for one in found for key in one.recordings})),
        tuple(sorted({key for one in found for key in one.releases})),
    )
