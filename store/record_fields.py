"""Fields in which people write what a licence record says: shares, places, evidence. Text goes in, exact values come
out, and what cannot be read is said with what to write instead."""

import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import forms
from django.core.files import File
from django.utils import timezone

from licensing.errors import TerritoryError
from licensing.instruments import MOST_BYTES
from licensing.territories import at_the_edge
from store import render_pages, unions

MOST_FILES = 10
_FRACTION = re.compile(r"(\d{1,12})\s*/\s*(\d{1,12})")
_PERCENT = re.compile(r"(\d{1,3}(?:[.,]\d{1,9})?)\s*%?")


def read_share(text: str) -> Fraction:
    """ "1/3", "33.33 %" or "33.33" (percent) as an exact fraction. Raises ValueError with what to write."""
    wanted = text.strip()
    if (fraction := _FRACTION.fullmatch(wanted)) and int(fraction[2]):
        share = Fraction(int(fraction[1]), int(fraction[2]))
    elif percent := _PERCENT.fullmatch(wanted):
        share = Fraction(Decimal(percent[1].replace(",", "."))) / 100
    else:
        raise ValueError(f"“{wanted[:30]}” is no share. Write a percentage (33.5 %) or a fraction (1/3).")
    if not 0 < share <= 1:
        raise ValueError("A share is more than nothing and at most 100 %.")
    return share


def share_text(share: Fraction) -> str:
    """A share as it is read back: percent where that is exact in four decimals, else the fraction."""
    percent = share * 100
    hundredths = percent * 10_000
    if hundredths.denominator == 1:
        return f"{Decimal(hundredths.numerator).scaleb(-4).normalize():f} %"
    return f"{share.numerator}/{share.denominator}"


class ShareField(forms.CharField):
    """A part of a right, exact."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=30, **options)
        self.widget.attrs |= {"autocomplete": "off", "size": 10}

    def clean(self, value: Any) -> Fraction | None:
        text = super().clean(value)
        try:
            return read_share(text) if text else None
        except ValueError as refusal:
            raise forms.ValidationError(str(refusal), code="share") from None


def read_places(text: str, *, on: date) -> tuple[str, ...]:
    """Codes of countries and short names of several (`EU`), written out as they stand on a day.

    Raises ValueError, which names what is not understood.
    """
    found: set[str] = set()
    unknown: list[str] = []
    for word in re.split(r"[\s,;]+", text.upper()):
        if not word:
            continue
        several = unions.members(word, on=on)
        try:
            found.update(several or at_the_edge(word))
        except TerritoryError:
            unknown.append(word[:20])
    if unknown:
        raise ValueError(
            f"Not a country's code: {', '.join(unknown)}. Write two letters each, such as DE, AT, CH, "
            f"or one of {', '.join(unions.NAMES)}."
        )
    return tuple(sorted(found))


class PlacesField(forms.CharField):
    """Countries by code or by a short name, written out on the day of entry."""

    def clean(self, value: Any) -> tuple[str, ...]:
        try:
            return read_places(super().clean(value), on=timezone.now().date())
        except ValueError as refusal:
            raise forms.ValidationError(str(refusal), code="country") from None


class PapersInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class PapersField(forms.FileField):
    """Any number of files as evidence, each of a kind that can be drawn for the reviewer, by its own first bytes."""

    widget = PapersInput

    def clean(self, data: Any, initial: Any = None) -> "list[File[bytes]]":
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > MOST_FILES:
            raise forms.ValidationError(f"At most {MOST_FILES} files at a time; join what belongs together.")
        return [self._checked(super(PapersField, self).clean(file, initial)) for file in files]

    def _checked(self, file: "File[bytes]") -> "File[bytes]":
        name = (file.name or "The file")[:60]
        if (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError(f"{name} is larger than {MOST_BYTES // 1024**2} MiB; hand in a smaller scan.")
        file.seek(0)
        kind = render_pages.kind_of(file.read(8192))
        file.seek(0)
        if not kind:
            raise forms.ValidationError(
                f"{name} is no PDF, picture, web page or text by its content. Hand the document in as PDF.",
                code="kind",
            )
        return file
