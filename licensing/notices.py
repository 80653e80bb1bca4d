"""Takedowns, disputes, holds and recalls: who demands what and why, in force with the next request, ended by a row.

What is said in between (a counter-notice and its clock, the claimant's reply) is a row as well, and none is ever
changed: whoever reads a case later reads all of it. How each kind runs is data, in `notice_rules`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from catalog.models import Party, Recording, Release, Work
from licensing import affected, clearance, dossiers
from licensing.errors import NoticeRefused
from licensing.models import Instrument, Notice, NoticeAward, NoticeEnd, NoticeStep, RightsHolder
from licensing.notice_rules import (
    FEWEST_DAYS,
    MOST_DAYS,
    RULES,
    NoticeOutcome,
    Restores,
    Side,
    StepKind,
    clock_ends,
)
from licensing.terms import Layer, NoticeKind

Subject = Recording | Work | Release | Party

_NOTICE_LOCK = 0x4E54_0000_0000_0000  # and the notice's key: what is said about it and its end come one by one


def take_down(
    subject: Subject,
    *,
    claimant: str,
    statement: str,
    actor: str,
    at: datetime,
    kind: NoticeKind | str = NoticeKind.TAKEDOWN,
    contact: str = "",
    layer: Layer | str = "",
    instrument: Instrument | None = None,
    answers: Notice | None = None,
    deadline: datetime | None = None,
    holidays: Collection[date] = (),
) -> Notice:
    """Record a notice about a recording, work, release or label, and the refusals that follow from it.

    Both in one transaction: whatever was cleared is refused from the moment the notice is there. A dispute stops the
    `layer` it names, or both. Files and past buyers' copies stay, except after a recall. Without `answers`, a notice
    follows the last one about the same subject that has ended; without `deadline`, the label gets the time its kind
    allows. Raises NoticeRefused.
    """
    if kind not in {*NoticeKind} or layer not in {"", *Layer}:
        raise NoticeRefused(f"{kind!r} about {layer!r} is no notice. Choose one of {', '.join(NoticeKind)}.")
    if not claimant.strip() or not statement.strip():
        raise NoticeRefused("Say who demands it and why; whoever answers the notice needs both.")
    days = RULES[kind].answer_days
    if deadline is None and days is not None:
        deadline = clock_ends(at, days, holidays=holidays)
    with transaction.atomic():
        found = affected.by_subject(subject)
        clearance.lock(found)
        notice = Notice.objects.create(
            **{_field(subject): subject},
            kind=str(kind),
            layer=str(layer),
            claimant=claimant,
            contact=contact,
            statement=statement,
            instrument=instrument,
            answers=answers or about(subject).filter(end__isnull=False).last(),
            deadline=deadline,
            actor=actor,
            at=at,
        )
        clearance.decide_again(found, at=at, actor=actor)
    return notice


def counter(
    notice: Notice,
    *,
    name: str,
    contact: str,
    statement: str,
    actor: str,
    at: datetime,
    days: int = FEWEST_DAYS,
    by_itself: bool = False,
    holidays: Collection[date] = (),
    instrument: Instrument | None = None,
) -> NoticeStep:
    """The label says that the notice is wrong. A clock of `days` business days starts; the notice holds meanwhile.

    `by_itself` is the store's policy: whether what was taken down returns when the clock has run out unanswered. It
    counts only where the notice's kind allows it. Raises NoticeRefused.
    """
    rule = RULES.get(notice.kind)
    if rule is None or not rule.answerable:
        raise NoticeRefused("An order or a recall is not answered here; write to whoever ordered it.")
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise NoticeRefused(f"The clock of a counter-notice runs {FEWEST_DAYS} to {MOST_DAYS} business days.")
    if not contact.strip():
        raise NoticeRefused("Say how the other side can reach you; it must be able to answer.")
    with transaction.atomic():
        _hold(notice)
        if NoticeStep.objects.filter(notice=notice, kind=StepKind.COUNTER).exists():
            raise NoticeRefused("This notice was answered before. Add a statement to the case instead.")
        return _step(
            notice,
            StepKind.COUNTER,
            side=Side.LABEL,
            name=name,
            contact=contact,
            statement=statement,
            instrument=instrument,
            deadline=clock_ends(at, days, holidays=holidays),
            restores_by_itself=by_itself and rule.restores is Restores.CLOCK,
            actor=actor,
            at=at,
        )


def contest(
    notice: Notice,
    *,
    name: str,
    statement: str,
    actor: str,
    at: datetime,
    contact: str = "",
    side: Side | str = Side.CLAIMANT,
    instrument: Instrument | None = None,
) -> NoticeStep:
    """The claimant went to court or shows more: the clock stops, and only a reviewer lifts the notice from here on."""
    with transaction.atomic():
        _hold(notice)
        steps = set(NoticeStep.objects.filter(notice=notice).values_list("kind", flat=True))
        if StepKind.COUNTER not in steps:
            raise NoticeRefused("There is no counter-notice to answer. Add a statement to the case instead.")
        if StepKind.CONTEST in steps:
            raise NoticeRefused("The counter-notice was answered before. Add a statement to the case instead.")
        return _step(
            notice, StepKind.CONTEST, side=side, name=name, contact=contact, statement=statement,
            instrument=instrument, actor=actor, at=at,
        )  # fmt: skip


def say(
    notice: Notice,
    *,
    side: Side | str,
    name: str,
    statement: str,
    actor: str,
    at: datetime,
    contact: str = "",
    withdraws: bool = False,
    instrument: Instrument | None = None,
) -> NoticeStep:
    """Add what somebody says to the case; with `withdraws`, that the claimant gives up. Nothing moves by itself."""
    if side not in {*Side}:
        raise NoticeRefused(f"{side!r} is no side of a case. Choose one of {', '.join(Side)}.")
    kind = StepKind.WITHDRAWAL if withdraws else StepKind.STATEMENT
    with transaction.atomic():
        _hold(notice)
        return _step(
            notice, kind, side=side, name=name, contact=contact, statement=statement, instrument=instrument,
            actor=actor, at=at,
        )  # fmt: skip


def lift(
    notice: Notice,
    *,
    reason: str,
    actor: str,
    at: datetime,
    outcome: NoticeOutcome | str = NoticeOutcome.SETTLED,
    awards: Mapping[RightsHolder, Fraction] | None = None,
    instrument: Instrument | None = None,
    hashes: Mapping[int, str] | None = None,
) -> NoticeEnd:
    """End a notice; what it held back is decided anew at once.

    Who calls it inside a transaction brings `hashes_about` it from before. `awards` say which part of what a dispute
    was about is whose; the rest is as it was. Raises NoticeRefused where the notice has ended before, and where an
    order is lifted without the paper that ends it.
    """
    awards = awards or {}
    if not reason.strip():
        raise NoticeRefused("Say why the notice is lifted.")
    if outcome not in {*NoticeOutcome}:
        raise NoticeRefused(f"{outcome!r} is no outcome. Choose one of {', '.join(NoticeOutcome)}.")
    if instrument is None and notice.kind in RULES and RULES[notice.kind].needs_order:
        raise NoticeRefused("Attach the paper that ends the order; a court's or an authority's word is not guessed at.")
    if awards and notice.kind != NoticeKind.DISPUTE:
        raise NoticeRefused("Only a dispute awards a share: it alone is about whose the right is.")
    if any(share <= 0 for share in awards.values()) or sum(awards.values()) > 1:
        raise NoticeRefused("What is awarded must be more than nothing and together at most the whole.")
    if hashes is None:
        hashes = hashes_about(notice)
    with transaction.atomic():
        found = affected.by_subject(subject_of(notice))
        clearance.lock(found)
        _hold(notice, "The notice was lifted before. A new demand is a new notice.")
        end = NoticeEnd.objects.create(
            notice=notice, reason=reason, outcome=str(outcome), instrument=instrument, actor=actor, at=at
        )
        NoticeAward.objects.bulk_create(
            NoticeAward(end=end, holder=holder, share_numerator=share.numerator, share_denominator=share.denominator)
            for holder, share in awards.items()
        )
        clearance.decide_again(found, at=at, actor=actor, hashes=hashes)
    return end


def hashes_about(notice: Notice) -> dict[int, str]:
    """The present hashes of the evidence that is decided about when the notice ends. Call it outside a transaction."""
    return dossiers.hashes_of(affected.by_subject(subject_of(notice)).recordings)


def restore_due(
    *, at: datetime, actor: str, then: Callable[[NoticeEnd], object] = lambda _end: None
) -> list[NoticeEnd]:
    """Lift what a counter-notice's clock brings back by itself: it ran out, policy says so, and nobody contested.

    Each in a transaction of its own, in which `then` tells others.
    """
    ended = []
    for notice in clocks_over(at=at).filter(steps__kind=StepKind.COUNTER, steps__restores_by_itself=True):
        step, hashes = notice.steps.get(kind=StepKind.COUNTER), hashes_about(notice)
        with transaction.atomic():
            clearance.lock(affected.by_subject(subject_of(notice)))  # in the order in which `lift` takes them
            _lock(notice)
            if not clocks_over(at=at).filter(pk=notice.pk).exists():
                continue  # contested or lifted while we came
            last = (step.deadline or at) - timedelta(microseconds=1)
            reason = f"The counter-notice of {step.at:%-d %B %Y} was not contested until {last:%-d %B %Y}."
            outcome = NoticeOutcome.COUNTERED
            ended.append(lift(notice, reason=reason, outcome=outcome, actor=actor, at=at, hashes=hashes))
            then(ended[-1])
    return ended


def clocks_over(*, at: datetime) -> QuerySet[Notice]:
    """Notices that hold although a counter-notice's clock has run out uncontested: somebody must act, or the clock."""
    of_notice = NoticeStep.objects.filter(notice=OuterRef("pk"))
    return standing(at=at).filter(
        Exists(of_notice.filter(kind=StepKind.COUNTER, deadline__lte=at)),
        ~Exists(of_notice.filter(kind=StepKind.CONTEST)),
    )


def standing(*, at: datetime) -> QuerySet[Notice]:
    """The notices that hold at `at`, the oldest first."""
    return dossiers.open_notices(at=at)


def about(subject: Subject) -> QuerySet[Notice]:
    """Every notice there ever was about a subject, the oldest first."""
    return Notice.objects.filter(**{_field(subject): subject}).order_by("pk")


def with_history(rows: QuerySet[Notice]) -> QuerySet[Notice]:
    """The same, each with its steps and its end; three statements more."""
    steps = Prefetch("steps", NoticeStep.objects.select_related("instrument").order_by("pk"))
    return rows.select_related(
        "recording", "work", "release", "label", "instrument", "end__instrument", "answers"
    ).prefetch_related(steps, "end__awards__holder__party")


def recalled(recordings: Collection[int], *, at: datetime) -> frozenset[int]:
    """Those of these recordings that past buyers may not fetch again."""
    found = dossiers.load(recordings, at=at)
    keys = {evidence.recording: pk for pk, evidence in found.items()}
    return frozenset(
        keys[evidence.recording]
        for evidence in found.values()
        if any(notice.kind == NoticeKind.RECALL for notice in evidence.notices)
    )


def subject_of(notice: Notice) -> Subject:
    for subject in (notice.recording, notice.work, notice.release, notice.label):
        if subject is not None:
            return subject
    raise NoticeRefused("The notice is about nothing.")


def labels_of(notice: Notice) -> Sequence[Party]:
    """The labels that a notice strikes: they are told, and none of their own people may decide on it."""
    return labels_of_subject(subject_of(notice))


def labels_of_subject(subject: Subject) -> Sequence[Party]:
    """The labels that a notice about this would strike."""
    if isinstance(subject, Party):
        return [subject]
    if isinstance(subject, Release):
        return [subject.label]
    found = affected.by_subject(subject)
    own = Recording.objects.filter(pk__in=found.recordings).values("label")
    return list(Party.objects.filter(pk__in=own).order_by("pk"))


def _lock(notice: Notice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NOTICE_LOCK + notice.pk])


def _hold(notice: Notice, ended: str = "The notice has ended. A new demand is a new notice.") -> None:
    """Hold the notice until the transaction ends, and make sure that it still stands."""
    _lock(notice)
    if NoticeEnd.objects.filter(notice=notice).exists():
        raise NoticeRefused(ended)


def _step(notice: Notice, kind: StepKind, **fields: Any) -> NoticeStep:
    if not str(fields["name"]).strip() or not str(fields["statement"]).strip():
        raise NoticeRefused("Say who speaks and what they say.")
    fields["side"] = str(fields["side"])
    return NoticeStep.objects.create(notice=notice, kind=kind.value, **fields)


def _field(subject: Subject) -> str:
    names: dict[type, str] = {Recording: "recording", Work: "work", Release: "release", Party: "label"}
    return names[type(subject)]
