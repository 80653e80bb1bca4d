"""Workers as process groups of their own, that tests kill in every way. Each does what is owed until nothing is."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, connections
from django.db.models import Q
from django.utils import timezone

from transcoding import masters, renditions
from transcoding.models import Master, Rendition

POLL_SECONDS = 0.01


def leases_run_out() -> None:
    past = timezone.now() - timedelta(seconds=1)
    Master.objects.filter(state=Master.State.EXAMINING).update(claimed_until=past)
    Rendition.objects.filter(state__in=["MAKING", "PLANNED"]).update(claimed_until=past)


def start(work: Callable[[], object], *, home: Path | None = None) -> int:
    """Do `work` in a process group of its own, with a home of its own where one is given; its process id."""
    connection.close()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        for inherited in connections.all(initialized_only=True):
            inherited.connection = None  # a socket shared with the parent would outlive the kill, and its locks too
        if home is not None:
            settings.HOME = home
        work()
        status = 0
    finally:
        os._exit(status)


def work_off() -> None:
    """Examine and make all that is owed and free, as the bells of a sweep would have it done."""
    while True:
        now = timezone.now()
        due = list(masters.owed(now).values_list("pk", flat=True)[:1])
        making = list(renditions.owed(now).values_list("master_id", flat=True)[:1])
        if not due and not making:
            return
        for pk in due:
            masters.examine(pk)
        for pk in making:
            renditions.make_due(pk)


def group_of(pid: int) -> list[int]:
    """The processes below `pid`: the encoders of a worker, and the fence around them."""
    found, rest = [], [pid]
    while rest:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{rest[0]}/task/{rest[0]}/children").read_text(encoding="ascii").split()
            rest += [int(child) for child in children]
            found += [int(child) for child in children]
        rest.pop(0)
    return found


def killed(pid: int, number: signal.Signals, *, after: float) -> bool:
    """Send the worker a signal after so long; whether that ended it, or it had done its work before."""
    _watch(pid, after)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def encoder_killed(pid: int, *, after: float) -> bool:
    """Kill what the worker started, and not the worker; whether there was anything."""
    _watch(pid, after)
    below = group_of(pid)
    for child in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os.waitpid(pid, 0)
    return bool(below)


def _watch(pid: int, seconds: float) -> None:
    """Let the worker work for so long, or until it has ended."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(POLL_SECONDS)


def owing() -> bool:
    open_rows = Q(state__in=["PLANNED", "MAKING"])
    return Master.objects.filter(state="EXAMINING").exists() or Rendition.objects.filter(open_rows).exists()
