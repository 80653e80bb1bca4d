"""Certificates, invoices, credit notes and statements on paper: PDF/A, always the same bytes for the same document.

Typst gets the document as data, never as markup, and only the fonts it brings itself, so that no machine prints it
otherwise and nothing in a title can act.
"""

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import typst

from payments.models import Statement
from payments.statements import main_units
from store.models import Certificate, Invoice
from store.statement_sheets import Told, percent, word_of

EDITION = 1  # of the sheet: raise it with every change of it, because sheets are kept for a day
SHEETS = Path(__file__).with_name("data")
# What Typst's own serif draws: Latin, Greek, Cyrillic, Hebrew, their punctuation. Any other letter is written as its
# code point.
DRAWN = ((0x20, 0x7F), (0xA0, 0x500), (0x5D0, 0x5EB), (0x1E00, 0x1F00), (0x2010, 0x2027), (0x20AC, 0x20AD))
VISIBLE = frozenset("LNPSZ")  # Unicode's categories of what has a shape of its own
STANDARD: Final = "a-2b"


def certificate(found: Certificate) -> bytes:
    """The sheet of a certificate, with the signature it carries."""
    data = {
        "document": drawable(found.document),
        "id": str(found.public_id),
        "sha256": found.sha256,
        "key": found.key.key if found.key else "",
        "signature": found.signature or "",
    }
    return _print("certificate", data, found.issued_at)


def invoice(found: Invoice) -> bytes:
    """The sheet of an invoice or credit note, out of the text that was kept when it was written."""
    document = json.loads(found.text)
    places = document["decimals"]

    def amount(minor: int) -> str:
        return f"{Decimal(minor).scaleb(-places):,.{places}f}"

    rate = f"{Decimal(document['tax_basis_points']) / 100:f}%"
    sums = [(f"Without tax, taxed at {rate}" if document["tax_basis_points"] else "Without tax", "base_minor")]
    sums += [("Given freely, without tax", "untaxed_minor")] if document["untaxed_minor"] else []
    sums += [(f"VAT {rate}", "tax_minor")] if document["tax_basis_points"] else []
    data = {
        "document": drawable(document),
        "lines": [
            drawable({"title": row["title"], "artist": row["artist"]})
            | {
                "rate": f"{Decimal(row['tax_basis_points']) / 100:f}%",
                "tax": amount(row["tax_minor"]),
                "amount": amount(row["amount_minor"]),
            }
            for row in document["lines"]
        ],
        "sums": [{"word": word, "amount": amount(document[name])} for word, name in sums],
        "total": amount(document["total_minor"]),
        "sha256": found.sha256,
    }
    return _print("invoice", data, found.issued_at)


def statement(found: Statement) -> bytes:
    """The sheet of an issued statement: its sums, every line of what was earned, and every other movement."""
    told = Told(found)
    data = {
        "number": found.number,
        "name": told.statement.document.get("name", ""),
        "currency": found.currency,
        "since": f"{found.since:%Y-%m-%d}",
        "until": f"{found.until - timedelta(microseconds=1):%Y-%m-%d}",
        "issued": f"{found.issued_at:%Y-%m-%d}",
        "sha256": found.sha256,
        "summary": [[word, main_units(micros)] for word, micros in told.summary],
        "lines": [
            {
                **{name: line[name] for name in ("title", "artist", "isrc", "iswc", "release", "layer", "territory")},
                **{name: str(line[name]) for name in ("units", "returns")},
                **{name: main_units(line[f"{name}_micros"]) for name in ("gross", "tax", "fees", "base", "amount")},
                **{name: percent(line[f"{name}_ppm"]) for name in ("rate", "share")},
            }
            for line in told.rows()
        ],
        "movements": [
            [moment[:10], word_of(kind), memo or reference, main_units(micros)]
            for moment, kind, reference, memo, micros in told.movements
        ],
    }
    return _print("statement", drawable(data), found.issued_at)


def _print(sheet: str, data: dict[str, Any], issued_at: datetime) -> bytes:
    return typst.compile(
        _sheet(sheet),
        format="pdf",
        ignore_system_fonts=True,
        pdf_standards=STANDARD,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        timestamp=issued_at.astimezone(UTC).replace(microsecond=0),
    )


@cache
def _sheet(name: str) -> bytes:
    return (SHEETS / f"{name}.typ").read_bytes()


def drawable(value: Any) -> Any:
    """The same values, with each letter that the fonts lack as U+…: PDF/A admits no empty box in place of a letter."""
    if isinstance(value, dict):
        return {name: drawable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [drawable(each) for each in value]
    return "".join(map(_drawable, unicodedata.normalize("NFC", value))) if isinstance(value, str) else value


@lru_cache(maxsize=4096)
def _drawable(letter: str) -> str:
    drawn = any(first <= ord(letter) < last for first, last in DRAWN) and unicodedata.category(letter)[0] in VISIBLE
    return letter if drawn else f"[U+{ord(letter):04X}]"
