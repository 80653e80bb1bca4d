"""A lossy file is proved by walking over its frames: whole ones are vouched for, and nothing else is."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.transcoding import make_tags
from tests.transcoding import sounds
from tests.transcoding.test_every_format import KINDS
from tests.transcoding.test_tags import picture
from transcoding import containers, encode, formats, frames, probe, tags
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS
from transcoding.previews import Passage

CODES = ("MP3_V0", "MP3_320", "MP3_128", "OGG_Q6", "OPUS_128", "AAC_256", "AAC_128", "WMA_192")
ONE_OF_EACH = ("MP3_V0", "OGG_Q6", "OPUS_128", "AAC_256")
UNTOLD = {("telephone", "OGG_Q6")}  # a setup of one mode alone
SECONDS = 4.3  # long enough for other encoders, and for both ends to be heard


def made(folder: Path, sound: Passage, seconds: float) -> tuple[Passage, dict[str, Path]]:
    source = sounds.write_wav(
        folder / "master.wav", seconds=seconds, rate=sound.sample_rate, channels=sound.channels, bits=sound.bit_depth
    )
    sound = replace(sound, samples=int(seconds * sound.sample_rate))
    paths = {
        code: folder / f"{code}.{FORMATS[code].extension}" for code in CODES if formats.is_offered(FORMATS[code], sound)
    }
    encode.encode(source, sound, {path: FORMATS[code] for code, path in paths.items()})
    for code, path in paths.items():
        tags.write(path, FORMATS[code], make_tags(), picture(), samples=formats.output_samples(FORMATS[code], sound))
    return sound, paths


def told(path: Path, code: str, sound: Passage) -> int | None:
    each = FORMATS[code]
    rate = formats.output_rate(each, sound.sample_rate)
    return frames.samples(path, each.codec, rate=rate, channels=sound.channels)


def vouched(path: Path, code: str, sound: Passage) -> bool:
    try:
        return told(path, code, sound) is not None
    except RenditionWrong:
        return False


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_is_made_here_is_vouched_for(tmp_path: Path, kind: str) -> None:
    """Or each would be decoded whole, which costs ten times as much."""
    sound, paths = made(tmp_path, KINDS[kind], 0.9)
    for code, path in paths.items():
        if (kind, code) not in UNTOLD:
            assert told(path, code, sound) in encode._lengths(FORMATS[code], sound), code


@pytest.fixture(scope="module")
def cd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Passage, dict[str, Path]]:
    return made(tmp_path_factory.mktemp("cd"), KINDS["cd"], SECONDS)


@pytest.mark.parametrize("code", CODES)
def test_none_of_them_is_decoded_whole(cd: tuple[Passage, dict[str, Path]], monkeypatch, code: str) -> None:
    sound, paths = cd
    monkeypatch.setattr(probe, "decode", None)
    proved = encode.verify(paths[code], FORMATS[code], sound, sound_sha256="")
    assert proved.samples in encode._lengths(FORMATS[code], sound)


def cut(data: bytes) -> bytes:
    return data[:-1]


def grown(data: bytes) -> bytes:
    return data + b"\0"


def second_half_moved(data: bytes) -> bytes:
    return data[: len(data) // 2] + b"\0" + data[len(data) // 2 :]


def hole(data: bytes) -> bytes:
    """Four thousand bytes are gone from the middle, as if a block had never been written."""
    return data[: len(data) // 2] + data[len(data) // 2 + 4096 :]


def zeroed(data: bytes) -> bytes:
    """They are nought, as on a disk that lost power."""
    return data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096 :]


def repeated(data: bytes) -> bytes:
    middle = data[len(data) // 2 : len(data) // 2 + 4096]
    return data[: len(data) // 2] + middle + data[len(data) // 2 :]


def another_end(data: bytes) -> bytes:
    """The last thousand bytes are those from elsewhere."""
    return data[:-1000] + data[20_000:21_000]


DAMAGE = [cut, grown, second_half_moved, hole, zeroed, repeated, another_end]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("code", CODES)
def test_what_is_damaged_anywhere_is_not_vouched_for(
    cd: tuple[Passage, dict[str, Path]], tmp_path: Path, code: str, damage: Callable[[bytes], bytes]
) -> None:
    if (code, damage) == ("WMA_192", another_end):
        pytest.skip("a block of WMA is longer than that, and nothing marks its end")
    sound, paths = cd
    path = tmp_path / paths[code].name
    path.write_bytes(damage(paths[code].read_bytes()))
    assert not vouched(path, code, sound)


@pytest.mark.parametrize("code", ["OGG_Q6", "OPUS_128", "MP3_V0", "MP3_320"])
def test_every_bit_counts_where_there_are_checksums(
    cd: tuple[Passage, dict[str, Path]], tmp_path: Path, code: str
) -> None:
    sound, paths = cd
    data = paths[code].read_bytes()
    for at in range(containers.id3_length(data[:10]), len(data), 1997):
        (tmp_path / "x").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert not vouched(tmp_path / "x", code, sound), at


def one_bit(path: Path, folder: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 16
    spoilt = folder / path.name
    spoilt.write_bytes(data)
    return spoilt


@pytest.mark.parametrize("code", ["OGG_Q6", "OPUS_128", "MP3_V0", "MP3_320"])
def test_one_flipped_bit_is_refused(cd: tuple[Passage, dict[str, Path]], tmp_path: Path, code: str) -> None:
    sound, paths = cd
    with pytest.raises(RenditionWrong, match="another checksum"):
        encode.verify(one_bit(paths[code], tmp_path), FORMATS[code], sound, sound_sha256="")


def test_the_control_a_decoder_of_mp3_finds_nothing_amiss(cd, tmp_path: Path, monkeypatch) -> None:
    sound, paths = cd
    monkeypatch.setattr(frames, "samples", lambda *_, **__: None)
    encode.verify(one_bit(paths["MP3_320"], tmp_path), FORMATS["MP3_320"], sound, sound_sha256="")


@pytest.mark.parametrize("code", ONE_OF_EACH)
def test_a_file_of_another_length_is_refused(cd: tuple[Passage, dict[str, Path]], code: str) -> None:
    """Whole, but not this master's."""
    sound, paths = cd
    with pytest.raises(RenditionWrong, match="instead of"):
        encode.verify(paths[code], FORMATS[code], replace(sound, samples=sound.samples + 1), sound_sha256="")


def spoiled(path: Path) -> None:
    """Frames of the right shape, with nothing in them that any encoder would write."""
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 5
    for at in range(start, start + 2000):
        data[at] ^= 0x5A
    path.write_bytes(data)


def test_wrong_sound_in_frames_of_the_right_shape_is_heard(cd: tuple[Passage, dict[str, Path]], tmp_path, monkeypatch):
    """The walk alone would let it pass, if no frame's edges are touched; a decoder of the beginning does not."""
    sound, paths = cd
    path = Path(shutil.copy(paths["AAC_256"], tmp_path))
    spoiled(path)
    monkeypatch.setattr(frames, "samples", lambda *_, **__: sound.samples)
    assert encode.at_sight(path, FORMATS["AAC_256"], sound) is None
    monkeypatch.setattr(encode, "_ends_well", lambda *_: True)  # the control
    assert encode.at_sight(path, FORMATS["AAC_256"], sound) is not None


def test_a_page_of_ogg_is_summed_up_as_ffmpeg_does(cd: tuple[Passage, dict[str, Path]]) -> None:
    data = cd[1]["OPUS_128"].read_bytes()
    page = data[: data.index(b"OggS", 4)]
    assert frames.checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")
