"""The checkout: the country's consequence, the consent, and one order however often the button is pressed."""

from typing import Any

import pytest
from django.test import Client

from payments.errors import StripeFailed
from store.models import Order, User
from store.views import checkout as views
from tests.factories import shelf
from tests.factories.credit import make_credit

pytestmark = pytest.mark.django_db
PAYMENT_PAGE = "https://checkout.stripe.com/c/pay/1"


@pytest.fixture(autouse=True)
def _payment_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's side has journeys of its own; here only the way there."""
    monkeypatch.setattr(views, "start_payment", lambda _order, **_said: PAYMENT_PAGE)


@pytest.fixture
def filled(at_alices: Client) -> Client:
    at_alices.post("/basket/add", {"offer": shelf.whole(shelf.shelve("First Light")).public_id})
    return at_alices


def fields(page: Any, **over: str) -> dict[str, str]:
    form = page.context["form"]
    return {"country": form["country"].value(), "request_key": form["request_key"].value(), "consent": "on", **over}


def test_the_button_carries_the_amount(filled: Client) -> None:
    assert "Pay €1.60" in filled.get("/checkout").content.decode()


def test_the_country_and_its_tax_are_said_in_plain_words(filled: Client) -> None:
    assert "You are buying from Germany: 19% VAT is inside the price." in filled.get("/checkout").content.decode()
    filled.post("/country", {"country": "US"})
    assert "we collect no tax there" in filled.get("/checkout").content.decode()


def test_pressing_the_button_places_an_order_and_leads_to_the_payment_page(filled: Client, alice: User) -> None:
    answer = filled.post("/checkout", fields(filled.get("/checkout")))
    assert answer["Location"] == PAYMENT_PAGE
    order = Order.objects.get()
    assert (order.buyer, order.country, order.total_minor, order.tax_minor) == (alice, "DE", 160, 26)
    assert order.country_evidence["stated"] == "DE"


def test_pressing_twice_places_one_order(filled: Client) -> None:
    sent = fields(filled.get("/checkout"))
    assert [filled.post("/checkout", sent).status_code for _ in range(2)] == [302, 302]
    assert Order.objects.count() == 1


def test_without_consent_nothing_is_ordered(filled: Client) -> None:
    answer = filled.post("/checkout", fields(filled.get("/checkout"), consent=""))
    assert answer.status_code == 422
    assert "Tick this" in answer.content.decode()
    assert not Order.objects.exists()


def test_one_signs_in_before_ordering(visitor: Client) -> None:
    visitor.post("/basket/add", {"offer": shelf.whole(shelf.shelve()).public_id})
    assert visitor.get("/checkout")["Location"] == "/account/login/?next=/checkout"


def test_an_empty_basket_leads_back(at_alices: Client) -> None:
    assert at_alices.get("/checkout")["Location"] == "/basket"


def test_a_payment_page_that_does_not_answer_is_said_and_charges_nothing(
    filled: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(order: Order, *, at: Any) -> str:
        raise StripeFailed("no answer", retriable=True)

    monkeypatch.setattr(views, "start_payment", silent)
    answer = filled.post("/checkout", fields(filled.get("/checkout")))
    assert answer.status_code == 422
    assert "Nothing was charged" in answer.content.decode()


def test_an_order_goes_without_what_is_not_sold_there(filled: Client) -> None:
    filled.post("/basket/add", {"offer": shelf.whole(shelf.shelve("Élan", countries=["FR"])).public_id})
    page = filled.get("/checkout")
    assert "Not sold in Germany:" in page.content.decode()
    filled.post("/checkout", fields(page))
    assert [line.title for line in Order.objects.get().lines.all()] == ["First Light"]


def test_a_strangers_order_does_not_exist(at_charlies: Client, alice: User) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    for path in (f"/orders/{order.public_id}", f"/checkout/{order.public_id}/return"):
        assert at_charlies.get(path).status_code == 404
    assert at_charlies.post(f"/checkout/{order.public_id}/pay").status_code == 404


def test_credit_is_offered_where_there_is_some(filled: Client, alice: User) -> None:
    assert "Pay with my credit" not in filled.get("/checkout").content.decode()
    make_credit(alice, 100)
    assert "It pays €1.00, and €0.60 are left to pay by card." in filled.get("/checkout").content.decode()


def test_credit_that_pays_all_leads_straight_to_the_files(filled: Client, alice: User) -> None:
    make_credit(alice, 2000)
    page = filled.get("/checkout")
    assert "It pays all of it; you have €20.00." in page.content.decode()
    assert "What your credit does not pay, you pay on our payment provider" in page.content.decode()
    answer = filled.post("/checkout", fields(page, use_credit="on"))
    order = Order.objects.get()
    assert answer["Location"] == f"/orders/{order.public_id}"
    assert order.state == Order.State.PAID
    assert "Paid with your credit" in filled.get(answer["Location"]).content.decode()


def test_credit_that_is_not_ticked_is_not_used(filled: Client, alice: User) -> None:
    make_credit(alice, 2000)
    assert filled.post("/checkout", fields(filled.get("/checkout")))["Location"] == PAYMENT_PAGE
    assert Order.objects.get().credit_minor == 0
