"""Files that claim, or would become, far more than they are: refused within seconds, before their sound is decoded."""

import os
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from store import tagreading
from tests.transcoding import bombs, sounds
from transcoding import containers, probe
from transcoding.errors import MasterRefused
from transcoding.probe import AudioFacts

SOON = 5.0
HOUR = 3600
COVER = 500 * 1024**2
GIB = 1024**3


def refusal(path: Path, *, max_bytes: int = 8 * GIB, max_seconds: int = 6 * HOUR) -> str:
    """The code under which it is refused. What is bounded is our own time; the fence bounds the other, see below."""
    begun = time.process_time()
    with pytest.raises(MasterRefused) as told:
        probe.examine(path, max_seconds=max_seconds, max_bytes=max_bytes, window_seconds=30)
    assert time.process_time() - begun < SOON
    assert str(told.value).endswith(".")
    return told.value.code


def test_a_header_is_read_within_seconds_or_not_at_all() -> None:
    """Seconds of a processor: a busy machine is no fault of the file's."""
    assert probe.HEADER_LIMITS.cpu_seconds < SOON


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of silence in about a megabyte: 15 GB once decoded."""
    return bombs.silent_flac(tmp_path_factory.mktemp("day") / "day.flac", seconds=24 * HOUR)


def test_a_day_of_silence_is_refused_by_its_header(day: Path) -> None:
    assert day.stat().st_size < 2_000_000
    assert refusal(day) == "TOO_LONG"


@pytest.mark.parametrize(("says", "code"), [(0, "TOO_LONG"), (44_100, "DAMAGED")], ids=["nothing", "a second"])
def test_a_day_of_silence_is_refused_though_its_header_hides_it(
    day: Path, tmp_path: Path, says: int, code: str
) -> None:
    data = bytearray(day.read_bytes())
    packed = int.from_bytes(data[18:26], "big") & ~((1 << 36) - 1) | says
    data[18:26] = packed.to_bytes(8, "big")
    (tmp_path / "day.flac").write_bytes(data)
    assert refusal(tmp_path / "day.flac") == code


def test_the_length_of_a_stream_is_found_at_its_end(tmp_path: Path) -> None:
    streamed = bombs.silent_flac(tmp_path / "streamed.flac", seconds=20, says=0)
    assert containers.read(streamed).samples == 14 * bombs.BLOCK


def test_a_wavpack_stream_tells_its_length_at_its_end(audio: Path, tmp_path: Path) -> None:
    data = bytearray((audio / "plain.wv").read_bytes())
    data[12:16] = b"\xff" * 4
    (tmp_path / "streamed.wv").write_bytes(data)
    assert containers.read(tmp_path / "streamed.wv").samples == 88_200


def test_more_sound_than_fits_is_refused_by_its_header(tmp_path: Path) -> None:
    """Six hours are allowed; at 44.1 kHz in 16 bits they would be 3.8 GB."""
    long = bombs.silent_flac(tmp_path / "long.flac", seconds=5, says=6 * HOUR * 44_100)
    assert refusal(long, max_bytes=3 * GIB) == "TOO_MUCH_SOUND"


FACTS = AudioFacts(
    "flac", "flac", True, 96_000, 24, 2, 3 * HOUR * 96_000, 3 * HOUR, containers.Declared(containers.FLAC)
)


def test_three_hours_of_the_best_sound_are_taken() -> None:
    probe.check_limits(FACTS, max_seconds=6 * HOUR, max_bytes=8 * GIB, length=3 * GIB)


def test_twice_that_rate_is_too_much() -> None:
    with pytest.raises(MasterRefused, match=r"11\.6 GiB.*at most 8 GiB"):
        probe.check_limits(
            replace(FACTS, sample_rate=192_000, samples=3 * HOUR * 192_000),
            max_seconds=6 * HOUR,
            max_bytes=8 * GIB,
            length=3 * GIB,
        )


@pytest.mark.parametrize(
    ("rate", "channels", "code"),
    [(768_000, 2, "RATE_NOT_TAKEN"), (44_100, 255, "TOO_MANY_CHANNELS"), (768_000, 255, "RATE_NOT_TAKEN")],
)
def test_odd_sound_is_refused_by_its_header(tmp_path: Path, rate: int, channels: int, code: str) -> None:
    assert refusal(bombs.pcm_wav(tmp_path / "odd.wav", rate=rate, channels=channels)) == code


# --- tags ---


def hundred_thousand_comments(audio: Path, path: Path) -> None:
    comments = [b"T%d=words" % number for number in range(100_000)]
    path.write_bytes(bombs.with_blocks((audio / "plain.flac").read_bytes(), [(4, bombs.vorbis_comment(comments))]))


def hundred_thousand_frames(audio: Path, path: Path) -> None:
    frames = b"".join(bombs.id3_text(f"T{number}", "words") for number in range(100_000))
    path.write_bytes(bombs.id3(frames) + (audio / "plain.mp3").read_bytes())


@pytest.mark.parametrize("many", [hundred_thousand_comments, hundred_thousand_frames])
def test_a_hundred_thousand_tags_are_refused(audio: Path, tmp_path: Path, many: Callable[[Path, Path], None]) -> None:
    path = tmp_path / "many"
    many(audio, path)
    assert refusal(path) == "TAGS_TOO_LARGE"
    begun = time.process_time()
    tagreading.read(path)
    assert time.process_time() - begun < SOON


def cover_in_flac(audio: Path, path: Path) -> None:
    """Blocks hold 16 MB at most, so it takes many."""
    data = (audio / "plain.flac").read_bytes()
    first = 8 + int.from_bytes(data[5:8], "big")
    with path.open("wb") as file:
        file.write(data[:4] + bytes([data[4] & 0x7F]) + data[5:first])
        for _ in range(COVER // 0xFFFFFF):
            file.write(b"\x06\xff\xff\xff")
            file.seek(0xFFFFFF, os.SEEK_CUR)
        file.write(data[first:])


def cover_in_mp4(audio: Path, path: Path) -> None:
    path.write_bytes((audio / "plain.m4a").read_bytes())
    names = (b"udta", b"meta", b"ilst", b"covr", b"data")
    with path.open("ab") as file:
        heads = [
            struct.pack(">I4s", COVER + 8 * (len(names) - at) + 4 * (at < 2), name) + b"\0" * 4 * (name == b"meta")
            for at, name in enumerate(names)
        ]
        file.write(b"".join(heads))
        file.truncate(file.tell() + COVER)


def cover_in_wav(audio: Path, path: Path) -> None:
    path.write_bytes((audio / "plain.wav").read_bytes())
    with path.open("ab") as file:
        file.write(struct.pack("<4sI", b"id3 ", COVER))
        file.truncate(file.tell() + COVER)


def cover_in_mp3(audio: Path, path: Path) -> None:
    """ID3 counts to 256 MB."""
    with path.open("wb") as file:
        file.write(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + b"APIC\x7f\x7f\x7f\x6d\0\0\0image/png\0\x03\0")
        file.seek(10 + (1 << 28) - 1)
        file.write((audio / "plain.mp3").read_bytes())


@pytest.mark.parametrize("put", [cover_in_flac, cover_in_mp4, cover_in_wav, cover_in_mp3])
def test_a_cover_of_hundreds_of_megabytes_is_refused(
    audio: Path, tmp_path: Path, put: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "cover"
    put(audio, path)
    assert refusal(path) == "TAGS_TOO_LARGE"
    begun = time.process_time()
    tagreading.read(path, with_cover=True)
    assert time.process_time() - begun < SOON


def test_a_cover_of_the_common_kind_is_no_bomb(audio: Path, tmp_path: Path) -> None:
    picture = b"\0\0\0\x03\0\0\0\x09image/png" + b"\0" * 20 + struct.pack(">I", 12_000_000) + b"\0" * 12_000_000
    path = tmp_path / "cover.flac"
    path.write_bytes(bombs.with_blocks((audio / "plain.flac").read_bytes(), [(6, picture)]))
    assert probe.examine(path, max_seconds=HOUR, max_bytes=GIB, window_seconds=30).heard.samples == 88_200


# --- tags that pretend to be the header ---

FORGED = "x\n  Duration: 00:00:01.00, start: 0.000000\n  Stream #0:0: Audio: flac, 44100 Hz, stereo, s16"


@pytest.mark.parametrize(
    "name", ["TITLE", "  Duration: 00:00:01.00, x", "  Stream #0:0: Audio: pcm_s24le, 8000 Hz, stereo, s16", FORGED]
)
def test_tags_that_speak_like_a_header_are_not_believed(audio: Path, tmp_path: Path, name: str) -> None:
    """What ffmpeg says of a file holds its tags too."""
    path = tmp_path / "forged.mp3"
    plain = probe.header(audio / "plain.mp3")
    path.write_bytes(bombs.id3(bombs.id3_text(name, FORGED)) + (audio / "plain.mp3").read_bytes())
    try:
        facts = probe.header(path)
    except MasterRefused as refused:
        assert refused.code == "TAGS_TOO_LARGE"  # noqa: PT017 - either is safe
    else:
        assert (facts.codec, facts.seconds, facts.bit_depth) == (plain.codec, plain.seconds, plain.bit_depth)


def test_long_lyrics_hide_nothing(audio: Path, tmp_path: Path) -> None:
    """Ogg's tags are said after its codec, and there may be pages of them."""
    words = "\n".join(f"line {number} of a long ballad" for number in range(500))
    path = sounds.convert(audio / "plain.ogg", tmp_path / "long.ogg", "-c", "copy", "-metadata", f"lyrics={words}")
    facts = probe.header(path)
    assert (facts.codec, facts.seconds) == ("vorbis", 2.0)
