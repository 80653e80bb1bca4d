"""What every test starts from."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection


def pytest_configure() -> None:
    hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no fault of the code
    hypothesis.settings.load_profile("suite")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; nothing here is secret
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where nothing was collected
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes is left out of the suite: `make test-long` loads `tests.long` and runs it."""
    if not config.pluginmanager.hasplugin("tests.long"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Rate limits and cached pages of one test are no other's business."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """What a test does to the environment ends with it; a process started later would read it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def as_application(db: None) -> None:
    """The test works with the rights of the running application, fewer than the owner's, until its transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {settings.APPLICATION_ROLE}")
