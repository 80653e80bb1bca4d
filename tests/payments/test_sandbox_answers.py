"""The stand-in speaks Stripe's HTTP: what Stripe's own library knows is taken, what it does not know is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import stripe

from payments.sandbox import annotations, visitor
from payments.sandbox.errors import ApiError
from tests.fakes import SECRET_KEY, StripeFake

pytest_plugins = ["tests.fakes"]


@pytest.fixture
def api(stripe_sandbox: StripeFake) -> stripe.StripeClient:
    return stripe.StripeClient(SECRET_KEY, base_addresses={"api": stripe_sandbox.address})


def session_params(**over: Any) -> Any:
    price = {"currency": "eur", "unit_amount": 500, "product_data": {"name": "Nocturne <b>"}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "http://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.example/basket",
    } | over


def post(fake: StripeFake, path: str, data: dict[str, str], **headers: str) -> requests.Response:
    return requests.post(fake.address + path, data=data, auth=(SECRET_KEY, ""), headers=headers, timeout=10)
