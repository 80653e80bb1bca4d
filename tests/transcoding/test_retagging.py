"""New tags cost no encode: the sound of the finished file is kept, and is proved to be kept."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds
from tests.transcoding.test_tags import FILES, bare, format_of, picture
from transcoding import formats, looks, payloads, renditions, sandbox, storage, tags
from transcoding.models import Master, Rendition

__all__ = ["bare"]  # the fixture
CODES = ("FLAC", "MP3_V0", "OGG_Q6", "OPUS_128", "AAC_256", "ALAC", "WAV", "AIFF", "WV", "TTA")
KINDS = ("FLAC", "MP3_V0", "OGG_Q6", "AAC_256")  # of containers, where what is tried does not hang on each


@pytest.mark.parametrize("code", sorted(FILES))
def test_other_tags_leave_the_encoded_sound_to_the_byte(bare: dict[str, Path], tmp_path: Path, code: str) -> None:
    one, other = tmp_path / f"1{bare[code].suffix}", tmp_path / f"2{bare[code].suffix}"
    for path, title in ((one, "A"), (other, "Another title " * 90)):
        shutil.copyfile(bare[code], path)
        tags.write(path, format_of(code), make_tags(title=title), picture())
    assert one.read_bytes() != other.read_bytes()
    assert payloads.same_sound(one, other)


@pytest.mark.parametrize("code", sorted(FILES))
def test_one_pass_gives_the_file_that_copying_and_tagging_gives(bare: dict[str, Path], tmp_path: Path, code) -> None:
    kept, fresh = corrected(bare[code], tmp_path, code)
    other = tmp_path / f"other{kept.suffix}"
    shutil.copyfile(kept, other)
    tags.write(other, format_of(code), make_tags(title=LONGER), picture())
    assert payloads.fill(kept, fresh, sha256=storage.sha256_of(kept)) == storage.sha256_of(other)
    assert fresh.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("code", sorted(FILES))
@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["first", "middle", "last"])
def test_one_pass_finds_a_flipped_bit_in_what_was_kept(bare: dict[str, Path], tmp_path: Path, code, place) -> None:
    kept, fresh = corrected(bare[code], tmp_path, code)
    sha256 = storage.sha256_of(kept)
    flip(kept, place)
    assert not payloads.fill(kept, fresh, sha256=sha256)


@pytest.mark.parametrize("code", ["MP3_V0", "FLAC", "AAC_256", "WAV"])
def test_one_pass_vouches_for_no_file_that_lost_a_part(bare: dict[str, Path], tmp_path: Path, code: str) -> None:
    kept, fresh = corrected(bare[code], tmp_path, code)
    fresh.write_bytes(fresh.read_bytes()[10:])
    assert not payloads.fill(kept, fresh, sha256=storage.sha256_of(kept))


LONGER = "Right and longer"


def corrected(bare: Path, folder: Path, code: str) -> tuple[Path, Path]:
    """A finished file, and its hollow copy with a title of another length."""
    kept, fresh = folder / f"kept{bare.suffix}", folder / f"fresh{bare.suffix}"
    shutil.copyfile(bare, kept)
    tags.write(kept, format_of(code), make_tags(title="Wrnog"), picture())
    payloads.hollow(kept, fresh)
    tags.write(fresh, format_of(code), make_tags(title=LONGER), picture())
    return kept, fresh


def flip(path: Path, place: float) -> None:
    """Turn over one bit of the sound."""
    with path.open("r+b") as file:
        start, end = payloads._sound(file)
        file.seek(min(end - 1, start + int((end - start) * place)))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("code", sorted(set(FILES) - {"WV", "TTA"}))
def test_a_correction_moves_no_sound(bare: dict[str, Path], tmp_path: Path, code: str) -> None:
    """The cost of a correction must not grow by another copy of the file."""
    kept, fresh = corrected(bare[code], tmp_path, code)
    with kept.open("rb") as one, fresh.open("rb") as other:
        assert payloads._sound(one) == payloads._sound(other)
    assert kept.stat().st_size == fresh.stat().st_size


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


def made(master: Master, title: str, *, codes: Sequence[str] = CODES) -> dict[str, Rendition]:
    rows = renditions.plan(
        master, [formats.get(code) for code in codes], tags=make_tags(title=title), at=timezone.now()
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


def damaged(row: Rendition) -> None:
    path = storage.path_of(row.storage_key)
    assert path
    path.chmod(0o644)
    flip(path, 0.5)


def gone(row: Rendition) -> None:
    path = storage.path_of(row.storage_key)
    assert path
    path.unlink()


@pytest.mark.django_db
@pytest.mark.parametrize("fate", [damaged, gone])
def test_a_kept_file_that_is_damaged_or_gone_is_made_anew_at_once_and_so_is_what_lacks_it(
    audio: Path, tmp_path: Path, fate: Callable[[Rendition], None]
) -> None:
    """Nobody waits for the scrub: the corrected file comes from the master, and the one before comes back as it was."""
    master = deliver(sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5"))
    before = made(master, "Wrnog", codes=KINDS)
    for row in before.values():
        fate(row)
    after = made(master, "Right", codes=KINDS)
    assert {(row.state, row.attempts, row.error) for row in after.values()} == {("READY", 0, "")}
    for row in Rendition.objects.filter(master=master):
        path = storage.path_of(row.storage_key)
        assert path
        assert row.state == "READY"
        assert storage.sha256_of(path) == row.sha256
        assert row.tags["title"] == ("Wrnog" if row.pk in {old.pk for old in before.values()} else "Right")
    assert {row.sha256 for row in before.values()} < set(Rendition.objects.values_list("sha256", flat=True))


@pytest.mark.django_db
def test_a_damaged_file_is_never_tagged_anew(audio: Path, tmp_path: Path, monkeypatch) -> None:
    """The control: where nobody may look at it, it fails three times and is given up."""
    master = deliver(sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5"))
    before = made(master, "Wrnog", codes=KINDS)
    for row in before.values():
        damaged(row)
    monkeypatch.setattr(looks, "suspect", lambda _key, **_: False)
    for code, row in made(master, "Right", codes=KINDS).items():
        assert (row.state, row.attempts, row.storage_key) == ("PLANNED", 1, ""), code
        assert "not what it was" in row.error


@pytest.mark.django_db
def test_tags_that_outgrow_their_place_are_written_all_the_same(audio: Path, tmp_path: Path) -> None:
    """The pages of Ogg get other numbers then, and everything moves."""
    short = sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5")
    one, other = deliver(short), deliver(short)
    made(one, "Short")
    after, fresh = made(one, LONGER * 2000), made(other, LONGER * 2000)
    assert {row.error for row in after.values()} == {""}
    assert {code: row.sha256 for code, row in after.items()} == {code: row.sha256 for code, row in fresh.items()}


@pytest.mark.django_db
def test_corrected_is_what_a_fresh_encode_would_be(audio: Path, tmp_path: Path) -> None:
    """Or a file that is lost could not be made again."""
    short = sounds.convert(audio / "plain.wav", tmp_path / "short.flac", "-t", "0.5")
    one, other = deliver(short), deliver(short)
    made(one, "Wrnog")
    after, fresh = made(one, "Right"), made(other, "Right")
    assert {code: row.sha256 for code, row in after.items()} == {code: row.sha256 for code, row in fresh.items()}


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
