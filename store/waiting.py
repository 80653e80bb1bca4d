"""The reviewers' queue: what waits, the riskiest first, by filters, with its age and the clock it is held to.

Every list costs the same number of statements, whatever waits and however many records there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count, DateTimeField, DurationField, Exists, F, Func, Min, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.utils import timezone

from catalog.credits import artist_line
from catalog.models import Recording, RecordingWork
from licensing import assessments, licences, risk
from licensing.models import LicenceGrant, Question, Review, ReviewCase
from licensing.risk import Risk, RiskReason
from licensing.terms import ReviewOutcome
from store import access, records, rivals
from store.models import User
from store.records import Record
from transcoding.models import Finding

Clock = Literal["in time", "due", "late"]
STATES = {
    "new": "Nobody has looked yet",
    "asked": "The label is asked",
    "second": "A second reviewer is needed",
    "late": "Late",
}
STALE = timedelta(minutes=5)
AT_ONCE = 500

# How long the label had the word: the time of each open question, counted once where several were open together.
_WITH_LABEL = """(
    SELECT COALESCE(SUM(upper(span) - lower(span)), interval '0')
    FROM (
        SELECT unnest(range_agg(tstzrange(asked.at, GREATEST(asked.at, COALESCE(told.at, %s))))) AS span
        FROM licensing_question asked LEFT JOIN licensing_answer told ON told.question_id = asked.id
        WHERE asked.grant_id = licensing_licencegrant.id
    ) spans)"""


@dataclass(frozen=True)
class Filters:
    """What the reviewer wants to see of the queue. A value that nobody knows narrows it to nothing."""

    label: str = ""
    basis: str = ""
    layer: str = ""
    risk: str = ""
    state: str = ""

    @classmethod
    def read(cls, sent: Mapping[str, str]) -> "Filters":
        return cls(**{name: sent[name] for name in cls.__dataclass_fields__ if sent.get(name)})

    @property
    def kept(self) -> str:
        """The query string that keeps them."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def __bool__(self) -> bool:
        return any(asdict(self).values())


@dataclass(frozen=True)
class Waiting:
    """A record in the queue. `mine` says that this reviewer was the first of two and another must follow."""

    record: Record
    artist: str
    warnings: int
    own: bool
    risk: int
    risk_reasons: list[str]
    age: timedelta
    sla: Clock
    due_at: datetime | None
    asked: bool
    second: bool
    mine: bool

    def __getattr__(self, name: str) -> object:
        return getattr(self.record, name)

    @property
    def warning_words(self) -> str:
        return f"{self.warnings} thing{'' if self.warnings == 1 else 's'} to look at"


def in_review() -> Exists:
    """Of recordings: whether a record about one of them, or about a work heard in it, waits for a reviewer."""
    works = RecordingWork.objects.filter(recording=OuterRef(OuterRef("pk"))).values("work")
    return Exists(ReviewCase.objects.filter(Q(grant__recording=OuterRef("pk")) | Q(grant__work__in=works)))


def queue(filters: Filters | None = None, *, at: datetime | None = None, **named: str) -> QuerySet[LicenceGrant]:
    """What waits, the riskiest first, then the oldest; `named` are the same filters one by one."""
    wanted = filters or Filters(**named)
    found = _with_clock(records.waiting(), at or timezone.now())
    if wanted.label:
        found = found.filter(submitted_for__slug=wanted.label)
    if wanted.basis:
        found = found.filter(basis=wanted.basis)
    if wanted.layer:
        found = found.filter(layer=wanted.layer)
    if wanted.risk:
        found = found.filter(case__reasons__contains=[wanted.risk])
    if wanted.state:
        found = found.filter(_in_state(wanted.state))
    return found


def _with_clock(found: QuerySet[LicenceGrant], at: datetime) -> QuerySet[LicenceGrant]:
    """With `waited`, the time that counts: since the record came in, without the time the label was asked."""
    open_question = Question.objects.filter(grant=OuterRef("pk"), answer=None)
    return found.annotate(
        asked=Exists(open_question),
        waited=Value(at, DateTimeField()) - F("case__opened_at") - RawSQL(_WITH_LABEL, [at], DurationField()),  # noqa: S611 - our own text
    )


def _in_state(state: str) -> Q:
    known = {
        "new": Q(asked=False, case__seconding=False),
        "asked": Q(asked=True),
        "second": Q(case__seconding=True),
        "late": Q(asked=False, waited__gt=_limit()),
    }
    return known.get(state, Q(pk=None))


def _limit() -> timedelta:
    return timedelta(hours=settings.REVIEW_SLA_HOURS)


def older_than(grant: LicenceGrant) -> Q:
    """The records that stand before this one in the queue; none where the grant was read without its case."""
    case = _case_of(grant)
    if case is None:
        return Q(pk=None)
    return (
        Q(case__points__gt=case.points)
        | Q(case__points=case.points, case__opened_at__lt=case.opened_at)
        | Q(case__points=case.points, case__opened_at=case.opened_at, pk__lt=grant.pk)
    )


def _case_of(grant: LicenceGrant) -> ReviewCase | None:
    """The case as it was when the grant was read: after the decision the row is gone, and its place still counts."""
    try:
        return grant.case
    except ReviewCase.DoesNotExist:
        return None


def following(decided: LicenceGrant, filters: Filters) -> LicenceGrant | None:
    """The next of the same queue after a decision, from the top again where that was the last."""
    waiting = queue(filters).exclude(pk=decided.pk)
    return waiting.exclude(older_than(decided)).first() or waiting.first()


def waiting_since() -> tuple[int, datetime | None]:
    """How many records wait, and since when the oldest does. One statement."""
    found = ReviewCase.objects.aggregate(total=Count("pk"), oldest=Min("opened_at"))
    return found["total"], found["oldest"]


def options(*, at: datetime | None = None) -> dict[str, list[dict[str, object]]]:
    """How many wait by label, basis, layer, risk and state. Five statements."""
    waiting = LicenceGrant.objects.filter(case__isnull=False).order_by()
    labels = waiting.filter(submitted_for__isnull=False).values("submitted_for__slug", "submitted_for__name")
    by_risk = dict(
        ReviewCase.objects.annotate(reason=Func(F("reasons"), function="unnest"))
        .values_list("reason")
        .annotate(count=Count("pk"))
    )
    by_state = _with_clock(waiting, at or timezone.now()).aggregate(
        **{f"in_{code}": Count("pk", filter=_in_state(code)) for code in STATES}
    )
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
        "risks": [
            {"code": reason.value, "word": risk.WORDS[reason], "count": by_risk[reason.value]}
            for reason in RiskReason
            if by_risk.get(reason.value)
        ],
        "states": [{"code": code, "word": word, "count": by_state[f"in_{code}"]} for code, word in STATES.items()],
    }


def read_queue(grants: Iterable[LicenceGrant], *, reviewer: User, at: datetime | None = None) -> list[Waiting]:
    """Rows of `queue` in words. A fixed number of statements."""
    found = records.read(list(grants))
    about = assessments.recordings_of(record.grant for record in found)
    keys = {key for several in about.values() for key in several}
    noted = _noted(keys)
    artists = {one.pk: artist_line(one) for one in Recording.objects.filter(pk__in=keys).with_credits()}
    own = set(access.label_ids(reviewer))
    mine = set(
        Review.objects.filter(
            grant__in=[record.grant.pk for record in found], outcome=ReviewOutcome.APPROVED, reviewer=reviewer.actor
        ).values_list("grant", flat=True)
    )
    return [
        _row(
            record,
            artist=next((artists[key] for key in about[record.grant.pk]), ""),
            warnings=sum(noted.get(key, 0) for key in about[record.grant.pk])
            + (not record.grant.evidence.all())
            + (licence_trouble(record.grant) is not None),
            own=record.grant.submitted_for_id in own or record.grant.submitted_by == reviewer.actor,
            mine=record.grant.pk in mine,
            at=at or timezone.now(),
        )
        for record in found
    ]


def _row(record: Record, *, artist: str, warnings: int, own: bool, mine: bool, at: datetime) -> Waiting:
    grant: Any = record.grant  # with the annotations of `queue`
    case = grant.case
    return Waiting(
        record=record,
        artist=artist,
        warnings=warnings,
        own=own,
        risk=case.points,
        risk_reasons=risk.words(case.reasons),
        age=grant.waited,
        sla=clock(grant.waited, asked=grant.asked),
        due_at=None if grant.asked else at + _limit() - grant.waited,
        asked=grant.asked,
        second=case.seconding,
        mine=mine and case.seconding,
    )


def clock(waited: timedelta, *, asked: bool) -> Clock:
    """Due in the last quarter of the time a record may wait, late after it; never while the label has the word."""
    if not asked and waited > _limit():
        return "late"
    return "due" if not asked and waited > _limit() * 3 / 4 else "in time"


def _noted(recordings: Iterable[int]) -> dict[int, int]:
    """How many findings above a mere note each recording's masters have."""
    counted = (
        Finding.objects.filter(~Q(severity=Finding.Severity.NOTE), master__recording__in=set(recordings))
        .values("master__recording")
        .annotate(count=Count("pk"))
    )
    return {row["master__recording"]: row["count"] for row in counted}


def licence_trouble(grant: LicenceGrant) -> licences.LicenceError | None:
    if grant.basis != "PUBLIC_LICENCE":
        return None
    try:
        licences.parse(grant.licence_url or grant.licence_statement)
    except licences.LicenceError as error:
        return error
    return None


def assess(grants: Sequence[LicenceGrant], *, at: datetime) -> dict[int, Risk]:
    """Work out the risk anew from all that the shop knows. A fixed number of statements."""
    return assessments.assess(grants, at=at, outside=rivals.outside(grants))


def stale_cases(*, at: datetime) -> QuerySet[ReviewCase]:
    """The cases whose risk was never worked out, or some minutes ago."""
    return ReviewCase.objects.filter(Q(assessed_at=None) | Q(assessed_at__lt=at - STALE))


def assess_waiting(*, at: datetime, limit: int = AT_ONCE) -> int:
    """Work out the risk of those cases that nobody has worked out yet, or not for some minutes; how many there were.

    What a case's risk hangs on (a claim, a price, a sound, another label's record) changes without telling it.
    """
    due = stale_cases(at=at)
    keys = list(due.order_by(F("assessed_at").asc(nulls_first=True)).values_list("grant", flat=True)[:limit])
    if keys:
        assess(list(LicenceGrant.objects.filter(pk__in=keys).order_by("pk")), at=at)
    return len(keys)
