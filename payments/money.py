"""Amounts of money, as whole numbers, and how they are divided. Pure; no float comes near.

Two scales. What a buyer pays and a payee is sent is a whole number of *minor units*, counted as Stripe counts them,
so that what is stored is what is charged. The ledger counts *micros*, millionths of the main unit, because rates have
parts of a cent.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import total_ordering
from typing import Any, Protocol, TypeVar

from payments.errors import CurrencyError, SplitError

MICROS = 10**6
MOST_MINOR = 10**12

# https://docs.stripe.com/currencies: all that Stripe charges in, and the ones without two decimals.
_CODES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR
    ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE
    SOS SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_NO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Written with two decimals for Stripe although the currency has none: the last two digits must be 00.
_WHOLE_ONLY = frozenset({"ISK", "UGX"})
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in minor units; others go by exchange rate.
_LEAST_CHARGE = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30,
    "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200,
    "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
# The same page: the most digits of a charge; eight everywhere else.
_MOST_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10}
# Charged with two decimals, but sent out whole.
_WHOLE_PAYOUTS = frozenset({"HUF", "TWD"}) | _WHOLE_ONLY


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as Stripe counts it: `exponent` decimals in a minor unit."""

    code: str

    def __post_init__(self) -> None:
        if self.code not in _CODES:
            raise CurrencyError(f"{self.code!r} is no currency we can charge; use an ISO 4217 code such as EUR.")

    def __str__(self) -> str:
        return self.code

    @property
    def exponent(self) -> int:
        if self.code in _NO_DECIMALS:
            return 0
        return 3 if self.code in _THREE_DECIMALS else 2

    @property
    def micros_per_minor(self) -> int:
        return MICROS // int(10**self.exponent)

    @property
    def charge_step(self) -> int:
        """A price is a whole number of this many minor units (Stripe's special cases)."""
        if self.code in _THREE_DECIMALS:
            return 10
        return 100 if self.code in _WHOLE_ONLY else 1

    @property
    def least_charge(self) -> int:
        """The least that Stripe lets a buyer pay at once, in minor units."""
        return _LEAST_CHARGE.get(self.code, self.charge_step)

    @property
    def most_charge(self) -> int:
        """The most that Stripe lets a buyer pay at once, in minor units, in steps that can be charged."""
        most = int(10 ** _MOST_DIGITS.get(self.code, 8)) - 1
        return most - most % self.charge_step

    @property
    def payout_step(self) -> int:
        if self.code in _THREE_DECIMALS:
            return 10
        return 100 if self.code in _WHOLE_PAYOUTS else 1


def currencies() -> tuple[str, ...]:
    """The codes of all currencies that can be charged, sorted."""
    return tuple(sorted(_CODES))


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """A whole number of minor units of one currency."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        if type(self.minor) is not int or not -MOST_MINOR < self.minor < MOST_MINOR:
            raise CurrencyError(f"An amount is a whole number of minor units below 10^12, not {self.minor!r}.")

    @classmethod
    def of(cls, minor: int, code: str) -> Money:
        return cls(minor, Currency(code))

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read `EUR:1.00`. Only plain ASCII digits with at most the currency's decimals; no sign, no exponent."""
        match = re.fullmatch(r"([A-Z]{3}):([0-9]{1,12}(?:\.[0-9]{1,3})?)", text, re.ASCII)
        if match is None:
            raise CurrencyError(f"{text!r} is no amount; write it like EUR:1.00.")
        currency = Currency(match[1])
        return cls(decimal_to_minor(match[2], currency), currency)

    def __str__(self) -> str:
        return f"{self.currency}:{self.decimal:.{self.currency.exponent}f}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.minor * times, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    @property
    def decimal(self) -> Decimal:
        """In main units, for showing only."""
        return Decimal(self.minor).scaleb(-self.currency.exponent)

    @property
    def micros(self) -> int:
        return self.minor * self.currency.micros_per_minor

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise CurrencyError(f"{self.currency} and {other.currency} do not add; keep one sum per currency.")
        return other


def decimal_to_minor(text: str, currency: Currency) -> int:
    """Main units written as a decimal, in minor units; refused where a part of a chargeable step would be lost."""
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text, re.ASCII) is None:
        raise CurrencyError(f"{text!r} is no amount; use digits and a point, such as 1.00.")
    try:
        scaled = Decimal(text).scaleb(currency.exponent)
    except InvalidOperation:
        raise CurrencyError(f"{text!r} is no amount.") from None
    if scaled != int(scaled) or int(scaled) % currency.charge_step:
        raise CurrencyError(f"{text!r} has parts that {currency} cannot be paid in.")
    return int(scaled)


def to_micros(amount: Money) -> int:
    """The amount in the ledger's scale, exactly."""
    return amount.micros


def whole_minor(micros: int, currency: Currency) -> int:
    """The most that can be sent of `micros`, in minor units, rounded down to the currency's payout step.

    The rest stays owed. Nothing can be sent of a debt.
    """
    if micros <= 0:
        return 0
    minor = micros // currency.micros_per_minor
    return minor - minor % currency.payout_step


class Sortable(Hashable, Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


Key = TypeVar("Key", bound=Sortable)


def allocate(total: int, weights: Sequence[tuple[Key, Fraction | int]]) -> dict[Key, int]:
    """Divide `total` by `weights` so that nothing is lost: by largest remainder, ties to the smaller key.

    Weights need not sum to one; they are parts of their own sum. A negative total gives exactly the negative of what
    the positive one gives, so that a reversal cancels each share. Raises SplitError for weights below nought, for a sum
    of nought, and for a key named twice.
    """
    shares = [(key, Fraction(weight)) for key, weight in weights]
    whole = sum((weight for _, weight in shares), Fraction(0))
    if whole <= 0 or any(weight < 0 for _, weight in shares):
        raise SplitError("Weights must be nought or more and sum to more than nought.")
    if len({key for key, _ in shares}) != len(shares):
        raise SplitError("Each key may be named once; add the weights of the same party first.")
    if total < 0:
        return {key: -part for key, part in allocate(-total, weights).items()}
    exact = [(key, total * weight / whole) for key, weight in shares]
    parts = {key: int(part) for key, part in exact}  # int() rounds down here: nothing is negative
    rest = total - sum(parts.values())
    by_remainder = sorted(exact, key=lambda pair: (-(pair[1] - int(pair[1])), pair[0]))
    for key, _ in by_remainder[:rest]:
        parts[key] += 1
    return parts
