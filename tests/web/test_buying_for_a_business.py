"""The checkout's country: confirmed where the connection speaks against it, and without tax for a business abroad."""

from typing import Any

import pytest
from django.test import Client

from store.models import Order, User
from store.views import checkout as views
from tests.factories import shelf
from tests.fakes import ViesFake, vies_fake  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)
BUSINESS = {"vat_id": "DE136695976", "company": "Plattenladen", "address": "Weg 1\nBerlin"}


@pytest.fixture(autouse=True)
def _payment_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's side has journeys of its own; here only the way there."""
    monkeypatch.setattr(views, "start_payment", lambda _order, **_said: "https://checkout.stripe.com/c/pay/1")


@pytest.fixture
def filled(at_alices: Client) -> Client:
    at_alices.post("/basket/add", {"offer": shelf.whole(shelf.shelve("First Light")).public_id})
    return at_alices


def fields(page: Any, **over: str) -> dict[str, str]:
    form = page.context["form"]
    return {"country": form["country"].value(), "request_key": form["request_key"].value(), "consent": "on", **over}


def test_a_business_abroad_sees_and_pays_the_price_without_tax(
    filled: Client,
    alice: User,
    vies_fake: ViesFake,  # noqa: F811
) -> None:
    assert filled.post("/checkout/business", BUSINESS)["Location"] == "/checkout"
    page = filled.get("/checkout")
    words = page.content.decode()
    assert "Plattenladen, DE136695976: the price is without VAT" in words
    assert "Pay €1.34" in words
    filled.post("/checkout", fields(page))
    order = Order.objects.get()
    assert (order.total_minor, order.tax_minor, order.reverse_charge) == (134, 0, True)
    assert order.vat_check is not None
    assert (order.vat_check.buyer, order.vat_check.consultation) == (alice, "WAPIAAAA1")
    line = order.lines.get()
    assert (line.tax_rate, sum(leg["micros"] for leg in line.split)) == (0, 1_340_000)
    assert not [leg for leg in line.split if leg["kind"] == "TAX"]


def test_she_may_buy_for_herself_again(filled: Client, vies_fake: ViesFake) -> None:  # noqa: F811
    filled.post("/checkout/business", BUSINESS)
    filled.post("/checkout/business", {"forget": "yes"})
    assert "Pay €1.60" in filled.get("/checkout").content.decode()


def test_another_country_ends_it(filled: Client, vies_fake: ViesFake) -> None:  # noqa: F811
    filled.post("/checkout/business", BUSINESS)
    filled.post("/country", {"country": "FR"})
    page = filled.get("/checkout")
    assert "20% VAT is inside the price" in page.content.decode()
    filled.post("/checkout", fields(page))
    assert not Order.objects.get().reverse_charge


def test_a_number_that_is_refused_says_why_and_keeps_what_was_typed(
    filled: Client,
    vies_fake: ViesFake,  # noqa: F811
) -> None:
    answer = filled.post("/checkout/business", BUSINESS | {"vat_id": "DE136695977"})
    assert answer.status_code == 422
    assert "This is no VAT number" in answer.content.decode()
    assert "Plattenladen" in answer.content.decode()
    assert "Pay €1.60" in filled.get("/checkout").content.decode()


def test_while_vies_is_silent_the_tax_stays_in_the_price(filled: Client, vies_fake: ViesFake) -> None:  # noqa: F811
    vies_fake.down = "MS_UNAVAILABLE"
    page = filled.post("/checkout/business", BUSINESS, follow=True)
    assert "VAT stays in the price" in page.content.decode()
    filled.post("/checkout", fields(page))
    order = Order.objects.get()
    assert (order.total_minor, order.tax_minor, order.reverse_charge) == (160, 26, False)
    assert order.vat_check is not None


def test_a_number_is_asked_for_only_where_it_can_count(filled: Client, vies_fake: ViesFake, settings: Any) -> None:  # noqa: F811
    words = "Buying for a business"
    assert words in filled.get("/checkout").content.decode()
    filled.post("/country", {"country": "US"})
    assert words not in filled.get("/checkout").content.decode()
    filled.post("/country", {"country": "DE"})
    settings.SELLER_VAT_ID = ""
    assert words not in filled.get("/checkout").content.decode()
    assert filled.post("/checkout/business", BUSINESS).status_code == 422


def test_a_connection_from_elsewhere_is_asked_about_before_paying(filled: Client, settings: Any) -> None:
    settings.COUNTRY_HEADER = "CF-IPCountry"
    from_france = {"CF-IPCountry": "FR"}
    page = filled.get("/checkout", headers=from_france)
    assert "Your connection comes from France" in page.content.decode()
    refused = filled.post("/checkout", fields(page), headers=from_france)
    assert (refused.status_code, Order.objects.count()) == (422, 0)
    assert "confirm where you live" in refused.content.decode()
    filled.post("/checkout", fields(page, resides="on"), headers=from_france)
    evidence = Order.objects.get().country_evidence
    assert (evidence["stated"], evidence["network"], evidence["confirmed"]) == ("DE", "FR", "yes")


def test_a_header_that_the_operator_did_not_name_is_not_believed(filled: Client) -> None:
    page = filled.get("/checkout", headers={"CF-IPCountry": "FR"})
    assert "Your connection comes from" not in page.content.decode()
    filled.post("/checkout", fields(page), headers={"CF-IPCountry": "FR"})
    assert Order.objects.get().country_evidence["network"] == ""


def test_a_country_whose_rate_nobody_verified_is_not_sold_to(filled: Client) -> None:
    filled.post("/country", {"country": "IM"})
    page = filled.get("/checkout")
    assert (page.status_code, page.context["lines"]) == (200, [])
    assert "Not sold in Isle of Man" in page.content.decode()
    assert filled.get("/basket").status_code == 200
    assert "has still to be confirmed" in filled.get(page.context["gone"][0].url).content.decode()
