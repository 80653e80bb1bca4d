"""A buyer's bank takes a payment back: the order pauses, the money mirrors the posted lines, a win puts all back.

A7: after a payout, with a win later, on a refunded charge; the sum of all entries is nought throughout.
"""

import itertools

import pytest
from django.db import transaction

from payments import accounts, ledger
from payments.models import Account, Alert, Charge, Chargeback, Entry, Payee, StripeEvent, Transfer
from payments.money import Money
from store import books as store_books
from store import chargebacks, library, refunds, settlement, tasks
from store.errors import LinkRefused, NotOwned, RefundRefused
from store.models import LineChargeback, Order, OrderLine
from tests.factories import shelf
from tests.factories.store import sign_in


@pytest.fixture
def order(shop):
    """Two lines of 1.60 each, of one label that is paid."""
    release = shelf.shelve()
    shelf.make_letter(shelf.make_holder(release.label))
    order = shop.bought(release, shelf.shelve("Second Sight", label=release.label))
    return settlement.check_order(order, at=order.placed_at)  # which posts the fee of the payment


@pytest.fixture(autouse=True)
def _every_sum_is_nought(db):
    yield
    sums = {side: sum(Entry.objects.filter(side=side).values_list("amount_micros", flat=True)) for side in "DC"}
    assert sums["D"] == sums["C"]


def books(*, without=()):
    """Every account that holds something, by its code."""
    found = {account.code: ledger.balance(account) for account in Account.objects.exclude(kind__in=without)}
    return {code: balance for code, balance in found.items() if balance}


def states(order):
    return {line.state for line in order.lines.all()} | {Order.objects.get(pk=order.pk).state}


def banks(shop):
    return shop.stripe.sandbox.chargebacks


def pay_out(payee: Payee) -> int:
    """All that the payee has is paid out."""
    account = accounts.payee(payee, "EUR")
    owed = ledger.balance(account)
    with transaction.atomic():
        legs = [ledger.debit(account, owed), ledger.credit(accounts.stripe_balance("EUR"), owed)]
        ledger.post("payout:test", kind="PAYOUT", legs=legs, at=Transfer.objects.latest("posted_at").posted_at)
    return owed


def test_while_the_bank_decides_the_files_pause_and_the_buyer_reads_why(shop, order):
    shop.charge_back(order)
    shop.deliver_webhooks()
    assert states(order) == {"CHARGEBACK", "PAID"}
    assert library.owned(shop.alice) == []
    page = sign_in(shop.alice).get(f"/orders/{order.public_id}").text
    assert "Paused while your bank decides" in page
    with pytest.raises(NotOwned):
        library.owned_line(shop.alice, order.lines.first().public_id)


def test_a_link_made_before_fetches_nothing_meanwhile(shop, order, settings):
    line = order.lines.first()
    track = line.tracks.first().track_id
    token = library.link(line, user=shop.alice, track=track, format="FLAC", at=order.placed_at)
    shop.charge_back(order)
    shop.deliver_webhooks()
    with pytest.raises(LinkRefused):
        library.resolve(token, user=shop.alice, at=order.placed_at)


def test_the_money_and_the_fee_leave_as_the_bank_took_them(shop, order):
    shop.charge_back(order)
    shop.deliver_webhooks()
    gone = books(without=["STRIPE_BALANCE", "FEES"])
    assert gone == {}
    at_stripe = shop.stripe.sandbox.state.balance("eur")
    assert books()["stripe:EUR"] == Money.of(at_stripe, "EUR").micros
    assert Transfer.objects.get(kind="CHARGEBACK_FEE").reference.endswith(":fee")


def test_a_win_puts_all_back_but_the_fee(shop, order):
    before = books(without=["STRIPE_BALANCE", "FEES"])
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    banks(shop).win(key)
    shop.deliver_webhooks()
    assert books(without=["STRIPE_BALANCE", "FEES"]) == before
    assert books()["stripe:EUR"] == Money.of(shop.stripe.sandbox.state.balance("eur"), "EUR").micros
    assert states(order) == {"PAID"}
    assert len(library.owned(shop.alice)) == 2
    assert set(LineChargeback.objects.values_list("state", flat=True)) == {"PUT_BACK"}
    assert Order.objects.get(pk=order.pk).alert == ""


def test_what_was_won_may_still_be_refunded_whole(shop, order):
    banks(shop).win(shop.charge_back(order))
    shop.deliver_webhooks()
    for line in order.lines.all():
        refunds.refund_line(line, reason="all the same", at=order.placed_at)
    shop.deliver_webhooks()
    assert states(order) == {"REFUNDED"}
    assert books().keys() <= {accounts.fees("EUR").code, accounts.stripe_balance("EUR").code}
    assert store_books.verify() is None


def test_a_loss_ends_the_buyers_right(shop, order):
    key = shop.charge_back(order)
    banks(shop).lose(key)
    shop.deliver_webhooks()
    assert states(order) == {"CHARGED_BACK"}
    assert library.owned(shop.alice) == []
    assert "Taken back by your bank" in sign_in(shop.alice).get(f"/orders/{order.public_id}").text


def test_a_part_that_is_lost_leaves_the_files(shop, order):
    before = books(without=["STRIPE_BALANCE", "FEES"])
    key = shop.charge_back(order, amount=80)  # a quarter of the order
    shop.deliver_webhooks()
    assert states(order) == {"CHARGEBACK", "PAID"}
    assert {code: before[code] - now for code, now in books(without=["STRIPE_BALANCE", "FEES"]).items()} == {
        code: balance // 4 for code, balance in before.items()
    }
    banks(shop).lose(key)
    shop.deliver_webhooks()
    assert states(order) == {"PAID"}
    assert {line.returned_minor for line in order.lines.all()} == {40}


def test_after_a_payout_the_missing_part_is_a_debt_and_a_win_settles_it(shop, order):
    payee = Payee.objects.get()
    owed = pay_out(payee)
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    assert ledger.balance(accounts.payee(payee, "EUR")) == 0
    assert ledger.balance(accounts.debt(payee, "EUR")) == owed
    banks(shop).win(key)
    shop.deliver_webhooks()
    assert ledger.balance(accounts.debt(payee, "EUR")) == 0
    assert ledger.balance(accounts.payee(payee, "EUR")) == 0


def test_without_the_debt_the_payee_would_fall_below_nought(shop, order, monkeypatch):
    """The control."""
    monkeypatch.setattr("payments.debts.carry", lambda *_args, **_named: None)
    payee = Payee.objects.get()
    owed = pay_out(payee)
    shop.charge_back(order)
    shop.deliver_webhooks()
    assert ledger.balance(accounts.payee(payee, "EUR")) == -owed


def test_on_a_refunded_charge_what_goes_twice_is_the_stores_loss(shop, order):
    refunds.refund_line(order.lines.first(), reason="asked", at=order.placed_at)
    shop.deliver_webhooks()
    key = shop.charge_back(order)  # all 3.20, of which 1.60 were given back before
    shop.deliver_webhooks()
    assert books(without=["STRIPE_BALANCE", "FEES"]) == {"losses:EUR": 1_600_000}
    assert states(order) == {"REFUNDED", "CHARGEBACK", "PAID"}
    banks(shop).win(key)
    shop.deliver_webhooks()
    assert "losses:EUR" not in books()
    assert states(order) == {"REFUNDED", "PAID"}


def test_a_refund_on_its_way_that_the_chargeback_overtakes_is_not_paid_twice(shop, order):
    line = order.lines.first()
    shop.stripe.sandbox.fail_next("/v1/refunds", "saved_500")
    with pytest.raises(Exception, match="500"):
        refunds.refund_line(line, reason="asked", at=order.placed_at)
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    assert not shop.stripe.objects("refund")
    assert books(without=["STRIPE_BALANCE", "FEES"]) == {}
    banks(shop).lose(key)
    shop.deliver_webhooks()
    assert states(order) == {"CHARGED_BACK"}


def test_what_the_bank_holds_is_not_refunded(shop, order):
    shop.charge_back(order)
    shop.deliver_webhooks()
    with pytest.raises(RefundRefused, match="bank"):
        refunds.refund_line(order.lines.first(), reason="asked", at=order.placed_at)


def test_an_inquiry_changes_nothing_but_the_list(shop, order):
    before = books()
    key = shop.charge_back(order, inquiry=True)
    shop.deliver_webhooks()
    assert (books(), states(order)) == (before, {"PAID"})
    assert Chargeback.objects.get().state == "ASKED"
    banks(shop).escalate(key)
    shop.deliver_webhooks()
    assert states(order) == {"CHARGEBACK", "PAID"}


def test_a_dropped_inquiry_is_closed(shop, order):
    key = shop.charge_back(order, inquiry=True)
    banks(shop).win(key)
    shop.deliver_webhooks()
    assert Chargeback.objects.get().state == "DROPPED"
    assert states(order) == {"PAID"}


@pytest.mark.parametrize("end", ["win", "lose"])
def test_its_events_come_to_one_end_in_any_order_and_number(shop, order, end):
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    banks(shop).answer(key, {"evidence": {"uncategorized_text": "Fetched on Monday."}})
    getattr(banks(shop), end)(key)
    for one in shop.stripe.webhooks():
        shop.post(one.body, one.signature)
    about = list(StripeEvent.objects.filter(type__startswith="charge.dispute").values_list("pk", flat=True))
    assert len(about) >= 4
    for turn in itertools.islice(itertools.permutations(about), 0, 120, 11):
        for event in turn * 2:
            StripeEvent.objects.filter(pk=event).update(state="RECEIVED", claimed_until=None, attempts=0)
            tasks.handle_stripe_event(event)
    assert not StripeEvent.objects.exclude(state="HANDLED").exists()
    assert states(order) == ({"PAID"} if end == "win" else {"CHARGED_BACK"})
    assert Transfer.objects.filter(kind="SALE_REVERSAL").count() == 2
    assert Transfer.objects.filter(kind="CHARGEBACK_FEE").count() == 1


def test_a_chargeback_heard_of_before_the_payment_settles_the_order_first(shop):
    order = shop.order(shelf.shelve())
    shop.pay(order)
    charge = shop.stripe.objects("charge")[-1]["id"]
    banks(shop).open(charge)
    shop.deliver_webhooks("charge.dispute.created")
    assert Transfer.objects.filter(kind="SALE").count() == 1
    assert states(order) == {"CHARGEBACK", "PAID"}


def test_a_missed_end_is_found_by_the_sweep(shop, order):
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    banks(shop).win(key)
    tasks.follow_chargebacks()
    assert states(order) == {"PAID"}


def test_money_in_another_currency_is_left_to_a_person(shop, order):
    key = shop.charge_back(order)
    dispute = banks(shop).read(key)
    moved = [one | {"currency": "usd"} for one in dispute["balance_transactions"]]
    shop.stripe.sandbox.state.change(dispute, balance_transactions=moved)
    shop.deliver_webhooks()
    assert Alert.objects.get().code == "CHARGEBACK_MISMATCH"
    assert not Chargeback.objects.exists()
    assert states(order) == {"PAID"}


def test_a_complaint_about_no_charge_of_ours_is_none(shop, order):
    key = shop.charge_back(order)
    dispute = banks(shop).read(key)
    intent = shop.stripe.sandbox.state.get("payment_intent", dispute["payment_intent"])
    shop.stripe.sandbox.state.change(intent, metadata={})
    Charge.objects.update(stripe_payment_intent_id="")
    assert chargebacks.follow(key, at=order.placed_at) is None


def test_two_workers_never_post_twice(shop, order):
    """What holds it is the ledger's reference; following again and again changes nothing."""
    key = shop.charge_back(order)
    for _ in range(5):
        chargebacks.follow(key, at=order.placed_at)
    assert Transfer.objects.filter(reference__startswith="chargeback:").count() == 3
    assert OrderLine.objects.filter(state="CHARGEBACK").count() == 2
