"""Workers that share nothing but the database, the queue and the bucket make one release together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.faulty import Broker, broker_behind_proxy
from tests.platform.homes import until
from tests.transcoding import sounds
from tests.transcoding.crews import Crew, environment
from transcoding import renditions
from transcoding.formats import FORMATS
from transcoding.models import Attempt, Rendition

TRACKS = 4
WANTED = [FORMATS[code] for code in ("FLAC", "OGG_Q6")]


@pytest.fixture
def crews(transactional_db: None, bucket: str, settings, tmp_path: Path) -> Iterator[list[Crew]]:
    """Two workers with a process each; the first has the beat, which rings for whatever is owed."""
    shared = {"AUDIO_BUCKET": bucket, "S3_ENDPOINT_URL": settings.S3_ENDPOINT_URL, "S3_ACCESS_KEY": "key",
              "S3_SECRET_KEY": "key"}  # fmt: skip
    with broker_behind_proxy() as (broker, proxy):
        crews = []
        for name in ("one", "two"):
            (home := tmp_path / name).mkdir()
            crews.append(
                Crew(broker, proxy, home, environment(home, proxy, **shared), f"{name}@here", name == "one", 1)
            )
        try:
            yield crews
        finally:
            for crew in crews:
                crew.end()


def listeners(broker: Broker) -> int:
    """How many wait for the next bell."""
    return sum(one["cmd"].startswith("brpop") for one in broker.client().client_list())


@pytest.mark.parametrize(
    "urgency",
    [
        pytest.param(renditions.BUYER_WAITS, id="a buyer waits"),
        pytest.param(renditions.AHEAD, id="ahead of time", marks=pytest.mark.long),
    ],
)
def test_two_workers_make_a_release_together_and_nothing_twice(crews: list[Crew], tmp_path: Path, urgency: int) -> None:
    song = sounds.write_wav(tmp_path / "song.wav", seconds=1)
    masters = [deliver(song) for _ in range(TRACKS)]
    for crew in crews:
        crew.tend()
    until(lambda: listeners(crews[0].broker) == len(crews))
    for master in masters:
        renditions.plan(master, WANTED, tags=make_tags(), priority=urgency, at=timezone.now())
    crews[0].works_until(lambda: not Rendition.objects.exclude(state="READY").exists())
    tries = Attempt.objects.filter(rendition__isnull=False)
    assert set(tries.values_list("outcome", flat=True)) == {"DONE"}
    assert tries.count() == Rendition.objects.count() == TRACKS * len(WANTED)
    assert set(tries.values_list("worker", flat=True)) == {"one@here", "two@here"}
    assert not [path for crew in crews for path in (crew.home / "audio").glob("renditions/*/*")]  # all in the bucket
