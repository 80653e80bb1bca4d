"""What a code takes off the lines of an order, and who bears it. Pure.

A label's own code lowers the price: every share is of what is paid, as if the label asked less. A code of the shop
leaves the holders all that they would have had: the shop's commission bears it, and with it ends. Amounts called
`…_minor` are minor units, in steps that the currency can be paid in.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from payments.money import Currency, allocate
from store.royalties import Leg, Split, SplitError

WHOLE = 100


def percent_off(prices: Mapping[int, int], percent: int, currency: Currency) -> dict[int, int]:
    """So many per cent of each price, rounded half up to a step; a hundred takes off all."""
    step = currency.charge_step
    off = {key: (2 * minor * percent // (WHOLE * step) + 1) // 2 * step for key, minor in prices.items()}
    return {key: min(off[key], minor) for key, minor in prices.items()}


def amount_off(prices: Mapping[int, int], amount_minor: int, currency: Currency) -> dict[int, int]:
    """An amount off all of them together, parted as their prices are, so that no step of it is lost."""
    step, total = currency.charge_step, sum(prices.values())
    if not total:
        return dict.fromkeys(prices, 0)
    steps = min(amount_minor, total) // step
    parts = allocate(steps, [(key, Fraction(minor)) for key, minor in sorted(prices.items())])
    return {key: part * step for key, part in parts.items()}


def most_borne(full: Split, wanted_minor: int, *, net: Callable[[int], int], currency: Currency) -> int:
    """The most of `wanted_minor` that the shop's commission in the split of the full price can bear.

    `net` tells what is paid without tax, in minor units, where so many are taken off. What the holders get stays to
    the millionth; tax falls with the price, so a discount costs the shop less than its amount.
    """
    scale, step = currency.micros_per_minor, currency.charge_step
    low, high = 0, wanted_minor // step
    while low < high:
        middle = (low + high + 1) // 2
        borne = net(middle * step) * scale >= _others(full)
        low, high = (middle, high) if borne else (low, middle - 1)
    return low * step


def borne_by_shop(full: Split, *, micros: int, tax_micros: int) -> Split:
    """The split of a lower price that leaves all others what the full price gave them. Raises SplitError."""
    commission = micros - tax_micros - _others(full)
    if commission < 0:
        raise SplitError("The shop's commission cannot bear so much.")
    kept = [leg for leg in full.legs if leg.kind not in {"TAX", "COMMISSION"}]
    tax = next((leg for leg in full.legs if leg.kind == "TAX"), None)
    legs = [replace(tax, micros=tax_micros)] if tax is not None else []
    legs += [Leg("COMMISSION", "store", commission), *kept]
    return Split(micros, tuple(leg for leg in legs if leg.micros))


def _others(full: Split) -> int:
    """What goes to others than the shop and the tax office."""
    return sum(leg.micros for leg in full.legs if leg.kind not in {"TAX", "COMMISSION"})
