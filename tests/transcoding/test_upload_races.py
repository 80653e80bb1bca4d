"""Two people of one label who upload at once never have more on the way than the label may."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.models import QuerySet

from catalog.models import Party
from tests.factories.catalog import make_label
from transcoding import uploads
from transcoding.errors import QuotaReached

pytestmark = pytest.mark.django_db(transaction=True)


def announce_at_once(label: Party, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each of two got room, who look at what is left at the same moment, or as near to it as they can."""
    parcels = [uploads.parcel_of(label, actor=f"user:{number}") for number in (1, 2)]
    both_looked, real = Barrier(2), uploads.room_of

    def looked(of: Party) -> uploads.Room:
        room = real(of)
        with suppress(BrokenBarrierError):  # the other waits for its turn
            both_looked.wait(timeout=0.5)
        return room

    def announce(place: int) -> bool:
        try:
            uploads.announce(parcels[place], path="a.flac", length=600)
        except QuotaReached:
            return False
        finally:
            connection.close()
        return True

    monkeypatch.setattr(uploads, "room_of", looked)
    with ThreadPoolExecutor(2) as hands:
        return sorted(hands.map(announce, range(2)))


@pytest.fixture
def label(settings: LazySettings) -> Party:
    settings.UPLOAD_QUOTA_BYTES = 1000
    return make_label("Bob's Records")


def test_two_uploads_at_once_do_not_overrun_the_quota(label: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    assert announce_at_once(label, monkeypatch) == [False, True]
    assert uploads.room_of(label).on_the_way == 600


def test_without_the_lock_they_would(label: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same two where nobody waits for the other."""
    monkeypatch.setattr(QuerySet, "select_for_update", lambda found, **_how: found.all())
    assert announce_at_once(label, monkeypatch) == [True, True]
