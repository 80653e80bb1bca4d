"""Real audio, made once per session: short tones in every format that is taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from catalog.models import Party
from store import deliveries
from store.delivered_rights import Declaration
from store.models import Delivery, DeliveryLine
from tests.deliveries.tones import Tones
from tests.factories.catalog import make_label

Deliver = Callable[..., list[DeliveryLine]]


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    return Tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings) -> Path:
    """An empty folder to deliver, and an audio storage of its own."""
    settings.AUDIO_ROOT = tmp_path / "audio"
    folder = tmp_path / "The Folder"
    folder.mkdir()
    return folder


@pytest.fixture
def label(db: None) -> Party:
    return make_label("Bob's Records")


@pytest.fixture
def deliver(folder: Path, label: Party) -> Deliver:
    """Deliver the folder for Bob's label; the lines are the answer."""

    def run(**over: Any) -> list[DeliveryLine]:
        given: dict[str, Any] = {"label": label, "actor": "user:7", "declaration": Declaration()} | over
        delivery: Delivery = deliveries.deliver(folder, **given)
        return list(delivery.lines.all())

    return run
