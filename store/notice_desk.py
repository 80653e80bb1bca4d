"""The desk's acts on notices: licensing's own act, and the letters that tell both sides, in one transaction.

Whoever demanded something learns that it holds, that it was answered, and how it ended; the label learns what it may
say and until when. A link in the claimant's letters leads to a page of her own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from catalog.models import Party, RecordingWork, Work
from licensing import notices
from licensing.models import Instrument, Notice, NoticeEnd, NoticeStep, RightsHolder
from licensing.notice_rules import RULES, NoticeOutcome, Restores, Side, StepKind
from licensing.notices import Subject
from licensing.terms import Layer, NoticeKind
from store import access, bells, demands, letters
from store.errors import DemandRefused, NotAllowed
from store.models import Demand, Membership, User
from store.templatetags.shop import last_day

SALT = "store.notice_desk.claimant"
Kind = Literal["cleared", "waiting", "refused", ""]

KINDS: dict[str, str] = {
    NoticeKind.TAKEDOWN: "Takedown",
    NoticeKind.DISPUTE: "Dispute",
    NoticeKind.LEGAL_HOLD: "Legal hold",
    NoticeKind.RECALL: "Recall",
}
OUTCOMES: dict[str, str] = {
    NoticeOutcome.WITHDRAWN: "Withdrawn by whoever demanded it",
    NoticeOutcome.UNFOUNDED: "Unfounded",
    NoticeOutcome.COUNTERED: "Answered, and not contested in time",
    NoticeOutcome.SETTLED: "Settled between the parties",
    NoticeOutcome.DECIDED: "Decided by a court or authority",
}
STEPS: dict[str, str] = {
    StepKind.COUNTER: "Counter-notice",
    StepKind.CONTEST: "Counter-notice contested",
    StepKind.WITHDRAWAL: "Demand given up",
    StepKind.STATEMENT: "Statement",
}
SIDES: dict[str, str] = {Side.LABEL: "the label", Side.CLAIMANT: "the claimant", Side.DESK: "the desk"}
LAYERS: dict[str, str] = {"": "recording and work", Layer.RECORDING: "the recording", Layer.WORK: "the work"}


@dataclass(frozen=True)
class Event:
    """One thing that happened in a case."""

    at: datetime
    word: str
    who: str
    text: str
    kind: Kind = ""
    paper: Instrument | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """A notice with all that was said about it, in words."""

    notice: Notice
    steps: Sequence[NoticeStep] = field(default_factory=tuple)
    end: NoticeEnd | None = None
    at: datetime | None = None

    @property
    def subject(self) -> Subject:
        return notices.subject_of(self.notice)

    @property
    def title(self) -> str:
        return demands.title_of(self.subject)

    @property
    def kind_word(self) -> str:
        return KINDS.get(self.notice.kind, self.notice.kind)

    @property
    def layer_word(self) -> str:
        return LAYERS["WORK" if self.notice.work_id else self.notice.layer]

    @property
    def counter(self) -> NoticeStep | None:
        return next((step for step in self.steps if step.kind == StepKind.COUNTER), None)

    @property
    def contested(self) -> bool:
        return any(step.kind == StepKind.CONTEST for step in self.steps)

    @property
    def withdrawn(self) -> bool:
        return any(step.kind == StepKind.WITHDRAWAL for step in self.steps)

    @property
    def state(self) -> tuple[Kind, str]:
        """Where the case stands, and whose turn it is."""
        if self.end is not None:
            return "", "Lifted"
        if self.withdrawn:
            return "waiting", "Given up: lift it"
        if self.contested:
            return "refused", "Contested"
        if self.counter is not None:
            over = self.at is not None and self.counter.deadline is not None and self.counter.deadline <= self.at
            return ("waiting", "Clock run out: decide") if over else ("waiting", "Answered")
        return "refused", "Holds"

    @property
    def answerable(self) -> bool:
        """Whether the label may still send a counter-notice."""
        rule = RULES.get(self.notice.kind)
        return self.end is None and self.counter is None and rule is not None and rule.answerable

    @property
    def needs_paper(self) -> bool:
        rule = RULES.get(self.notice.kind)
        return rule is not None and rule.needs_order

    @property
    def returns_by_itself(self) -> bool:
        return self.counter is not None and bool(self.counter.restores_by_itself) and not self.contested

    @property
    def events(self) -> list[Event]:
        """What happened, the oldest first."""
        notice = self.notice
        found = [
            Event(
                notice.at, self.kind_word, notice.claimant, notice.statement, "refused", notice.instrument,
                f"To be answered until {day(notice.deadline)}" if notice.deadline else "",
            )
        ]  # fmt: skip
        for step in self.steps:
            note = ""
            if step.deadline is not None:
                then = "returns by itself then" if step.restores_by_itself else "a reviewer decides then"
                note = f"The clock runs until {day(step.deadline)}; {then}."
            kind: Kind = "waiting" if step.kind == StepKind.COUNTER else ""
            word, who = STEPS[step.kind], f"{step.name}, {SIDES[step.side]}"
            found.append(Event(step.at, word, who, step.statement, kind, step.instrument, note))
        if self.end is not None:
            outcome = OUTCOMES.get(self.end.outcome or "", "")
            awarded = ", ".join(
                f"{award.holder.party.name}: {Fraction(award.share_numerator, award.share_denominator)}"
                for award in self.end.awards.all()
            )
            note = f"{outcome}. Awarded to {awarded}." if awarded else outcome
            found.append(
                Event(self.end.at, "Lifted", "the desk", self.end.reason, "cleared", self.end.instrument, note)
            )
        return found


def day(until: datetime) -> str:
    """The last day of a time that ends at an instant, in words."""
    return f"{last_day(until):%-d %B %Y}"


def read(rows: QuerySet[Notice], *, at: datetime) -> list[Case]:
    """Notices as cases; a fixed number of statements."""
    return [
        Case(notice, tuple(notice.steps.all()), getattr(notice, "end", None), at)
        for notice in notices.with_history(rows)
    ]


def case(notice: Notice, *, at: datetime) -> Case:
    return read(Notice.objects.filter(pk=notice.pk), at=at)[0]


def earlier(notice: Notice, *, at: datetime) -> list[Case]:
    """Every other notice there was about the same subject, the oldest first: a demand that comes back shows."""
    return read(notices.about(notices.subject_of(notice)).exclude(pk=notice.pk), at=at)


def of_label(label: Party) -> QuerySet[Notice]:
    """The notices that strike a label: about itself, its releases, its recordings, or a work heard in those."""
    mine = (
        Notice.objects.filter(label=label)
        | Notice.objects.filter(release__label=label)
        | Notice.objects.filter(recording__label=label)
        | Notice.objects.filter(work__in=_works_of(label))
    )
    return mine.order_by("-pk")


def _works_of(label: Party) -> QuerySet[Work]:
    heard = RecordingWork.objects.filter(recording__label=label)
    return Work.objects.filter(pk__in=heard.values("work"))


def is_paper(instrument: Instrument) -> bool:
    """Whether somebody handed this in for a case or a report."""
    rows = (Notice.objects, NoticeStep.objects, NoticeEnd.objects, Demand.objects)
    return any(each.filter(instrument=instrument).exists() for each in rows)


def require_independent(user: User, struck: Iterable[Party]) -> None:
    """Nobody decides on a notice that strikes her own label. Raises NotAllowed."""
    if set(access.label_ids(user)) & {label.pk for label in struck}:
        raise NotAllowed("This notice strikes a label you belong to. Somebody else must decide.")


# -- Acts --------------------------------------------------------------------------------------------------------------


def enter(
    subject: Subject,
    *,
    kind: NoticeKind | str,
    claimant: str,
    contact: str,
    statement: str,
    actor: str,
    at: datetime,
    layer: str = "",
    instrument: Instrument | None = None,
    deadline: datetime | None = None,
    demand: Demand | None = None,
) -> Notice:
    """A notice, from the desk's own mail or out of a `demand`; both sides are told. Raises NoticeRefused."""
    with transaction.atomic():
        notice = notices.take_down(
            subject,
            kind=kind,
            claimant=claimant,
            contact=contact,
            statement=statement,
            layer=layer,
            instrument=instrument,
            deadline=deadline,
            holidays=settings.NOTICE_HOLIDAYS,
            actor=actor,
            at=at,
        )
        if demand is not None:
            mine = Demand.objects.filter(pk=demand.pk, state=Demand.State.WAITING).update(
                state=Demand.State.ENTERED, notice=notice, decided_by=actor, decided_at=at
            )
            if not mine:
                raise DemandRefused("This report was dealt with before.")
        _tell(notice, "notice", at=at)
        _ring()
    return notice


def accept(demand: Demand, *, actor: str, at: datetime) -> Notice:
    """Make a notice of what somebody demanded. Raises NoticeRefused or DemandRefused."""
    name = f"{demand.on_behalf_of} (by {demand.name})" if demand.on_behalf_of else demand.name
    return enter(
        demands.subject_of(demand),
        kind=demand.kind,
        layer=demand.layer,
        claimant=name[:200],
        contact=demand.email,
        statement=demand.statement,
        instrument=demand.instrument,
        demand=demand,
        actor=actor,
        at=at,
    )


def counter(
    notice: Notice,
    *,
    name: str,
    contact: str,
    statement: str,
    actor: str,
    at: datetime,
    instrument: Instrument | None = None,
) -> NoticeStep:
    """The label's counter-notice: the clock starts, and the claimant reads what it says. Raises NoticeRefused."""
    with transaction.atomic():
        step = notices.counter(
            notice,
            name=name,
            contact=contact,
            statement=statement,
            instrument=instrument,
            days=settings.COUNTER_NOTICE_DAYS,
            by_itself=settings.COUNTER_NOTICE_RESTORES,
            holidays=settings.NOTICE_HOLIDAYS,
            actor=actor,
            at=at,
        )
        _tell(notice, "counter", at=at, step=step)
    return step


def reply(
    notice: Notice,
    *,
    what: str,
    name: str,
    statement: str,
    actor: str,
    at: datetime,
    side: Side | str = Side.CLAIMANT,
    instrument: Instrument | None = None,
) -> NoticeStep:
    """What one side answers: `what` is a `StepKind` other than COUNTER. Raises NoticeRefused."""
    with transaction.atomic():
        if what == StepKind.CONTEST:
            step = notices.contest(
                notice, name=name, statement=statement, side=side, instrument=instrument, actor=actor, at=at
            )
        else:
            step = notices.say(
                notice, side=side, name=name, statement=statement, withdraws=what == StepKind.WITHDRAWAL,
                instrument=instrument, actor=actor, at=at,
            )  # fmt: skip
        if side != Side.DESK:
            _tell(notice, "reply", at=at, step=step)
    return step


def lift(
    notice: Notice,
    *,
    reason: str,
    actor: str,
    at: datetime,
    outcome: NoticeOutcome | str,
    awards: Mapping[RightsHolder, Fraction] | None = None,
    instrument: Instrument | None = None,
) -> NoticeEnd:
    """End a notice and tell both sides; what is cleared goes back on sale within seconds. Raises NoticeRefused."""
    hashes = notices.hashes_about(notice)
    with transaction.atomic():
        end = notices.lift(
            notice, reason=reason, outcome=outcome, awards=awards, instrument=instrument, actor=actor, at=at,
            hashes=hashes,
        )  # fmt: skip
        _tell(notice, "lifted", at=at)
        _ring()
        bells.ring("store.tasks.look_after_notices")
    return end


def restore_due(*, at: datetime) -> int:
    """Bring back what a counter-notice's clock brings back by itself, and tell both sides; returns how many."""

    def tell(end: NoticeEnd) -> None:
        _tell(end.notice, "lifted", at=at)
        _ring()

    return len(notices.restore_due(at=at, actor="task:restore", then=tell))


# -- The claimant's own page -------------------------------------------------------------------------------------------


def token_of(notice: Notice) -> str:
    return signing.Signer(salt=SALT).sign(notice.public_id.hex)


def by_token(token: str) -> Notice:
    """The notice that a claimant's link names. Raises DemandRefused, always in the same words."""
    try:
        key = signing.Signer(salt=SALT).unsign(token)
        notice = Notice.objects.filter(public_id=key).first()
    except (signing.BadSignature, ValueError):
        notice = None
    if notice is None:
        raise DemandRefused("This link is not whole. Copy all of it from the letter.")
    return notice


def people_of(struck: Iterable[Party]) -> list[str]:
    """The addresses of everybody who works for these labels."""
    rows = Membership.objects.filter(label__in=[label.pk for label in struck], user__is_active=True)
    return list(rows.order_by("user__email").values_list("user__email", flat=True).distinct())


def _tell(notice: Notice, what: str, *, at: datetime, step: NoticeStep | None = None) -> None:
    """Both sides of a case, each in a letter of its own; whoever spoke last hears nothing of it again."""
    told = case(notice, at=at)
    about = str(step.public_id if step else notice.public_id)
    struck = notices.labels_of(notice)
    page = f"{settings.SITE_URL}{reverse('notice-claimant', args=[token_of(notice)])}"
    subjects = {
        "notice": f"{told.kind_word}: {told.title}",
        "counter": f"Counter-notice: {told.title}",
        "reply": f"Answer about {told.title}",
        "lifted": f"Lifted: {told.title}",
    }
    common: dict[str, Any] = {
        "at": at, "case": told, "notice": notice, "step": step, "end": told.end,
        "outcome": OUTCOMES.get(told.end.outcome or "", "") if told.end else "",
        "by_clock": RULES[notice.kind].restores is Restores.CLOCK,
    }  # fmt: skip
    speaker = step.side if step else ""
    if speaker != Side.LABEL:
        for label in struck:
            letters.owe(
                f"{what}_label", about=f"{about}:{label.pk}", to=people_of([label]), subject=subjects[what],
                template=f"{what}_label", label=label,
                link=f"{settings.SITE_URL}{reverse('studio-notice', args=[label.slug, notice.public_id])}", **common,
            )  # fmt: skip
    if speaker != Side.CLAIMANT and "@" in notice.contact:
        letters.owe(
            f"{what}_claimant", about=about, to=[notice.contact], subject=subjects[what],
            template=f"{what}_claimant", link=page, **common,
        )  # fmt: skip


def _ring() -> None:
    """The offers were shut with the notice; a worker brings them back in line with what is cleared now."""
    bells.ring("store.tasks.review_offers")
