"""Fixtures of the journeys: the Stripe sandbox, and a sale up to any point of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import Release
from payments.models import Charge, StripeEvent
from store import baskets, checkout, tasks
from store.models import Offer, Order, User
from tests.factories.store import make_user
from tests.fakes import StripeFake, stripe_sandbox  # noqa: F401 - a fixture


@dataclass
class Shop:
    """One buyer, Alice, and what she does; time moves only where a test moves it."""

    stripe: StripeFake
    alice: User = field(default_factory=lambda: make_user("Alice"))
    client: Client = field(default_factory=Client)

    def basket_of(self, *releases: Release, whole: bool = True) -> Any:
        basket = baskets.open_basket(user=self.alice, session_key=None, currency="EUR")
        for release in releases:
            for offer in Offer.objects.filter(
                **({"release": release} if whole else {"track__release": release}), closed_at=None
            ):
                baskets.add(basket, offer)
        return basket

    def order(self, *releases: Release, country: str = "DE", key: str = "k1", whole: bool = True) -> Order:
        basket = self.basket_of(*releases, whole=whole)
        return checkout.place_order(
            basket, buyer=self.alice, country=country, evidence={}, consent=True, request_key=key, at=timezone.now()
        )

    def pay(self, order: Order) -> None:
        self.stripe.pay(checkout.start_payment(order, at=timezone.now()))

    def pay_later(self, order: Order) -> str:
        """Tell the bank to pay; returns the page on which the bank answers."""
        page = checkout.start_payment(order, at=timezone.now())
        self.stripe.pay_later(page)
        return page

    def charge_back(self, order: Order, **how: Any) -> str:
        """The buyer disputes her payment at her bank; returns Stripe's name of it."""
        intent = Charge.objects.get(reference=order.number).stripe_payment_intent_id
        charge = next(one["id"] for one in self.stripe.objects("charge") if one["payment_intent"] == intent)
        return str(self.stripe.sandbox.chargebacks.open(charge, **how)["id"])

    def deliver_webhooks(self, *types: str) -> list[int]:
        """Hand over what Stripe sends, and let the worker handle it; the answers' statuses."""
        answers = [self.post(one.body, one.signature) for one in self.stripe.webhooks(*types)]
        self.work()
        return answers

    def post(self, body: bytes, signature: str) -> int:
        response = self.client.post(
            "/stripe/webhook", body, content_type="application/json", headers={"stripe-signature": signature}
        )
        return response.status_code

    def work(self) -> None:
        for event in StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).order_by("pk"):
            tasks.handle_stripe_event(event.pk)

    def bought(self, *releases: Release, **how: Any) -> Order:
        order = self.order(*releases, **how)
        self.pay(order)
        self.deliver_webhooks()
        order.refresh_from_db()
        return order


@pytest.fixture
def shop(db: None, settings: Any, stripe_sandbox: StripeFake) -> Shop:  # noqa: F811
    return Shop(stripe_sandbox)


def later(**over: int) -> datetime:
    return timezone.now() + timedelta(**over)
