"""How the work goes, for operators: what waits and since when, how fast it is done, what fails, and what is stuck.

All of it is read from the rows that the work itself is; nothing here asks the queue what it believes. What is counted
over tries looks at the newest of them only, so that the page costs the same in a store of any age.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, Count, IntegerField, Max, Min, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Left

from licensing.models import Reclearance
from payments.models import StripeEvent
from store.models import EvidencePages, Letter, OrderLine, ReviewDue
from transcoding import claims, formats
from transcoding.errors import UnknownFormat
from transcoding.models import Attempt, Finding, Master, Rendition
from transcoding.renditions import AHEAD, BUYER_WAITS

TRIES = 5_000  # the newest, which all figures about tries are taken from
SINCE = timedelta(days=1)  # and no older than this
REFUSED_SINCE = timedelta(days=7)
LONGEST = 20  # rows of a list
LATE = timedelta(minutes=2)  # a claim that ran out this long ago was not taken up by anybody
REASON = 160  # letters of an error that tell reasons apart

PREVIEW, BUYER, LATER, EXAMINATION = "preview", "buyer", "ahead", "examination"
WORDS = {
    PREVIEW: "Previews",
    BUYER: "Files a buyer waits for",
    LATER: "Files made ahead of a sale",
    EXAMINATION: "Masters to examine",
    "review": "Offers to look at again",
    "reclearing": "Catalogues to decide again",
    "event": "Webhooks of Stripe",
    "refund": "Refunds under way",
    "letter": "Letters to send",
    "evidence": "Evidence to draw",
}
PATIENCE = {  # how long a row may wait before somebody should look
    PREVIEW: timedelta(minutes=15),
    BUYER: timedelta(minutes=5),
    LATER: timedelta(days=1),
    EXAMINATION: timedelta(minutes=15),
}


@dataclass(frozen=True)
class Backlog:
    """Owed work of one kind: what nobody has taken, what is in hands, and what rests before its next try."""

    code: str
    waiting: int
    at_work: int
    resting: int
    oldest: datetime | None

    @property
    def word(self) -> str:
        return WORDS[self.code]

    @property
    def owed(self) -> int:
        return self.waiting + self.at_work + self.resting

    def age(self, at: datetime) -> float:
        """Seconds that the oldest has been owed; nought where nothing is."""
        return max((at - self.oldest).total_seconds(), 0.0) if self.oldest else 0.0


@dataclass(frozen=True)
class Speed:
    """What became of one format in the time looked at: how much sound, and how long the workers were at it.

    All formats of a batch come out of one decode, so each file is charged its share of the batch's time.
    """

    code: str
    files: int
    sound_seconds: float
    busy_seconds: float

    @property
    def name(self) -> str:
        try:
            return formats.get(self.code).name
        except UnknownFormat:
            return self.code

    @property
    def family(self) -> str:
        try:
            known = formats.get(self.code)
        except UnknownFormat:
            return self.code
        return "Previews" if known.preview else known.family.value

    @property
    def realtime(self) -> float:
        """Seconds of sound for one second of work."""
        return self.sound_seconds / self.busy_seconds if self.busy_seconds else 0.0


@dataclass(frozen=True)
class Reason:
    """Why something failed, how often, and, where that is known, to which workers."""

    words: str
    count: int
    latest: datetime | None
    workers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stuck:
    """One row that should have moved, and why it is listed."""

    kind: str  # master or rendition, as the admin's pages are named
    key: int
    what: str
    since: datetime
    tries: int
    why: str
    error: str


class Try(NamedTuple):
    """One try at a file (`format`) or at an examination (none), with what is known of its sound."""

    key: int
    master: int
    format: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    error: str
    samples: int
    rate: int
    cut_ms: int | None
    worker: str

    @property
    def code(self) -> str:
        return self.format or EXAMINATION

    @property
    def sound_seconds(self) -> float:
        if self.cut_ms:
            return self.cut_ms / 1000
        return self.samples / self.rate if self.rate else 0.0

    def cut_short(self, at: datetime) -> bool:
        """Whether its worker died: nobody has renewed its claim for long, and it never ended."""
        return self.ended_at is None and self.started_at < at - LATE - claims.LEASE


@dataclass(frozen=True)
class Work:
    """What the newest tries tell."""

    since: datetime
    speeds: tuple[Speed, ...]
    examinations: Speed
    failed: tuple[Reason, ...]
    cut_short: int

    @property
    def families(self) -> list[Speed]:
        """The formats summed up by what they are members of, where most was made first."""
        found: dict[str, Speed] = {}
        for one in self.speeds:
            known = found.get(one.family, Speed(one.family, 0, 0.0, 0.0))
            found[one.family] = Speed(
                one.family, known.files + one.files, known.sound_seconds + one.sound_seconds,
                known.busy_seconds + one.busy_seconds,
            )  # fmt: skip
        return sorted(found.values(), key=lambda one: (-one.files, one.code))

    @property
    def files(self) -> int:
        return sum(one.files for one in self.speeds)

    @property
    def realtime(self) -> float:
        busy = sum(one.busy_seconds for one in self.speeds)
        return sum(one.sound_seconds for one in self.speeds) / busy if busy else 0.0


# ---- what waits ----------------------------------------------------------------------------------------------------


def backlogs(*, at: datetime) -> list[Backlog]:
    """All owed work by kind, audio first. Seven statements, whatever waits."""
    return [*_renditions(at), _examinations(at), *_rest(at)]


def _renditions(at: datetime) -> list[Backlog]:
    kind = Case(
        When(priority__lt=BUYER_WAITS, then=Value(PREVIEW)), When(priority__lt=AHEAD, then=Value(BUYER)),
        default=Value(LATER),
    )  # fmt: skip
    owed = Rendition.objects.filter(state__in=["PLANNED", "MAKING"]).annotate(kind=kind)
    held = Q(claimed_until__gt=at)
    rows = owed.values("kind").annotate(
        at_work=Count("pk", filter=held & Q(state="MAKING")),
        resting=Count("pk", filter=held & Q(state="PLANNED")),
        owed=Count("pk"),
        oldest=Min("planned_at"),
    )
    found = {
        row["kind"]: Backlog(
            row["kind"], row["owed"] - row["at_work"] - row["resting"], row["at_work"], row["resting"], row["oldest"]
        )
        for row in rows.order_by("kind")
    }
    return [found.get(code, Backlog(code, 0, 0, 0, None)) for code in (PREVIEW, BUYER, LATER)]


def _examinations(at: datetime) -> Backlog:
    """A master says nowhere whether its claim is work or rest; one that failed before and is held rests."""
    held = Q(claimed_until__gt=at)
    working = Q(tries__ended_at=None, tries__rendition=None)
    row = Master.objects.filter(state=Master.State.EXAMINING).aggregate(
        owed=Count("pk", distinct=True),
        held=Count("pk", filter=held, distinct=True),
        at_work=Count("pk", filter=held & working, distinct=True),
        oldest=Min("created_at"),
    )
    return Backlog(EXAMINATION, row["owed"] - row["held"], row["at_work"], row["held"] - row["at_work"], row["oldest"])


def _rest(at: datetime) -> list[Backlog]:
    """The store's other debts, each by the column that says since when."""
    debts: tuple[tuple[str, QuerySet[Any], str], ...] = (
        ("review", ReviewDue.objects.all(), "marked_at"),
        ("reclearing", Reclearance.objects.filter(done_at=None), "made_at"),
        ("event", StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED), "received_at"),
        ("evidence", EvidencePages.objects.filter(state=EvidencePages.State.DUE), "next_try_at"),
    )
    found = []
    for code, rows, since in debts:
        row = rows.aggregate(owed=Count("pk"), held=Count("pk", filter=Q(claimed_until__gt=at)), oldest=Min(since))
        found.append(Backlog(code, row["owed"] - row["held"], row["held"], 0, row["oldest"]))
    letters = Letter.objects.filter(sent_at=None).aggregate(owed=Count("pk"), oldest=Min("owed_at"))
    found.append(Backlog("letter", letters["owed"], 0, 0, letters["oldest"]))
    refunds = OrderLine.objects.filter(state=OrderLine.State.REFUND_DUE).aggregate(owed=Count("pk"))
    found.append(Backlog("refund", refunds["owed"], 0, 0, None))
    return found


# ---- what was done -------------------------------------------------------------------------------------------------


def tries(rows: QuerySet[Attempt]) -> list[Try]:
    """Tries as they are counted. One statement."""
    found = rows.values_list(
        "pk", "master_id", "rendition__format", "started_at", "ended_at", "outcome",
        Left("error", REASON), "master__samples", "master__sample_rate", "rendition__cut__length_ms", "worker",
    )  # fmt: skip
    return [Try(*one) for one in found]


def work(*, at: datetime) -> Work:
    """What the newest tries were, of at most a day. One statement."""
    newest = tries(Attempt.objects.order_by("-pk")[:TRIES])
    since = at - SINCE
    if len(newest) == TRIES:
        since = max(since, newest[-1].started_at)
    recent = [one for one in newest if one.started_at >= since]
    made = {one.code: one for one in speeds(recent)}
    examinations = made.pop(EXAMINATION, Speed(EXAMINATION, 0, 0.0, 0.0))
    cut_short = sum(one.cut_short(at) for one in recent)
    return Work(since, tuple(made.values()), examinations, _reasons(recent), cut_short)


def speeds(found: Iterable[Try]) -> list[Speed]:
    """What was done of each format, by its code; examinations count as one."""
    batches: dict[tuple[int, datetime], list[tuple[Try, datetime]]] = defaultdict(list)
    for one in found:
        if one.outcome == Attempt.Outcome.DONE and one.ended_at is not None:
            batches[one.master, one.started_at].append((one, one.ended_at))
    files: Counter[str] = Counter()
    sound: dict[str, float] = defaultdict(float)
    busy: dict[str, float] = defaultdict(float)
    for (_, started), batch in batches.items():
        share = (max(ended for _, ended in batch) - started).total_seconds() / len(batch)
        for one, _ in batch:
            files[one.code] += 1
            sound[one.code] += one.sound_seconds
            busy[one.code] += share
    return [Speed(code, files[code], sound[code], busy[code]) for code in sorted(files)]


def _reasons(found: Iterable[Try]) -> tuple[Reason, ...]:
    count: Counter[str] = Counter()
    latest: dict[str, datetime] = {}
    workers: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if one.outcome == Attempt.Outcome.FAILED and one.ended_at is not None:
            count[one.error] += 1
            workers[one.error] |= {one.worker} - {""}
            latest[one.error] = max(latest.get(one.error, one.ended_at), one.ended_at)
    return tuple(
        Reason(words, number, latest[words], tuple(sorted(workers[words])))
        for words, number in count.most_common(LONGEST)
    )


# ---- what went wrong -----------------------------------------------------------------------------------------------


def given_up() -> list[Reason]:
    """Files that will not be made until somebody asks again, by reason."""
    rows = Rendition.objects.filter(state=Rendition.State.FAILED).values(words=Left("error", REASON))
    counted = rows.annotate(count=Count("pk"), latest=Max("planned_at")).order_by("-count", "words")
    return [Reason(**row) for row in counted[:LONGEST]]


def refused(*, at: datetime) -> list[Reason]:
    """Deliveries of the last days that cannot be used, by what was found in them."""
    rows = Finding.objects.filter(severity=Finding.Severity.FATAL, master__created_at__gte=at - REFUSED_SINCE)
    counted = rows.values(words=Left("code", REASON)).annotate(count=Count("pk"), latest=Max("master__created_at"))
    return [Reason(**row) for row in counted.order_by("-count", "words")[:LONGEST]]


def stuck(*, at: datetime) -> list[Stuck]:
    """Rows that should have moved: left by their worker and not taken up, cut short often, or waiting too long."""
    lost, often = Q(claimed_until__lt=at - LATE), Q(fence__gte=claims.SUSPICIOUS)
    found = [
        Stuck("master", row.pk, row.recording.title, row.created_at, row.fence, _why(row, EXAMINATION, at), "")
        for row in Master.objects.filter(
            lost | often | Q(created_at__lt=at - PATIENCE[EXAMINATION]), state=Master.State.EXAMINING
        )
        .select_related("recording")
        .order_by("created_at")[:LONGEST]
    ]
    late = Coalesce(
        Case(
            When(priority__lt=BUYER_WAITS, planned_at__lt=at - PATIENCE[PREVIEW], then=1),
            When(priority__gte=BUYER_WAITS, priority__lt=AHEAD, planned_at__lt=at - PATIENCE[BUYER], then=1),
            When(planned_at__lt=at - PATIENCE[LATER], then=1),
            output_field=IntegerField(),
        ),
        0,
    )
    owed = Rendition.objects.filter(state__in=["PLANNED", "MAKING"]).annotate(late=late)
    rows = owed.filter(lost | often | Q(late=1)).select_related("master__recording")
    for row in rows.order_by("priority", "planned_at")[:LONGEST]:
        kind = PREVIEW if row.priority < BUYER_WAITS else BUYER if row.priority < AHEAD else LATER
        what = f"{row.master.recording.title}, {row.format}"
        found.append(Stuck("rendition", row.pk, what, row.planned_at, row.fence, _why(row, kind, at), row.error))
    return found


def _why(row: Master | Rendition, kind: str, at: datetime) -> str:
    if row.fence >= claims.SUSPICIOUS:
        return f"taken {row.fence} times and never finished"
    if row.claimed_until and row.claimed_until < at - LATE:
        return "left by its worker, and nobody took it up"
    return f"waits longer than {_minutes(PATIENCE[kind])}"


def _minutes(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hours"  # noqa: PLR2004
