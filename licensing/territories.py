"""Countries, sets of countries, and when a calendar day begins in each of them. Pure.

The list of countries is `iso3166.tab` of the tzdata package (ISO 3166-1 alpha-2, read literally: US holds neither PR
nor GU, GB neither GG nor JE), the zones of a country are `zone.tab`. Both come with the locked package and not from
the machine, so that the same release gives the same answer everywhere; `DATA_VERSION` says which tables they were.

A day of a country begins when the first of its clocks shows it: the easternmost zone counts, as in DDEX. That zone is
the one whose clock is furthest ahead on the day, which for Kiribati and New Zealand lies beyond the date line.

Inside, a set of countries is also a mask: an integer with one bit a country, in the order of `COUNTRIES`. Rules over
all countries are then a handful of integer operations.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Self
from zoneinfo import ZoneInfo

from licensing.errors import TerritoryError
from licensing.terms import TerritoryMode

DATA_VERSION = version("tzdata")

_TABLES = files("tzdata") / "zoneinfo"

# Two countries without inhabitants have no line in zone.tab.
_UNINHABITED = {"BV": ["Europe/Oslo"], "HM": ["Etc/GMT-5"]}


def _rows(name: str) -> list[list[str]]:
    lines = (_TABLES / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


COUNTRY_NAMES: dict[str, str] = {row[0]: row[1] for row in _rows("iso3166.tab")}
COUNTRIES: tuple[str, ...] = tuple(sorted(COUNTRY_NAMES))
BIT: dict[str, int] = {code: 1 << place for place, code in enumerate(COUNTRIES)}
ALL: int = (1 << len(COUNTRIES)) - 1


def is_country(code: str) -> bool:
    """Whether `code` is a current ISO 3166-1 alpha-2 code, in capitals."""
    return code in BIT


def mask_of(codes: Iterable[str]) -> int:
    """The mask of those codes that are countries; others have no bit."""
    mask = 0
    for code in codes:
        mask |= BIT.get(code, 0)
    return mask


@lru_cache(maxsize=4096)
def codes_of(mask: int) -> tuple[str, ...]:
    """The countries of a mask, in alphabetical order."""
    return tuple(code for code in COUNTRIES if mask & BIT[code])


@dataclass(frozen=True, slots=True)
class TerritorySet:
    """Countries as a contract names them: `ONLY` these, or the world except these.

    A complement is never expanded when kept, so that a country that comes into being belongs to it.
    """

    mode: str
    codes: frozenset[str]

    @classmethod
    def only(cls, *codes: str) -> Self:
        return cls(TerritoryMode.ONLY.value, frozenset(codes))

    @classmethod
    def world(cls, *, but: Iterable[str] = ()) -> Self:
        return cls(TerritoryMode.WORLD_EXCEPT.value, frozenset(but))

    @classmethod
    def parse(cls, mode: str, codes: Iterable[str]) -> Self:
        """A set from outside, checked. Raises TerritoryError for an unknown mode or code, or for an empty ONLY."""
        found = cls(str(mode), frozenset(codes))
        if found.mode not in {TerritoryMode.ONLY, TerritoryMode.WORLD_EXCEPT}:
            raise TerritoryError(f"{mode!r} is no way to name countries: say ONLY or WORLD_EXCEPT.")
        if found.unknown:
            raise TerritoryError(f"{', '.join(found.unknown)}: not in ISO 3166-1. Use two-letter codes such as DE, US.")
        if found.mode == TerritoryMode.ONLY and not found.codes:
            raise TerritoryError("Name at least one country, or say WORLD_EXCEPT for the whole world.")
        return found

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is not understood of this set; a record with any of it clears nothing."""
        bad = () if _mask_of_set(self.codes).bit_count() == len(self.codes) else tuple(sorted(self.codes - BIT.keys()))
        return bad if self.mode in _MODES else (*bad, self.mode)

    @property
    def mask(self) -> int:
        named = _mask_of_set(self.codes)
        if self.mode == TerritoryMode.ONLY:
            return named
        return ALL & ~named if self.mode == TerritoryMode.WORLD_EXCEPT else 0

    def __contains__(self, code: object) -> bool:
        return isinstance(code, str) and bool(self.mask & BIT.get(code, 0))

    def __or__(self, other: Self) -> Self:
        mine, theirs = self.codes, other.codes
        if self._is_only and other._is_only:
            return self._like(TerritoryMode.ONLY, mine | theirs)
        if self._is_only:
            return self._like(TerritoryMode.WORLD_EXCEPT, theirs - mine)
        if other._is_only:
            return self._like(TerritoryMode.WORLD_EXCEPT, mine - theirs)
        return self._like(TerritoryMode.WORLD_EXCEPT, mine & theirs)

    def __and__(self, other: Self) -> Self:
        mine, theirs = self.codes, other.codes
        if self._is_only and other._is_only:
            return self._like(TerritoryMode.ONLY, mine & theirs)
        if self._is_only:
            return self._like(TerritoryMode.ONLY, mine - theirs)
        if other._is_only:
            return self._like(TerritoryMode.ONLY, theirs - mine)
        return self._like(TerritoryMode.WORLD_EXCEPT, mine | theirs)

    def __str__(self) -> str:
        return _in_words(self.mode, self.codes)

    @property
    def _is_only(self) -> bool:
        return self.mode == TerritoryMode.ONLY

    @classmethod
    def _like(cls, mode: TerritoryMode, codes: frozenset[str]) -> Self:
        return cls(mode.value, codes)


_MODES = frozenset(mode.value for mode in TerritoryMode)


@lru_cache(maxsize=4096)
def _in_words(mode: str, codes: frozenset[str]) -> str:
    names = ", ".join(sorted(codes))
    if mode == TerritoryMode.ONLY:
        return names
    return f"worldwide except {names}" if names else "worldwide"


@lru_cache(maxsize=4096)
def _mask_of_set(codes: frozenset[str]) -> int:
    return mask_of(codes)


# -- Codes from outside ------------------------------------------------------------------------------------------------

_WORLD = "*"
_GROUP = re.compile(r"2(1\d\d|[A-Z]{2})")
_SUBDIVISION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


@cache
def edge_codes() -> Mapping[str, tuple[str, ...]]:
    """What codes other than ISO 3166-1 alpha-2 stand for in imports and forms: licensing/data/territory_codes.csv.

    These are the numeric codes of ISO 3166-1, which CISAC's TIS shares, those of states that are gone, the four-letter
    codes of ISO 3166-3 that DDEX uses, and groups of TIS whose members nobody disputes. A state that is gone stands for
    what became of it. Stored sets hold current codes only.
    """
    table = (files("licensing") / "data" / "territory_codes.csv").read_text(encoding="utf-8")
    return {row["code"]: tuple(row["countries"].split()) for row in csv.DictReader(table.splitlines())}


def at_the_edge(code: str) -> tuple[str, ...]:
    """Current countries for a code from outside. Raises TerritoryError, for the whole world as well (`read_codes`)."""
    wanted = code.strip().upper()
    if is_country(wanted):
        return (wanted,)
    found = edge_codes().get(wanted.lstrip("0") or wanted)
    if found is None:
        raise TerritoryError(_why_not(wanted))
    if found == (_WORLD,):
        raise TerritoryError(f"{code!r} is the whole world, which is kept as WORLD_EXCEPT and never spelled out.")
    return found


def read_codes(included: Iterable[str], *, excluded: Iterable[str] = ()) -> TerritorySet:
    """The set that codes from outside name, such as a DDEX deal's: these, or the world, without `excluded`.

    Excluded countries alone mean the rest of the world. Raises TerritoryError where a code is not known, where the
    world stands beside single countries, or where nothing is left.
    """
    named = [code.strip().upper() for code in included]
    out = {country for code in excluded for country in at_the_edge(code)}
    worldwide = [code for code in named if edge_codes().get(code) == (_WORLD,)]
    if worldwide and len(worldwide) < len(named):
        raise TerritoryError(f"{worldwide[0]} stands beside single countries: say which is meant.")
    if worldwide or (out and not named):
        return TerritorySet.world(but=out)
    inside = {country for code in named for country in at_the_edge(code)} - out
    return TerritorySet.parse(TerritoryMode.ONLY, inside)


def _why_not(code: str) -> str:
    if _GROUP.fullmatch(code):
        return f"{code} names a part of the world, in which two readers would not count the same countries. Name them."
    if _SUBDIVISION.fullmatch(code):
        return f"{code} is a part of a country. Rights are kept by country: name the country, or leave it out."
    return f"{code[:20]!r} is not in ISO 3166-1. Use two-letter codes such as DE, US."


@cache
def _zones() -> dict[str, tuple[ZoneInfo, ...]]:
    names: dict[str, list[str]] = {code: list(zones) for code, zones in _UNINHABITED.items()}
    for row in _rows("zone.tab"):
        names.setdefault(row[0], []).append(row[2])
    return {code: tuple(_zone(name) for name in names[code]) for code in COUNTRIES}


def _zone(name: str) -> ZoneInfo:
    with _TABLES.joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


_FIRST_YEAR, _LAST_YEAR = 1900, 9000


@dataclass(frozen=True, slots=True)
class DayStart:
    """When one day begins around the world: ascending instants, and the countries where it has begun by each."""

    instants: tuple[datetime, ...]
    begun: tuple[int, ...]

    def begun_at(self, at: datetime) -> int:
        """The mask of the countries where the day has begun at `at`."""
        place = bisect_right(self.instants, at)
        return self.begun[place - 1] if place else 0

    def next_after(self, at: datetime, among: int) -> datetime | None:
        """The first instant after `at` at which the day begins in one of the countries of the mask `among`."""
        place = bisect_right(self.instants, at)
        before = self.begun[place - 1] if place else 0
        for instant, begun in zip(self.instants[place:], self.begun[place:], strict=True):
            if begun & ~before & among:
                return instant
        return None


@lru_cache(maxsize=8192)
def day_start(day: date) -> DayStart:
    """The start of `day` in every country. Days before 1900 have begun everywhere; from the year 9000 on none does."""
    if day.year < _FIRST_YEAR:
        return DayStart((datetime.min.replace(tzinfo=UTC),), (ALL,))
    if day.year >= _LAST_YEAR:
        return DayStart((), ())
    by_instant: dict[datetime, int] = {}
    for code, zones in _zones().items():
        instant = min(_midnight(day, zone) for zone in zones)
        by_instant[instant] = by_instant.get(instant, 0) | BIT[code]
    instants = tuple(sorted(by_instant))
    begun, so_far = [], 0
    for instant in instants:
        so_far |= by_instant[instant]
        begun.append(so_far)
    return DayStart(instants, tuple(begun))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day` in `zone`.

    Where clocks jump over midnight, an offset taken before the jump (fold 0) names the instant of the jump, with which
    the day begins; where midnight comes twice, fold 0 is the first.
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day_begins(day: date, country: str) -> datetime | None:
    """The instant at which `day` begins in `country`; None for a day that never does. KeyError for no country."""
    start, bit = day_start(day), BIT[country]
    return next((instant for instant, begun in zip(start.instants, start.begun, strict=True) if begun & bit), None)


def day_after(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)
