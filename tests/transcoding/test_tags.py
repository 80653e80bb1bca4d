"""The tags of every kind of file: written, read back equal, by us and by others."""

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
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
IDS = {
    "MUSICBRAINZ_TRACKID": ["7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a01"],
    "MUSICBRAINZ_ALBUMID": ["7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a02"],
    "MUSICBRAINZ_ARTISTID": ["7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a03", "7f0a1b5e-6a9c-4b0b-9c9c-0d6b8d6d1a04"],
}


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
    tags.write(path, each, said, cover, carried=IDS)
    assert tags.read(path, each) == (tags.fields_of(said, each) | IDS, cover)


@pytest.mark.parametrize("code", ["MP3_V0", "WAV", "AIFF"])
@pytest.mark.parametrize("date", ["2024-05-06", "2024"])
def test_older_players_get_the_same_set_in_the_older_id3(bare: dict[str, Path], tmp_path: Path, code, date) -> None:
    path = tmp_path / bare[code].name
    shutil.copyfile(bare[code], path)
    said = make_tags(**FULL, id3=3, date=date)
    tags.write(path, FORMATS[code], said, picture(), carried=IDS)
    assert b"ID3\x03" in path.read_bytes()
    assert tags.read(path, FORMATS[code]) == (said.fields() | IDS, picture())


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
