"""Which rows of a record's tariff are in force where, and until when. Pure.

A tariff is data: rows by country, use, day and number of tracks. A row replaces the one before it from its first day
on, verified or not, so that a new rate which nobody has compared with its source holds the sale instead of selling at
the old one. Which of several sizes of release a row is for is not asked: all of them must be verified.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from licensing.records import Question, RateFact, Record
from licensing.terms import Basis, Use
from licensing.territories import BIT, day_after, day_start

# Nothing is paid by the copy for these: a preview is part of the sale, and what was bought has been paid for.
_UNPAID = frozenset({Use.PREVIEW, Use.REDOWNLOAD})

_NO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


@dataclass(frozen=True, slots=True)
class InForce:
    """The countries where every row is verified; the least prices (currency, minor units, mask); where rows run out."""

    countries: int
    minima: tuple[tuple[str, int, int], ...]
    stops: tuple[tuple[date, int], ...]


def needed(record: Record, question: Question) -> bool:
    """Whether a rate has to be known before this record can be relied on for this use."""
    return bool(record.tariff or record.basis == Basis.STATUTORY) and question.use not in _UNPAID


def in_force(record: Record, question: Question) -> InForce:
    """What the record's tariff says about the question's use at its instant."""
    good = bad = 0
    minima: list[tuple[str, int, int]] = []
    stops: list[tuple[date, int]] = []
    for rows in _series(record.rates, question.use):
        bit = BIT[rows[0].territory]
        place = _place(rows, question.at, bit)
        if place is None:
            continue
        row = rows[place]
        if not _holds(row, question.at, bit):
            bad |= bit
            continue
        good |= bit
        ends = _ends(rows, place)
        if ends:
            stops.append((ends, bit))
        if row.minimum_micros:
            minima.append((row.currency, least_minor(row.currency, row.minimum_micros), bit))
    return InForce(good & ~bad, tuple(sorted(minima)), tuple(sorted(stops)))


def beginnings(record: Record, question: Question) -> list[tuple[date, int]]:
    """Every local day on which a row of the tariff begins or becomes of use, with its country."""
    days = []
    for rate in record.rates:
        bit = BIT.get(rate.territory, 0)
        if rate.use == question.use and bit:
            days += [(day, bit) for day in (rate.valid_from, rate.verified_on) if day]
    return days


def standing(rates: Iterable[RateFact], *, territory: str, use: str, at: datetime) -> tuple[RateFact, ...] | None:
    """The rows that a copy sold there at that instant is paid by, one for each size of release.

    None where the newest of them is not verified or is over: then nobody knows what is owed.
    """
    bit, found = BIT[territory], []
    for rows in _series((rate for rate in rates if rate.territory == territory), use):
        place = _place(rows, at, bit)
        if place is None:
            continue
        if not _holds(rows[place], at, bit):
            return None
        found.append(rows[place])
    return tuple(found)


def least_minor(currency: str, micros: int) -> int:
    """The least whole number of minor units that is no less than so many millionths of the currency's main unit."""
    if currency in _NO_DECIMALS:
        return -(-micros // 1_000_000)
    return -(-micros // (1_000 if currency in _THREE_DECIMALS else 10_000))


def _series(rates: Iterable[RateFact], use: str) -> list[list[RateFact]]:
    """The rows for one country and number of tracks, in the order in which they replace each other."""
    found: dict[tuple[str, int], list[RateFact]] = {}
    for rate in rates:
        if rate.use == use and rate.territory in BIT:
            found.setdefault((rate.territory, rate.tracks_from), []).append(rate)
    return [sorted(found[key], key=lambda rate: rate.valid_from) for key in sorted(found)]


def _place(rows: list[RateFact], at: datetime, bit: int) -> int | None:
    """The newest row that has begun."""
    begun = [place for place, row in enumerate(rows) if day_start(row.valid_from).begun_at(at) & bit]
    return begun[-1] if begun else None


def _holds(row: RateFact, at: datetime, bit: int) -> bool:
    if row.valid_to is not None and day_start(day_after(row.valid_to)).begun_at(at) & bit:
        return False
    return row.verified_on is not None and bool(day_start(row.verified_on).begun_at(at) & bit)


def _ends(rows: list[RateFact], place: int) -> date | None:
    """The first day without a verified row that says the same of the least price, as far as is known now."""
    for row, after in zip(rows[place:], [*rows[place + 1 :], None], strict=True):
        ends = day_after(row.valid_to) if row.valid_to else None
        if after is None or (ends is not None and ends < after.valid_from):
            return ends
        verified = after.verified_on is not None and after.verified_on <= after.valid_from
        if not verified or (after.currency, after.minimum_micros) != (row.currency, row.minimum_micros):
            return after.valid_from
    return None
