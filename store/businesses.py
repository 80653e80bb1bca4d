"""Buyers who are businesses: their VAT number, what VIES says of it, and whether the tax is theirs to account for.

A business of another member state accounts for the tax itself (reverse charge: directive 2006/112/EC art. 44 and 196),
so it pays the price without tax. That takes a number that VIES called valid, asked in the name of the shop's own
number; everything else is charged as to anybody. The check is kept as it was answered, with its time.
"""

from datetime import datetime, timedelta

from django.conf import settings
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from store import locations, vies
from store.errors import VatIdRefused
from store.models import User, VatCheck

HOLDS_FOR = timedelta(days=1)  # a number is asked about again for each day's orders
MOST_AN_HOUR = 10  # of one buyer: each is a question to somebody else's machine
PREFIXES = {"GR": "EL"}  # where the number's prefix is not the country's code


def offered() -> bool:
    """Whether this shop can sell without tax to businesses: it is in the Union and has a number to ask with."""
    return settings.SELLER_COUNTRY in locations.UNION and bool(settings.SELLER_VAT_ID)


def read(vat_id: str, *, country: str) -> str:
    """The number in its one form, with its prefix. Raises VatIdRefused where it is none, or of another country."""
    if country not in locations.UNION:
        raise VatIdRefused("A VAT number counts for buyers in the European Union. Choose your country first.")
    try:
        found = str(vat.validate(vat_id))
    except ValidationError:
        raise VatIdRefused("This is no VAT number: write it with its country's letters, such as DE136695976.") from None
    prefix = PREFIXES.get(country, country)
    if not found.startswith(prefix):
        raise VatIdRefused(f"The number must be of the country you buy from: it begins with {prefix}.")
    return found


def check(buyer: User, *, vat_id: str, country: str, company: str, address: str, at: datetime) -> VatCheck:
    """Ask VIES about a buyer's number and keep the answer. No transaction may be open.

    Raises VatIdRefused where the number is none or not valid, and, where the operator wants it so
    (VIES_UNANSWERED=refuse), where VIES does not answer.
    """
    if not offered():
        raise VatIdRefused("This shop sells with tax only.")
    number = read(vat_id, country=country)
    if VatCheck.objects.filter(buyer=buyer, asked_at__gt=at - timedelta(hours=1)).count() >= MOST_AN_HOUR:
        raise VatIdRefused("That was a lot of numbers. Please try again in an hour.")
    asked = _ask(
        VatCheck(
            buyer=buyer, country=country, vat_id=number, company=company[:200], address=address[:1000], asked_at=at
        )
    )
    if asked.state == VatCheck.State.INVALID:
        raise VatIdRefused("VIES says that this VAT number is not valid for trade between member states.")
    if asked.state == VatCheck.State.UNANSWERED and settings.VIES_UNANSWERED == "refuse":
        raise VatIdRefused("VIES does not answer at the moment. Please try again later, or buy with tax.")
    return asked


def ask(about: VatCheck, *, at: datetime) -> VatCheck:
    """Ask VIES once more about the number of an earlier check, and keep the answer beside it. No transaction may be
    open."""
    same = {name: getattr(about, name) for name in ("buyer", "country", "vat_id", "company", "address")}
    return _ask(VatCheck(**same, asked_at=at))


def _ask(asked: VatCheck) -> VatCheck:
    try:
        answer = vies.ask(asked.vat_id, requester=settings.SELLER_VAT_ID)
    except vies.Unanswered as failure:
        asked.state, asked.answer = VatCheck.State.UNANSWERED, failure.message
    else:
        asked.state = VatCheck.State.VALID if answer.valid else VatCheck.State.INVALID
        asked.consultation, asked.answer = answer.consultation, answer.text
        asked.registered_name, asked.registered_address = answer.name, answer.address
    asked.save()
    return asked


def holds(found: VatCheck, *, buyer: User, country: str, at: datetime) -> bool:
    """Whether a check may stand on an order: this buyer's, for this country, of the last day, and not refused."""
    return (
        found.buyer_id == buyer.pk
        and found.country == country
        and found.state != VatCheck.State.INVALID
        and found.asked_at <= at < found.asked_at + HOLDS_FOR
    )


def reverses(found: VatCheck | None) -> bool:
    """Whether the tax is the buyer's to account for: VIES said yes, and she is not in the shop's own country."""
    if found is None or not offered() or found.state != VatCheck.State.VALID:
        return False
    return not locations.same(found.country, settings.SELLER_COUNTRY)
