"""Bob runs the label, Eve works for it, Charlie runs another one, Alice only buys."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from catalog.models import Party, Recording, Release, Work
from store import access
from store.models import User
from tests.deliveries.tones import Tones
from tests.factories import catalog, licensing, transcoding
from tests.factories.store import make_user


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: Path, settings: LazySettings) -> None:
    settings.AUDIO_ROOT = tmp_path / "audio"


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    return Tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def label(db: None) -> Party:
    return catalog.make_label("Bob's Records", slug="bobs")


@pytest.fixture
def bob(label: Party) -> User:
    user = make_user("Bob")
    access.join(user, label, role="OWNER")
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def at_bobs(bob: User) -> Client:
    return signed_in(bob)


@pytest.fixture
def at_eves(label: Party) -> Client:
    eve = make_user("Eve")
    access.join(eve, label)
    return signed_in(eve)


@pytest.fixture
def at_charlies(db: None) -> Client:
    charlie = make_user("Charlie")
    access.join(charlie, catalog.make_label("Charlie's", slug="charlies"), role="OWNER")
    return signed_in(charlie)


@pytest.fixture
def at_alices(db: None) -> Client:
    return signed_in(make_user("Alice"))


@pytest.fixture
def release(label: Party) -> Release:
    """Two tracks of Bob's with masters and records that nobody has reviewed."""
    release = catalog.make_release("First Light", label=label)
    for number in (1, 2):
        recording = catalog.make_recording(f"Piece {number}", label=label)
        catalog.make_track(release, recording, number=number)
        transcoding.make_master(recording)
        subjects: list[Recording | Work] = [recording, *recording.works.all()]
        for subject in subjects:
            licensing.make_grant(subject, holder=licensing.make_holder(label), submitted_for=label)
    return release


@pytest.fixture
def recording(release: Release) -> Recording:
    return release.tracks.get(number=1).recording
