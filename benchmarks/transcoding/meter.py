"""What work takes: seconds of processor and of wall, and how much memory its largest process ever held."""

import contextlib
import ctypes
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CORES = 2
PR_SET_CHILD_SUBREAPER = 36
LAST_WORDS = 2000
MIB = 1024**2
LOOKS = 0.05  # seconds between two looks at the children's memory; what they report is their own highest


@dataclass(frozen=True)
class Cost:
    """`cpu` is user and system time of a process and all its children; `peak` is bytes."""

    cpu: float = 0.0
    wall: float = 0.0
    peak: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu + other.cpu, self.wall + other.wall, max(self.peak, other.peak))


def run(command: list[str]) -> Cost:
    """Run one command to its end. Raises RuntimeError with its last words where it fails."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    words = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)  # its own children included, as far as it waited for them
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stderr:
        process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {words.decode(errors='replace')[-LAST_WORDS:]}")
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - begun)


def run_all(jobs: Sequence[Sequence[list[str]]]) -> Cost:
    """The commands of each job one after the other, the jobs side by side, as many as this counts cores."""
    begun = time.monotonic()
    with ThreadPoolExecutor(max_workers=CORES) as workers:
        costs = list(workers.map(lambda commands: sum(map(run, commands), Cost()), jobs))
    return Cost(sum(cost.cpu for cost in costs), time.monotonic() - begun)


def adopt() -> None:
    """Become the parent of whatever loses its own. bubblewrap ends without waiting for what ran inside, whose time the
    kernel would otherwise count for nobody."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spent() -> float:
    """Seconds of processor that this process and its children have taken since they began. Waits for all of those that
    still run, so only who has started no others on the side may ask."""
    with contextlib.suppress(ChildProcessError):
        while os.wait():
            pass
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def memory(pid: int | str = "self") -> int:
    """The most that a process has held in memory since it became what it is; nought where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def watched_children() -> Iterator[list[int]]:
    """The highest memory of any one descendant while the block runs, as a list of one number.

    The kernel's own figure for ended children counts the moment before they became another program, when they still
    were a copy of their parent; this looks at what they are, and leaves out those that are not yet.
    """
    highest, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(LOOKS):
            for pid in descendants(os.getpid()):
                if _became_another(pid):
                    highest[0] = max(highest[0], memory(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield highest
    finally:
        over.set()
        watcher.join()


def _became_another(pid: int) -> bool:
    """Until then it goes by its parent's words."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != Path("/proc/self/cmdline").read_bytes()
    return False


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found
