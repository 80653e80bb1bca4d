"""Alice pays ahead; Charlie is given a card; the Stripe sandbox takes the money."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.utils import timezone

from payments.money import Money
from store import credit, credit_purchases
from store.models import CreditPurchase, User
from tests.factories.store import make_user
from tests.fakes import StripeFake, stripe_sandbox  # noqa: F401 - a fixture


@dataclass
class Till:
    """What buyers do with credit, through the acts that pages call."""

    stripe: StripeFake
    alice: User = field(default_factory=lambda: make_user("Alice"))
    charlie: User = field(default_factory=lambda: make_user("Charlie"))

    def ask(self, minor: int = 2000, *, key: str = "k1", **gift: Any) -> CreditPurchase:
        return credit_purchases.buy(
            self.alice, amount=Money.of(minor, "EUR"), request_key=key, at=timezone.now(), **gift
        )

    def pay(self, purchase: CreditPurchase) -> CreditPurchase:
        self.stripe.pay(credit_purchases.start_payment(purchase, at=timezone.now()))
        return credit_purchases.settle(purchase, at=timezone.now())

    def bought(self, minor: int = 2000, **how: Any) -> CreditPurchase:
        return self.pay(self.ask(minor, **how))

    def card(self, minor: int = 2000, **how: Any) -> CreditPurchase:
        return self.bought(minor, **{"recipient": "charlie@example.org", **how})

    def held(self, user: User | None = None) -> int:
        return credit.balance(user or self.alice).minor


@pytest.fixture
def till(db: None, stripe_sandbox: StripeFake) -> Till:  # noqa: F811
    return Till(stripe_sandbox)
