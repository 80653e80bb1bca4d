"""A core of its own for each worker whose work nobody waits for.

ffmpeg hands every frame from thread to thread. Where each hand-over wakes another core, a worker for every core costs a
sixth more than each keeping to its own (docs/performance.md). So a worker takes a core that no other has, and the
programs that it starts inherit it; what somebody waits for has them all.

A core is held by a name in the kernel (an abstract socket), which is seen by all workers of a machine, whatever their
home, and is gone with its process, however that ends. Containers do not see each other's: those that share cores take
them by lot, and may meet on one for the length of a piece of work.
"""

import contextlib
import os
import random
import socket
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

_NAME = "\0clearsong.core.{}"
_ALL: ContextVar[frozenset[int] | None] = ContextVar("the cores before one was taken", default=None)


@contextlib.contextmanager
def own() -> Iterator[int | None]:
    """Keep to one core in this block. None, and nothing changes, where there is but one, or each has its worker."""
    before = frozenset(os.sched_getaffinity(0))
    with contextlib.ExitStack() as held:
        free = (core for core in random.sample(sorted(before), len(before)) if _take(core, held))
        core = next(free, None) if len(before) > 1 else None
        if core is not None:
            held.enter_context(_kept_to({core}, instead_of=before))
        yield core


@contextlib.contextmanager
def every() -> Iterator[None]:
    """Have all cores in this block, also within one that keeps to its own."""
    with contextlib.ExitStack() as held:
        if all_cores := _ALL.get():
            held.enter_context(_kept_to(all_cores, instead_of=frozenset(os.sched_getaffinity(0))))
        yield


@contextlib.contextmanager
def _kept_to(cores: Iterable[int], *, instead_of: frozenset[int]) -> Iterator[None]:
    token = _ALL.set(_ALL.get() or instead_of)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, instead_of)
        _ALL.reset(token)


def _take(core: int, held: contextlib.ExitStack) -> bool:
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(_NAME.format(core))
    except OSError:  # somebody has it
        name.close()
        return False
    held.enter_context(name)
    return True
