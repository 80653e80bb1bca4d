"""Taking rows to work on, keeping them while one works, and losing them when one is away too long.

A claim is a lease: it lasts LEASE and is renewed by a beat for as long as the work goes on. Whoever dies lets it run
out; whoever comes back late holds an old fence, and none of his words count any more.
"""

import contextlib
import functools
import operator
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import current_task
from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from transcoding.errors import KILLED, LateWorker, TranscodingError
from transcoding.models import Attempt, Master, Rendition

LEASE = timedelta(seconds=30)
BEAT = timedelta(seconds=7)
LOOK_SECONDS = 1.0
MAX_ATTEMPTS = 3  # tries that failed by themselves
MAX_CLAIMS = 40  # tries of any end: a file that kills its worker each time is given up too
SUSPICIOUS = 4  # claims after which a row is tried alone, so that it spoils no other's work
WAIT = timedelta(seconds=10)  # before the next try; twice as long each time
LONGEST_WAIT = timedelta(minutes=5)  # for what may heal by itself


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

    def begun(self, *, at: datetime) -> Attempt:
        rendition = self.row if isinstance(self.row, Rendition) else None
        master = self.row if isinstance(self.row, Master) else self.row.master
        return Attempt(master=master, rendition=rendition, fence=self.fence, started_at=at, worker=_worker())

    def end(self, outcome: Attempt.Outcome, *, at: datetime, error: str = "") -> None:
        Attempt.objects.filter(self.attempts).update(ended_at=at, outcome=outcome, error=error)


def _worker() -> str:
    return str(current_task.request.hostname or "") if current_task else socket.gethostname()


def begin(claims: Sequence[Claim], *, at: datetime) -> None:
    """Write down that these tries began."""
    Attempt.objects.bulk_create(claim.begun(at=at) for claim in claims)


def _in_hand(claims: Sequence[Claim]) -> Iterator[tuple[QuerySet[Any], int]]:
    """The rows of these claims that nobody took since, by kind, and how many there should be."""
    for model, state in ((Master, Master.State.EXAMINING), (Rendition, Rendition.State.MAKING)):
        mine = [claim for claim in claims if isinstance(claim.row, model)]
        if mine:
            ours = functools.reduce(operator.or_, (Q(pk=claim.row.pk, fence=claim.fence) for claim in mine))
            yield model._default_manager.filter(ours, state=state), len(mine)  # noqa: SLF001 - documented


class Pulse:
    """Called often by whatever takes long. About once a second it renews the claims, writes down how far the work has
    come, and lets `meanwhile` do what is more urgent; it raises LateWorker when a claim is lost.

    `outer` is the pulse of work that rests for this one: its claims are kept alive too. If they are lost, that work
    finds it out by itself when it goes on.
    """

    def __init__(
        self,
        claims: Sequence[Claim],
        *,
        outer: "Pulse | None" = None,
        meanwhile: "Callable[[Pulse], object] | None" = None,
    ) -> None:
        self.claims = list(claims)
        self.outer, self.meanwhile = outer, meanwhile
        self.next = timezone.now() + BEAT
        self.look = time.monotonic() + LOOK_SECONDS
        self._moving: Sequence[Claim] = ()
        self._permille = self._written = 0

    def __call__(self) -> None:
        if time.monotonic() < self.look:
            return
        self.renew()
        self._write()
        if self.outer is not None:
            with contextlib.suppress(LateWorker):
                self.outer.renew()
        if self.meanwhile is not None:
            self.meanwhile(self)
        self.look = time.monotonic() + LOOK_SECONDS

    def renew(self) -> None:
        now = timezone.now()
        if now < self.next:
            return
        self.next = now + BEAT
        for rows, count in _in_hand(self.claims):
            if rows.update(claimed_until=now + LEASE) != count:
                raise LateWorker("It passed to another worker while this one was away.")

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the claims alive around what says nothing while it lasts, such as fetching a file of gigabytes."""
        over = threading.Event()

        def keep() -> None:
            if over.wait(BEAT.total_seconds()):
                return  # most are over before they need a connection of their own
            try:
                while True:
                    self.renew()
                    if self.outer is not None:
                        self.outer.renew()
                    if over.wait(BEAT.total_seconds()):
                        return
            except (LateWorker, DatabaseError):
                pass  # the next beat finds it out
            finally:
                connection.close()

        thread = threading.Thread(target=keep, name="pulse")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def drop(self, claim: Claim) -> None:
        """Stop renewing a claim whose work is done."""
        self.claims = [each for each in self.claims if each is not claim]

    def follow(self, moving: Sequence[Claim]) -> None:
        """From now on `heard` tells of the sound of these."""
        self._moving, self._permille, self._written = moving, 0, 0

    def heard(self, share: float) -> None:
        """How much of the sound has gone through, from nought to one; the next beat writes it down."""
        self._permille = min(1000, int(share * 1000))

    def _write(self) -> None:
        if self._permille != self._written:
            self._written = self._permille
            for rows, _ in _in_hand(self._moving):
                rows.update(permille=self._permille)


def worn_out(row: Master | Rendition) -> bool:
    """Was this work cut short so often, its worker or its program killed, that it seems to be the file's doing?

    Failures that came back with a reason are not counted here: a disk may be full for long.
    """
    if row.fence <= MAX_CLAIMS:
        return False
    tries = Attempt.objects.filter(master=row, rendition=None) if isinstance(row, Master) else row.tries.all()
    told = tries.filter(outcome=Attempt.Outcome.FAILED).exclude(error__startswith=KILLED)
    return row.fence - told.count() > MAX_CLAIMS


def next_try(attempts: int, error: TranscodingError | OSError, *, fence: int = 1, at: datetime) -> datetime:
    """When a failed row may be tried again: later each time, but what may heal by itself never waits long."""
    again = isinstance(error, OSError) or error.retry
    wait: timedelta = min(WAIT * 2 ** min(fence - 1, 5), LONGEST_WAIT) if again else WAIT * 2**attempts
    return at + wait


def counts(error: TranscodingError | OSError) -> bool:
    """Is this failure the file's own, so that three of them mean giving up? A full disk or a lost store is not."""
    return not isinstance(error, OSError) and not error.retry
