"""What is owed is rung for; what is done, or was rung for just now, is not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from store import settlement, tasks
from store.models import Order, OrderLine, ReviewDue
from tests.factories.store import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch):
    found = []
    for name in (
        "handle_stripe_event",
        "check_order",
        "push_refund",
        "send_receipt",
        "review_offers",
        "fetch_missed_events",
    ):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda *key, name=name: found.append((name, *key)))
    return found


def names(rung):
    return {each[0] for each in rung} - {"fetch_missed_events"}


def test_a_quiet_shop_rings_nothing(rung):
    tasks.sweep()
    assert names(rung) == set()


def test_an_unpaid_order_is_looked_at_when_its_time_comes(rung):
    order = make_order()
    ReviewDue.objects.all().delete()
    Order.objects.update(next_check_at=timezone.now() + timedelta(seconds=5))
    tasks.sweep()
    assert names(rung) == set()
    Order.objects.update(next_check_at=timezone.now())
    tasks.sweep()
    assert ("check_order", order.pk) in rung


def test_nothing_is_rung_for_twice_at_once(rung):
    make_order()
    Order.objects.update(next_check_at=timezone.now())
    tasks.sweep()
    tasks.sweep()
    assert [each[0] for each in rung].count("check_order") == 1


def test_a_refund_that_is_due_is_pushed(rung):
    line = make_order().lines.get()
    OrderLine.objects.update(state="REFUND_DUE")
    tasks.sweep()
    assert ("push_refund", line.pk) in rung


def test_marks_call_for_a_review(rung):
    make_order()
    assert ReviewDue.objects.exists()
    tasks.sweep()
    assert ("review_offers",) in rung


def test_an_order_nobody_paid_for_days_is_cancelled(rung):
    order = make_order()
    order = settlement.check_order(order, at=order.placed_at + settlement.GIVE_UP + timedelta(seconds=1))
    assert (order.state, order.next_check_at) == (Order.State.CANCELLED, None)


def test_looks_grow_apart_but_never_stop_before(rung):
    order = make_order()
    for age, wait in [(0, 60), (1200, 300), (86_400, 3600)]:
        at = order.placed_at + timedelta(seconds=age)
        assert settlement.check_order(order, at=at).next_check_at == at + timedelta(seconds=wait)
