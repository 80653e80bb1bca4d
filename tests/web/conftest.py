"""Alice buys, Charlie is a stranger; both may sit at the same shop."""

import pytest
from django.test import Client

from store.models import User
from tests.factories.store import make_user


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
