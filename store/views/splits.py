"""Who gets what, as a bar and its legend: the legs of a split in words, in order, with their places on a bar.

A payee is named where it agreed to be; where not, it is a payee of the rights holder that has it paid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from payments.models import Payee
from payments.money import Currency, allocate
from store import pricing
from store.pricing import Priced
from store.royalties import HOLDERS, Leg, Split
from store.templatetags.shop import in_country

BAR = 1000  # units of the bar's width
TAKE_TURNS = 4  # tones of the bar that holders take turns at
WORDS = {
    "RECORDING": "for the recording",
    "WORK": "for the composition",
    "COMMISSION": "for running the shop",
    "FEE": "for the payment, about",
    "FEE_TAKEN": "for the payment",
    "TAX": "consumer tax",
    "HOLDER": "",
}
TONES = {"COMMISSION": 4, "TAX": 5, "FEE": 6, "FEE_TAKEN": 6}
ORDER = ["HOLDER", "RECORDING", "WORK", "COMMISSION", "FEE", "FEE_TAKEN", "TAX"]


@dataclass(frozen=True, slots=True)
class Part:
    label: str
    what: str
    micros: int
    minor: int
    part: int
    x: int
    width: int


def before_paying(priced: Sequence[Priced]) -> list[Split]:
    """The splits as a buyer is shown them before paying: with the fee that the payment will cost about, where the
    holders bear it."""
    fees = pricing.fees_about(priced)
    return [
        each.split.bearing(fee * Currency(each.offer.currency).micros_per_minor)
        if each.terms.fee == HOLDERS
        else each.split
        for each, fee in zip(priced, fees, strict=True)
    ]


def named(splits: Iterable[Split]) -> dict[int, str]:
    """The names of those payees of these splits that agreed to be named. One query."""
    payees = {leg.payee for split in splits for leg in split.legs if leg.payee is not None}
    return dict(Payee.objects.filter(pk__in=payees, named_in_public=True).values_list("pk", "name"))


def parts(split: Split, *, currency: str, site_name: str, names: Mapping[int, str]) -> list[Part]:
    """The legs with the recordings of a release added up, holders first and tax last.

    `micros` are exact; `minor` are rounded together, so that what is shown sums to the price. Widths are for the eye.
    """
    sums: dict[tuple[str, str], int] = {}
    for leg in split.legs:
        key = (leg.kind, _who(leg, site_name, names))
        sums[key] = sums.get(key, 0) + leg.micros
    if not sums:  # what is given away pays nobody
        return []
    return drawn(sums, currency=currency)


def drawn(sums: Mapping[tuple[str, str], int], *, currency: str) -> list[Part]:
    """Millionths by kind and name as parts of a bar: holders first, tax last. What is below nought has no width."""
    shown = sorted(sums.items(), key=lambda each: ORDER.index(each[0][0]))
    total = sum(micros for _, micros in shown)
    edges = _edges([max(micros, 0) for _, micros in shown])
    rounded = {place: micros // Currency(currency).micros_per_minor for place, (_, micros) in enumerate(shown)}
    if shown and min(micros for _, micros in shown) >= 0 < total:
        price = total // Currency(currency).micros_per_minor
        rounded = allocate(price, [(place, micros) for place, (_, micros) in enumerate(shown)])
    return [
        Part(
            label=who,
            what=WORDS[kind],
            micros=micros,
            minor=rounded[place],
            part=TONES.get(kind, place % TAKE_TURNS),
            x=edges[place],
            width=edges[place + 1] - edges[place],
        )
        for place, ((kind, who), micros) in enumerate(shown)
    ]


def _who(leg: Leg, site_name: str, names: Mapping[int, str]) -> str:
    """Whom a leg goes to, as a buyer reads it."""
    if leg.payee is not None:
        return names.get(leg.payee) or f"A payee of {leg.label}"
    return {"TAX": f"Tax in {in_country(leg.label)}", "COMMISSION": site_name, "FEE": "Payment provider"}.get(
        leg.kind, leg.label
    )


def _edges(amounts: Sequence[int]) -> list[int]:
    """Where each part begins on the bar, and where the last ends."""
    edges, total, whole = [0], 0, sum(amounts)
    for amount in amounts:
        total += amount
        edges.append(BAR * total // whole if whole else 0)
    return edges
