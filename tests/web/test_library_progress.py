"""A buyer who waits sees how far each file is, as far as it is encoded."""

from typing import Any

import pytest
from django.test import Client

from catalog.models import Release
from store.models import User
from tests.factories import shelf
from transcoding.models import Master

pytestmark = pytest.mark.django_db
OWED: dict[str, Any] = {"storage_key": "", "sha256": "", "bytes": 0, "ready_at": None}


def owe(release: Release, *permille: int) -> None:
    """WAV of each track is owed, or being made and so far."""
    masters = Master.objects.filter(recording__releases=release).order_by("pk")
    for master, done in zip(masters, permille, strict=True):
        shelf.make_rendition(master, "WAV", state="MAKING" if done else "PLANNED", permille=done, **OWED)


def test_a_single_track_says_how_far_it_is(at_alices: Client, alice: User) -> None:
    release = shelf.shelve(tracks=1)
    order = shelf.sell(shelf.whole(release), buyer=alice)
    owe(release, 437)
    for address in (f"/orders/{order.public_id}", "/library/?format=WAV"):
        text = at_alices.get(address).text
        assert "Being made, 43%" in text
        assert 'max="1000" value="437"' in text


def test_each_track_of_a_release_has_its_own_bar_and_the_whole_their_mean(at_alices: Client, alice: User) -> None:
    release = shelf.shelve(tracks=2)
    shelf.sell(shelf.whole(release), buyer=alice)
    owe(release, 600, 0)
    (row,) = at_alices.get("/library/?format=WAV").context["rows"]
    assert [track["permille"] for track in row["tracks"]] == [600, 0]
    assert (row["permille"], row["words"]) == (300, "Being made, 0 of 2")
