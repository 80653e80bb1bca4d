"""Consumer tax inside a price, by the buyer's country and the day of the sale.

The rates are data: `data/tax_rates.csv`, one row per country and period, each with where it was read and who compared
it. A country that is not in the table is one in which this store collects no tax; a country that is in the table but
has no row for the day, or only one that nobody verified, is a fault of the table, and nothing is sold there until it is
mended or the operator has confirmed the row (`confirm`).
"""

import csv
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from django.conf import settings

from payments.money import Currency
from store.errors import TaxRateMissing, TaxRateUnverified
from store.models import RateConfirmation

TABLE = Path(__file__).parent / "data" / "tax_rates.csv"
WHOLE = 10_000  # basis points


@dataclass(frozen=True)
class Rate:
    """A country's rates in basis points (2550 is 25.5 percent), valid from a day to the day before `until`.

    `reduced` is set where the country charges less for a download of music than its standard rate.
    """

    country: str
    standard: int
    since: date
    until: date | None
    source: str
    reduced: int | None = None
    verified_by: str = ""
    verified_on: date | None = None

    def __post_init__(self) -> None:
        for points in (self.standard, self.reduced or 0):
            if not 0 <= points <= WHOLE:
                raise ValueError(f"{self.country}: {points} is not a rate in basis points")

    @property
    def basis_points(self) -> int:
        """What a download of music bears."""
        return self.standard if self.reduced is None else self.reduced

    @property
    def is_verified(self) -> bool:
        return bool(self.verified_by and self.verified_on)

    def holds_on(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@cache
def table() -> dict[str, tuple[Rate, ...]]:
    """Every country's rates, oldest first."""
    rates: dict[str, list[Rate]] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            rate = Rate(
                row["country"],
                int(row["basis_points"]),
                date.fromisoformat(row["since"]),
                _day(row["until"]),
                row["source"],
                int(row["reduced"]) if row["reduced"] else None,
                row["verified_by"],
                _day(row["verified_on"]),
            )
            rates.setdefault(rate.country, []).append(rate)
    return {country: tuple(sorted(found, key=lambda rate: rate.since)) for country, found in rates.items()}


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def row_of(country: str, *, on: date) -> Rate | None:
    """The table's row for that day; None for a country where no tax is collected. Raises TaxRateMissing for a hole."""
    rates = table().get(country)
    if rates is None:
        return None
    for found in rates:
        if found.holds_on(on):
            return found
    raise TaxRateMissing(
        f"There is no tax rate for {country} on {on}. Add a row to store/data/tax_rates.csv.", country=country
    )


def rate(country: str, *, at: datetime) -> int:
    """The rate in basis points for a consumer in `country`; the day is counted in UTC.

    Where Stripe reckons the tax (STRIPE_TAX) it is what buyers are shown before they pay, as well as we know it.
    Otherwise as `vouched`.
    """
    if not settings.STRIPE_TAX:
        return vouched(country, at=at)
    found = [row for row in table().get(country, ()) if row.holds_on(at.date())]
    return found[0].basis_points if found else 0


def vouched(country: str, *, at: datetime) -> int:
    """The table's own rate in basis points; 0 for a country where no tax is collected.

    Raises TaxRateMissing, and TaxRateUnverified where neither the table nor the operator vouches for the row.
    """
    found = row_of(country, on=at.date())
    if found is None:
        return 0
    if not found.is_verified and not _confirmed(found):
        raise TaxRateUnverified(
            "Nothing can be sold to this country at the moment: its tax rate has still to be confirmed.",
            country=country,
        )
    return found.basis_points


def _confirmed(found: Rate) -> bool:
    return RateConfirmation.objects.filter(
        country=found.country, since=found.since, basis_points=found.basis_points
    ).exists()


def confirm(country: str, *, by: str, note: str, at: datetime) -> RateConfirmation:
    """Note that somebody compared a country's rate of today with the law; it counts for this row and this rate alone.

    Raises TaxRateMissing where the table has no row for today.
    """
    found = row_of(country, on=at.date())
    if found is None:
        raise TaxRateMissing(f"{country} is not in store/data/tax_rates.csv: no tax is collected there.")
    row, _ = RateConfirmation.objects.get_or_create(
        country=country,
        since=found.since,
        basis_points=found.basis_points,
        defaults={"confirmed_by": by, "note": note, "confirmed_at": at},
    )
    return row


def unverified(*, on: date) -> list[Rate]:
    """The rows in force that hold sales back, because neither the table nor the operator vouches for them."""
    rows = [row_of(country, on=on) for country in sorted(table())]
    return [row for row in rows if row is not None and not row.is_verified and not _confirmed(row)]


@dataclass(frozen=True)
class Charged:
    """What a buyer pays for one thing, in minor units: the tax is inside the amount."""

    amount_minor: int
    rate: int
    tax_minor: int


def charged(price_minor: int, basis_points: int, *, currency: str, reverse_charge: bool) -> Charged:
    """The amount and the tax of something whose price with tax is `price_minor`.

    With a reverse charge the buyer pays the price without the tax, rounded down to what the currency can be paid in.
    """
    inside = tax_inside(price_minor, basis_points)
    if not reverse_charge:
        return Charged(price_minor, basis_points, inside)
    net = price_minor - inside
    return Charged(net - net % Currency(currency).charge_step, 0, 0)


def tax_inside(gross_minor: int, basis_points: int) -> int:
    """The tax contained in a price, rounded half up to the minor unit: 129 at 19 percent holds 21."""
    if gross_minor < 0:
        return -tax_inside(-gross_minor, basis_points)
    whole = WHOLE + basis_points
    return (2 * gross_minor * basis_points + whole) // (2 * whole)
