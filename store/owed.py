"""What the payees of a label are owed, what waits for a letter of direction, and who is named to be paid.

A payee belongs to the label whose letter first named it: another label's letter never opens its books.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db import transaction
from django.db.models import QuerySet

from catalog.models import Party
from licensing import grants
from licensing.models import RightsHolder
from payments import ledger
from payments.models import Account, Payee, Payout
from store import directions
from store.models import LetterOfDirection


@dataclass(frozen=True)
class Owed:
    """One payee's account in one currency."""

    payee: Payee
    currency: str
    micros: int


def letters(label: Party) -> QuerySet[LetterOfDirection]:
    """The label's letters of direction, those in force first."""
    found = LetterOfDirection.objects.filter(holder__party=label).select_related("payee", "holder__party")
    return found.order_by("until", "starts_on", "pk")


def payees(label: Party) -> list[Payee]:
    """Everybody the label's letters name, each once."""
    return list({letter.payee_id: letter.payee for letter in letters(label)}.values())


def owed(label: Party) -> list[Owed]:
    """What each payee of the label is owed, per currency. Three statements."""
    return _balances(Account.objects.filter(kind=Account.Kind.PAYEE, payee__in=payees(label)))


def suspended(label: Party) -> list[Owed]:
    """What the label earned while no letter said who is paid. Three statements."""
    holder = RightsHolder.objects.filter(party=label).first()
    if holder is None:
        return []
    found = Account.objects.filter(kind=Account.Kind.SUSPENSE, subject=f"holder-{holder.pk}")
    return [one for one in _balances(found) if one.micros]


def _balances(accounts: Iterable[Account]) -> list[Owed]:
    listed = list(accounts.select_related("payee").order_by("payee__name", "currency"))  # type: ignore[attr-defined]
    sums = ledger.balances(listed)
    return [Owed(account.payee, account.currency, sums[account.pk]) for account in listed]


def payouts(label: Party) -> QuerySet[Payout]:
    """What was paid out to the label's payees, the latest first."""
    return Payout.objects.filter(payee__in=payees(label)).select_related("payee")


def sign_letter(
    label: Party,
    *,
    name: str,
    email: str,
    country: str,
    currency: str,
    percent: Decimal,
    layer: str,
    starts_on: date,
    signed_by: str,
) -> LetterOfDirection:
    """Name who is paid on the label's behalf. A payee the label named before, by the same address, is the same payee.

    Raises LetterRefused where the letters together would give away more than the whole.
    """
    with transaction.atomic():
        holder = grants.ensure_holder(label)
        known = next((payee for payee in payees(label) if payee.email.lower() == email.lower()), None)
        payee = known or Payee.objects.create(name=name, email=email, country=country, currency=currency)
        share = Fraction(percent) / 100
        return directions.direct(
            holder, payee=payee, starts_on=starts_on, signed_by=signed_by, share=share, layer=layer
        )
