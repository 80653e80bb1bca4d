"""Taking rows to work on, keeping them while one works, and losing them when one is away too long.

A claim is a lease: it lasts LEASE and is renewed by a beat for as long as the work goes on. Whoever dies lets it run
out; whoever comes back late holds an old fence, and none of his words count any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from transcoding.errors import LateWorker, TranscodingError
from transcoding.models import Attempt, Master, Rendition

LEASE = timedelta(seconds=30)
BEAT = timedelta(seconds=7)
MAX_ATTEMPTS = 3  # tries that failed by themselves
MAX_CLAIMS = 40  # tries of any end: a file that kills its worker each time is given up too
SUSPICIOUS = 4  # claims after which a row is tried alone, so that it spoils no other's work
WAIT = timedelta(seconds=10)  # before the next try; twice as long each time


def waiting(at: datetime) -> Q:
    """Rows that nobody holds at `at`, or whose holder has let them go."""
    return Q(claimed_until__isnull=True) | Q(claimed_until__lte=at)


@dataclass(frozen=True)
class Claim:
    """One row in our hands: the master's examination, or a rendition."""

    row: Master | Rendition
    fence: int

    @property
    def attempts(self) -> Q:
        if isinstance(self.row, Master):
            return Q(master=self.row, rendition=None, fence=self.fence)
        return Q(rendition=self.row, fence=self.fence)

    def begin(self, *, at: datetime) -> None:
        """Write down that this try began."""
        rendition = self.row if isinstance(self.row, Rendition) else None
        master = self.row if isinstance(self.row, Master) else self.row.master
        Attempt.objects.create(master=master, rendition=rendition, fence=self.fence, started_at=at)

    def end(self, outcome: Attempt.Outcome, *, at: datetime, error: str = "") -> None:
        Attempt.objects.filter(self.attempts).update(ended_at=at, outcome=outcome, error=error)


class Pulse:
    """Called about once a second by whatever takes long; renews the claims, or raises LateWorker when they are lost."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims
        self.next = timezone.now() + BEAT

    def __call__(self) -> None:
        now = timezone.now()
        if now < self.next:
            return
        self.next = now + BEAT
        for claim in self.claims:
            state = "EXAMINING" if isinstance(claim.row, Master) else "MAKING"
            mine = type(claim.row)._default_manager.filter(pk=claim.row.pk, fence=claim.fence, state=state)  # noqa: SLF001
            if not mine.update(claimed_until=now + LEASE):
                raise LateWorker(f"{claim.row} passed to another worker.")

    def drop(self, claim: Claim) -> None:
        """Stop renewing a claim whose work is done."""
        self.claims = [each for each in self.claims if each is not claim]


def next_try(attempts: int, error: TranscodingError | OSError, *, at: datetime) -> datetime:
    """When a failed row may be tried again: soon for what may heal by itself, later each time for the rest."""
    again = isinstance(error, OSError) or error.retry
    return at + (WAIT if again else WAIT * 2**attempts)


def counts(error: TranscodingError | OSError) -> bool:
    """Is this failure the file's own, so that three of them mean giving up? A full disk or a lost store is not."""
    return not isinstance(error, OSError) and not error.retry
