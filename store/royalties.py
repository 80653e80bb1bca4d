"""Who gets what of a price. Pure: the same function answers on the price page, freezes an order line and is posted.

The waterfall, in this order: what the buyer pays, less the consumer tax inside it, less the payment fee where the
holders bear it, less the store's commission, less the royalty of the works; the rest is for the sound recordings and
goes where the letters of direction say. Commission and royalty percentages are of the price without tax, so that what
comes between does not change them; an amount for each copy or minute is taken as it is.

Every share is an exact fraction and every amount a whole number of millionths. All legs of the price without tax are
rounded together by the largest remainder, ties to the earlier leg, so that they always sum to it and a negative price
mirrors the positive one. A holder is never more than a millionth away from its exact part of a sale; that is a ten
thousandth of a cent, so that no remainder needs carrying from one sale to the next. A share nobody claims by letter of
direction is not lost: it waits in suspense under its holder.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from payments.money import allocate

Kind = Literal["TAX", "FEE", "COMMISSION", "WORK", "RECORDING"]
Layer = Literal["RECORDING", "WORK"]
ORDER = ("TAX", "FEE", "COMMISSION", "WORK", "RECORDING")
"""The order of the waterfall, which an order line records beside its split."""

HOLDERS = "HOLDERS"
COMMISSION = "COMMISSION"
"""Who bears the payment fee."""

MINUTE = 60


class SplitError(ValueError):
    """Shares or percentages that cannot be a whole; a fault of the caller, never rounded away."""


class WorkTooDear(SplitError):
    """The works' royalty and the commission are more than the price without tax; `short` millionths are missing."""

    def __init__(self, short: int) -> None:
        super().__init__(f"The royalty of the works is {short} millionths more than the price leaves.")
        self.short = short


@dataclass(frozen=True)
class WorkRate:
    """What the works of one recording are paid for one copy: the greatest of what it names. Amounts are millionths.

    `percent` is of the track's price without tax, `per_minute` for each minute or fraction of one, and only of a
    recording longer than `over_seconds`. `source` says whose rate it is.
    """

    percent: Fraction = Fraction(0)
    flat: int = 0
    per_minute: int = 0
    over_seconds: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 1 or min(self.flat, self.per_minute, self.over_seconds) < 0:
            raise SplitError("A rate is a part of the price and amounts, none of them below nought.")

    def of(self, net: Fraction, seconds: int) -> Fraction:
        """Millionths for a copy of a recording of so many seconds that costs `net` without tax."""
        minutes = -(-seconds // MINUTE) if seconds > self.over_seconds else 0
        return max(self.percent * net, Fraction(self.flat), Fraction(self.per_minute * minutes))


@dataclass(frozen=True)
class Holding:
    """A rights holder's share of one layer of one recording; `rate` is what its licence says the work is paid."""

    holder: int
    name: str
    share: Fraction
    rate: WorkRate | None = None


@dataclass(frozen=True)
class Piece:
    """One recording on the line. `weight` is its part of the line's price, in any unit common to the line."""

    recording: int
    title: str
    weight: int
    recording_holders: tuple[Holding, ...]
    work_holders: tuple[Holding, ...]
    release: int | None = None
    seconds: int = 0


@dataclass(frozen=True)
class Direction:
    """A payee that is paid a holder's share, or a part of it, by letter of direction; of one recording or release."""

    payee: int
    share: Fraction
    release: int | None = None
    recording: int | None = None


Directions = Mapping[tuple[int, Layer], Sequence[Direction]]


@dataclass(frozen=True)
class Terms:
    """What the store asks of a line: fractions of the amount without tax; the royalty is for works without a rate.

    `fee` says who bears the payment fee; `reserve` is the part of a payee's money that is held back for so many days.
    """

    commission: Fraction
    work_royalty: Fraction
    fee: str = COMMISSION
    reserve: Fraction = Fraction(0)
    reserve_days: int = 0

    def __post_init__(self) -> None:
        if min(self.commission, self.work_royalty) < 0 or self.commission + self.work_royalty > 1:
            raise SplitError("Commission and work royalty must not be negative nor above the whole together.")
        if not 0 <= self.reserve <= 1 or self.reserve_days < 0:
            raise SplitError("A reserve is a part of the whole, for some days.")

    def to_json(self) -> dict[str, Any]:
        """As an order line keeps them, with the order in which they are taken."""
        said = {name: str(getattr(self, name)) for name in ("commission", "work_royalty", "fee", "reserve")}
        return {"order": [*ORDER, "RECOUPMENT", "RESERVE"], **said, "reserve_days": self.reserve_days}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Terms":
        parts = {name: Fraction(said[name]) for name in ("commission", "work_royalty", "reserve")}
        return cls(**parts, fee=said["fee"], reserve_days=said["reserve_days"])


@dataclass(frozen=True)
class Leg:
    """One part of the price. `label` is the holder's name, a country for tax, or "store".

    A holder's part with a `payee` goes there by letter of direction; without one it waits in suspense. The payee's name
    is not kept here: legs are shown to buyers, and whether a payee is named is the payee's to say. `share` is the
    exact part of the recording's layer, and `rate` whose rate a work was paid by.
    """

    kind: Kind
    label: str
    micros: int
    recording: int | None = None
    title: str = ""
    holder: int | None = None
    payee: int | None = None
    share: str = ""
    rate: str = ""

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

    def __neg__(self) -> "Split":
        return Split(-self.micros, tuple(replace(leg, micros=-leg.micros) for leg in self.legs))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(leg) for leg in self.legs]

    @classmethod
    def from_json(cls, legs: Sequence[Mapping[str, Any]]) -> "Split":
        read = tuple(Leg(**leg) for leg in legs)
        return cls(sum(leg.micros for leg in read), read)

    def bearing(self, fee_micros: int) -> "Split":
        """The same split with the payment fee taken off the recordings, each in proportion; never below nought.

        What the recordings cannot bear stays with the store. A fee is above nought for a sale and its mirror alike.
        """
        if self.micros < 0:
            return -(-self).bearing(fee_micros)
        shares = self.fee_shares(fee_micros)
        borne = sum(shares.values())
        if not borne:
            return self
        legs = [replace(leg, micros=leg.micros - shares.get(place, 0)) for place, leg in enumerate(self.legs)]
        fee = Leg("FEE", "payment", borne)
        after = sum(leg.kind == "TAX" for leg in legs)
        return Split(self.micros, tuple(leg for leg in (*legs[:after], fee, *legs[after:]) if leg.micros))

    def fee_shares(self, fee_micros: int) -> dict[int, int]:
        """How many millionths of a payment fee each recording leg bears, by its place; none above its own."""
        weights = [(place, leg.micros) for place, leg in enumerate(self.legs) if leg.kind == "RECORDING"]
        most = sum(micros for _, micros in weights)
        return allocate(min(fee_micros, most), weights) if min(fee_micros, most) > 0 else {}


def split(
    gross_micros: int, *, tax_micros: int, country: str, pieces: Sequence[Piece], directions: Directions, terms: Terms
) -> Split:
    """The legs of a line that costs `gross_micros` with `tax_micros` of tax inside.

    Raises WorkTooDear where the works ask for more than the price leaves, and SplitError for shares that are no whole.
    """
    if gross_micros < 0:
        back = {"tax_micros": -tax_micros, "country": country, "pieces": pieces}
        return -split(-gross_micros, **back, directions=directions, terms=terms)  # type: ignore[arg-type]
    if not pieces or sum(piece.weight for piece in pieces) <= 0 or min(piece.weight for piece in pieces) < 0:
        raise SplitError("A line needs at least one recording with a weight above nought.")
    net = gross_micros - tax_micros
    total = sum(piece.weight for piece in pieces)
    commission = terms.commission * net
    of_works = [_works(piece, Fraction(piece.weight * net, total), directions, terms) for piece in pieces]
    rest = net - commission - sum((amount for legs in of_works for _, amount in legs), Fraction(0))
    if rest < 0:
        raise WorkTooDear(-(rest.numerator // rest.denominator))
    parts: list[tuple[Leg, Fraction]] = [(Leg("COMMISSION", "store", 0), commission)]
    for piece, works in zip(pieces, of_works, strict=True):
        parts += _recordings(piece, rest * piece.weight / total, directions)
        parts += works
    # The place in the list is the fixed tie-breaker; holders and payees are sorted, so it is the same each time.
    amounts = allocate(net, list(enumerate(amount for _, amount in parts))) if net else {}
    legs = [Leg("TAX", country, tax_micros)]
    legs += [replace(leg, micros=amounts.get(place, 0)) for place, (leg, _) in enumerate(parts)]
    return Split(gross_micros, tuple(leg for leg in legs if leg.micros))


def _works(piece: Piece, net: Fraction, directions: Directions, terms: Terms) -> list[tuple[Leg, Fraction]]:
    """The work layer of one recording that costs `net` without tax: each holder by the rate of its own licence."""
    common = WorkRate(terms.work_royalty, source="store")
    legs: list[tuple[Leg, Fraction]] = []
    for held in _whole(piece, piece.work_holders, "WORK"):
        rate = held.rate or common
        legs += _directed(piece, "WORK", held, rate.of(net, piece.seconds), directions, rate=rate.source)
    return legs


def _recordings(piece: Piece, part: Fraction, directions: Directions) -> list[tuple[Leg, Fraction]]:
    legs: list[tuple[Leg, Fraction]] = []
    for held in _whole(piece, piece.recording_holders, "RECORDING"):
        legs += _directed(piece, "RECORDING", held, part, directions)
    return legs


def _whole(piece: Piece, holders: Iterable[Holding], layer: Layer) -> list[Holding]:
    found = sorted(holders, key=lambda held: (held.holder, held.name, held.share, str(held.rate)))
    if sum((held.share for held in found), Fraction(0)) != 1:
        raise SplitError(f"The {layer.lower()} shares of “{piece.title}” must be exactly the whole.")
    return found


def _directed(
    piece: Piece, layer: Layer, held: Holding, part: Fraction, directions: Directions, *, rate: str = ""
) -> list[tuple[Leg, Fraction]]:
    """One holder's legs of a layer that gets `part`: where the letters say, the rest to suspense."""
    letters = letters_for(directions.get((held.holder, layer), ()), recording=piece.recording, release=piece.release)
    directed = sum((letter.share for letter in letters), Fraction(0))
    if directed > 1:
        raise SplitError(f"The letters of direction of {held.name} give away more than the whole.")
    to: list[tuple[int | None, Fraction]] = [(letter.payee, letter.share) for letter in letters]
    if directed < 1:
        to.append((None, 1 - directed))
    return [
        (
            Leg(layer, held.name, 0, piece.recording, piece.title, held.holder, payee, str(held.share * share), rate),
            part * held.share * share,
        )
        for payee, share in to
    ]


def letters_for(letters: Iterable[Direction], *, recording: int, release: int | None) -> list[Direction]:
    """The letters that count for one recording sold on one release: the most specific there are, and no others."""
    found = sorted(letters, key=lambda letter: (letter.payee, letter.share))
    of_recording = [letter for letter in found if letter.recording == recording]
    of_release = [letter for letter in found if letter.release is not None and letter.release == release]
    general = [letter for letter in found if letter.recording is None and letter.release is None]
    return of_recording or of_release or general
