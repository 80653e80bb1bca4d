"""Paid by a way that takes days: the order says so, nothing is delivered before the money is there, a no is a no."""

import itertools

import pytest
from django.core import mail
from django.utils import timezone

from payments.models import Charge, Entry, StripeEvent, Transfer
from store import checkout, library, settlement, tasks
from store.errors import OrderStateError
from store.models import Letter, Order
from tests.factories import shelf
from tests.factories.store import sign_in
from tests.journeys.conftest import later


def state(order):
    return Order.objects.get(pk=order.pk).state


@pytest.fixture
def pending(shop):
    """An order whose buyer told her bank to pay, and the page on which the bank answers."""
    order = shop.order(shelf.shelve())
    page = shop.pay_later(order)
    shop.deliver_webhooks()
    return order, page


def test_money_on_its_way_delivers_nothing_and_the_order_says_so(shop, pending):
    order, _ = pending
    assert state(order) == Order.State.PENDING
    assert library.owned(shop.alice) == []
    assert not Entry.objects.exists()
    assert not shop.alice.basket.lines.exists()
    page = sign_in(shop.alice).get(f"/orders/{order.public_id}").text
    assert "Your bank is paying" in page
    assert "up to two weeks" in page


def test_when_the_bank_has_paid_the_order_is_settled(shop, pending):
    order, page = pending
    shop.stripe.arrive(page)
    shop.deliver_webhooks()
    assert state(order) == Order.State.PAID
    assert len(library.owned(shop.alice)) == 1
    assert Transfer.objects.filter(kind="SALE").count() == 1


def test_when_the_bank_refuses_the_buyer_is_told_and_may_pay_in_another_way(shop, pending):
    order, page = pending
    shop.stripe.bounce(page)
    shop.deliver_webhooks()
    assert state(order) == Order.State.FAILED
    assert not Entry.objects.exists()
    tasks.send_letter(Letter.objects.get(kind="payment failed").pk)
    assert "nothing was taken from you" in mail.outbox[0].body
    assert "Pay in another way" in sign_in(shop.alice).get(f"/orders/{order.public_id}").text

    order.refresh_from_db()
    shop.pay(order)
    shop.deliver_webhooks()
    assert state(order) == Order.State.PAID


def test_a_second_bank_that_refuses_is_told_of_too(shop, pending):
    order, page = pending
    for _ in range(2):
        shop.stripe.bounce(page)
        shop.deliver_webhooks()
        order.refresh_from_db()
        page = shop.pay_later(order)
        shop.deliver_webhooks()
    assert state(order) == Order.State.PENDING
    assert Letter.objects.filter(kind="payment failed").count() == 2


def test_an_order_on_its_way_is_not_paid_a_second_time(shop, pending):
    order, _ = pending
    order.refresh_from_db()
    with pytest.raises(OrderStateError):
        checkout.start_payment(order, at=timezone.now())
    assert len(shop.stripe.objects("checkout.session")) == 1


def test_an_order_on_its_way_is_never_given_up(shop, pending):
    order, page = pending
    order.refresh_from_db()
    settlement.check_order(order, at=later(days=12))
    assert state(order) == Order.State.PENDING
    shop.stripe.arrive(page)
    settlement.check_order(order, at=later(days=13))
    assert state(order) == Order.State.PAID


def test_a_refused_order_is_given_up_after_some_days(shop, pending):
    order, page = pending
    shop.stripe.bounce(page)
    shop.deliver_webhooks()
    settlement.check_order(order, at=later(days=4))
    assert state(order) == Order.State.CANCELLED


@pytest.mark.parametrize("answer", ["arrive", "bounce"])
def test_the_events_of_both_days_come_to_one_end_in_any_order(shop, pending, answer):
    order, page = pending
    StripeEvent.objects.update(state=StripeEvent.State.RECEIVED)
    getattr(shop.stripe, answer)(page)
    for one in shop.stripe.webhooks():
        shop.post(one.body, one.signature)
    keys = list(StripeEvent.objects.order_by("-pk").values_list("pk", flat=True))
    for key in itertools.chain(keys, reversed(keys)):
        StripeEvent.objects.filter(pk=key).update(state=StripeEvent.State.RECEIVED, claimed_until=None)
        tasks.handle_stripe_event(key)
    assert state(order) == (Order.State.PAID if answer == "arrive" else Order.State.FAILED)
    assert Transfer.objects.filter(kind="SALE").count() == (answer == "arrive")
    assert not StripeEvent.objects.exclude(state=StripeEvent.State.HANDLED).exists()


def test_the_page_the_buyer_lands_on_settles_as_the_webhook_does(shop):
    order = shop.order(shelf.shelve())
    shop.pay(order)
    answer = sign_in(shop.alice).get(f"/checkout/{order.public_id}/return")
    assert answer["Location"].endswith(f"/orders/{order.public_id}")
    assert state(order) == Order.State.PAID
    shop.deliver_webhooks()
    assert Transfer.objects.filter(kind="SALE").count() == 1


def test_a_webhook_that_never_came_is_found_within_five_minutes(shop):
    """Both ways, each by itself: the sweep looks at the order, and asks Stripe for events that it lacks."""
    by_looking, by_asking = shop.order(shelf.shelve(), key="a"), shop.order(shelf.shelve("Second Sight"), key="b")
    for order in (by_looking, by_asking):
        shop.pay(order)
    by_looking.refresh_from_db()
    assert by_looking.next_check_at <= later(minutes=5)
    tasks.check_order(by_looking.pk)
    assert state(by_looking) == Order.State.PAID

    assert tasks.FETCH_EVERY <= 300
    Order.objects.filter(pk=by_asking.pk).update(next_check_at=None)
    tasks.fetch_missed_events()
    shop.work()
    assert state(by_asking) == Order.State.PAID


def test_with_no_sweep_a_missed_webhook_would_leave_the_order_unpaid(shop):
    """The control."""
    order = shop.order(shelf.shelve())
    shop.pay(order)
    shop.work()
    assert state(order) == Order.State.PLACED
    assert Charge.objects.get().state == Charge.State.PENDING
