"""Countries, sets of them, and when their days begin."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import TerritoryError
from licensing.territories import (
    ALL,
    COUNTRIES,
    TerritorySet,
    at_the_edge,
    codes_of,
    day_begins,
    day_start,
    edge_codes,
    is_country,
    mask_of,
    read_codes,
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


@pytest.mark.parametrize(
    ("code", "countries"),
    [
        ("de", ("DE",)),
        ("276", ("DE",)),
        ("040", ("AT",)),
        ("8", ("AL",)),
        ("cs", ("ME", "RS")),
        ("CSHH", ("CZ", "SK")),
        ("CSXX", ("ME", "RS")),
        ("ANHH", ("BQ", "CW", "SX")),
        ("736", ("SD", "SS")),
        ("UK", ("GB",)),
        ("2110", ("BE", "LU", "NL")),
    ],
)
def test_codes_from_outside_become_current_countries(code, countries):
    assert at_the_edge(code) == countries


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("EU", "ISO 3166-1"),
        ("2100", "Name them"),
        ("ES-CN", "part of a country"),
        ("2136", "WORLD_EXCEPT"),
        ("999", "ISO"),
    ],
)
def test_what_cannot_be_read_safely_is_refused_with_the_reason(code, said):
    with pytest.raises(TerritoryError, match=said):
        at_the_edge(code)


def test_every_country_has_its_number_and_every_code_leads_to_countries():
    aliases = get_global("territory_aliases")
    numbers = {code: found for code, found in edge_codes().items() if code.isdigit() and int(code) < 900}
    assert {country for found in numbers.values() for country in found} == set(COUNTRIES)
    for number, found in numbers.items():
        # CLDR, which Babel comes with, is a table that others made; it has one heir where the code had several.
        assert {code for code in aliases[number.zfill(3)] if is_country(code)} <= set(found), number
    assert all(is_country(code) or code == "*" for found in edge_codes().values() for code in found)
    assert not set(edge_codes()) & set(COUNTRIES)


@pytest.mark.parametrize(
    ("included", "excluded", "expected"),
    [
        (["Worldwide"], [], TerritorySet.world()),
        (["2WL"], ["840", "CA"], TerritorySet.world(but=["US", "CA"])),
        ([], ["CSXX"], TerritorySet.world(but=["ME", "RS"])),
        (["DE", "2110"], ["NL"], TerritorySet.only("DE", "BE", "LU")),
    ],
)
def test_codes_of_a_deal_become_a_set_and_the_world_stays_a_complement(included, excluded, expected):
    assert read_codes(included, excluded=excluded) == expected


@pytest.mark.parametrize(
    ("included", "excluded"), [([], []), (["DE"], ["276"]), (["Worldwide", "DE"], []), (["EU"], [])]
)
def test_a_deal_that_names_nothing_sure_is_refused(included, excluded):
    with pytest.raises(TerritoryError):
        read_codes(included, excluded=excluded)


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
