"""The tags of every kind of file: written, read back equal, by us and by others."""

import io
import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.factories.transcoding import make_tags
from tests.transcoding import sounds
from transcoding import sandbox, tags
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS, Format
from transcoding.tags import Cover, TagSet

FILES = {
    "MP3_V0": ("mp3", ("-c:a", "libmp3lame")),
    "FLAC": ("flac", ()),
    "OGG_Q6": ("ogg", ("-c:a", "libvorbis")),
    "OPUS_128": ("opus", ("-c:a", "libopus")),
    "AAC_256": ("m4a", ("-c:a", "aac")),
    "ALAC": ("m4a", ("-c:a", "alac")),
    "WAV": ("wav", ()),
    "AIFF": ("aiff", ()),
}


def picture(kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 40), "navy").save(data, kind)
    return data.getvalue()


@pytest.fixture(params=sorted(FILES))
def tagged(request, audio: Path, tmp_path: Path) -> tuple[Path, Format]:
    suffix, args = FILES[request.param]
    path = sounds.convert(audio / "plain.wav", tmp_path / f"x.{suffix}", "-t", "0.3", *args)
    return path, FORMATS[request.param]


@pytest.mark.parametrize("cover", [None, picture("JPEG"), picture("PNG")], ids=["none", "jpeg", "png"])
def test_everything_reads_back_as_it_was_written(tagged: tuple[Path, Format], cover: bytes | None) -> None:
    path, each = tagged
    tags.write(path, each, make_tags(), cover)
    assert tags.read(path, each) == (make_tags().fields(), cover)


def test_ffmpeg_reads_what_mutagen_wrote(tagged: tuple[Path, Format]) -> None:
    path, each = tagged
    tags.write(path, each, make_tags(), picture())
    command = [sandbox.ffmpeg(), "-hide_banner", "-i", str(path), "-f", "ffmetadata", "-"]
    words = subprocess.run(command, check=True, capture_output=True, text=True)
    said = (words.stdout + words.stderr).lower()
    for value in ("nachtlied", "ada feat. björn", "élan", "creativecommons.org/licenses/by/4.0/"):
        assert value in said
    if each.code != "AIFF":
        assert "attached pic" in said or "mjpeg" in said or each.code == "WAV"


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
