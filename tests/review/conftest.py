"""Rita reviews. Bob's label hands in; Charlie reviews too, but belongs to it; Ada is staff."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from catalog.models import Party, Recording, Work
from licensing.models import LicenceGrant
from store import access
from store.models import User
from tests.factories import catalog, licensing, transcoding
from tests.factories.store import make_user, sign_in

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def label(db: None) -> Party:
    return catalog.make_label("Bob's Records", slug="bobs")


@pytest.fixture
def rita(db: None) -> User:
    return make_user("Rita", is_reviewer=True)


@pytest.fixture
def at_ritas(rita: User) -> Client:
    return sign_in(rita)


@pytest.fixture
def sam(db: None) -> User:
    return make_user("Sam", is_reviewer=True)


@pytest.fixture
def at_sams(sam: User) -> Client:
    """Sam reviews as well: the second of two."""
    return sign_in(sam)


@pytest.fixture
def at_charlies(label: Party) -> Client:
    charlie = make_user("Charlie", is_reviewer=True)
    access.join(charlie, label)
    return sign_in(charlie)


@pytest.fixture
def at_bobs(label: Party) -> Client:
    bob = make_user("Bob")
    access.join(bob, label, role="OWNER")
    return sign_in(bob)


@pytest.fixture
def at_alices(db: None) -> Client:
    return sign_in(make_user("Alice"))


@pytest.fixture
def at_adas(db: None) -> Client:
    return sign_in(make_user("Ada", is_staff=True))


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
