"""Ada is staff and runs the place; Alice only buys."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.factories.store import make_user, sign_in
from tests.factories.transcoding import make_master, make_rendition
from transcoding.models import Attempt, Master, Rendition

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def at_adas(db: None) -> Client:
    return sign_in(make_user("Ada", is_staff=True))


@pytest.fixture
def at_alices(db: None) -> Client:
    return sign_in(make_user("Alice"))


def owed(*, priority: int = 20, minutes: int = 1, **over: Any) -> Rendition:
    """A rendition that has been owed for some minutes."""
    fields: dict[str, Any] = {
        "state": "PLANNED",
        "planned_at": ago(minutes=minutes),
        "ready_at": None,
        "storage_key": "",
        "sha256": "",
    }
    return make_rendition(priority=priority, **(fields | over))


def waiting_master(*, minutes: int = 1, **over: Any) -> Master:
    fields: dict[str, Any] = {"state": Master.State.EXAMINING, "created_at": ago(minutes=minutes), "accepted_at": None}
    return make_master(**(fields | over))


def tried(row: Rendition, *, seconds: int, minutes: int = 10, **over: Any) -> Attempt:
    """A try at a rendition that began some minutes ago and took some seconds."""
    began = ago(minutes=minutes)
    fields = {"fence": 1, "started_at": began, "ended_at": began + timedelta(seconds=seconds), "outcome": "DONE"}
    return Attempt.objects.create(master=row.master, rendition=row, **(fields | over))


def ago(**time: int) -> datetime:
    return NOW - timedelta(**time)
