"""A label's catalogue as its studio shows it: for each track, what is still missing and whose turn it is.

All is read in a fixed number of statements for any number of tracks, from rows alone: the newest decision is what the
shop sells by, and the rows of masters and renditions are the work that is owed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from catalog.credits import artist_line
from catalog.models import Artwork, Party, Recording, Release, Track
from licensing.models import ClearanceDecision
from licensing.reasons import REASONS, Fixer
from licensing.terms import Use
from licensing.territories import codes_of
from licensing.verdicts import Reason, Verdict
from payments.money import Money
from store import expiry, records
from store.models import Delivery, DeliveryLine, Offer, Price
from store.records import Kind, Record
from store.templatetags.shop import countries_phrase
from transcoding.models import Finding, Master, Rendition

TONES = 5  # of blank sleeves
WHOSE = {
    Fixer.LABEL: "Your turn.",
    Fixer.REVIEWER: "A reviewer's turn.",
    Fixer.RIGHTS_HOLDER: "The rights holder's turn.",
    Fixer.CLAIMANT: "The claimant's turn.",
    Fixer.STORE: "The store's turn.",
    Fixer.BUYER: "",
    Fixer.TIME: "It passes by itself.",
}
FIXES = {
    "NO_MASTER_LICENCE": "declare",
    "NO_WORK_LICENCE": "declare",
    "NC_FORBIDS_SALE": "declare",
    "LICENCE_UNKNOWN": "declare",
    "LICENCE_VERSION_MISSING": "declare",
    "EVIDENCE_MISSING": "record",
    "NOT_REVIEWED": "record",
    "SUSPENDED": "record",
    "REVOKED": "record",
    "TERM_EXPIRED": "declare",
    "ATTRIBUTION_INCOMPLETE": "details",
    "PRICE_BELOW_MINIMUM": "price",
    "NO_PRICE": "price",
}


@dataclass(frozen=True)
class Missing:
    """One thing that stands between a recording and its sale. `fix` names the place where it can be mended."""

    code: str
    text: str
    whose: str
    kind: Kind
    word: str
    fix: str = ""
    record: str = ""
    countries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One recording, as a label sees it. `countries` are those it is on sale in, or would be were it offered."""

    recording: Recording
    artist: str
    master: Master | None
    decision: ClearanceDecision | None
    records: Sequence[Record]
    price: Price | None
    is_open: bool
    formats_made: int
    formats_due: int
    missing: Sequence[Missing]
    number: str = ""
    tracks: Sequence[Track] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        return self.recording.full_title

    @property
    def isrc(self) -> str:
        return self.recording.isrc or ""

    @property
    def countries(self) -> list[str]:
        return list(self.decision.cleared_countries) if self.decision else []

    @property
    def where(self) -> str:
        """Where it may be sold, in words; empty where it may not."""
        return f"Cleared: {countries_phrase(self.countries)}" if self.countries else ""

    @property
    def ends_soon(self) -> list[tuple[date, tuple[str, ...]]]:
        """The last days within the next two months on which it may be sold, each with its countries."""
        return expiry.ends_soon(self.decision, at=timezone.now()) if self.decision else []

    @property
    def kind(self) -> Kind:
        if self.is_open:
            return "cleared"
        return "refused" if any(one.kind == "refused" for one in self.missing) else "waiting"

    @property
    def word(self) -> str:
        if self.is_open:
            return "On sale"
        return next((one.word for one in self.missing if one.kind == self.kind), "Getting ready")

    @property
    def standing(self) -> list[Missing]:
        """What is missing, without what passes by itself within minutes: that is said by the cell that moves."""
        return [one for one in self.missing if one.code not in {"EXAMINING", "NOT_ASKED", "FORMATS"}]


@dataclass(frozen=True)
class Issue:
    """A release with its tracks' rows."""

    release: Release
    artist: str
    cover: str
    price: Price | None
    is_open: bool
    tracks: Sequence[Row]

    @property
    def kind(self) -> Kind:
        if self.is_open:
            return "cleared"
        shut = any(row.kind == "refused" for row in self.tracks) and not any(row.is_open for row in self.tracks)
        return "refused" if shut else "waiting"

    @property
    def word(self) -> str:
        if self.is_open:
            return "On sale whole"
        selling = sum(row.is_open for row in self.tracks)
        if not selling:
            return "Not on sale"
        return f"{selling} of {len(self.tracks)} on sale"

    @property
    def tone(self) -> int:
        """Which of the blank sleeves stands for a missing cover."""
        return self.release.pk % TONES


def releases_of(label: Party, *, query: str = "", show: str = "all") -> QuerySet[Release]:
    """The label's releases, the newest first; `show` is all, open or shut (some track is not on sale)."""
    found = Release.objects.filter(label=label)
    if query:
        code = query.replace("-", "").replace(" ", "").upper()
        tracks = Track.objects.filter(release=OuterRef("pk"))
        found = found.filter(
            Q(title__icontains=query)
            | Q(gtin=code)
            | Exists(tracks.filter(Q(recording__title__icontains=query) | Q(recording__isrc=code)))
        )
    whole = Offer.objects.filter(release=OuterRef("pk"), closed_at=None)
    single = Offer.objects.filter(track=OuterRef("pk"), closed_at=None)
    unsold = Track.objects.filter(~Exists(single), release=OuterRef("pk"))
    if show == "open":
        found = found.filter(Exists(whole) | ~Exists(unsold), tracks__isnull=False).distinct()
    elif show == "shut":
        found = found.filter(Exists(unsold))
    return found.order_by("-created_at", "-pk")


def counts(label: Party) -> dict[str, int]:
    """How many releases each filter shows."""
    return {show: releases_of(label, show=show).count() for show in ("all", "open", "shut")}


def issues(releases: Iterable[Release], *, currency: str) -> list[Issue]:
    """The releases with their tracks' rows."""
    found = list(releases)
    keys = [release.pk for release in found]
    full = {one.pk: one for one in Release.objects.filter(pk__in=keys).with_credits().with_tracks()}
    read = {
        row.recording.pk: row
        for row in rows([t.recording for r in full.values() for t in r.tracks.all()], currency=currency)
    }
    covers = Artwork.objects.filter(release__in=keys).order_by("release_id", "position").distinct("release_id")
    fronts = dict(covers.values_list("release_id", "sha256"))
    prices = {price.release_id: price for price in Price.objects.filter(release__in=keys, currency=currency)}
    sold = set(Offer.objects.filter(release__in=keys, closed_at=None).values_list("release", flat=True))
    return [
        Issue(
            release=full[key],
            artist=artist_line(full[key]),
            cover=fronts.get(key, ""),
            price=prices.get(key),
            is_open=key in sold,
            tracks=[_placed(read[track.recording_id], track, full[key]) for track in full[key].tracks.all()],
        )
        for key in keys
    ]


def _placed(row: Row, track: Track, release: Release) -> Row:
    several = any(other.disc > 1 for other in release.tracks.all())
    number = f"{track.disc}.{track.number}" if several else str(track.number)
    return Row(**{**row.__dict__, "number": number})


def rows(recordings: Iterable[Recording], *, currency: str) -> list[Row]:
    """What each recording stands at; their credits must be prefetched. A fixed number of statements."""
    found = list({recording.pk: recording for recording in recordings}.values())
    keys = [recording.pk for recording in found]
    masters = {
        master.recording_id: master
        for master in Master.objects.filter(recording__in=keys)
        .select_related("upload")
        .order_by("recording_id", "-pk")
        .distinct("recording_id")
    }
    fatal: dict[int, str] = dict(
        Finding.objects.filter(master__in=[m.pk for m in masters.values()], severity=Finding.Severity.FATAL)
        .order_by("-pk")
        .values_list("master", "message")
    )
    decisions = {
        decision.recording_id: decision
        for decision in ClearanceDecision.objects.filter(recording__in=keys, use=Use.PERMANENT_DOWNLOAD)
        .order_by("recording_id", "-pk")
        .distinct("recording_id")
    }
    resting = records.by_recording(records.read(records.of_recordings(keys)), keys)
    prices = {price.recording_id: price for price in Price.objects.filter(recording__in=keys, currency=currency)}
    sold = set(
        Offer.objects.filter(track__recording__in=keys, closed_at=None).values_list("track__recording", flat=True)
    )
    made: dict[int, dict[str, str]] = defaultdict(dict)  # the newest file of each format counts
    for rendition in (
        Rendition.objects.filter(master__in=[m.pk for m in masters.values()])
        .exclude(purpose=Rendition.Purpose.REVIEW)
        .only("master", "format", "state")
        .order_by("pk")
    ):
        made[rendition.master_id][rendition.format] = rendition.state
    tracks: dict[int, list[Track]] = defaultdict(list)
    for track in (
        Track.objects.filter(recording__in=keys).select_related("release").order_by("release__created_at", "pk")
    ):
        tracks[track.recording_id].append(track)
    return [
        _row(
            recording,
            master=masters.get(recording.pk),
            fatal=fatal,
            decision=decisions.get(recording.pk),
            resting=resting[recording.pk],
            price=prices.get(recording.pk),
            is_open=recording.pk in sold,
            states=list(made[masters[recording.pk].pk].values()) if recording.pk in masters else [],
            tracks=tracks[recording.pk],
        )
        for recording in found
    ]


def _row(
    recording: Recording,
    *,
    master: Master | None,
    fatal: Mapping[int, str],
    decision: ClearanceDecision | None,
    resting: Sequence[Record],
    price: Price | None,
    is_open: bool,
    states: Sequence[str],
    tracks: Sequence[Track],
) -> Row:
    missing = list(_missing(master, fatal, decision, resting, price=price, is_open=is_open, states=states))
    return Row(
        recording=recording,
        artist=artist_line(recording),
        master=master,
        decision=decision,
        records=resting,
        price=price,
        is_open=is_open,
        formats_made=sum(state == Rendition.State.READY for state in states),
        formats_due=len(states),
        missing=missing,
        tracks=tracks,
    )


def _missing(
    master: Master | None,
    fatal: Mapping[int, str],
    decision: ClearanceDecision | None,
    resting: Sequence[Record],
    *,
    price: Price | None,
    is_open: bool,
    states: Sequence[str],
) -> Iterable[Missing]:
    """In the order in which they have to be mended: sound, rights, price, files."""
    if master is None:
        yield Missing("NO_FILE", "No file has been handed in.", WHOSE[Fixer.LABEL], "refused", "No file", "deliver")
        return
    if master.state == Master.State.EXAMINING:
        yield Missing("EXAMINING", "The file is being examined; that takes a minute or so.", "", "waiting", "Examined")
    elif master.state == Master.State.REJECTED:
        said = fatal.get(master.pk, "The file cannot be used.")
        yield Missing("REJECTED", said, WHOSE[Fixer.LABEL], "refused", "File refused", "deliver")
        return
    if decision is not None and not decision.cleared_countries:
        yield from reasons(Verdict.from_data(decision.verdict), resting)
    elif decision is None:
        foreseen = list(_before_decision(resting))
        soon = Missing(
            "NOT_ASKED", "Whether it is cleared is worked out within seconds.", "", "waiting", "Getting ready"
        )
        yield from foreseen or [soon]
    cleared = decision is not None and bool(decision.cleared_countries)
    if price is None:
        yield Missing("NO_PRICE_SET", "It has no price.", WHOSE[Fixer.LABEL], "waiting", "No price", "price")
    given = price is not None and not price.amount_minor
    if given and not is_open and not any(Use.FREE_DOWNLOAD in record.grant.uses for record in resting):
        said = "It shall cost nothing, but no licence record allows a free download. Ask a price, or change the record."
        yield Missing("NOT_FREE", said, WHOSE[Fixer.LABEL], "refused", "May not be given away", "price")
    if cleared and states and not is_open and any(state != Rendition.State.READY for state in states):
        made = sum(state == Rendition.State.READY for state in states)
        if any(state == Rendition.State.FAILED for state in states):
            yield Missing(
                "FORMAT_FAILED", "A format could not be made.", WHOSE[Fixer.STORE], "refused", "Format failed"
            )
        yield Missing("FORMATS", f"Formats: {made} of {len(states)} made.", "", "waiting", "Being made")


def _before_decision(resting: Sequence[Record]) -> Iterable[Missing]:
    """What can be said of the rights before the engine has been asked the first time."""
    for layer, code in (("RECORDING", "NO_MASTER_LICENCE"), ("WORK", "NO_WORK_LICENCE")):
        of_layer = [record for record in resting if record.layer == layer]
        if not of_layer:
            text = REASONS[code]
            yield Missing(code, text.meaning, WHOSE[text.who], "refused", "No licence", "declare")
        for record in of_layer:
            if record.waits:
                said = f"{record.layer_word}: a reviewer looks at the evidence."
                yield Missing(
                    "NOT_REVIEWED", said, WHOSE[Fixer.REVIEWER], "waiting", "In review", "record", str(record.record_id)
                )


def reasons(verdict: Verdict, resting: Sequence[Record] = ()) -> list[Missing]:
    """The engine's reasons in its own order, each once: with the countries it holds in and all layers it is about.

    `resting` are the records in words: what waits for a reviewer is said as such, and a record that has another fault
    of its own is not said to wait as well.
    """
    states = {str(record.record_id): record for record in resting}
    where: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], list[Reason]] = {}
    faulty = {
        reason.record for group in verdict.refused for reason in group.reasons if reason.record and not _waits(reason)
    }
    for group in verdict.refused:
        for reason in group.reasons:
            if _waits(reason) and reason.record in faulty:
                continue
            record = states.get(reason.record)
            key = (reason.code, record.state if record and _waits(reason) else "")
            where[key] = where.get(key, 0) | group.countries
            if reason not in found.setdefault(key, []):
                found[key].append(reason)
    return [_reason(several, states, codes_of(where[key])) for key, several in found.items()]


def _waits(reason: Reason) -> bool:
    return reason.code == "NOT_REVIEWED"


def _reason(several: Sequence[Reason], states: Mapping[str, Record], countries: tuple[str, ...]) -> Missing:
    reason = several[0]
    text = REASONS[reason.code]
    kind: Kind = "refused"
    word, meaning, whose = "Not cleared", text.meaning, WHOSE[text.who]
    record = states.get(reason.record)
    if record is not None and record.waits and _waits(reason):
        kind, word, meaning = "waiting", "In review", "A reviewer looks at the evidence."
    elif record is not None and record.state == "REFUSED" and _waits(reason):
        word, whose, meaning = "Refused", WHOSE[Fixer.LABEL], f"A reviewer refused it: {record.reason}"
    layers = " and ".join(dict.fromkeys(records.LAYERS[one.layer].lower() for one in several if one.layer))
    said = f"{layers.capitalize()}: {meaning[0].lower()}{meaning[1:]}" if layers else meaning
    return Missing(
        code=reason.code,
        text=said,
        whose=whose,
        kind=kind,
        word=word,
        fix=FIXES.get(reason.code, ""),
        record=reason.record,
        countries=countries,
    )


def all_reasons(row: Row) -> list[Missing]:
    """Every reason of the decision in force, also where it says yes for some countries."""
    return reasons(Verdict.from_data(row.decision.verdict), row.records) if row.decision else []


def plain_amount(price: Price) -> str:
    """A price as one types it: 1.00."""
    return str(Money.of(price.amount_minor, price.currency)).partition(":")[2]


@dataclass(frozen=True)
class Line:
    """What became of one delivered file, and where its recording stands now."""

    path: str
    message: str
    row: Row | None
    kind: Kind
    word: str

    @property
    def missing(self) -> Sequence[Missing]:
        return self.row.missing if self.row else ()


@dataclass(frozen=True)
class Report:
    """A delivery as it stands this moment."""

    lines: Sequence[Line]
    ended: bool

    @property
    def made_formats(self) -> int:
        return sum(line.row.formats_made for line in self.lines if line.row)

    @property
    def total_formats(self) -> int:
        return sum(line.row.formats_due for line in self.lines if line.row)

    @property
    def summary(self) -> str:
        taken = [line.row for line in self.lines if line.row]
        refused = sum(line.kind == "refused" and line.row is None for line in self.lines)
        parts = [f"{len(taken)} recording{'' if len(taken) == 1 else 's'} here"]
        for words, number in (
            (
                "being examined",
                sum(row.master is not None and row.master.state == Master.State.EXAMINING for row in taken),
            ),
            ("in review", sum(any(one.code == "NOT_REVIEWED" for one in row.missing) for row in taken)),
            ("on sale", sum(row.is_open for row in taken)),
            ("files refused" if refused != 1 else "file refused", refused),
        ):
            if number:
                parts.append(f"{number} {words}")
        if self.total_formats:
            parts.append(f"formats {self.made_formats} of {self.total_formats} made")
        return "; ".join(parts) + "."


def report(delivery: Delivery, *, currency: str) -> Report:
    """Every file of a delivery with what has become of it since."""
    lines = list(delivery.lines.all())
    keys = {line.recording_id for line in lines if line.recording_id}
    read = {
        row.recording.pk: row for row in rows(Recording.objects.filter(pk__in=keys).with_credits(), currency=currency)
    }
    return Report(
        [_line(line, read.get(line.recording_id or 0)) for line in lines], ended=delivery.ended_at is not None
    )


def _line(line: DeliveryLine, row: Row | None) -> Line:
    outcomes: dict[str, tuple[Kind, str]] = {
        DeliveryLine.Outcome.REFUSED: ("refused", "Refused"),
        DeliveryLine.Outcome.WARNED: ("waiting", "Left out"),
        DeliveryLine.Outcome.ALREADY_HERE: ("", "Already here"),
        DeliveryLine.Outcome.DELIVERED: ("cleared", "Taken"),
    }
    kind, word = (row.kind, row.word) if row else outcomes[line.outcome]
    said = line.message if line.outcome != DeliveryLine.Outcome.DELIVERED or row is None else ""
    return Line(line.path, said, row, kind, word)


def deliveries_of(label: Party) -> QuerySet[Delivery]:
    """The label's deliveries, the latest first, with how many files each held and how many were refused."""
    refused = Q(lines__outcome=DeliveryLine.Outcome.REFUSED)
    found = Delivery.objects.filter(label=label).annotate(files=Count("lines"), refused=Count("lines", filter=refused))
    return found.order_by("-started_at", "-pk")
