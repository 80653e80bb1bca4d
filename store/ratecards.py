"""What the works of a recording are paid for a copy: by the tariff its licence names, else by the operator's own card.

The operator's card is the tariff HOUSE: dated rows by country, each verified by somebody else than who recorded it,
kept by `licensing.rates` beside those of societies and statutes. Where neither says anything, `WORK_ROYALTY_PERCENT`
holds. A percentage is of the price without tax, whichever of the two words for it a row uses. An amount in another
currency than the price is not converted, and a row that nobody verified is not guessed at: nothing is sold there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from licensing import rates
from licensing.models import LicenceGrant, Rate
from licensing.verdicts import Reliance
from store.errors import RateMissing
from store.royalties import WorkRate

HOUSE = "HOUSE"

Version = tuple[str, int]


@dataclass(frozen=True)
class Cards:
    """The rates in force in one country at one instant for some versions of licence records."""

    country: str
    tariffs: Mapping[Version, str]
    rows: Mapping[str, tuple[Rate, ...] | None]

    def rate(self, version: Version, *, tracks: int, currency: str) -> WorkRate | None:
        """What a copy sold together with `tracks` tracks in all is paid by; None where the store's percentage holds.

        Raises RateMissing where a rate is due and none can be relied on.
        """
        tariff = self.tariffs.get(version, "")
        if not tariff and HOUSE not in self.rows:
            return None
        rows = self.rows.get(tariff or HOUSE, ())
        if rows is None:
            raise RateMissing(f"The rate of {tariff or HOUSE} in {self.country} has not been verified.")
        fits = [row for row in rows if row.tracks_from <= tracks <= (row.tracks_to or tracks)]
        if fits:
            return _read(fits[-1], currency)
        if tariff:
            raise RateMissing(f"There is no rate of {tariff} in {self.country} for {tracks} tracks.")
        return None

    @property
    def by_the_minute(self) -> bool:
        """Whether the length of a recording is asked for."""
        return any(row.per_minute_micros for rows in self.rows.values() for row in rows or ())


def countries(recordings: Iterable[int], *, use: str) -> frozenset[str]:
    """The countries with a rate for a copy of one of these recordings, whenever it begins. One query."""
    recordings = set(recordings)
    about = Q(work__recordings__in=recordings) | Q(recording__in=recordings) | Q(catalogue__isnull=False)
    named = LicenceGrant.objects.filter(about, layer="WORK").exclude(tariff="").values("tariff")
    rows = Rate.objects.filter(Q(tariff=HOUSE) | Q(tariff__in=named), use=use)
    return frozenset(rows.values_list("territory", flat=True).distinct())


def in_force(relied_on: Iterable[Reliance], *, country: str, use: str, at: datetime) -> Cards:
    """The cards for what some verdicts rest on. Two queries."""
    works = {(each.record, each.version) for each in relied_on if each.layer == "WORK"}
    grants = LicenceGrant.objects.filter(record_id__in={record for record, _ in works}).exclude(tariff="")
    named = {
        (str(record), version): tariff
        for record, version, tariff in grants.values_list("record_id", "version", "tariff")
        if (str(record), version) in works
    }
    rows = rates.in_force({HOUSE, *named.values()}, territory=country, use=use, at=at)
    return Cards(country, named, rows)


def _read(row: Rate, currency: str) -> WorkRate:
    amounts = (row.flat_micros, row.minimum_micros, row.per_minute_micros)
    if any(amounts) and row.currency != currency:
        raise RateMissing(f"The rate of {row.tariff} in {row.territory} is in {row.currency}, the price in {currency}.")
    percent = Fraction(row.percent_numerator or 0, row.percent_denominator)
    return WorkRate(
        percent,
        flat=max(row.flat_micros or 0, row.minimum_micros or 0),
        per_minute=row.per_minute_micros or 0,
        over_seconds=row.per_minute_over_seconds or 0,
        source=str(row),
    )
