"""Money is believed only where it fits the order, and an order is settled once, however many try at once."""

import threading

import pytest
from django.db import connection

from payments.models import Alert, Charge, Entry, Transfer
from store import settlement
from store.errors import ChargeMismatch
from store.models import Certificate, Order
from tests.factories import shelf


def paid_order(shop):
    order = shop.order(shelf.shelve())
    shop.pay(order)
    return order


@pytest.mark.parametrize("change", [{"amount_minor": 159}, {"currency": "USD"}])
def test_another_amount_or_currency_delivers_nothing_and_leaves_an_alert(shop, change):
    order = paid_order(shop)
    Charge.objects.update(**change)
    with pytest.raises(ChargeMismatch):
        settlement.settle_order(order, at=order.placed_at)

    order.refresh_from_db()
    assert order.state == Order.State.PLACED
    assert order.alert
    assert Alert.objects.get().subject == order.number
    assert not Entry.objects.exists()
    assert not Certificate.objects.exists()


def test_the_webhook_of_a_misfit_is_kept_for_another_try(shop):
    order = paid_order(shop)
    Charge.objects.update(amount_minor=159)
    shop.deliver_webhooks()
    assert Order.objects.get(pk=order.pk).alert


def test_settling_a_settled_order_asks_stripe_nothing(shop, monkeypatch):
    order = shop.bought(shelf.shelve())
    monkeypatch.setattr("payments.charges.read_charge", lambda _: pytest.fail("asked Stripe"))
    assert settlement.settle_order(order, at=order.placed_at).state == Order.State.PAID


def test_a_cancelled_order_that_is_paid_all_the_same_is_settled(shop):
    order = paid_order(shop)
    Order.objects.update(state=Order.State.CANCELLED)
    order.refresh_from_db()
    assert settlement.settle_order(order, at=order.placed_at).state == Order.State.PAID


@pytest.mark.django_db(transaction=True)
def test_six_workers_at_once_settle_once(stripe_sandbox):
    from tests.journeys.conftest import Shop

    shop = Shop(stripe_sandbox)
    order = paid_order(shop)
    gate, states = threading.Barrier(6), []

    def work():
        gate.wait()
        try:
            states.append(settlement.settle_order(order, at=order.placed_at).state)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["PAID"] * 6
    assert Transfer.objects.filter(kind="SALE").count() == Certificate.objects.count() == 1


def test_settling_costs_the_same_for_many_tracks(shop, django_assert_max_num_queries):
    order = shop.order(shelf.shelve(tracks=12))
    shop.pay(order)
    with django_assert_max_num_queries(45):
        settlement.settle_order(order, at=order.placed_at)
