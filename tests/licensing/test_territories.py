"""Countries, sets of them, and when their days begin."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import TerritoryError
from licensing.territories import (
    ALL,
    COUNTRIES,
    HISTORIC,
    TerritorySet,
    at_the_edge,
    codes_of,
    day_begins,
    day_start,
    is_country,
    mask_of,
)

codes = st.frozensets(st.sampled_from(COUNTRIES), max_size=8)
sets = st.one_of(
    codes.filter(bool).map(lambda c: TerritorySet.only(*c)), codes.map(lambda c: TerritorySet.world(but=c))
)


def test_the_world_has_the_countries_of_iso_3166():
    assert len(COUNTRIES) == 249
    assert not is_country("EU")
    assert not is_country("de")


@given(sets, sets, st.sampled_from(COUNTRIES))
def test_union_and_intersection_hold_country_by_country(one, other, country):
    assert (country in (one | other)) == (country in one or country in other)
    assert (country in (one & other)) == (country in one and country in other)


@given(codes)
def test_a_mask_holds_just_its_codes(chosen):
    assert frozenset(codes_of(mask_of(chosen))) == chosen


def test_a_complement_is_kept_as_given():
    world = TerritorySet.world(but=["US"])
    assert world.codes == frozenset({"US"})
    assert str(world) == "worldwide except US"
    assert "PR" in world


@pytest.mark.parametrize(
    ("mode", "named"), [("ONLY", []), ("ONLY", ["XX"]), ("WORLD_EXCEPT", ["EU"]), ("SOME", ["DE"])]
)
def test_sets_from_outside_are_checked(mode, named):
    with pytest.raises(TerritoryError):
        TerritorySet.parse(mode, named)


def test_historic_codes_become_current_ones_at_the_edge():
    assert at_the_edge("cs") == ("ME", "RS")
    assert all(is_country(code) for found in HISTORIC.values() for code in found)
    with pytest.raises(TerritoryError):
        at_the_edge("EU")


@pytest.mark.parametrize(
    ("day", "country", "instant"),
    [
        (date(2026, 1, 1), "US", datetime(2026, 1, 1, 5, tzinfo=UTC)),  # New York, not Honolulu
        (date(2026, 3, 6), "PT", datetime(2026, 3, 6, tzinfo=UTC)),  # Lisbon, not the Azores
        (date(2026, 3, 6), "KI", datetime(2026, 3, 5, 10, tzinfo=UTC)),  # Kiritimati, UTC+14
        (date(2026, 7, 1), "DE", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        (date(2026, 3, 29), "LB", datetime(2026, 3, 28, 22, tzinfo=UTC)),  # no midnight: clocks jump 0:00 to 1:00
        (date(2011, 12, 30), "WS", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day that Samoa left out
    ],
)
def test_a_day_begins_with_the_first_clock_of_the_country(day, country, instant):
    assert day_begins(day, country) == instant


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Beirut", "Europe/Berlin", "Pacific/Kiritimati", "Africa/Cairo"]
)
@pytest.mark.parametrize("year", [2025, 2026])
def test_the_first_instant_of_a_day_is_the_first_that_shows_its_date(zone, year):
    clock, country = ZoneInfo(zone), {"America/New_York": "US", "Asia/Beirut": "LB", "Europe/Berlin": "DE"}.get(zone)
    country = country or {"Pacific/Kiritimati": "KI", "Africa/Cairo": "EG"}[zone]
    for number in range(0, 365, 1):
        day = date(year, 1, 1) + timedelta(days=number)
        begins = day_begins(day, country)
        assert begins is not None
        assert begins.astimezone(clock).date() == day
        assert (begins - timedelta(seconds=1)).astimezone(clock).date() == day - timedelta(days=1)


def test_every_country_has_begun_a_day_two_days_later():
    start = day_start(date(2026, 5, 5))
    assert start.begun_at(datetime(2026, 5, 7, tzinfo=UTC)) == ALL
    assert start.begun_at(datetime(2026, 5, 3, tzinfo=UTC)) == 0
    assert start.next_after(datetime(2026, 5, 7, tzinfo=UTC), ALL) is None
