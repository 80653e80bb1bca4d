"""What every test starts from."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from store import embedded
from tests import cleaning, migrated

T = TypeVar("T")
TEMPLATE = "clearsong_template"  # migrated, for every worker to copy


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


@pytest.fixture(scope="session")
def kept_schema(request: pytest.FixtureRequest) -> Path | None:
    """Where the migrated schema is kept from one run to the next; None where the server or the cache is not ours."""
    cache = getattr(request.config, "cache", None)
    return migrated.path_in(cache.mkdir("migrated")) if cache and migrated.possible() else None


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None,  # as pytest-django does it: a name for each worker
    kept_schema: Path | None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[contextlib.ExitStack]:
    """Nobody migrates what was migrated before: the first worker makes a template of what is kept, all copy it."""
    with contextlib.ExitStack() as turn:
        if kept_schema is not None:
            lock = turn.enter_context((embedded.home() / "run" / "template.lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            with django_db_blocker.unblock():
                if migrated.lay(TEMPLATE, kept_schema):
                    connection.settings_dict["TEST"]["TEMPLATE"] = TEMPLATE
        yield turn


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_modify_db_settings: contextlib.ExitStack,
    django_db_setup: None,
    kept_schema: Path | None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """After the database is made: keep its schema for the next worker and run; learn what a clean one looks like."""
    with django_db_blocker.unblock():
        if kept_schema is not None and not connection.settings_dict["TEST"].get("TEMPLATE"):
            migrated.keep(connection.settings_dict["NAME"], kept_schema)
        django_db_modify_db_settings.close()
        possible = cleaning.possible()
        if possible:
            cleaning.remember()
    with pytest.MonkeyPatch.context() as patch:
        if possible:
            patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: cleaning.clean())
        yield


@pytest.fixture(scope="module")
def lay(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[Callable[[], T]], T]]:
    """Lays out what all tests of a module find, and takes it away after the last of them.

    As Django's own `setUpTestData`, for modules of plain functions: each test's own transaction lies inside this one.
    So `now()` of PostgreSQL is when this began, and no test beside may ask for `transactional_db`.
    """
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # as that of a TestCase: durable blocks may begin in it

    def make(rows: Callable[[], T]) -> T:
        with django_db_blocker.unblock():
            made = rows()
            connection.check_constraints()
        return made

    with django_db_blocker.unblock():
        around.__enter__()
    yield make
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


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
