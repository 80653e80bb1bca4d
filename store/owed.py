"""What the payees of a label are owed, what waits for a letter of direction, and who is named to be paid.

A payee belongs to the label whose letter first named it: another label's letter never opens its books.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from catalog.models import Party, Recording
from licensing import grants
from licensing.models import RightsHolder
from payments import ledger
from payments.models import Account, Entry, Payee, Payout
from store import directions
from store.errors import LetterRefused
from store.models import LetterOfDirection


@dataclass(frozen=True)
class Named:
    """A payee as a label names it in a split: one it named before, or a new one by name, address and country."""

    share: Fraction
    payee: Payee | None = None
    name: str = ""
    email: str = ""
    country: str = ""
    named_in_public: bool = False


@dataclass(frozen=True)
class Owed:
    """One payee's account in one currency."""

    payee: Payee
    currency: str
    micros: int


def letters(label: Party) -> QuerySet[LetterOfDirection]:
    """The label's letters of direction, those in force first."""
    found = LetterOfDirection.objects.filter(holder__party=label)
    return found.select_related("payee", "holder__party", "release", "recording").order_by("until", "starts_on", "pk")


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


@dataclass(frozen=True)
class Suspended:
    """Money owed to nobody known yet: what for in words, how much, and since when."""

    account: Account
    word: str
    micros: int
    since: datetime


def suspense() -> list[Suspended]:
    """All that waits in suspense in the whole store, the oldest first. Five statements."""
    rows = {row.pk: row for row in Account.objects.filter(kind=Account.Kind.SUSPENSE)}
    sums = ledger.balances(rows.values())
    waiting = [row for row in rows.values() if sums[row.pk]]
    begun = Entry.objects.filter(account__in=[row.pk for row in waiting]).order_by()
    since = dict(begun.values_list("account").annotate(first=Min("posted_at")))
    words = _subjects([row.subject for row in waiting])
    found = [Suspended(row, words[row.subject], sums[row.pk], since[row.pk]) for row in waiting]
    return sorted(found, key=lambda one: (one.since, one.account.pk))


def _subjects(subjects: Iterable[str]) -> dict[str, str]:
    """What suspense accounts wait for, in words; a subject that nobody here knows stands for itself."""
    parts = {subject: subject.split("-") for subject in subjects}
    of = {kind: {rest[0] for what, *rest in parts.values() if what == kind and rest} for kind in ("holder", "disputed")}
    holders = RightsHolder.objects.filter(pk__in=of["holder"]).select_related("party")
    names = {str(holder.pk): f"{holder.party.name}: no letter of direction says who is paid" for holder in holders}
    recordings = Recording.objects.in_bulk([int(key) for key in of["disputed"]])
    titles = {str(key): f"“{one}” is in dispute" for key, one in recordings.items()}
    found = {}
    for subject, (what, *rest) in parts.items():
        word = {"holder": names, "disputed": titles}.get(what, {}).get(rest[0] if rest else "", "")
        found[subject] = word or ("A refund that is on its way" if what == "refund" else subject)
    return found


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
    named = Named(Fraction(percent) / 100, name=name, email=email, country=country)
    with transaction.atomic():
        return directions.direct(
            grants.ensure_holder(label),
            payee=_payee(label, named, currency),
            starts_on=starts_on,
            signed_by=signed_by,
            share=named.share,
            layer=layer,
        )


def sign_split(
    label: Party,
    *,
    parts: Sequence[Named],
    currency: str,
    layer: str,
    starts_on: date,
    signed_by: str,
    scope: directions.Scope = directions.ALL,
) -> list[LetterOfDirection]:
    """Divide what the label is owed in a scope among several payees, new ones among them. Raises LetterRefused."""
    with transaction.atomic():
        return directions.divide(
            grants.ensure_holder(label),
            parts=[directions.Part(_payee(label, one, currency), one.share) for one in parts],
            starts_on=starts_on,
            signed_by=signed_by,
            layer=layer,
            scope=scope,
        )


def end_letter(label: Party, key: int, *, until: date) -> LetterOfDirection:
    """End one of the label's letters on a day that is still to come, or today. Raises LetterRefused."""
    letter = letters(label).filter(pk=key).first()
    if letter is None:
        raise LetterRefused("The label signed no such letter.")
    if until < timezone.now().date():
        raise LetterRefused("A letter ends today or later: what was sold before keeps the split of its day.")
    return directions.end(letter, until=until)


def name_in_public(label: Party, payee: Payee, *, agreed: bool) -> None:
    """Keep whether one of the label's payees agrees to be named to buyers. Raises LetterRefused."""
    if payee not in payees(label):
        raise LetterRefused("The label names no such payee.")
    Payee.objects.filter(pk=payee.pk).update(named_in_public=agreed)


def _payee(label: Party, named: Named, currency: str) -> Payee:
    """A payee the label named before, by its key or the same address, is the same payee."""
    known = payees(label)
    if named.payee is not None:
        if named.payee not in known:
            raise LetterRefused("The label names no such payee.")
        return named.payee
    same = next((payee for payee in known if payee.email.lower() == named.email.lower()), None)
    return same or Payee.objects.create(
        name=named.name,
        email=named.email,
        country=named.country,
        currency=currency,
        named_in_public=named.named_in_public,
    )
