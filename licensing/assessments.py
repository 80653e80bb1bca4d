"""Work out the risk of records that wait, and keep it on their cases; a fixed number of statements for any number.

What only the shop knows of a record (the same sound elsewhere, its value) comes from outside; left out, what was last
told stands.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from fractions import Fraction

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from catalog.models import Party, Recording, RecordingWork, Track
from licensing import dossiers, licences, risk
from licensing.models import GrantEnd, LicenceGrant, Notice, Review, ReviewCase
from licensing.risk import Facts, Policy, Risk
from licensing.terms import Basis, EndKind, ReviewOutcome
from licensing.territories import TerritorySet

# A case that closed meanwhile stays closed; rows are taken in the order in which decisions take them.
_KEEP = """
    WITH held AS (
        SELECT grant_id FROM licensing_reviewcase WHERE grant_id = ANY(%s) ORDER BY grant_id FOR UPDATE)
    UPDATE licensing_reviewcase AS waiting
    SET points = found.points, reasons = found.reasons, second_needed = found.second_needed,
        same_sound = found.same_sound, same_code = found.same_code, value_minor = found.value_minor,
        assessed_at = COALESCE(%s, waiting.assessed_at)
    FROM jsonb_to_recordset(%s::jsonb) AS found (
        grant_id bigint, points integer, reasons varchar[], second_needed boolean,
        same_sound boolean, same_code boolean, value_minor bigint)
    JOIN held ON held.grant_id = found.grant_id
    WHERE waiting.grant_id = held.grant_id"""
_SOCIETY = frozenset({Basis.CMO, Basis.STATUTORY, Basis.PASS_THROUGH})


@dataclass(frozen=True, slots=True)
class Outside:
    """What the shop knows of a record: whether its sound or its ISRC turned up elsewhere, and what it would sell."""

    same_sound: bool = False
    same_code: bool = False
    value_minor: int = 0


def policy() -> Policy:
    return Policy(settings.REVIEW_TWO_ABOVE_RISK, settings.REVIEW_TWO_ABOVE_MINOR)


def assess(
    grants: Sequence[LicenceGrant], *, at: datetime, outside: Mapping[int, Outside] | None = None
) -> dict[int, Risk]:
    """The risk of each grant by primary key, kept where a case waits. `outside` is by primary key too."""
    keys = [grant.pk for grant in grants]
    waiting = ReviewCase.objects.filter(grant__in=keys).values_list("grant", "same_sound", "same_code", "value_minor")
    before = {key: Outside(sound, code, value) for key, sound, code, value in waiting}
    told = outside if outside is not None else before
    facts = _facts(grants, told, at=at)
    found = {key: risk.assess(facts[key], policy()) for key in keys}
    rows = [
        {
            "grant_id": key,
            "points": found[key].points,
            "reasons": [reason.value for reason in found[key].reasons],
            "second_needed": found[key].second_needed,
            **asdict(told.get(key, Outside())),
        }
        for key in before
    ]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(before), at if outside is not None else None, json.dumps(rows)])
    return found


def recordings_of(grants: Iterable[LicenceGrant]) -> dict[int, list[int]]:
    """The recordings each grant is about: its own, or all in which its work is heard; none for a whole catalogue."""
    listed = list(grants)
    heard: dict[int, list[int]] = defaultdict(list)
    works = {grant.work_id for grant in listed if grant.work_id}
    if works:
        pairs = RecordingWork.objects.filter(work__in=works).order_by("recording_id")
        for work, recording in pairs.values_list("work", "recording"):
            heard[work].append(recording)
    return {grant.pk: [grant.recording_id] if grant.recording_id else heard[grant.work_id or 0] for grant in listed}


def rivals_of(grants: Sequence[LicenceGrant]) -> dict[int, list[LicenceGrant]]:
    """The records of other licensors that cannot hold beside each grant: same subject and layer, a common use, country
    and day, and one of them exclusive, or shares that come to more than the whole."""
    others = (
        _standing()
        .filter(
            Q(recording__in={grant.recording_id for grant in grants if grant.recording_id})
            | Q(work__in={grant.work_id for grant in grants if grant.work_id}),
            material="",
        )
        .select_related("licensor__party", "submitted_for", "recording__label", "work")
        .order_by("pk")
    )
    by_subject: dict[tuple[str, int, int], list[LicenceGrant]] = defaultdict(list)
    for other in others:
        by_subject[_subject(other)].append(other)
    return {
        grant.pk: [] if grant.material else [one for one in by_subject[_subject(grant)] if _collide(grant, one)]
        for grant in grants
    }


def _standing() -> QuerySet[LicenceGrant]:
    """The newest versions that nobody refused or revoked."""
    refused = Review.objects.filter(grant=OuterRef("pk"), outcome=ReviewOutcome.REFUSED)
    revoked = GrantEnd.objects.filter(grant__record_id=OuterRef("record_id"), kind=EndKind.REVOKED)
    return LicenceGrant.objects.filter(~Exists(refused), ~Exists(revoked), successor=None)


def _subject(grant: LicenceGrant) -> tuple[str, int, int]:
    return grant.layer, grant.recording_id or 0, grant.work_id or 0


def _collide(one: LicenceGrant, other: LicenceGrant) -> bool:
    if one.licensor_id == other.licensor_id or one.record_id == other.record_id:
        return False
    shares = Fraction(one.share_numerator, one.share_denominator) + Fraction(
        other.share_numerator, other.share_denominator
    )
    return (
        (one.exclusive or other.exclusive or shares > 1)
        and bool(set(one.uses) & set(other.uses))
        and _days_meet(one, other)
        and bool(_mask(one) & _mask(other))
    )


def _days_meet(one: LicenceGrant, other: LicenceGrant) -> bool:
    begins = max(one.starts_on or date.min, other.starts_on or date.min)
    return begins <= min(one.ends_on or date.max, other.ends_on or date.max)


def _mask(grant: LicenceGrant) -> int:
    return TerritorySet(grant.territory_mode, frozenset(grant.territories)).mask


def _facts(grants: Sequence[LicenceGrant], outside: Mapping[int, Outside], *, at: datetime) -> dict[int, Facts]:
    recordings = recordings_of(grants)
    every = {key for keys in recordings.values() for key in keys}
    marked = set(
        Recording.objects.filter(pk__in=every)
        .filter(Q(is_cover=True) | Q(is_remix=True) | Q(is_arrangement=True) | Q(contains_samples=True))
        .values_list("pk", flat=True)
    )
    approved = Review.objects.filter(grant__submitted_for=OuterRef("pk"), outcome=ReviewOutcome.APPROVED)
    labels = {grant.submitted_for_id for grant in grants if grant.submitted_for_id}
    known = set(Party.objects.filter(Exists(approved), pk__in=labels).values_list("pk", flat=True))
    claimed = _claimed(grants, recordings, every, at=at)
    rivals = rivals_of(grants)
    found = {}
    for grant in grants:
        told = outside.get(grant.pk, Outside())
        unclear, non_commercial = _licence(grant)
        found[grant.pk] = Facts(
            open_claim=grant.pk in claimed,
            same_sound=told.same_sound,
            same_code=told.same_code,
            rival_claim=bool(rivals[grant.pk]),
            whole_catalogue=grant.catalogue_id is not None,
            licence_unclear=unclear,
            others_music=bool(grant.material) or any(key in marked for key in recordings[grant.pk]),
            new_label=grant.submitted_for_id not in known,
            society=grant.basis in _SOCIETY,
            non_commercial=non_commercial,
            countries=_mask(grant).bit_count(),
            value_minor=told.value_minor,
        )
    return found


def _licence(grant: LicenceGrant) -> tuple[bool, bool]:
    """Whether the public licence is unclear, and whether it forbids sale."""
    if grant.basis != Basis.PUBLIC_LICENCE:
        return False, False
    try:
        licence = licences.parse(grant.licence_url or grant.licence_statement)
    except licences.LicenceError:
        return True, False
    return bool(licence.held), licence.nc


def _claimed(
    grants: Sequence[LicenceGrant], recordings: Mapping[int, Sequence[int]], every: Collection[int], *, at: datetime
) -> set[int]:
    """The grants about whose recordings, works, releases or labels an open notice speaks."""
    releases: dict[int, set[int]] = defaultdict(set)
    for recording, release in Track.objects.filter(recording__in=every).values_list("recording", "release"):
        releases[recording].add(release)
    works = {grant.work_id for grant in grants if grant.work_id}
    labels = {key for grant in grants for key in (grant.submitted_for_id, grant.catalogue_id) if key}
    open_notices: list[Notice] = list(
        dossiers.open_notices(at=at).filter(
            Q(recording__in=every)
            | Q(work__in=works)
            | Q(release__in={key for keys in releases.values() for key in keys})
            | Q(label__in=labels)
        )
    )
    about = {("recording", one.recording_id) for one in open_notices} | {("work", one.work_id) for one in open_notices}
    about |= {("release", one.release_id) for one in open_notices} | {("label", one.label_id) for one in open_notices}
    about -= {(kind, None) for kind in ("recording", "work", "release", "label")}
    found = set()
    for grant in grants:
        mine = {("work", grant.work_id), ("label", grant.submitted_for_id), ("label", grant.catalogue_id)}
        for key in recordings[grant.pk]:
            mine |= {("recording", key), *(("release", release) for release in releases[key])}
        if mine & about:
            found.add(grant.pk)
    return found
