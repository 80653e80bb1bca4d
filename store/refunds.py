"""Money back for a line, whole or in part: decided once, asked of Stripe, and mirrored when Stripe says it is done.

A line that is due for refund as a whole can no longer be downloaded; a part leaves the buyer's right as it is. `push`
may be run again at any moment: the sweep does.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum

from payments import alerts, charges, debts
from payments.models import Charge, Refund
from payments.money import Money
from store import credit, deductions, disputes, returns
from store.errors import RefundRefused
from store.models import Download, LineRefund, Order, OrderLine, VatCheck

KIND = "REFUND"
SYSTEM = "task:refunds"
State = OrderLine.State
PAID_STATES = (State.PAID, State.REFUND_DUE)


def refund_line(
    line: OrderLine, *, reason: str, at: datetime, actor: str = SYSTEM, amount_minor: int | None = None
) -> OrderLine:
    """Give a paid line back, or `amount_minor` of it; the whole rest where none is given or all of it is.

    The whole twice is once. Raises RefundRefused for what was never paid, for more than is left, and while a bank
    decides about it; raises StripeFailed to try later.
    """
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.select_related("order").get(pk=line.pk)
        if line.state not in (State.REFUND_DUE, State.REFUNDED):
            _decide(line, amount_minor, reason=reason, actor=actor, at=at)
        elif amount_minor is not None:
            raise RefundRefused("This is being given back as a whole already.")
    return push(line, at=at)


def refund_tax(order: Order, *, check: VatCheck, actor: str, at: datetime) -> list[LineRefund]:
    """Give back the tax of a business's order whose VAT number VIES confirmed after the sale; twice is once.

    Of a line of which a part went back already, or that a bank holds, nothing is given: its tax is looked at by people.
    Raises RefundRefused where no line is left whole; raises StripeFailed to try later (`push` goes on by itself).
    """
    reason = f"VAT number confirmed: {check.vat_id}"
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=order.pk)
        rows = order.lines.select_related("order").filter(state=State.PAID, returned_minor=0, tax_minor__gt=0)
        lines = list(rows.order_by("position"))
        given = [_decide(line, line.tax_minor, reason=reason, actor=actor, at=at, check=check) for line in lines]
    if not given and not LineRefund.objects.filter(line__order=order, vat_check__isnull=False).exists():
        raise RefundRefused("No line of this order is paid and whole: correct it by hand.")
    for line in lines:
        push(line, at=at)
    return given


def _decide(
    line: OrderLine, amount_minor: int | None, *, reason: str, actor: str, at: datetime, check: VatCheck | None = None
) -> LineRefund:
    """Keep the decision and what it reserves. The caller holds the order's lock."""
    if line.state == State.CHARGEBACK:
        raise RefundRefused("The buyer's bank holds this money while it decides; it cannot be given back twice.")
    if not line.amount_minor:
        raise RefundRefused("This was given away: nothing was paid for it, so there is nothing to give back.")
    if line.state not in PAID_STATES:
        raise RefundRefused("Nothing was paid for this, so there is nothing to give back.")
    left = line.amount_minor - line.returned_minor
    amount = left if amount_minor is None else amount_minor
    if not 0 < amount <= left:
        rest = Money.of(left, line.order.currency)
        raise RefundRefused(
            f"Of this purchase {rest.decimal} {rest.currency} are left to give back; give that or less, above nought."
        )
    whole = amount == left
    to_card = min(amount, _card_left(line))
    number = LineRefund.objects.filter(line=line).count()
    refund = LineRefund.objects.create(
        line=line,
        reference=refund_reference(line) if whole and not number else f"{refund_reference(line)}:{number + 1}",
        amount_minor=amount,
        credit_minor=amount - to_card,
        whole=whole,
        reason=reason[:200],
        actor=actor,
        decided_at=at,
        vat_check=check,
    )
    line.returned_minor += amount
    if whole and line.state == State.PAID:
        line.state, line.state_reason = State.REFUND_DUE, reason[:200]
    line.save(update_fields=["state", "state_reason", "returned_minor"])
    return refund


def push(line: OrderLine, *, at: datetime) -> OrderLine:
    """Ask Stripe for each refund of a line that is due, or for what became of it, and keep the answers.

    A line that became due without a decision (taken down before it was paid, recalled) gets one here.
    """
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.select_related("order").get(pk=line.pk)
        undecided = line.state == State.REFUND_DUE and not line.line_refunds.filter(whole=True).exists()
        if undecided:
            _decide(line, None, reason=line.state_reason, actor=SYSTEM, at=at)
    charge = Charge.objects.filter(reference=line.order.number).first()
    for due in line.line_refunds.filter(state=LineRefund.State.DUE).order_by("pk"):
        if due.amount_minor == due.credit_minor:
            _settle_refund(due, Refund.State.SUCCEEDED, at=at)
            continue
        if charge is None:
            continue
        refund = Refund.objects.filter(reference=due.reference).first()
        if refund is None:
            amount = Money.of(due.amount_minor - due.credit_minor, line.order.currency)
            refund = charges.refund_charge(charge, amount, reference=due.reference)
        else:
            refund = charges.read_refund(refund)
        conclude(refund, at=at)
    return OrderLine.objects.get(pk=line.pk)


def due() -> QuerySet[OrderLine]:
    """The lines whose money is on its way back, or should be; what failed waits for a person."""
    open_ones = Q(line_refunds__state=LineRefund.State.DUE)
    undecided = Q(state=State.REFUND_DUE) & ~Q(line_refunds__whole=True)
    return OrderLine.objects.filter(open_ones | undecided).distinct()


def again(refund: LineRefund, *, actor: str, at: datetime) -> OrderLine:
    """Decide once more on what the bank refused, because the buyer has a working account again, say."""
    if refund.state != LineRefund.State.FAILED:
        raise RefundRefused("This refund did not fail; there is nothing to ask again.")
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=refund.line.order_id)
        line = OrderLine.objects.select_related("order").get(pk=refund.line_id)
        _decide(line, refund.amount_minor, reason=refund.reason, actor=actor, at=at, check=refund.vat_check)
    return push(line, at=at)


def conclude(refund: Refund, *, at: datetime) -> OrderLine | None:
    """Put the consequence of a refund in place; None where the refund is of no line of ours."""
    decided = LineRefund.objects.filter(reference=refund.reference).select_related("line__order").first()
    if decided is None:
        return None
    _settle_refund(decided, refund.state, at=at)
    return OrderLine.objects.get(pk=decided.line_id)


def _settle_refund(decided: LineRefund, state: str, *, at: datetime) -> None:
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=decided.line.order_id)
        decided = LineRefund.objects.select_related("line__order").get(pk=decided.pk)
        if decided.state == LineRefund.State.DUE:
            if state == Refund.State.FAILED:
                _failed(decided, at=at)
            elif state == Refund.State.SUCCEEDED:
                _done(decided, order, at=at)


def _card_left(line: OrderLine) -> int:
    """What of the line was paid by card and has not gone back there: that goes back first, then the credit."""
    order = Order.objects.get(pk=line.order_id)
    by_credit = credit.paid_of(order, list(order.lines.all()))[line.pk] if order.credit_minor else 0
    standing = LineRefund.objects.filter(line=line).exclude(state=LineRefund.State.FAILED)
    back = standing.aggregate(sum=Sum(F("amount_minor") - F("credit_minor")))["sum"] or 0
    return line.amount_minor - by_credit - int(back)


def _done(decided: LineRefund, order: Order, *, at: datetime) -> None:
    line = decided.line
    if decided.whole:
        disputes.undo(line, at=at)
    if decided.vat_check_id is None:
        for undone in deductions.undo(line, whole=decided.whole, at=at):
            debts.carry(undone, at=at)
    give = returns.give_back if decided.vat_check_id is None else returns.give_tax_back  # tax was never a payee's
    give(line, decided.amount_minor, reference=decided.reference, kind=KIND, at=at)
    credit.put_back(order, decided.credit_minor, reference=decided.reference, at=at)
    LineRefund.objects.filter(pk=decided.pk).update(state=LineRefund.State.DONE, closed_at=at)
    if decided.whole and line.state == State.REFUND_DUE:
        line.state, line.refunded_at = State.REFUNDED, at
        line.save(update_fields=["state", "refunded_at"])
    if not order.lines.exclude(state__in=[State.REFUNDED, State.CHARGED_BACK]).exists():
        order.state = Order.State.REFUNDED
        order.save(update_fields=["state"])


def _failed(decided: LineRefund, *, at: datetime) -> None:
    """Stripe or the buyer's bank refused: what was reserved is free again, and finance staff are told."""
    line = decided.line
    LineRefund.objects.filter(pk=decided.pk).update(state=LineRefund.State.FAILED, closed_at=at)
    OrderLine.objects.filter(pk=line.pk).update(returned_minor=F("returned_minor") - decided.amount_minor)
    Order.objects.filter(pk=line.order_id).update(
        alert=f"The refund of “{line.title}” could not be paid out. We look at it and write to you."[:300]
    )
    alerts.raise_alert(
        "REFUND_FAILED",
        subject=line.order.number,
        text=f"The refund of “{line.title}” ({decided.reference}) was refused. Ask again, or pay in another way.",
        at=at,
    )


# -- What buyers may ask for by themselves -----------------------------------------------------------------------------


def why_not(line: OrderLine, *, at: datetime, fetched: bool) -> str:
    """Why the buyer may not take this line back by herself; empty where she may. `fetched`: she has begun to download.

    The operator says for how many days (REFUND_DAYS), and whether also after a download (REFUND_AFTER_DOWNLOAD).
    """
    last = until(line.order)
    if line.state != State.PAID or last is None or not line.amount_minor:
        return "There is nothing to give back."
    if at >= last:
        return f"It can be returned within {settings.REFUND_DAYS} days of paying."
    if line.order.is_gift and line.order.owner_id is not None:
        return "Your friend has claimed it; it is no longer yours to give back."
    if fetched and not settings.REFUND_AFTER_DOWNLOAD:
        return "You have downloaded it; write to us if something is wrong with it."
    return ""


def until(order: Order) -> datetime | None:
    """The last moment at which a buyer may give something of a paid order back by herself."""
    return order.paid_at and order.paid_at + timedelta(days=settings.REFUND_DAYS)


def fetched(lines: Sequence[OrderLine]) -> set[int]:
    """The keys of those lines of which a file was begun to be fetched. One query."""
    rows = Download.objects.filter(line__in=[line.pk for line in lines], first_used_at__isnull=False)
    return set(rows.values_list("line", flat=True))


def ask(line: OrderLine, *, reason: str, at: datetime) -> OrderLine:
    """The buyer takes her line back within the operator's window. Raises RefundRefused with why she may not.

    The purchase is taken from her library first, in the transaction that looked whether she has fetched it.
    """
    reason = reason.strip()
    if not reason:
        raise RefundRefused("Say in a word why you give it back; it helps the label.")
    with transaction.atomic(durable=True):
        Order.objects.select_for_update().get(pk=line.order_id)
        line = OrderLine.objects.select_related("order").select_for_update(of=("self",)).get(pk=line.pk)
        refused = why_not(line, at=at, fetched=line.pk in fetched([line]))
        if refused:
            raise RefundRefused(refused)
        _decide(line, None, reason=reason, actor=line.order.buyer.actor, at=at)
    return push(line, at=at)


def refund_reference(line: OrderLine) -> str:
    """The name of a line's refund, at Stripe and in the ledger; those of parts have a number after it."""
    return f"refund:{line.public_id}"


def line_of(reference: str) -> OrderLine | None:
    """The line that a refund's reference names."""
    kind, _, rest = reference.partition(":")
    try:
        key = uuid.UUID(rest.partition(":")[0])
    except ValueError:
        return None
    return OrderLine.objects.filter(public_id=key).first() if kind == "refund" else None
