"""Prices in the currency one chose or one's country suggests, where the label asks one; never converted."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import Release
from store.models import Offer, User
from tests.factories import shelf

pytestmark = pytest.mark.django_db


def also_in(release: Release, code: str, minor: int) -> Offer:
    offer = (
        shelf.whole(release) if code == "EUR" else Offer.objects.get(release=release, closed_at=None, currency="EUR")
    )
    return shelf.make_offer(release=release, decision=offer.decision, currency=code, amount_minor=minor)


def in_euros(release: Release) -> Offer:
    return Offer.objects.get(release=release, closed_at=None, currency="EUR")


def text(page: Any) -> str:
    return str(page.content.decode())


def page_of(client: Client, release: Release) -> str:
    return text(client.get(f"/release/{release.slug}"))


def basket(client: Client) -> tuple[str, list[int]]:
    page = client.get("/basket").context
    return page["currency"], [line.amount_minor for line in page["lines"]]


def test_a_country_suggests_its_currency(visitor: Client) -> None:
    release = shelf.shelve()
    also_in(release, "USD", 199)
    assert "€1.60" in page_of(visitor, release)
    visitor.post("/country", {"country": "US"})
    page = page_of(visitor, release)
    assert "$1.99" in page
    assert "asks no price" not in page
    assert "$1.99" in text(visitor.get("/browse"))


def test_without_a_price_in_it_the_shops_currency_is_shown_and_said(visitor: Client) -> None:
    visitor.post("/country", {"country": "CH"})
    page = page_of(visitor, shelf.shelve())
    assert "The label asks no price in Swiss Franc; you pay in Euro." in page
    assert "€1.60" in page


def test_a_chosen_currency_goes_before_the_countrys(visitor: Client) -> None:
    release = shelf.shelve()
    also_in(release, "USD", 199)
    visitor.post("/currency", {"currency": "USD"})
    assert "$1.99" in page_of(visitor, release)


@pytest.mark.parametrize("code", ["XXX", "", "usd ", "../"])
def test_what_is_no_currency_changes_nothing(visitor: Client, code: str) -> None:
    assert visitor.post("/currency", {"currency": code})["Location"] == "/"
    assert "€1.60" in page_of(visitor, shelf.shelve())


def test_a_basket_turns_to_the_currency_that_all_of_it_has_prices_in(visitor: Client) -> None:
    first, second = shelf.shelve("First Light"), shelf.shelve("Harbour")
    dollars = also_in(first, "USD", 199)
    visitor.post("/basket/add", {"offer": dollars.public_id})
    assert basket(visitor) == ("USD", [199])
    visitor.post("/basket/add", {"offer": in_euros(second).public_id})
    assert basket(visitor) == ("EUR", [160, 160])
    also_in(second, "USD", 250)
    visitor.post("/currency", {"currency": "USD"})
    assert basket(visitor) == ("USD", [199, 250])


def test_a_basket_that_cannot_turn_stays_and_says_so(visitor: Client) -> None:
    visitor.post("/basket/add", {"offer": in_euros(shelf.shelve()).public_id})
    visitor.post("/currency", {"currency": "USD"})
    page = visitor.get("/basket")
    assert "it stays in EUR" in text(page)
    assert basket(visitor) == ("EUR", [160])


def test_signing_in_keeps_what_was_gathered_in_another_currency(visitor: Client, alice: User) -> None:
    first, second = shelf.shelve("First Light"), shelf.shelve("Harbour")
    owned = Client(HTTP_ACCEPT_LANGUAGE="de-DE")
    owned.force_login(alice)
    owned.post("/basket/add", {"offer": in_euros(second).public_id})
    visitor.post("/basket/add", {"offer": also_in(first, "USD", 199).public_id})
    visitor.post("/account/login/", {"login": alice.email, "password": "correct horse battery"})
    assert basket(visitor) == ("EUR", [160, 160])


def test_a_price_that_changed_while_it_lay_in_the_basket_is_offered_anew(visitor: Client) -> None:

    release = shelf.shelve()
    old = in_euros(release)
    visitor.post("/basket/add", {"offer": old.public_id})
    Offer.objects.filter(pk=old.pk).update(closed_at=timezone.now(), closed_reason="PRICE_CHANGED")
    new = shelf.make_offer(release=release, decision=old.decision, amount_minor=200)
    assert "Its price has changed" in text(visitor.get("/basket"))
    visitor.post("/basket/add", {"offer": new.public_id, "replaces": "yes"})
    assert basket(visitor) == ("EUR", [200])
    assert not visitor.get("/basket").context["gone"]
