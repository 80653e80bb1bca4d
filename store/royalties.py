"""Who gets what of a price. Pure: the same function answers on the price page, freezes an order line and is posted.

The order of the waterfall: what the buyer pays, less the consumer tax inside it, less the store's commission, less the
work layer's royalty; the rest is for the sound recordings. Commission and work royalty are percentages of the amount
without tax. Every share is an exact fraction and every amount a whole number of millionths; all legs of the amount
without tax are rounded together by the largest remainder, so that they always sum to it and a negative amount mirrors
the positive one. A share nobody claims by letter of direction is not lost: it waits in suspense under its holder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

from payments.money import allocate

Kind = Literal["TAX", "COMMISSION", "WORK", "RECORDING"]
Layer = Literal["RECORDING", "WORK"]


class SplitError(ValueError):
    """Shares or percentages that cannot be a whole; a fault of the caller, never rounded away."""


@dataclass(frozen=True, order=True)
class Holding:
    """A rights holder's share of one layer of one recording."""

    holder: int
    name: str
    share: Fraction


@dataclass(frozen=True)
class Piece:
    """One recording on the line. `weight` is its part of the line's price, in any unit common to the line."""

    recording: int
    title: str
    weight: int
    recording_holders: tuple[Holding, ...]
    work_holders: tuple[Holding, ...]


@dataclass(frozen=True, order=True)
class Direction:
    """A payee that is paid a holder's share, or a part of it, by letter of direction."""

    payee: int
    share: Fraction


Directions = Mapping[tuple[int, Layer], Sequence[Direction]]


@dataclass(frozen=True)
class Terms:
    """The store's percentages, as fractions of the amount without tax."""

    commission: Fraction
    work_royalty: Fraction

    def __post_init__(self) -> None:
        if min(self.commission, self.work_royalty) < 0 or self.commission + self.work_royalty > 1:
            raise SplitError("Commission and work royalty must not be negative nor above the whole together.")


@dataclass(frozen=True)
class Leg:
    """One part of the price. `label` is the holder's name, a country for tax, or "store".

    A holder's part with a `payee` goes there by letter of direction; without one it waits in suspense. The payee's name
    is not kept here: legs are shown to buyers, and only the holder is named in public.
    """

    kind: Kind
    label: str
    micros: int
    recording: int | None = None
    title: str = ""
    holder: int | None = None
    payee: int | None = None

    @property
    def in_suspense(self) -> bool:
        return self.kind in {"WORK", "RECORDING"} and self.payee is None


@dataclass(frozen=True)
class Split:
    """The legs of one line; they sum to `micros` exactly, or the split refuses to exist."""

    micros: int
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        if sum(leg.micros for leg in self.legs) != self.micros:
            raise SplitError("The legs of a split must sum to its amount.")

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(leg) for leg in self.legs]

    @classmethod
    def from_json(cls, legs: Sequence[Mapping[str, Any]]) -> "Split":
        read = tuple(Leg(**leg) for leg in legs)
        return cls(sum(leg.micros for leg in read), read)

    def summary(self) -> list[tuple[str, str, int]]:
        """`(kind, label, micros)` with the recordings of a release added up: what a buyer is shown."""
        sums: dict[tuple[str, str], int] = {}
        for leg in self.legs:
            sums[leg.kind, leg.label] = sums.get((leg.kind, leg.label), 0) + leg.micros
        return [(kind, label, micros) for (kind, label), micros in sums.items()]


def split(
    gross_micros: int, *, tax_micros: int, country: str, pieces: Sequence[Piece], directions: Directions, terms: Terms
) -> Split:
    """The legs of a line that costs `gross_micros` with `tax_micros` of tax inside."""
    if not pieces or sum(piece.weight for piece in pieces) <= 0 or min(piece.weight for piece in pieces) < 0:
        raise SplitError("A line needs at least one recording with a weight above nought.")
    total = sum(piece.weight for piece in pieces)
    parts: list[tuple[Leg, Fraction]] = [(Leg("COMMISSION", "store", 0), terms.commission)]
    for piece in pieces:
        part = Fraction(piece.weight, total)
        parts += _layer(piece, "RECORDING", part * (1 - terms.commission - terms.work_royalty), directions)
        parts += _layer(piece, "WORK", part * terms.work_royalty, directions)
    # The place in the list is the fixed tie-breaker; holders and payees are sorted, so it is the same each time.
    amounts = allocate(gross_micros - tax_micros, [(f"{i:06}", share) for i, (_, share) in enumerate(parts)])
    legs = [Leg("TAX", country, tax_micros)]
    legs += [Leg(**{**asdict(leg), "micros": amounts[f"{i:06}"]}) for i, (leg, _) in enumerate(parts)]
    return Split(gross_micros, tuple(leg for leg in legs if leg.micros))


def _layer(piece: Piece, layer: Layer, part: Fraction, directions: Directions) -> list[tuple[Leg, Fraction]]:
    """One layer's legs of one recording; each holder's share goes where the letters say, the rest to suspense."""
    holders = sorted(piece.recording_holders if layer == "RECORDING" else piece.work_holders)
    if sum((held.share for held in holders), Fraction(0)) != 1:
        raise SplitError(f"The {layer.lower()} shares of “{piece.title}” must be exactly the whole.")
    legs: list[tuple[Leg, Fraction]] = []
    for held in holders:
        letters = sorted(directions.get((held.holder, layer), ()))
        directed = sum((letter.share for letter in letters), Fraction(0))
        if directed > 1:
            raise SplitError(f"The letters of direction of {held.name} give away more than the whole.")
        common = {"recording": piece.recording, "title": piece.title, "holder": held.holder}
        legs += [
            (Leg(layer, held.name, 0, payee=letter.payee, **common), part * held.share * letter.share)  # type: ignore[arg-type]
            for letter in letters
        ]
        if directed < 1:
            legs.append((Leg(layer, held.name, 0, **common), part * held.share * (1 - directed)))  # type: ignore[arg-type]
    return legs
