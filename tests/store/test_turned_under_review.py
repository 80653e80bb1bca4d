"""A track that is turned to another recording while its release is reviewed: one comes after the other."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from catalog.models import Recording, Release, Track
from store import offers, previews
from store.models import Offer
from tests.factories import catalog, onsale
from tests.waiters import until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def release() -> Release:
    """On sale at a price that has just changed, so that the next review makes offers."""
    release = onsale.put_on_sale()
    offers.set_price(release.recordings.get(), currency="EUR", amount_minor=150, actor="user:bob")
    return release


def turn(track: Track, recording: Recording) -> None:
    try:
        Track.objects.filter(pk=track.pk).update(recording=recording)
    finally:
        connection.close()


@pytest.fixture
def meanwhile(release: Release, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Future[None]]:
    """Reviews the release; when the review holds it, somebody turns its track. Says how that went."""
    track, other, plan = release.tracks.get(), catalog.make_recording("Another"), previews.plan
    turned: list[Future[None]] = []

    def review() -> Future[None]:
        with ThreadPoolExecutor(1) as pool:

            def interrupted(*args: object, **over: object) -> object:
                turned.append(pool.submit(turn, track, other))
                until_somebody_waits("transactionid", "tuple")
                return plan(*args, **over)  # type: ignore[arg-type]

            monkeypatch.setattr(previews, "plan", interrupted)
            offers.review_offers([track.recording_id], at=timezone.now(), actor="task:review")
        return turned[0]

    return review


def test_the_turn_waits_for_the_review_and_closes_what_it_opened(
    release: Release, meanwhile: Callable[[], Future[None]]
) -> None:
    meanwhile().result()
    assert release.tracks.get().recording.title == "Another"
    assert set(Offer.objects.filter(closed_at=None)) == set()


def test_without_the_tracks_held_each_would_wait_for_the_other(
    release: Release, meanwhile: Callable[[], Future[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_the_release(release: Release) -> dict[int, int]:
        Release.objects.select_for_update(no_key=True).get(pk=release.pk)
        return dict(release.tracks.values_list("pk", "recording_id"))

    monkeypatch.setattr(offers, "_hold", only_the_release)
    with pytest.raises(OperationalError, match="deadlock"):
        meanwhile().result()


def test_a_review_that_comes_after_the_turn_leaves_it_to_the_next(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    track, hold = release.tracks.get(), offers._hold

    def late(release: Release) -> dict[int, int]:
        Track.objects.filter(pk=track.pk).update(recording=catalog.make_recording("Another"))
        return hold(release)

    monkeypatch.setattr(offers, "_hold", late)
    offers.review_offers([track.recording_id], at=timezone.now(), actor="task:review")
    assert not Offer.objects.filter(closed_at=None).exists()
