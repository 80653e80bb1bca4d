"""Covers come from the tags, else from pictures beside the recordings."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from catalog.models import Artwork, Release
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import Tones

pytestmark = pytest.mark.django_db


def picture(color: str, size: int = 300) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), color).save(out, "PNG")
    return out.getvalue()


def put(tones: Tones, folder: Path, **tags: Any) -> None:
    told: dict[str, Any] = {"title": "Song", "artist": "Ana", "album": "First", "tracknumber": 1}
    tones.put(folder / "a.flac", **told | tags)


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_the_picture_in_the_tags_is_the_cover(kind: str, folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / f"a.{kind}", title="Song", artist="Ana", picture=picture("red"))
    deliver()
    assert Release.objects.get().artworks.get().width == 300


def test_a_picture_beside_the_recordings_is_the_cover(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder / "CD 1")
    (folder / "cover.png").write_bytes(picture("red"))
    (folder / "booklet.png").write_bytes(picture("blue"))
    codes = {line.path: line.code for line in deliver() if line.path.endswith(".png")}
    assert codes == {"cover.png": "COVER", "booklet.png": "PICTURE_NOT_USED"}


def test_the_picture_in_the_tags_goes_first(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder, picture=picture("red"))
    (folder / "cover.png").write_bytes(picture("blue"))
    assert deliver()[1].code == "PICTURE_NOT_USED"
    assert Artwork.objects.count() == 1


def test_the_same_cover_twice_is_already_here(folder: Path, tones: Tones, deliver: Deliver) -> None:
    put(tones, folder)
    (folder / "cover.png").write_bytes(picture("red"))
    deliver()
    assert [line.outcome for line in deliver()] == ["ALREADY_HERE", "ALREADY_HERE"]


@pytest.mark.parametrize("content", [b"no picture", picture("red", size=20)])
def test_a_cover_that_is_none_is_refused_and_the_music_arrives(
    content: bytes, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    put(tones, folder)
    (folder / "cover.png").write_bytes(content)
    assert [(line.outcome, line.recording is not None) for line in deliver()] == [("WARNED", True), ("REFUSED", False)]


def test_a_picture_among_several_releases_is_nobody_s_cover(folder: Path, tones: Tones, deliver: Deliver) -> None:
    for album, hertz in (("One", 300), ("Two", 310)):
        tones.put(folder / f"{album}.flac", hertz=hertz, title="Song", artist="Ana", album=album)
    (folder / "cover.png").write_bytes(picture("red"))
    assert "several releases" in deliver()[2].message
    assert not Artwork.objects.exists()
