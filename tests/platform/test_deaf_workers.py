"""A real worker that takes no orders any more notices it itself."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store.celery import app
from tests.platform.homes import ROOT, until

WORKER = """
import sys
from store import watch
watch.LOOK_SECONDS, watch.DEAF_SECONDS = 0.05, float(sys.argv[1])
from store.celery import app
app.worker_main(["worker", "-Q", sys.argv[2], "-n", sys.argv[3], "-c", "1", "--without-gossip", "--without-mingle"])
"""


@contextlib.contextmanager
def worker(queue: str, log: Path, *, deaf_after: float) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(deaf_after), queue, f"{queue}@here"],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        until(lambda: process.poll() is not None or app.control.ping([f"{queue}@here"], timeout=1))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_worker_that_lost_its_consumer_ends_and_one_that_hears_does_not(tmp_path: Path) -> None:
    queue = f"deaf-{uuid.uuid4().hex[:8]}"
    with worker(queue, tmp_path / "log", deaf_after=0.5) as process:
        app.send_task("celery.ping", queue=queue)
        until(lambda: taken(queue))
        assert process.poll() is None
        app.control.cancel_consumer(queue, destination=[f"{queue}@here"], reply=True, timeout=5)
        app.send_task("celery.ping", queue=queue)
        until(lambda: process.poll() is not None)
    assert "is deaf" in (tmp_path / "log").read_text()


def taken(queue: str) -> bool:
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return not channel.client.llen(queue)
