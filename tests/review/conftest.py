"""Rita reviews. Bob's label hands in; Charlie reviews too, but belongs to it; Ada is staff."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from catalog.models import Party, Recording, Work
from licensing.models import LicenceGrant
from store import access
from store.models import User
from tests.factories import catalog, licensing, transcoding
from tests.factories.store import make_user

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def label(db: None) -> Party:
    return catalog.make_label("Bob's Records", slug="bobs")


@pytest.fixture
def rita(db: None) -> User:
    return make_user("Rita", is_reviewer=True)


@pytest.fixture
def at_ritas(rita: User) -> Client:
    return _client(rita)


@pytest.fixture
def at_charlies(label: Party) -> Client:
    charlie = make_user("Charlie", is_reviewer=True)
    access.join(charlie, label)
    return _client(charlie)


@pytest.fixture
def at_bobs(label: Party) -> Client:
    bob = make_user("Bob")
    access.join(bob, label, role="OWNER")
    return _client(bob)


@pytest.fixture
def at_alices(db: None) -> Client:
    return _client(make_user("Alice"))


@pytest.fixture
def at_adas(db: None) -> Client:
    return _client(make_user("Ada", is_staff=True))


@pytest.fixture
def recording(label: Party) -> Recording:
    """One recording of Bob's with a master; its record and its work's wait for a reviewer."""
    recording = catalog.make_recording("Tide", label=label, artist=catalog.make_party("Ana"))
    transcoding.make_master(recording)
    subjects: list[Recording | Work] = [recording, *recording.works.all()]
    for subject in subjects:
        licensing.make_grant(subject, holder=licensing.make_holder(label), submitted_for=label)
    return recording


@pytest.fixture
def grant(recording: Recording) -> LicenceGrant:
    return LicenceGrant.objects.get(recording=recording)
