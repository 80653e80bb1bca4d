"""Real Celery workers of their own broker, each started again whenever it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from tests.faulty import Broker, Proxy
from tests.platform.homes import ROOT

SOON = 120  # seconds after the broker's return, by which all must be done
WORKER = """
import sys
from datetime import timedelta
from store.celery import app
import django
django.setup()
from store import watch
from transcoding import tasks
watch.LOOK_SECONDS, watch.DEAF_SECONDS = 0.5, 10
tasks.LOST = timedelta(seconds=2)
for each in app.conf.beat_schedule.values():
    each["schedule"] = timedelta(seconds=1)
alone = ["--without-gossip", "--without-mingle", "-l", "warning"]
app.worker_main(["worker", "-Q", "cpu,io", *alone, *sys.argv[1:]])
"""


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


@dataclass
class Crew:
    """A worker with its own beat, started again whenever it ends, as systemd and compose do."""

    broker: Broker
    proxy: Proxy
    home: Path
    environment: dict[str, str]
    name: str = "fault@here"
    beats: bool = True
    processes: int = 2
    started: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    def tend(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self.end()
        self.started += 1
        beat = ["-B", "-s", str(self.home / "beat")] if self.beats else []
        with (self.home / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORKER, "-n", self.name, "-c", str(self.processes), *beat],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def works_until(self, condition: Callable[[], object]) -> None:
        ends = time.monotonic() + SOON
        while not condition():
            self.tend()
            assert time.monotonic() < ends, (self.home / "worker.log").read_text()[-4000:]
            pause(0.1)

    def hears(self) -> bool:
        """Nothing waits in its queues: what was rung for was taken."""
        client = self.broker.client()
        return not client.llen("cpu") and not client.llen("io")


def environment(home: Path, broker: Proxy, **more: str) -> dict[str, str]:
    """For a worker on the tests' database, with a home of its own, that hears this broker."""
    address = urlsplit(os.environ["DATABASE_URL"])
    kept = {name: value for name, value in os.environ.items() if name != "CLEARSONG_EMBEDDED"}
    return kept | {
        "CLEARSONG_HOME": str(home),
        "CLEARSONG_THROWAWAY": "yes",
        "DATABASE_URL": urlunsplit(address._replace(path=f"/{connection.settings_dict['NAME']}")),
        "REDIS_URL": f"redis://127.0.0.1:{broker.port}/0",
        "STRIPE_SECRET_KEY": "sk_test_tests",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        **more,
    }
