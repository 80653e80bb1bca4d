"""Sales and refunds as rows of the ledger, for the papers that stand for them."""

from datetime import UTC, datetime

from django.db import transaction

from payments import accounts, ledger
from payments.models import Transfer
from payments.money import Currency
from store import settlement
from store.models import Order, OrderLine

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def settle(order: Order, *, at: datetime = NOW) -> Order:
    """A placed order becomes paid, with its lines' transfers; all but the tax goes to the commission."""
    unit = Currency(order.currency).micros_per_minor
    with transaction.atomic():
        for line in order.lines.all():
            legs = [
                ledger.debit(accounts.stripe_balance(order.currency), line.amount_minor * unit),
                ledger.credit(accounts.commission(order.currency), (line.amount_minor - line.tax_minor) * unit),
            ]
            if line.tax_minor:
                legs.append(ledger.credit(accounts.tax(order.country, order.currency), line.tax_minor * unit))
            ledger.post(settlement.sale_reference(line), kind="SALE", legs=legs, at=at)
        Order.objects.filter(pk=order.pk).update(state="PAID", paid_at=at)
    return order


def give_back(
    line: OrderLine, minor: int, tax_micros: int, *, name: str = "refund", part: str = "", at: datetime = NOW
) -> Transfer:
    """A part of a line that goes back to its buyer."""
    order = line.order
    gross = minor * Currency(order.currency).micros_per_minor
    legs = [
        ledger.debit(accounts.tax(order.country, order.currency), tax_micros),
        ledger.debit(accounts.commission(order.currency), gross - tax_micros),
        ledger.credit(accounts.stripe_balance(order.currency), gross),
    ]
    with transaction.atomic():
        return ledger.post(f"{name}:{line.public_id}{part}", kind=name.upper(), legs=legs, at=at)
