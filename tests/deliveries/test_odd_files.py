"""Odd files get a line that says what is wrong and what to do; they never stop the rest."""

import os
import struct
from pathlib import Path

import pytest
from django.conf import LazySettings

from catalog.models import Recording, Release
from store.models import DeliveryLine
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import Tones
from transcoding.models import Finding, Master

pytestmark = pytest.mark.django_db


def line_for(lines: list[DeliveryLine], name: str) -> DeliveryLine:
    return next(line for line in lines if line.path == name)


@pytest.fixture
def good(folder: Path, tones: Tones) -> Path:
    """Beside whatever is odd lies one good file, which must always arrive."""
    return tones.put(folder / "good.flac", hertz=990, title="Good", artist="Ana", album="First", tracknumber=1)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.flac", b"", "EMPTY"),
        ("text.mp3", b"this is no music", "NOT_AUDIO"),
        ("short.flac", b"fLaC", "NO_NAMES"),
        ("short.wav", b"RIFF\x04\0\0\0WAVE", "NO_NAMES"),
        ("short.aiff", b"FORM\0\0\0\x04AIFF", "NO_NAMES"),
        ("short.ogg", b"OggS" + b"\0" * 24, "NOT_AUDIO"),
        ("short.m4a", b"\0\0\0\x08ftyp", "NO_NAMES"),
        ("list.flac", b"#EXTM3U\nhttp://127.0.0.1:9/secret\n", "NOT_AUDIO"),
        ("list.mp3", b"ffconcat version 1.0\nfile good.flac\n", "NOT_AUDIO"),
        ("old.wma", b"\x30\x26\xb2\x75" * 20, "NOT_A_DELIVERY_FORMAT"),
        ("notes.txt", b"hello", "NOT_TAKEN"),
    ],
)
def test_what_cannot_be_taken_is_named_and_the_rest_arrives(
    name: str, content: bytes, code: str, *, folder: Path, good: Path, deliver: Deliver
) -> None:
    (folder / name).write_bytes(content)
    lines = deliver()
    odd = line_for(lines, name)
    assert odd.code == code
    assert odd.recording is None
    assert odd.message
    assert line_for(lines, good.name).recording is not None


@pytest.mark.parametrize("kind", ["wv", "m4a", "ogg", "flac", "wav", "aiff", "mp3", "opus"])
@pytest.mark.parametrize("length", [8, 13, 27, 40, 60, 200])
def test_a_file_that_breaks_off_anywhere_is_a_line(
    kind: str, length: int, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    whole = tones.put(folder / f"a.{kind}", title="Song", artist="Ana").read_bytes()
    (folder / f"a.{kind}").write_bytes(whole[:length])
    (line,) = deliver()
    assert line.outcome == "REFUSED"


def test_a_tag_that_claims_to_be_huge_fills_no_memory(folder: Path, deliver: Deliver) -> None:
    block = b"\x02" + (0xFFFFFF).to_bytes(3, "big")
    header = b"fLaC\x00\x00\x00\x22" + b"\x10\0\x10\0" + b"\0" * 6 + bytes.fromhex("0ac442f000000000") + b"\0" * 16
    with (folder / "huge.flac").open("wb") as file:
        file.write(header)
        for _ in range(8):
            file.write(block)
            file.seek(0xFFFFFF, os.SEEK_CUR)
        file.write(b"\x81\0\0\0")
    (line,) = deliver()
    assert line.code == "NO_NAMES"
    assert "too large to read" in line.message


def test_an_untagged_file_is_refused_with_what_to_write(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "01 Song.wav")
    (line,) = deliver()
    assert (line.outcome, line.code) == ("REFUSED", "NO_NAMES")
    assert "write both" in line.message


@pytest.mark.parametrize(
    ("name", "title", "number"),
    [
        ("07 - Song.flac", "Song", 7),
        ("07 Song.flac", "Song", 7),
        ("1-07 Song.flac", "Song", 7),
        ("99 Luftballons.flac", "99 Luftballons", 1),
        ("7-11.flac", "7-11", 1),
        ("1.5 Degrees.flac", "1.5 Degrees", 1),
        ("Song.flac", "Song", 1),
    ],
)
def test_a_title_is_taken_from_the_file_s_name(
    name: str, title: str, number: int, *, folder: Path, tones: Tones, deliver: Deliver
) -> None:
    tones.put(folder / name, artist="Ana", album="First")
    (line,) = deliver()
    assert line.code == "NO_TITLE"
    assert line.recording is not None
    assert line.track is not None
    assert (line.recording.title, line.track.number) == (title, number)


def test_a_file_without_artist_arrives_with_what_to_do(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", album="First")
    (line,) = deliver()
    assert (line.outcome, line.code) == ("WARNED", "NO_ARTIST")
    assert line.recording is not None


def test_a_file_without_album_is_a_single(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana")
    (line,) = deliver()
    assert line.code == "NO_ALBUM"
    assert (Release.objects.get().title, Release.objects.get().kind) == ("Song", "SINGLE")


def test_a_wrong_ending_is_said_and_the_content_believed(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.mp3", kind="flac", title="Song", artist="Ana", album="First", tracknumber=1)
    (line,) = deliver()
    assert "named “.mp3” but holds FLAC" in line.message
    assert Master.objects.get().upload.filename == "a.mp3.flac"


def test_links_that_lead_out_are_not_followed(folder: Path, good: Path, tones: Tones, deliver: Deliver) -> None:
    secret = tones.put(folder.parent / "elsewhere" / "secret.flac", title="Secret", artist="Eve")
    (folder / "out.flac").symlink_to(secret)
    (folder / "outdir").symlink_to(secret.parent)
    (folder / "broken.flac").symlink_to(folder / "nowhere.flac")
    (folder / "inside.flac").symlink_to(good)
    lines = deliver()
    codes = {line.path: line.code for line in lines if line.path != "good.flac"}
    assert codes == {
        "out.flac": "LINK_OUTSIDE", "outdir": "LINK_OUTSIDE", "broken.flac": "LINK_OUTSIDE", "inside.flac": "LINK",
    }  # fmt: skip
    assert [recording.title for recording in Recording.objects.all()] == ["Good"]


def test_a_pipe_is_not_opened(folder: Path, good: Path, deliver: Deliver) -> None:
    os.mkfifo(folder / "pipe.flac")
    assert line_for(deliver(), "pipe.flac").code == "NOT_A_FILE"


def test_names_that_are_not_utf8_can_be_stored(folder: Path, tones: Tones, deliver: Deliver) -> None:
    made = tones.put(folder / "a.flac", artist="Ana", album="First")
    made.rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n\x1b[31m.flac"))
    (line,) = deliver()
    assert line.path == "caf\ufffd [31m.flac"
    assert line.recording is not None


def test_a_title_of_200_characters_and_one_of_2000_arrive(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", hertz=300, title="ä" * 200, artist="Ana", album="First", tracknumber=1)
    tones.put(folder / "b.flac", hertz=310, title="b" * 2000, artist="B" * 2000, album="First", tracknumber=2)
    deliver()
    assert sorted(len(recording.title) for recording in Recording.objects.all()) == [200, 500]


def test_control_marks_in_tags_are_not_kept(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="So\x01ng\u202e\r\nTwo", artist="A\x07na", album="First")
    deliver()
    assert Recording.objects.get().title == "So ng Two"


def test_a_file_larger_than_a_master_may_be_is_not_read(
    folder: Path, good: Path, deliver: Deliver, settings: LazySettings
) -> None:
    settings.MASTER_MAX_BYTES = 1_000_000
    (folder / "big.wav").write_bytes(struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + b"\0" * 1_000_000)
    assert line_for(deliver(), "big.wav").code == "TOO_LARGE"


def test_wrong_codes_are_left_out_and_named(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(
        folder / "a.flac", title="Song", artist="Ana", album="First", isrc="nonsense", barcode="4006381333932",
        iswc="T0345246802",
    )  # fmt: skip
    (line,) = deliver()
    assert all(word in line.message for word in ("no ISRC", "GTIN 4006381333932", "ISWC T0345246802"))
    assert (Recording.objects.get().isrc, Release.objects.get().gtin) == (None, None)


def test_a_file_found_unusable_before_is_refused_with_the_finding(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana", album="First")
    deliver()
    master = Master.objects.get()
    Master.objects.update(state=Master.State.REJECTED)
    Finding.objects.create(master=master, code="TRUNCATED", severity="FATAL", message="It ends too soon.")
    (line,) = deliver()
    assert (line.outcome, line.code) == ("REFUSED", "TRUNCATED")
    assert "It ends too soon." in line.message


def test_a_repaired_file_takes_the_place_of_the_unusable_one(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", hertz=300, title="Song", artist="Ana", album="First", tracknumber=1)
    deliver()
    Master.objects.update(state=Master.State.REJECTED)
    tones.put(folder / "a.flac", hertz=310, title="Song", artist="Ana", album="First", tracknumber=1)
    (line,) = deliver()
    assert line.recording == Recording.objects.get()
    assert Master.objects.filter(recording=line.recording).count() == 2


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_line(folder: Path, good: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "a.flac", title="Song", artist="Ana").chmod(0)
    assert line_for(deliver(), "a.flac").code == "UNREADABLE"
