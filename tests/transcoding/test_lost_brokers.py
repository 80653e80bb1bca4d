"""The queue's server fails in every way while files are owed: all of them are made soon after, each once, and no worker
is left that hears nothing. What is owed is rows; the queue only rings.
"""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.faulty import broker_behind_proxy
from tests.transcoding import sounds
from tests.transcoding.crews import Crew, environment, pause
from transcoding import renditions
from transcoding.formats import FORMATS
from transcoding.models import Attempt, Master, Rendition


@pytest.fixture
def crew(transactional_db: None, settings, tmp_path: Path) -> Iterator[Crew]:
    home: Path = settings.HOME
    home.mkdir(parents=True, exist_ok=True)
    with broker_behind_proxy() as (broker, proxy):
        crew = Crew(broker, proxy, home, environment(home, proxy))
        try:
            yield crew
        finally:
            crew.end()


def flushed(crew: Crew, times: int) -> None:
    for _ in range(times):
        crew.broker.client().flushall()
        pause(0.3)


def stopped(crew: Crew, seconds: float) -> None:
    """Away, and empty when it comes back."""
    crew.broker.stop()
    pause(seconds)
    crew.broker.start()


def frozen(crew: Crew, seconds: float) -> None:
    """It takes connections and answers nothing."""
    crew.broker.signal(signal.SIGSTOP)
    pause(seconds)
    crew.broker.signal(signal.SIGCONT)


def full(crew: Crew, seconds: float) -> None:
    """It refuses whatever would need memory, and says so."""
    client = crew.broker.client()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1mb")
    pause(seconds)
    client.config_set("maxmemory", "0")


def reset(crew: Crew, times: int) -> None:
    for _ in range(times):
        crew.proxy.reset()
        pause(0.5)
    assert crew.proxy.broken >= times


def owe(song: Path, count: int) -> None:
    """Files to make, and as many masters to examine."""
    for _ in range(count):
        renditions.plan(deliver(song), [FORMATS["FLAC"]], tags=make_tags(), at=timezone.now())
        deliver(song, examine=False)


def assert_survives(crew: Crew, song: Path, fault: Callable[[], None], *, jobs: int) -> None:
    """Work has begun, then the fault, then all is done."""
    owe(song, jobs)
    crew.works_until(lambda: Rendition.objects.filter(state="READY").exists())
    fault()
    done = Rendition.objects.exclude(state="READY"), Master.objects.exclude(state="ACCEPTED")
    crew.works_until(lambda: not any(rows.exists() for rows in done))
    twice = Attempt.objects.filter(outcome="DONE")
    assert twice.count() == Rendition.objects.count() + Master.objects.count()
    crew.works_until(crew.hears)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write_wav(tmp_path_factory.mktemp("brokers") / "song.wav", seconds=1)


def test_a_broker_that_dies_and_comes_back_empty_loses_no_work(crew: Crew, song: Path) -> None:
    def fault() -> None:
        reset(crew, 2)
        stopped(crew, 0.5)

    assert_survives(crew, song, fault, jobs=3)


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [
        lambda crew: flushed(crew, 10),
        lambda crew: stopped(crew, 60),
        lambda crew: frozen(crew, 60),
        lambda crew: full(crew, 30),
        lambda crew: reset(crew, 20),
    ],
    ids=["flushed ten times", "stopped for a minute", "frozen for a minute", "full", "reset twenty times"],
)
def test_however_the_broker_fails_all_is_done_soon_after(crew: Crew, song: Path, fault: Callable[[Crew], None]) -> None:
    assert_survives(crew, song, lambda: fault(crew), jobs=5)
