"""One worker of the store, to be measured: takes orders as lines of JSON and answers each with what it cost.

It does what the store's own workers do, through the same functions, in the folder and the database that it is given;
only the queue is left out. Its start-up is not counted: a worker lives long.
"""

import functools
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import django

from benchmarks.transcoding import meter


class Stages:
    """Processor time by stage of the path: the functions named are timed from outside, nested calls in the outer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = False

    def watch(self, stage: str, module: ModuleType, name: str) -> None:
        inner: Callable[..., Any] = getattr(module, name)

        @functools.wraps(inner)
        def timed(*args: Any, **named: Any) -> Any:
            if self._inside:
                return inner(*args, **named)
            self._inside, before = True, meter.spent()
            try:
                return inner(*args, **named)
            finally:
                self._inside = False
                self.seconds[stage] += meter.spent() - before

        setattr(module, name, timed)

    def take(self) -> dict[str, float]:
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


class Worker:
    def __init__(self) -> None:
        from transcoding import encode, masters, payloads, probe, storage, tags

        self.stages = Stages()
        self.stages.watch("upload", masters, "finish_upload")
        self.stages.watch("examine", probe, "examine")
        self.stages.watch("encode", encode, "encode")
        self.stages.watch("verify", encode, "verify")
        self.stages.watch("tag", tags, "write")
        for name in ("fetch_to", "put_file", "put_hashed", "sha256_of"):
            self.stages.watch("hash and store", storage, name)
        self.stages.watch("hash and store", payloads, "fill")

    def deliver(self, *, path: str, title: str, recording: int) -> int:
        """From the delivered file to an accepted master; answers its id."""
        from catalog.models import Recording
        from transcoding import masters
        from transcoding.models import Master

        upload = masters.start_upload(Path(path).name, actor="bench")
        made = masters.finish_upload(upload, path=Path(path), recording=Recording.objects.get(pk=recording))
        master = masters.examine(made.pk)
        if master is None or master.state != Master.State.ACCEPTED:
            raise RuntimeError(f"{title} was not accepted.")
        return int(master.pk)

    def make(
        self, *, master: int, title: str, codes: list[str], cover: dict[str, str], urgent: bool = False
    ) -> list[int]:
        """Make these formats with these tags; answers the bytes of each."""
        from django.utils import timezone

        from transcoding import formats, renditions
        from transcoding.models import Master, Rendition
        from transcoding.tags import Cover, TagSet

        row = Master.objects.get(pk=master)
        tagset = TagSet(
            title=title, artist_line="The Clearsong Ensemble", artists=("The Clearsong Ensemble",), album="Measured",
            album_artist="The Clearsong Ensemble", number=1, total=12, disc=1, discs=1, date="2026-11-22",
            genre="Chamber", label="Clearsong Recordings", composers=("The Clearsong Ensemble",),
            licence_url="https://creativecommons.org/licenses/by/4.0/", licence_name="CC BY 4.0",
            copyright="2026 Clearsong Recordings.", proof_url="https://music.example/proof/0", cover=Cover(**cover),
        )  # fmt: skip
        wanted = [formats.get(code) for code in codes]
        priority = renditions.BUYER_WAITS if urgent else renditions.AHEAD
        owed = renditions.plan(row, wanted, tags=tagset, priority=priority, at=timezone.now())
        renditions.make_due(master)
        made = {each.pk: each for each in Rendition.objects.filter(pk__in=[each.pk for each in owed])}
        if unready := [f"{each}: {each.error}" for each in made.values() if each.state != Rendition.State.READY]:
            raise RuntimeError(f"Not made: {unready}")
        return [made[each.pk].bytes for each in owed]

    def export(self, *, master: int, code: str, folder: str) -> str:
        """A copy of a finished rendition; answers where it lies."""
        from transcoding import storage
        from transcoding.models import Rendition

        row = Rendition.objects.filter(master_id=master, format=code, state=Rendition.State.READY).first()
        if row is None:
            raise RuntimeError(f"{code} was not made.")
        path = Path(folder) / f"ours.{code}{Path(row.storage_key).suffix}"
        return str(storage.fetch_to(row.storage_key, path, sha256=row.sha256))

    def path(self, *, path: str, title: str, recording: int, codes: list[str], cover: dict[str, str]) -> list[int]:
        """The whole path of one track; answers the id of its master and the bytes of each format."""
        master = self.deliver(path=path, title=title, recording=recording)
        return [master, *self.make(master=master, title=title, codes=codes, cover=cover)]


def main() -> None:
    database, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints must not be taken for an answer
    django.setup()
    from django.conf import settings
    from django.db import connection

    settings.HOME, settings.AUDIO_ROOT = folder, folder / "audio"
    connection.settings_dict["NAME"] = database
    connection.settings_dict["OPTIONS"].pop("options", None)  # the database's owner, as who made it
    meter.adopt()
    worker = Worker()
    for line in sys.stdin:
        order = json.loads(line)
        before, begun = meter.spent(), time.monotonic()
        with meter.watched_children() as highest:
            answer = getattr(worker, order.pop("do"))(**order)
        cost = {"cpu": meter.spent() - before, "wall": time.monotonic() - begun}
        memory = {"encoder": highest[0], "worker": meter.memory()}
        print(json.dumps({"answer": answer, "stages": worker.stages.take(), **cost, **memory}), file=answers)


if __name__ == "__main__":
    main()
