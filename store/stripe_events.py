"""Which function answers which of Stripe's events. An event is a nudge: what it is about is read again from Stripe."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from payments import charges, payees, payouts
from payments.models import Charge, Refund, StripeEvent
from store import chargebacks, credit_purchases, refunds, settlement
from store.models import CreditPurchase, Order

Handler = Callable[[Mapping[str, Any], datetime], None]


def handle(event: StripeEvent, *, at: datetime) -> None:
    """Put the consequence of an event in place; an event we have no use for is none. Safe to run again."""
    handler = HANDLERS.get(event.type)
    if handler is not None:
        handler(event.payload["data"]["object"], at)


def _session_changed(session: Mapping[str, Any], at: datetime) -> None:
    _settle(charges.find_by_session(session["id"]), at)


def _of(payment_intent_id: str, told: Mapping[str, Any]) -> Charge | None:
    """The charge of a payment; before we ever read that payment, the one that it names: only a place to look."""
    named = (told.get("metadata") or {}).get("reference")
    return charges.find_by_intent(payment_intent_id) or charges.find_by_reference(named or "")


def _intent_changed(intent: Mapping[str, Any], at: datetime) -> None:
    _settle(_of(intent["id"], intent), at)


def _charge_changed(charge: Mapping[str, Any], at: datetime) -> None:
    """A charge succeeded, or its fee became known."""
    found = _of(charge.get("payment_intent") or "", charge)
    _settle(found, at)
    if found is None or (order := _order(found)) is None or order.fee_posted_at is not None:
        return
    found.refresh_from_db()  # settling read it, often with its fee
    settlement.post_fee(order, found if found.fee_minor is not None else charges.read_charge(found), at=at)


def _charge_refunded(charge: Mapping[str, Any], at: datetime) -> None:
    """Some refund of this charge moved on: ask about each that is under way."""
    found = _of(charge.get("payment_intent") or "", charge)
    if found is None:
        return
    for refund in Refund.objects.filter(charge=found, state__in=[Refund.State.REQUESTED, Refund.State.PENDING]):
        refunds.conclude(charges.read_refund(refund), at=at)
    for refund in Refund.objects.filter(charge=found, state=Refund.State.SUCCEEDED):
        refunds.conclude(refund, at=at)


def _refund_changed(refund: Mapping[str, Any], at: datetime) -> None:
    reference = (refund.get("metadata") or {}).get("reference", "")
    row = Refund.objects.filter(reference=reference).first()
    if row is not None:
        refunds.conclude(charges.read_refund(row), at=at)


def _disputed(dispute: Mapping[str, Any], at: datetime) -> None:
    """A buyer went to her bank, or the bank has moved on."""
    chargebacks.follow(dispute["id"], at=at)


def _account_changed(account: Mapping[str, Any], _at: datetime) -> None:
    """A payee told Stripe who it is, or Stripe wants to know more."""
    payee = payees.find_by_account(account["id"])
    if payee is not None:
        payees.refresh_payee(payee)


def _transfer_changed(transfer: Mapping[str, Any], at: datetime) -> None:
    """Stripe took back what had been sent to a payee, in part or whole."""
    payout = payouts.find_by_transfer(transfer["id"])
    if payout is not None:
        payouts.mirror(payout, at=at)


def _settle(charge: Charge | None, at: datetime) -> None:
    if charge is None:
        return
    if (order := _order(charge)) is not None:
        settlement.settle_order(order, at=at)
    elif (purchase := CreditPurchase.objects.filter(number=charge.reference).first()) is not None:
        credit_purchases.settle(purchase, at=at)


def _order(charge: Charge) -> Order | None:
    return Order.objects.filter(number=charge.reference).first()


HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": _session_changed,
    "checkout.session.async_payment_succeeded": _session_changed,
    "checkout.session.async_payment_failed": _session_changed,
    "checkout.session.expired": _session_changed,
    "payment_intent.payment_failed": _intent_changed,
    "payment_intent.processing": _intent_changed,
    "payment_intent.succeeded": _intent_changed,
    "charge.succeeded": _charge_changed,
    "charge.updated": _charge_changed,
    "charge.dispute.closed": _disputed,
    "charge.dispute.created": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.refunded": _charge_refunded,
    "charge.refund.updated": _refund_changed,
    "refund.created": _refund_changed,
    "refund.updated": _refund_changed,
    "refund.failed": _refund_changed,
    "account.updated": _account_changed,
    "transfer.reversed": _transfer_changed,
    "transfer.updated": _transfer_changed,
}
