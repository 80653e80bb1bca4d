"""All that is on record about recordings, read from the rows into the engine's plain values in a fixed number of
statements, whatever the number of recordings."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from catalog.credits import names
from catalog.models import CreditRole, Recording, RecordingWork, Track
from licensing import instruments
from licensing.models import GrantEnd, GrantEvidence, Instrument, LicenceGrant, Notice, NoticeEnd, Review
from licensing.records import Approval, Evidence, EvidenceItem, NoticeFact, Record
from licensing.terms import EndKind, Layer, Material, RecordState, ReviewOutcome
from licensing.territories import TerritorySet


@dataclass(frozen=True, slots=True)
class _Grants:
    """The newest version of every record about some recordings, with what belongs to each."""

    rows: list[LicenceGrant]
    evidence: Mapping[int, list[Instrument]]
    reviews: Mapping[int, Review]
    ends: Mapping[UUID, GrantEnd]


def evidence_of(recordings: Collection[int]) -> list[Instrument]:
    """Every instrument that a record about these recordings rests on; two statements."""
    works = RecordingWork.objects.filter(recording_id__in=recordings).values("work_id")
    grants = LicenceGrant.objects.filter(Q(recording_id__in=recordings) | Q(work_id__in=works), successor=None)
    return list(Instrument.objects.filter(pk__in=GrantEvidence.objects.filter(grant__in=grants).values("instrument")))


def load(recordings: Collection[int], *, at: datetime, hashes: Mapping[int, str] | None = None) -> dict[int, Evidence]:
    """The evidence about each recording, by primary key, as it stands at `at`.

    `hashes` are the present hashes of instruments by primary key; one that is not among them counts as gone. None
    trusts the hashes on record, which is right only where nothing can come out cleared.
    """
    rows = {row.pk: row for row in Recording.objects.filter(pk__in=recordings).select_related("label").with_credits()}
    works: dict[int, list[tuple[int, str]]] = defaultdict(list)
    pairs = RecordingWork.objects.filter(recording_id__in=recordings).order_by("work_id")
    for recording_id, work_id, public_id in pairs.values_list("recording_id", "work_id", "work__public_id"):
        works[recording_id].append((work_id, str(public_id)))
    grants = _grants(recordings, {work for each in works.values() for work, _public_id in each}, at)
    by_recording: dict[int, list[LicenceGrant]] = defaultdict(list)
    by_work: dict[int, list[LicenceGrant]] = defaultdict(list)
    for grant in grants.rows:
        if grant.recording_id is not None:
            by_recording[grant.recording_id].append(grant)
        elif grant.work_id is not None:
            by_work[grant.work_id].append(grant)
    placed = _placed(recordings)
    notices = _notices(rows.values(), works, placed, at)
    found: dict[int, Evidence] = {}
    for pk, row in rows.items():
        about = [*by_recording[pk], *(grant for work, _public_id in works[pk] for grant in by_work[work])]
        subjects = dict(works[pk])
        found[pk] = Evidence(
            recording=str(row.public_id),
            works=tuple(sorted(subjects.values())),
            records=tuple(_record(grant, grants, str(row.public_id), subjects, hashes) for grant in about),
            title=row.full_title,
            creators=tuple(names(row, CreditRole.MAIN_ARTIST)),
            notices=notices[pk],
            materials=_materials(row),
            embargoed_until=_embargo(placed.get(pk, ())),
        )
    return found


def _grants(recordings: Collection[int], works: Collection[int], at: datetime) -> _Grants:
    rows = list(
        LicenceGrant.objects.filter(Q(recording_id__in=recordings) | Q(work_id__in=works), successor=None)
        .select_related("licensor__party")
        .order_by("pk")
    )
    keys = [row.pk for row in rows]
    evidence: dict[int, list[Instrument]] = defaultdict(list)
    for link in GrantEvidence.objects.filter(grant__in=keys).select_related("instrument").order_by("pk"):
        evidence[link.grant_id].append(link.instrument)
    reviews = {review.grant_id: review for review in Review.objects.filter(grant__in=keys, at__lte=at).order_by("pk")}
    ends: dict[UUID, GrantEnd] = {}
    records = [row.record_id for row in rows]
    for end in GrantEnd.objects.filter(grant__record_id__in=records, at__lte=at).select_related("grant").order_by("pk"):
        before = ends.get(end.grant.record_id)
        if before is None or before.kind != EndKind.REVOKED:
            ends[end.grant.record_id] = end
    return _Grants(rows, evidence, reviews, ends)


def _record(
    grant: LicenceGrant, grants: _Grants, recording: str, works: Mapping[int, str], hashes: Mapping[int, str] | None
) -> Record:
    end = grants.ends.get(grant.record_id)
    review = grants.reviews.get(grant.pk)
    return Record(
        id=str(grant.record_id),
        version=grant.version,
        layer=grant.layer,
        subject=recording if grant.work_id is None else works[grant.work_id],
        licensor=str(grant.licensor.public_id),
        licensor_name=grant.licensor.party.name,
        licensee=grant.licensee,
        basis=grant.basis,
        uses=frozenset(grant.uses),
        territories=TerritorySet(grant.territory_mode, frozenset(grant.territories)),
        state=_state(review, end),
        evidence=tuple(_item(instrument, hashes) for instrument in grants.evidence.get(grant.pk, ())),
        approval=_approval(grant, review) if review else None,
        share=Fraction(grant.share_numerator, grant.share_denominator),
        licence_url=grant.licence_url,
        licence_statement=grant.licence_statement,
        starts_on=grant.starts_on,
        ends_on=grant.ends_on,
        exclusive=grant.exclusive,
        material=grant.material,
        drm_required=grant.drm_required,
        edits_allowed=grant.edits_allowed,
        preview_max_seconds=grant.preview_max_seconds,
        redownload_rule=grant.redownload_rule,
        free_consent=grant.free_consent,
        price_minimum_minor=grant.price_minimum_minor,
        price_currency=grant.price_currency,
        cmo_status=grant.cmo_status,
        cmo_mandate_proven=grant.cmo_mandate_proven,
        cmo_in_repertoire=grant.cmo_in_repertoire,
        statutory_condition_met=grant.statutory_condition_met,
        rate_verified_on=grant.rate_verified_on,
        void_title=bool(end and end.void_title),
    )


def _state(review: Review | None, end: GrantEnd | None) -> str:
    if end is not None and end.kind == EndKind.REVOKED:
        return RecordState.REVOKED
    if end is not None and end.kind != EndKind.RESUMED:
        return RecordState.SUSPENDED
    if review is None:
        return RecordState.SUBMITTED
    return RecordState.APPROVED if review.outcome == ReviewOutcome.APPROVED else RecordState.REFUSED


def _approval(grant: LicenceGrant, review: Review) -> Approval:
    return Approval(
        outcome=review.outcome,
        reviewer=review.reviewer,
        independent=is_independent(grant, actor=review.reviewer, label_ids=review.reviewer_labels),
        evidence_sha256=review.evidence_sha256,
        sound_sha256=review.sound_sha256,
        reason=review.reason,
    )


def is_independent(grant: LicenceGrant, *, actor: str, label_ids: Iterable[int]) -> bool:
    """Four eyes: the reviewer neither handed the record in nor belongs to the label it was handed in for."""
    return actor != grant.submitted_by and grant.submitted_for_id not in set(label_ids)


def _item(instrument: Instrument, hashes: Mapping[int, str] | None) -> EvidenceItem:
    current = instrument.sha256 if hashes is None else hashes.get(instrument.pk, "")
    return EvidenceItem(instrument.kind, instrument.sha256, current)


def _materials(row: Recording) -> frozenset[str]:
    marks = {
        Material.COVER: row.is_cover,
        Material.SAMPLE: row.contains_samples,
        Material.REMIX: row.is_remix,
        Material.ARRANGEMENT: row.is_arrangement,
    }
    return frozenset(mark.value for mark, marked in marks.items() if marked)


def _placed(recordings: Collection[int]) -> dict[int, tuple[Track, ...]]:
    placed: dict[int, tuple[Track, ...]] = {}
    for track in Track.objects.filter(recording_id__in=recordings).select_related("release").order_by("pk"):
        placed[track.recording_id] = (*placed.get(track.recording_id, ()), track)
    return placed


def _embargo(placed: Iterable[Track]) -> date | None:
    """The first release date, where every release it stands on has one."""
    dates = [track.release.release_date for track in placed]
    known = [day for day in dates if day]
    return min(known) if known and len(known) == len(dates) else None


def _notices(
    rows: Iterable[Recording],
    works: Mapping[int, list[tuple[int, str]]],
    placed: Mapping[int, tuple[Track, ...]],
    at: datetime,
) -> dict[int, tuple[NoticeFact, ...]]:
    """The notices that hold, for each recording: about itself, a work in it, a release it stands on, or a label."""
    rows = list(rows)
    releases = {pk: {track.release_id for track in tracks} for pk, tracks in placed.items()}
    labels = {row.pk: {row.label_id, *(track.release.label_id for track in placed.get(row.pk, ()))} for row in rows}
    work_ids = {row.pk: dict(works.get(row.pk, ())) for row in rows}
    holding = list(
        open_notices(at=at).filter(
            Q(recording__in=[row.pk for row in rows])
            | Q(work__in={work for each in work_ids.values() for work in each})
            | Q(release__in={release for each in releases.values() for release in each})
            | Q(label__in={label for each in labels.values() for label in each})
        )
    )
    found: dict[int, tuple[NoticeFact, ...]] = {}
    for row in rows:
        mine = [
            notice
            for notice in holding
            if notice.recording_id == row.pk
            or notice.work_id in work_ids[row.pk]
            or notice.release_id in releases.get(row.pk, set())
            or notice.label_id in labels[row.pk]
        ]
        found[row.pk] = tuple(notice_fact(notice, work_ids[row.pk]) for notice in mine)
    return found


def notice_fact(notice: Notice, works: Mapping[int, str]) -> NoticeFact:
    """A notice about a work disputes that work alone; any other the layer it names, or both."""
    if notice.work_id is not None:
        return NoticeFact(
            str(notice.public_id), notice.kind, notice.claimant, Layer.WORK, works.get(notice.work_id, "")
        )
    return NoticeFact(str(notice.public_id), notice.kind, notice.claimant, notice.layer)


def open_notices(*, at: datetime) -> QuerySet[Notice]:
    """The notices that hold at `at`."""
    ended = NoticeEnd.objects.filter(notice=OuterRef("pk"), at__lte=at)
    return Notice.objects.filter(~Exists(ended), at__lte=at).order_by("pk")


def hashes_of(recordings: Collection[int]) -> dict[int, str]:
    """The present hashes of all evidence about these recordings. Reads the storage: call it outside a transaction."""
    return instruments.current_hashes(evidence_of(recordings))
