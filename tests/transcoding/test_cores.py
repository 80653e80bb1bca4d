"""Each run of a program keeps to a core of its own while all cores are needed, and has them all while one is not."""

import contextlib
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from transcoding import cores, sandbox

ALL = frozenset(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="there is but one core")
_TAKE = """
import sys
from transcoding import cores
cores._NAME = sys.argv[1].encode().decode("unicode_escape")
with cores.Place() as place:
    print(place.core, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> str:
    """Of these tests alone: workers of the machine may have theirs taken."""
    name = f"\0clearsong.test.{os.getpid()}.{threading.get_ident()}.{{}}"
    monkeypatch.setattr(cores, "_NAME", name)
    return name


@pytest.fixture
def another(names: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another worker with a run, and its core."""
    told = names.encode("unicode_escape").decode()
    with subprocess.Popen([sys.executable, "-c", _TAKE, told], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        process.kill()


@contextlib.contextmanager
def all_taken_but_one() -> Iterator[int]:
    """Every other core has its run; the one that is free."""
    *taken, free = sorted(ALL)
    with contextlib.ExitStack() as held:
        assert all(cores._take(core, held) for core in taken)
        yield free


def test_while_a_core_has_nothing_to_do_a_run_may_go_there_too() -> None:
    with cores.Place() as place:
        assert place.now == ALL


def test_while_all_are_needed_a_run_keeps_to_its_own() -> None:
    with all_taken_but_one() as free, cores.Place() as place:
        assert (place.core, place.now) == (free, frozenset({free}))


def test_past_the_last_core_a_run_goes_wherever_it_can() -> None:
    with all_taken_but_one(), cores.Place(), cores.Place() as place:
        assert (place.core, place.now) == (None, ALL)


def test_nobody_takes_a_core_that_another_worker_has(another: tuple[subprocess.Popen[str], int]) -> None:
    for _ in range(10):
        with cores.Place() as place:
            assert place.core != another[1]


def test_the_core_of_a_worker_that_was_killed_is_free(another: tuple[subprocess.Popen[str], int]) -> None:
    process, taken = another
    process.kill()
    process.wait()
    assert cores._is_free(taken)


def test_a_program_that_runs_is_moved_as_others_come_and_go() -> None:
    with cores.Place() as place, subprocess.Popen(["sleep", "60"]) as process:
        with contextlib.ExitStack() as held:
            assert all(cores._take(core, held) for core in ALL - {place.core})
            place.settle(process.pid)
            assert os.sched_getaffinity(process.pid) == {place.core}
        place.settle(process.pid)
        assert os.sched_getaffinity(process.pid) == ALL
        process.kill()


def test_a_move_that_was_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[int] = []

    def refuse(thread: int, _cores: frozenset[int]) -> None:
        refused.append(thread)
        raise PermissionError

    with all_taken_but_one() as free, subprocess.Popen(["sleep", "60"]) as process:
        place = cores.Place()
        place.core = free
        with monkeypatch.context() as patch:
            patch.setattr(os, "sched_setaffinity", refuse)
            place.settle(process.pid)
        place.settle(process.pid)
        assert (refused, os.sched_getaffinity(process.pid)) == ([process.pid], {free})
        process.kill()


def test_what_was_started_while_others_were_moved_is_moved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        all_taken_but_one() as free,
        subprocess.Popen(["sleep", "60"]) as first,
        subprocess.Popen(["sleep", "60"]) as late,
    ):
        place = cores.Place()
        place.core = free
        for seen in ([first.pid], [first.pid, late.pid]):
            monkeypatch.setattr(cores, "_threads", lambda _pid, seen=seen: iter(seen))
            place.settle(first.pid)
        assert os.sched_getaffinity(late.pid) == {free}
        first.kill()
        late.kill()


def test_where_no_more_files_may_be_opened_a_run_goes_wherever_it_can() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with cores.Place() as place:
            assert (place.core, place.now) == (None, ALL)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_it_started_is_moved_with_it() -> None:
    """As under bubblewrap, where the program is its child."""
    words = "import subprocess, sys\nwith subprocess.Popen(['sleep', '60']) as p:\n print(p.pid, flush=True)"
    with cores.Place() as place, subprocess.Popen([sys.executable, "-c", words], stdout=-1, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        with contextlib.ExitStack() as held:
            assert all(cores._take(core, held) for core in ALL - {place.core})
            place.settle(process.pid)
        assert os.sched_getaffinity(child) == {place.core}
        os.kill(child, 9)


def asked(folder: Path, words: str) -> str:
    script = folder / "ask.py"
    script.write_text(f"import os\nprint({words})")
    return sandbox.run_script(script, [], inputs=[]).stdout.decode().strip()


def test_a_program_in_the_fence_begins_in_its_place(tmp_path: Path) -> None:
    assert asked(tmp_path, "len(os.sched_getaffinity(0))") == str(len(ALL))
    with all_taken_but_one() as free:
        assert asked(tmp_path, "os.sched_getaffinity(0)") == str({free})


def test_a_program_begins_in_its_place_where_it_may_not_be_made_a_batch(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with all_taken_but_one() as free:
        assert asked(tmp_path, "os.sched_getaffinity(0)") == str({free})


def test_programs_in_the_fence_do_not_cut_each_other_short(tmp_path: Path) -> None:
    assert asked(tmp_path, "os.sched_getscheduler(0)") == str(os.SCHED_BATCH) != str(os.sched_getscheduler(0))
