"""Homes of embedded servers, and processes that use them, for the tests that end those processes in every way."""

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from store import embedded

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60
HOLD = """
import json, os, sys
from store import embedded
with embedded.services():
    print(json.dumps({name: os.environ.get(name, "") for name in embedded.EXPORTED}), flush=True)
    sys.stdin.read()
"""


def until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds; fail when it does not within a minute."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {PATIENCE} seconds"
        pause.wait(0.02)


def ended(pid: int) -> bool:
    """Whether a process is gone, or only its entry waits for whoever should fetch it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@dataclass
class User:
    """A process that uses the servers of a home until it is told to leave, or killed."""

    process: subprocess.Popen[str]
    environment: dict[str, str] = field(default_factory=dict)

    def wait_until_up(self) -> None:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "the servers did not come up"
        line = self.process.stdout.readline()
        assert line, f"the user ended: {self.process.communicate()[1]}"
        self.environment = json.loads(line)

    def leave(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass
class Home:
    """One folder with embedded servers. `throwaway` leaves out what only a crash of the machine would need."""

    path: Path
    python: str = sys.executable
    run_as: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    users: list[User] = field(default_factory=list)

    def command(self, code: str) -> subprocess.Popen[str]:
        dropped = {"DATABASE_URL", "REDIS_URL", "CLEARSONG_EMBEDDED", "CLEARSONG_THROWAWAY", "STRIPE_API_BASE"}
        environment = {name: value for name, value in os.environ.items() if name not in dropped}
        environment |= {"CLEARSONG_HOME": str(self.path), "STRIPE_SECRET_KEY": "sk_test_of_the_operator"} | self.extra
        user = pwd.getpwnam(self.run_as) if self.run_as else None
        return subprocess.Popen(
            [self.python, "-c", code],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )

    def begin(self) -> User:
        user = User(self.command(HOLD))
        self.users.append(user)
        return user

    def user(self) -> User:
        user = self.begin()
        user.wait_until_up()
        return user

    def pid(self, server: str) -> int:
        """The process id of `postgres`, `valkey` or `supervisor`: the oldest process with this home's lock open."""
        path = self.path / "run" / f"{server}.lock"
        if not path.exists():
            return 0
        lock = path.stat()
        holders = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if not ended(int(process.name)) and any(
                    (found.st_dev, found.st_ino) == (lock.st_dev, lock.st_ino)
                    for found in (descriptor.stat() for descriptor in (process / "fd").iterdir())
                ):
                    holders.append(int(process.name))
        return min(holders, default=0)

    def log(self) -> str:
        return (self.path / "run" / "services.log").read_text(errors="replace")

    def stopped(self) -> bool:
        """Whether all have ended; each server and its children hold a lock until they have."""
        locks = [self.path / "run" / f"{name}.lock" for name in ("supervisor", "postgres", "valkey", "sandbox")]
        return not any(lock.exists() and embedded.is_held(lock) for lock in locks)

    def end(self) -> None:
        for user in self.users:
            if user.process.poll() is None:
                user.kill()
        if (self.path / "run" / "valkey.lock").exists():
            until(self.stopped)


@contextlib.contextmanager
def opened(home: Home) -> Iterator[Home]:
    """The home, whose servers have all ended when the block has."""
    try:
        yield home
    finally:
        home.end()


def kill(pid: int) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: ended(pid))
