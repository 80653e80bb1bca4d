"""An issued statement as others read it: sums in words, a table for spreadsheets. Only from what was told and hashed.

What a statement says is its document (`payments.months`), whatever titles and accounts are called today.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments.models import Statement
from payments.statements import main_units, safe_cell
from store.earnings import COLUMNS

EARNED_AT = {name: place for place, name in enumerate(COLUMNS)}
KINDS = {
    "PAYOUT": "Paid out",
    "PAYOUT_REVERSED": "Payout that came back",
    "WITHHOLDING": "Tax withheld",
    "DEBT_RECOUPED": "Taken for what was owed to the store",
    "DISPUTE_RELEASE": "Released after a dispute",
    "RESERVE": "Held back until refunds are over",
    "RESERVE_REVERSAL": "No longer held back",
    "RECOUPMENT": "Kept for an advance, or got back of one",
    "RECOUPMENT_REVERSAL": "No longer kept for an advance",
    "FEE_SHARE": "Payment fee, borne by the holders",
    "FEE_SHARE_REVERSAL": "Payment fee given back",
}
BESIDE = {
    "RESERVE": "Kept in reserve",
    "DEBT": "Became a debt to the store",
    "ADVANCE": "Recouped from an advance",
}
HEADER = (
    "statement", "row", "date", "isrc", "iswc", "title", "artist", "release", "gtin", "layer", "use", "territory",
    "units", "returns", "gross", "tax", "fees", "base", "rate_percent", "share_percent", "amount", "currency",
    "reference",
)  # fmt: skip


class Told:
    """A statement's document, read: `lines` are the earnings in `COLUMNS`, `movements` all that else moved."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        document: Mapping[str, Any] = statement.document
        self.lines: list[Sequence[Any]] = document.get("lines", [])
        self.movements: list[Sequence[Any]] = document.get("movements", [])
        self.beside: Mapping[str, int] = document.get("beside", {})
        self.earned: int = document.get("earned_micros", 0)

    @property
    def summary(self) -> list[tuple[str, int]]:
        """From the opening to the closing balance, in words; the rows between lead from one to the other exactly."""
        sums: dict[str, int] = {}
        for _, kind, _, _, micros in self.movements:
            sums[word_of(kind)] = sums.get(word_of(kind), 0) + micros
        rows = [("Opening balance", self.statement.opening_micros), ("Earned", self.earned)]
        rows += [(BESIDE.get(kind, kind.capitalize()), micros) for kind, micros in self.beside.items()]
        return [*rows, *sums.items(), ("Closing balance", self.statement.closing_micros)]

    def rows(self) -> list[dict[str, Any]]:
        """The earnings by name, for pages."""
        return [dict(zip(COLUMNS, line, strict=True)) for line in self.lines]

    def by_release(self) -> list[tuple[str, str, int]]:
        """`(title, public id, micros)` of each release sold, most money first; they sum to what was earned."""
        sums: dict[tuple[str, str], int] = {}
        for line in self.lines:
            key = (line[EARNED_AT["release"]], line[EARNED_AT["release_id"]])
            sums[key] = sums.get(key, 0) + line[-1]
        return sorted(((*key, micros) for key, micros in sums.items()), key=lambda row: (-row[2], row[0]))


def word_of(kind: str) -> str:
    """What a kind of transfer is called on a statement."""
    return KINDS.get(kind, kind.replace("_", " ").capitalize())


def csv_text(statement: Statement) -> str:
    """The statement for a spreadsheet: the amounts from OPENING on sum to the one in CLOSING.

    Amounts are plain decimals of main units with six places; text that a spreadsheet would take for a formula is
    disarmed.
    """
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, HEADER, restval="")
    writer.writeheader()
    for row in _csv_rows(statement):
        writer.writerow({"statement": statement.number, "currency": statement.currency} | row)
    return sheet.getvalue()


def _csv_rows(statement: Statement) -> Iterator[dict[str, str]]:
    told = Told(statement)
    yield {"row": "OPENING", "date": _day(statement.since), "amount": main_units(statement.opening_micros)}
    for line in told.rows():
        yield {
            "row": "EARNED",
            **{name: safe_cell(line[name]) for name in ("isrc", "iswc", "title", "artist", "release", "gtin")},
            **{name: line[name] for name in ("layer", "use", "territory")},
            **{name: str(line[name]) for name in ("units", "returns")},
            **{name: main_units(line[f"{name}_micros"]) for name in ("gross", "tax", "fees", "base", "amount")},
            **{f"{name}_percent": percent(line[f"{name}_ppm"]) for name in ("rate", "share")},
        }
    for kind, micros in told.beside.items():
        yield {"row": kind, "title": BESIDE.get(kind, ""), "amount": main_units(micros)}
    for moment, kind, reference, memo, micros in told.movements:
        yield {
            "row": kind,
            "date": _day(datetime.fromisoformat(moment)),
            "title": safe_cell(memo or word_of(kind)),
            "reference": safe_cell(reference),
            "amount": main_units(micros),
        }
    yield {"row": "CLOSING", "date": _day(statement.until), "amount": main_units(statement.closing_micros)}


def percent(ppm: int) -> str:
    """Millionths of a whole in per cent, with four places."""
    return f"{Decimal(ppm) / 10_000:.4f}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
