"""Consumer tax: the table is whole, and the tax inside a price is what an accountant would say."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import tax
from store.errors import TaxRateMissing

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"


@pytest.mark.parametrize(
    ("gross", "rate", "inside"),
    [(129, 1900, 21), (100, 1900, 16), (100, 2550, 20), (1, 1900, 0), (3, 2700, 1), (800, 0, 0), (100, 810, 7)],
)
def test_the_tax_inside_a_price_is_rounded_half_up(gross, rate, inside):
    assert tax.tax_inside(gross, rate) == inside


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_tax_is_never_off_by_more_than_half_a_minor_unit(gross, rate):
    inside = tax.tax_inside(gross, rate)
    assert abs(inside * (10_000 + rate) - gross * rate) * 2 <= 10_000 + rate
    assert tax.tax_inside(-gross, rate) == -inside


def test_the_table_covers_the_union_and_its_neighbours():
    assert {*EU.split(), "GB", "NO", "CH"} <= set(tax.table())


@pytest.mark.parametrize("country", sorted(tax.table()))
def test_the_periods_of_a_country_follow_each_other_without_gap(country):
    rates = tax.table()[country]
    assert [rate.until for rate in rates] == [rate.since for rate in rates[1:]] + [None]
    assert all(rate.source for rate in rates)


def test_the_rate_is_that_of_the_day():
    assert tax.rate("EE", at=datetime(2025, 6, 30, 23, 59, 59, tzinfo=UTC)) == 2200
    assert tax.rate("EE", at=datetime(2025, 7, 1, tzinfo=UTC)) == 2400


def test_no_tax_is_collected_outside_the_table():
    assert tax.rate("US", at=datetime(2026, 1, 1, tzinfo=UTC)) == 0


def test_a_country_without_a_rate_for_the_day_is_refused():
    with pytest.raises(TaxRateMissing):
        tax.rate("DE", at=datetime(1999, 1, 1, tzinfo=UTC))


def test_a_rate_above_the_whole_is_refused():
    with pytest.raises(ValueError, match="basis points"):
        tax.Rate("XX", 10_001, date(2020, 1, 1), None, "nobody")
