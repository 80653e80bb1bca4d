"""A release as one zip."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.factories.transcoding import deliver
from transcoding import archives
from transcoding.archives import Archive, Content, distinct, safe_name


@pytest.mark.django_db
def test_a_release_becomes_a_stored_zip_of_known_length(audio: Path) -> None:
    master = deliver(audio / "plain.flac")
    contents = [Content("01 Song.flac", key=master.storage_key), Content("LICENSE.txt", data=b"CC BY 4.0\n")]
    archive = Archive(contents)
    length = len(archive)
    data = b"".join(archive)
    assert len(data) == length
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["01 Song.flac", "LICENSE.txt"]
        assert opened.read("01 Song.flac") == (audio / "plain.flac").read_bytes()
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (".", "_"), ("..", "_"), ("CON", "_CON"), ("aux.flac", "_aux.flac"), ("a/b\\c", "a_b_c"),
        ("\u202egnp.exe", "gnp.exe"), ("nul\0l", "null"), ("Was?", "Was_"), ("", "_"), ("trailing. ", "trailing"),
        ("E\u0301lan", "Élan"), ("\ud800x", "x"),
    ],
)  # fmt: skip
def test_a_title_becomes_a_name_every_system_takes(title: str, name: str) -> None:
    assert safe_name(title) == name


def test_a_long_title_is_cut_between_letters() -> None:
    assert len(safe_name("ü" * 300).encode()) <= archives.MAX_NAME


def test_equal_titles_become_different_files() -> None:
    assert distinct(["Song.flac"] * 3) == ["Song.flac", "Song (2).flac", "Song (3).flac"]
    assert len({name.casefold() for name in distinct(["Song.mp3", "SONG.mp3", "song.mp3"])}) == 3


def test_folders_stay_and_never_lead_out() -> None:
    assert distinct(["Album/01 a.flac", "../../etc/passwd", "/abs/x.txt"]) == [
        "Album/01 a.flac",
        "etc/passwd",
        "abs/x.txt",
    ]
