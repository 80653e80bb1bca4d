"""A part of a line goes back: each account gives its share to the millionth, and parts that add up mirror the whole."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from payments import accounts, ledger
from payments.models import Account, Alert, Entry, Payee, Refund, Transfer
from store import library, refunds, returns
from store.errors import RefundRefused
from store.models import LineRefund, Order, OrderLine
from tests.factories import shelf
from tests.journeys.conftest import Shop


@pytest.fixture
def line(shop):
    release = shelf.shelve()
    shelf.make_letter(shelf.make_holder(release.label))
    return shop.bought(release).lines.get()


def give(line, minor=None):
    return refunds.refund_line(line, reason="a scratch", at=line.order.placed_at, actor="user:9", amount_minor=minor)


def standing():
    """What every account but Stripe's and the fee's holds."""
    return {
        account.code: balance
        for account in Account.objects.exclude(kind__in=["FEES", "STRIPE_BALANCE"])
        if (balance := ledger.balance(account))
    }


def test_a_part_is_taken_from_each_account_in_proportion(shop, line):
    before = standing()
    give(line, 40)  # of 160: a quarter
    assert {code: before[code] - now for code, now in standing().items()} == {
        code: balance // 4 for code, balance in before.items()
    }


@pytest.mark.parametrize("parts", [(1, 159), (53, 53, 54), (7, 11, 13, 129), (159, 1), (1,) * 3 + (157,)])
def test_parts_that_add_up_to_the_whole_mirror_it_exactly(shop, line, parts):
    for part in parts:
        give(OrderLine.objects.get(pk=line.pk), part)
    assert standing() == {}
    assert OrderLine.objects.get(pk=line.pk).state == OrderLine.State.REFUNDED
    assert Order.objects.get().state == Order.State.REFUNDED
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == 160


def test_every_part_leaves_every_account_at_nought_or_above(shop, line):
    for _ in range(16):
        give(OrderLine.objects.get(pk=line.pk), 10)
        assert min(standing().values(), default=0) >= 0


def test_a_part_leaves_the_files_with_the_buyer(shop, line):
    assert give(line, 40).state == OrderLine.State.PAID
    assert len(library.owned(shop.alice)) == 1
    assert give(line).state == OrderLine.State.REFUNDED
    assert library.owned(shop.alice) == []


def test_the_decision_says_who_and_why(shop, line):
    give(line, 40)
    kept = LineRefund.objects.get()
    assert (kept.actor, kept.reason, kept.whole, kept.state) == ("user:9", "a scratch", False, "DONE")


@pytest.mark.parametrize("minor", [0, -1, 161])
def test_more_than_was_paid_or_nothing_is_refused(shop, line, minor):
    with pytest.raises(RefundRefused, match=r"1\.60 EUR are left"):
        give(line, minor)
    assert not Refund.objects.exists()


def test_parts_beyond_the_whole_are_refused(shop, line):
    give(line, 100)
    with pytest.raises(RefundRefused, match=r"0\.60 EUR are left"):
        give(line, 61)
    assert give(line, 60).state == OrderLine.State.REFUNDED
    with pytest.raises(RefundRefused):
        give(line, 1)


def test_the_database_refuses_more_back_than_a_line_cost(shop, line):
    with pytest.raises(IntegrityError, match="never_returned_above_paid"), transaction.atomic():
        OrderLine.objects.filter(pk=line.pk).update(returned_minor=161)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("minor", [None, 100])
def test_of_several_at_once_no_more_than_was_paid_goes_back(stripe_sandbox, minor):
    shop = Shop(stripe_sandbox)
    line = shop.bought(shelf.shelve()).lines.get()
    gate, outcomes = threading.Barrier(6), []

    def work():
        gate.wait()
        try:
            outcomes.append(give(line, minor).state)
        except RefundRefused:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    given = sum(one["amount"] for one in stripe_sandbox.objects("refund"))
    assert given == (160 if minor is None else 100)
    assert OrderLine.objects.get(pk=line.pk).returned_minor == given
    assert outcomes.count("refused") == (0 if minor is None else 5)
    assert Transfer.objects.filter(reference__startswith="refund:").count() == 1


def test_a_refund_to_a_bank_account_is_posted_when_it_has_arrived(shop):
    order = shop.order(shelf.shelve())
    shop.stripe.arrive(shop.pay_later(order))
    shop.deliver_webhooks()
    line = give(order.lines.get())
    assert line.state == OrderLine.State.REFUND_DUE
    assert not Transfer.objects.filter(reference__startswith="refund:").exists()
    shop.stripe.sandbox.api.finish_refund(shop.stripe.objects("refund")[0]["id"])
    shop.deliver_webhooks()
    assert OrderLine.objects.get(pk=line.pk).state == OrderLine.State.REFUNDED
    assert standing() == {}


def test_a_refund_that_the_bank_sends_back_is_told_and_asked_again(shop):
    order = shop.order(shelf.shelve())
    shop.stripe.arrive(shop.pay_later(order))
    shop.deliver_webhooks()
    line = give(order.lines.get())
    shop.stripe.sandbox.api.fail_refund(shop.stripe.objects("refund")[0]["id"])
    shop.deliver_webhooks()
    assert Alert.objects.get().code == "REFUND_FAILED"
    assert OrderLine.objects.get(pk=line.pk).returned_minor == 0
    assert list(refunds.due()) == []

    refunds.again(LineRefund.objects.get(), actor="user:9", at=order.placed_at)
    shop.stripe.sandbox.api.finish_refund(shop.stripe.objects("refund")[-1]["id"])
    shop.deliver_webhooks()
    assert OrderLine.objects.get(pk=line.pk).state == OrderLine.State.REFUNDED
    assert standing() == {}


def test_after_a_payout_the_missing_part_is_a_debt_and_nobody_falls_below_nought(shop, line):
    payee = Account.objects.get(kind="PAYEE")
    with transaction.atomic():
        legs = [ledger.debit(payee, 1_000_000), ledger.credit(accounts.stripe_balance("EUR"), 1_000_000)]
        ledger.post("payout:test", kind="PAYOUT", legs=legs, at=line.order.placed_at)
    give(line)
    assert ledger.balance(payee) == 0
    assert ledger.balance(accounts.debt(Payee.objects.get(), "EUR")) == 1_000_000


def test_without_the_debt_the_payee_would_fall_below_nought(shop, line, monkeypatch):
    """The control."""
    monkeypatch.setattr("payments.debts.carry", lambda *_args, **_named: None)
    payee = Account.objects.get(kind="PAYEE")
    with transaction.atomic():
        legs = [ledger.debit(payee, 1_000_000), ledger.credit(accounts.stripe_balance("EUR"), 1_000_000)]
        ledger.post("payout:test", kind="PAYOUT", legs=legs, at=line.order.placed_at)
    give(line)
    assert ledger.balance(payee) == -1_000_000


def test_without_dividing_what_is_left_parts_would_not_add_up(shop, line):
    """The control: a share of the whole for each part, rounded each time, leaves millionths behind."""
    stands = returns.standing(line)
    naive = {key: sum(round(micros / 160) for _ in range(160)) for key, micros in stands.items()}
    assert naive != stands


def test_the_sums_of_all_entries_are_nought(shop, line):
    give(line, 33)
    give(line, 44)
    debits = sum(Entry.objects.filter(side="D").values_list("amount_micros", flat=True))
    assert debits == sum(Entry.objects.filter(side="C").values_list("amount_micros", flat=True))
