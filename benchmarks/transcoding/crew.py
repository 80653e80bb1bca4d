"""As many workers as this counts cores, in a store of their own that is gone afterwards."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import connection

from benchmarks.audit_chain import own_database
from benchmarks.transcoding.meter import CORES
from catalog.models import Party, PartyKind, Recording
from store import embedded
from store.demo.cover import sleeve

_NAME = "benchmarks.transcoding.worker"


@dataclass(frozen=True)
class Done:
    """What one order cost, and what it answered. Memory in bytes; `stages` are processor seconds."""

    answer: Any
    stages: dict[str, float]
    cpu: float
    wall: float
    encoder: int
    worker: int


class Crew:
    def __init__(self, workers: Sequence[subprocess.Popen[str]], cover: dict[str, str]) -> None:
        self._workers = workers
        self._threads = ThreadPoolExecutor(max_workers=len(workers))
        self.cover = cover

    def do(self, *orders: dict[str, Any]) -> tuple[list[Done], float]:
        """Orders side by side, each to another worker (so at most CORES of them), and how long all of them took."""
        begun = time.monotonic()
        done = list(self._threads.map(self._order, self._workers, orders))
        return done, time.monotonic() - begun

    @staticmethod
    def _order(worker: subprocess.Popen[str], order: dict[str, Any]) -> Done:
        if worker.stdin is None or worker.stdout is None:
            raise RuntimeError("A worker has no pipes.")
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            raise RuntimeError("A worker of the benchmark ended; its own words stand above.")
        return Done(**json.loads(answer))


def recording(title: str) -> int:
    """A new recording to deliver a master for."""
    label, _ = Party.objects.get_or_create(
        slug="bench", defaults={"name": "Bench", "sort_name": "Bench", "kind": PartyKind.ORGANISATION}
    )
    return int(Recording.objects.create(title=title, label=label).pk)


@contextlib.contextmanager
def crew() -> Iterator[Crew]:
    with own_database(), TemporaryDirectory(prefix="bench-", dir=embedded.home()) as folder:
        picture = sleeve("Measured", "The Clearsong Ensemble")
        cover = storages["artwork"].save("bench.jpg", ContentFile(picture))
        started = [_start(str(connection.settings_dict["NAME"]), Path(folder)) for _ in range(CORES)]
        try:
            yield Crew(started, {"name": cover, "sha256": "0" * 64})
        finally:
            storages["artwork"].delete(cover)
            for worker in started:
                worker.stdin.close()  # type: ignore[union-attr]
                worker.wait()
                worker.stdout.close()  # type: ignore[union-attr]


def _start(database: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", _NAME, database, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
