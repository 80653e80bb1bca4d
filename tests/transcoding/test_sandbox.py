"""The fence around ffmpeg."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from celery.signals import worker_init

from transcoding import checks, sandbox
from transcoding.errors import DiskFull, Killed, LimitReached, ProcessFailed
from transcoding.sandbox import DEFAULT_LIMITS

FOREVER = ["-loglevel", "error", "-re", "-f", "lavfi", "-i", "sine", "-f", "null", "-"]
FENCES = ["limits", "namespaces", "bubblewrap"]


@pytest.fixture(params=FENCES)
def fence(request, monkeypatch) -> str:
    """Each fence in turn, where it works here."""
    name = str(request.param)
    if name == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed here")
    best = sandbox.fence_name()
    if FENCES.index(name) > FENCES.index(best):
        pytest.skip(f"the best fence that works here is {best}")
    monkeypatch.setattr(sandbox, "fence_name", lambda: name)
    return name


def alive(mark: str) -> list[str]:
    found = subprocess.run(["ps", "-ww", "-eo", "comm,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if line.startswith("ffmpeg") and mark in line]


def test_it_reads_its_input_and_writes_its_output(fence: str, audio: Path, tmp_path: Path) -> None:
    source = audio / "plain.wav"
    out = tmp_path / "out.flac"
    sandbox.run(["-i", f"file:{source}", f"file:{out}"], inputs=[source], output_dir=tmp_path)
    assert out.stat().st_size > 1000


def test_what_it_prints_streams_to_the_caller(fence: str, audio: Path) -> None:
    source = audio / "plain.wav"
    got = bytearray()
    args = ["-loglevel", "error", "-i", f"file:{source}", "-f", "s16le", "pipe:1"]
    sandbox.run(args, inputs=[source], limits=replace(DEFAULT_LIMITS, stdout_bytes=10**6), on_output=got.extend)
    assert len(got) == 88200 * 4


def test_it_is_stopped_at_the_wall_clock(fence: str) -> None:
    begun = time.monotonic()
    with pytest.raises(LimitReached, match="longer than"):
        sandbox.run(FOREVER, inputs=[], limits=replace(DEFAULT_LIMITS, wall_seconds=0))
    assert time.monotonic() - begun < 5


def test_it_may_not_use_more_processor_than_allowed(fence: str) -> None:
    busy = ["-loglevel", "error", "-f", "lavfi", "-i", "anoisesrc=r=192000", "-af", "atempo=0.5", "-f", "null", "-"]
    with pytest.raises((LimitReached, ProcessFailed)):
        sandbox.run(busy, inputs=[], limits=replace(DEFAULT_LIMITS, cpu_seconds=1))


def test_it_may_not_print_more_than_allowed(fence: str) -> None:
    loud = ["-loglevel", "error", "-f", "lavfi", "-i", "sine", "-f", "s16le", "pipe:1"]
    with pytest.raises(LimitReached, match="decodes to more"):
        sandbox.run(loud, inputs=[], limits=replace(DEFAULT_LIMITS, stdout_bytes=100_000))


def test_it_may_not_write_larger_files_than_allowed(fence: str, tmp_path: Path) -> None:
    loud = ["-loglevel", "error", "-f", "lavfi", "-i", "sine=d=60", "-f", "s16le", f"file:{tmp_path / 'x'}"]
    with pytest.raises((LimitReached, ProcessFailed)):
        sandbox.run(loud, inputs=[], output_dir=tmp_path, limits=replace(DEFAULT_LIMITS, file_bytes=100_000))
    assert (tmp_path / "x").stat().st_size <= 100_000


def test_its_last_words_come_with_the_error(fence: str, audio: Path) -> None:
    with pytest.raises(ProcessFailed, match="received no packets"):
        sandbox.run(
            ["-f", "flac", "-i", f"file:{audio / 'plain.mp3'}", "-f", "null", "-"], inputs=[audio / "plain.mp3"]
        )


def test_a_caller_that_stops_listening_leaves_nothing_running(fence: str) -> None:
    mark = "sine=f=431.5"

    def stop() -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        sandbox.run([word.replace("sine", mark) for word in FOREVER], inputs=[], on_beat=stop)
    assert alive(mark) == []


def test_it_dies_with_its_worker(fence: str) -> None:
    mark = f"sine=f=440:d={os.getpid()}"
    code = (
        "import sys; sys.path.insert(0, '.'); import django; from django.conf import settings;"
        "settings.configure(FFMPEG=''); from transcoding import sandbox; sandbox.fence_name = lambda: sys.argv[1];"
        "sandbox.run(sys.argv[2:], inputs=[])"
    )
    args = [word.replace("sine", mark) for word in FOREVER]
    with subprocess.Popen([sys.executable, "-c", code, fence, *args]) as worker:
        try:
            _until(lambda: len(alive(mark)) > 0)
        finally:
            worker.send_signal(signal.SIGKILL)
    _until(lambda: alive(mark) == [])


def _until(holds) -> None:
    ends = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < ends


def test_it_has_no_network(fence: str) -> None:
    if fence == "limits":
        pytest.skip("resource limits alone leave the network; ffmpeg's own protocol whitelist closes it")
    with pytest.raises(ProcessFailed):
        sandbox.run(
            ["-loglevel", "error", "-f", "lavfi", "-i", "sine=d=0.1", "-f", "wav", "tcp://127.0.0.1:9"], inputs=[]
        )


def test_bubblewrap_hides_every_other_file(fence: str, audio: Path) -> None:
    if fence != "bubblewrap":
        pytest.skip("only bubblewrap has a root of its own")
    with pytest.raises(ProcessFailed, match="No such file"):
        sandbox.run(["-i", f"file:{audio / 'plain.wav'}", "-f", "null", "-"], inputs=[])


@pytest.mark.parametrize("name", FENCES)
def test_the_check_says_which_fence_there_is(monkeypatch, name: str) -> None:
    monkeypatch.setattr(sandbox, "fence_name", lambda: name)
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    (message,) = checks.say_fence(None)
    assert f"'{name}'" in message.msg
    assert ("bubblewrap" in (message.hint or "")) is (name != "bubblewrap")


def test_other_commands_do_not_talk_of_it(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
    assert checks.say_fence(None) == []


def test_a_worker_says_its_fence_when_it_starts(monkeypatch, caplog) -> None:
    monkeypatch.setattr(sandbox, "fence_name", lambda: "namespaces")
    with caplog.at_level("INFO", logger="transcoding.tasks"):
        worker_init.send(sender=None)
    assert "fence 'namespaces'" in caplog.text


def test_another_encoder_runs_inside_the_same_fence(fence: str, audio: Path, tmp_path: Path) -> None:
    """Behind bubblewrap it sees its input and its output folder, and nothing else of ours."""
    source, other = audio / "plain.wav", audio / "plain.flac"
    script = f"cat {source} > {tmp_path}/copy; test -e {other} && echo neighbour; ls /proc/self >/dev/null"
    sent = sandbox.run_program(["/bin/sh", "-c", script], inputs=[source], output_dir=tmp_path).stdout
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert (b"neighbour" in sent) is (fence != "bubblewrap")


def test_another_encoder_is_named_by_its_whole_path() -> None:
    with pytest.raises(ValueError, match="whole path"):
        sandbox.run_program(["sh"], inputs=[])


def test_a_program_that_somebody_kills_says_nothing_of_its_file(fence: str) -> None:
    """Out of memory, or an operator's hand: it may be tried again. What hits its own limit is told apart above."""
    with pytest.raises(Killed) as told:
        sandbox.run_program(["/bin/sh", "-c", "kill -KILL $$"], inputs=[])
    assert told.value.retry


def test_a_full_disk_is_no_fault_of_the_file(fence: str) -> None:
    script = "echo 'write error: No space left on device' >&2; exit 1"
    with pytest.raises(DiskFull) as told:
        sandbox.run_program(["/bin/sh", "-c", script], inputs=[])
    assert told.value.retry


def test_what_the_caller_does_meanwhile_is_not_the_programs_time(fence: str, monkeypatch) -> None:
    """Its encoders may rest for an hour while more urgent work is done."""
    skipped = [0.0]
    monkeypatch.setattr(sandbox, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(sandbox, "time", Clock(skipped))

    def rest() -> None:
        skipped[0] += 3600

    program = ["/bin/sh", "-c", "for i in 1 2 3; do echo $i; done"]
    assert sandbox.run_program(program, inputs=[], on_beat=rest).stdout == b"1\n2\n3\n"
    assert skipped[0] >= 3600


class Clock:
    """A clock that somebody else puts forward."""

    def __init__(self, skipped: list[float]) -> None:
        self.skipped = skipped

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped[0]
