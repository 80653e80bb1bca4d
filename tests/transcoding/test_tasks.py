"""Bells, sweeps, and workers that die in the middle of it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from store.celery import app
from tests.factories.transcoding import deliver, make_master, make_tags, make_upload
from tests.platform.homes import until
from transcoding import claims, masters, probe, renditions, sandbox, scratch, storage, tasks
from transcoding.errors import ProcessFailed, StorageFailed
from transcoding.formats import FORMATS
from transcoding.models import Attempt, Master, Rendition, Upload

NOW = timezone.now()


@pytest.fixture
def bells(monkeypatch) -> list[tuple[str, int]]:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(tasks.examine_master, "delay", lambda pk: rung.append(("examine", pk)))
    monkeypatch.setattr(tasks.make_renditions, "delay", lambda pk: rung.append(("make", pk)))
    return rung


def leases_run_out() -> None:
    past = timezone.now() - timedelta(seconds=1)
    Master.objects.filter(state=Master.State.EXAMINING).update(claimed_until=past)
    Rendition.objects.filter(state__in=["MAKING", "PLANNED"]).update(claimed_until=past)


@pytest.mark.django_db
def test_the_sweep_rings_for_all_that_is_owed(audio: Path, bells: list[tuple[str, int]]) -> None:
    waiting = deliver(audio / "plain.flac", examine=False)
    owing = make_master()
    renditions.plan(owing, [FORMATS["FLAC"], FORMATS["WAV"]], tags=make_tags(), at=NOW)
    tasks.sweep()
    assert bells == [("examine", waiting.pk), ("make", owing.pk)]


@pytest.mark.django_db
def test_the_sweep_does_not_ring_again_at_once(audio: Path, bells: list[tuple[str, int]]) -> None:
    deliver(audio / "plain.flac", examine=False)
    renditions.plan(make_master(), [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    tasks.sweep()
    tasks.sweep()
    assert len(bells) == 2


@pytest.mark.django_db
def test_a_bell_nobody_heard_is_rung_again(bells: list[tuple[str, int]]) -> None:
    renditions.plan(make_master(), [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    tasks.sweep()
    Rendition.objects.update(rung_at=timezone.now() - tasks.RING_AGAIN)
    tasks.sweep()
    assert len(bells) == 2


@pytest.fixture
def queue() -> Iterator[str]:
    """The workers' queue, empty before and after; nobody works it off here."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_purge("cpu")
        yield "cpu"
        channel.queue_purge("cpu")


@pytest.mark.django_db
@pytest.mark.parametrize("flushed", [True, False])
def test_bells_lost_with_the_queue_are_rung_again_within_seconds(
    bells: list[tuple[str, int]],
    queue: str,
    flushed: bool,  # noqa: FBT001
) -> None:
    """Where one still waits nothing was lost, and a long backlog is not rung for again and again."""
    renditions.plan(make_master(), [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    tasks.sweep()
    Rendition.objects.update(rung_at=timezone.now() - tasks.LOST)
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_purge(queue)
    if not flushed:
        app.send_task("celery.ping", queue=queue)
    tasks.sweep()
    assert len(bells) == (2 if flushed else 1)


@pytest.mark.django_db
def test_bells_for_measuring_do_not_pile_up(monkeypatch) -> None:
    """Nobody may hear one for hours; the next is rung when this one is forgotten."""
    rung: list[dict[str, int]] = []
    monkeypatch.setattr(tasks.measure_masters, "apply_async", lambda **more: rung.append(more))
    tasks.sweep()
    tasks.sweep()
    assert rung == [{"expires": tasks.MEASURE_OFTEN}]


@pytest.mark.django_db
def test_a_broker_that_is_away_does_not_stop_the_sweep(monkeypatch) -> None:
    def away() -> bool:
        raise OperationalError("Connection refused")

    old = make_upload(created_at=timezone.now() - timedelta(days=2))
    monkeypatch.setattr(tasks, "_none_waits", away)
    tasks.sweep()
    assert Upload.objects.get(pk=old.pk).state == Upload.State.RELEASED


@pytest.mark.django_db
def test_a_claim_that_ran_out_is_rung_for_at_once(bells: list[tuple[str, int]]) -> None:
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    Rendition.objects.update(rung_at=timezone.now() - timedelta(seconds=40))
    renditions._claim(master.pk, at=timezone.now() - claims.LEASE)
    tasks.sweep()
    assert bells == [("make", master.pk)]


@pytest.mark.django_db
def test_what_is_in_hand_is_not_rung_for(bells: list[tuple[str, int]]) -> None:
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    renditions._claim(master.pk, at=timezone.now())
    tasks.sweep()
    assert bells == []


def paid_and_common(audio: Path) -> tuple[Rendition, Rendition]:
    """A file somebody paid for, and one made ahead of any sale, of two masters."""
    paid, common = deliver(audio / "plain.flac"), deliver(audio / "plain.wav")
    (second,) = renditions.plan(common, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    (first,) = renditions.plan(paid, [FORMATS["WAV"]], tags=make_tags(), priority=renditions.BUYER_WAITS, at=NOW)
    return first, second


@pytest.mark.django_db
@pytest.mark.parametrize("bell", [tasks.make_renditions, tasks.examine_master])
def test_any_bell_serves_first_whoever_paid(audio: Path, bell: Callable[[int], None]) -> None:
    paid, common = paid_and_common(audio)
    bell(common.master_id)
    assert Rendition.objects.filter(state="READY").earliest("ready_at") == paid


@pytest.fixture
def beats_at_once(monkeypatch) -> None:
    """A beat at every piece of sound, so that two seconds of it hold many."""
    monkeypatch.setattr(sandbox, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.0)


@pytest.mark.django_db
@pytest.mark.usefixtures("beats_at_once")
@pytest.mark.parametrize("guarded", [True, False])
def test_a_paid_file_overtakes_work_that_has_begun(audio: Path, monkeypatch, guarded: bool) -> None:  # noqa: FBT001
    """The encoders of the other file rest meanwhile, and their work is not done again. Off, the guard is missed."""
    paid, common = paid_and_common(audio)
    if not guarded:
        monkeypatch.setattr(renditions, "serve_buyers", lambda _pulse=None: 0)
    renditions.make_due(common.master_id)
    paid.refresh_from_db()
    common.refresh_from_db()
    assert common.state == "READY"
    assert common.fence == 1
    assert common.ready_at
    assert (paid.ready_at is not None and paid.ready_at < common.ready_at) is guarded


@pytest.mark.django_db
@pytest.mark.usefixtures("beats_at_once")
def test_how_far_the_sound_has_come_is_written_down_while_it_is_made(audio: Path, monkeypatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(renditions, "serve_buyers", lambda _pulse: seen.append(Rendition.objects.get().permille))
    master = deliver(audio / "plain.flac")
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    renditions.make_due(master.pk)
    assert seen == sorted(seen)
    assert any(0 < permille < 1000 for permille in seen)
    assert Rendition.objects.get().permille == 1000


@pytest.mark.django_db
@pytest.mark.usefixtures("beats_at_once")
def test_how_far_an_examination_has_come_is_written_down(audio: Path) -> None:
    seen: list[int] = []
    master = deliver(audio / "plain.flac", examine=False)
    masters.examine(master.pk, meanwhile=lambda _pulse: seen.append(Master.objects.get().permille))
    assert seen == sorted(seen)
    assert any(0 < permille < 1000 for permille in seen)
    assert Master.objects.get().permille == 1000


@pytest.mark.django_db
def test_a_late_worker_writes_no_progress(audio: Path) -> None:
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    (late,) = renditions._claim(master.pk, at=timezone.now() - claims.LEASE)
    renditions._claim(master.pk, at=timezone.now())
    pulse = claims.Pulse([])
    pulse.follow([late])
    pulse.heard(0.5)
    pulse.look = 0.0
    pulse()
    assert Rendition.objects.get().permille == 0


@pytest.mark.django_db
def test_work_that_rests_for_a_buyer_keeps_its_claim(audio: Path) -> None:
    paid, common = paid_and_common(audio)
    (resting,) = renditions._claim(common.master_id, at=timezone.now())
    outer = claims.Pulse([resting])
    outer.next = timezone.now()
    inner = claims.Pulse(renditions._claim(paid.master_id, at=timezone.now()), outer=outer)
    inner.look = 0.0
    before = timezone.now() + claims.LEASE
    inner()
    assert Rendition.objects.filter(pk=common.pk, claimed_until__gte=before).exists()


@pytest.mark.django_db(transaction=True)
def test_a_claim_outlives_a_slow_fetch(monkeypatch) -> None:
    """Whatever fetches a file of gigabytes says nothing meanwhile; its claim is renewed from beside."""
    monkeypatch.setattr(claims, "BEAT", timedelta(milliseconds=10))
    master = make_master()
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    (claim,) = renditions._claim(master.pk, at=timezone.now() - claims.LEASE)
    with claims.Pulse([claim]).kept():
        until(lambda: renditions.owed(timezone.now()).count() == 0)


@pytest.mark.django_db
def test_a_doubled_bell_does_nothing(audio: Path) -> None:
    master = deliver(audio / "plain.flac")
    renditions.plan(master, [FORMATS["FLAC"]], tags=make_tags(), at=NOW)
    tasks.make_renditions(master.pk)
    tasks.make_renditions(master.pk)
    tasks.examine_master(master.pk)
    assert Attempt.objects.count() == 2


@pytest.mark.django_db
def test_uploads_that_never_came_are_forgotten_after_a_day() -> None:
    old = make_upload(created_at=timezone.now() - timedelta(days=2))
    new = make_upload()
    masters.sweep_quarantine(at=timezone.now())
    assert set(Upload.objects.filter(state=Upload.State.RELEASED)) == {old}
    assert Upload.objects.get(pk=new.pk).state == Upload.State.STARTED


@pytest.mark.django_db
def test_an_upload_left_in_quarantine_after_its_verdict_is_released(audio: Path, monkeypatch) -> None:
    def lost(_key: str) -> None:
        raise StorageFailed("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete", lost)
        master = deliver(audio / "plain.flac")
    assert master.upload.state == Upload.State.RECEIVED
    masters.sweep_quarantine(at=timezone.now())
    master.upload.refresh_from_db()
    assert master.upload.state == Upload.State.RELEASED
    assert not storage.exists(master.upload.storage_key)


@pytest.mark.django_db
def test_an_examination_that_fails_three_times_is_a_rejection_with_its_reason(audio: Path, monkeypatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ProcessFailed("segmentation fault")

    monkeypatch.setattr(probe, "examine", broken)
    master = deliver(audio / "plain.flac", examine=False)
    for _ in range(4):
        masters.examine(master.pk)
        leases_run_out()
    master.refresh_from_db()
    assert master.state == Master.State.REJECTED
    assert "segmentation fault" in master.findings.get(code="EXAMINATION_FAILED").message


@pytest.mark.django_db
def test_two_workers_do_not_examine_the_same_master(audio: Path) -> None:
    master = deliver(audio / "plain.flac", examine=False)
    assert masters._claim(master.pk, at=timezone.now()) is not None
    assert masters.examine(master.pk) is None


@pytest.mark.django_db
def test_scratch_of_the_living_is_kept() -> None:
    with scratch.folder("make-1") as path:
        assert scratch.sweep() == 0
        assert path.exists()
