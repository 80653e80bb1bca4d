"""A worker keeps to a core that no other has; what somebody waits for has them all."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from transcoding import cores, sandbox

ALL = os.sched_getaffinity(0)
pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="there is but one core")
_TAKE = """
import sys
from transcoding import cores
with cores.own() as core:
    print(core, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> str:
    """Of these tests alone: workers of the machine may have theirs taken."""
    name = f"\0clearsong.test.{os.getpid()}.{{}}"
    monkeypatch.setattr(cores, "_NAME", name)
    return name


@pytest.fixture
def another(names: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A worker that has a core of its own, and which."""
    code = _TAKE.replace("with", f"cores._NAME = {names!r}\nwith")
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
        process.kill()


def test_a_worker_keeps_to_one_core_as_long_as_it_works() -> None:
    with cores.own() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == ALL


def test_its_programs_keep_to_it_too() -> None:
    with cores.own() as core:
        said = subprocess.run(["grep", "Cpus_allowed_list", "/proc/self/status"], capture_output=True, check=True)
    assert said.stdout.split()[1] == str(core).encode()


def test_nobody_takes_a_core_that_another_worker_has(another: tuple[subprocess.Popen[str], int]) -> None:
    for _ in range(10):
        with cores.own() as core:
            assert core != another[1]


def test_the_core_of_a_worker_that_was_killed_is_free(another: tuple[subprocess.Popen[str], int]) -> None:
    process, taken = another
    process.kill()
    process.wait()
    found = set()
    while taken not in found:
        with cores.own() as core:
            found.add(core)


def test_when_each_core_has_its_worker_the_next_has_them_all() -> None:
    with contextlib.ExitStack() as held:
        assert all(cores._take(core, held) for core in ALL)
        with cores.own() as core:
            assert core is None
            assert os.sched_getaffinity(0) == ALL


def test_what_somebody_waits_for_has_all_cores_meanwhile() -> None:
    with cores.own() as core:
        with cores.every():
            assert os.sched_getaffinity(0) == ALL
        assert os.sched_getaffinity(0) == {core}


def test_outside_of_it_there_is_nothing_to_widen() -> None:
    with cores.every():
        assert os.sched_getaffinity(0) == ALL


def test_an_error_gives_the_cores_back() -> None:
    with pytest.raises(KeyError), cores.own():
        raise KeyError
    assert os.sched_getaffinity(0) == ALL


def test_programs_in_the_fence_do_not_cut_each_other_short(tmp_path: Path) -> None:
    script = tmp_path / "policy.py"
    script.write_text("import os\nprint(os.sched_getscheduler(0))")
    said = sandbox.run_script(script, [], inputs=[]).stdout
    assert int(said) == os.SCHED_BATCH != os.sched_getscheduler(0)
