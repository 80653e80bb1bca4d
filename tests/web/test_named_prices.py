"""Naming one's price, and getting what is free, as a shopper does it."""

from typing import Any

import pytest
from django.test import Client

from catalog.models import Release
from store import offers
from store.models import Offer, Order, User
from tests.factories import onsale, shelf

pytestmark = pytest.mark.django_db


def on_sale(minor: int, *, or_more: bool = True, **terms: Any) -> Release:
    release = onsale.put_on_sale(**terms)
    offers.set_price(release, currency="EUR", amount_minor=minor, or_more=or_more, actor="user:bob")
    onsale.review()
    return release


@pytest.fixture
def free() -> Release:
    return on_sale(0, or_more=False, uses=["PERMANENT_DOWNLOAD", "FREE_DOWNLOAD", "PREVIEW"])


def text(page: Any) -> str:
    return str(page.content.decode())


def test_the_page_says_the_least_and_lets_one_name_a_price(visitor: Client) -> None:
    page = text(visitor.get(f"/release/{on_sale(300).slug}"))
    assert "Name your price" in page
    assert "€3.00 or more" in page


def test_who_gets_what_is_drawn_for_the_price_one_names(visitor: Client) -> None:
    page = visitor.get(f"/release/{on_sale(300).slug}", {"named": "5,50"})
    assert (page.context["split_total"], page.context["split_given"]) == (5_500_000, 250)
    assert "€2.50 of it are freely given" in text(page)


@pytest.mark.parametrize("named", ["2.99", "1E+2", "５", "1_000", "NaN", "-4", "Infinity", "0x10", "4.001", "9" * 13])
def test_a_price_that_cannot_be_is_refused_in_words_and_nothing_is_put_in(visitor: Client, named: str) -> None:
    release = on_sale(300)
    page = visitor.get(f"/release/{release.slug}", {"named": named})
    assert page.context["named_refused"]
    assert page.context["split_total"] == 3_000_000
    visitor.post("/basket/add", {"offer": shelf.whole(release).public_id, "named": named})
    assert "Nothing in it yet" in text(visitor.get("/basket"))


def test_the_basket_keeps_the_price_and_lets_one_change_it(visitor: Client) -> None:
    offer = shelf.whole(on_sale(300))
    visitor.post("/basket/add", {"offer": offer.public_id, "named": "5"})
    assert visitor.get("/basket").context["total_minor"] == 500
    visitor.post("/basket/add", {"offer": offer.public_id, "named": "4.20"})
    page = visitor.get("/basket")
    assert page.context["total_minor"] == 420
    assert "Of this freely given" in text(page)


def test_what_is_free_is_had_without_a_payment(at_alices: Client, alice: User, free: Release) -> None:
    assert "no payment, no card" in text(at_alices.get(f"/release/{free.slug}"))
    at_alices.post("/basket/add", {"offer": shelf.whole(free).public_id})
    page = at_alices.get("/checkout")
    assert "Get it for nothing" in text(page)
    form = page.context["form"].initial
    answer = at_alices.post("/checkout", {**form, "consent": "on"})
    order = Order.objects.get(buyer=alice)
    assert (answer["Location"], order.state) == (f"/orders/{order.public_id}", "PAID")
    assert "It is yours" in text(at_alices.get(answer["Location"]))
    assert "First Light" in text(at_alices.get("/library/"))
    paper = text(at_alices.get(f"/certificates/{order.lines.get().certificate.public_id}"))
    assert "It was given away" in paper
    assert "does not hold" not in paper


def test_a_price_that_changed_while_one_looked_is_shown_before_anything_is_ordered(at_alices: Client) -> None:
    release = on_sale(300, or_more=False)
    at_alices.post("/basket/add", {"offer": shelf.whole(release).public_id})
    form = at_alices.get("/checkout").context["form"].initial
    answer = at_alices.post("/checkout", {**form, "consent": "on", "seen": "EUR:200:32"})
    assert answer.status_code == 422
    assert "nothing was ordered" in text(answer)
    assert "Pay €3.00" in text(answer)
    assert answer.context["seen"] == "EUR:300:48"
    assert not Order.objects.exists()


def test_nobody_pays_for_what_is_free(visitor: Client, free: Release) -> None:
    page = text(visitor.get(f"/release/{free.slug}"))
    assert "Nothing is paid for the whole release, so nobody is paid" in page
    assert Offer.objects.get(release=free, closed_at=None).amount_minor == 0
