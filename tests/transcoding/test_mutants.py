"""Thousands of files that went wrong. Each is taken or refused with plain words, soon, in bounded memory; nothing of
ours breaks, and nobody outside is asked."""

import contextlib
import resource
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from catalog.models import Recording
from store import tagreading
from tests.factories.catalog import make_recording
from tests.factories.transcoding import deliver
from tests.transcoding import mutants
from transcoding import containers
from transcoding.errors import MasterRefused
from transcoding.models import Master

pytestmark = pytest.mark.django_db
LONGEST = 60  # seconds for one file
MOST_MEMORY = 2 * 1024**2  # KiB, as the system counts them
OURS = {"EXAMINATION_FAILED", "GIVEN_UP"}  # what is said when we do not know


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [path.read_bytes() for path in mutants.seeds(tmp_path_factory.mktemp("seeds"))]


@pytest.fixture
def recording() -> Recording:
    return make_recording()


def verdict(path: Path, recording: Recording) -> str:
    """ACCEPTED, or the code of the refusal; the tags are read too, as a delivery does before."""
    begun = time.monotonic()
    with contextlib.suppress(MasterRefused):
        tags = tagreading.read(path, with_cover=True)
        assert all(finding.message for finding in tags.findings)
    master = deliver(path, recording)
    assert time.monotonic() - begun < LONGEST
    if master.state == Master.State.ACCEPTED:
        return "ACCEPTED"
    assert master.state == Master.State.REJECTED
    (finding,) = master.findings.filter(severity="FATAL")
    assert finding.code not in OURS, finding.message
    assert finding.message.endswith(".")
    return finding.code


def try_all(files: Iterable[bytes], folder: Path, recording: Recording) -> Counter[str]:
    path, said = folder / "file", Counter[str]()
    for data in files:
        path.write_bytes(data)
        said[verdict(path, recording)] += 1
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        assert resource.getrusage(whose).ru_maxrss < MOST_MEMORY
    print(said)  # noqa: T201 - what `-s` shows of a long run
    return said


def made(seeds: list[bytes], numbers: Iterable[int]) -> Iterable[bytes]:
    return (mutants.mutant(seeds[number % len(seeds)], number, seeds) for number in numbers)


def test_no_mutant_breaks_the_examination(seeds: list[bytes], tmp_path: Path, recording: Recording) -> None:
    said = try_all(made(seeds, range(27)), tmp_path, recording)  # three of each seed
    assert said["ACCEPTED"] < 27


def test_without_the_care_for_short_headers_a_mutant_does(seeds: list[bytes], tmp_path: Path, monkeypatch) -> None:
    """The control: a header that breaks off is no error of ours only because that is looked after."""
    monkeypatch.setattr(containers, "SHORT", ())
    (tmp_path / "short").write_bytes(b"wvpk" + b"\0" * 6)
    with pytest.raises(Exception, match="unpack"):
        tagreading.read(tmp_path / "short")


@pytest.mark.long
def test_two_thousand_mutants_break_nothing(seeds: list[bytes], tmp_path: Path, recording: Recording) -> None:
    assert try_all(made(seeds, range(2000)), tmp_path, recording).total() == 2000


@pytest.mark.long
@pytest.mark.parametrize("kind", range(9))
def test_a_thousand_odd_headers_break_nothing(
    seeds: list[bytes], tmp_path: Path, recording: Recording, kind: int
) -> None:
    """A hundred and more of each container."""
    assert len(seeds) == 9
    assert try_all(mutants.odd(seeds[kind]), tmp_path, recording).total() == 112
