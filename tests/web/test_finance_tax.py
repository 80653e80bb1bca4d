"""The finance desk's page on tax."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from store import invoices
from store.models import Order
from tests.factories.invoices import settle
from tests.factories.store import make_order, make_user, sign_in

pytestmark = pytest.mark.django_db
OCTOBER = datetime(2026, 10, 5, tzinfo=UTC)


@pytest.fixture
def at_fays() -> Client:
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def sold(settings: Any) -> Order:
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"
    return settle(make_order(), at=OCTOBER)


def test_the_quarter_is_shown_and_downloaded(at_fays: Client, sold: Order) -> None:
    invoices.write(at=OCTOBER)
    words = at_fays.get("/finance/tax/?quarter=2026Q4").content.decode()
    for said in ("€0.84", "€0.16", "Same as the ledger", "oss-2026Q4.csv"):
        assert said in words
    answer = at_fays.get("/finance/tax/oss-2026Q4.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="oss-2026Q4.csv"'
    assert "SALE,DE,19,,0.84,0.16" in answer.content.decode()


def test_while_a_paper_waits_there_is_no_return(at_fays: Client, sold: Order) -> None:
    words = at_fays.get("/finance/tax/?quarter=2026Q4").content.decode()
    assert "still to be written" in words
    assert "oss-2026Q4.csv" not in words
    assert at_fays.get("/finance/tax/oss-2026Q4.csv").status_code == 409


def test_orders_whose_proofs_contradict_are_listed(at_fays: Client, sold: Order) -> None:
    Order.objects.filter(pk=sold.pk).update(location="CONTRADICTED", card_country="FR")
    words = at_fays.get("/finance/tax/").content.decode()
    assert sold.number in words
    assert "France" in words


def test_rates_that_hold_sales_back_are_named(at_fays: Client) -> None:
    assert "manage.py tax confirm IM" in at_fays.get("/finance/tax/").content.decode()


def test_a_quarter_that_is_none_is_not_found(at_fays: Client) -> None:
    assert at_fays.get("/finance/tax/oss-2026Q9.csv").status_code == 404
    assert at_fays.get("/finance/tax/?quarter=nonsense").status_code == 200


@pytest.mark.parametrize("address", ["/finance/tax/", "/finance/tax/oss-2026Q4.csv"])
def test_for_anybody_else_there_is_no_such_page(at_charlies: Client, address: str) -> None:
    assert at_charlies.get(address).status_code == 404
    assert sign_in(make_user("Fay", is_finance=True), second_factor=False).get(address).status_code == 302
