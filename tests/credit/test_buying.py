"""Credit is bought once for each payment, within the operator's cap, and owed to the buyer in the ledger."""

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from payments import ledger
from payments.models import Account, StripeEvent, Transfer
from payments.money import Money
from store import credit, credit_purchases, tasks
from store.errors import CreditRefused, RequestConflict
from store.models import CreditPurchase


def test_what_is_paid_is_in_the_wallet(till):
    till.bought(2000)
    assert till.held() == 2000


def test_before_it_is_paid_there_is_nothing(till):
    purchase = till.ask()
    credit_purchases.start_payment(purchase, at=timezone.now())
    assert credit_purchases.settle(purchase, at=timezone.now()).state == CreditPurchase.State.PLACED
    assert till.held() == 0


def test_settling_again_changes_nothing(till):
    purchase = till.bought()
    for _ in range(3):
        credit_purchases.settle(purchase, at=timezone.now())
    assert till.held() == 2000
    assert Transfer.objects.filter(kind="CREDIT_BOUGHT").count() == 1


def test_the_webhook_alone_brings_the_credit(till):
    till.stripe.pay(credit_purchases.start_payment(till.ask(), at=timezone.now()))
    for one in till.stripe.webhooks():
        Client().post(
            "/stripe/webhook", one.body, content_type="application/json", headers={"stripe-signature": one.signature}
        )
    for event in StripeEvent.objects.order_by("pk"):
        tasks.handle_stripe_event(event.pk)
    assert till.held() == 2000


def test_a_payment_whose_webhook_never_came_is_found_by_the_sweep(till):
    purchase = till.ask()
    till.stripe.pay(credit_purchases.start_payment(purchase, at=timezone.now()))
    tasks.check_credit(purchase.pk)
    assert till.held() == 2000


def test_the_fee_is_a_transfer_of_its_own(till):
    purchase = till.bought()
    credit_purchases.check(purchase, at=timezone.now())
    assert Transfer.objects.get(reference=f"fee:{purchase.number}").kind == "FEE"
    assert till.held() == 2000


def test_the_shop_owes_what_buyers_have_paid_ahead(till):
    till.bought(2000)
    till.card(1000, key="k2")
    assert credit.outstanding() == {"EUR": 30_000_000}


def test_credit_is_no_sale_and_carries_no_tax(till):
    till.bought()
    kinds = Account.objects.filter(kind__in=["TAX", "COMMISSION", "PAYEE"])
    assert not any(ledger.balances(kinds).values())


def test_one_request_key_is_one_purchase(till):
    assert till.ask().pk == till.ask().pk
    with pytest.raises(RequestConflict):
        till.ask(3000)


def test_a_wallet_holds_no_more_than_the_operator_allows(till, settings):
    settings.CREDIT_CAP_MINOR = 3000
    till.bought(2000)
    with pytest.raises(CreditRefused, match="room for €10"):
        till.ask(1001, key="k2")
    assert till.bought(1000, key="k3").state == CreditPurchase.State.PAID


def test_less_than_can_be_charged_is_refused(till):
    with pytest.raises(CreditRefused, match="€0"):
        till.ask(49)


def test_what_was_agreed_never_changes(till):
    purchase = till.ask()
    with pytest.raises(IntegrityError, match="never changes"):
        CreditPurchase.objects.filter(pk=purchase.pk).update(amount_minor=1)


def test_a_purchase_nobody_pays_is_given_up(till):
    purchase = till.ask()
    later = purchase.placed_at + credit_purchases.GIVE_UP * 2
    assert credit_purchases.check(purchase, at=later).state == CreditPurchase.State.CANCELLED


def test_what_was_not_spent_goes_back_to_where_it_was_paid_from(till):
    purchase = till.bought(2000)
    refund = credit_purchases.give_back(purchase, Money.of(2000, "EUR"), at=timezone.now())
    assert refund.state == "DONE"
    assert till.held() == 0
    assert [one["amount"] for one in till.stripe.objects("refund")] == [2000]
    assert not any(ledger.balances(Account.objects.exclude(kind="FEES")).values())


def test_only_what_is_left_goes_back(till):
    purchase = till.bought(2000)
    credit_purchases.give_back(purchase, Money.of(500, "EUR"), at=timezone.now())
    purchase.refresh_from_db()
    assert credit_purchases.refundable(purchase).minor == 1500
    with pytest.raises(CreditRefused, match="can be given back"):
        credit_purchases.give_back(purchase, Money.of(1501, "EUR"), at=timezone.now())
    assert till.held() == 1500
