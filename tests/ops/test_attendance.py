"""Workers sign in by themselves; who falls silent is seen to be."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery.signals import heartbeat_sent
from celery.worker.heartbeat import Heart
from django.conf import LazySettings

from store import attendance
from store.celery import app
from tests.ops.conftest import NOW


@pytest.fixture(autouse=True)
def _nobody_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "_signed", {})


def test_a_worker_that_was_heard_lately_is_at_work() -> None:
    attendance.sign_in("celery@a", ("cpu",), at=NOW)
    (worker,) = attendance.seen(at=NOW)
    assert (worker.name, worker.queues, worker.silent(NOW)) == ("celery@a", ("cpu",), False)


def test_one_that_was_not_is_silent_and_after_a_day_forgotten() -> None:
    attendance.sign_in("celery@a", ("cpu",), at=NOW)
    later = NOW + attendance.SILENT + timedelta(seconds=1)
    assert [one.silent(later) for one in attendance.seen(at=later)] == [True]
    assert attendance.seen(at=NOW + timedelta(days=2)) == []


def test_a_heartbeat_of_celery_signs_in() -> None:
    heartbeat_sent.send(
        sender=Heart(None, SimpleNamespace(hostname="celery@b", app=app, on_enabled=set(), on_disabled=set()))
    )
    (worker,) = attendance.seen(at=NOW)
    assert worker.name == "celery@b"


def test_a_cache_that_is_away_stops_nobody(settings: LazySettings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere?db=0"}}
    attendance.sign_in("celery@a", ("cpu",), at=NOW)
    assert attendance.seen(at=NOW) == []
