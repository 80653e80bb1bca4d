"""What each kind of notice stops, who may answer it, how long a clock runs, and what brings things back. Pure.

Days are business days: Monday to Friday, but for the holidays that the caller names. A clock ends with its last day.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from licensing.terms import NoticeKind

FEWEST_DAYS, MOST_DAYS = 10, 14  # between a counter-notice and the return of what it is about
_SATURDAY = 5


class StepKind(StrEnum):
    """What was said after a notice was entered."""

    COUNTER = "COUNTER"
    CONTEST = "CONTEST"
    WITHDRAWAL = "WITHDRAWAL"
    STATEMENT = "STATEMENT"


class Side(StrEnum):
    """Who said it."""

    LABEL = "LABEL"
    CLAIMANT = "CLAIMANT"
    DESK = "DESK"


class NoticeOutcome(StrEnum):
    """Why a notice ended."""

    WITHDRAWN = "WITHDRAWN"
    UNFOUNDED = "UNFOUNDED"
    COUNTERED = "COUNTERED"
    SETTLED = "SETTLED"
    DECIDED = "DECIDED"


class Restores(StrEnum):
    """What brings back what a notice stopped: a reviewer's word alone, or the end of the clock as well."""

    REVIEWER = "REVIEWER"
    CLOCK = "CLOCK"


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of notice runs. `answer_days` is the label's time to answer; None where there is nothing to answer.

    `needs_order` says that such a notice ends only on the paper of whoever ordered it.
    """

    answer_days: int | None
    restores: Restores
    keeps_copies: bool = True
    needs_order: bool = False

    @property
    def answerable(self) -> bool:
        return self.answer_days is not None


RULES: dict[str, Rule] = {
    NoticeKind.TAKEDOWN: Rule(FEWEST_DAYS, Restores.CLOCK),
    NoticeKind.DISPUTE: Rule(FEWEST_DAYS, Restores.REVIEWER),
    NoticeKind.LEGAL_HOLD: Rule(None, Restores.REVIEWER, needs_order=True),
    NoticeKind.RECALL: Rule(None, Restores.REVIEWER, keeps_copies=False),
}


def business_day(day: date, days: int, *, holidays: Collection[date] = ()) -> date:
    """The last of `days` business days after `day`, which itself never counts."""
    left = days
    while left > 0:
        day += timedelta(days=1)
        if day.weekday() < _SATURDAY and day not in holidays:
            left -= 1
    return day


def clock_ends(at: datetime, days: int, *, holidays: Collection[date] = ()) -> datetime:
    """The instant at which a clock of so many business days, started at `at`, has run out."""
    last = business_day(at.astimezone(UTC).date(), days, holidays=holidays)
    return datetime.combine(last + timedelta(days=1), time(), tzinfo=UTC)
