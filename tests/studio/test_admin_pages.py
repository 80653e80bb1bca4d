"""Every page of the staff desk opens, and costs the same however many rows there are."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments import chain
from tests.factories import everything
from tests.factories.store import make_user

# Django's own form for an address that is typed without "https://"; the catalogue's parties have one.
pytestmark = pytest.mark.filterwarnings("ignore:The default scheme will be changed")

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


class Visit(NamedTuple):
    """What a page answered, and what it asked the database."""

    status: int
    queries: list[str]


@pytest.fixture(scope="module")
def at_adas(lay: Callable[..., Client]) -> Client:
    """Ada's desk, with one row of nearly everything on it."""

    def begin() -> Client:
        everything.seed(1)
        chain.seal_new(at=timezone.now())
        client = Client()
        client.force_login(make_user("Ada", is_staff=True, is_superuser=True))
        return client

    return lay(begin)


@pytest.fixture(scope="module")
def lists(at_adas: Client, lay: Callable[..., dict[str, list[Visit]]]) -> dict[str, list[Visit]]:
    """By model: its list with one row, then with three."""

    def visit_all() -> dict[str, list[Visit]]:
        found = {model._meta.label: [visit(at_adas, _page(model, "changelist"))] for model in MODELS}
        everything.seed(2)
        everything.seed(3)
        for model in MODELS:
            found[model._meta.label].append(visit(at_adas, _page(model, "changelist")))
        return found

    return lay(visit_all)


def visit(client: Client, address: str) -> Visit:
    """The second time, when what all pages keep is kept."""
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        status = client.get(address).status_code
    return Visit(status, [query["sql"][:120] for query in seen.captured_queries])


def _page(model: type[models.Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_list_costs_the_same_for_more_rows(lists: dict[str, list[Visit]], model: type[models.Model]) -> None:
    few, many = lists[model._meta.label]
    assert few.status == many.status == 200
    assert len(few.queries) == len(many.queries), many.queries


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_page_of_a_row_opens(db: None, at_adas: Client, model: type[models.Model]) -> None:
    row = model._default_manager.first()
    if row is None:
        pytest.skip("Nothing of it is made here.")
    assert at_adas.get(_page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_page_of_a_new_row_opens_or_is_forbidden(db: None, at_adas: Client, model: type[models.Model]) -> None:
    assert at_adas.get(_page(model, "add")).status_code in {200, 403}
