"""Small tags that become large ones, or take for ever, once they are parsed: refused in words, and at once."""

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from mutagen import apev2, flac, id3, mp4, oggopus, oggvorbis, wave

from store import tagreading
from tests.deliveries.tones import Tones
from tests.transcoding.test_bombs import SOON
from transcoding import swollen

MANY = swollen.MAX_TAGS + 1


def frame(name: bytes, content: bytes, *, flags: int = 0, version: int = 4) -> bytes:
    length = len(content)
    size = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0)) if version == 4 else struct.pack(">I", length)
    return name + size + struct.pack(">H", flags) + content


def tagged(path: Path, frames: bytes, *, version: int = 4) -> Path:
    """An ID3 of these frames before the sound."""
    length = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3" + bytes([version, 0, 0]) + length + frames + path.read_bytes())
    return path


def comments(kind: type[flac.FLAC | oggvorbis.OggVorbis | oggopus.OggOpus]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        file.tags.extend(("A", "") for _ in range(MANY))
        file.save()

    return write


def values(path: Path) -> None:
    file = mp4.MP4(path)
    file.tags["----:com.apple.iTunes:A"] = [b""] * MANY
    file.save()


def items(path: Path) -> None:
    tags = apev2.APEv2()
    for number in range(MANY):
        tags[f"A{number}"] = ""
    id3.delete(path)  # or nobody would look for them behind an MP3
    tags.save(path)


def long_item(path: Path) -> None:
    tags = apev2.APEv2()
    tags["Title"] = "\0" * (swollen.MAX_TEXT + 1)
    tags.save(path)


def endless_name(path: Path) -> None:
    """mutagen reads it letter by letter, and copies it for each."""
    tag = struct.pack("<II", 0, 0) + b"A" * 5000
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, len(tag) + 32, 1, 0) + bytes(8)
    path.write_bytes(path.read_bytes() + tag + footer)


def in_a_chunk(path: Path) -> None:
    file = wave.WAVE(path)
    file.add_tags()
    for number in range(MANY):
        file.tags.add(id3.TXXX(desc=f"A{number}", text=["x"]))
    file.save()


SWOLLEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "comments in FLAC": ("flac", comments(flac.FLAC)),
    "comments in Vorbis": ("ogg", comments(oggvorbis.OggVorbis)),
    "comments in Opus": ("opus", comments(oggopus.OggOpus)),
    "values in MP4": ("m4a", values),
    "items in WavPack": ("wv", items),
    "items behind an MP3": ("mp3", items),
    "a long item": ("wv", long_item),
    "an endless name": ("wv", endless_name),
    "frames of nothing": ("mp3", lambda path: tagged(path, frame(b"TIT2", b"") * 300_000)),
    "frames of nothing, 2.3": ("mp3", lambda path: tagged(path, frame(b"TIT2", b"") * 300_000, version=3)),
    "text of nothing but ends": ("mp3", lambda path: tagged(path, frame(b"TIT2", b"\3" + bytes(2_000_000)))),
    "many long texts": ("mp3", lambda path: tagged(path, frame(b"TIT2", b"\3" + bytes(30_000)) * 40)),
    "frames in a chunk": ("wav", in_a_chunk),
}


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    return Tones(tmp_path_factory.mktemp("tones"))


def read(path: Path) -> tagreading.FileTags:
    begun = time.process_time()
    found = tagreading.read(path)
    assert time.process_time() - begun < SOON
    return found


@pytest.mark.parametrize("what", SWOLLEN)
def test_tags_that_swell_are_refused_in_words_and_at_once(tones: Tones, tmp_path: Path, what: str) -> None:
    ending, swell = SWOLLEN[what]
    swell(path := tones.put(tmp_path / f"song.{ending}"))
    (finding,) = read(path).findings
    assert finding.code == "TAGS_TOO_LARGE"
    assert "write them anew" in finding.message


@pytest.mark.parametrize("what", ["comments in Vorbis", "values in MP4", "items in WavPack", "frames in a chunk"])
def test_the_control_without_bounds_all_of_it_is_held(tones: Tones, tmp_path: Path, monkeypatch, what: str) -> None:
    monkeypatch.setattr(swollen, "MAX_TAGS", 10**9)
    ending, swell = SWOLLEN[what]
    swell(path := tones.put(tmp_path / f"song.{ending}"))
    assert read(path).findings == ()


@pytest.mark.parametrize("version", [3, 4])
def test_a_packed_frame_that_unfolds_far_is_left_out_and_one_that_does_not_is_read(
    tones: Tones, tmp_path: Path, version: int
) -> None:
    flags = {3: 0x0080, 4: 0x0009}[version]

    def packed(name: bytes, text: bytes) -> bytes:
        return frame(name, struct.pack(">I", len(text)) + zlib.compress(b"\3" + text), flags=flags, version=version)

    frames = packed(b"TIT2", b"Tide") + packed(b"TPE1", b"x" * 30_000_000) + frame(b"TALB", b"\3Sea", version=version)
    found = read(tagged(tones.put(tmp_path / "song.mp3"), frames, version=version))
    assert (found.title, found.artists, found.album) == ("Tide", (), "Sea")


def test_what_is_not_read_may_be_as_large_as_it_likes(tones: Tones, tmp_path: Path) -> None:
    """Programs keep their own things in tags."""
    frames = frame(b"PRIV", b"x\0" + bytes(3_000_000)) + frame(b"TIT2", b"\3Tide")
    assert read(tagged(tones.put(tmp_path / "song.mp3"), frames)).title == "Tide"


def test_a_file_of_endless_pieces_is_not_read_to_its_end(monkeypatch) -> None:
    """Boxes of eight bytes each, of which mutagen keeps every one."""
    monkeypatch.setattr(swollen, "MAX_READS", 3000)
    box = struct.pack(">I4s", 8, b"abcd") * 3001
    head = struct.pack(">I4s4sI4s", 20, b"ftyp", b"M4A ", 0, b"M4A ")
    with pytest.raises(swollen.TagsTooLarge):
        swollen.FewMp4(swollen.Bounded(io.BytesIO(head + struct.pack(">I4s", 8 + len(box), b"moov") + box)))
