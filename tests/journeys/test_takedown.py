"""What happens to what was ordered, paid or bought when its rights end (docs/orders.md)."""

import pytest

from licensing.records import Question
from licensing.terms import Use
from licensing.territories import ALL
from licensing.verdicts import Obligations, Reason, RefusedGroup, Verdict
from payments import accounts, ledger
from payments.models import Transfer
from store import library, tasks
from store.errors import NotOnSale
from store.models import Order, OrderLine
from tests.factories import shelf


def end_rights(release, code):
    """Licensing's answer turns to no, for this reason, for every recording and the whole."""
    for track in release.tracks.all():
        shelf.keep(verdict(track.recording, code), recording=track.recording)
    shelf.keep(verdict(release, code), release=release)


def verdict(subject, code):
    question = Question(Use.PERMANENT_DOWNLOAD, shelf.NOW)
    reasons = (Reason.of(code),)
    return Verdict(str(subject.public_id), question, "test", (), (RefusedGroup(ALL, reasons),), (), Obligations(), None)


@pytest.mark.parametrize("code", ["TAKEN_DOWN", "TERM_EXPIRED"])
def test_what_lost_its_rights_in_the_basket_is_not_sold(shop, code):
    release = shelf.shelve()
    basket = shop.basket_of(release)
    end_rights(release, code)
    with pytest.raises(NotOnSale):
        shop.order(release)
    assert basket.lines.exists()
    assert not Order.objects.exists()


def test_a_takedown_after_ordering_refunds_the_line_by_itself(shop):
    release, other = shelf.shelve("First Light"), shelf.shelve("Second Sight")
    order = shop.order(release, other)
    shop.pay(order)
    end_rights(release, "TAKEN_DOWN")
    shop.deliver_webhooks()
    held = order.lines.get(release=release)

    assert held.state == OrderLine.State.REFUND_DUE
    assert order.lines.get(release=other).state == OrderLine.State.PAID
    tasks.push_refund(held.pk)
    held.refresh_from_db()
    assert held.state == OrderLine.State.REFUNDED
    assert ledger.balance(accounts.suspense(f"refund-{held.public_id}", "EUR")) == 0


def test_no_holder_is_credited_for_what_was_not_delivered(shop):
    release = shelf.shelve()
    order = shop.order(release)
    shop.pay(order)
    end_rights(release, "TAKEN_DOWN")
    shop.deliver_webhooks()

    assert not Transfer.objects.filter(kind="SALE").exists()
    assert not hasattr(order.lines.get(), "certificate")
    assert ledger.balance(accounts.suspense(f"holder-{shelf.make_holder(release.label).pk}", "EUR")) == 0


def test_a_licence_that_ended_after_ordering_is_still_delivered(shop):
    release = shelf.shelve()
    order = shop.order(release)
    shop.pay(order)
    end_rights(release, "TERM_EXPIRED")
    shop.deliver_webhooks()

    assert order.lines.get().state == OrderLine.State.PAID


@pytest.mark.parametrize("code", ["TAKEN_DOWN", "TERM_EXPIRED"])
def test_what_was_bought_stays_the_buyers(shop, code):
    release = shelf.shelve()
    shop.bought(release)
    end_rights(release, code)

    (line,) = library.owned(shop.alice)
    states = {each.state for found in library.files([line]).values() for each in found}
    assert "READY" in states
