"""Advances: what a rights holder gave a payee ahead of its earnings, by contract, and how much has come back.

The money itself was given outside the store. From the day it is recorded, the payee's part of what that holder earns is
kept until the advance is whole, and credited to the payee that the holder names; `deductions` does it, line by line.
"""

from datetime import date, datetime
from fractions import Fraction

from django.db import transaction
from django.db.models import QuerySet

from catalog.models import Party
from licensing import grants
from payments import accounts, ledger
from payments.models import Payee
from payments.money import Money
from store.errors import ContractRefused
from store.models import Advance

KIND = "ADVANCE"


def give(
    label: Party,
    *,
    payee: Payee,
    repaid_to: Payee,
    amount: Money,
    given_on: date,
    agreement: str,
    actor: str,
    at: datetime,
    share: Fraction = Fraction(1),
) -> Advance:
    """Record an advance of a label and open it in the ledger; `share` is the part of each earning that is kept for it.

    Raises ContractRefused. `agreement` names the contract that says so.
    """
    if not agreement.strip():
        raise ContractRefused("Name the contract that says that the advance is recouped.")
    if payee == repaid_to:
        raise ContractRefused("An advance comes back to somebody else than who got it. Choose two payees.")
    if amount.minor <= 0 or not 0 < share <= 1:
        raise ContractRefused("An advance is above nought, and so is the part of the earnings kept for it, up to all.")
    currency = amount.currency.code
    with transaction.atomic():
        advance = Advance.objects.create(
            holder=grants.ensure_holder(label),
            payee=payee,
            repaid_to=repaid_to,
            currency=currency,
            amount_micros=amount.micros,
            share_numerator=share.numerator,
            share_denominator=share.denominator,
            given_on=given_on,
            agreement=agreement.strip(),
            recorded_by=actor,
        )
        legs = [
            ledger.debit(accounts.recoupment(payee, currency), amount.micros),
            ledger.credit(accounts.advances(repaid_to, currency), amount.micros),
        ]
        ledger.post(f"advance:{advance.public_id}", kind=KIND, legs=legs, at=at)
    return advance


def of_label(label: Party) -> QuerySet[Advance]:
    """The label's advances, the latest first."""
    found = Advance.objects.filter(holder__party=label).select_related("payee", "repaid_to")
    return found.order_by("-given_on", "-pk")
