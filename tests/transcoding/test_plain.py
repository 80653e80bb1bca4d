"""WAV and AIFF are written by ourselves, with all that ffmpeg would write, and proved from their own bytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.transcoding import make_tags
from tests.transcoding import sounds
from tests.transcoding.test_every_format import KINDS
from transcoding import encode, formats, plain, probe, tags
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS
from transcoding.previews import Passage
from transcoding.waveform import Digest

CODES = ("WAV", "AIFF")
SECONDS = 0.30003  # an odd number of samples: with three bytes each, and one channel, an odd number of bytes
DEEP_MONO = Passage(44100, 1, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24)
ALL = {**KINDS, "deep mono": DEEP_MONO}


def made(folder: Path, kind: Passage) -> tuple[Passage, Path, Digest, dict[str, Path]]:
    source = sounds.write_wav(
        folder / "master.wav", seconds=SECONDS, rate=kind.sample_rate, channels=kind.channels, bits=kind.bit_depth
    )
    sound = replace(kind, samples=int(SECONDS * kind.sample_rate))
    paths = {code: folder / f"made.{FORMATS[code].extension}" for code in CODES}
    digest = encode.encode(source, sound, {path: FORMATS[code] for code, path in paths.items()})
    return sound, source, digest, paths


def ffmpegs(source: Path, sound: Passage, code: str, *words: str) -> bytes:
    each = FORMATS[code]
    kind = f"pcm_s{formats.bits(each, sound)}{'be' if code == 'AIFF' else 'le'}"
    target = source.with_name(f"ffmpegs.{each.extension}")
    sounds.convert(
        source, target, "-map_metadata", "-1", "-fflags", "+bitexact", "-c:a", kind, *each.options, *words
    )  # fmt: skip
    return target.read_bytes()


def chunks(data: bytes) -> set[tuple[bytes, bytes]]:
    """ffmpeg 9 keeps the room for long lengths behind the format; an RF64 has it first, and so do ours."""
    at, found = 12, {(data[:4], data[4:12])}
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        found.add((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def like(code: str, ours: bytes, theirs: bytes) -> bool:
    return ours == theirs if code == "AIFF" else len(ours) == len(theirs) and chunks(ours) == chunks(theirs)


@pytest.mark.parametrize("kind", ALL)
def test_they_are_what_ffmpeg_would_write_and_prove_themselves(tmp_path: Path, monkeypatch, kind: str) -> None:
    sound, source, digest, paths = made(tmp_path, ALL[kind])
    monkeypatch.setattr(probe, "decode", None)
    for code, path in paths.items():
        assert like(code, path.read_bytes(), ffmpegs(source, sound, code)), code
        tags.write(path, FORMATS[code], make_tags(), None)
        proved = encode.verify(path, FORMATS[code], sound, sound_sha256=digest.sha256)
        assert (proved.sha256, proved.samples) == (digest.sha256, sound.samples)


def test_above_four_gibibytes_the_lengths_stand_elsewhere(tmp_path: Path, monkeypatch) -> None:
    """Tried with a limit of a thousand bytes, and held against what ffmpeg writes when it is told to."""
    monkeypatch.setattr(plain, "MOST", 1000)
    sound, source, digest, paths = made(tmp_path, KINDS["hires"])
    assert paths["WAV"].read_bytes() == ffmpegs(source, sound, "WAV", "-rf64", "always")
    found = plain.sha256(paths["WAV"], rate=96000, channels=2, bits=24)
    assert found == (digest.sha256, sound.samples)


def test_a_wav_has_its_room_where_an_rf64_has_its_lengths(tmp_path: Path) -> None:
    """Or tags that make it too long could not make it one."""
    *_, paths = made(tmp_path, KINDS["cd"])
    assert paths["WAV"].read_bytes()[12:20] == b"JUNK" + (28).to_bytes(4, "little")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", ["cd", "studio"])
def test_one_flipped_bit_is_another_sound(tmp_path: Path, code: str, kind: str) -> None:
    sound, _, digest, paths = made(tmp_path, KINDS[kind])
    data = bytearray(paths[code].read_bytes())
    data[len(data) // 2] ^= 1
    paths[code].write_bytes(data)
    with pytest.raises(RenditionWrong, match="own sound"):
        encode.verify(paths[code], FORMATS[code], sound, sound_sha256=digest.sha256)


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_vouched_for_that_says_other_than_it_is(tmp_path: Path, code: str) -> None:
    sound, _, _, paths = made(tmp_path, KINDS["cd"])
    data = paths[code].read_bytes()
    told = {"rate": sound.sample_rate, "channels": 2, "bits": 16}
    assert plain.sha256(paths[code], **told) is not None
    for other in ({"rate": 48000}, {"channels": 1}, {"bits": 24}):
        assert plain.sha256(paths[code], **{**told, **other}) is None
    for spoilt in (data[:-1], data + b"\0\0", data[:4] + b"\1" + data[5:], data[:3], b""):
        paths[code].write_bytes(spoilt)
        assert plain.sha256(paths[code], **told) is None


def test_a_decoder_that_ends_in_the_middle_of_a_sample_changes_nothing(tmp_path: Path) -> None:
    """Pieces come as a pipe cuts them."""
    sound = replace(KINDS["studio"], samples=100)
    whole, torn = tmp_path / "whole.aiff", tmp_path / "torn.aiff"
    data = bytes(range(200)) * 3
    for path, sizes in ((whole, [600]), (torn, [1, 2, 4, 5, 588])):
        with plain.Writer(path, sound, kind="aiff") as writer:
            at = 0
            for size in sizes:
                writer(data[at : at + size])
                at += size
            writer.close()
    assert whole.read_bytes() == torn.read_bytes()
