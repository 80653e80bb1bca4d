"""One folder delivered by several hands at once becomes one set of rows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection

from catalog.models import Party, Recording, Release, Track
from licensing.models import LicenceGrant
from store import deliveries
from store.delivered_rights import Declaration
from tests.deliveries.tones import Tones
from tests.factories.catalog import make_label
from transcoding.models import Master

pytestmark = pytest.mark.django_db(transaction=True)
BY = "https://creativecommons.org/licenses/by/4.0/"
HANDS = 4


def test_hands_at_once_deliver_one_album(folder: Path, tones: Tones) -> None:
    for number in (1, 2):
        tones.put(
            folder / f"{number}.flac", hertz=300 + number, title=f"{number}", artist="Ana", album="First", license=BY
        )
    label, barrier = make_label(), Barrier(HANDS)
    with ThreadPoolExecutor(HANDS) as hands:
        for _ in hands.map(lambda _: _deliver(folder, label, barrier), range(HANDS)):
            pass
    counts = [model.objects.count() for model in (Release, Track, Recording, Master, LicenceGrant)]
    assert counts == [1, 2, 2, 2, 4]


def _deliver(folder: Path, label: Party, barrier: Barrier) -> None:
    barrier.wait()
    try:
        deliveries.deliver(folder, label=label, actor="user:7", declaration=Declaration(own_works=True))
    finally:
        connection.close()
