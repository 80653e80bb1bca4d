"""Money back: asked once, mirrored exactly, and the files stop."""

import pytest

from payments import ledger
from payments.models import Account, Refund, Transfer
from store import library, refunds
from store.errors import NotOwned, RefundRefused
from store.models import Order, OrderLine
from tests.factories import shelf


def refund(line, shop):
    line = refunds.refund_line(line, reason="asked for by the buyer", at=line.order.placed_at)
    shop.deliver_webhooks()
    line.refresh_from_db()
    return line


def test_a_refunded_line_leaves_every_account_as_before_the_sale(shop):
    release = shelf.shelve()
    shelf.make_letter(shelf.make_holder(release.label))
    order = shop.bought(release)
    line = refund(order.lines.get(), shop)

    assert line.state == OrderLine.State.REFUNDED
    kinds = Account.objects.exclude(kind__in=["FEES", "STRIPE_BALANCE"])
    assert set(ledger.balances(kinds).values()) == {0}


def test_the_order_is_refunded_with_its_last_line(shop):
    order = shop.bought(shelf.shelve("First Light"), shelf.shelve("Second Sight"))
    first, second = order.lines.all()
    refund(first, shop)
    assert Order.objects.get(pk=order.pk).state == Order.State.PAID
    refund(second, shop)
    assert Order.objects.get(pk=order.pk).state == Order.State.REFUNDED


def test_refunding_twice_gives_the_money_back_once(shop):
    order = shop.bought(shelf.shelve())
    line = refund(order.lines.get(), shop)
    refund(line, shop)

    assert Refund.objects.count() == 1
    assert len(shop.stripe.objects("refund")) == 1
    assert Transfer.objects.filter(reverses__isnull=False).count() == 1


def test_a_refunded_line_leaves_the_library(shop):
    order = shop.bought(shelf.shelve())
    line = refund(order.lines.get(), shop)

    assert library.owned(shop.alice) == []
    with pytest.raises(NotOwned):
        library.owned_line(shop.alice, line.public_id)


def test_what_was_never_paid_is_not_given_back(shop):
    order = shop.order(shelf.shelve())
    with pytest.raises(RefundRefused):
        refunds.refund_line(order.lines.get(), reason="", at=order.placed_at)


def test_the_certificate_stays_after_a_refund(shop):
    order = shop.bought(shelf.shelve())
    line = refund(order.lines.get(), shop)
    assert line.certificate.sha256
