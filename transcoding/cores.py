"""Cores for the programs that read and write sound, so that each keeps to its own while all of them are needed.

ffmpeg hands every frame from thread to thread. Where each hand-over wakes another core, as many programs as there are
cores cost a sixth more than if each keeps to one (docs/performance.md). So each run holds a core that no other has, and
keeps to it as long as no core is without its run; as soon as one is, all of them are there for everybody.

A core is held by a name in the kernel (an abstract socket), which all workers of a machine see, whatever their home,
and which is gone with its process, however that ends. Containers do not see each other's: those that share cores may
crowd on one while the other has nothing to do, and should be given cores of their own.
"""

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_NAME = "\0clearsong.core.{}"


class Place:
    """Where one run belongs. Past the last core there is no place of one's own, and the run goes wherever it can."""

    def __init__(self) -> None:
        self.all = frozenset(os.sched_getaffinity(0))
        self.core: int | None = None
        self._held = contextlib.ExitStack()
        self.now = self.all
        self._all_there = True

    def __enter__(self) -> Self:
        if len(self.all) > 1:
            shuffled = random.sample(sorted(self.all), len(self.all))
            self.core = next((core for core in shuffled if _take(core, self._held)), None)
        self.now = self.wanted()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wanted(self) -> frozenset[int]:
        """The cores that it should have as things are."""
        if self.core is None or any(_is_free(core) for core in self.all - {self.core}):
            return self.all
        return frozenset({self.core})

    def settle(self, pid: int) -> None:
        """Let the program `pid` and all that it has started have those; call it about once a second. It is done when a
        look finds all of them there: one may be refused, or be started while the others are moved."""
        wanted = self.wanted()
        if wanted != self.now or not self._all_there:
            self.now = wanted
            self._all_there = not sum(_move(thread, wanted) for thread in _threads(pid))


def _move(thread: int, wanted: frozenset[int]) -> bool:
    """Was it elsewhere, so that it must be looked at again?"""
    with contextlib.suppress(OSError):  # it has ended
        if os.sched_getaffinity(thread) == wanted:
            return False
        with contextlib.suppress(OSError):  # a fence may forbid it
            os.sched_setaffinity(thread, wanted)
        return True
    return False


def _threads(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*"):
        yield int(task.name)
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                yield from _threads(int(child))


def _take(core: int, held: contextlib.ExitStack) -> bool:
    with contextlib.ExitStack() as ours, contextlib.suppress(OSError):  # somebody has it, or no file may be opened
        ours.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(_NAME.format(core))
        held.enter_context(ours.pop_all())
        return True
    return False


def _is_free(core: int) -> bool:
    with contextlib.ExitStack() as held:
        return _take(core, held)
