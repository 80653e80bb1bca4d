"""A buyer has her bank take the payment back: what that does to her order, to the ledger and to those who were paid.

The one written rule (docs/orders.md): while the bank decides, the order's files pause; if we win, all is as before; if
the buyer wins, what was wholly taken back is hers no more. The money mirrors the posted lines, each by what is left of
it; what was given back twice, and the bank's fee, are the store's loss. All of it follows from Stripe's own movements,
so that events may come in any order and any number.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from payments import accounts, alerts, chargebacks, debts, ledger
from payments.errors import ChargebackMismatch, StripeFailed
from payments.models import Chargeback, Transfer
from payments.money import Money, allocate
from store import deductions, refunds, returns, settlement
from store.errors import OrderStateError
from store.models import LineChargeback, LineRefund, Order, OrderLine

KIND = "CHARGEBACK"
PAUSED = "Your bank is deciding about this payment. Your files pause until it has."
Line = OrderLine.State
Taken = LineChargeback.State


def follow(stripe_dispute_id: str, *, at: datetime) -> Chargeback | None:
    """Read a chargeback at Stripe and put all its consequences in place; again changes nothing.

    Raises OrderStateError where the order was not settled yet, to try later; ChargebackMismatch leaves an alert.
    """
    try:
        row = chargebacks.read(stripe_dispute_id, at=at)
    except ChargebackMismatch as error:
        alerts.raise_alert(error.code, subject=stripe_dispute_id, text=str(error), at=at)
        raise
    if row is None:
        return None
    order = Order.objects.filter(number=row.charge.reference).first()
    if order is not None:
        apply(row, order, at=at)
    elif row.withdrawn_minor:
        text = f"The buyer's bank took {row.withdrawn_minor} minor units of what is no order. Look at it by hand."
        alerts.raise_alert("CHARGEBACK_OF_NO_ORDER", subject=row.charge.reference, text=text, at=at)
    return row


def apply(row: Chargeback, order: Order, *, at: datetime) -> None:
    """The consequences of what is known of a chargeback, in one transaction under the order's lock."""
    if row.withdrawn_minor and order.paid_at is None:
        order = settlement.settle_order(order, at=at)
        if order.paid_at is None:
            raise OrderStateError(f"Order {order.number} is not settled, and its payment is already charged back.")
    if row.withdrawn_minor and not LineChargeback.objects.filter(chargeback=row).exists():
        _finish_refunds(order, at=at)
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=order.pk)
        if row.withdrawn_minor:
            _take(row, order, at=at)
        if row.reinstated_minor:
            _put_back(row, order, at=at)
        if row.state == Chargeback.State.LOST:
            _lose(row, order, at=at)
        _fee(row, at=at)
        _say(row, order)


def _finish_refunds(order: Order, *, at: datetime) -> None:
    """Learn first what became of refunds under way: a bank that takes the money back refuses them."""
    for line in order.lines.filter(line_refunds__state=LineRefund.State.DUE).distinct():
        try:
            refunds.push(line, at=at)
        except StripeFailed:
            continue  # it stays due, and what it reserved counts as gone


def _take(row: Chargeback, order: Order, *, at: datetime) -> None:
    """Mirror what the bank took, divided over the lines by what is left of each; the rest is the store's loss."""
    rest_name = f"{_key(row)}:rest"
    if LineChargeback.objects.filter(chargeback=row).exists() or Transfer.objects.filter(reference=rest_name).exists():
        return
    lines = list(order.lines.select_related("order").order_by("position"))
    left = {line.pk: line.amount_minor - line.returned_minor for line in lines}
    taken = min(row.withdrawn_minor, sum(left.values()))
    parts = allocate(taken, sorted(left.items())) if taken else {}
    for line in lines:
        part = parts.get(line.pk, 0)
        if part:
            _undo(line, whole=False, at=at)
            returns.give_back(line, part, reference=_reference(line, row), kind=KIND, at=at)
            LineChargeback.objects.create(line=line, chargeback=row, amount_minor=part)
            OrderLine.objects.filter(pk=line.pk).update(returned_minor=F("returned_minor") + part)
    order.lines.filter(state=Line.PAID).update(state=Line.CHARGEBACK, state_reason="the buyer's bank decides")
    rest = Money.of(row.withdrawn_minor - taken, row.currency).micros
    if rest:
        legs = [
            ledger.debit(accounts.losses(row.currency), rest),
            ledger.credit(accounts.stripe_balance(row.currency), rest),
        ]
        ledger.post(rest_name, kind=KIND, legs=legs, at=at)


def _undo(line: OrderLine, *, whole: bool, at: datetime) -> None:
    """Put back what was taken off the payees' parts, so that the mirror finds its accounts as the sale left them."""
    for undone in deductions.undo(line, whole=whole, at=at):
        debts.carry(undone, at=at)


def _put_back(row: Chargeback, order: Order, *, at: datetime) -> None:
    """All that was taken is put back by exact mirrors. Banks put back the whole or nothing."""
    if row.reinstated_minor != row.withdrawn_minor:
        text = f"Of {row.withdrawn_minor} only {row.reinstated_minor} minor units came back. Post them by hand."
        alerts.raise_alert(ChargebackMismatch.code, subject=row.stripe_dispute_id, text=text, at=at)
        return
    parts = LineChargeback.objects.filter(chargeback=row).exclude(state=Taken.PUT_BACK).select_related("line__order")
    for part in parts.order_by("line"):
        posted = Transfer.objects.get(reference=_reference(part.line, row))
        name = f"reinstated:{part.line.public_id}:{row.stripe_dispute_id}"
        debts.settle_from(ledger.reverse(posted, reference=name, at=at), at=at)
        OrderLine.objects.filter(pk=part.line_id).update(returned_minor=F("returned_minor") - part.amount_minor)
        LineChargeback.objects.filter(pk=part.pk).update(state=Taken.PUT_BACK)
    rest = Transfer.objects.filter(reference=f"{_key(row)}:rest").first()
    if rest is not None:
        ledger.reverse(rest, reference=f"{_key(row)}:rest-reinstated", at=at)
    order.lines.filter(state=Line.CHARGED_BACK, chargebacks__chargeback=row).update(state=Line.CHARGEBACK)
    Order.objects.filter(pk=order.pk, state=Order.State.CHARGED_BACK).update(state=Order.State.PAID)
    _resume(row, order)


def _lose(row: Chargeback, order: Order, *, at: datetime) -> None:
    """The buyer won: what was wholly taken back is hers no more; of what was taken in part she keeps the files."""
    gone = LineChargeback.objects.filter(chargeback=row, state=Taken.TAKEN)
    gone.update(state=Taken.LOST)
    whole = order.lines.filter(returned_minor=F("amount_minor"), chargebacks__state=Taken.LOST)
    for line in whole.filter(state__in=[Line.CHARGEBACK, Line.REFUND_DUE]).distinct():
        _undo(line, whole=True, at=at)
        OrderLine.objects.filter(pk=line.pk).update(
            state=Line.CHARGED_BACK, state_reason="taken back through the buyer's bank"
        )
    _resume(row, order)
    if (
        order.state == Order.State.PAID
        and not order.lines.exclude(state__in=[Line.CHARGED_BACK, Line.REFUNDED]).exists()
    ):
        Order.objects.filter(pk=order.pk).update(state=Order.State.CHARGED_BACK)


def _resume(row: Chargeback, order: Order) -> None:
    """Files that paused are to be had again, unless another chargeback still runs."""
    others = Chargeback.objects.filter(charge=row.charge, state=Chargeback.State.OPEN).exclude(pk=row.pk)
    if not others.exists():
        order.lines.filter(state=Line.CHARGEBACK).update(state=Line.PAID, state_reason="")


def _fee(row: Chargeback, *, at: datetime) -> None:
    """The bank's fee, as a transfer of its own; the store bears it. Some banks give it back to who wins."""
    fees, at_stripe = accounts.fees(row.currency), accounts.stripe_balance(row.currency)
    for name, minor, debited, credited in (
        ("fee", row.fee_minor, fees, at_stripe),
        ("fee-returned", row.fee_returned_minor, at_stripe, fees),
    ):
        micros = Money.of(minor, row.currency).micros
        if micros:
            legs = [ledger.debit(debited, micros), ledger.credit(credited, micros)]
            ledger.post(f"{_key(row)}:{name}", kind=f"{KIND}_FEE", legs=legs, at=at)


def _say(row: Chargeback, order: Order) -> None:
    """While it runs the order says so; finance staff see it in their list."""
    if row.state == Chargeback.State.OPEN:
        Order.objects.filter(pk=order.pk).update(alert=PAUSED)
    else:
        Order.objects.filter(pk=order.pk, alert=PAUSED).update(alert="")


def _reference(line: OrderLine, row: Chargeback) -> str:
    return f"chargeback:{line.public_id}:{row.stripe_dispute_id}"


def _key(row: Chargeback) -> str:
    return f"chargeback:{row.stripe_dispute_id}"
