"""The tags of every kind of file: written, read back equal, by us and by others."""

import io
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mutagen.id3 import ID3
from PIL import Image

from tests.factories.transcoding import make_tags
from tests.transcoding import sounds
from transcoding import sandbox, tags
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS, Format, Tagger
from transcoding.tags import Cover, Level, TagSet

FILES = {
    "MP3_V0": ("mp3", ("-c:a", "libmp3lame")),
    "FLAC": ("flac", ()),
    "OGG_Q6": ("ogg", ("-c:a", "libvorbis")),
    "OPUS_128": ("opus", ("-c:a", "libopus")),
    "AAC_256": ("m4a", ("-c:a", "aac")),
    "ALAC": ("m4a", ("-c:a", "alac")),
    "WAV": ("wav", ()),
    "AIFF": ("aiff", ()),
    "WV": ("wv", ()),
    "TTA": ("tta", ()),
    "WMA_192": ("wma", ("-c:a", "wmav2", "-b:a", "128k")),
}
FULL = {
    "lyricists": ("Clara",), "conductors": ("Dora",), "remixers": ("Emil", "Fritz"), "producers": ("Gerda",),
    "language": "deu", "artist_sort": "Beispiel, Ada", "album_artist_sort": "Beispiel, Ada", "album_sort": "Elan",
    "title_sort": "Nachtlied", "source_url": "http://127.0.0.1:8000/release/elan", "more_permissions": "http://x.y/z",
    "source_note": "made from a lossy source", "level": Level(-1240, -80), "album_level": Level(-1310, 12),
}  # fmt: skip
IDS: dict[str, Any] = {
    "musicbrainz_recording": "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a01",
    "musicbrainz_track": "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a02",
    "musicbrainz_release": "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a03",
    "musicbrainz_release_group": "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a04",
    "musicbrainz_artists": ("7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a05", "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a06"),
    "musicbrainz_album_artists": ("7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a05",),
    "musicbrainz_works": ("7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a07",),
}
FULL |= IDS | {"arrangers": ("Hanna",), "works": ("Nachtlied, op. 7",), "iswcs": ("T0345246801",)}


def picture(kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 40), "navy").save(data, kind)
    return data.getvalue()


KINDS = {"WV": Tagger.APE, "TTA": Tagger.APE, "WMA_192": Tagger.ASF}


def format_of(code: str) -> Format:
    """The format, or one that is tagged alike where the table has none of this name."""
    return FORMATS.get(code) or replace(FORMATS["WAV"], code=code, tagger=KINDS[code])


@pytest.fixture(scope="module")
def bare(audio: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short file of every kind, as its encoder leaves it."""
    folder = tmp_path_factory.mktemp("bare")
    return {
        code: sounds.convert(audio / "plain.wav", folder / f"{code}.{suffix}", "-t", "0.3", *args)
        for code, (suffix, args) in FILES.items()
    }


@pytest.fixture(params=sorted(FILES))
def tagged(request, bare: dict[str, Path], tmp_path: Path) -> tuple[Path, Format]:
    path = tmp_path / f"x{bare[request.param].suffix}"
    shutil.copyfile(bare[request.param], path)
    return path, format_of(request.param)


@pytest.mark.parametrize("cover", [None, picture("JPEG"), picture("PNG")], ids=["none", "jpeg", "png"])
def test_everything_reads_back_as_it_was_written(tagged: tuple[Path, Format], cover: bytes | None) -> None:
    path, each = tagged
    said = make_tags(**FULL)
    tags.write(path, each, said, cover)
    assert tags.read(path, each) == (tags.fields_of(said, each), cover)


@pytest.mark.parametrize("code", ["MP3_V0", "WAV", "AIFF"])
@pytest.mark.parametrize("date", ["2024-05-06", "2024"])
def test_older_players_get_the_same_set_in_the_older_id3(bare: dict[str, Path], tmp_path: Path, code, date) -> None:
    path = tmp_path / bare[code].name
    shutil.copyfile(bare[code], path)
    said = make_tags(**FULL, id3=3, date=date)
    tags.write(path, FORMATS[code], said, picture())
    assert b"ID3\x03" in path.read_bytes()
    assert tags.read(path, FORMATS[code]) == (said.fields(), picture())


@pytest.mark.parametrize("language", ["deu", "de-AT", "German"])
def test_a_language_that_id3_has_no_word_for_is_kept_nevertheless(bare: dict[str, Path], tmp_path: Path, language):
    path = tmp_path / "x.mp3"
    shutil.copyfile(bare["MP3_V0"], path)
    tags.write(path, FORMATS["MP3_V0"], make_tags(language=language), None)
    assert tags.read(path, FORMATS["MP3_V0"])[0]["LANGUAGE"] == [language]
    assert ("TLAN" in ID3(path)) == (language == "deu")


def test_players_find_ids_and_people_where_picard_puts_them(bare: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    shutil.copyfile(bare["MP3_V0"], path)
    said = make_tags(**FULL)
    tags.write(path, FORMATS["MP3_V0"], said, None)
    frames = ID3(path)
    assert frames["UFID:http://musicbrainz.org"].data.decode() == said.musicbrainz_recording
    assert frames["TXXX:MusicBrainz Album Id"].text == [said.musicbrainz_release]
    assert frames["TIPL"].people == [["arranger", "Hanna"], ["producer", "Gerda"]]
    assert frames.getall("USER")[0].text == said.more_permissions


# -- More than four GiB ------------------------------------------------------------------------------------------------


def rf64(path: Path, length: int) -> Path:
    """The head of an RF64 as our encoder writes it, and so much silence that no disk holds."""
    sizes = struct.pack("<QQQI", 72 + length, length, length // 4, 0)
    fmt = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
    head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", 28) + sizes
    head += b"fmt " + struct.pack("<I", 16) + fmt + b"data\xff\xff\xff\xff"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + length)
    return path


@pytest.mark.parametrize("length", [4000, 5 * 2**30], ids=["short", "long"])
def test_an_rf64_is_tagged_behind_its_sound(tmp_path: Path, length: int) -> None:
    path, said = rf64(tmp_path / "x.wav", length), make_tags(**FULL)
    tags.write(path, FORMATS["WAV"], make_tags(title="A first title " * 90), picture("PNG"))
    tags.write(path, FORMATS["WAV"], said, picture())
    assert tags.read(path, FORMATS["WAV"]) == (said.fields(), picture())
    with path.open("rb") as file:
        head = file.read(36)
    assert struct.unpack("<QQ", head[20:36]) == (path.stat().st_size - 8, length)


def test_ffmpeg_reads_the_tags_of_an_rf64(tmp_path: Path) -> None:
    path = rf64(tmp_path / "x.wav", 4000)
    tags.write(path, FORMATS["WAV"], make_tags(), None)
    command = [sandbox.ffmpeg(), "-hide_banner", "-i", str(path), "-f", "ffmetadata", "-"]
    assert "nachtlied" in subprocess.run(command, check=True, capture_output=True, text=True).stdout.lower()


def test_a_wav_that_tags_would_make_too_long_becomes_an_rf64(tmp_path: Path) -> None:
    path, length = tmp_path / "x.wav", 2**32 - 3000
    head = b"RIFF" + struct.pack("<I", 72 + length) + b"WAVEJUNK" + struct.pack("<I", 28) + bytes(28)
    head += b"fmt " + struct.pack("<I", 16) + struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
    with path.open("wb") as file:
        file.write(head + b"data" + struct.pack("<I", length))
        file.truncate(len(head) + 8 + length)
    tags.write(path, FORMATS["WAV"], make_tags(), picture())
    assert tags.read(path, FORMATS["WAV"]) == (make_tags().fields(), picture())
    with path.open("rb") as file:
        head = file.read(36)
    assert (head[:4], head[12:16]) == (b"RF64", b"ds64")
    assert struct.unpack("<QQ", head[20:36]) == (path.stat().st_size - 8, length)


def test_gains_turn_to_the_loudness_that_each_standard_names() -> None:
    said = make_tags(level=Level(-1240, -80), album_level=Level(-2000, 12))
    loud = said.fields()
    assert (loud["REPLAYGAIN_TRACK_GAIN"], loud["REPLAYGAIN_ALBUM_GAIN"]) == (["-5.60 dB"], ["+2.00 dB"])
    assert (loud["REPLAYGAIN_TRACK_PEAK"], loud["REPLAYGAIN_ALBUM_PEAK"]) == (["0.912011"], ["1.013911"])
    opus = tags.fields_of(said, FORMATS["OPUS_128"])
    assert (opus["R128_TRACK_GAIN"], opus["R128_ALBUM_GAIN"]) == (["-2714"], ["-768"])
    assert not [name for name in opus if name.startswith("REPLAYGAIN")]


def test_silence_has_no_gain() -> None:
    assert not [name for name in make_tags().fields() if "GAIN" in name]


def test_nothing_else_is_left_in_a_file(bare: dict[str, Path], tmp_path: Path) -> None:
    """Places, comments, tools and paths that came with the delivered file go to no buyer."""
    foreign = ("-metadata", "comment=GPS 52.5N", "-metadata", "location=+52.5/", "-metadata", "encoder=/home/ana")
    for code in set(FILES) - {"WAV", "AIFF"}:  # whose own chunks the encoder leaves out, see test_gapless
        path = sounds.convert(bare[code], tmp_path / f"{code}{bare[code].suffix}", "-c", "copy", *foreign)
        tags.write(path, format_of(code), make_tags(), None)
        assert tags.read(path, format_of(code)) == (tags.fields_of(make_tags(), format_of(code)), None), code
        data = path.read_bytes()
        assert not [word for word in (b"52.5", b"/home/ana", "52.5".encode("utf-16-le")) if word in data], code


def test_ffmpeg_reads_what_mutagen_wrote(tagged: tuple[Path, Format]) -> None:
    path, each = tagged
    tags.write(path, each, make_tags(), picture())
    command = [sandbox.ffmpeg(), "-hide_banner", "-i", str(path), "-f", "ffmetadata", "-"]
    words = subprocess.run(command, check=True, capture_output=True, text=True)
    said = (words.stdout + words.stderr).lower()
    for value in ("nachtlied", "ada feat. björn", "élan", "creativecommons.org/licenses/by/4.0/"):
        assert value in said
    if each.code not in {"AIFF", "WAV"}:
        assert "attached pic" in said or "mjpeg" in said


def test_tags_leave_the_sound_alone(tagged: tuple[Path, Format]) -> None:
    path, each = tagged
    before = sounds.decode(path)
    tags.write(path, each, make_tags(), picture())
    assert sounds.decode(path) == before


def test_writing_twice_gives_the_bytes_of_writing_once(tagged: tuple[Path, Format], tmp_path: Path) -> None:
    path, each = tagged
    other = tmp_path / f"other{path.suffix}"
    other.write_bytes(path.read_bytes())
    tags.write(path, each, make_tags(title="A much longer first title " * 20), picture("PNG"))
    tags.write(path, each, make_tags(), picture())
    tags.write(other, each, make_tags(), picture())
    assert path.read_bytes() == other.read_bytes()


def test_what_was_there_before_is_gone(tagged: tuple[Path, Format]) -> None:
    path, each = tagged
    tags.write(path, each, make_tags(), picture())
    tags.write(path, each, TagSet(title="Only", artist_line="This"), None)
    assert tags.read(path, each) == ({"TITLE": ["Only"], "ARTIST": ["This"]}, None)


def test_a_tag_set_survives_json() -> None:
    said = make_tags(cover=Cover("covers/x.jpg", "c" * 64))
    assert TagSet.from_json(json.loads(json.dumps(said.to_json()))) == said


def test_a_signature_changes_with_every_field_and_with_the_cut() -> None:
    said = make_tags()
    others = [make_tags(title="x"), make_tags(cover=Cover("a", "b")), make_tags(number=4), make_tags(artists=())]
    signatures = {each.signature() for each in [said, *others]} | {said.signature(cut={"start_ms": 1})}
    assert len(signatures) == 6
    assert said.signature() == make_tags().signature()


def test_a_file_that_is_no_such_file_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.flac").write_bytes(b"no")
    with pytest.raises(RenditionWrong):
        tags.write(tmp_path / "x.flac", FORMATS["FLAC"], make_tags(), None)
