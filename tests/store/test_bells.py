"""A bell saves the wait for the sweep, and its loss costs nothing but that wait."""

import pytest
from kombu.exceptions import OperationalError

from store import bells
from store.celery import app


@pytest.fixture
def rung(monkeypatch):
    found = []
    monkeypatch.setattr(app, "send_task", lambda name, arguments: found.append((name, arguments)))
    return found


@pytest.mark.django_db
def test_a_bell_rings_only_once_the_row_is_there_for_others(rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        bells.ring("store.tasks.check_order", 7)
        assert rung == []
    assert rung == [("store.tasks.check_order", (7,))]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_no_error_of_the_callers(monkeypatch):
    def away(*_: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(app, "send_task", away)
    bells.ring("store.tasks.check_order", 7)
