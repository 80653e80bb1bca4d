"""The quarterly return of the Union scheme (one-stop shop): tax by member state and rate, in euros, out of the papers.

What is returned comes from invoices and credit notes and is held against the ledger's tax accounts: where they differ,
or a paper is still to be written, there is no return. A credit note of a sale of the same quarter lessens it; one of an
earlier quarter's is a correction of that quarter (directive 2006/112/EC art. 364 to 369k, regulation (EU) 282/2011 art.
61b), in euros at that quarter's rate. Sales to the seller's own country and to countries outside the Union belong into
other returns; they are listed apart, so that all tax accounts are accounted for.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import TruncQuarter

from payments.models import Account
from store import exchange, locations
from store.errors import ReturnRefused
from store.exchange import Quarter
from store.models import Invoice, InvoiceDue

Rates = Mapping[tuple[str, Quarter], Fraction]
CODES = {"GR": "EL"}  # the Union's own code for Greece
HEADER = ("section", "country", "rate_percent", "corrected_period", "taxable_base_eur", "vat_eur")


@dataclass(frozen=True, order=True)
class Row:
    """What was sold to a member state at a rate, in cents of a euro."""

    country: str
    basis_points: int
    base: int
    tax: int


@dataclass(frozen=True, order=True)
class Correction:
    """What changed of an earlier quarter's tax of a member state, in cents of a euro."""

    country: str
    quarter: Quarter
    tax: int


@dataclass(frozen=True, order=True)
class Elsewhere:
    """What belongs into another return: the seller's own country's, or one outside the Union. In millionths."""

    country: str
    currency: str
    basis_points: int
    base: int
    tax: int


@dataclass(frozen=True, order=True)
class Difference:
    """A tax account whose ledger says something else than the papers. In millionths."""

    country: str
    currency: str
    papers: int
    ledger: int


@dataclass(frozen=True)
class Return:
    """One quarter: what is returned, and whether it may be."""

    quarter: Quarter
    rows: tuple[Row, ...]
    corrections: tuple[Correction, ...]
    elsewhere: tuple[Elsewhere, ...]
    differences: tuple[Difference, ...]
    waiting: int

    @property
    def is_whole(self) -> bool:
        return not self.differences and not self.waiting

    @property
    def balances(self) -> dict[str, int]:
        """What is owed to each member state in cents; below nought, what it owes back."""
        found: dict[str, int] = defaultdict(int)
        for row in self.rows:
            found[row.country] += row.tax
        for fix in self.corrections:
            found[fix.country] += fix.tax
        return dict(sorted(found.items()))

    @property
    def to_pay(self) -> int:
        """What is paid with the return: one state's credit is not set against another's tax."""
        return sum(balance for balance in self.balances.values() if balance > 0)


@dataclass(frozen=True)
class _Sum:
    """Papers of one kind, added up; taken back where `sign` is below nought. `of` is the quarter of the sale."""

    country: str
    currency: str
    basis_points: int
    of: Quarter
    base: int
    tax: int
    reverse_charge: bool


def report(quarter: Quarter) -> Return:
    """The return of a quarter, over or not. Raises ExchangeRateMissing. Three statements, one more for each rate."""
    sums = list(_sums(quarter))
    mine = [one for one in sums if _is_returned(one)]
    keys = {(one.currency, one.of) for one in mine}
    rates = {(currency, of): exchange.per_euro(currency, quarter=of) for currency, of in sorted(keys)}
    return Return(
        quarter,
        tuple(_rows((one for one in mine if one.of == quarter), rates)),
        tuple(_corrections((one for one in mine if one.of != quarter), rates)),
        tuple(_elsewhere(one for one in sums if not _is_returned(one))),
        tuple(_differences(quarter, sums)),
        InvoiceDue.objects.filter(owed_at__lt=quarter.ends).count(),
    )


def _sums(quarter: Quarter) -> Iterable[_Sum]:
    first = Invoice.objects.filter(order=OuterRef("order"), transfer=None).values("supplied_at")[:1]
    rows = (
        Invoice.objects.filter(supplied_at__gte=quarter.begins, supplied_at__lt=quarter.ends)
        .annotate(of=TruncQuarter(Subquery(first)))
        .values("country", "currency", "tax_rate", "kind", "of", "reverse_charge")
        .annotate(base=Sum("base_micros"), tax=Sum("tax_micros"))
        .order_by()
    )
    for row in rows:
        sign = -1 if row["kind"] == Invoice.Kind.CREDIT_NOTE else 1
        yield _Sum(
            row["country"],
            row["currency"],
            row["tax_rate"],
            Quarter.of(row["of"]),
            sign * int(row["base"]),
            sign * int(row["tax"]),
            row["reverse_charge"],
        )


def _is_returned(one: _Sum) -> bool:
    country = locations.taxed_in(one.country)
    home = locations.taxed_in(settings.SELLER_COUNTRY)
    return country in locations.UNION and country != home and not one.reverse_charge


def _rows(sums: Iterable[_Sum], rates: Rates) -> list[Row]:
    found: dict[tuple[str, int], list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for one in sums:
        parts = found[_code(one.country), one.basis_points]
        parts[0] += exchange.cents(one.base, rates[one.currency, one.of])
        parts[1] += exchange.cents(one.tax, rates[one.currency, one.of])
    return sorted(Row(*key, _cents(base), _cents(tax)) for key, (base, tax) in found.items())


def _corrections(sums: Iterable[_Sum], rates: Rates) -> list[Correction]:
    found: dict[tuple[str, Quarter], Fraction] = defaultdict(Fraction)
    for one in sums:
        found[_code(one.country), one.of] += exchange.cents(one.tax, rates[one.currency, one.of])
    return sorted(Correction(*key, _cents(tax)) for key, tax in found.items())


def _elsewhere(sums: Iterable[_Sum]) -> list[Elsewhere]:
    found: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for one in sums:
        parts = found[one.country, one.currency, one.basis_points]
        parts[0] += one.base
        parts[1] += one.tax
    return sorted(Elsewhere(*key, *parts) for key, parts in found.items())


def _differences(quarter: Quarter, sums: Iterable[_Sum]) -> list[Difference]:
    papers: dict[tuple[str, str], int] = defaultdict(int)
    for one in sums:
        papers[one.country, one.currency] += one.tax
    books = ledger_tax(quarter)
    keys = papers.keys() | books.keys()
    found = [Difference(*key, papers.get(key, 0), books.get(key, 0)) for key in keys]
    return sorted(one for one in found if one.papers != one.ledger)


def ledger_tax(quarter: Quarter) -> dict[tuple[str, str], int]:
    """What the tax accounts took in during the quarter, in millionths, by country and currency. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.subject, a.currency, sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END) "
            "FROM payments_account a JOIN payments_entry e ON e.account_id = a.id "
            "JOIN payments_transfer t ON t.id = e.transfer_id "
            "WHERE a.kind = %s AND t.posted_at >= %s AND t.posted_at < %s GROUP BY a.subject, a.currency",
            [Account.Kind.TAX, quarter.begins, quarter.ends],
        )
        return {(country, currency): int(total) for country, currency, total in cursor.fetchall()}


def lines(found: Return) -> list[tuple[Any, ...]]:
    """The return as a table, header first; amounts in euros. Raises ReturnRefused where the books do not agree."""
    if not found.is_whole:
        raise ReturnRefused(why_not(found))
    table: list[tuple[Any, ...]] = [HEADER]
    table += [
        ("SALE", one.country, _percent(one.basis_points), "", euro(one.base), euro(one.tax)) for one in found.rows
    ]
    table += [("CORRECTION", one.country, "", str(one.quarter), "", euro(one.tax)) for one in found.corrections]
    table += [("BALANCE", country, "", "", "", euro(balance)) for country, balance in found.balances.items()]
    return [*table, ("TO_PAY", "", "", "", "", euro(found.to_pay))]


def why_not(found: Return) -> str:
    """Why there is no return yet, in a sentence; empty where there is one."""
    if found.waiting:
        return f"{found.waiting} papers of {found.quarter} are still to be written; see the finance desk."
    if found.differences:
        named = ", ".join(f"{one.country} {one.currency}" for one in found.differences)
        return f"Papers and ledger of {found.quarter} differ in the tax of {named}."
    return ""


def euro(cents: int) -> str:
    """Cents as euros with two decimals."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def _percent(basis_points: int) -> str:
    whole, part = divmod(basis_points, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".") if part else str(whole)


def _cents(amount: Fraction) -> int:
    """Half up, away from nought, so that what is taken back mirrors what was sold."""
    rounded = floor(abs(amount) + Fraction(1, 2))
    return -rounded if amount < 0 else rounded


def _code(country: str) -> str:
    taxed = locations.taxed_in(country)
    return CODES.get(taxed, taxed)
