"""Alice buys, Charlie is a stranger; both may sit at the same shop."""

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from store.models import User
from tests.factories.store import make_user


@pytest.fixture(autouse=True, scope="session")
def _static_folder() -> None:
    """WhiteNoise warns of a folder that nobody has collected static files into."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def alice(db: None) -> User:
    return make_user("Alice", password="correct horse battery", country="DE")


@pytest.fixture
def at_alices(alice: User) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="de-DE")
    client.force_login(alice)
    return client


@pytest.fixture
def visitor(db: None) -> Client:
    return Client(HTTP_ACCEPT_LANGUAGE="de-DE")


@pytest.fixture
def at_charlies(db: None) -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="de-DE")
    client.force_login(make_user("Charlie"))
    return client
