"""What a payee is told: opening balance, every movement, closing balance. Its totals are the ledger's own sums."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from payments import accounts, ledger
from payments.errors import StatementError
from payments.models import Entry, Payee
from payments.money import MICROS

READINGS = 3  # while a sale is being posted, two reads may fall on either side of it; then they are read again
CSV_HEADER = ("number", "date", "kind", "reference", "what", "amount", "currency", "balance", "amount_micros")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of what we owe: earnings above nought, payouts and reversals below; `balance_micros` is owed then.

    `what` is the caller's word for the reference (a title, an ISRC), or the transfer's memo.
    """

    posted_at: datetime
    kind: str
    reference: str
    what: str
    micros: int
    balance_micros: int


@dataclass(frozen=True, slots=True)
class StatementData:
    """A statement's page: opening + earned + reversed + paid out = closing, to the last millionth."""

    payee: Payee
    currency: str
    since: datetime
    until: datetime
    opening_micros: int
    closing_micros: int
    lines: tuple[StatementLine, ...]

    @property
    def totals(self) -> dict[str, int]:
        """The sum of each kind of movement, by kind."""
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[line.kind] = sums.get(line.kind, 0) + line.micros
        return dict(sorted(sums.items()))


Describe = Callable[[Sequence[str]], dict[str, str]]


def statement(
    payee: Payee, *, since: datetime, until: datetime, currency: str = "", describe: Describe | None = None
) -> StatementData:
    """The payee's movements with `since` ≤ time < `until`, in the currency (its own by default).

    `describe` is given all references at once and may name what each was for; payments itself knows no titles. Raises
    StatementError where the movements do not lead from the opening to the closing balance of the ledger.
    """
    if since >= until:
        raise StatementError("A statement's period begins before it ends.")
    currency = currency or payee.currency
    account = accounts.payee(payee, currency)
    for _ in range(READINGS):
        opening = ledger.balance(account, until=since)
        entries = list(
            Entry.objects.filter(account=account, transfer__posted_at__gte=since, transfer__posted_at__lt=until)
            .select_related("transfer")
            .order_by("transfer__posted_at", "id")
        )
        closing = ledger.balance(account, until=until)
        moved = sum(_signed(entry) for entry in entries)
        if opening + moved == closing:
            names = describe([entry.transfer.reference for entry in entries]) if describe else {}
            lines = tuple(_lines(entries, opening, names))
            return StatementData(payee, currency, since, until, opening, closing, lines)
    raise StatementError(
        f"{payee}: {opening} and movements of {moved} do not lead to {closing} micros. Verify the ledger."
    )


def _signed(entry: Entry) -> int:
    return entry.amount_micros if entry.side == Entry.Side.CREDIT else -entry.amount_micros


def _lines(entries: Iterable[Entry], opening: int, names: dict[str, str]) -> Iterator[StatementLine]:
    balance = opening
    for entry in entries:
        micros = _signed(entry)
        balance += micros
        transfer = entry.transfer
        what = names.get(transfer.reference, transfer.memo)
        yield StatementLine(transfer.posted_at, transfer.kind, transfer.reference, what, micros, balance)


def csv_rows(data: StatementData) -> Iterator[tuple[str, ...]]:
    """The statement for a spreadsheet: header, opening, movements, closing.

    Amounts are plain decimals in main units with all six places, so that they still sum; text that a spreadsheet would
    take for a formula is prefixed with an apostrophe.
    """
    yield CSV_HEADER
    opening = StatementLine(data.since, "OPENING", "", "Opening balance", 0, data.opening_micros)
    yield _row(0, opening, data.currency)
    for number, line in enumerate(data.lines, start=1):
        yield _row(number, line, data.currency)
    closing = StatementLine(data.until, "CLOSING", "", "Closing balance", 0, data.closing_micros)
    yield _row(len(data.lines) + 1, closing, data.currency)


def csv_text(data: StatementData) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(csv_rows(data))
    return sheet.getvalue()


def _row(number: int, line: StatementLine, currency: str) -> tuple[str, ...]:
    return (
        str(number),
        line.posted_at.isoformat(),
        safe_cell(line.kind),
        safe_cell(line.reference),
        safe_cell(line.what),
        main_units(line.micros),
        currency,
        main_units(line.balance_micros),
        str(line.micros),
    )


def safe_cell(text: str) -> str:
    """Text that no spreadsheet runs as a formula, on one line."""
    flat = " ".join(text.split())
    return f"'{flat}" if text[:1] in set("=+-@\t\r\n|%") or flat[:1] in set("=+-@|%") else flat


def main_units(micros: int) -> str:
    """Millionths as a plain decimal of main units with six places: `-0.100773`."""
    return f"{Decimal(micros) / MICROS:.6f}"
