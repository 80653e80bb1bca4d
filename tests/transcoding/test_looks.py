"""Every night each kept file is hashed: what was altered or lost is found, and made again."""

import io
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.utils import timezone
from PIL import Image

from catalog import artwork
from tests.factories.catalog import make_release
from tests.factories.transcoding import deliver, make_rendition, make_tags
from tests.transcoding import sounds
from transcoding import encode, formats, looks, renditions, storage, tags
from transcoding.errors import StorageFailed
from transcoding.models import ByteLook, Rendition

pytestmark = pytest.mark.django_db
NOW = timezone.now()
READY, PLANNED = Rendition.State.READY, Rendition.State.PLANNED


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short")
    return sounds.convert(sounds.write_wav(folder / "short.wav", seconds=0.5), folder / "short.flac")


def kept(data: bytes, folder: Path) -> Rendition:
    """A rendition as a row, with bytes that bear its hash."""
    path = folder / "kept"
    path.write_bytes(data)
    sha256 = storage.sha256_of(path)
    key = storage.rendition_key(sha256, "bin")
    storage.put_file(key, path)
    return make_rendition(sha256=sha256, storage_key=key)


def flip(key: str) -> None:
    path = storage.path_of(key)
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def lose(key: str) -> None:
    path = storage.path_of(key)
    assert path is not None
    path.unlink()


def scrub_all(later: timedelta = timedelta(0)) -> int:
    looks.watch()
    at = timezone.now() + later
    found = 0
    while (done := looks.scrub(at=at)).looked_at:
        found += done.altered
    return found


def find_ten(number: int, folder: Path) -> None:
    rows = [kept(f"rendition {place}".encode(), folder) for place in range(number)]
    assert scrub_all() == 0
    assert ByteLook.objects.filter(checked_at__isnull=False).count() == number
    planted = random.Random(7).sample(rows, 10)
    for place, row in enumerate(planted):
        (flip if place % 2 else lose)(row.storage_key)
    assert scrub_all(timedelta(days=1, minutes=1)) == 10
    assert {look.key for look in looks.wrong()} == {row.storage_key for row in planted}
    owed = Rendition.objects.filter(state=PLANNED)
    assert {row.pk for row in owed} == {row.pk for row in planted}


def test_ten_flipped_or_missing_among_many_are_found_named_and_owed_again(tmp_path: Path) -> None:
    find_ten(60, tmp_path)


@pytest.mark.long
def test_ten_flipped_or_missing_among_ten_thousand_are_found_named_and_owed_again(tmp_path: Path) -> None:
    find_ten(10_000, tmp_path)


def test_without_the_look_nobody_would_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same flip, and nobody hashes."""
    row = kept(b"a rendition", tmp_path)
    monkeypatch.setattr(looks, "_found", lambda look: look.sha256)
    flip(row.storage_key)
    assert scrub_all() == 0


@pytest.mark.parametrize("harm", [flip, lose])
@pytest.mark.parametrize("code", ["FLAC", "MP3_V0", "OGG_Q6", "OPUS_128", "AAC_256"])
def test_what_was_lost_is_made_again_with_the_very_bytes_it_had(short: Path, code: str, harm) -> None:
    master = deliver(short)
    (row,) = renditions.plan(master, [formats.get(code)], tags=make_tags(), at=NOW)
    renditions.make_due(master.pk)
    row.refresh_from_db()
    if not row.storage_key.startswith("renditions/"):
        pytest.skip("the delivered bytes themselves are sold in this format")
    harm(row.storage_key)
    assert scrub_all() == 1
    renditions.make_due(master.pk)
    again = Rendition.objects.get(pk=row.pk)
    assert (again.state, again.sha256, again.error) == (READY, row.sha256, "")
    path = storage.path_of(row.storage_key)
    assert path is not None
    assert storage.sha256_of(path) == row.sha256
    assert looks.scrub(at=timezone.now() + timedelta(minutes=11)).mended == 1
    assert not looks.wrong().exists()


@pytest.mark.parametrize("known", ["", "a" * 64])
@pytest.mark.parametrize("code", ["MP3_V0", "PREVIEW_MP3"])
def test_what_was_lost_comes_back_however_much_of_it_was_decoded_before(
    short: Path, code: str, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, verify = deliver(short), encode.verify
    if code == "MP3_V0":
        (row,) = renditions.plan(master, [formats.get(code)], tags=make_tags(), at=NOW)
    else:
        row = renditions.plan_preview(master, tags=make_tags(), fades=True, at=NOW)
    with monkeypatch.context() as other_day:
        other_day.setattr(encode, "verify", lambda *args, **more: replace(verify(*args, **more), sha256=known))
        renditions.make_due(master.pk)
    Rendition.objects.filter(pk=row.pk).update(heard_at=NOW)
    row.refresh_from_db()
    lose(row.storage_key)
    assert scrub_all() == 1
    renditions.make_due(master.pk)
    again = Rendition.objects.get(pk=row.pk)
    assert (again.state, again.sha256, again.sound_sha256, again.heard_at) == (READY, row.sha256, known, NOW)


def test_a_file_that_becomes_other_bytes_is_given_up_with_the_reason(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = deliver(short)
    (row,) = renditions.plan(master, [formats.get("MP3_V0")], tags=make_tags(), at=NOW)
    renditions.make_due(master.pk)
    row.refresh_from_db()
    lose(row.storage_key)
    scrub_all()
    monkeypatch.setattr(tags, "write", lambda *_args, **_more: None)  # an encoder or tagger of another day
    for _ in range(3):
        Rendition.objects.update(claimed_until=None)
        renditions.make_due(master.pk)
    again = Rendition.objects.get(pk=row.pk)
    assert again.state == Rendition.State.FAILED
    assert "Restore it from a copy" in again.error
    assert again.sha256 == row.sha256


def test_a_cover_that_was_altered_is_named(tmp_path: Path, settings) -> None:
    plain = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "art"}}
    settings.STORAGES = {**settings.STORAGES, "artwork": plain}
    data = io.BytesIO()
    Image.new("RGB", (200, 200), "teal").save(data, "PNG")
    cover = artwork.attach(make_release("First Light"), data.getvalue())
    assert scrub_all() == 0
    path = Path(storages["artwork"].path(str(cover.file.name)))
    path.chmod(0o644)
    path.write_bytes(b"another picture")
    assert scrub_all(timedelta(days=2)) == 1
    assert looks.wrong().get().place == ByteLook.Place.ARTWORK


def test_only_a_rendition_that_was_altered_may_be_removed(tmp_path: Path) -> None:
    row = kept(b"whole", tmp_path)
    assert storage.remove_altered(row.storage_key) is False
    assert storage.exists(row.storage_key)
    with pytest.raises(StorageFailed, match="kept for good"):
        storage.remove_altered(storage.master_key("a" * 64))


def test_a_store_that_does_not_answer_is_no_alteration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(b"a rendition", tmp_path)

    def down(_key: str) -> int:
        raise StorageFailed("no route to host")

    monkeypatch.setattr(storage, "size", down)
    assert scrub_all() == 0
    assert not looks.wrong().exists()
