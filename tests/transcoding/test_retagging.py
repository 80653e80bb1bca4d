"""New tags cost no encode: the sound of the finished file is kept, and is proved to be kept."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds
from tests.transcoding.test_tags import FILES, bare, format_of, picture
from transcoding import formats, payloads, renditions, sandbox, storage, tags
from transcoding.models import Master, Rendition

__all__ = ["bare"]  # the fixture
CODES = ("FLAC", "MP3_V0", "OGG_Q6", "OPUS_128", "AAC_256", "ALAC", "WAV", "AIFF", "WV", "TTA")


@pytest.mark.parametrize("code", sorted(FILES))
def test_other_tags_leave_the_encoded_sound_to_the_byte(bare: dict[str, Path], tmp_path: Path, code: str) -> None:
    one, other = tmp_path / f"1{bare[code].suffix}", tmp_path / f"2{bare[code].suffix}"
    for path, title in ((one, "A"), (other, "Another title " * 90)):
        shutil.copyfile(bare[code], path)
        tags.write(path, format_of(code), make_tags(title=title), picture())
    assert one.read_bytes() != other.read_bytes()
    assert payloads.same_sound(one, other)


@pytest.mark.parametrize("code", sorted(FILES))
def test_one_flipped_bit_of_sound_is_another_sound(bare: dict[str, Path], tmp_path: Path, code: str) -> None:
    """The control: the comparison really reads the sound."""
    one, other = tmp_path / f"1{bare[code].suffix}", tmp_path / f"2{bare[code].suffix}"
    shutil.copyfile(bare[code], one)
    tags.write(one, format_of(code), make_tags(), None)
    data = bytearray(one.read_bytes())
    before_the_tags = bare[code].suffix in {".wv", ".tta", ".m4a"}
    tagged = 0 if before_the_tags else len(data) - bare[code].stat().st_size
    data[tagged + bare[code].stat().st_size // 2] ^= 1
    other.write_bytes(data)
    assert not payloads.same_sound(one, other)


def test_a_file_that_lacks_its_end_is_another_sound(bare: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(bare["MP3_V0"].read_bytes()[:-1])
    assert not payloads.same_sound(bare["MP3_V0"], path)


def made(master: Master, title: str) -> dict[str, Rendition]:
    rows = renditions.plan(
        master, [formats.get(code) for code in CODES], tags=make_tags(title=title), at=timezone.now()
    )
    renditions.make_due(master.pk)
    return {row.format: row for row in Rendition.objects.filter(pk__in=[row.pk for row in rows])}


@pytest.mark.django_db
def test_a_corrected_title_runs_no_program_and_reads_no_master(audio: Path, tmp_path: Path, monkeypatch) -> None:
    master = deliver(sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5"))
    before = made(master, "Wrnog")
    assert {row.error for row in before.values()} == {""}
    monkeypatch.setattr(sandbox, "run", None)
    real = storage.fetch_to
    fetched: list[str] = []

    def fetch_to(key: str, *args: Any, **more: Any) -> Path:
        fetched.append(key)
        return real(key, *args, **more)

    monkeypatch.setattr(storage, "fetch_to", fetch_to)
    after = made(master, "Right")
    assert sorted(fetched) == sorted(row.storage_key for row in before.values())
    for code, row in after.items():
        assert (row.state, row.error) == ("READY", "")
        assert (row.sound_sha256, row.samples) == (before[code].sound_sha256, before[code].samples)
        assert row.sha256 != before[code].sha256
        path, old = storage.path_of(row.storage_key), storage.path_of(before[code].storage_key)
        assert path
        assert old
        assert tags.read(path, formats.get(code))[0]["TITLE"] == ["Right"]
        assert tags.read(old, formats.get(code))[0]["TITLE"] == ["Wrnog"]


@pytest.mark.django_db
def test_a_tagger_that_spoils_the_sound_publishes_nothing(audio: Path, tmp_path: Path, monkeypatch) -> None:
    master = deliver(sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5"))
    wanted = [formats.get("MP3_V0")]
    renditions.plan(master, wanted, tags=make_tags(), at=timezone.now())
    renditions.make_due(master.pk)
    real = tags.write

    def spoil(path: Path, *args: Any, **more: Any) -> None:
        real(path, *args, **more)
        path.write_bytes(path.read_bytes()[:-300])

    monkeypatch.setattr(tags, "write", spoil)
    (row,) = renditions.plan(master, wanted, tags=make_tags(title="Right"), at=timezone.now())
    renditions.make_due(master.pk)
    row.refresh_from_db()
    assert (row.state, row.storage_key) == ("PLANNED", "")
    assert "changed the sound" in row.error
