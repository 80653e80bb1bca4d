"""Prometheus is told what the rows say, in words it takes."""

import re
import shutil
import subprocess
from collections import Counter
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from store import exposition, metrics
from tests.factories.transcoding import make_master, make_rendition
from tests.ops.conftest import NOW, ago, owed, tried, waiting_master
from transcoding.models import Attempt

pytestmark = pytest.mark.django_db

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"\\\n]*",?)*)\})? (-?[0-9.e+-]+)')


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.delete(exposition.KEPT)


def samples(text: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def told(minutes: int = 0) -> dict[str, float]:
    """What is told some minutes from now."""
    return samples(exposition.text(at=NOW + timedelta(minutes=minutes)))


def busy_store() -> None:
    owed(priority=10)
    waiting_master(minutes=30)
    for code in ("FLAC", "MP3_V0"):
        tried(make_rendition(format=code), seconds=4)
    tried(owed(format="WAV"), seconds=1, outcome="FAILED", error='It said "no" \\ \n twice.')
    owed(state="FAILED", format="AIFF", error="x")


def faults(text: str) -> list[str]:
    """What `promtool check metrics` would say, and that nothing tells more things apart than there are formats."""
    found = [] if text.endswith("\n") else ["the last line does not end"]
    kinds: dict[str, str] = {}
    helped: list[str] = []
    seen: Counter[str] = Counter()
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if line.startswith("# HELP "):
            name, _, words = rest.partition(" ")[2].partition(" ")
            helped.append(name)
            found += [] if words else [f"{name} has no help"]
        elif line.startswith("# TYPE "):
            name, kind = rest.split()[1:]
            kinds[name] = kind
            found += [] if helped[-1] == name else [f"{name} has its type apart from its help"]
            found += [] if (kind == "counter") == name.endswith("_total") else [f"{name} is a {kind}"]
        else:
            match = SAMPLE.fullmatch(line)
            found += [] if match else [f"not a sample: {line}"]
            found += [] if match and match[1] == helped[-1] else [f"{line} stands under another name"]
            found += [f"{word} has a unit that is no base unit" for unit in ("_ms", "_minutes", "_mb") if unit in word]
            seen[line.rpartition(" ")[0]] += 1
    found += [f"{name} is told twice" for name, number in seen.items() if number > 1]
    found += [f"{name} is explained twice" for name, number in Counter(helped).items() if number > 1]
    return found + [f"{name} is not ours" for name in kinds if not name.startswith("clearsong_")]


def test_the_words_are_ones_prometheus_takes() -> None:
    busy_store()
    assert faults(exposition.text(at=NOW)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("gauge", "counter"), "is a counter"),
        (("# HELP clearsong_workers", "# HELP clearsong_worker"), "apart from its help"),
        (("clearsong_owed_rows{", "clearsong_owed{"), "under another name"),
        (("clearsong_given_up_files 1", "clearsong_given_up_files one"), "not a sample"),
        (('"resting"', '"waiting"'), "told twice"),
    ],
)
def test_and_a_word_it_would_not_take_is_found(change: tuple[str, str], fault: str) -> None:
    busy_store()
    assert any(fault in one for one in faults(exposition.text(at=NOW).replace(*change)))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_has_nothing_to_say() -> None:
    busy_store()
    text = exposition.text(at=NOW)
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_owed_work_is_told_by_kind_and_state_with_its_age() -> None:
    owed(priority=10, minutes=3)
    found = told()
    assert found['clearsong_owed_rows{kind="buyer",state="waiting"}'] == 1
    assert found['clearsong_oldest_owed_seconds{kind="buyer"}'] == 180


def test_an_errors_own_words_tell_no_samples_apart() -> None:
    for number in range(3):
        tried(owed(), seconds=1, outcome="FAILED", error=f"No room for {number} bytes.")
    found = [name for name in told() if name.startswith("clearsong_tries_total")]
    assert found == ['clearsong_tries_total{format="FLAC",outcome="failed"}']


def test_what_was_done_is_counted_with_its_sound_and_its_work() -> None:
    tried(make_rendition(), seconds=4)
    found = told()
    assert found['clearsong_tries_total{format="FLAC",outcome="done"}'] == 1
    assert found['clearsong_sound_seconds_total{format="FLAC"}'] == 180
    assert found['clearsong_work_seconds_total{format="FLAC"}'] == 4
    assert found['clearsong_realtime_ratio{format="FLAC"}'] == 45


def test_the_sums_only_grow_and_count_each_try_once() -> None:
    tried(make_rendition(), seconds=4)
    told()
    tried(make_rendition(), seconds=2, minutes=1)
    found = [told(), told(1)]
    assert [one['clearsong_tries_total{format="FLAC",outcome="done"}'] for one in found] == [2, 2]
    assert [one['clearsong_work_seconds_total{format="FLAC"}'] for one in found] == [6, 6]


def test_a_try_under_way_is_counted_when_it_ends_and_with_its_whole_batch() -> None:
    master = make_master()
    tried(make_rendition(master), seconds=4, minutes=1)
    going = tried(make_rendition(master, "MP3_V0"), seconds=0, minutes=1, ended_at=None, outcome="")
    assert not any("_total{" in name for name in told())
    Attempt.objects.filter(pk=going.pk).update(ended_at=ago(minutes=1) + timedelta(seconds=10), outcome="DONE")
    found = told()
    assert found['clearsong_work_seconds_total{format="FLAC"}'] == 5
    assert found['clearsong_work_seconds_total{format="MP3_V0"}'] == 5


def test_a_try_whose_worker_died_is_counted_as_cut_short() -> None:
    tried(owed(), seconds=0, minutes=1, ended_at=None, outcome="")
    assert not any("_total{" in name for name in told())
    assert told(10)['clearsong_tries_total{format="FLAC",outcome="cut_short"}'] == 1


def test_the_youngest_rows_wait_for_those_that_may_still_come_in_before_them() -> None:
    tried(make_rendition(), seconds=1, started_at=ago(seconds=2), ended_at=ago(seconds=1))
    assert not any("_total{" in name for name in told())
    assert told(1)['clearsong_tries_total{format="FLAC",outcome="done"}'] == 1


def test_an_emptied_cache_begins_anew_from_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        tried(make_rendition(), seconds=1)
    monkeypatch.setattr(metrics, "TRIES", 2)
    assert told()['clearsong_tries_total{format="FLAC",outcome="done"}'] == 2


def test_a_cache_that_is_away_takes_no_figure_with_it(settings: LazySettings) -> None:
    tried(make_rendition(), seconds=1)
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere?db=0"}}
    assert told()['clearsong_tries_total{format="FLAC",outcome="done"}'] == 1


def test_the_figures_cost_the_same_whatever_waits() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            exposition.text(at=NOW)
        return len(asked)

    statements()
    few = statements()
    for number in range(5):
        tried(owed(priority=10 * (number % 3), minutes=60), seconds=1, outcome="FAILED", error=str(number))
        waiting_master(minutes=30)
    assert statements() == few


def test_a_label_cannot_be_broken_out_of() -> None:
    line = exposition._metric("gauge", "m", "Told.", [({"of": 'a"b\\c\nd'}, 1)]).splitlines()[-1]
    assert line == r'clearsong_m{of="a\"b\\c\nd"} 1'
