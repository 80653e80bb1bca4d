"""Who gets what, as a bar and its legend: the legs of a split in words, in order, with their places on a bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from payments.money import Currency, allocate
from store.royalties import Split
from store.templatetags.shop import country_name

BAR = 1000  # units of the bar's width
PARTS = 6  # tones of the bar
WORDS = {
    "RECORDING": "for the recording",
    "WORK": "for the composition",
    "COMMISSION": "for running the shop",
    "TAX": "consumer tax",
}
ORDER = ["RECORDING", "WORK", "COMMISSION", "TAX"]


@dataclass(frozen=True, slots=True)
class Part:
    label: str
    what: str
    micros: int
    minor: int
    part: int
    x: int
    width: int


def parts(split: Split, *, currency: str, site_name: str) -> list[Part]:
    """The summed legs, holders first and tax last.

    `micros` are exact; `minor` are rounded together, so that what is shown sums to the price. Widths are for the eye.
    """
    legs = sorted(split.summary(), key=lambda leg: ORDER.index(leg[0]))
    edges = _edges([micros for _, _, micros in legs], split.micros)
    price = split.micros // Currency(currency).micros_per_minor
    rounded = allocate(price, [(place, Fraction(micros)) for place, (_, _, micros) in enumerate(legs)])
    drawn = []
    for place, (kind, label, micros) in enumerate(legs):
        name = {"TAX": f"Tax in {country_name(label)}", "COMMISSION": site_name}.get(kind, label)
        tone = {"TAX": PARTS - 1, "COMMISSION": PARTS - 2}.get(kind, place % (PARTS - 2))
        drawn.append(
            Part(name, WORDS[kind], micros, rounded[place], tone, edges[place], edges[place + 1] - edges[place])
        )
    return drawn


def _edges(amounts: Sequence[int], whole: int) -> list[int]:
    """Where each part begins on the bar, and where the last ends."""
    edges, total = [0], 0
    for amount in amounts:
        total += amount
        edges.append(BAR * total // whole if whole else 0)
    return edges
