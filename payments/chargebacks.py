"""What Stripe says of a buyer's complaint at her bank, kept as it stands. The consequences are the store's.

Stripe calls it a dispute; in this shop that word is for disputed rights.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from payments import charges, gateway
from payments.errors import ChargebackMismatch
from payments.models import Charge, Chargeback

State = Chargeback.State
STATES = {"won": State.WON, "lost": State.LOST, "warning_closed": State.DROPPED, "prevented": State.DROPPED}
CLOSED = frozenset(STATES.values())


def read(stripe_dispute_id: str, *, at: datetime) -> Chargeback | None:
    """Ask Stripe how the complaint stands and keep the answer; None where it is about no charge of ours.

    Raises ChargebackMismatch, and changes nothing, where money moved in another currency than was paid.
    """
    facts = gateway.read_dispute(stripe_dispute_id)
    charge = charges.find_by_intent(facts.payment_intent_id) or _named(facts.payment_intent_id)
    if charge is None:
        return None
    strangers = {facts.currency, *(one.currency for one in facts.movements)} - {charge.currency}
    if strangers:
        raise ChargebackMismatch(
            f"{charge.reference}: the chargeback {stripe_dispute_id} moves {', '.join(sorted(strangers))}, paid were "
            f"{charge.currency}. Post it by hand."
        )
    return _keep(charge, facts, at=at)


def _named(payment_intent_id: str) -> Charge | None:
    """The charge that the payment itself names: its complaint may come before we ever read the payment."""
    if not payment_intent_id:
        return None
    return Charge.objects.filter(reference=gateway.read_charge(payment_intent_id).reference).first()


def state_of(status: str) -> str:
    """Our word for Stripe's status. What we do not know counts as open: nothing is closed on a guess."""
    if status in STATES:
        return STATES[status]
    return State.ASKED if status.startswith("warning_") else State.OPEN


def _keep(charge: Charge, facts: gateway.DisputeFacts, *, at: datetime) -> Chargeback:
    withdrawn, reinstated = _sums([one.amount_minor for one in facts.movements])
    fee_back, fee = _sums([one.fee_minor for one in facts.movements])
    state = state_of(facts.status)
    if state == State.ASKED and withdrawn:
        state = State.OPEN
    with transaction.atomic():
        Charge.objects.select_for_update().get(pk=charge.pk)
        told: dict[str, Any] = {
            "state": state,
            "stripe_status": facts.status[:40],
            "reason": facts.reason[:60],
            "amount_minor": facts.amount_minor,
            "withdrawn_minor": withdrawn,
            "reinstated_minor": reinstated,
            "fee_minor": fee,
            "fee_returned_minor": fee_back,
            "answer_by": facts.answer_by,
        }
        first = {**told, "charge": charge, "currency": facts.currency, "opened_at": facts.opened_at}
        row, _ = Chargeback.objects.update_or_create(
            stripe_dispute_id=facts.stripe_id, defaults=told, create_defaults=first
        )
        if state in CLOSED and row.closed_at is None:
            row.closed_at = at
            row.save(update_fields=["closed_at"])
    return row


def _sums(amounts: Sequence[int]) -> tuple[int, int]:
    """What went out, and what came in, both as positive numbers."""
    return -sum(one for one in amounts if one < 0), sum(one for one in amounts if one > 0)


def running() -> list[Chargeback]:
    """Those that no bank has decided yet; the sweep asks about them in case a webhook was missed."""
    return list(Chargeback.objects.filter(state__in=[State.ASKED, State.OPEN]).select_related("charge").order_by("pk"))
