"""What a euro cost on a day: the European Central Bank's rates, as dated data that the operator brings.

Nothing is fetched. `manage.py oss rates FILE` reads the bank's own history (eurofxref-hist.csv: a column `Date`, then
one for each currency) and keeps the days around the ends of quarters, which are the ones that returns need.
"""

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from payments.errors import CurrencyError
from payments.money import MICROS, Currency
from store.errors import ExchangeRateMissing, RatesRefused
from store.models import ExchangeRate

NEXT_PUBLISHED = timedelta(days=7)  # no rate on a holiday: then the next day of publication counts
CENTS = 100


@dataclass(frozen=True, order=True)
class Quarter:
    """Three months of a year; days are counted in UTC."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Quarter":
        """Read 2026Q4. Raises ValueError."""
        found = re.fullmatch(r"(20[0-9]{2})Q([1-4])", text, re.ASCII)
        if found is None:
            raise ValueError("Write a quarter like 2026Q4.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, at: datetime) -> "Quarter":
        day = at.astimezone(UTC).date()
        return cls(day.year, (day.month - 1) // 3 + 1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"

    @property
    def begins(self) -> datetime:
        return datetime(self.year, 3 * self.number - 2, 1, tzinfo=UTC)

    @property
    def next(self) -> "Quarter":
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def previous(self) -> "Quarter":
        return Quarter(self.year, self.number - 1) if self.number > 1 else Quarter(self.year - 1, 4)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return self.next.begins

    @property
    def last_day(self) -> date:
        return (self.ends - timedelta(days=1)).date()


def cents(micros: int, rate: Fraction) -> Fraction:
    """Millionths of a currency in exact cents of a euro, where a euro costs `rate` of it."""
    return Fraction(micros * CENTS, MICROS) / rate


def per_euro(currency: str, *, quarter: Quarter) -> Fraction:
    """The rate of the quarter's last day, or of the next day that has one. Raises ExchangeRateMissing."""
    if currency == "EUR":
        return Fraction(1)
    last = quarter.last_day
    rows = ExchangeRate.objects.filter(currency=currency, day__gte=last, day__lte=last + NEXT_PUBLISHED)
    found = rows.order_by("day").first()
    if found is None:
        raise ExchangeRateMissing(
            f"What a euro cost in {currency} on {last} is not here. Bring the European Central Bank's rates: "
            "manage.py oss rates eurofxref-hist.csv"
        )
    return Fraction(found.per_euro)


def bring(text: str, *, source: str, at: datetime) -> int:
    """Keep the rates around the ends of quarters; returns how many are new. Raises RatesRefused, with nothing kept.

    A rate that is here stays as it is: another value for the same day is refused.
    """
    rows = [
        ExchangeRate(day=day, currency=code, per_euro=rate, source=source[:200], brought_at=at)
        for day, code, rate in _read(text)
    ]
    known = {
        (row.day, row.currency): row.per_euro for row in ExchangeRate.objects.filter(day__in={row.day for row in rows})
    }
    for row in rows:
        if known.get((row.day, row.currency), row.per_euro) != row.per_euro:
            raise RatesRefused(f"{row.currency} of {row.day} is here with another rate; which is right, say by hand.")
    fresh = [row for row in rows if (row.day, row.currency) not in known]
    return len(ExchangeRate.objects.bulk_create(fresh))


def _read(text: str) -> list[tuple[date, str, Decimal]]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), skipinitialspace=True)
    if not reader.fieldnames or reader.fieldnames[0] != "Date":
        raise RatesRefused("The first column must be Date, as in the bank's eurofxref-hist.csv.")
    found = []
    for line, row in enumerate(reader, start=2):
        try:
            day = date.fromisoformat(str(row.pop("Date")))
        except ValueError:
            raise RatesRefused(f"Line {line} begins with no day such as 2026-12-31.") from None
        if _is_needed(day):
            found += [(day, code, rate) for code, rate in _rates(row, line)]
    return found


def _is_needed(day: date) -> bool:
    """Whether a quarter's last day is this one, or one of the seven before it."""
    quarter = Quarter.of(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return day == quarter.last_day or day - quarter.previous.last_day <= NEXT_PUBLISHED


def _rates(row: dict[str, str], line: int) -> list[tuple[str, Decimal]]:
    found = []
    for code, text in row.items():
        if not code or text is None or text.strip() in {"", "N/A"}:
            continue
        try:
            Currency(code.strip())
        except CurrencyError:
            continue  # one that nobody can pay in
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,8})?", text.strip(), re.ASCII) is None or not Decimal(text):
            raise RatesRefused(f"Line {line}: {text!r} is no rate of {code}.")
        found.append((code.strip(), Decimal(text)))
    return found
