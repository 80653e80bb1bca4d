"""Credit pays what it can of an order, once; the card pays the rest; what goes back goes where it came from."""

import pytest
from django.db import IntegrityError
from django.utils import timezone

from payments import accounts, ledger
from payments.models import Account, Charge, Transfer
from store import checkout, credit, library, refunds, settlement
from store.models import LineRefund, Order, OrderLine
from tests.factories import shelf
from tests.factories.credit import make_credit
from tests.factories.store import make_user
from tests.journeys.conftest import Shop


def held(shop: Shop) -> int:
    return credit.balance(shop.alice).minor


def with_credit(shop: Shop, minor: int, title: str = "First Light") -> Order:
    """An order of 1.60 euros whose buyer has `minor` cents of credit and uses them."""
    make_credit(shop.alice, minor)
    return credit.use(shop.order(shelf.shelve(title), key=title), at=timezone.now())


def paid(shop: Shop, order: Order) -> Order:
    if order.due_minor:
        shop.pay(order)
        shop.deliver_webhooks()
    else:
        settlement.settle_order(order, at=timezone.now())
    return Order.objects.get(pk=order.pk)


def test_credit_that_pays_all_needs_no_stripe(shop: Shop) -> None:
    order = paid(shop, with_credit(shop, 2000))
    assert order.state == Order.State.PAID
    assert held(shop) == 2000 - 160
    assert not Charge.objects.exists()
    assert len(library.owned(shop.alice)) == 1


def test_the_card_pays_what_credit_does_not(shop: Shop) -> None:
    order = with_credit(shop, 100)
    assert (order.credit_minor, order.due_minor) == (100, 60)
    order = paid(shop, order)
    assert order.state == Order.State.PAID
    assert Charge.objects.get().amount_minor == 60
    assert held(shop) == 0


def test_enough_is_left_for_stripe_to_charge(shop: Shop) -> None:
    order = with_credit(shop, 130)
    assert (order.credit_minor, order.due_minor) == (110, 50)
    assert held(shop) == 20


def test_one_credit_pays_one_of_two_orders(shop: Shop) -> None:
    make_credit(shop.alice, 160)
    first, second = (shop.order(shelf.shelve(title), key=title) for title in ("First Light", "Second Sight"))
    assert credit.use(first, at=timezone.now()).credit_minor == 160
    assert credit.use(second, at=timezone.now()).credit_minor == 0


def test_using_it_again_takes_no_more(shop: Shop) -> None:
    order = with_credit(shop, 2000)
    credit.use(order, at=timezone.now())
    assert held(shop) == 2000 - 160


def test_once_the_card_was_asked_credit_comes_too_late(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    checkout.start_payment(order, at=timezone.now())
    make_credit(shop.alice)
    assert credit.use(order, at=timezone.now()).credit_minor == 0


@pytest.mark.parametrize("minor", [100, 2000], ids=["in part", "whole"])
def test_the_books_hold_what_came_in_once(shop: Shop, minor: int) -> None:
    order = paid(shop, with_credit(shop, minor))
    assert ledger.balance(credit.held_account(order)) == 0
    fees = Account.objects.filter(kind="FEES")
    spent = ledger.balance(accounts.stripe_balance("EUR")) + sum(ledger.balances(fees).values())
    assert spent == (minor + order.due_minor) * 10_000
    assert ledger.balance(accounts.tax("DE", "EUR")) == order.tax_minor * 10_000


@pytest.mark.parametrize("minor", [100, 2000], ids=["in part", "whole"])
def test_a_refund_goes_back_to_card_and_credit_alike(shop: Shop, minor: int) -> None:
    order = paid(shop, with_credit(shop, minor))
    before = held(shop)
    line = refunds.refund_line(order.lines.get(), reason="asked for", at=timezone.now())
    shop.deliver_webhooks()
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUNDED
    assert held(shop) - before == order.credit_minor
    assert sum(one["amount"] for one in shop.stripe.objects("refund")) == order.due_minor
    assert ledger.balance(accounts.tax("DE", "EUR")) == 0


def test_of_a_part_the_card_gets_its_money_first(shop: Shop) -> None:
    order = paid(shop, with_credit(shop, 100))
    line = order.lines.get()
    for minor in (40, 40, 80):
        refunds.refund_line(line, reason="asked for", at=timezone.now(), amount_minor=minor)
        shop.deliver_webhooks()
    parts = LineRefund.objects.order_by("pk").values_list("amount_minor", "credit_minor", "state")
    assert list(parts) == [(40, 0, "DONE"), (40, 20, "DONE"), (80, 80, "DONE")]
    assert held(shop) == 100


def test_an_order_that_is_given_up_gives_the_credit_back(shop: Shop) -> None:
    order = with_credit(shop, 100)
    checkout.start_payment(order, at=timezone.now())
    assert checkout.cancel(order, at=timezone.now()).state == Order.State.CANCELLED
    assert held(shop) == 100
    assert checkout.cancel(order, at=timezone.now()).state == Order.State.CANCELLED
    assert held(shop) == 100


def test_an_order_that_was_paid_meanwhile_is_not_given_up(shop: Shop) -> None:
    order = with_credit(shop, 100)
    shop.pay(order)
    checkout.cancel(order, at=timezone.now())
    shop.deliver_webhooks()
    assert Order.objects.get(pk=order.pk).state == Order.State.PAID
    assert held(shop) == 0


def test_after_days_without_a_payment_the_credit_is_free_again(shop: Shop) -> None:
    order = with_credit(shop, 100)
    settlement.check_order(order, at=order.placed_at + settlement.GIVE_UP * 2)
    assert Order.objects.get(pk=order.pk).state == Order.State.CANCELLED
    assert held(shop) == 100


def test_what_credit_paid_of_a_paid_order_never_changes(shop: Shop) -> None:
    order = paid(shop, with_credit(shop, 2000))
    with pytest.raises(IntegrityError, match="chosen before it is paid"):
        Order.objects.filter(pk=order.pk).update(credit_minor=0)


def test_a_worker_settles_what_the_page_could_not(shop: Shop) -> None:
    """The buyer's page broke after the credit had been taken: the sweep finds the order."""
    order = with_credit(shop, 2000)
    assert Order.objects.filter(next_check_at__lte=timezone.now(), pk=order.pk).exists()
    settlement.check_order(order, at=timezone.now())
    assert Order.objects.get(pk=order.pk).state == Order.State.PAID
    assert Transfer.objects.filter(kind="CREDIT_APPLIED").count() == 1


def test_a_buyer_gives_up_an_order_that_waits_at_a_press(shop: Shop) -> None:
    order = with_credit(shop, 100)
    checkout.start_payment(order, at=timezone.now())
    shop.client.force_login(shop.alice)
    page = shop.client.get(f"/orders/{order.public_id}").content.decode()
    assert "Cancel this order and have your credit back" in page
    page = shop.client.post(f"/checkout/{order.public_id}/cancel", follow=True).content.decode()
    assert "The order is cancelled. Nothing was charged." in page
    assert held(shop) == 100


def test_a_strangers_order_cannot_be_given_up(shop: Shop) -> None:
    order = with_credit(shop, 100)
    shop.client.force_login(make_user("Charlie"))
    assert shop.client.post(f"/checkout/{order.public_id}/cancel").status_code == 404
    assert Order.objects.get(pk=order.pk).state == Order.State.PLACED
