"""Money asked of buyers and given back. Stripe's word is read again each time before money is believed.

An act with the outside world has three steps, each of which may be the last before a crash: a row that says what is
wanted, the call under an idempotency key that the row names, a row that says what came of it. Each may be run again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import F

from payments import gateway
from payments.errors import ChargeConflict, ChargeMismatch, RefundRefused, StripeFailed
from payments.gateway import Line
from payments.models import Charge, Refund
from payments.money import Money

State = Charge.State
OUTCOMES = {  # what a complete page and its payment say together
    ("paid", "succeeded"): State.PAID,
    ("unpaid", "processing"): State.PROCESSING,
    ("unpaid", "requires_payment_method"): State.FAILED,
    ("unpaid", "canceled"): State.FAILED,
}

__all__ = ["Line", "cancel_charge", "read_charge", "read_refund", "refund_charge", "resume_refund", "start_charge"]


def start_charge(
    *,
    reference: str,
    amount: Money,
    lines: Sequence[Line],
    success_url: str,
    cancel_url: str,
    email: str = "",
    tax_code: str = "",
) -> Charge:
    """Open Stripe's page for this amount and return the charge, with the page's address in `stripe_session_url`.

    The same reference gives the same page while it is open, and a new one once it has expired or the payment failed;
    with another amount it raises ChargeConflict. A charge that is paid, or whose payment is on its way, is returned as
    it is. With a `tax_code` Stripe reckons the tax, and `Charge.tax` has it once it is paid. Raises StripeFailed.
    """
    charge = _asked(reference, amount, lines)
    if charge.state in {Charge.State.PAID, Charge.State.REFUNDED}:
        return charge
    if charge.stripe_session_id:
        charge = read_charge(charge)
        if charge.state != Charge.State.FAILED:
            return charge
        _next_attempt(charge)
    try:
        session = gateway.create_checkout_session(
            reference,
            lines=lines,
            amount=amount,
            success_url=success_url,
            cancel_url=cancel_url,
            metadata={},
            email=email,
            transfer_group=charge.transfer_group,
            idempotency_key=f"charge:{reference}:{charge.attempts}",
            tax_code=tax_code,
        )
    except StripeFailed as failure:
        if failure.saved:
            _next_attempt(charge)
        raise
    Charge.objects.filter(pk=charge.pk, state__in=[Charge.State.PENDING, Charge.State.FAILED]).update(
        stripe_session_id=session.stripe_id, stripe_session_url=session.url, state=Charge.State.PENDING,
        taxed_by_stripe=bool(tax_code),
    )  # fmt: skip
    charge.refresh_from_db()
    return charge


def read_charge(charge: Charge) -> Charge:
    """Ask Stripe what became of the charge and keep the answer; returns the charge as it stands now.

    A way of paying that takes days is PROCESSING until its bank has said yes (PAID) or no (FAILED). Raises
    ChargeMismatch, and changes nothing, where Stripe took another amount or currency than was asked, where what it
    holds names another charge, where its page says one thing and its payment another, or where Stripe was to reckon the
    tax and has not.
    """
    if not charge.stripe_session_id:
        return charge
    session = _own_session(charge)
    if session.status != "complete":
        was, now = (State.PENDING, State.FAILED) if session.status == "expired" else (State.FAILED, State.PENDING)
        Charge.objects.filter(pk=charge.pk, state=was).update(state=now)
        charge.refresh_from_db()
        return charge
    facts = _facts(charge, session)
    outcome = OUTCOMES.get((session.payment_status, facts.status))
    if outcome is None:  # the two are read one after the other, and the bank may have answered in between
        session = _own_session(charge)
        facts = _facts(charge, session)
        outcome = OUTCOMES.get((session.payment_status, facts.status))
    if outcome is None:
        raise ChargeMismatch(
            f"{charge.reference}: Stripe's page is complete and {session.payment_status}, its payment is "
            f"{facts.status}. Nothing was delivered; look at it by hand."
        )
    tax = None
    if outcome == State.PAID:
        _check_amount(charge, facts)
        tax = _reckoned(charge) if charge.taxed_by_stripe and charge.tax is None else None
    _keep(charge, facts, outcome, tax=tax)
    charge.refresh_from_db()
    return charge


def _own_session(charge: Charge) -> gateway.SessionFacts:
    session = gateway.read_session(charge.stripe_session_id)
    for named in {session.reference, session.named}:
        if named != charge.reference:
            raise ChargeMismatch(f"Session {session.stripe_id} is of {named!r}, not of {charge.reference}.")
    return session


def _facts(charge: Charge, session: gateway.SessionFacts) -> gateway.ChargeFacts:
    if not session.payment_intent_id:
        raise ChargeMismatch(f"{charge.reference}: Stripe's page is complete, and there is no payment behind it.")
    facts = gateway.read_charge(session.payment_intent_id)
    if facts.reference != charge.reference:
        raise ChargeMismatch(f"Payment {facts.payment_intent_id} is of {facts.reference!r}, not of {charge.reference}.")
    return facts


def _check_amount(charge: Charge, facts: gateway.ChargeFacts) -> None:
    if (facts.amount_minor, facts.currency) != (charge.amount_minor, charge.currency):
        raise ChargeMismatch(
            f"{charge.reference}: Stripe took {facts.amount_minor} {facts.currency}, "
            f"asked were {charge.amount_minor} {charge.currency} (minor units). Look at it by hand."
        )


def _reckoned(charge: Charge) -> dict[str, Any]:
    """Stripe's word on the tax, which must be whole: its lines are what was asked, their tax is the sum it tells."""
    facts = gateway.read_tax(charge.stripe_session_id)
    if facts.status != "complete":
        raise ChargeMismatch(
            f"{charge.reference}: Stripe has not reckoned the tax ({facts.status or 'no word'}). Look at its page."
        )
    sums = sum(line.amount_minor for line in facts.lines), sum(line.tax_minor for line in facts.lines)
    if sums != (charge.amount_minor, facts.tax_minor) or any(line.tax_minor < 0 for line in facts.lines):
        raise ChargeMismatch(
            f"{charge.reference}: the lines at Stripe, and the tax in them, do not sum to what is paid."
        )
    return asdict(facts)


def _keep(charge: Charge, facts: gateway.ChargeFacts, outcome: State, *, tax: dict[str, Any] | None = None) -> None:
    known_fee = facts.fee_minor if facts.fee_currency in {"", charge.currency} else None
    with transaction.atomic():
        row = Charge.objects.select_for_update().get(pk=charge.pk)
        row.stripe_payment_intent_id = facts.payment_intent_id
        row.stripe_charge_id = facts.charge_id
        row.fee_minor = known_fee if known_fee is not None else row.fee_minor
        if outcome == State.PAID:
            row.paid_at = row.paid_at or facts.paid_at
            row.card_country = facts.card_country[:2].upper() or row.card_country
            row.tax = row.tax or tax
        if row.state not in {State.PAID, State.REFUNDED}:  # an answer that came late takes back no payment
            row.state = outcome
        row.save()


def cancel_charge(charge: Charge) -> Charge:
    """Make sure that a charge nobody has paid can no longer be paid; a paid one is returned as paid."""
    if charge.stripe_session_id and charge.state == Charge.State.PENDING:
        try:
            gateway.expire_session(charge.stripe_session_id)
        except StripeFailed as failure:
            if failure.retriable:
                raise
    return read_charge(charge)


def refund_charge(charge: Charge, amount: Money, *, reference: str) -> Refund:
    """Give back part or all of a paid charge, once per reference, and return the refund with Stripe's first word.

    Refunds under way count: together they never exceed what was paid, however many run at once. Raises RefundRefused
    for more than is left, for another currency, or for a reference used with another amount; raises StripeFailed where
    the outcome is not known yet, and `resume_refund` finds it out.
    """
    with transaction.atomic():
        row = Charge.objects.select_for_update().get(pk=charge.pk)
        known = Refund.objects.filter(reference=reference).first()
        if known is not None and (known.charge_id, known.amount_minor) != (row.pk, amount.minor):
            raise RefundRefused(f"{reference} was already asked for with another charge or amount.")
        if known is None:
            known = _reserve_refund(row, amount, reference)
    return resume_refund(known)


def _reserve_refund(row: Charge, amount: Money, reference: str) -> Refund:
    if row.state != Charge.State.PAID or amount.currency.code != row.currency:
        raise RefundRefused(f"{row.reference} holds no paid {amount.currency} to give back.")
    if not 0 < amount.minor <= row.amount_minor - row.refunded_minor:
        raise RefundRefused(
            f"Of {row.reference} {row.amount_minor - row.refunded_minor} minor units are left to refund."
        )
    Charge.objects.filter(pk=row.pk).update(refunded_minor=F("refunded_minor") + amount.minor)
    return Refund.objects.create(charge=row, reference=reference, amount_minor=amount.minor)


def resume_refund(refund: Refund) -> Refund:
    """Ask Stripe for a refund that has been decided, or find the one that was asked for before a crash."""
    if refund.state != Refund.State.REQUESTED:
        return refund
    intent = refund.charge.stripe_payment_intent_id
    facts = next((one for one in gateway.find_refunds(intent) if one.reference == refund.reference), None)
    if facts is None:
        try:
            facts = gateway.refund(
                intent,
                amount_minor=refund.amount_minor,
                reference=refund.reference,
                idempotency_key=f"refund:{refund.reference}:{refund.attempts}",
            )
        except StripeFailed as failure:
            if failure.saved:
                Refund.objects.filter(pk=refund.pk).update(attempts=F("attempts") + 1)
            elif not failure.retriable:
                return _conclude(refund, "failed", "")
            raise
    return _conclude(refund, facts.status, facts.stripe_id)


def read_refund(refund: Refund) -> Refund:
    """Ask Stripe what became of a refund on its way."""
    if refund.state == Refund.State.REQUESTED:
        return resume_refund(refund)
    if refund.state != Refund.State.PENDING:
        return refund
    return _conclude(refund, gateway.read_refund(refund.stripe_refund_id).status, refund.stripe_refund_id)


def _conclude(refund: Refund, status: str, stripe_id: str) -> Refund:
    """Keep Stripe's word; a failed refund frees what it had reserved."""
    state = {"succeeded": Refund.State.SUCCEEDED, "failed": Refund.State.FAILED, "canceled": Refund.State.FAILED}.get(
        status, Refund.State.PENDING
    )
    with transaction.atomic():
        charge = Charge.objects.select_for_update().get(pk=refund.charge_id)
        row = Refund.objects.select_for_update().get(pk=refund.pk)
        if row.state in {Refund.State.REQUESTED, Refund.State.PENDING}:
            row.state = state
            row.stripe_refund_id = stripe_id or row.stripe_refund_id
            row.save()
            if state == Refund.State.FAILED:
                charge.refunded_minor -= row.amount_minor
            elif state == Refund.State.SUCCEEDED and _all_given_back(charge):
                charge.state = Charge.State.REFUNDED
            charge.save()
    return row


def _all_given_back(charge: Charge) -> bool:
    done = Refund.objects.filter(charge=charge, state=Refund.State.SUCCEEDED).values_list("amount_minor", flat=True)
    return sum(done) == charge.amount_minor


def _asked(reference: str, amount: Money, lines: Sequence[Line]) -> Charge:
    """The row that says what is wanted; one per reference, whoever comes first."""
    shown = [[line.name, line.amount_minor, line.description] for line in lines]
    asked = hashlib.sha256(json.dumps([amount.minor, amount.currency.code, shown]).encode()).hexdigest()
    Charge.objects.bulk_create(
        [
            Charge(
                reference=reference,
                request_sha256=asked,
                amount_minor=amount.minor,
                currency=amount.currency.code,
                transfer_group=f"charge:{reference}",
            )
        ],
        ignore_conflicts=True,
    )
    charge = Charge.objects.get(reference=reference)
    if charge.request_sha256 != asked:
        raise ChargeConflict(f"{reference} was already charged with another amount or other lines.")
    return charge


def _next_attempt(charge: Charge) -> None:
    """The next request gets a key of its own; only one of several callers moves the number on."""
    Charge.objects.filter(pk=charge.pk, attempts=charge.attempts).update(
        attempts=F("attempts") + 1, stripe_session_id="", stripe_session_url=""
    )
    charge.refresh_from_db()


def find_by_session(session_id: str) -> Charge | None:
    return Charge.objects.filter(stripe_session_id=session_id).first() if session_id else None


def find_by_reference(reference: str) -> Charge | None:
    return Charge.objects.filter(reference=reference).first()


def find_by_intent(payment_intent_id: str) -> Charge | None:
    return Charge.objects.filter(stripe_payment_intent_id=payment_intent_id).first() if payment_intent_id else None
