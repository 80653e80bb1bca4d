"""What is made from a master, and how it is known to be right."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from mutagen.flac import FLAC

from tests.factories.transcoding import deliver, make_lossy_master, make_master, make_rendition, make_tags
from tests.transcoding import sounds
from transcoding import claims, encode, formats, renditions, sandbox, storage
from transcoding.errors import (
    FormatNotOffered,
    LateWorker,
    MasterNotAccepted,
    ProcessFailed,
    RenditionWrong,
    StorageFailed,
)
from transcoding.formats import FORMATS
from transcoding.models import Attempt, Master, Rendition

pytestmark = pytest.mark.django_db
NOW = timezone.now()
READY, FAILED, PLANNED = Rendition.State.READY, Rendition.State.FAILED, Rendition.State.PLANNED


def made(master: Master, *codes: str, **tags: object) -> list[Rendition]:
    wanted = [FORMATS[code] for code in codes] or formats.first_for(master)
    rows = renditions.plan(master, wanted, tags=make_tags(**tags), at=NOW)
    renditions.make_due(master.pk)
    return list(Rendition.objects.filter(pk__in=[row.pk for row in rows]).order_by("pk"))


def local(rendition: Rendition) -> Path:
    path = storage.path_of(rendition.storage_key)
    assert path is not None
    return path


def time_passes() -> None:
    """Every lease and every wait runs out."""
    Rendition.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("name", ["plain.flac", "deep.flac"])
def test_every_format_is_made_from_one_decode_and_proved(audio: Path, name: str, monkeypatch) -> None:
    master = deliver(audio / name)
    runs: list[list[str]] = []
    real = sandbox.run

    def counted(args: list[str], **more: Any) -> sandbox.Result:
        runs.append(args)
        return real(args, **more)

    monkeypatch.setattr(sandbox, "run", counted)
    rows = made(master)
    assert [row.state for row in rows] == [READY] * 9
    writing = [args for args in runs if any(word.startswith("file:") for word in args[args.index("-i") + 2 :])]
    assert len(writing) == 1


@pytest.mark.parametrize("name", ["plain.flac", "deep.flac"])
@pytest.mark.parametrize("code", ["FLAC", "ALAC", "WAV", "AIFF"])
def test_a_lossless_rendition_holds_the_masters_own_sound(audio: Path, name: str, code: str) -> None:
    master = deliver(audio / name)
    (row,) = made(master, code)
    assert (row.sound_sha256, row.samples, row.sample_rate) == (master.sound_sha256, master.samples, master.sample_rate)
    assert sounds.decode(local(row)) == sounds.decode(audio / name)


def test_a_flac_does_not_inherit_the_small_frames_of_its_master(audio: Path) -> None:
    (row,) = made(deliver(audio / "plain.aiff"), "FLAC")
    assert FLAC(local(row)).info.max_blocksize == 4096


@pytest.mark.parametrize("length", [44100, 44101, 50001, 61234])
def test_a_lossy_rendition_is_as_long_as_its_master(tmp_path: Path, length: int) -> None:
    master = deliver(sounds.write_wav(tmp_path / "odd.wav", seconds=length / 44100))
    rows = made(master, "MP3_V0", "MP3_320", "OGG_Q6", "AAC_256", "OPUS_128")
    assert [row.samples for row in rows[:4]] == [master.samples] * 4
    assert rows[4].samples == -(-length * 480 // 441)
    assert {row.state for row in rows} == {READY}


@pytest.mark.parametrize("rate", [22050, 37800, 88200, 96000, 192000])
def test_odd_rates_become_every_format(tmp_path: Path, rate: int) -> None:
    master = deliver(sounds.write_wav(tmp_path / "odd.wav", seconds=0.7, rate=rate, bits=24))
    rows = made(master)
    assert {row.format: row.error for row in rows if row.state != READY} == {}
    assert {row.format: row.sample_rate for row in rows}["FLAC"] == rate


def test_mono_stays_mono(tmp_path: Path) -> None:
    master = deliver(sounds.write_wav(tmp_path / "mono.wav", channels=1, seconds=0.7))
    assert {row.state for row in made(master)} == {READY}


def test_the_same_master_and_tags_give_the_same_bytes(audio: Path) -> None:
    first, second = deliver(audio / "plain.flac"), deliver(audio / "plain.flac")
    assert [row.sha256 for row in made(first)] == [row.sha256 for row in made(second)]


def test_a_new_title_needs_no_encoding_and_gives_the_bytes_a_fresh_encode_would(audio: Path, monkeypatch) -> None:
    master, other = deliver(audio / "plain.flac"), deliver(audio / "plain.flac")
    fresh = made(other, title="Corrected", date="2025")
    made(master)
    monkeypatch.setattr(encode, "encode", None)
    again = made(master, title="Corrected", date="2025")
    assert {row.format: row.sha256 for row in again} == {row.format: row.sha256 for row in fresh}


def test_a_file_is_stored_under_the_hash_of_its_bytes(audio: Path) -> None:
    (row,) = made(deliver(audio / "plain.flac"), "FLAC")
    assert hashlib.sha256(local(row).read_bytes()).hexdigest() == row.sha256
    assert row.sha256 in row.storage_key
    assert row.bytes == local(row).stat().st_size


def test_nothing_lossless_can_be_planned_from_a_lossy_master() -> None:
    with pytest.raises(FormatNotOffered):
        renditions.plan(make_lossy_master(), [FORMATS["FLAC"]], tags=make_tags(), at=NOW)


def test_nothing_is_planned_from_a_master_that_is_not_accepted() -> None:
    master = make_master(state=Master.State.EXAMINING, accepted_at=None)
    with pytest.raises(MasterNotAccepted):
        renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)


def test_planning_twice_owes_once_and_the_more_urgent_wins() -> None:
    master = make_master()
    first = renditions.plan(master, [FORMATS["WAV"]], tags=make_tags(), at=NOW)
    again = renditions.plan(master, [FORMATS["WAV"]], tags=make_tags(), priority=renditions.BUYER_WAITS, at=NOW)
    assert first == again
    assert Rendition.objects.get().priority == renditions.BUYER_WAITS


def test_previews_come_before_what_a_buyer_waits_for_and_that_before_the_rest(audio: Path, monkeypatch) -> None:
    master = deliver(audio / "plain.flac")
    order: list[set[str]] = []
    real = renditions._make

    def noted(claimed: list[claims.Claim]) -> int:
        order.append({renditions._row(claim).format for claim in claimed})
        return real(claimed)

    monkeypatch.setattr(renditions, "_make", noted)
    monkeypatch.setattr(claims, "LOOK_SECONDS", 1000.0)  # on a busy machine a preview takes so long that it gives way
    renditions.plan(master, [FORMATS["FLAC"], FORMATS["MP3_V0"]], tags=make_tags(), at=NOW)
    renditions.plan(master, [FORMATS["WAV"]], tags=make_tags(), priority=renditions.BUYER_WAITS, at=NOW)
    renditions.plan_preview(master, tags=make_tags(), fades=True, at=NOW)
    renditions.make_due(master.pk)
    assert order == [{"PREVIEW_MP3"}, {"WAV"}, {"FLAC", "MP3_V0"}]


def test_tags_that_are_right_again_are_the_newest_and_are_not_made_twice() -> None:
    master, wanted = make_master(), [FORMATS["FLAC"]]
    (first,) = renditions.plan(master, wanted, tags=make_tags(title="Right"), at=NOW)
    renditions.plan(master, wanted, tags=make_tags(title="Wrnog"), at=NOW + timedelta(seconds=1))
    (again,) = renditions.plan(master, wanted, tags=make_tags(title="Right"), at=NOW + timedelta(seconds=2))
    assert again == first
    assert list(Rendition.objects.order_by("-tags_at").values_list("tags__title", flat=True)) == ["Right", "Wrnog"]


def test_planning_anew_gives_new_tags_to_all_that_was_made_for_that_place() -> None:
    master = make_master()
    for code, place in (("WAV", "here"), ("ALAC", "here"), ("AIFF", "elsewhere")):
        make_rendition(master, code, tags=make_tags(place=place).to_json())
    make_rendition(master, "OPUS_128", state=PLANNED, tags=make_tags(place="here").to_json())
    corrected = make_tags(title="Right", place="here")
    rows = renditions.plan(master, [FORMATS["FLAC"]], tags=corrected, at=NOW, renew=True)
    assert [row.format for row in rows] == ["FLAC", "WAV", "ALAC"]
    assert {row.tags["title"] for row in rows} == {"Right"}


def test_what_no_encoder_here_makes_any_more_still_gets_new_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    master = make_master()
    make_rendition(master, "WAV")
    monkeypatch.setattr(formats, "is_offered", lambda each, _master: each.code != "WAV")
    rows = renditions.plan(master, [], tags=make_tags(title="Right"), at=NOW, renew=True)
    assert [row.format for row in rows] == ["WAV"]


def test_an_older_id3_changes_only_the_files_that_carry_id3() -> None:
    master, wanted = make_master(), [FORMATS[code] for code in ("FLAC", "MP3_V0", "WAV", "AIFF", "ALAC")]
    before = renditions.plan(master, wanted, tags=make_tags(), at=NOW)
    after = renditions.plan(master, wanted, tags=make_tags(id3=3), at=NOW)
    assert {row.format for row in after if row not in before} == {"MP3_V0", "WAV", "AIFF"}


def test_estimates_are_near_what_is_made(audio: Path, tmp_path: Path) -> None:
    master = deliver(sounds.write_wav(tmp_path / "long.wav", seconds=20))
    for row in made(master, "MP3_320", "WAV", "AIFF", "AAC_256"):
        assert row.bytes == pytest.approx(formats.estimate(FORMATS[row.format], master), rel=0.15)


def test_a_rendition_with_another_sound_is_never_published(audio: Path, monkeypatch) -> None:
    """The proof itself: the file given to the encoder's place holds one sample less."""
    master = deliver(audio / "plain.flac")
    real = encode.encode

    def sloppy(source, sound, outputs, **more):
        digest = real(source, sound, outputs, **more)
        for path in outputs:
            sounds.convert(source, path, "-af", "volume=0.5")
        return digest

    monkeypatch.setattr(encode, "encode", sloppy)
    (row,) = made(master, "FLAC")
    assert (row.state, row.storage_key) == (PLANNED, "")
    assert "own sound" in row.error


def test_a_lossy_rendition_that_lacks_its_end_is_never_published(audio: Path, tmp_path: Path) -> None:
    master = deliver(audio / "plain.flac")
    short = sounds.convert(audio / "plain.wav", tmp_path / "short.mp3", "-t", "1.5")
    with pytest.raises(RenditionWrong, match="instead of"):
        encode.verify(short, FORMATS["MP3_V0"], master, sound_sha256=master.sound_sha256)


def test_three_failures_of_its_own_give_a_rendition_up_with_the_reason(audio: Path, monkeypatch) -> None:
    master = deliver(audio / "plain.flac")

    def broken(*_args: object, **_more: object) -> None:
        raise ProcessFailed("ffmpeg ended with 139")

    monkeypatch.setattr(encode, "encode", broken)
    (row,) = made(master, "FLAC")
    for _ in range(4):
        time_passes()
        renditions.make_due(master.pk)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.error) == (FAILED, 3, "ffmpeg ended with 139")
    assert Attempt.objects.filter(rendition=row, outcome=Attempt.Outcome.FAILED).count() == 3


def test_one_bad_format_does_not_keep_the_others(audio: Path, monkeypatch) -> None:
    master = deliver(audio / "plain.flac")
    real = encode.encode

    def bad_wav(source, sound, outputs, **more):
        if FORMATS["WAV"] in outputs.values():
            raise ProcessFailed("no")
        return real(source, sound, outputs, **more)

    monkeypatch.setattr(encode, "encode", bad_wav)
    made(master, "FLAC", "WAV", "AIFF")
    for _ in range(4):
        time_passes()
        renditions.make_due(master.pk)
    assert dict(Rendition.objects.values_list("format", "state")) == {"FLAC": READY, "WAV": FAILED, "AIFF": READY}


def test_a_full_disk_or_a_lost_store_is_not_the_files_fault(audio: Path, monkeypatch) -> None:
    master = deliver(audio / "plain.flac")
    real = storage.put_hashed

    def full(*_args: object, **_more: object) -> str:
        raise StorageFailed("no space left")

    monkeypatch.setattr(storage, "put_hashed", full)
    made(master, "FLAC")
    for _ in range(5):
        time_passes()
        renditions.make_due(master.pk)
    assert Rendition.objects.get().attempts == 0
    monkeypatch.setattr(storage, "put_hashed", real)
    time_passes()
    assert renditions.make_due(master.pk) == 1


def test_a_failed_try_waits_before_the_next(audio: Path, monkeypatch) -> None:
    master = deliver(audio / "plain.flac")
    monkeypatch.setattr(encode, "encode", lambda *_a, **_k: (_ for _ in ()).throw(ProcessFailed("no")))
    (row,) = made(master, "FLAC")
    assert row.claimed_until is not None
    assert row.claimed_until > timezone.now()
    assert renditions._claim(master.pk, at=timezone.now()) == []


def test_new_tries_can_be_given_by_hand(audio: Path) -> None:
    master = deliver(audio / "plain.flac")
    (row,) = renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    Rendition.objects.filter(pk=row.pk).update(state=FAILED, attempts=3, error="once")
    assert renditions.make_due(master.pk) == 0
    renditions.ask_again(row)
    assert renditions.make_due(master.pk) == 1


def test_what_one_worker_holds_no_other_takes() -> None:
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    assert len(renditions._claim(master.pk, at=NOW)) == 1
    assert renditions._claim(master.pk, at=NOW) == []
    assert len(renditions._claim(master.pk, at=NOW + claims.LEASE)) == 1


def test_a_late_worker_publishes_nothing(audio: Path) -> None:
    master = deliver(audio / "plain.flac")
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    (old,) = renditions._claim(master.pk, at=timezone.now() - claims.LEASE)
    (new,) = renditions._claim(master.pk, at=timezone.now())
    with pytest.raises(LateWorker):
        renditions._publish(old, key="renditions/aa/x", sha256="a" * 64, length=1, sound=encode.Proved("", 1))
    assert renditions._make([old]) == 0
    assert Rendition.objects.get().state == Rendition.State.MAKING
    assert renditions._make([new]) == 1
    outcomes = Attempt.objects.filter(rendition__isnull=False).order_by("fence").values_list("outcome", flat=True)
    assert list(outcomes) == ["LATE", "DONE"]


def test_a_working_worker_keeps_its_claim_and_a_robbed_one_stops() -> None:
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    (claim,) = renditions._claim(master.pk, at=timezone.now())
    pulse = claims.Pulse([claim])
    pulse.next, pulse.look = timezone.now(), 0.0
    before = timezone.now() + claims.LEASE
    pulse()
    assert Rendition.objects.filter(claimed_until__gte=before).exists()
    renditions._claim(master.pk, at=timezone.now() + 2 * claims.LEASE)
    pulse.next, pulse.look = timezone.now(), 0.0
    with pytest.raises(LateWorker):
        pulse()


def test_what_ends_its_worker_every_time_is_given_up() -> None:
    master = make_master()
    (row,) = renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    Rendition.objects.filter(pk=row.pk).update(fence=claims.MAX_CLAIMS)
    assert renditions._claim(master.pk, at=NOW) == []
    assert Rendition.objects.get().state == FAILED


def test_no_scratch_is_left_behind(audio: Path, settings) -> None:
    made(deliver(audio / "plain.flac"), "FLAC", "WAV")
    assert list((settings.HOME / "scratch").iterdir()) == []


def test_masters_that_changed_on_disk_are_not_encoded(audio: Path) -> None:
    master = deliver(audio / "plain.flac")
    path = storage.path_of(master.storage_key)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (row,) = made(master, "FLAC")
    assert "not those it was given" in row.error


def test_the_database_keeps_an_accepted_master_as_it_is() -> None:
    master = make_master()
    changes: list[dict[str, Any]] = [{"samples": 1}, {"sound_sha256": "b" * 64}, {"state": Master.State.REJECTED}]
    for change in changes:
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            Master.objects.filter(pk=master.pk).update(**change)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Master.objects.filter(pk=master.pk).delete()


def test_the_database_keeps_a_made_rendition_as_it_is() -> None:
    row = make_rendition()
    changes: list[dict[str, Any]] = [{"sha256": "b" * 64}, {"storage_key": "x"}, {"tags": {}}, {"format": "WAV"}]
    for change in changes:
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            Rendition.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(IntegrityError, match="buyers may hold"), transaction.atomic():
        Rendition.objects.filter(pk=row.pk).delete()


def test_the_database_admits_one_rendition_of_a_kind() -> None:
    row = make_rendition()
    with pytest.raises(IntegrityError, match="one_rendition_of_a_kind"), transaction.atomic():
        make_rendition(row.master)


def test_the_database_makes_nothing_from_a_master_that_is_not_accepted() -> None:
    with pytest.raises(IntegrityError, match="not accepted"), transaction.atomic():
        make_rendition(make_master(state=Master.State.EXAMINING, accepted_at=None))


def test_a_fence_never_goes_back() -> None:
    row = make_rendition(fence=3)
    with pytest.raises(IntegrityError, match="never goes back"), transaction.atomic():
        Rendition.objects.filter(pk=row.pk).update(fence=2)
