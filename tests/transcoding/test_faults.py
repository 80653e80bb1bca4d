"""Workers, disks and files that fail: nothing is lost, nothing is done twice, nobody waits for what cannot be done."""

import errno
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds, workers
from tests.transcoding.workers import leases_run_out
from transcoding import encode, masters, renditions, sandbox, scratch, storage
from transcoding.errors import Killed, StorageFailed
from transcoding.formats import FORMATS
from transcoding.models import Attempt, Master, Rendition

WANTED = [FORMATS[code] for code in ("FLAC", "MP3_V0")]
KILLS: dict[str, Callable[[int, float], bool]] = {
    "the worker": lambda pid, after: workers.killed(pid, signal.SIGKILL, after=after),
    "its encoder": lambda pid, after: workers.encoder_killed(pid, after=after),
    "by request": lambda pid, after: workers.killed(pid, signal.SIGTERM, after=after),
    "by quitting": lambda pid, after: workers.killed(pid, signal.SIGQUIT, after=after),
}


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write_wav(tmp_path_factory.mktemp("faults") / "song.wav", seconds=1)


def owe(master: Master) -> None:
    renditions.plan(master, WANTED, tags=make_tags(), at=timezone.now())


def settle() -> None:
    """What died lets its claims run out, and the living do the rest."""
    for _ in range(50):
        leases_run_out()
        workers.work_off()
        if not workers.owing():
            return
    raise AssertionError("It never came to an end.")


def kill_often(song: Path, kill: Callable[[int, float], bool], *, times: int, longest: float) -> None:
    """Examine and make, killed `times` times at random; the outcome is that of no kill, and nothing lies about."""
    chance = random.Random(times)
    owe(deliver(song))
    workers.work_off()
    landed = 0
    while landed < times:
        if not workers.owing():
            deliver(song, examine=False)
            examined = Master.objects.filter(state="ACCEPTED").exclude(renditions__isnull=False)
            for master in examined:
                owe(master)
        landed += kill(workers.start(workers.work_off), chance.uniform(0.02, longest))
        leases_run_out()
    settle()
    for master in Master.objects.filter(renditions__isnull=True):
        owe(master)
    settle()
    scratch.sweep()
    masters.sweep_quarantine(at=timezone.now())


def assert_whole_and_single(home: Path) -> None:
    hashes = {tuple(one.renditions.order_by("format").values_list("sha256", flat=True)) for one in Master.objects.all()}
    assert len(hashes) == 1
    assert Attempt.objects.filter(outcome="DONE", rendition__isnull=False).count() == Rendition.objects.count()
    assert not Master.objects.exclude(state="ACCEPTED").exists()
    assert list((home / "scratch").iterdir()) == []
    assert not list((home / "audio" / "quarantine").iterdir())
    kept = {path.name.split(".")[0] for path in (home / "audio" / "renditions").rglob("*.*")}
    assert kept == set(*hashes)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("what", "times"), [("the worker", 3), ("its encoder", 2), ("by request", 1)])
def test_kills_at_any_moment_lose_nothing_and_double_nothing(song: Path, settings, what: str, times: int) -> None:
    kill_often(song, KILLS[what], times=times, longest=0.5)
    assert_whole_and_single(settings.HOME)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", KILLS)
def test_fifty_kills_of_each_kind_lose_nothing_and_double_nothing(song: Path, settings, what: str) -> None:
    kill_often(song, KILLS[what], times=50, longest=1.5)
    assert_whole_and_single(settings.HOME)


@pytest.mark.django_db(transaction=True)
def test_three_deliveries_of_one_bell_do_the_work_once(song: Path) -> None:
    master = deliver(song)
    owe(master)
    crowd = [workers.start(lambda: renditions.make_due(master.pk)) for _ in range(3)]
    for pid in crowd:
        os.waitpid(pid, 0)
    assert Rendition.objects.filter(state="READY", fence=1).count() == len(WANTED)
    assert Attempt.objects.filter(rendition__isnull=False).count() == len(WANTED)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("bucket")
def test_of_three_machines_without_a_shared_disk_one_may_die(song: Path, tmp_path: Path, settings) -> None:
    """The album completes, each file is made once, and what the dead one left is cleared where it left it."""
    for _ in range(4):
        owe(deliver(song))
    homes = [tmp_path / name for name in ("first", "second", "third")]

    def machine() -> None:
        storage._client_at.cache_clear()  # no connection of the parent's
        workers.work_off()

    pids = [workers.start(machine, home=home) for home in homes]
    while not any((homes[0] / "scratch").glob("make-*")):
        assert os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    workers.killed(pids[0], signal.SIGKILL, after=0)
    for pid in pids[1:]:
        assert os.waitpid(pid, 0)[1] == 0
    settle()
    assert Rendition.objects.filter(state="READY").count() == 4 * len(WANTED)
    assert Attempt.objects.filter(outcome="DONE", rendition__isnull=False).count() == 4 * len(WANTED)
    settings.HOME = homes[0]
    assert scratch.sweep() >= 1
    assert not any(list((home / "scratch").iterdir()) for home in homes)


# --- files that end their program ---

CRASHES = {
    "it crashes": ("kill -SEGV $$", "ended with -11"),
    "it wants all memory": ("echo Cannot allocate memory >&2; exit 1", "memory"),
    "it hangs": ("exec sleep 60", "longer than"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("way", CRASHES)
def test_a_poison_file_is_given_up_after_three_tries_and_delays_nobody(
    song: Path, tmp_path: Path, settings, monkeypatch, way: str
) -> None:
    poison, good = deliver(song), [deliver(song) for _ in range(3)]
    for master in (poison, *good):
        renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=timezone.now())
    crash, reason = CRASHES[way]
    program = tmp_path / "ffmpeg"
    real = sandbox.ffmpeg()
    program.write_text(f'#!/bin/sh\ncase "$*" in *make-{poison.pk}-*) {crash};; *) exec {real} "$@";; esac\n')
    program.chmod(0o755)
    settings.FFMPEG = str(program)
    monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")
    monkeypatch.setattr(sandbox, "BEAT_SECONDS", 0.02)
    if way == "it hangs":
        monkeypatch.setattr(encode, "limits", lambda *_, **__: replace(sandbox.DEFAULT_LIMITS, wall_seconds=1))
    workers.work_off()
    assert Rendition.objects.filter(state="READY", fence=1, master__in=good).count() == len(good)
    bad = Rendition.objects.get(master=poison)
    assert (bad.state, bad.attempts) == ("PLANNED", 1)
    settle()
    bad.refresh_from_db()
    assert (bad.state, bad.attempts) == ("FAILED", 3)
    assert reason in bad.error


@pytest.mark.django_db
def test_a_mistake_of_ours_counts_as_the_files_failure(song: Path, monkeypatch) -> None:
    """Without that, a file that brings one to light would come back for ever."""

    def mistaken(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError("nought samples")

    master = deliver(song)
    owe(master)
    monkeypatch.setattr(encode, "encode", mistaken)
    settle()
    assert set(Rendition.objects.values_list("state", "error")) == {("FAILED", "ZeroDivisionError: nought samples")}


@pytest.mark.django_db
def test_a_program_that_is_killed_often_is_not_held_against_its_file(song: Path, monkeypatch) -> None:
    master = deliver(song)
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "ffmpeg", lambda: "/bin/sh")
        patch.setattr(sandbox, "_judge", lambda *_: (_ for _ in ()).throw(Killed("ffmpeg")))
        for _ in range(5):
            renditions.make_due(master.pk)
            leases_run_out()
    row = Rendition.objects.get()
    assert (row.state, row.attempts, row.fence) == ("PLANNED", 0, 5)
    settle()
    assert Rendition.objects.get().state == "READY"


# --- disks without room ---


@pytest.mark.parametrize("small_disk", ["400k"], indirect=True)
@pytest.mark.django_db
def test_a_full_scratch_disk_is_waited_out(song: Path, settings, small_disk: Path) -> None:
    master = deliver(song)
    renditions.plan(master, [FORMATS[code] for code in ("WAV", "AIFF")], tags=make_tags(), at=timezone.now())
    settings.HOME = small_disk
    for _ in range(4):
        workers.work_off()
        leases_run_out()
    rows = Rendition.objects.all()
    assert {(row.state, row.attempts) for row in rows} == {("PLANNED", 0)}
    assert all("disk is full" in row.error or "No space" in row.error for row in rows)
    assert list((small_disk / "scratch").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    settle()
    assert {row.state for row in Rendition.objects.all()} == {"READY"}


@pytest.mark.django_db
def test_a_full_store_keeps_no_part_of_a_file(song: Path, settings, monkeypatch) -> None:
    def full(source: object, copy: object, *_: object) -> None:
        copy.write(source.read(1000))  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, "No space left on device")

    sha256 = storage.sha256_of(song)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(StorageFailed, match="No space left"):
            storage.put_file(storage.master_key(sha256), song, sha256=sha256)
    assert not storage.exists(storage.master_key(sha256))
    assert not list((settings.AUDIO_ROOT / "incoming").iterdir())
