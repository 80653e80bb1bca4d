"""A certificate on paper: PDF/A, always the same bytes for the same certificate.

Typst gets the document as data, never as markup, and only the fonts it brings itself, so that no machine prints it
otherwise and nothing in a title can act.
"""

import json
import unicodedata
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import typst

from store.models import Certificate

EDITION = 1  # of the sheet: raise it with every change of it, because sheets are kept for a day
SHEET = Path(__file__).with_name("data") / "certificate.typ"
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
    return typst.compile(
        _sheet(),
        format="pdf",
        ignore_system_fonts=True,
        pdf_standards=STANDARD,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        timestamp=_issued(found),
    )


@cache
def _sheet() -> bytes:
    return SHEET.read_bytes()


def _issued(found: Certificate) -> datetime:
    return found.issued_at.astimezone(UTC).replace(microsecond=0)


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
