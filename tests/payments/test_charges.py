"""Charges and refunds: one page per reference, Stripe's word read again, and never more back than came in."""

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from payments import charges, gateway
from payments.charges import Line
from payments.errors import ChargeConflict, ChargeMismatch, RefundRefused, StripeFailed
from payments.models import Charge, Refund
from payments.money import Money
from tests.fakes import StripeFake

pytestmark = pytest.mark.django_db(transaction=True)


def start(reference: str = "order:1", minor: int = 500, **over: Any) -> Charge:
    fields: dict[str, Any] = {
        "reference": reference,
        "amount": Money.of(minor, "EUR"),
        "lines": [Line("Nocturne", minor)],
        "success_url": "http://shop.example/thanks",
        "cancel_url": "http://shop.example/basket",
        "email": "alice@example.org",
    } | over
    return charges.start_charge(**fields)


def paid(fake: StripeFake, reference: str = "order:1", minor: int = 500) -> Charge:
    charge = start(reference, minor)
    fake.pay(charge.stripe_session_url)
    return charges.read_charge(charge)


def test_a_charge_opens_a_page_and_waits(stripe_sandbox: StripeFake) -> None:
    charge = start()
    assert charge.state == "PENDING"
    assert charge.stripe_session_url.startswith(stripe_sandbox.address)
    assert charges.read_charge(charge).state == "PENDING"


def test_pressing_pay_ten_times_at_once_is_one_charge_and_one_page(stripe_sandbox: StripeFake) -> None:
    urls: set[str] = set()

    def press() -> None:
        urls.add(start().stripe_session_url)
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 1
    assert len(stripe_sandbox.objects("checkout.session")) == 1
    assert Charge.objects.count() == 1


def test_the_same_reference_with_another_amount_is_refused(stripe_sandbox: StripeFake) -> None:
    start(minor=500)
    with pytest.raises(ChargeConflict):
        start(minor=600)


def test_what_was_paid_is_read_from_stripe_with_its_fee(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox, minor=1000)
    assert (charge.state, charge.fee_minor) == ("PAID", 40)
    assert charge.paid_at is not None
    assert charge.stripe_charge_id.startswith("ch_")


def test_a_paid_charge_is_not_asked_for_again(stripe_sandbox: StripeFake) -> None:
    paid(stripe_sandbox)
    assert start().state == "PAID"
    assert len(stripe_sandbox.objects("checkout.session")) == 1


def test_another_amount_than_was_asked_is_a_mismatch(stripe_sandbox: StripeFake) -> None:
    charge = start()
    stripe_sandbox.pay(charge.stripe_session_url)
    intent = stripe_sandbox.objects("charge")[0]
    stripe_sandbox.sandbox.state.change(intent, amount_captured=499)
    with pytest.raises(ChargeMismatch):
        charges.read_charge(charge)
    charge.refresh_from_db()
    assert charge.state == "PENDING"


def test_a_session_of_another_order_is_a_mismatch(stripe_sandbox: StripeFake) -> None:
    mine, other = start("order:1"), start("order:2")
    stripe_sandbox.pay(other.stripe_session_url)
    Charge.objects.filter(pk=other.pk).update(stripe_session_id="")
    Charge.objects.filter(pk=mine.pk).update(stripe_session_id=other.stripe_session_id)
    mine.refresh_from_db()
    with pytest.raises(ChargeMismatch):
        charges.read_charge(mine)


def test_a_page_that_ended_is_followed_by_a_new_one(stripe_sandbox: StripeFake) -> None:
    first = start()
    gateway.expire_session(first.stripe_session_id)
    assert charges.read_charge(first).state == "FAILED"
    again = start()
    assert again.state == "PENDING"
    assert again.stripe_session_url != first.stripe_session_url


def test_a_cancelled_charge_can_no_longer_be_paid(stripe_sandbox: StripeFake) -> None:
    charge = start()
    assert charges.cancel_charge(charge).state == "FAILED"
    stripe_sandbox.pay(charge.stripe_session_url)
    assert charges.read_charge(charge).state == "FAILED"


def test_cancelling_what_was_just_paid_leaves_it_paid(stripe_sandbox: StripeFake) -> None:
    charge = start()
    stripe_sandbox.pay(charge.stripe_session_url)
    assert charges.cancel_charge(charge).state == "PAID"


def test_a_failure_that_stripe_replays_does_not_block_the_order(stripe_sandbox: StripeFake) -> None:
    stripe_sandbox.sandbox.fail_next("/v1/checkout/sessions", "saved_500")
    with pytest.raises(StripeFailed) as failure:
        start()
    assert failure.value.retriable
    assert start().state == "PENDING"


def test_no_call_to_stripe_is_made_inside_a_transaction(stripe_sandbox: StripeFake) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        gateway.find_transfers("x")


def test_a_refund_is_done_once_per_reference(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox)
    first = charges.refund_charge(charge, Money.of(200, "EUR"), reference="refund:1")
    again = charges.refund_charge(charge, Money.of(200, "EUR"), reference="refund:1")
    assert (first.pk, first.state) == (again.pk, "SUCCEEDED")
    assert len(stripe_sandbox.objects("refund")) == 1


def test_partial_refunds_never_exceed_what_was_paid(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox, minor=500)
    charges.refund_charge(charge, Money.of(300, "EUR"), reference="refund:1")
    with pytest.raises(RefundRefused):
        charges.refund_charge(charge, Money.of(201, "EUR"), reference="refund:2")
    charges.refund_charge(charge, Money.of(200, "EUR"), reference="refund:3")
    charge.refresh_from_db()
    assert (charge.state, charge.refunded_minor) == ("REFUNDED", 500)


def test_of_eight_full_refunds_at_once_one_wins(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox)
    outcomes: list[str] = []

    def give_back(i: int) -> None:
        try:
            outcomes.append(charges.refund_charge(charge, Money.of(500, "EUR"), reference=f"refund:{i}").state)
        except RefundRefused:
            outcomes.append("refused")
        connection.close()

    threads = [threading.Thread(target=give_back, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["SUCCEEDED", *["refused"] * 7]
    assert sum(one["amount"] for one in stripe_sandbox.objects("refund")) == 500


def test_the_database_refuses_more_back_than_came_in(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox)
    with pytest.raises(IntegrityError, match="never_refunded_above_paid"):
        Charge.objects.filter(pk=charge.pk).update(refunded_minor=501)


@pytest.mark.parametrize("minor", [0, -1])
def test_a_refund_of_nothing_is_refused(minor: int, stripe_sandbox: StripeFake) -> None:
    with pytest.raises(RefundRefused):
        charges.refund_charge(paid(stripe_sandbox), Money.of(minor, "EUR"), reference="refund:1")


def test_an_unpaid_charge_is_not_refunded(stripe_sandbox: StripeFake) -> None:
    with pytest.raises(RefundRefused):
        charges.refund_charge(start(), Money.of(500, "EUR"), reference="refund:1")


def test_a_refund_whose_reply_was_lost_is_done_once(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox)
    stripe_sandbox.sandbox.fail_next("/v1/refunds", "lost_reply")
    charges.refund_charge(charge, Money.of(500, "EUR"), reference="refund:1")
    assert len(stripe_sandbox.objects("refund")) == 1


def test_a_refund_that_was_killed_after_the_call_is_found_when_keys_are_forgotten(
    stripe_sandbox: StripeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = paid(stripe_sandbox)

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(charges, "_conclude", killed)
        with pytest.raises(KeyboardInterrupt):
            charges.refund_charge(charge, Money.of(500, "EUR"), reference="refund:1")
    stripe_sandbox.forget_keys()
    assert charges.resume_refund(Refund.objects.get(reference="refund:1")).state == "SUCCEEDED"
    assert len(stripe_sandbox.objects("refund")) == 1


def test_a_refund_that_stripe_failed_is_asked_for_anew(stripe_sandbox: StripeFake) -> None:
    charge = paid(stripe_sandbox)
    stripe_sandbox.sandbox.fail_next("/v1/refunds", "saved_500")
    with pytest.raises(StripeFailed):
        charges.refund_charge(charge, Money.of(500, "EUR"), reference="refund:1")
    assert charges.resume_refund(Refund.objects.get(reference="refund:1")).state == "SUCCEEDED"
    assert len(stripe_sandbox.objects("refund")) == 1
