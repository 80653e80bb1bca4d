"""A buyer's store credit: paid ahead, spent here only, never more than the wallet holds.

How credit comes in and goes back is `credit_purchases` and `gift_cards`; here is whose it is, what it may pay, and what
became of it.
"""

from dataclasses import dataclass
from datetime import datetime

from babel.numbers import format_currency
from django.conf import settings
from django.db.models import Sum

from payments import accounts, ledger, wallets
from payments.models import Account, Entry, Wallet
from payments.money import Currency, Money
from store.models import Order, User


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
        order = entry.transfer.reference.partition(":")[2] if entry.transfer.kind.startswith("CREDIT_SPENT") else ""
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
    held = balance(user, total.currency.code)
    if total <= held:
        return total
    least = Money(total.currency.least_charge, total.currency)
    return max(min(held, total - least), Money(0, total.currency))


def held_account(order: Order) -> Account:
    """Where the credit that pays for an order waits until the order is settled."""
    return accounts.suspense(f"credit-{order.number}", order.currency)


def hold(order: Order, amount: Money, *, at: datetime) -> None:
    """Take what credit pays of an order out of the wallet, in the transaction that places the order."""
    if amount.minor:
        wallet = wallets.open_wallet(owner(order.buyer), order.currency)
        reference = f"credit-spent:{order.number}"
        wallets.take(wallet, amount, to=held_account(order), reference=reference, kind="CREDIT_SPENT", at=at)
