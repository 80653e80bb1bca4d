"""All that is on record about recordings, read from the rows into the engine's plain values in a fixed number of
statements, whatever the number of recordings.

Records given for a whole catalogue are spelled out here: one for a label's recordings becomes a record about each of
them, one for a society's works a record about each work in which a member holds a share, with that share. Rows come as
plain tuples, because a million recordings are read this way too.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Value

from catalog.codes import ISWC
from catalog.errors import CodeError
from catalog.models import (
    Credit,
    CreditRole,
    Recording,
    RecordingWork,
    SocietyMembership,
    SocietyRight,
    Track,
    WorkShare,
)
from licensing import instruments, shapes
from licensing.models import (
    GrantEnd,
    GrantEvidence,
    Instrument,
    LicenceGrant,
    Notice,
    NoticeEnd,
    Rate,
    RateVerification,
    Review,
    RightsHolder,
)
from licensing.records import (
    WHOLE,
    Approval,
    Evidence,
    EvidenceItem,
    MembershipFact,
    NoticeFact,
    RateFact,
    Record,
)
from licensing.shapes import Shape
from licensing.terms import Basis, EndKind, Layer, Material, RecordState, ReviewOutcome
from licensing.territories import ALL, TerritorySet, codes_of
from licensing.verdicts import Reliance


@dataclass(frozen=True)
class Dossiers:
    """The evidence about each recording by its key, and the whole catalogues each hangs on.

    `wide` names the grant behind each record that was given for a whole catalogue; `struck_with` are the labels, works
    and releases a notice about which would stop the recording, as `hangs_on` names them.
    """

    evidence: dict[int, Evidence]
    wide: Mapping[str, int] = field(default_factory=dict)
    struck_with: Mapping[int, frozenset[int]] = field(default_factory=dict)
    _shapes: dict[tuple[int, str], Shape | None] = field(default_factory=dict, compare=False)

    def shape(self, recording: int, sound: str) -> Shape | None:
        """The shape of the evidence with the sound that would be delivered; the same for every use."""
        key = (recording, sound)
        if key not in self._shapes:
            self._shapes[key] = shapes.shape(self.evidence[recording], sound)
        return self._shapes[key]

    def hangs_on(self, recording: int, records: Iterable[Reliance]) -> tuple[int, ...]:
        """What ends a yes that relies on `records`: the keys of wide grants, and whatever a notice may be about."""
        struck_with = self.struck_with.get(recording, frozenset())
        if not self.wide:
            return tuple(sorted(struck_with))
        grants = {self.wide.get(each.record.partition(":")[0]) for each in records} - {None}
        return tuple(sorted({*(grant for grant in grants if grant), *struck_with}))


# What a notice may be about, in one list of numbers with the keys of grants (`licensing_held` knows them too).


def label_held(label: int) -> int:
    return -label


def work_held(work: int) -> int:
    return -(_WORKS + work)


def release_held(release: int) -> int:
    return -(_RELEASES + release)


_WORKS, _RELEASES = 1 << 40, 1 << 41


class Among(Func):
    """Whether a column holds one of many keys, which go to the server as one array.

    Django writes each key of `__in` as a parameter of its own, which for thousands takes longer than finding the rows.
    """

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    conditional = True

    def __init__(self, column: str, keys: Collection[Any]) -> None:
        super().__init__(F(column), Value(list(keys)), output_field=BooleanField())


def load(recordings: Collection[int], *, at: datetime, hashes: Mapping[int, str] | None = None) -> dict[int, Evidence]:
    """The evidence about each recording, by primary key, as it stands at `at`.

    `hashes` are the present hashes of instruments by primary key; one that is not among them counts as gone. None
    trusts the hashes on record, which is right only where nothing can come out cleared.
    """
    return open_all(recordings, at=at, hashes=hashes).evidence


def open_all(recordings: Collection[int], *, at: datetime, hashes: Mapping[int, str] | None = None) -> Dossiers:
    """The evidence as `load` gives it, with the catalogues it hangs on."""
    keys = sorted(set(recordings))
    rows = _recordings(keys)
    works, odd = _works(keys)
    shares = _Shares.of({work for each in works.values() for work, _public_id in each})
    grants = _grants(rows, works, shares, at)
    creators = _creators(keys)
    placed = _placed(keys)
    labels = {pk: frozenset((row.label, *(track.label for track in placed.get(pk, ())))) for pk, row in rows.items()}
    struck_with = {
        pk: frozenset(
            (
                *(label_held(label) for label in theirs),
                *(work_held(work) for work, _public_id in works[pk]),
                *(release_held(track.release) for track in placed.get(pk, ())),
            )
        )
        for pk, theirs in labels.items()
    }
    notices = _notices(rows, works, placed, labels, at)
    conflicts = _conflicts(rows, grants)
    reading = _Reading(grants, shares, hashes, at)
    found: dict[int, Evidence] = {}
    for pk, row in rows.items():
        subjects = dict(works[pk])
        found[pk] = Evidence(
            recording=str(row.public_id),
            works=tuple(sorted(subjects.values())),
            records=tuple(_records(row, subjects, reading)),
            title=f"{row.title} ({row.version_title})" if row.version_title else row.title,
            creators=tuple(creators.get(pk, ())),
            notices=notices.get(pk, ()),
            materials=_materials(row),
            embargoed_until=_embargo(placed.get(pk, ())),
            identifier_conflict=conflicts.get(pk, ""),
            identifier_warning=odd.get(pk, ""),
            memberships=tuple(fact for work in subjects for fact in shares.facts_of(work, subjects[work])),
        )
    wide = {str(grant.record_id): grant.pk for each in grants.wide.values() for grant in each}
    return Dossiers(found, wide, struck_with)


def evidence_of(recordings: Collection[int]) -> list[Instrument]:
    """Every instrument that a record about these recordings rests on."""
    works = _values(RecordingWork.objects.filter(Among("recording_id", recordings)), "work_id")
    labels = _values(Recording.objects.filter(Among("pk", recordings)), "label_id")
    parties = _values(WorkShare.objects.filter(Among("work_id", works)), "party_id")
    mandates = Q(Among("party_id", parties), right=SocietyRight.MECHANICAL)
    catalogues = parties | _values(SocietyMembership.objects.filter(mandates), "society_id")
    newest = Q(successor=None)
    keys = _values(LicenceGrant.objects.filter(newest & Q(Among("recording_id", recordings))), "pk")
    keys |= _values(LicenceGrant.objects.filter(newest & Q(Among("work_id", works))), "pk")
    keys |= _values(LicenceGrant.objects.filter(newest & Q(Among("catalogue_id", labels), layer=Layer.RECORDING)), "pk")
    keys |= _values(LicenceGrant.objects.filter(newest & Q(Among("catalogue_id", catalogues), layer=Layer.WORK)), "pk")
    links = GrantEvidence.objects.filter(Among("grant_id", keys))
    return list(Instrument.objects.filter(Among("pk", set(links.values_list("instrument_id", flat=True)))))


def _values(rows: QuerySet[Any], column: str) -> set[int]:
    return set(rows.order_by().values_list(column, flat=True))


def hashes_of(recordings: Collection[int]) -> dict[int, str]:
    """The present hashes of all evidence about these recordings. Reads the storage, which may take long: Django refuses
    a durable block inside a transaction, so that no lock is held meanwhile."""
    with transaction.atomic(durable=True):
        pass
    return instruments.current_hashes(evidence_of(recordings))


def last_hashes_of(recordings: Collection[int]) -> dict[int, str]:
    """The hashes of all evidence about these recordings as it was captured, or as it was found altered since. Reads no
    storage."""
    return instruments.last_hashes(evidence_of(recordings))


# -- The catalogue's side ----------------------------------------------------------------------------------------------


class _Recording(NamedTuple):
    pk: int
    public_id: UUID
    title: str
    version_title: str
    isrc: str | None
    label: int
    is_cover: bool
    is_remix: bool
    is_arrangement: bool
    contains_samples: bool


def _recordings(keys: Collection[int]) -> dict[int, _Recording]:
    rows = Recording.objects.filter(Among("pk", keys)).order_by("pk")
    plain = rows.values_list(
        "pk", "public_id", "title", "version_title", "isrc", "label_id",
        "is_cover", "is_remix", "is_arrangement", "contains_samples",
    )  # fmt: skip
    return {row[0]: _Recording(*row) for row in plain}


def _works(keys: Collection[int]) -> tuple[dict[int, list[tuple[int, str]]], dict[int, str]]:
    """The works heard in each recording, and what is odd about their identifiers."""
    works: dict[int, list[tuple[int, str]]] = defaultdict(list)
    odd: dict[int, str] = {}
    pairs = RecordingWork.objects.filter(Among("recording_id", keys)).order_by("work_id")
    for recording, work, public_id, iswc in pairs.values_list(
        "recording_id", "work_id", "work__public_id", "work__iswc"
    ):
        works[recording].append((work, str(public_id)))
        if iswc and not _is_iswc(iswc):
            odd.setdefault(recording, f"the check digit of ISWC {iswc} is wrong")
    return works, odd


def _is_iswc(text: str) -> bool:
    try:
        ISWC.parse(text)
    except CodeError:
        return False
    return True


def _creators(keys: Collection[int]) -> dict[int, list[str]]:
    """The main artists as they are credited, in order."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = Credit.objects.filter(Among("recording_id", keys), role=CreditRole.MAIN_ARTIST).order_by("position", "pk")
    for recording, credited_as, name in rows.values_list("recording_id", "credited_as", "party__name"):
        found[recording or 0].append(credited_as or name)
    return found


def _materials(row: _Recording) -> frozenset[str]:
    marks = (
        (Material.COVER, row.is_cover),
        (Material.SAMPLE, row.contains_samples),
        (Material.REMIX, row.is_remix),
        (Material.ARRANGEMENT, row.is_arrangement),
    )
    return frozenset(mark.value for mark, marked in marks if marked)


class _Placed(NamedTuple):
    release: int
    label: int
    release_date: date | None


def _placed(keys: Collection[int]) -> dict[int, list[_Placed]]:
    placed: dict[int, list[_Placed]] = defaultdict(list)
    rows = Track.objects.filter(Among("recording_id", keys)).order_by("pk")
    for recording, release, label, released in rows.values_list(
        "recording_id", "release_id", "release__label_id", "release__release_date"
    ):
        placed[recording].append(_Placed(release, label, released))
    return placed


def _embargo(placed: Sequence[_Placed]) -> date | None:
    """The first release date, where every release it stands on has one."""
    known = [each.release_date for each in placed if each.release_date]
    return min(known) if known and len(known) == len(placed) else None


_WORLD = TerritorySet.world()


class _Controlled(NamedTuple):
    """A part of a work's mechanical right that one party, or a society on its behalf, controls: where and when."""

    share: Fraction
    territories: TerritorySet
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True)
class _Shares:
    """Who holds how much of some works, and which societies administer it."""

    by_work: Mapping[int, list[tuple[int, Fraction]]]
    parties: Mapping[int, str]
    memberships: Mapping[int, list[Any]]

    @classmethod
    def of(cls, works: Collection[int]) -> "_Shares":
        by_work: dict[int, list[tuple[int, Fraction]]] = defaultdict(list)
        parties: dict[int, str] = {}
        rows = WorkShare.objects.filter(Among("work_id", works)).order_by("work_id", "pk")
        for work, party, public_id, numerator, denominator in rows.values_list(
            "work_id", "party_id", "party__public_id", "mechanical_numerator", "mechanical_denominator"
        ):
            by_work[work].append((party, _fraction(numerator, denominator)))
            parties[party] = str(public_id)
        memberships: dict[int, list[Any]] = defaultdict(list)
        if parties:
            theirs = Among("party_id", sorted(parties))
            holders = RightsHolder.objects.filter(theirs).values_list("party_id", "public_id")
            parties.update((party, str(public_id)) for party, public_id in holders)
            members = SocietyMembership.objects.filter(theirs, right=SocietyRight.MECHANICAL)
            for row in members.order_by("pk").values_list(
                "party_id", "society_id", "society__name", "territory_mode", "territories", "joined_on", "left_on",
                "online_excluded", named=True,
            ):  # fmt: skip
                memberships[row.party_id].append(row)
        return cls(by_work, parties, memberships)

    def controllers(self, works: Iterable[int]) -> set[int]:
        """Every party a record for whose catalogue could be about one of these works."""
        parties = {party for work in works for party, _share in self.by_work.get(work, ())}
        return parties | {row.society_id for party in parties for row in self.memberships.get(party, ())}

    def facts_of(self, work: int, public_id: str) -> list[MembershipFact]:
        """The mandates of everybody with a share in the work, under the public id of the rights holder or party."""
        held: dict[int, Fraction] = defaultdict(Fraction)
        for party, share in self.by_work.get(work, ()):
            held[party] += share
        return [
            MembershipFact(
                work=public_id,
                member=self.parties[party],
                society=row.society__name,
                territories=_territories(row.territory_mode, tuple(row.territories)),
                joined_on=row.joined_on,
                left_on=row.left_on,
                online_excluded=row.online_excluded,
                share=_whole_at_most([share]),
            )
            for party, share in held.items()
            for row in self.memberships.get(party, ())
        ]

    def controlled(self, work: int, catalogue: int) -> list[_Controlled]:
        """What `catalogue` controls of a work: by itself, or for those who gave it the right, online sales included."""
        found = []
        for party, share in self.by_work.get(work, ()):
            if not share:
                continue
            if party == catalogue:
                found.append(_Controlled(share, _WORLD))
            found += [
                _Controlled(share, _territories(row.territory_mode, tuple(row.territories)), row.joined_on, row.left_on)
                for row in self.memberships.get(party, ())
                if row.society_id == catalogue and not row.online_excluded
            ]
        return found


def _parts(controlled: Sequence[_Controlled], day: date) -> list[_Controlled]:
    """What is controlled on `day`, added up where several members' rights meet, as parts that do not overlap.

    Members with the same countries and dates, the usual case, are one part. Otherwise the countries are divided, and
    the sum holds from the latest beginning to the first change.
    """
    if not controlled:
        return []
    terms = {(each.territories, each.starts_on, each.ends_on) for each in controlled}
    if len(terms) == 1:
        first = controlled[0]
        return [first._replace(share=_whole_at_most(each.share for each in controlled))]
    active = [
        each
        for each in controlled
        if (each.starts_on is None or each.starts_on <= day) and (each.ends_on is None or each.ends_on >= day)
    ]
    changes = [each.ends_on for each in active if each.ends_on]
    changes += [each.starts_on - timedelta(days=1) for each in controlled if each.starts_on and each.starts_on > day]
    parts = [ALL]
    for each in active:
        parts = [part for whole in parts for part in (whole & each.territories.mask, whole & ~each.territories.mask)]
    found = []
    for part in parts:
        here = [each for each in active if each.territories.mask & part]
        if part and here:
            begun = [each.starts_on for each in here if each.starts_on]
            found.append(
                _Controlled(
                    _whole_at_most(each.share for each in here),
                    TerritorySet.only(*codes_of(part)),
                    max(begun, default=None),
                    min(changes, default=None),
                )
            )
    return found


def _whole_at_most(shares: Iterable[Fraction]) -> Fraction:
    first, *others = shares
    return min(sum(others, first), WHOLE)


# -- The records -------------------------------------------------------------------------------------------------------


_GRANT_FIELDS = (
    "pk", "record_id", "version", "layer", "material", "recording_id", "work_id", "catalogue_id",
    "licensor__public_id", "licensor__party__name", "licensee", "basis", "uses", "territory_mode", "territories",
    "share_numerator", "share_denominator", "licence_url", "licence_statement", "starts_on", "ends_on", "exclusive",
    "drm_required", "edits_allowed", "preview_max_seconds", "redownload_rule", "free_consent", "price_minimum_minor",
    "price_currency", "cmo_status", "cmo_mandate_proven", "cmo_in_repertoire", "statutory_condition_met", "tariff",
    "submitted_by", "submitted_for_id",
)  # fmt: skip
_Grant = Any  # a row of `LicenceGrant` with these columns


class _Review(NamedTuple):
    pk: int
    grant: int
    outcome: str
    reason: str
    reviewer: str
    labels: list[int]
    evidence_sha256: str
    sound_sha256: str
    second_needed: bool


@dataclass(frozen=True)
class _Grants:
    """The newest version of every record about some recordings, with what belongs to each."""

    by_recording: Mapping[int, list[_Grant]]
    by_work: Mapping[int, list[_Grant]]
    wide: Mapping[tuple[str, int], list[_Grant]]
    evidence: Mapping[int, list[tuple[int, str, str]]]
    reviews: Mapping[int, list[_Review]]
    ends: Mapping[UUID, "_End"]
    rates: Mapping[str, tuple[RateFact, ...]]


def _grants(
    rows: Mapping[int, _Recording], works: Mapping[int, list[tuple[int, str]]], shares: _Shares, at: datetime
) -> _Grants:
    work_keys = sorted({work for each in works.values() for work, _public_id in each})
    newest = LicenceGrant.objects.filter(successor=None)
    asked = [newest.filter(Among("recording_id", rows)), newest.filter(Among("work_id", work_keys))]
    controllers = shares.controllers(work_keys)
    asked.append(
        newest.filter(
            Q(Among("catalogue_id", {row.label for row in rows.values()}), layer=Layer.RECORDING)
            | Q(Among("catalogue_id", controllers), layer=Layer.WORK)
        )
    )
    by_recording: dict[int, list[_Grant]] = defaultdict(list)
    by_work: dict[int, list[_Grant]] = defaultdict(list)
    wide: dict[tuple[str, int], list[_Grant]] = defaultdict(list)
    known: list[_Grant] = []
    for query in asked:
        known += query.order_by("pk").values_list(*_GRANT_FIELDS, named=True)
    for grant in known:
        if grant.recording_id is not None:
            by_recording[grant.recording_id].append(grant)
        elif grant.work_id is not None:
            by_work[grant.work_id].append(grant)
        else:
            wide[grant.layer, grant.catalogue_id].append(grant)
    keys = [grant.pk for grant in known]
    evidence: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    links = GrantEvidence.objects.filter(Among("grant_id", keys)).order_by("pk")
    for key, instrument, kind, sha256 in links.values_list(
        "grant_id", "instrument_id", "instrument__kind", "instrument__sha256"
    ):
        evidence[key].append((instrument, kind, sha256))
    reviews: dict[int, list[_Review]] = defaultdict(list)
    for row in (
        Review.objects.filter(Among("grant_id", keys), at__lte=at)
        .order_by("pk")
        .values_list(
            "pk", "grant_id", "outcome", "reason", "reviewer", "reviewer_labels", "evidence_sha256", "sound_sha256",
            "second_needed",
        )
    ):  # fmt: skip
        reviews[row[1]].append(_Review(*row))
    return _Grants(by_recording, by_work, wide, evidence, reviews, _ends(known, at), _rates(known, at))


class _End(NamedTuple):
    kind: str
    void_title: bool
    at: datetime


def _ends(known: Sequence[_Grant], at: datetime) -> dict[UUID, _End]:
    """How each record stands by its last end; a revoked one stays revoked."""
    ends: dict[UUID, _End] = {}
    rows = GrantEnd.objects.filter(Among("grant__record_id", [grant.record_id for grant in known]), at__lte=at)
    for record, kind, void_title, ended in rows.order_by("pk").values_list(
        "grant__record_id", "kind", "void_title", "at"
    ):
        before = ends.get(record)
        if before is None or before.kind != EndKind.REVOKED:
            ends[record] = _End(kind, void_title, ended)
    return ends


def _rates(known: Sequence[_Grant], at: datetime) -> dict[str, tuple[RateFact, ...]]:
    """The rows of every tariff that a record is paid by, with the day each was first compared with its source."""
    tariffs = {grant.tariff for grant in known if grant.tariff}
    if not tariffs:
        return {}
    verified: dict[int, date] = {}
    checks = RateVerification.objects.filter(rate__tariff__in=tariffs, at__lte=at).order_by("-verified_on")
    verified.update(checks.values_list("rate_id", "verified_on"))
    found: dict[str, list[RateFact]] = defaultdict(list)
    for rate in Rate.objects.filter(tariff__in=tariffs).order_by("pk"):
        found[rate.tariff].append(
            RateFact(
                territory=rate.territory,
                use=rate.use,
                valid_from=rate.valid_from,
                valid_to=rate.valid_to,
                verified_on=verified.get(rate.pk),
                currency=rate.currency,
                minimum_micros=rate.minimum_micros,
                tracks_from=rate.tracks_from,
            )
        )
    return {tariff: tuple(rows) for tariff, rows in found.items()}


@dataclass(frozen=True)
class _Reading:
    """What the records are spelled out from: the rows, the shares in works, today's hashes and the instant."""

    grants: _Grants
    shares: _Shares
    hashes: Mapping[int, str] | None
    at: datetime


def _records(row: _Recording, works: Mapping[int, str], reading: _Reading) -> Iterable[Record]:
    """Every record about one recording and its works, those for whole catalogues spelled out."""
    grants, recording = reading.grants, str(row.public_id)
    own = (*grants.by_recording.get(row.pk, ()), *grants.wide.get((Layer.RECORDING.value, row.label), ()))
    yield from (_record(grant, recording, reading) for grant in own)
    for work, public_id in works.items():
        yield from (_record(grant, public_id, reading) for grant in grants.by_work.get(work, ()))
    if reading.grants.wide:
        yield from _of_catalogues_of_works(works, reading)


def _of_catalogues_of_works(works: Mapping[int, str], reading: _Reading) -> Iterable[Record]:
    """The records that a society's or publisher's wide grants become for these works, each with what is controlled."""
    day = reading.at.astimezone(UTC).date()
    spelled: dict[int, int] = defaultdict(int)
    for work, public_id in sorted(works.items(), key=lambda pair: pair[1]):
        for catalogue in sorted(reading.shares.controllers([work])):
            granted = reading.grants.wide.get((Layer.WORK.value, catalogue), ())
            parts = _parts(reading.shares.controlled(work, catalogue), day) if granted else []
            for grant in granted:
                for part in parts:
                    spelled[grant.pk] += 1
                    yield _record(grant, public_id, reading, part=part, number=spelled[grant.pk])


def _record(
    grant: _Grant, subject: str, reading: _Reading, *, part: _Controlled | None = None, number: int = 1
) -> Record:
    """`part` narrows a record for a catalogue of works to what is controlled of this one; `number` tells apart the
    several records that one grant becomes for one recording."""
    grants = reading.grants
    end = grants.ends.get(grant.record_id)
    reviews = grants.reviews.get(grant.pk)
    share = _fraction(grant.share_numerator, grant.share_denominator)
    territories = _territories(grant.territory_mode, tuple(grant.territories))
    starts_on, ends_on = grant.starts_on, grant.ends_on
    if part is not None:
        share = part.share if share == 1 else share * part.share
        territories = _both(territories, part.territories)
        starts_on = max((day for day in (starts_on, part.starts_on) if day), default=None)
        ends_on = min((day for day in (ends_on, part.ends_on) if day), default=None)
    return Record(
        id=str(grant.record_id) if number == 1 else f"{grant.record_id}:{number}",
        version=grant.version,
        layer=grant.layer,
        subject=subject,
        licensor=str(grant.licensor__public_id),
        licensor_name=grant.licensor__party__name,
        licensee=grant.licensee,
        basis=grant.basis,
        uses=_uses(tuple(grant.uses)),
        territories=territories,
        state=_state(reviews, end),
        evidence=tuple(_items(grants.evidence.get(grant.pk, ()), reading.hashes)),
        approval=_approval(grant, reviews) if reviews else None,
        share=share,
        licence_url=grant.licence_url,
        licence_statement=grant.licence_statement,
        starts_on=starts_on,
        ends_on=ends_on,
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
        # a share in the work, under a mandate of that day, is the repertoire entry of a society's wide licence
        cmo_in_repertoire=grant.cmo_in_repertoire or (part is not None and grant.basis == Basis.CMO),
        statutory_condition_met=grant.statutory_condition_met,
        tariff=grant.tariff,
        void_title=bool(end and end.void_title),
        ended_at=end.at if end and end.kind == EndKind.REVOKED else None,
        catalogue=grant.catalogue_id is not None,
        rates=grants.rates.get(grant.tariff, ()),
    )


# Terms recur in thousands of records: one value of each makes them quick to compare.
_fraction = lru_cache(maxsize=4096)(Fraction)
_uses: Callable[[tuple[str, ...]], frozenset[str]] = lru_cache(maxsize=4096)(frozenset)


@lru_cache(maxsize=4096)
def _territories(mode: str, codes: tuple[str, ...]) -> TerritorySet:
    return TerritorySet(mode, frozenset(codes))


@lru_cache(maxsize=4096)
def _both(one: TerritorySet, other: TerritorySet) -> TerritorySet:
    return one & other


def _state(reviews: Sequence[_Review] | None, end: _End | None) -> str:
    if end is not None and end.kind == EndKind.REVOKED:
        return RecordState.REVOKED
    if end is not None and end.kind != EndKind.RESUMED:
        return RecordState.SUSPENDED
    if not reviews:
        return RecordState.SUBMITTED
    return RecordState.APPROVED if reviews[-1].outcome == ReviewOutcome.APPROVED else RecordState.REFUSED


def _approval(grant: _Grant, reviews: Sequence[_Review]) -> Approval:
    """The latest word, and whether the second pair of eyes that was asked for has seen the same."""
    last = reviews[-1]
    if len(reviews) == 1:
        needed = last.second_needed and last.outcome == ReviewOutcome.APPROVED
        return Approval(
            last.outcome, last.reviewer, _independent(grant, last), last.evidence_sha256, last.sound_sha256,
            last.reason, second_needed=needed, seconded=False,
        )  # fmt: skip
    approvals: list[_Review] = []
    for review in reviews:
        approvals = [*approvals, review] if review.outcome == ReviewOutcome.APPROVED else []
    alike = {
        each.reviewer
        for each in approvals
        if (each.evidence_sha256, each.sound_sha256) == (last.evidence_sha256, last.sound_sha256)
        and _independent(grant, each)
    }
    return Approval(
        outcome=last.outcome,
        reviewer=last.reviewer,
        independent=_independent(grant, last),
        evidence_sha256=last.evidence_sha256,
        sound_sha256=last.sound_sha256,
        reason=last.reason,
        second_needed=any(each.second_needed for each in approvals),
        seconded=len(alike) > 1,
    )


def _independent(grant: _Grant, review: _Review) -> bool:
    return review.reviewer != grant.submitted_by and grant.submitted_for_id not in review.labels


def is_independent(grant: LicenceGrant, *, actor: str, label_ids: Iterable[int]) -> bool:
    """Four eyes: the reviewer neither handed the record in nor belongs to the label it was handed in for."""
    return actor != grant.submitted_by and grant.submitted_for_id not in set(label_ids)


def _items(evidence: Iterable[tuple[int, str, str]], hashes: Mapping[int, str] | None) -> list[EvidenceItem]:
    return [
        EvidenceItem(kind, sha256, sha256 if hashes is None else hashes.get(instrument, ""))
        for instrument, kind, sha256 in evidence
    ]


def _conflicts(rows: Mapping[int, _Recording], grants: _Grants) -> dict[int, str]:
    """The recordings whose sound another label had approved before under another identifier (rule 28).

    The one that came first keeps selling; the newcomer waits until somebody has found out whose it is.
    """
    sounds: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for pk in rows:
        for grant in grants.by_recording.get(pk, ()):
            reviews = grants.reviews.get(grant.pk)
            last = reviews[-1] if reviews else None
            if last and last.sound_sha256 and last.outcome == ReviewOutcome.APPROVED and not grant.material:
                sounds[last.sound_sha256].append((pk, last.pk))
    if not sounds:
        return {}
    others = Review.objects.filter(
        Among("sound_sha256", sounds),
        ~Q(sound_sha256=""),  # said aloud for the index, which leaves these out
        outcome=ReviewOutcome.APPROVED,
        grant__recording__isnull=False,
    ).order_by("pk")
    found: dict[int, str] = {}
    for review, sound, recording, isrc, label, name in others.values_list(
        "pk", "sound_sha256", "grant__recording_id", "grant__recording__isrc", "grant__recording__label_id",
        "grant__recording__label__name",
    ):  # fmt: skip
        for pk, mine in sounds[sound]:
            row = rows[pk]
            if recording != pk and review < mine and label != row.label and (isrc or row.isrc):
                found.setdefault(pk, f"{name} had the same sound approved before as {isrc or 'a recording of its own'}")
    return found


# -- The notices -------------------------------------------------------------------------------------------------------


def _notices(
    rows: Mapping[int, _Recording],
    works: Mapping[int, list[tuple[int, str]]],
    placed: Mapping[int, list[_Placed]],
    labels: Mapping[int, frozenset[int]],
    at: datetime,
) -> dict[int, tuple[NoticeFact, ...]]:
    """The notices that hold, for each recording: about itself, a work in it, a release it stands on, or a label."""
    holding = list(
        open_notices(at=at).filter(
            Q(Among("recording_id", rows))
            | Q(Among("work_id", {work for each in works.values() for work, _public_id in each}))
            | Q(Among("release_id", {each.release for some in placed.values() for each in some}))
            | Q(Among("label_id", {label for each in labels.values() for label in each}))
        )
    )
    if not holding:
        return {}
    found: dict[int, tuple[NoticeFact, ...]] = {}
    for pk in rows:
        of_works = dict(works.get(pk, ()))
        releases = {each.release for each in placed.get(pk, ())}
        found[pk] = tuple(
            notice_fact(notice, of_works)
            for notice in holding
            if notice.recording_id == pk
            or notice.work_id in of_works
            or notice.release_id in releases
            or notice.label_id in labels[pk]
        )
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
