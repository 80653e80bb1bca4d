"""A record before its reviewer: the evidence, what the machine found, the sound, and what an approval would clear.

What waits is in `store.waiting`, who else claims it in `store.rivals`; a page finds all of it here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from catalog.credits import artist_line
from catalog.models import Party, Recording
from licensing import assessments, dossiers, questions, reviews, rules
from licensing.models import Instrument, LicenceGrant, Review, ReviewCase
from licensing.models import Question as Asked
from licensing.records import Approval, Evidence, Question, evidence_hash
from licensing.terms import EvidenceKind, RecordState, ReviewOutcome, Use
from licensing.territories import COUNTRIES, COUNTRY_NAMES, TerritorySet, codes_of
from licensing.verdicts import Verdict
from store import access, catalogue, clearing, letters, previews, records
from store import saved_reasons as texts
from store.catalogue import Missing
from store.models import SavedReason, User
from store.records import Kind, Piece, Record
from store.regions import region_of
from store.rivals import Rival, rivals
from store.waiting import (
    STATES,
    Filters,
    Waiting,
    assess,
    following,
    licence_trouble,
    older_than,
    options,
    queue,
    read_queue,
    waiting_since,
)
from transcoding.models import Finding, Master, Rendition

__all__ = [
    "STATES",
    "Filters",
    "Rival",
    "Waiting",
    "assess",
    "following",
    "older_than",
    "options",
    "queue",
    "read_queue",
    "rivals",
    "waiting_since",
]

Standing = Literal["cleared", "missing", "excluded"]
MOST_TOGETHER = 200  # records that one act decides; a page must still be able to list them


@dataclass(frozen=True)
class Found:
    """One thing the machine noticed about a case."""

    kind: Kind
    word: str
    message: str


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
class Place:
    """One country on the map: how it stands, how it would stand after an approval, and what would still be missing.

    `excluded` are the countries that the record itself leaves out. Where a record is about several recordings, a
    country counts as cleared where all of them are.
    """

    code: str
    name: str
    now: Standing
    after: Standing
    reasons: Sequence[str]


@dataclass(frozen=True)
class Change:
    """What a version says otherwise than the one before it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Message:
    """One line of the talk between reviewers and the label."""

    kind: Literal["question", "answer"]
    text: str
    by_role: Literal["reviewer", "label"]
    at: datetime
    attachment_url: str
    question_id: UUID
    open: bool


@dataclass(frozen=True)
class Sound:
    """One recording that a record is about, with what can be heard of it.

    `copy` is for browsers that do not play the master: the whole recording where one was made for reviewers, else the
    newest preview; `copy_due` says that one is being made.
    """

    recording: Recording
    artist: str
    master: Master | None
    copy: Rendition | None = None
    copy_due: bool = False


def sounds(grant: LicenceGrant) -> list[Sound]:
    """What can be heard of a record's recordings, the newest sound of each. Four statements."""
    keys = assessments.recordings_of([grant])[grant.pk]
    masters = clearing.masters_of(keys)
    copies = _copies(masters.values())
    sounds_of = {key: (master, *copies.get(master.pk, (None, False))) for key, master in masters.items()}
    found = Recording.objects.filter(pk__in=keys).with_credits().order_by("pk")
    return [Sound(one, artist_line(one), *sounds_of.get(one.pk, (None,))) for one in found]


def _copies(masters: Iterable[Master]) -> dict[int, tuple[Rendition | None, bool]]:
    """What else can be heard of each master, and whether reviewers still wait for their copy of it."""
    rows = Rendition.objects.filter(Q(format=previews.MP3) | Q(purpose=Rendition.Purpose.REVIEW), master__in=masters)
    found: dict[int, tuple[Rendition | None, bool]] = {}
    for row in rows.order_by("purpose", "ready_at"):  # a copy for reviewers after previews: it is whole
        ready, due = found.get(row.master_id, (None, False))
        if row.state == Rendition.State.READY:
            ready, due = row, False
        elif row.purpose == Rendition.Purpose.REVIEW:
            due = row.state != Rendition.State.FAILED
        found[row.master_id] = ready, due
    return found


def master_of(grant: LicenceGrant, public_id: UUID) -> Master | None:
    """The master of that name, if the record is about its recording. Two statements."""
    keys = assessments.recordings_of([grant])[grant.pk]
    return Master.objects.filter(public_id=public_id, recording__in=keys, state=Master.State.ACCEPTED).first()


def copy_of(grant: LicenceGrant, public_id: UUID) -> Rendition | None:
    """The same for a copy that is heard in a master's stead."""
    keys = assessments.recordings_of([grant])[grant.pk]
    made = Rendition.objects.filter(public_id=public_id, master__recording__in=keys, state=Rendition.State.READY)
    return made.exclude(purpose=Rendition.Purpose.FULL).first()


def shown_sound(grant: LicenceGrant, heard: Sequence[Sound]) -> str:
    """The hash an approval is bound to: the sound of the recording; a work has none of its own."""
    if grant.recording_id is None or not heard or heard[0].master is None:
        return ""
    return heard[0].master.sound_sha256


def shown_evidence(pieces: Sequence[Piece]) -> str:
    return evidence_hash(piece.instrument.sha256 for piece in pieces) if pieces else ""


def findings(record: Record, pieces: Sequence[Piece], heard: Sequence[Sound]) -> list[Found]:
    """What the machine noticed, the gravest first."""
    found: list[Found] = []
    trouble = licence_trouble(record.grant)
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


@dataclass(frozen=True)
class Grounds:
    """What a decision about each recording of a case would rest on, by recording, as it stood at one instant."""

    evidence: Mapping[int, Evidence]
    records: Mapping[int, Sequence[Record]]
    at: datetime


def grounds(heard: Sequence[Sound], *, at: datetime) -> Grounds:
    """Read once what `outcomes`, `world` and `layers` show, records for whole catalogues included. A fixed number of
    statements."""
    keys = [sound.recording.pk for sound in heard]
    if not keys:
        return Grounds({}, {}, at)
    evidence = dossiers.load(keys, at=at, hashes=dossiers.hashes_of(keys))
    named = {key: {UUID(one.id[:36]) for one in known.records} for key, known in evidence.items()}
    wide = Q(catalogue__isnull=False, record_id__in=set().union(*named.values()))
    found = records.read(records.newest().filter(wide | Q(pk__in=records.of_recordings(keys).values("pk"))))
    own = records.by_recording(found, keys)
    for one in found:
        if one.grant.catalogue_id is not None:
            for key in keys:
                if one.grant.record_id in named[key]:
                    own[key].append(one)
    return Grounds(evidence, own, at)


def outcomes(record: Record, heard: Sequence[Sound], known: Grounds) -> list[Outcome]:
    """Ask the engine, for each recording, as if this record were approved now with this evidence and this sound."""
    return [_outcome(record, sound, known) for sound in heard]


def _outcome(record: Record, sound: Sound, known: Grounds) -> Outcome:
    key = sound.recording.pk
    evidence, resting = known.evidence[key], known.records[key]
    verdict = _decide(sound, _as_if_approved(evidence, str(record.record_id), _digest(sound)), at=known.at)
    return Outcome(
        title=sound.recording.full_title,
        countries=verdict.cleared_countries,
        reasons=catalogue.reasons(verdict, resting),
        regions=_regions(verdict),
    )


def _digest(sound: Sound) -> str:
    return sound.master.sound_sha256 if sound.master else ""


def _decide(sound: Sound, evidence: Evidence, *, at: datetime) -> Verdict:
    return rules.decide(Question(Use.PERMANENT_DOWNLOAD, at, sound_sha256=_digest(sound)), evidence)


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


def world(record: Record, heard: Sequence[Sound], known: Grounds) -> list[Place]:
    """Every country, as it stands now and as it would with this record approved."""
    now, after = 0, 0
    missing: dict[str, dict[str, None]] = defaultdict(dict)
    for place, sound in enumerate(heard):
        evidence = known.evidence[sound.recording.pk]
        approved = _decide(sound, _as_if_approved(evidence, str(record.record_id), _digest(sound)), at=known.at)
        cleared = _decide(sound, evidence, at=known.at).cleared_mask
        now = cleared if not place else now & cleared
        after = approved.cleared_mask if not place else after & approved.cleared_mask
        for group in approved.refused:  # each on its own: what holds in one country need not hold in another
            said = catalogue.reasons(replace(approved, refused=(group,)), known.records[sound.recording.pk])
            for code in codes_of(group.countries):
                missing[code].update(dict.fromkeys(reason.text for reason in said))
    inside = TerritorySet(record.grant.territory_mode, frozenset(record.grant.territories)).mask
    cleared_now, cleared_after, meant = (frozenset(codes_of(mask)) for mask in (now, after, inside))
    return [
        Place(
            code,
            COUNTRY_NAMES[code],
            _standing(code, cleared_now, meant),
            _standing(code, cleared_after, meant),
            tuple(missing[code]),
        )
        for code in COUNTRIES
    ]


def _standing(code: str, cleared: frozenset[str], meant: frozenset[str]) -> Standing:
    if code in cleared:
        return "cleared"
    return "missing" if code in meant else "excluded"


_TERMS: Mapping[str, Callable[[Record], object]] = {
    "Basis": lambda one: one.basis_word,
    "Licensor": lambda one: one.licensor,
    "Agreement": lambda one: one.grant.agreement,
    "Licence": lambda one: one.grant.licence_url,
    "Statement": lambda one: one.grant.licence_statement,
    "Uses": lambda one: one.uses_words,
    "Countries": lambda one: one.where,
    "From": lambda one: one.grant.starts_on,
    "Until": lambda one: one.grant.ends_on,
    "Share": lambda one: one.share,
    "Exclusive": lambda one: one.grant.exclusive,
    "Longest preview": lambda one: one.grant.preview_max_seconds,
    "Downloading again": lambda one: one.grant.get_redownload_rule_display(),
    "Free downloads": lambda one: one.grant.free_consent,
    "Edits allowed": lambda one: one.grant.edits_allowed,
    "Copy protection asked for": lambda one: one.grant.drm_required,
    "Lowest price": lambda one: _price(one.grant),
    "Writers and societies": lambda one: one.grant.get_cmo_status_display(),
    "Society": lambda one: " ".join(part for part in (one.grant.cmo_name, one.grant.cmo_licence_number) if part),
    "Mandate proven": lambda one: one.grant.cmo_mandate_proven,
    "In its repertoire": lambda one: one.grant.cmo_in_repertoire,
    "Statutory condition met": lambda one: one.grant.statutory_condition_met,
    "Tariff": lambda one: one.grant.tariff,
    "Other people's music": lambda one: one.grant.get_material_display() if one.grant.material else "",
}


def changes(record: Record) -> list[Change]:
    """What this version says otherwise than the one before; nothing where it is the first. A fixed number of
    statements."""
    if record.grant.supersedes_id is None:
        return []
    older = LicenceGrant.objects.select_related("licensor__party").get(pk=record.grant.supersedes_id)
    before = Record(older, RecordState.SUBMITTED, "")
    said = ((field, _word(term(before)), _word(term(record))) for field, term in _TERMS.items())
    found = [Change(field, old, new) for field, old, new in said if old != new]
    old_papers = {piece.sha256: piece for piece in older.evidence.all()}
    new_papers = {piece.sha256: piece for piece in record.grant.evidence.all()}
    gone = [Change("Evidence", _paper(piece), "") for key, piece in old_papers.items() if key not in new_papers]
    come = [Change("Evidence", "", _paper(piece)) for key, piece in new_papers.items() if key not in old_papers]
    return [*found, *gone, *come]


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return f"{value:%-d %B %Y}"
    return "" if value is None else str(value)


def _price(grant: LicenceGrant) -> str:
    return "" if grant.price_minimum_minor is None else f"{grant.price_minimum_minor} {grant.price_currency} (minor)"


def _paper(piece: Instrument) -> str:
    return f"{records.EVIDENCE.get(piece.kind, piece.kind)}, {piece.sha256[:12]}"


def thread(record: Record, *, label: Party | None = None) -> list[Message]:
    """What was asked and answered about a record in all its versions, the oldest first. One statement.

    Attachments point to the reviewers' desk, or with `label` to that label's studio.
    """
    found = []
    for asked in questions.of_record(record.record_id):
        told = getattr(asked, "answer", None)
        found.append(Message("question", asked.text, "reviewer", asked.at, "", asked.public_id, told is None))
        if told is not None:
            paper = told.instrument
            url = _attachment_url(paper, label) if paper is not None and paper.file else ""
            found.append(Message("answer", told.text, "label", told.at, url, asked.public_id, open=False))
    return found


def ask(grant: LicenceGrant, *, reviewer: reviews.Reviewer, text: str, at: datetime) -> Asked:
    """Ask the label something, and owe its people a letter about it. Raises what `questions.ask` raises."""
    with transaction.atomic():
        asked = questions.ask(grant, reviewer=reviewer, text=text, at=at)
        label = grant.submitted_for
        if label is not None:
            title = Record(grant, RecordState.SUBMITTED, "").subject_title
            letters.owe(
                "question",
                about=asked.public_id,
                to=[person.email for person in access.members([label.pk]).get(label.pk, []) if person.is_active],
                subject=f"A question about your record for “{title}”",
                at=at,
                template="question",
                title=title,
                text=asked.text,
                path=reverse("studio-record", args=[label.slug, grant.record_id]),
            )
    return asked


def _attachment_url(paper: Instrument, label: Party | None) -> str:
    if label is None:
        return reverse("review-evidence", args=[paper.public_id])
    return reverse("studio-evidence", args=[label.slug, paper.public_id])


def saved_reasons(kind: SavedReason.Kind | str = SavedReason.Kind.REFUSAL) -> list[SavedReason]:
    return texts.saved(kind)


def sharing_agreement(record: Record, *, most: int = MOST_TOGETHER) -> list[Record]:
    """The records that wait and rest on the same agreement as this one, itself first; what `reviews.decide_all` takes
    together. Of more than `most` the riskiest come; the others wait for the next act. A fixed number of statements."""
    own = list(records.waiting().filter(pk=record.grant.pk))
    if not own:
        return []
    (grant,) = own
    papers = [piece.sha256 for piece in grant.evidence.all() if piece.kind == EvidenceKind.AGREEMENT]
    pieces = {piece.sha256 for piece in grant.evidence.all()}
    alike = Q(evidence__sha256__in=papers or pieces)
    if grant.agreement:
        alike |= Q(agreement=grant.agreement, licensor=grant.licensor_id)
    others = records.waiting().filter(alike).exclude(pk=grant.pk).distinct()[: most - 1]
    return records.read([grant, *(one for one in others if reviews.share_one_agreement([grant, one]))])


def shown_all(listed: Sequence[Record]) -> dict[int, tuple[str, str]]:
    """The evidence and sound hashes of many records by grant, as `shown_evidence` and `shown_sound` give them for
    one. Two statements."""
    masters = clearing.masters_of(one.grant.recording_id for one in listed if one.grant.recording_id)
    return {
        one.grant.pk: (
            evidence_hash(piece.sha256 for piece in one.grant.evidence.all()) if one.grant.evidence.all() else "",
            masters[one.grant.recording_id].sound_sha256 if one.grant.recording_id in masters else "",
        )
        for one in listed
    }


def why_not(record: Record, reviewer: User) -> str:
    """Why this reviewer may not decide this record; empty where she may."""
    if not dossiers.is_independent(record.grant, actor=reviewer.actor, label_ids=access.label_ids(reviewer)):
        if record.grant.submitted_by == reviewer.actor:
            return "You handed this record in yourself; another reviewer decides it."
        return f"You belong to {record.label}; another reviewer decides it."
    first = reviews.first_approval(record.grant)
    if first is not None and first.reviewer == reviewer.actor:
        return "You approved this record; a second reviewer decides now."
    return ""


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
        return records.STATES[self.record.state][0]

    @property
    def word(self) -> str:
        return records.STATES[self.record.state][1]

    @property
    def reason(self) -> str:
        return self.review.reason

    def __getattr__(self, name: str) -> object:
        return getattr(self.record, name)


def read_reviews(found: Iterable[Review]) -> list[Decided]:
    """Reviews with their records; the grants must be joined. Two statements: for the people, and for the approvals
    that wait for another."""
    listed = list(found)
    waiting = ReviewCase.objects.filter(grant__in=[review.grant_id for review in listed], seconding=True)
    waits = set(waiting.values_list("grant", flat=True))
    alone = {review.pk for review in listed if review.second_needed and review.grant_id in waits}
    who = records.people(review.reviewer for review in listed)
    return [
        Decided(
            review,
            Record(review.grant, "SECONDING" if review.pk in alone else review.outcome, review.reason),
            who[review.reviewer],
        )
        for review in listed
    ]


def claim(record: Record) -> str:
    """What is asked of the reviewer, in one sentence."""
    what = _what(record.grant)
    if record.grant.basis == "PUBLIC_LICENCE":
        name = record.licence_name or "a licence we do not know"
        return f"{record.licensor} is said to have put {what} under {name}. Does the evidence show it?"
    return (
        f"{record.licensor} is said to allow us these uses of {what}: {record.uses_words}. Does the evidence show it?"
    )


def _what(grant: LicenceGrant) -> str:
    kind = "recording" if grant.layer == "RECORDING" else "work"
    return f"every {kind} of {grant.catalogue}" if grant.catalogue_id else f"the {kind}"


@dataclass(frozen=True)
class LayerRecords:
    """The records of one layer of the recordings a case is about."""

    word: str
    records: Sequence[Record]


def layers(record: Record, known: Grounds) -> list[LayerRecords]:
    """Both layers, so that nobody takes one for the other."""
    every = {one.grant.pk: one for rested in known.records.values() for one in rested} or {record.grant.pk: record}
    listed = sorted(every.values(), key=lambda one: (one.layer, one.grant.pk))
    return [LayerRecords(word, [one for one in listed if one.layer == layer]) for layer, word in records.LAYERS.items()]


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
