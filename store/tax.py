"""Consumer tax inside a price, by the buyer's country and the day of the sale.

The rates are data: `data/tax_rates.csv`, one row per country and period, each with where it was read. A country that
is not in the table is one in which this store collects no tax; a country that is in the table but has no row for the
day is a fault of the table, and nothing is sold there until it is mended.
"""

import csv
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from store.errors import TaxRateMissing

TABLE = Path(__file__).parent / "data" / "tax_rates.csv"
WHOLE = 10_000  # basis points


@dataclass(frozen=True)
class Rate:
    """A standard rate in basis points (2550 is 25.5 percent), valid from a day to the day before `until`."""

    country: str
    basis_points: int
    since: date
    until: date | None
    source: str

    def __post_init__(self) -> None:
        if not 0 <= self.basis_points <= WHOLE:
            raise ValueError(f"{self.country}: {self.basis_points} is not a rate in basis points")

    def holds_on(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@cache
def table() -> dict[str, tuple[Rate, ...]]:
    """Every country's rates, oldest first."""
    rates: dict[str, list[Rate]] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            until = date.fromisoformat(row["until"]) if row["until"] else None
            rate = Rate(
                row["country"], int(row["basis_points"]), date.fromisoformat(row["since"]), until, row["source"]
            )
            rates.setdefault(rate.country, []).append(rate)
    return {country: tuple(sorted(found, key=lambda rate: rate.since)) for country, found in rates.items()}


def rate(country: str, *, at: datetime) -> int:
    """The rate in basis points for a consumer in `country`; the day is counted in UTC."""
    rates = table().get(country)
    if rates is None:
        return 0
    day = at.date()
    for found in rates:
        if found.holds_on(day):
            return found.basis_points
    raise TaxRateMissing(
        f"There is no tax rate for {country} on {day}. Add a row to store/data/tax_rates.csv.", country=country
    )


def tax_inside(gross_minor: int, basis_points: int) -> int:
    """The tax contained in a price, rounded half up to the minor unit: 129 at 19 percent holds 21."""
    if gross_minor < 0:
        return -tax_inside(-gross_minor, basis_points)
    whole = WHOLE + basis_points
    return (2 * gross_minor * basis_points + whole) // (2 * whole)
