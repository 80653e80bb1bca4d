"""A record before its reviewer: the evidence, what the machine found, the sound, and what an approval would clear."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from catalog.credits import artist_line
from catalog.models import Recording, RecordingWork
from licensing import dossiers, licences, rules
from licensing.models import LicenceGrant, Review
from licensing.records import Approval, Evidence, Question, evidence_hash
from licensing.terms import RecordState, ReviewOutcome, Use
from licensing.territories import COUNTRIES, codes_of
from licensing.verdicts import Verdict
from store import access, catalogue, clearing, records
from store.catalogue import Missing
from store.models import User
from store.records import Kind, Piece, Record
from store.regions import region_of
from transcoding.models import Finding, Master, Rendition


@dataclass(frozen=True)
class Found:
    """One thing the machine noticed about a case."""

    kind: Kind
    word: str
    message: str


@dataclass(frozen=True)
class Waiting:
    """A record in the queue."""

    record: Record
    artist: str
    warnings: int
    own: bool

    def __getattr__(self, name: str) -> object:
        return getattr(self.record, name)

    @property
    def warning_words(self) -> str:
        return f"{self.warnings} thing{'' if self.warnings == 1 else 's'} to look at"


@dataclass(frozen=True)
class Country:
    code: str
    cleared: bool


@dataclass(frozen=True)
class Region:
    name: str
    countries: Sequence[Country]


@dataclass(frozen=True)
class Outcome:
    """What the engine would say of one recording if the record were approved."""

    title: str
    countries: Sequence[str]
    reasons: Sequence[Missing]
    regions: Sequence[Region]


@dataclass(frozen=True)
class Sound:
    """One recording that a record is about, with what can be heard of it."""

    recording: Recording
    artist: str
    master: Master | None
    preview: Rendition | None


def queue(*, label: str = "", basis: str = "", layer: str = "") -> QuerySet[LicenceGrant]:
    """What waits, the oldest first, by label (slug), basis and layer where asked."""
    found = records.waiting()
    if label:
        found = found.filter(submitted_for__slug=label)
    if basis:
        found = found.filter(basis=basis)
    if layer:
        found = found.filter(layer=layer)
    return found


def options() -> dict[str, list[dict[str, object]]]:
    """How many wait by label, basis and layer. Three statements."""
    waiting = records.waiting().order_by()
    labels = waiting.filter(submitted_for__isnull=False).values("submitted_for__slug", "submitted_for__name")
    return {
        "labels": [
            {"slug": row["submitted_for__slug"], "name": row["submitted_for__name"], "count": row["count"]}
            for row in labels.annotate(count=Count("pk")).order_by("submitted_for__name")
        ],
        "bases": [
            {"code": row["basis"], "word": records.BASES.get(row["basis"], row["basis"]), "count": row["count"]}
            for row in waiting.values("basis").annotate(count=Count("pk")).order_by("basis")
        ],
        "layers": [
            {"code": row["layer"], "word": records.LAYERS.get(row["layer"], row["layer"]), "count": row["count"]}
            for row in waiting.values("layer").annotate(count=Count("pk")).order_by("layer")
        ],
    }


def read_queue(grants: Iterable[LicenceGrant], *, reviewer: User) -> list[Waiting]:
    """The rows of the queue with the number of things to look at. A fixed number of statements."""
    found = records.read(list(grants))
    recordings = _recordings_of([record.grant for record in found])
    keys = {key for several in recordings.values() for key in several}
    noted = _noted(keys)
    artists = {one.pk: artist_line(one) for one in Recording.objects.filter(pk__in=keys).with_credits()}
    mine = set(access.label_ids(reviewer))
    return [
        Waiting(
            record=record,
            artist=next((artists[key] for key in recordings[record.grant.pk]), ""),
            warnings=sum(noted[key] for key in recordings[record.grant.pk])
            + (not record.grant.evidence.all())
            + (_licence_trouble(record.grant) is not None),
            own=record.grant.submitted_for_id in mine or record.grant.submitted_by == reviewer.actor,
        )
        for record in found
    ]


def _recordings_of(grants: Sequence[LicenceGrant]) -> dict[int, list[int]]:
    """The recordings each grant is about: its own, or all in which its work is heard. One statement."""
    heard: dict[int, list[int]] = defaultdict(list)
    works = [grant.work_id for grant in grants if grant.work_id]
    for work, recording in (
        RecordingWork.objects.filter(work__in=works).order_by("recording_id").values_list("work", "recording")
    ):
        heard[work].append(recording)
    return {grant.pk: [grant.recording_id] if grant.recording_id else heard[grant.work_id or 0] for grant in grants}


def _noted(recordings: Iterable[int]) -> dict[int, int]:
    """How many findings above a mere note each recording's masters have."""
    counted = (
        Finding.objects.filter(~Q(severity=Finding.Severity.NOTE), master__recording__in=set(recordings))
        .values("master__recording")
        .annotate(count=Count("pk"))
    )
    return defaultdict(int, {row["master__recording"]: row["count"] for row in counted})


def sounds(grant: LicenceGrant) -> list[Sound]:
    """What can be heard of a record's recordings, the newest sound of each. Four statements."""
    keys = _recordings_of([grant])[grant.pk]
    masters = clearing.masters_of(keys)
    previews = {
        rendition.master_id: rendition
        for rendition in Rendition.objects.filter(
            master__in=masters.values(), purpose=Rendition.Purpose.PREVIEW, state=Rendition.State.READY
        )
    }
    found = Recording.objects.filter(pk__in=keys).with_credits().order_by("pk")
    return [
        Sound(
            one, artist_line(one), masters.get(one.pk), previews.get(masters[one.pk].pk) if one.pk in masters else None
        )
        for one in found
    ]


def shown_sound(grant: LicenceGrant, heard: Sequence[Sound]) -> str:
    """The hash an approval is bound to: the sound of the recording; a work has none of its own."""
    if grant.recording_id is None or not heard or heard[0].master is None:
        return ""
    return heard[0].master.sound_sha256


def shown_evidence(pieces: Sequence[Piece]) -> str:
    return evidence_hash(piece.instrument.sha256 for piece in pieces) if pieces else ""


def _licence_trouble(grant: LicenceGrant) -> licences.LicenceError | None:
    if grant.basis != "PUBLIC_LICENCE":
        return None
    try:
        licences.parse(grant.licence_url or grant.licence_statement)
    except licences.LicenceError as error:
        return error
    return None


def findings(record: Record, pieces: Sequence[Piece], heard: Sequence[Sound]) -> list[Found]:
    """What the machine noticed, the gravest first."""
    found: list[Found] = []
    trouble = _licence_trouble(record.grant)
    if trouble is not None:
        found.append(Found("refused", "Licence", str(trouble)))
    elif record.licence_name:
        found.append(
            Found("cleared", "Licence", f"The statement names {record.licence_name}, which is on the closed list.")
        )
    found += [
        Found("refused", "Evidence", f"{piece.kind_word}: the bytes no longer have the hash they were kept with.")
        for piece in pieces
        if not piece.is_whole
    ]
    masters = {sound.master.pk: sound for sound in heard if sound.master is not None}
    kinds: dict[str, tuple[Kind, str]] = {
        Finding.Severity.NOTE: ("", "Note"),
        Finding.Severity.WARNING: ("waiting", "Sound"),
        Finding.Severity.FATAL: ("refused", "Sound"),
    }
    for finding in Finding.objects.filter(master__in=masters).order_by("pk"):
        kind, word = kinds[finding.severity]
        found.append(Found(kind, word, finding.message))
    hashes = {sound.master.sound_sha256 for sound in masters.values() if sound.master is not None}
    twins = Master.objects.filter(sound_sha256__in=hashes).exclude(recording__in=[sound.recording for sound in heard])
    found += [
        Found(
            "waiting",
            "Twin",
            f"The very same sound is here as “{twin.recording.full_title}” of {twin.recording.label.name}.",
        )
        for twin in twins.select_related("recording__label").order_by("pk")[:5]
    ]
    rank = {"refused": 0, "waiting": 1, "": 2, "cleared": 3}
    return sorted(found, key=lambda one: rank[one.kind])


def outcomes(record: Record, heard: Sequence[Sound], *, at: datetime) -> list[Outcome]:
    """Ask the engine, for each recording, as if this record were approved now with this evidence and this sound."""
    keys = [sound.recording.pk for sound in heard]
    known = dossiers.load(keys, at=at, hashes=dossiers.hashes_of(keys))
    resting = records.by_recording(records.read(records.of_recordings(keys)), keys)
    return [_outcome(record, sound, known[sound.recording.pk], resting[sound.recording.pk], at=at) for sound in heard]


def _outcome(record: Record, sound: Sound, evidence: Evidence, resting: Sequence[Record], *, at: datetime) -> Outcome:
    digest = sound.master.sound_sha256 if sound.master else ""
    question = Question(Use.PERMANENT_DOWNLOAD, at, sound_sha256=digest)
    verdict = rules.decide(question, _as_if_approved(evidence, str(record.record_id), digest))
    return Outcome(
        title=sound.recording.full_title,
        countries=verdict.cleared_countries,
        reasons=catalogue.reasons(verdict, resting),
        regions=_regions(verdict),
    )


def _as_if_approved(evidence: Evidence, record_id: str, sound_sha256: str) -> Evidence:
    def approved(one: rules.Record) -> rules.Record:
        if one.id != record_id:
            return one
        word = Approval(ReviewOutcome.APPROVED, "reviewer", True, one.evidence_sha256, sound_sha256)
        return replace(one, state=RecordState.APPROVED, approval=word)

    return replace(evidence, records=tuple(approved(one) for one in evidence.records))


def _regions(verdict: Verdict) -> list[Region]:
    cleared = set(codes_of(verdict.cleared_mask))
    found: dict[str, list[Country]] = defaultdict(list)
    for code in COUNTRIES:
        found[region_of(code)].append(Country(code, code in cleared))
    return [Region(name, found[name]) for name in sorted(found)]


def why_not(record: Record, reviewer: User) -> str:
    """Why this reviewer may not decide this record; empty where she may."""
    if dossiers.is_independent(record.grant, actor=reviewer.actor, label_ids=access.label_ids(reviewer)):
        return ""
    if record.grant.submitted_by == reviewer.actor:
        return "You handed this record in yourself; another reviewer decides it."
    return f"You belong to {record.label}; another reviewer decides it."


def waiting_since() -> tuple[int, datetime | None]:
    """How many records wait, and since when the oldest does. One statement."""
    found = records.waiting().order_by().aggregate(total=Count("pk"), oldest=Min("created_at"))
    return found["total"], found["oldest"]


def older_than(grant: LicenceGrant) -> Q:
    """The records that stand before this one in the queue."""
    return Q(created_at__lt=grant.created_at) | Q(created_at=grant.created_at, pk__lt=grant.pk)


@dataclass(frozen=True)
class Decided:
    """One review that was made."""

    review: Review
    record: Record
    who: str

    @property
    def at(self) -> datetime:
        return self.review.at

    @property
    def kind(self) -> Kind:
        return records.STATES[self.review.outcome][0]

    @property
    def word(self) -> str:
        return records.STATES[self.review.outcome][1]

    @property
    def reason(self) -> str:
        return self.review.reason

    def __getattr__(self, name: str) -> object:
        return getattr(self.record, name)


def read_reviews(found: Iterable[Review]) -> list[Decided]:
    """Reviews with their records; the grants must be joined. One statement for the people."""
    listed = list(found)
    who = records.people(review.reviewer for review in listed)
    return [
        Decided(review, Record(review.grant, review.outcome, review.reason), who[review.reviewer]) for review in listed
    ]


def claim(record: Record) -> str:
    """What is asked of the reviewer, in one sentence."""
    what = "the recording" if record.layer == "RECORDING" else "the work"
    if record.grant.basis == "PUBLIC_LICENCE":
        name = record.licence_name or "a licence we do not know"
        return f"{record.licensor} is said to have put {what} under {name}. Does the evidence show it?"
    return (
        f"{record.licensor} is said to allow us these uses of {what}: {record.uses_words}. Does the evidence show it?"
    )


@dataclass(frozen=True)
class LayerRecords:
    """The records of one layer of the recordings a case is about."""

    word: str
    records: Sequence[Record]


def layers(record: Record, heard: Sequence[Sound]) -> list[LayerRecords]:
    """Both layers, so that nobody takes one for the other. A fixed number of statements."""
    keys = [sound.recording.pk for sound in heard]
    every = records.read(records.of_recordings(keys).order_by("layer", "pk")) if keys else [record]
    return [LayerRecords(word, [one for one in every if one.layer == layer]) for layer, word in records.LAYERS.items()]


def can_approve(record: Record, pieces: Sequence[Piece], heard: Sequence[Sound]) -> bool:
    """Whether there is anything an approval could be bound to: whole evidence and, for a recording, its sound."""
    heard_it = record.grant.recording_id is None or bool(shown_sound(record.grant, heard))
    return bool(pieces) and all(piece.is_whole for piece in pieces) and heard_it


def changed_since(grant: LicenceGrant, *, evidence_sha256: str, sound_sha256: str) -> str:
    """What is no longer as it was shown to the reviewer; empty where nothing changed."""
    pieces = records.evidence(grant)
    if shown_evidence(pieces) != evidence_sha256 or not all(piece.is_whole for piece in pieces):
        return "The evidence is not what you were shown. Look at it again before you decide."
    if shown_sound(grant, sounds(grant)) != sound_sha256:
        return "A new master has come in since. Listen to it before you decide."
    return ""
