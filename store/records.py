"""Licence records as people read them, in the studio and at the reviewer's desk; few queries for any number of them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from django.db.models import Case, Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery, Value, When
from django.utils import timezone

from catalog.credits import artist_line
from catalog.models import Party, Recording, RecordingWork
from licensing import instruments, licences, questions, reviews
from licensing.models import GrantEnd, Instrument, LicenceGrant, Review, ReviewCase
from licensing.terms import Basis, EndKind, EvidenceKind, RecordState, RedownloadRule, ReviewOutcome, TerritoryMode
from store.models import User
from store.templatetags.shop import countries_phrase, money

Kind = Literal["cleared", "waiting", "refused", ""]

STATES: dict[str, tuple[Kind, str]] = {
    "SUBMITTED": ("waiting", "In review"),
    "SECONDING": ("waiting", "Approved once"),
    "APPROVED": ("cleared", "Approved"),
    "REFUSED": ("refused", "Refused"),
    "SUSPENDED": ("waiting", "Suspended"),
    "REVOKED": ("refused", "Ended"),
    "EXPIRED": ("refused", "Term over"),
}
ENDS: dict[str, tuple[Kind, str]] = {
    EndKind.REVOKED: ("refused", "Ended"),
    EndKind.SUSPENDED: ("waiting", "Suspended"),
    EndKind.RESUMED: ("cleared", "Resumed"),
}
LAYERS = {"RECORDING": "Sound recording", "WORK": "Work"}
BASES: dict[str, str] = {
    Basis.DIRECT: "Direct grant",
    Basis.DDEX_DEAL: "DDEX deal",
    Basis.CMO: "Collecting society",
    Basis.STATUTORY: "Statutory licence",
    Basis.PASS_THROUGH: "Pass-through",
    Basis.PUBLIC_LICENCE: "Public licence",
    Basis.PD: "Public domain",
    Basis.CC_PLUS: "Licence beside a public one",
}
USES = {
    "PERMANENT_DOWNLOAD": "sale as a download",
    "FREE_DOWNLOAD": "free download",
    "PREVIEW": "preview",
    "STREAM": "stream",
    "REDOWNLOAD": "downloading again",
}
EVIDENCE: dict[str, str] = {
    EvidenceKind.TAG_STATEMENT: "Statement in the file's tags",
    EvidenceKind.STATEMENT: "Statement, as it was given",
    EvidenceKind.AGREEMENT: "Agreement",
    EvidenceKind.CHAIN_OF_TITLE: "Chain of title",
    EvidenceKind.SOCIETY_LICENCE: "A society's licence",
    EvidenceKind.DECLARATION: "The label's declaration",
    EvidenceKind.LICENCE_PAGE: "The licence's page",
    EvidenceKind.PUBLIC_DOMAIN_PROOF: "Proof of the public domain",
    EvidenceKind.LETTER: "Letter",
}
REDOWNLOADS: dict[str, str] = {
    RedownloadRule.ALWAYS: "past buyers may always download again",
    RedownloadRule.NOTICE_PERIOD: "past buyers have a notice period to download again",
    RedownloadRule.NEVER: "past buyers may not download again",
}
TASKS = {"deliver": "the delivery command", "demo": "the demonstration"}


@dataclass(frozen=True)
class Record:
    """The newest version of one licence record, in words. `state` is one of `STATES`."""

    grant: LicenceGrant
    state: str
    reason: str  # of the latest refusal or end
    artist: str = ""
    submitter: str = ""

    @property
    def record_id(self) -> uuid.UUID:
        return self.grant.record_id

    @property
    def version(self) -> int:
        return self.grant.version

    @property
    def kind(self) -> Kind:
        return STATES[self.state][0]

    @property
    def word(self) -> str:
        return STATES[self.state][1]

    @property
    def waits(self) -> bool:
        return self.state in {"SUBMITTED", "SECONDING"}

    @property
    def can_end(self) -> bool:
        return self.state in {"SUBMITTED", "SECONDING", "APPROVED", "SUSPENDED"}

    @property
    def layer(self) -> str:
        return self.grant.layer

    @property
    def layer_word(self) -> str:
        return LAYERS.get(self.grant.layer, self.grant.layer)

    @property
    def subject_title(self) -> str:
        if self.grant.recording is not None:
            return self.grant.recording.full_title
        if self.grant.catalogue is not None:
            return f"All {'recordings' if self.layer == 'RECORDING' else 'works'} of {self.grant.catalogue}"
        return str(self.grant.work)

    @property
    def licence_name(self) -> str:
        try:
            return licences.parse(self.grant.licence_url).name
        except licences.LicenceError:
            return ""

    @property
    def basis_word(self) -> str:
        if self.grant.basis == Basis.PUBLIC_LICENCE:
            return self.licence_name or "Public licence, not known to us"
        return BASES.get(self.grant.basis, self.grant.basis)

    @property
    def licensor(self) -> str:
        return self.grant.licensor.party.name

    @property
    def licensee_word(self) -> str:
        return "everybody" if self.grant.licensee == "PUBLIC" else "this store"

    @property
    def licence_url(self) -> str:
        return self.grant.licence_url

    @property
    def statement(self) -> str:
        return self.grant.licence_statement

    @property
    def uses_words(self) -> str:
        return ", ".join(USES.get(use, use) for use in self.grant.uses)

    @property
    def where(self) -> str:
        if self.grant.territory_mode == TerritoryMode.ONLY:
            return countries_phrase(self.grant.territories)
        return f"everywhere but {countries_phrase(self.grant.territories)}" if self.grant.territories else "worldwide"

    @property
    def more_terms(self) -> list[tuple[str, str]]:
        """What else the record says, where it says more than the usual."""
        grant, said = self.grant, []
        if grant.agreement:
            said.append(("Agreement", grant.agreement))
        if grant.exclusive:
            said.append(("Exclusive", "nobody else may license this here in this time"))
        if grant.price_minimum_minor is not None:
            said.append(("Lowest price", money(grant.price_minimum_minor, grant.price_currency)))
        if grant.redownload_rule != RedownloadRule.ALWAYS:
            said.append(("Once over", REDOWNLOADS.get(grant.redownload_rule, grant.redownload_rule)))
        if grant.cmo_name or grant.cmo_licence_number:
            said.append(("Society", " ".join(part for part in (grant.cmo_name, grant.cmo_licence_number) if part)))
        if grant.tariff:
            said.append(("Tariff", grant.tariff))
        if grant.material:
            said.append(("About", f"other people's music in it: {grant.material.lower()}"))
        if grant.territories_as_given:
            said.append(("Countries as given", grant.territories_as_given))
        if grant.licence_statement and grant.licence_statement != grant.licence_url:
            said.append(("Licence as given", grant.licence_statement))
        return said

    @property
    def starts_on(self) -> date | None:
        return self.grant.starts_on

    @property
    def ends_on(self) -> date | None:
        return self.grant.ends_on

    @property
    def share(self) -> str:
        if self.grant.share_numerator == self.grant.share_denominator:
            return "the whole"
        return f"{self.grant.share_numerator}/{self.grant.share_denominator}"

    @property
    def preview_max_seconds(self) -> int | None:
        return self.grant.preview_max_seconds

    @property
    def drm_required(self) -> bool:
        return self.grant.drm_required

    @property
    def created_at(self) -> datetime:
        return self.grant.created_at

    @property
    def label(self) -> Party | None:
        return self.grant.submitted_for


@dataclass(frozen=True)
class Event:
    """One thing that happened to a record, by whom, and why."""

    at: datetime
    word: str
    who: str
    kind: Kind = ""
    reason: str = ""


@dataclass(frozen=True)
class Piece:
    """One piece of evidence with the proof that it is still what was kept."""

    instrument: Instrument
    is_whole: bool
    captured_by_words: str

    @property
    def kind_word(self) -> str:
        return EVIDENCE.get(self.instrument.kind, self.instrument.kind)

    @property
    def has_file(self) -> bool:
        return bool(self.instrument.file)

    def __getattr__(self, name: str) -> object:
        return getattr(self.instrument, name)


def newest() -> QuerySet[LicenceGrant]:
    """The newest version of every record, with all that `read` needs: nine statements whatever the number."""
    return LicenceGrant.objects.filter(successor=None).select_related(
        "licensor__party", "submitted_for", "recording", "work", "catalogue", "case"
    )


def of_label(label: Party) -> QuerySet[LicenceGrant]:
    """The records that concern a label: handed in for it, or about its recordings, the works in them, or all of it."""
    works = RecordingWork.objects.filter(work=OuterRef("work"), recording__label=label)
    return newest().filter(Q(submitted_for=label) | Q(recording__label=label) | Q(catalogue=label) | Q(Exists(works)))


def grouped(grants: QuerySet[LicenceGrant], *, at: datetime) -> QuerySet[LicenceGrant]:
    """Each record with the `group` of its state, as `read` would find it: waiting, approved, refused or over."""
    ends = GrantEnd.objects.filter(grant__record_id=OuterRef("record_id"), at__lte=at)
    final = Case(When(kind=EndKind.REVOKED, then=0), default=1)
    said = Review.objects.filter(grant=OuterRef("pk")).order_by("-pk").values("outcome")[:1]
    waits = ReviewCase.objects.filter(grant=OuterRef("pk"))
    return grants.annotate(
        ended=Subquery(ends.order_by(final, "-at", "-pk").values("kind")[:1]), said=Subquery(said), waits=Exists(waits)
    ).annotate(
        group=Case(
            When(ended__in=[EndKind.REVOKED.value, EndKind.SUSPENDED.value], then=Value("over")),
            When(Q(waits=True) | Q(said=None), then=Value("waiting")),
            When(said=ReviewOutcome.REFUSED.value, then=Value("refused")),
            When(ends_on__lt=at.date(), then=Value("over")),
            default=Value("approved"),
        )
    )


_GROUP: str = "group"  # an annotation, which the types of queries do not know


def in_groups(grants: QuerySet[LicenceGrant], *groups: str, at: datetime) -> QuerySet[LicenceGrant]:
    """Those in any of these groups of states."""
    return grouped(grants, at=at).filter(**{f"{_GROUP}__in": groups})


def count_groups(grants: QuerySet[LicenceGrant], *, at: datetime) -> dict[str, int]:
    """How many are in each group of states that any is in. One statement."""
    return dict(grouped(grants, at=at).order_by().values_list(_GROUP).annotate(number=Count("pk")))


def rest_on(instrument: Instrument, labels: Iterable[int]) -> bool:
    """Whether a record, in any of its versions, that concerns one of these labels rests on the evidence."""
    keys = list(labels)
    works = RecordingWork.objects.filter(work=OuterRef("work"), recording__label__in=keys)
    mine = Q(submitted_for__in=keys) | Q(recording__label__in=keys) | Q(Exists(works))
    return bool(keys) and LicenceGrant.objects.filter(mine, evidence=instrument).exists()


def of_recordings(recordings: Iterable[int]) -> QuerySet[LicenceGrant]:
    """The records about these recordings and about the works in them."""
    keys = list(recordings)
    works = RecordingWork.objects.filter(work=OuterRef("work"), recording__in=keys)
    return newest().filter(Q(recording__in=keys) | Q(Exists(works)))


def waiting() -> QuerySet[LicenceGrant]:
    """Records that wait for a reviewer, the riskiest first, with what `read` needs."""
    return reviews.queue()


def read(grants: QuerySet[LicenceGrant] | Sequence[LicenceGrant], *, at: datetime | None = None) -> list[Record]:
    """The records in words. Six statements beside the one for the grants, however many there are."""
    at = at or timezone.now()
    found = list(grants)
    said: dict[int, list[Review]] = defaultdict(list)
    for review in Review.objects.filter(grant__in=[grant.pk for grant in found]).order_by("pk"):
        said[review.grant_id].append(review)
    ends: dict[uuid.UUID, GrantEnd] = {}
    for end in (
        GrantEnd.objects.filter(grant__record_id__in={grant.record_id for grant in found}, at__lte=at)
        .select_related("grant")
        .order_by("at", "pk")
    ):
        if ends.get(end.grant.record_id) is None or ends[end.grant.record_id].kind != EndKind.REVOKED:
            ends[end.grant.record_id] = end
    keys = {grant.recording_id for grant in found if grant.recording_id}
    lines = {one.pk: artist_line(one) for one in Recording.objects.filter(pk__in=keys).with_credits()} if keys else {}
    who = people(grant.submitted_by for grant in found)
    return [
        Record(
            grant,
            *_state(grant, said[grant.pk], ends.get(grant.record_id), at),
            artist=lines.get(grant.recording_id or 0, ""),
            submitter=who[grant.submitted_by],
        )
        for grant in found
    ]


def _state(grant: LicenceGrant, said: Sequence[Review], end: GrantEnd | None, at: datetime) -> tuple[str, str]:
    """Where the record stands now and the reason last given; an end outweighs a review."""
    review = said[-1] if said else None
    if end is not None and end.kind != EndKind.RESUMED:
        return ("REVOKED" if end.kind == EndKind.REVOKED else "SUSPENDED"), end.reason
    if review is None:
        return RecordState.SUBMITTED, ""
    if review.outcome == ReviewOutcome.REFUSED:
        return RecordState.REFUSED, review.reason
    if review.second_needed and not is_seconded(review, said):
        return "SECONDING", ""
    if grant.ends_on is not None and grant.ends_on < at.date():
        return "EXPIRED", ""
    return RecordState.APPROVED, ""


def is_seconded(review: Review, said: Sequence[Review]) -> bool:
    """Whether, since the last refusal, somebody else approved the same evidence and the same sound."""
    refused = max((place for place, one in enumerate(said) if one.outcome == ReviewOutcome.REFUSED), default=-1)
    return any(
        other.reviewer != review.reviewer
        and (other.evidence_sha256, other.sound_sha256) == (review.evidence_sha256, review.sound_sha256)
        for other in said[refused + 1 :]
    )


def history(record: Record) -> list[Event]:
    """All that happened to a record in all its versions, the oldest first: what was said, asked, answered, ended."""
    versions = LicenceGrant.objects.filter(record_id=record.record_id).prefetch_related(
        Prefetch("reviews", Review.objects.order_by("pk")), Prefetch("ends", GrantEnd.objects.order_by("pk"))
    )
    rows: list[tuple[datetime, str, str, Kind, str]] = []
    for grant in versions:
        word = "Handed in" if grant.version == 1 else f"Version {grant.version} handed in"
        rows.append((grant.created_at, word, grant.submitted_by, "", ""))
        said = list(grant.reviews.all())
        for place, review in enumerate(said):
            alone = review.second_needed and not is_seconded(review, said[:place])
            kind, word = STATES["SECONDING" if alone else review.outcome]
            rows.append((review.at, word, review.reviewer, kind, review.reason))
        for end in grant.ends.all():
            kind, word = ENDS[end.kind]
            rows.append((end.at, word, end.actor, kind, end.reason))
    for asked in questions.of_record(record.record_id):
        rows.append((asked.at, "Asked the label", asked.asked_by, "waiting", asked.text))
        told = getattr(asked, "answer", None)
        if told is not None:
            rows.append((told.at, "The label answered", told.answered_by, "", told.text))
    who = people(row[2] for row in rows)
    return [
        Event(at, word, who[actor], kind, reason) for at, word, actor, kind, reason in sorted(rows, key=lambda r: r[0])
    ]


def people(actors: Iterable[str]) -> dict[str, str]:
    """Actors in words: a person's e-mail address, or what acted by itself. One statement."""
    wanted = set(actors)
    keys = {int(key) for kind, _, key in (actor.partition(":") for actor in wanted) if kind == "user" and key.isdigit()}
    names = dict(User.objects.filter(pk__in=keys).values_list("pk", "email"))
    said = {}
    for actor in wanted:
        kind, _, key = actor.partition(":")
        if kind == "user":
            said[actor] = names.get(int(key), "a person no longer here") if key.isdigit() else actor
        else:
            said[actor] = TASKS.get(key, f"{kind} {key}".strip())
    return said


def evidence(grant: LicenceGrant) -> list[Piece]:
    """The evidence of a grant, each piece hashed anew: what is shown is proved to be what was kept."""
    pieces = list(grant.evidence.order_by("pk"))
    who = people(piece.captured_by for piece in pieces)
    now = instruments.current_hashes(pieces)
    return [Piece(piece, now[piece.pk] == piece.sha256, who[piece.captured_by]) for piece in pieces]


def by_recording(records: Iterable[Record], recordings: Iterable[int]) -> dict[int, list[Record]]:
    """Which records each recording rests on: its own, then those of its works. One statement."""
    keys = list(recordings)
    works: dict[int, list[int]] = defaultdict(list)
    for recording, work in RecordingWork.objects.filter(recording__in=keys).values_list("recording", "work"):
        works[work].append(recording)
    found: dict[int, list[Record]] = {key: [] for key in keys}
    for record in sorted(records, key=lambda one: (one.layer, one.grant.pk)):
        if record.grant.recording_id is not None:
            holders = [record.grant.recording_id]
        else:
            holders = works.get(record.grant.work_id or 0, [])
        for key in holders:
            if key in found:
                found[key].append(record)
    return found
