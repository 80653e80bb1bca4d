"""Disks that fail or fill up: what was being made is made later or given up with a reason, and nothing is published or
sold that is not whole."""

import contextlib
import errno
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from django.utils import timezone
from mutagen import MutagenError
from mutagen._util import convert_error

from tests.factories.transcoding import deliver, make_tags
from tests.platform.homes import ROOT
from tests.transcoding import sounds, workers
from tests.transcoding.workers import leases_run_out
from transcoding import encode, masters, renditions, sandbox, scratch, storage, taggers
from transcoding.errors import DiskFailed
from transcoding.formats import FORMATS
from transcoding.models import Master, Rendition

WANTED = [FORMATS[code] for code in ("FLAC", "MP3_V0")]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write_wav(tmp_path_factory.mktemp("disks") / "song.wav", seconds=1)


@pytest.fixture
def owing(song: Path, db: None) -> Master:
    master = deliver(song)
    renditions.plan(master, WANTED, tags=make_tags(), at=timezone.now())
    return master


def fails(number: int) -> Callable[..., None]:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def breaks_off(number: int) -> Callable[..., None]:
    def copy(source: io.BufferedReader, target: io.BufferedWriter, *_: object) -> None:
        target.write(source.read(1000))
        target.flush()
        raise OSError(number, os.strerror(number))

    return copy


def published(home: Path) -> list[Path]:
    return [path for path in (home / "audio" / "renditions").rglob("*") if path.is_file()]


def waits_then_heals(home: Path, error: int) -> None:
    """Two rounds while it lasts; afterwards all is made, and what is published is what its name says."""
    assert {(row.state, row.attempts) for row in Rendition.objects.all()} == {("PLANNED", 0)}
    assert all(os.strerror(error) in row.error for row in Rendition.objects.all())
    assert published(home) == []
    assert list((home / "scratch").iterdir()) == []


def all_made(home: Path) -> None:
    leases_run_out()
    workers.work_off()
    assert {row.state for row in Rendition.objects.all()} == {"READY"}
    assert all(storage.sha256_of(path) in path.name for path in published(home))
    assert len(published(home)) == len(WANTED)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("when", ["reading the master", "making room", "writing its tags", "keeping what was made"])
def test_a_failing_disk_is_waited_out(owing: Master, settings, monkeypatch, when: str, error: int) -> None:
    with monkeypatch.context() as patch:
        if when == "reading the master":
            patch.setattr(storage.Folder, "fetch", fails(error))
        elif when == "making room":
            patch.setattr("transcoding.scratch.tempfile.mkdtemp", fails(error))
        elif when == "writing its tags":
            writers = dict.fromkeys(taggers.WRITERS, convert_error(OSError, MutagenError)(fails(error)))
            patch.setattr(taggers, "WRITERS", writers)
        else:
            patch.setattr(os, "link", fails(errno.EXDEV))
            patch.setattr(shutil, "copyfileobj", breaks_off(error))
        for _ in range(2):
            workers.work_off()
            leases_run_out()
    waits_then_heals(settings.HOME, error)
    all_made(settings.HOME)


def test_a_file_larger_than_allowed_is_given_up_with_its_reason(owing: Master, settings, monkeypatch) -> None:
    monkeypatch.setattr(encode, "limits", lambda *_, **__: replace(sandbox.DEFAULT_LIMITS, file_bytes=4096))
    for _ in range(8):
        workers.work_off()
        leases_run_out()
    rows = list(Rendition.objects.all())
    assert {(row.state, row.attempts) for row in rows} == {("FAILED", 3)}
    assert all("more time or output than allowed" in row.error or "too large" in row.error for row in rows), rows[
        0
    ].error
    assert published(settings.HOME) == []


# --- a disk that fails under a program ---

INJECT = """#!/bin/sh
for word in "$@"; do case "$word" in file:*{part}*) path="${{word#file:}}";; esac; done
exec strace -f -o /dev/null -P "${{path:-/nowhere}}" -e trace={call} -e inject={call}:error=EIO:when={when} {real} "$@"
"""


@pytest.fixture
def ffmpeg_meets(tmp_path: Path, settings, monkeypatch) -> Callable[..., None]:
    """ffmpeg, whose calls on one file fail inside the kernel as strace has them."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here; install Debian's package strace")
    monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")

    def meets(call: str, part: str, when: str = "2+") -> None:
        program = tmp_path / "ffmpeg"
        program.write_text(INJECT.format(call=call, part=part, when=when, real=sandbox.ffmpeg()))
        program.chmod(0o755)
        settings.FFMPEG = str(program)

    return meets


@pytest.mark.parametrize(
    "fault",
    [("write", ".flac", "1+"), ("write", ".mp3", "1+"), ("read", "/master", "4+")],
    ids=["FLAC", "MP3", "master"],
)
def test_a_disk_that_fails_inside_an_encoder_uses_up_no_try(
    owing: Master, settings, ffmpeg_meets: Callable[..., None], fault: tuple[str, str, str]
) -> None:
    ffmpeg_meets(*fault)
    for _ in range(4):
        workers.work_off()
        leases_run_out()
    failed = Rendition.objects.filter(state="PLANNED")
    assert failed.exists()
    assert {(row.attempts, row.error.split(":")[0]) for row in failed} == {(0, "The disk failed")}
    settings.FFMPEG = ""
    all_made(settings.HOME)


@pytest.mark.parametrize("program", ["lame", "oggenc"])
def test_what_other_encoders_say_of_a_disk_is_understood(song: Path, tmp_path: Path, monkeypatch, program: str) -> None:
    strace, encoder = shutil.which("strace"), shutil.which(program)
    if strace is None or encoder is None:
        pytest.skip(f"strace or {program} is not here")
    out = str(tmp_path / "out")
    fault = [strace, "-f", "-o", "/dev/null", "-P", out, "-e", "trace=write", "-e", "inject=write:error=EIO"]
    into = ["-o"] if program == "oggenc" else []
    monkeypatch.setattr(sandbox, "fence_name", lambda: "limits")
    with pytest.raises(DiskFailed, match="could not write"):
        sandbox.run_program([*fault, encoder, "--quiet", str(song), *into, out], inputs=[song])


@pytest.fixture
def spoiling(tmp_path: Path, settings) -> None:
    """Ten bytes of the copy in scratch are altered while ffmpeg looks at it."""
    real, program = sandbox.ffmpeg(), tmp_path / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\nfor word in "$@"; do case "$word" in file:*/delivered) path="${{word#file:}}";; esac; done\n'
        f'chmod u+w "$path"; cp "$path" "$path.x"; printf XXXXXXXXXX | dd of="$path.x" conv=notrunc 2>/dev/null\n'
        f'mv -f "$path.x" "$path"; exec {real} "$@"\n'
    )
    program.chmod(0o755)
    settings.FFMPEG = str(program)


@pytest.mark.django_db
@pytest.mark.usefixtures("spoiling")
def test_a_master_that_the_disk_changes_under_an_examination_is_examined_again(song: Path, settings) -> None:
    """And not refused: the label has nothing to do with it."""
    master = deliver(song, examine=False)
    for _ in range(4):
        masters.examine(master.pk)
        leases_run_out()
    master.refresh_from_db()
    assert (master.state, master.attempts) == (Master.State.EXAMINING, 0)
    settings.FFMPEG = ""
    assert masters.examine(master.pk).state == Master.State.ACCEPTED


@pytest.mark.django_db
@pytest.mark.usefixtures("spoiling")
def test_the_control_without_a_second_look_the_label_is_blamed(song: Path, monkeypatch) -> None:
    monkeypatch.setattr(scratch, "unspoilt", lambda *_: contextlib.nullcontext())
    assert deliver(song).state == Master.State.REJECTED


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
@pytest.mark.django_db
def test_a_full_store_is_waited_out(song: Path, settings, small_disk: Path) -> None:
    settings.AUDIO_ROOT = small_disk / "audio"
    master = deliver(song)
    renditions.plan(master, WANTED, tags=make_tags(), at=timezone.now())
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    for _ in range(2):
        workers.work_off()
        leases_run_out()
    assert {(row.state, row.attempts) for row in Rendition.objects.all()} == {("PLANNED", 0)}
    assert all("No space left" in row.error for row in Rendition.objects.all())
    assert not [path for path in settings.AUDIO_ROOT.glob("renditions/*/*") if path.is_file()]
    filler.unlink()
    workers.work_off()
    assert {row.state for row in Rendition.objects.all()} == {"READY"}


# --- the disk of a worker, failing at random ---

AT_RANDOM = """
import contextlib, ctypes, errno, sys
from datetime import timedelta
import django
django.setup()
from transcoding import claims, renditions
from transcoding.models import Rendition
claims.WAIT = timedelta(0)
fiu = ctypes.CDLL("libfiu.so.0")
for name, share in ((b"posix/io/rw/*", 0.02), (b"posix/io/sync/*", 0.3)):
    fiu.fiu_enable_random(name, 1, ctypes.c_void_p(errno.EIO), 0, ctypes.c_float(share))
for _ in range(10):
    with contextlib.suppress(OSError):
        renditions.make_due(int(sys.argv[1]))
    Rendition.objects.update(claimed_until=None)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_disk_fails_at_random_publishes_whole_files_only(song: Path, settings) -> None:
    """libfiu makes one in fifty of the worker's own reads and writes fail."""
    fiu = shutil.which("fiu-run")
    if fiu is None:
        pytest.skip("fiu-run is not here; install Debian's package fiu-utils")
    master = deliver(song)
    renditions.plan(master, WANTED, tags=make_tags(), at=timezone.now())
    connection.close()
    done = subprocess.run(
        [fiu, "-x", sys.executable, "-c", AT_RANDOM, str(master.pk)],
        cwd=ROOT,
        env=environment(settings.HOME),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert all(storage.sha256_of(path) in path.name for path in published(settings.HOME))
    for given_up in Rendition.objects.filter(state="FAILED"):
        assert "Input/output error" in given_up.error
        renditions.ask_again(given_up)
    all_made(settings.HOME)


def environment(home: Path) -> dict[str, str]:
    """For a process that works on the tests' database, with a home of its own."""
    address = urlsplit(os.environ["DATABASE_URL"])
    ours = {
        "DJANGO_SETTINGS_MODULE": "store.settings",
        "CLEARSONG_HOME": str(home),
        "CLEARSONG_THROWAWAY": "yes",
        "DATABASE_URL": urlunsplit(address._replace(path=f"/{connection.settings_dict['NAME']}")),
        "STRIPE_SECRET_KEY": "sk_test_tests",
    }
    return {name: value for name, value in os.environ.items() if name != "CLEARSONG_EMBEDDED"} | ours
