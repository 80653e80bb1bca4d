"""Credit that was bought and paid, without Stripe: the rows and entries that the acts would have left."""

import itertools

from django.db import transaction
from django.utils import timezone

from payments import accounts, ledger, wallets
from payments.money import Money
from store import credit, gift_cards
from store.models import CreditPurchase, User

_numbers = itertools.count(1)


def make_credit(user: User, minor: int = 2000) -> CreditPurchase:
    """`minor` more in the buyer's wallet."""
    purchase = _paid(user, minor, kind="TOP_UP")
    wallet, source = wallets.open_wallet(credit.owner(user), "EUR"), accounts.stripe_balance("EUR")
    with transaction.atomic():
        wallets.put(
            wallet, Money.of(minor, "EUR"), source=source, reference=f"credit:{purchase.number}", kind="CREDIT_BOUGHT",
            at=timezone.now(),
        )  # fmt: skip
    return purchase


def make_gift_card(
    user: User, minor: int = 2000, *, recipient: str = "charlie@example.org", message: str = ""
) -> CreditPurchase:
    purchase = _paid(
        user, minor, kind="GIFT_CARD", recipient_email=recipient, message=message, deliver_on=timezone.now().date()
    )
    micros = Money.of(minor, "EUR").micros
    with transaction.atomic():
        legs = [ledger.debit(accounts.stripe_balance("EUR"), micros), ledger.credit(accounts.gift_cards("EUR"), micros)]
        ledger.post(f"gift-card:{purchase.number}", kind="GIFT_CARD_SOLD", legs=legs, at=timezone.now())
        gift_cards.make(purchase, at=timezone.now())
    return purchase


def _paid(user: User, minor: int, **over: object) -> CreditPurchase:
    number, now = f"CR-TEST-{next(_numbers)}", timezone.now()
    fields = {
        "number": number, "buyer": user, "currency": "EUR", "amount_minor": minor, "state": "PAID",
        "request_key": number, "request_sha256": "0" * 64, "placed_at": now, "paid_at": now, **over,
    }  # fmt: skip
    return CreditPurchase.objects.create(**fields)
