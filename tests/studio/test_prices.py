"""The label's price page: who may set, what is refused beside its field, and what buyers then pay."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.models import Party, Release
from store.models import ListPrice, Price
from tests.factories import catalog

PAGE = "/studio/bobs/prices/"


@pytest.fixture
def first_light(label: Party) -> Release:
    release = catalog.make_release("First Light", label=label)
    catalog.make_track(release, catalog.make_recording("Piece", label=label), number=1)
    return release


def cells(release: Release, **over: str) -> dict[str, str]:
    return {"currency": "EUR", f"release-{release.public_id}": "8", **over}


def test_a_price_list_and_single_prices_are_set_on_one_page(at_bobs: Client, first_light: Release) -> None:
    sent = cells(
        first_light, **{"list-TRACK": "1,20", "list-RELEASE": "", f"release-{first_light.public_id}-more": "on"}
    )
    assert at_bobs.post(PAGE, sent).status_code == 302
    price = Price.objects.get(release=first_light)
    assert (price.amount_minor, price.or_more, price.by_list) == (800, True, False)
    assert ListPrice.objects.get().amount_minor == 120
    assert Price.objects.get(recording__isnull=False).by_list


def test_another_currency_has_prices_of_its_own(at_bobs: Client, first_light: Release) -> None:
    at_bobs.post(PAGE, cells(first_light))
    at_bobs.post(PAGE, cells(first_light, currency="JPY", **{f"release-{first_light.public_id}": "1200"}))
    assert dict(Price.objects.values_list("currency", "amount_minor")) == {"EUR": 800, "JPY": 1200}


@pytest.mark.parametrize("price", ["0.49", "-1", "NaN", "1E+2", "１２", "1_000", "1.001", "9" * 20])
def test_an_amount_that_is_none_is_said_beside_its_field_and_nothing_is_set(
    at_bobs: Client, first_light: Release, price: str
) -> None:
    page = at_bobs.post(PAGE, cells(first_light, **{"list-TRACK": price}))
    assert page.status_code == 422
    assert page.context["table"].lists["TRACK"].refused
    assert not Price.objects.exists()
    assert f'value="{price}"' in page.content.decode()


def test_an_emptied_price_follows_the_list_again(at_bobs: Client, first_light: Release) -> None:
    at_bobs.post(PAGE, cells(first_light, **{"list-RELEASE": "9"}))
    at_bobs.post(PAGE, cells(first_light, **{"list-RELEASE": "9", f"release-{first_light.public_id}": ""}))
    assert list(Price.objects.values_list("amount_minor", "by_list")) == [(900, True)]


def many(client: Client, **said: str) -> Any:
    return client.post(f"{PAGE}many/", {"currency": "EUR", "what": "BOTH", "act": "RAISE", "value": "10", **said})


def test_many_prices_are_raised_at_once(at_bobs: Client, first_light: Release) -> None:
    at_bobs.post(PAGE, cells(first_light, **{"list-TRACK": "1"}))
    many(at_bobs)
    assert sorted(Price.objects.values_list("amount_minor", flat=True)) == [110, 880]


@pytest.mark.parametrize("said", [{"value": "1E+2"}, {"value": ""}, {"act": "COPY"}, {"act": "LOWER", "value": "100"}])
def test_a_change_that_is_none_is_refused(at_bobs: Client, first_light: Release, said: dict[str, str]) -> None:
    at_bobs.post(PAGE, cells(first_light))
    assert many(at_bobs, **said).status_code == 422
    assert Price.objects.get().amount_minor == 800


def test_a_table_comes_down_and_goes_up(at_bobs: Client, first_light: Release) -> None:
    at_bobs.post(PAGE, cells(first_light))
    table = at_bobs.get(f"{PAGE}prices.csv?currency=EUR").content.replace(b"8.00", b"7.50")
    sent = {"currency": "EUR", "table": SimpleUploadedFile("prices.csv", table)}
    assert at_bobs.post(f"{PAGE}table/", sent).status_code == 302
    assert Price.objects.get().amount_minor == 750


def test_a_table_that_cannot_be_taken_names_its_lines(at_bobs: Client, first_light: Release) -> None:
    table = f"kind,id,price\nrelease,{first_light.public_id},NaN\n".encode()
    page = at_bobs.post(f"{PAGE}table/", {"currency": "EUR", "table": SimpleUploadedFile("p.csv", table)})
    assert page.status_code == 422
    assert "Line 2:" in page.content.decode()


def test_a_foreign_label_does_not_exist(at_charlies: Client, first_light: Release) -> None:
    for path in (PAGE, f"{PAGE}prices.csv"):
        assert at_charlies.get(path).status_code == 404
    assert at_charlies.post(PAGE, cells(first_light)).status_code == 404
    assert many(at_charlies).status_code == 404


def test_a_label_cannot_price_what_is_not_its_own(at_bobs: Client) -> None:
    other = catalog.make_release("Harbour", label=catalog.make_label("Other"))
    at_bobs.post(PAGE, cells(other))
    assert not Price.objects.exists()


def test_more_releases_cost_no_more_queries(
    at_bobs: Client,
    label: Party,
    first_light: Release,
    django_assert_max_num_queries: Callable[..., Any],
    django_assert_num_queries: Callable[..., Any],
) -> None:
    at_bobs.get(PAGE)
    with django_assert_max_num_queries(30) as few:
        at_bobs.get(PAGE)
    for number in range(5):
        release = catalog.make_release(f"More {number}", label=label)
        catalog.make_track(release, catalog.make_recording(f"Piece {number}", label=label), number=1)
    with django_assert_num_queries(len(few)):
        at_bobs.get(PAGE)


@pytest.mark.parametrize(("price", "status"), [("0.10", 422), ("1E+2", 422), ("0", 302), ("1,50", 302)])
def test_a_price_set_on_a_releases_own_page_is_held_to_the_same(
    at_bobs: Client, first_light: Release, price: str, status: int
) -> None:
    answer = at_bobs.post(f"/studio/bobs/releases/{first_light.public_id}/price/", {"amount": price})
    assert answer.status_code == status
