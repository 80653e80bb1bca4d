"""What leaves the shop: of every file that is made, length, rate, channels, loudness and tags are those of its master,
and nothing that the label's own file told besides goes with it."""

import random
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mutagen
import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds
from transcoding import formats, renditions, sandbox, storage, tags
from transcoding.models import Master, Rendition

pytestmark = pytest.mark.django_db
APART = 0.05  # seconds
LOUDER = 0.5  # LU
SECRET = "LEAK"
PLANTED = {
    "comment": f"{SECRET} rough mix, do not publish",
    "location": f"+52.5200+013.4050/{SECRET}",
    "encoded_by": f"/home/ana/{SECRET}/Session 7.als",
    "description": f"{SECRET} ana@example.org",
}
CONTAINERS: dict[str, tuple[str, ...]] = {
    "flac": (),
    "wav": ("-write_bext", "1"),
    "aiff": ("-write_id3v2", "1"),
    "m4a": ("-c:a", "alac", "-movflags", "use_metadata_tags"),
    "wv": (),
}
RATES = (44100, 48000, 96000, 22050, 88200)


@dataclass(frozen=True)
class Output:
    """What a player is told of a file, and what it measures. `told` is the length that its header says, in seconds."""

    seconds: float
    told: float
    rate: int
    channels: int
    loudness: float


def look(path: Path) -> Output:
    graph = "asplit[a][b];[a]ebur128=framelog=quiet,anullsink;[b]anull"
    command = [sandbox.ffmpeg(), "-nostdin", "-hide_banner", "-i", str(path), "-map", "0:a:0", "-af", graph]
    done = subprocess.run([*command, "-f", "s16le", "-"], check=True, capture_output=True)
    said = done.stderr.decode("utf-8", "replace")
    found = re.search(r"Audio: .*?, (\d+) Hz, (mono|stereo)", said)
    loud = re.findall(r"I:\s+(-?[\d.]+|-inf) LUFS", said)
    assert found is not None, said
    rate, channels = int(found[1]), 1 if found[2] == "mono" else 2
    if path.suffix == ".mpc":  # of which ffmpeg counts the decoder's delay too
        told = mutagen.File(path).info.length
    else:
        told = float(re.findall(r"Duration: 00:00:([\d.]+), ", said)[0])
    return Output(len(done.stdout) / 2 / channels / rate, told, rate, channels, float(loud[-1]))


def delivered(folder: Path, number: int) -> tuple[Master, Path]:
    """One more master of a kind: its container, rate, depth, channels, length and loudness go by its number."""
    dice = random.Random(number)
    suffix, words = list(CONTAINERS.items())[number % len(CONTAINERS)]
    rate, bits, channels = RATES[number % 7 % len(RATES)], dice.choice((16, 24)), dice.choice((1, 2, 2))
    count = int(rate * dice.uniform(0.9, 1.6))
    at = np.arange(count) / rate
    noise = np.random.default_rng(number).normal(0, 0.02, (count, channels))
    tones = [np.sin(2 * np.pi * dice.uniform(150, 900) * at) for _ in range(channels)]
    plain = sounds.write_samples(
        folder / "plain.wav", (np.stack(tones, axis=1) * 0.8 + noise) * dice.uniform(0.05, 0.9), rate=rate, bits=bits
    )
    said = [word for name, value in PLANTED.items() for word in ("-metadata", f"{name}={value}")]
    path = sounds.convert(plain, folder / f"{number}.{suffix}", *said, *words, *coded(suffix, bits))
    assert SECRET.encode() in path.read_bytes()
    master = deliver(path)
    assert master.state == Master.State.ACCEPTED, [finding.message for finding in master.findings.all()]
    return master, path


def coded(suffix: str, bits: int) -> tuple[str, ...]:
    if suffix in {"wav", "aiff"}:
        return ("-c:a", f"pcm_s{bits}{'le' if suffix == 'wav' else 'be'}")
    planar = "p" if suffix in {"m4a", "wv"} else ""
    return ("-sample_fmt", f"s{16 if bits == 16 else 32}{planar}", "-bits_per_raw_sample", str(bits))


def made(master: Master, codes: list[str]) -> Iterator[tuple[Rendition, Path]]:
    rows = renditions.plan(master, [formats.get(code) for code in codes], tags=make_tags(), at=timezone.now())
    renditions.make_due(master.pk)
    for row in Rendition.objects.filter(pk__in=[row.pk for row in rows]):
        assert row.state == Rendition.State.READY, (row.format, row.error)
        path = storage.path_of(row.storage_key)
        assert path is not None
        yield row, path


def leaks(data: bytes) -> list[str]:
    """Words of the label's own file, and of this machine, in whatever alphabet a container writes."""
    words = [SECRET, "+52.52", "ana@", "/home/", tempfile.gettempdir(), str(settings.HOME)]
    return [word for word in words if word.encode() in data or word.encode("utf-16-le") in data]


def wrong(row: Rendition, path: Path, master: Master, before: Output) -> list[str]:
    """What of a finished file is not as its master has it."""
    each, after = formats.get(row.format), look(path)
    said, _ = tags.read(path, each)
    found = {
        "seconds": abs(after.seconds - before.seconds) > APART + each.untrimmed / after.rate,
        "told": abs(after.told - before.seconds) > APART,
        "rate": after.rate != formats.output_rate(each, master.sample_rate),
        "channels": after.channels != before.channels,
        "loudness": abs(after.loudness - before.loudness) > LOUDER,
        "tags": said != tags.fields_of(make_tags(), each),
    }
    return [*(name for name, amiss in found.items() if amiss), *leaks(path.read_bytes())]


def wanted(master: Master, *, families: bool) -> list[str]:
    """All that the shop names, or of each family the first."""
    offered = formats.offered_for(master)
    return [each.code for each in ({one.family: one for one in reversed(offered)}.values() if families else offered)]


def checked(folder: Path, number: int, *, families: bool) -> dict[tuple[str, str], list[str]]:
    master, source = delivered(folder, number)
    before = look(source)
    found = {
        (source.name, row.format): wrong(row, path, master, before)
        for row, path in made(master, wanted(master, families=families))
    }
    return {name: what for name, what in found.items() if what}


@pytest.mark.parametrize("number", [0, 1, 3])
def test_every_family_leaves_as_its_master_came_and_tells_nothing_else(tmp_path: Path, number: int) -> None:
    assert checked(tmp_path, number, families=True) == {}


@pytest.mark.long
@pytest.mark.parametrize("number", range(100))
def test_a_hundred_tracks_leave_as_they_came_in_every_format(tmp_path: Path, number: int) -> None:
    assert checked(tmp_path, number, families=False) == {}


def test_the_control_finds_what_is_amiss(tmp_path: Path) -> None:
    """Another sound under the name of this one's file, with the label's words in it."""
    master, source = delivered(tmp_path, 0)
    row, _ = next(made(master, ["FLAC"]))
    before = look(source)
    quiet = sounds.write_wav(tmp_path / "quiet.wav", seconds=3, rate=32000, channels=3 - before.channels)
    other = sounds.convert(quiet, tmp_path / "other.flac", "-af", "volume=-30dB", "-metadata", f"comment={SECRET}")
    assert wrong(row, other, master, before) == ["seconds", "told", "rate", "channels", "loudness", "tags", SECRET]
