"""The benchmarks' meter counts what the processes it starts have taken, and nothing of its own."""

import sys
import time
from subprocess import PIPE, Popen, run

import pytest

from benchmarks.transcoding import meter

BUSY = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
HOLDS = "import sys; kept = b'x' * (96 << 20); print(flush=True); sys.stdin.read()"


def test_the_processor_time_of_a_child_is_counted() -> None:
    assert 0.2 <= meter.run([sys.executable, "-S", "-c", BUSY]).cpu < 2


def test_a_child_of_a_child_is_counted_too() -> None:
    command = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BUSY!r}], check=True)"
    assert meter.run([sys.executable, "-c", command]).cpu >= 0.2


def test_a_command_that_fails_says_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="out of tape"):
        meter.run([sys.executable, "-S", "-c", "raise SystemExit('out of tape')"])


def test_jobs_add_up() -> None:
    busy = [sys.executable, "-S", "-c", BUSY]
    assert meter.run_all([[busy, busy], [busy]]).cpu >= 0.6


def test_the_memory_of_a_child_is_what_it_holds_itself() -> None:
    with (
        meter.watched_children() as highest,
        Popen([sys.executable, "-S", "-c", HOLDS], stdin=PIPE, stdout=PIPE) as child,
    ):
        child.stdout.readline()
        held, until = meter.memory(child.pid), time.monotonic() + 20
        while highest[0] < held and time.monotonic() < until:
            pass
        child.stdin.close()
    assert 96 * meter.MIB <= highest[0] < 160 * meter.MIB


def test_what_loses_its_parent_is_counted_by_who_adopts_it() -> None:
    """Tried in a process of its own: adopting is for life."""
    loses = f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {BUSY!r}]); os._exit(0)"
    asks = (
        "import subprocess, sys; from benchmarks.transcoding import meter; meter.adopt();"
        f"before = meter.spent(); subprocess.run([sys.executable, '-c', {loses!r}], check=True);"
        "sys.exit(meter.spent() - before < 0.2)"
    )
    assert run([sys.executable, "-c", asks], check=False).returncode == 0
    assert run([sys.executable, "-c", asks.replace("meter.adopt()", "0")], check=False).returncode == 1


def test_a_process_that_is_gone_holds_nothing() -> None:
    with Popen([sys.executable, "-S", "-c", ""]) as child:
        child.wait()
    assert meter.memory(child.pid) == 0
