"""A paid order becomes money in the ledger, certificates, and files in the library: once, whoever asks and how often.

The webhook's task, the page a buyer lands on after paying, and the sweep all call `settle_order`. What Stripe says is
read again first, with no transaction open; then one durable transaction does everything or nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from licensing.models import ClearanceDecision
from licensing.verdicts import Verdict
from payments import accounts, alerts, charges, ledger
from payments.errors import ChargeMismatch as StripeMismatch
from payments.models import Account, Charge
from payments.money import Money
from store import certificates, clearing, credit, deductions, disputes, letters, locations, sold, stripe_tax
from store.errors import ChargeMismatch, StoreError
from store.models import BasketLine, Certificate, LineRefund, Order, OrderLine, OrderLineTrack
from store.royalties import Leg, Split
from store.sold import Sold, Tracks

SOONEST = timedelta(seconds=60)
LATEST = timedelta(hours=1)
GIVE_UP = timedelta(days=3)
PAYMENT_LOOKED_AT = "Your payment does not fit this order. We look at it and write to you; nothing is lost."
State = Order.State
SETTLED = (State.PAID, State.REFUNDED, State.CHARGED_BACK)
TO_PAY = (State.PLACED, State.FAILED)
UNPAID = (State.PLACED, State.FAILED, State.CANCELLED)
STOPPING = {"TAKEN_DOWN", "LEGAL_HOLD"}


def settle_order(order: Order, *, at: datetime) -> Order:
    """Settle the order if Stripe says it is paid, and return it as it stands.

    An order that is not paid yet comes back unchanged, a settled one as it is. Raises ChargeMismatch, and leaves an
    alert on the order, where what was paid is not what was asked: then nothing is delivered or posted. A line whose
    music was taken down since it was ordered is not delivered but due for refund (docs/orders.md).
    """
    if order.due_minor == 0:
        return _settle_without_stripe(order, at=at)
    charge = Charge.objects.filter(reference=order.number).first()
    if charge is None or order.state in SETTLED:
        return Order.objects.get(pk=order.pk)
    try:
        charge = charges.read_charge(charge)
    except StripeMismatch as error:
        raise _alert(order, str(error), at=at) from error
    if charge.state == Charge.State.REFUNDED:
        raise _alert(order, "Stripe has given this payment back before it was settled. Look at it by hand.", at=at)
    if charge.state != Charge.State.PAID:
        return _wait(order, charge, at=at)
    if (charge.amount_minor, charge.currency) != (order.due_minor, order.currency):
        raise _alert(
            order, f"The charge is for {charge.amount_minor} {charge.currency} (minor units), not what is due.", at=at
        )
    try:
        taxed = stripe_tax.reckoned(order, charge)
    except StoreError as error:
        raise _alert(order, error.message, at=at) from error
    clearing.refresh(_recordings(order), at=at, actor="task:settlement")
    with transaction.atomic(durable=True):
        stripe_tax.apply(order, taxed)
        found = sold.lock(order, unless=SETTLED)
        if found.chart is not None:
            _settle(found, found.chart, charge, at=at)
    return found.order


def _settle_without_stripe(order: Order, *, at: datetime) -> Order:
    """Deliver an order that costs nothing, or that credit pays whole: no payment, and no fee to wait for."""
    clearing.refresh(_recordings(order), at=at, actor="task:settlement")
    with transaction.atomic(durable=True):
        found = sold.lock(order, unless=[state for state in State.values if state != State.PLACED])
        if found.chart is not None:
            _settle(found, found.chart, None, at=at)
            found.order.fee_posted_at, found.order.next_check_at = at, None
            found.order.save(update_fields=["fee_posted_at", "next_check_at"])
    return found.order


def _wait(order: Order, charge: Charge, *, at: datetime) -> Order:
    """What the order says while its money is on its way for days, and when the bank has refused."""
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=order.pk)
        if charge.state == Charge.State.PROCESSING and order.state in UNPAID:
            order.state, order.next_check_at = State.PENDING, at + LATEST
            _empty_basket(order)
        elif charge.state == Charge.State.FAILED and order.state == State.PENDING:
            order.state = State.FAILED
            _tell_failed(order, at=at)
        else:
            return order
        order.save(update_fields=["state", "next_check_at"])
    return order


def _empty_basket(order: Order) -> None:
    bought = order.lines.values("offer")
    BasketLine.objects.filter(basket__user=order.buyer_id, offer__in=bought).delete()


def _tell_failed(order: Order, *, at: datetime) -> None:
    letters.owe(
        "payment failed",
        about=f"{order.number}:{order.next_check_at}",
        to=[order.email],
        subject=f"Your payment for order {order.number} did not come through",
        at=at,
        template="payment_failed",
        order=order,
        link=f"{settings.SITE_URL}{reverse('order', args=[order.public_id])}",
    )


def check_order(order: Order, *, at: datetime) -> Order:
    """Look after an order whose webhook may never come, and put the next look at a growing distance.

    A paid one is settled, its fee is posted once Stripe has told it; one that nobody paid for days is cancelled.
    """
    order = settle_order(order, at=at)
    if order.state == Order.State.PAID and order.fee_posted_at is None:
        charge = Charge.objects.get(reference=order.number)
        if charge.fee_minor is None:
            charge = charges.read_charge(charge)
        post_fee(order, charge, at=at)
        order.refresh_from_db()
    age = at - order.placed_at
    abandoned = order.state in TO_PAY and age > GIVE_UP
    done = order.fee_posted_at is not None or abandoned
    if abandoned:
        give_up(order, at=at)
    later = None if done or age > 10 * GIVE_UP else at + min(max(age / 4, SOONEST), LATEST)
    Order.objects.filter(pk=order.pk).update(next_check_at=later)
    return Order.objects.get(pk=order.pk)


def give_up(order: Order, *, at: datetime) -> Order:
    """Cancel an order that nobody can pay any more, and put its credit back; one that was paid meanwhile is returned
    as it stands."""
    with transaction.atomic(durable=True):
        row = Order.objects.select_for_update().get(pk=order.pk)
        if row.state in TO_PAY:
            credit.release(row, at=at)
            row.state, row.cancelled_at = State.CANCELLED, at
            row.save(update_fields=["state", "cancelled_at"])
    return row


def post_fee(order: Order, charge: Charge, *, at: datetime) -> None:
    """Post Stripe's fee as a transfer of its own, once, when Stripe has told it.

    The store's commission bears it; or the holders by the terms of the order, and then their shares of it are taken
    now, with what could not be taken before it was known.
    """
    if charge.fee_minor is None:
        return
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update().get(pk=order.pk)
        if order.fee_posted_at is not None or order.paid_at is None:
            return
        micros = Money.of(charge.fee_minor, charge.currency).micros
        if micros:
            legs = [
                ledger.debit(accounts.fees(charge.currency), micros),
                ledger.credit(accounts.stripe_balance(charge.currency), micros),
            ]
            ledger.post(f"fee:{order.number}", kind="FEE", legs=legs, at=at)
        lines = list(_untouched(order).select_related("order").order_by("position"))
        if deductions.wait_for_fee(lines):
            deductions.take(order, lines, fee_micros=micros, at=at)
        Order.objects.filter(pk=order.pk).update(fee_posted_at=at)


def _untouched(order: Order) -> QuerySet[OrderLine]:
    """The paid lines that bear deductions: of what went back nothing is taken, but tax was never a payee's."""
    tax_back = LineRefund.objects.filter(line=OuterRef("pk"), vat_check__isnull=False)
    only_tax = Exists(tax_back.exclude(state=LineRefund.State.FAILED)) & Q(returned_minor=F("tax_minor"))
    return order.lines.filter(Q(returned_minor=0) | only_tax, state=OrderLine.State.PAID)


def sale_reference(line: OrderLine) -> str:
    """The name of a line's sale in the ledger."""
    return f"sale:{line.public_id}"


def held_reference(line: OrderLine) -> str:
    """The name under which the money of a line that may not be delivered waits for its refund."""
    return f"held:{line.public_id}"


def _settle(found: Sold, known: accounts.Chart, charge: Charge | None, *, at: datetime) -> None:
    order, lines = found.order, found.lines
    stopped = _stopped(found.tracks, found.decided, order.country)
    delivered = [line for line in lines if line.pk not in stopped]
    issued = certificates.issue(delivered, tracks=found.tracks, at=at)
    chart = _Chart(known)
    held = disputes.in_dispute(found.decided, country=order.country)
    for line in lines:
        if not line.amount_minor:
            continue  # nothing was paid for it, so nothing is posted: its certificate stands alone
        if line.pk in stopped:
            _hold(line, chart, at=at)
        else:
            _post(line, issued[line.pk], chart, held, at=at)
    credit.apply(order, at=at)
    paid = [line for line in delivered if line.amount_minor]
    if charge is None or not deductions.wait_for_fee(paid):  # where Stripe took nothing there is no fee to wait for
        deductions.take(order, paid, advanced=found.advanced, at=at)
    if stopped:
        _stop(stopped)
    order.state = Order.State.PAID
    order.paid_at = (charge.paid_at if charge else None) or at
    order.alert = ""
    order.next_check_at = at + SOONEST
    order.card_country = charge.card_country if charge else ""
    order.location = locations.judge(
        order.country,
        network=order.country_evidence.get("network", ""),
        card=order.card_country,
        wanted=settings.LOCATION_PROOFS,
    )
    _deliver(order, delivered)


# What was sold leaves the basket and is the buyer's, in one statement: each part touches rows of its own.
_DELIVER = """
WITH emptied AS (
    DELETE FROM store_basketline USING store_basket b WHERE basket_id = b.id AND b.user_id = %(buyer)s
       AND offer_id IN (SELECT offer_id FROM store_orderline WHERE order_id = %(order)s)
), delivered AS (
    UPDATE store_orderline SET state = 'PAID' WHERE id = ANY(%(lines)s)
)
UPDATE store_order SET state = %(state)s, paid_at = %(paid_at)s, alert = %(alert)s, next_check_at = %(next_check_at)s,
       card_country = %(card_country)s, location = %(location)s
 WHERE id = %(order)s
"""


def _deliver(order: Order, lines: Sequence[OrderLine]) -> None:
    moved = ("state", "paid_at", "alert", "next_check_at", "card_country", "location")
    values: dict[str, Any] = {name: getattr(order, name) for name in moved}
    values |= {"buyer": order.buyer_id, "order": order.pk, "lines": [line.pk for line in lines]}
    with connection.cursor() as cursor:
        cursor.execute(_DELIVER, values)


def _stop(lines: Iterable[int]) -> None:
    """What was taken down after it was ordered is not delivered; what was paid for it is due for refund."""
    rows = OrderLine.objects.filter(pk__in=lines)
    why = "taken down after it was ordered"
    rows.filter(amount_minor=0).update(state=OrderLine.State.CANCELLED, state_reason=why)
    rows.filter(amount_minor__gt=0).update(state=OrderLine.State.REFUND_DUE, state_reason=why)


def _stopped(tracks: Tracks, decided: Mapping[int, ClearanceDecision], country: str) -> set[int]:
    """The lines with a recording that was taken down, or frozen, since it was ordered."""
    codes = {
        key: set()
        if country in decision.cleared_countries
        else {*Verdict.from_data(decision.verdict).codes_in(country)}
        for key, decision in decided.items()
    }
    return {
        line for line, rows in tracks.items() if any(STOPPING & codes.get(track.recording, set()) for track in rows)
    }


def _post(line: OrderLine, certificate: Certificate, chart: "_Chart", held: disputes.Layers, *, at: datetime) -> None:
    """One balanced transfer for the line, with its certificate's hash. What is in dispute waits under its subject."""
    split = Split.from_json(line.split)
    disputes.keep(line, split.legs, held, currency=chart.currency, at=at)
    sums: dict[int, int] = {}
    for leg in split.legs:
        account = chart.waiting(leg) if disputes.covers(held, leg) else chart.of(leg)
        sums[account.pk] = sums.get(account.pk, 0) + leg.micros
    legs = [ledger.debit(chart.stripe, split.micros)]
    legs += [ledger.credit(chart.known[key], micros) for key, micros in sorted(sums.items())]
    ledger.post(sale_reference(line), kind="SALE", legs=legs, document_sha256=certificate.sha256, at=at)


def _hold(line: OrderLine, chart: "_Chart", *, at: datetime) -> None:
    """Money for a line that may not be delivered: it belongs to the buyer and waits for the refund."""
    micros = Money.of(line.amount_minor, chart.currency).micros
    waiting = accounts.suspense(f"refund-{line.public_id}", chart.currency)
    legs = [ledger.debit(chart.stripe, micros), ledger.credit(waiting, micros)]
    ledger.post(held_reference(line), kind="SALE_HELD", legs=legs, at=at)


class _Chart:
    """The accounts of one settlement."""

    def __init__(self, chart: accounts.Chart) -> None:
        self.currency = chart.currency
        self.chart = chart
        self.stripe = chart.stripe_balance()
        self.known: dict[int, Account] = {}

    def of(self, leg: Leg) -> Account:
        account = self._find(leg)
        return self.known.setdefault(account.pk, account)

    def waiting(self, leg: Leg) -> Account:
        """Where a part of the price waits whose right is in dispute."""
        account = disputes.account_of(leg.recording or 0, leg.kind, self.currency)
        return self.known.setdefault(account.pk, account)

    def _find(self, leg: Leg) -> Account:
        if leg.kind == "TAX":
            return self.chart.tax(leg.label)
        if leg.kind == "COMMISSION":
            return self.chart.commission()
        return self.chart.payee(leg.payee) if leg.payee else self.chart.holder(leg.holder or 0)


def _recordings(order: Order) -> QuerySet[OrderLineTrack, Any]:
    return OrderLineTrack.objects.filter(line__order=order).values("track__recording")


def _alert(order: Order, message: str, *, at: datetime) -> ChargeMismatch:
    Order.objects.filter(pk=order.pk).update(alert=PAYMENT_LOOKED_AT)
    alerts.raise_alert(ChargeMismatch.code, subject=order.number, text=message, at=at)
    return ChargeMismatch(message, order=order.number)
