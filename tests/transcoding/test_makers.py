"""Where an encoder's own program serves better than its library inside ffmpeg, it makes the file, just as long."""

from dataclasses import dataclass
from pathlib import Path

import mutagen
import pytest

from tests.transcoding import sounds
from transcoding import encode, encoders, formats
from transcoding.encoders import FFMPEG, LAME, OGGENC

SECONDS = 3.2


@dataclass(frozen=True)
class Heard:
    samples: int
    sample_rate: int = 44100
    bit_depth: int = 16
    channels: int = 2
    container: str = "wav"
    codec: str = "pcm_s16le"
    lossless: bool = True
    bytes: int = 1


@pytest.fixture(scope="module")
def audio(tmp_path_factory) -> Path:
    return sounds.write_wav(tmp_path_factory.mktemp("makers") / "long.wav", seconds=SECONDS)


@pytest.fixture(scope="module")
def fine(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("makers") / "fine.wav"
    return sounds.write_wav(path, seconds=SECONDS, rate=96000, bits=24)


CD = Heard(int(SECONDS * 44100))
STUDIO = Heard(int(SECONDS * 96000), sample_rate=96000, bit_depth=24, codec="pcm_s24le")
needs_both = pytest.mark.skipif(
    not (encoders.program(LAME) and encoders.program(OGGENC)), reason="lame or vorbis-tools is not installed"
)


def made(audio: Path, sound: Heard, code: str, folder: Path) -> tuple[Path, encode.Proved]:
    each = formats.get(code)
    path = folder / f"made.{each.extension}"
    source = encode.encode(audio, sound, {path: each})
    return path, encode.verify(path, each, sound, sound_sha256=source.sha256)


@needs_both
@pytest.mark.parametrize("code", ["OGG_Q6", "MP3_320", "MP3_128"])
def test_what_its_own_program_makes_is_as_long_as_the_master(audio: Path, tmp_path: Path, code: str) -> None:
    _, heard = made(audio, CD, code, tmp_path)
    assert heard.samples == CD.samples


@needs_both
@pytest.mark.parametrize("code", ["OGG_Q6", "MP3_320"])
def test_24_bits_at_96_khz_pass_through_it_too(fine: Path, tmp_path: Path, code: str) -> None:
    path, heard = made(fine, STUDIO, code, tmp_path)
    rate = formats.output_rate(formats.get(code), 96000)
    assert mutagen.File(path).info.sample_rate == rate
    assert heard.samples == round(SECONDS * rate)


@needs_both
def test_a_constant_bit_rate_is_lames_own_work_and_without_lame_it_is_not(
    audio: Path, tmp_path: Path, monkeypatch
) -> None:
    path, _ = made(audio, CD, "MP3_320", tmp_path)
    assert b"LAME3.1" in path.read_bytes()[2000:]
    monkeypatch.setattr(encoders, "program", lambda _: ())
    path.unlink()
    path, _ = made(audio, CD, "MP3_320", tmp_path)
    assert b"LAME3.1" not in path.read_bytes()[2000:]


@needs_both
@pytest.mark.parametrize("code", ["OGG_Q6", "MP3_320"])
def test_the_same_sound_gives_the_same_bytes(audio: Path, tmp_path: Path, code: str) -> None:
    first = made(audio, CD, code, tmp_path)[0].read_bytes()
    assert made(audio, CD, code, tmp_path)[0].read_bytes() == first


@needs_both
def test_nothing_but_the_file_is_left_behind(audio: Path, tmp_path: Path) -> None:
    made(audio, CD, "OGG_Q6", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made.ogg"]


@needs_both
@pytest.mark.parametrize(
    ("code", "sound"),
    [
        ("MP3_V0", CD),
        ("OGG_Q6", Heard(2 * 44100)),
        ("OGG_Q6", Heard(CD.samples, lossless=False, bit_depth=0)),
        ("MP3_320", Heard(3 * 3600 * 96000, sample_rate=96000, bit_depth=24)),
    ],
    ids=["by quality", "short", "from a lossy master", "larger than a WAV"],
)
def test_ffmpeg_keeps_what_it_does_as_well_or_alone_can(code: str, sound: Heard) -> None:
    assert encode.maker(formats.get(code), sound)[0] == FFMPEG


def test_without_the_programs_ffmpeg_makes_everything(monkeypatch) -> None:
    monkeypatch.setattr(encoders, "program", lambda _: ())
    assert {encode.maker(formats.get(code), CD)[0] for code in ("OGG_Q6", "MP3_320")} == {FFMPEG}
