"""How often a settlement asks the database: the same for every line, and once more for each line's posting."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import Charge
from store import baskets, checkout, settlement
from store.models import Order
from tests.factories import shelf
from tests.factories.store import make_user


def statements(order: Order) -> int:
    Charge.objects.create(
        reference=order.number, request_sha256="0" * 64, amount_minor=order.total_minor, currency="EUR",
        state=Charge.State.PAID, transfer_group=order.number, paid_at=shelf.NOW,
    )  # fmt: skip
    with CaptureQueriesContext(connection) as asked:
        settled = settlement.settle_order(order, at=shelf.NOW)
    assert settled.state == Order.State.PAID
    return len(asked)


def placed(*offers, key: str) -> Order:
    alice = make_user(f"Alice {key}")
    basket = baskets.open_basket(user=alice, session_key=None, currency="EUR")
    for offer in offers:
        baskets.add(basket, offer)
    return checkout.place_order(
        basket, buyer=alice, country="DE", evidence={"stated": "DE"}, consent=True, request_key=key, at=shelf.NOW
    )


def test_each_further_line_costs_one_statement(db):
    releases = [shelf.shelve(f"Light {number}") for number in range(3)]
    for release in releases:
        shelf.make_letter(shelf.make_holder(release.label))
    offers = [shelf.single(release) for release in releases]
    statements(placed(*offers, key="accounts are made"))
    one, three = statements(placed(offers[0], key="one")), statements(placed(*offers, key="three"))
    assert three == one + 2
    assert one <= 9
