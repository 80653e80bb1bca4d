"""Several acts on one recording at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from licensing import clearance, notices
from licensing.models import ClearanceDecision
from licensing.terms import Use
from tests.factories.licensing import NOW, SOUND, make_cleared
from tests.waiters import until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)
SALE = Use.PERMANENT_DOWNLOAD


def clear(recording):
    try:
        return clearance.clear(recording, use=SALE, at=NOW, actor="task:test", sound_sha256=SOUND)
    finally:
        connection.close()


def test_asking_from_many_places_at_once_keeps_one_row():
    recording = make_cleared()
    with ThreadPoolExecutor(6) as pool:
        decisions = {decision.pk for decision in pool.map(clear, [recording] * 12)}
    assert len(decisions) == 1
    assert ClearanceDecision.objects.count() == 1


def test_a_yes_that_was_on_its_way_never_follows_a_takedown():
    recording = make_cleared()
    clear(recording)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
            late = pool.submit(clear, recording)
            until_somebody_waits("advisory")
        assert late.result().cleared_countries == []
    assert clearance.latest(recording, SALE).cleared_countries == []


def test_without_the_lock_the_late_yes_would_stand(monkeypatch):
    recording = make_cleared()
    clear(recording)
    monkeypatch.setattr(clearance, "lock", lambda _found: None)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
        assert pool.submit(clear, recording).result().cleared_countries
