"""A label's release that licensing's own rules clear, its masters accepted, its files as the test wants them."""

import pytest

from catalog.models import Release
from store import offers
from tests.factories import catalog, licensing, transcoding
from tests.factories.kept import kept
from transcoding.models import Rendition


def make_ready() -> int:
    """Every planned file becomes ready, as a worker would leave it; returns how many."""
    return Rendition.objects.filter(state=Rendition.State.PLANNED).update(
        state=Rendition.State.READY, sha256="a" * 64, bytes=1000, samples=1000, storage_key="renditions/aa/a",
        ready_at=licensing.NOW,
    )  # fmt: skip


@kept()
def two_tracks() -> Release:
    label = catalog.make_label("Bob's Records")
    release = catalog.make_release("First Light", label=label)
    for number in (1, 2):
        recording = catalog.make_recording(f"Piece {number}", label=label)
        catalog.make_track(release, recording, number=number)
        master = transcoding.make_master(recording)
        licensing.make_cleared(recording, sound=master.sound_sha256)
        offers.set_price(recording, currency="EUR", amount_minor=100, actor="user:bob")
    offers.set_price(release, currency="EUR", amount_minor=160, actor="user:bob")
    return release


@pytest.fixture
def release(db: None) -> Release:
    """Two tracks on CC BY 4.0, approved, with masters and prices; nothing reviewed yet."""
    return two_tracks()
