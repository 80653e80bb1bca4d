"""Money back for a line: decided once, asked of Stripe, and posted as the exact mirror when Stripe says it is done.

A line that is due for refund can no longer be downloaded. `push` may be run again at any moment: the sweep does.
"""

import uuid
from datetime import datetime

from django.db import transaction

from payments import charges, ledger
from payments.models import Charge, Refund, Transfer
from payments.money import Money
from store import deductions, disputes
from store.errors import RefundRefused
from store.models import Order, OrderLine
from store.settlement import held_reference, sale_reference


def refund_line(line: OrderLine, *, reason: str, at: datetime) -> OrderLine:
    """Give a paid line back. Twice is once; a line that was never paid is refused. Raises StripeFailed to try later."""
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.get(pk=line.pk)
        if not line.amount_minor:
            raise RefundRefused("This was given away: nothing was paid for it, so there is nothing to give back.")
        if line.state == OrderLine.State.PAID:
            line.state = OrderLine.State.REFUND_DUE
            line.state_reason = reason[:200]
            line.save(update_fields=["state", "state_reason"])
        elif line.state not in (OrderLine.State.REFUND_DUE, OrderLine.State.REFUNDED):
            raise RefundRefused("Nothing was paid for this, so there is nothing to give back.")
    return push(line, at=at)


def push(line: OrderLine, *, at: datetime) -> OrderLine:
    """Ask Stripe for the refund of a line that is due, or for what became of it, and keep the answer."""
    if line.state != OrderLine.State.REFUND_DUE:
        return line
    order = Order.objects.get(pk=line.order_id)
    charge = Charge.objects.get(reference=order.number)
    reference = refund_reference(line)
    refund = Refund.objects.filter(reference=reference).first()
    if refund is None:
        refund = charges.refund_charge(charge, Money.of(line.amount_minor, order.currency), reference=reference)
    else:
        refund = charges.read_refund(refund)
    return conclude(refund, at=at) or line


def conclude(refund: Refund, *, at: datetime) -> OrderLine | None:
    """Put the consequence of a refund in place; None where the refund is of no line of ours."""
    line = line_of(refund.reference)
    if line is None:
        return None
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.get(pk=line.pk)
        if refund.state == Refund.State.FAILED:
            Order.objects.filter(pk=order.pk).update(alert=f"Stripe refused the refund of “{line.title}”."[:300])
        elif refund.state == Refund.State.SUCCEEDED and line.state == OrderLine.State.REFUND_DUE:
            posted = Transfer.objects.get(reference__in=[sale_reference(line), held_reference(line)])
            disputes.undo(line, at=at)
            deductions.undo(line, whole=True, at=at)
            ledger.reverse(posted, reference=refund_reference(line), at=at)
            line.state = OrderLine.State.REFUNDED
            line.refunded_at = at
            line.save(update_fields=["state", "refunded_at"])
            if not order.lines.exclude(state=OrderLine.State.REFUNDED).exists():
                order.state = Order.State.REFUNDED
                order.save(update_fields=["state"])
    return line


def refund_reference(line: OrderLine) -> str:
    """The name of a line's refund, at Stripe and in the ledger."""
    return f"refund:{line.public_id}"


def line_of(reference: str) -> OrderLine | None:
    """The line that a refund's reference names."""
    kind, _, public_id = reference.partition(":")
    try:
        key = uuid.UUID(public_id)
    except ValueError:
        return None
    return OrderLine.objects.filter(public_id=key).first() if kind == "refund" else None
