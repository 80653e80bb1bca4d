"""Money back for a line: decided once, asked of Stripe, and posted as the exact mirror when Stripe says it is done.

A line that is due for refund can no longer be downloaded. `push` may be run again at any moment: the sweep does.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from licensing import notices
from payments import charges, ledger
from payments.models import Charge, Refund, Transfer
from payments.money import Money
from store.errors import RefundRefused
from store.models import Order, OrderLine
from store.settlement import held_reference, sale_reference


def refund_line(line: OrderLine, *, reason: str, at: datetime) -> OrderLine:
    """Give a paid line back. Twice is once; a line that was never paid is refused. Raises StripeFailed to try later."""
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.get(pk=line.pk)
        if line.state == OrderLine.State.PAID:
            line.state = OrderLine.State.REFUND_DUE
            line.state_reason = reason[:200]
            line.save(update_fields=["state", "state_reason"])
        elif line.state not in (OrderLine.State.REFUND_DUE, OrderLine.State.REFUNDED):
            raise RefundRefused("Nothing was paid for this, so there is nothing to give back.")
    return push(line, at=at)


def refund_recalled(recordings: Iterable[int], *, at: datetime) -> int:
    """Give back every line that holds nothing but recalled recordings; returns how many became due.

    A line that also holds other music stays the buyer's but for the recalled tracks, and its order gets an alert for
    staff: what a part of an album is worth is for people to say. The sweep then asks Stripe for the money.
    """
    void = notices.recalled(set(recordings), at=at)
    if not void:
        return 0
    touched = OrderLine.objects.filter(state=OrderLine.State.PAID, tracks__track__recording_id__in=void).distinct()
    due = 0
    for line in touched.order_by("order_id", "pk"):
        others = line.tracks.exclude(track__recording_id__in=void).exists()
        if others:
            Order.objects.filter(pk=line.order_id, alert="").update(
                alert=f"A track of “{line.title}” was recalled."[:300]
            )
            continue
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=line.order_id)
            due += OrderLine.objects.filter(pk=line.pk, state=OrderLine.State.PAID).update(
                state=OrderLine.State.REFUND_DUE, state_reason="recalled: the rights were void"
            )
    return due


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
