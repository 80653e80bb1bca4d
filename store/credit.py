"""A buyer's store credit: paid ahead, spent here only, never more than the wallet holds.

How credit comes in and goes back is `credit_purchases` and `gift_cards`; here is whose it is, what it may pay, and what
became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.numbers import format_currency
from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from payments import accounts, ledger, wallets
from payments.models import Account, Charge, Entry, Transfer, Wallet
from payments.money import Currency, Money
from store import tax
from store.models import Order, OrderLine, User


def owner(user: User) -> str:
    """Whose wallet it is, in the ledger's words."""
    return f"user:{user.pk}"


def balance(user: User, currency: str = "") -> Money:
    """What the buyer can spend, in the shop's currency unless another is asked for."""
    return wallets.balance(owner(user), currency or settings.STORE_CURRENCY)


def said(amount: Money) -> str:
    """The amount as people write it."""
    return str(format_currency(amount.decimal, amount.currency.code, locale="en"))


def cap() -> Money:
    """The most that one wallet may hold, and a card be worth: the operator's setting."""
    return Money.of(settings.CREDIT_CAP_MINOR, settings.STORE_CURRENCY)


WORDS = {
    "CREDIT_BOUGHT": "Credit bought",
    "GIFT_CARD_REDEEMED": "Gift card redeemed",
    "CREDIT_GIVEN_BACK": "Given back to where it was paid from",
    "CREDIT_KEPT": "Back here: the refund was refused",
    "CREDIT_SPENT": "Spent",
    "CREDIT_SPENT_REVERSAL": "Back from an order that was not paid",
    "CREDIT_RETURNED": "Back from a refund",
}
OF_ORDERS = frozenset({"CREDIT_SPENT", "CREDIT_SPENT_REVERSAL"})


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a wallet's history: what came in is above nought. `balance_minor` is what it held then."""

    at: datetime
    what: str
    minor: int
    balance_minor: int


def history(wallet: Wallet, *, limit: int = 100) -> list[Movement]:
    """The latest movements of a wallet, newest first. Two statements."""
    rows = list(
        Entry.objects.filter(account=wallet.account_id)
        .select_related("transfer")
        .order_by("-transfer__posted_at", "-id")[:limit]
    )
    scale = Currency(wallet.currency).micros_per_minor
    left = ledger.balance(wallet.account) // scale
    found = []
    for entry in rows:
        minor = entry.amount_micros // scale * (1 if entry.side == Entry.Side.CREDIT else -1)
        what = WORDS.get(entry.transfer.kind, entry.transfer.kind)
        order = entry.transfer.reference.partition(":")[2] if entry.transfer.kind in OF_ORDERS else ""
        found.append(Movement(entry.transfer.posted_at, f"{what}: order {order}" if order else what, minor, left))
        left -= minor
    return found


def outstanding() -> dict[str, int]:
    """Micros that the shop owes to buyers and to holders of cards, by currency: its liability. One statement."""
    kinds = [Account.Kind.BUYER_CREDIT, Account.Kind.GIFT_CARDS]
    rows = Entry.objects.filter(account__kind__in=kinds).values("currency", "side").annotate(sum=Sum("amount_micros"))
    found: dict[str, int] = {}
    for row in rows:
        sign = 1 if row["side"] == Entry.Side.CREDIT else -1
        found[row["currency"]] = found.get(row["currency"], 0) + sign * row["sum"]
    return found


# -- Spending ----------------------------------------------------------------------------------------------------------


def usable(user: User, total: Money) -> Money:
    """How much of a total the buyer's credit can pay: all of it, or as much as leaves Stripe enough to charge."""
    return _share(balance(user, total.currency.code), total)


def _share(held: Money, total: Money) -> Money:
    if total <= held:
        return total
    least = Money(total.currency.least_charge, total.currency)
    return max(min(held, total - least), Money(0, total.currency))


def use(order: Order, *, at: datetime) -> Order:
    """Let the buyer's credit pay what it can of an order that nobody has begun to pay. Again changes nothing.

    It leaves the wallet now and waits under the order's name, so that it is spent once, however many orders are open.
    """
    if settings.STRIPE_TAX and not order.reverse_charge:
        tax.vouched(order.country, at=at)  # Stripe reckons nothing that it is not paid: the table must hold for it
    with transaction.atomic(durable=True):
        row = Order.objects.select_for_update().select_related("buyer").get(pk=order.pk)
        wallet = wallets.find(owner(row.buyer), row.currency)
        begun = Charge.objects.filter(reference=row.number).exists()
        if wallet is None or begun or row.credit_minor or row.state != Order.State.PLACED:
            return row
        amount = _share(wallets.locked_balance(wallet), Money.of(row.total_minor, row.currency))
        if not amount.minor:
            return row
        reference = f"credit-spent:{row.number}"
        wallets.take(wallet, amount, to=held_account(row), reference=reference, kind="CREDIT_SPENT", at=at)
        row.credit_minor, row.next_check_at = amount.minor, at
        row.save(update_fields=["credit_minor", "next_check_at"])
    return row


def release(order: Order, *, at: datetime) -> None:
    """The order was given up unpaid: its credit is the buyer's again. In the caller's transaction, under the order's
    lock. A payment that comes all the same is then not what is asked for, and waits for a person."""
    if order.credit_minor:
        spent = Transfer.objects.get(reference=f"credit-spent:{order.number}")
        ledger.reverse(spent, reference=f"credit-released:{order.number}", at=at)
        order.credit_minor = 0
        order.save(update_fields=["credit_minor"])


def apply(order: Order, *, at: datetime) -> None:
    """The order is paid: what waited for it is spent, in the settlement's transaction.

    Its lines are posted as if all of the price had come in at Stripe now. What credit pays of it came in when the
    credit was bought, so it is taken off there again: both books then agree.
    """
    if order.credit_minor:
        micros = Money.of(order.credit_minor, order.currency).micros
        legs = [ledger.debit(held_account(order), micros)]
        legs += [ledger.credit(accounts.stripe_balance(order.currency), micros)]
        ledger.post(f"credit-applied:{order.number}", kind="CREDIT_APPLIED", legs=legs, at=at)


def paid_of(order: Order, lines: Sequence[OrderLine]) -> dict[int, int]:
    """What credit paid of each line, in minor units by the line's key: the first lines first."""
    left, found = order.credit_minor, {}
    for line in sorted(lines, key=lambda line: line.position):
        found[line.pk] = min(left, line.amount_minor)
        left -= found[line.pk]
    return found


def put_back(order: Order, minor: int, *, reference: str, at: datetime) -> None:
    """Money of a refund that credit had paid goes back into the wallet, once for each refund."""
    if minor:
        wallet = wallets.open_wallet(owner(order.buyer), order.currency)
        source, amount = accounts.stripe_balance(order.currency), Money.of(minor, order.currency)
        name = f"credit-returned:{reference}"
        wallets.put(wallet, amount, source=source, reference=name, kind="CREDIT_RETURNED", at=at)


def held_account(order: Order) -> Account:
    """Where the credit that pays for an order waits until the order is settled."""
    return accounts.suspense(f"credit-{order.number}", order.currency)
