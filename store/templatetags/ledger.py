"""Amounts in columns: the same number of decimals in every row, so that points stand under points."""

from collections.abc import Iterable
from decimal import Decimal

from babel.numbers import format_currency
from django import template

from payments.money import MICROS, Currency
from store.templatetags.shop import locale

register = template.Library()


def places(amounts: Iterable[int], currency: str) -> int:
    """How many decimals a column of millionths needs: those of the currency, and more where one amount has more."""
    needed = Currency(currency).exponent
    for micros in amounts:
        value = (Decimal(micros) / MICROS).normalize()
        needed = max(needed, -int(value.as_tuple().exponent))
    return needed


@register.simple_tag
def exact(micros: int, currency: str, decimals: int) -> str:
    """Millionths with exactly so many decimals; choose them by `places` and nothing is rounded."""
    zeros = "0" * decimals
    pattern = f"¤#,##0.{zeros}" if decimals else "¤#,##0"
    return str(
        format_currency(Decimal(micros) / MICROS, currency, format=pattern, locale=locale(), currency_digits=False)
    )
