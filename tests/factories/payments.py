"""Rows of payments, with only what the model needs; `post_sale` is the six-leg sale that most tests start from."""

import itertools
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from payments import accounts, ledger
from payments.models import Account, Payee, Transfer

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_payee(**over: Any) -> Payee:
    fields = {"name": "Bob's Label", "email": "bob@label.example", "country": "DE", "currency": "EUR"} | over
    return Payee.objects.create(**fields)


def make_account(payee: Payee | None = None, **over: Any) -> Account:
    return accounts.payee(payee or make_payee(), **{"currency": "EUR", **over})


def sale_legs(payee: Payee, artist: Payee) -> list[ledger.Leg]:
    """1.29 EUR in DE: tax, 15 % commission, a work royalty of 9 % and two shares; the payment fee is left out."""
    return [
        ledger.debit(accounts.stripe_balance("EUR"), 1_290_000),
        ledger.credit(accounts.tax("DE", "EUR"), 210_000),
        ledger.credit(accounts.commission("EUR"), 162_000),
        ledger.credit(accounts.suspense("work:T-034.524.680-1", "EUR"), 97_200),
        ledger.credit(accounts.payee(payee, "EUR"), 453_480),
        ledger.credit(accounts.payee(artist, "EUR"), 367_320),
    ]


def post_sale(payee: Payee | None = None, *, reference: str = "", at: datetime = AT, **over: Any) -> Transfer:
    payee = payee or make_payee()
    artist = make_payee(name="Ann Artist", email="ann@artist.example")
    with transaction.atomic():
        return ledger.post(
            reference or f"sale:{next(_numbers)}", kind="SALE", legs=sale_legs(payee, artist), at=at, **over
        )


def post_earning(payee: Payee, micros: int, *, currency: str = "EUR", at: datetime = AT) -> Transfer:
    """The payee earns this much and nothing else happens."""
    legs = [
        ledger.debit(accounts.stripe_balance(currency), micros),
        ledger.credit(accounts.payee(payee, currency), micros),
    ]
    with transaction.atomic():
        return ledger.post(f"earning:{next(_numbers)}", kind="SALE", legs=legs, at=at)
