"""A lossy master sold as delivered: its sound to the byte, our tags, and nothing else that the label's file told."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from mutagen import apev2, id3, mp4, oggopus, oggvorbis

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds
from tests.transcoding.test_output import PLANTED, SECRET, leaks
from tests.transcoding.test_tags import picture
from transcoding import containers, formats, originals, payloads, renditions, storage, tags
from transcoding.models import Master, Rendition

pytestmark = pytest.mark.django_db
SAID = [word for name, value in PLANTED.items() for word in ("-metadata", f"{name}={value}")]


def planted_mp3(audio: Path, path: Path) -> None:
    """Tags of five kinds, before and behind."""
    sounds.convert(audio / "plain.wav", path, "-c:a", "libmp3lame", "-q:a", "4", *SAID)
    ours = id3.ID3(path)
    ours.add(id3.GEOB(encoding=3, desc=SECRET, data=SECRET.encode() * 50))
    ours.save(path)
    before = path.read_bytes()
    tags_behind = apev2.APEv2()
    tags_behind["Comment"] = SECRET
    tags_behind.save(path)
    lyrics = f"LYRICSBEGININD0000300{SECRET}".encode()
    old = b"TAG" + SECRET.encode().ljust(125, b"\0")
    path.write_bytes(before[: containers.id3_length(before)] * 2 + path.read_bytes()[containers.id3_length(before) :])
    with path.open("ab") as file:
        file.write(lyrics + b"%06d" % len(lyrics) + b"LYRICS200" + old)


def planted_ogg(audio: Path, path: Path) -> None:
    codec = "libopus" if path.suffix == ".opus" else "libvorbis"
    sounds.convert(audio / "plain.wav", path, "-c:a", codec, *SAID)
    if path.suffix == ".opus":
        file = oggopus.OggOpus(path)
        file.tags._pad_data = b"\1" + SECRET.encode()
    else:
        file = oggvorbis.OggVorbis(path)
    file.save()


def planted_m4a(audio: Path, path: Path) -> None:
    """Chapters, which are a track of their own, and boxes that only one program knows."""
    chapters = path.with_suffix(".txt")
    chapters.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle={SECRET} one\n")
    words = (
        "-i",
        f"file:{chapters}",
        "-map",
        "0:a",
        "-map_metadata",
        "1",
        "-c:a",
        "aac",
        "-movflags",
        "use_metadata_tags",
    )
    sounds.convert(audio / "plain.wav", path, *words, *SAID)
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 24 + len(SECRET), b"uuid") + bytes(16) + SECRET.encode())


PLANT: dict[str, Callable[[Path, Path], None]] = {
    "mp3": planted_mp3, "ogg": planted_ogg, "opus": planted_ogg, "m4a": planted_m4a,
}  # fmt: skip


def original(master: Master, **over: str) -> tuple[Rendition, Path]:
    (row,) = renditions.plan(master, [formats.get("ORIGINAL")], tags=make_tags(**over), at=timezone.now())
    renditions.make_due(master.pk)
    row.refresh_from_db()
    assert (row.state, row.error) == ("READY", "")
    path = storage.path_of(row.storage_key)
    assert path
    return row, path


@pytest.mark.parametrize("kind", PLANT)
def test_it_has_our_tags_and_nothing_else_of_the_labels_file_but_its_sound(
    audio: Path, tmp_path: Path, kind: str
) -> None:
    PLANT[kind](audio, path := tmp_path / f"song.{kind}")
    assert SECRET.encode() in path.read_bytes()
    master = deliver(path)
    row, made = original(master)
    each = formats.for_master(formats.get("ORIGINAL"), master)
    assert leaks(made.read_bytes()) == []
    assert tags.read(made, each)[0] == tags.fields_of(make_tags(), each)
    assert (row.sound_sha256, row.samples) == (master.sound_sha256, master.samples)
    assert row.sha256 == storage.sha256_of(made) != master.file_sha256


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus"])
def test_its_sound_is_the_delivered_one_to_the_byte(audio: Path, tmp_path: Path, kind: str) -> None:
    path = sounds.convert(audio / "plain.wav", tmp_path / f"song.{kind}", *SAID)
    _, made = original(deliver(path))
    assert payloads.same_sound(path, made)


def test_a_corrected_title_costs_it_no_second_look_at_the_master(audio: Path, tmp_path: Path, monkeypatch) -> None:
    PLANT["m4a"](audio, path := tmp_path / "song.m4a")
    master = deliver(path)
    before, _ = original(master, title="Wrnog")
    monkeypatch.setattr(originals, "strip", None)
    after, made = original(master, title="Right")
    assert (after.sound_sha256, after.samples) == (before.sound_sha256, before.samples)
    assert mp4.MP4(made)["\xa9nam"] == ["Right"]


def test_the_end_that_only_itunes_words_tell_is_kept(audio: Path, tmp_path: Path) -> None:
    """Older programs write no edit list."""
    path = sounds.convert(audio / "plain.wav", tmp_path / "song.m4a", "-c:a", "aac", "-use_editlist", "0")
    file = mp4.MP4(path)
    words = f" 00000000 00000400 {(-2 * 44100 - 1024) % 1024:08X} {2 * 44100:016X}" + " 00000000" * 8
    file["----:com.apple.iTunes:iTunSMPB"] = [words.encode()]
    file.save()
    master = deliver(path)
    for title in ("Wrnog", "Right"):
        row, made = original(master, title=title)
        assert bytes(mp4.MP4(made)["----:com.apple.iTunes:iTunSMPB"][0]).decode() == words
        assert row.samples == master.samples


@pytest.mark.parametrize("kind", PLANT)
def test_lost_it_comes_back_as_it_was(audio: Path, tmp_path: Path, kind: str) -> None:
    PLANT[kind](audio, path := tmp_path / f"song.{kind}")
    master = deliver(path)
    row, made = original(master)
    made.unlink()
    Rendition.objects.filter(pk=row.pk).update(state="PLANNED")
    assert original(master)[0].sha256 == row.sha256


def test_the_control_finds_what_was_not_taken_out(audio: Path, tmp_path: Path, monkeypatch) -> None:
    PLANT["mp3"](audio, path := tmp_path / "song.mp3")
    monkeypatch.setattr(originals, "strip", lambda source, target, _: target.write_bytes(source.read_bytes()))
    _, made = original(deliver(path))
    assert SECRET in leaks(made.read_bytes())


def test_sound_that_was_lost_with_the_tags_is_never_published(audio: Path, tmp_path: Path, monkeypatch) -> None:
    master = deliver(sounds.convert(audio / "plain.wav", tmp_path / "song.mp3"))
    real = originals.strip

    def half(source: Path, target: Path, container: str) -> None:
        real(source, target, container)
        data = target.read_bytes()
        target.write_bytes(data[: len(data) // 2])

    monkeypatch.setattr(originals, "strip", half)
    renditions.plan(master, [formats.get("ORIGINAL")], tags=make_tags(), at=timezone.now())
    renditions.make_due(master.pk)
    row = Rendition.objects.get()
    assert (row.state, row.attempts) == ("PLANNED", 1)
    assert "another sound" in row.error


def test_it_has_its_cover_too(audio: Path, tmp_path: Path) -> None:
    """As every tagger gives one."""
    originals.strip(audio / "aac.m4a", path := tmp_path / "song.m4a", "mov")
    each = formats.for_master(formats.get("ORIGINAL"), deliver(audio / "aac.m4a"))
    tags.write(path, each, make_tags(), picture())
    assert tags.read(path, each)[1] == picture()
