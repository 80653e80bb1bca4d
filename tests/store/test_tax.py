"""Consumer tax: the table is whole, and the tax inside a price is what an accountant would say."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from store import tax
from store.errors import TaxRateMissing, TaxRateUnverified
from store.models import RateConfirmation

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
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


@pytest.mark.parametrize("country", sorted(tax.table()))
def test_today_has_a_rate_in_every_country_of_the_table(country):
    row = tax.row_of(country, on=datetime.now(UTC).date())
    assert row is not None
    assert 500 <= row.basis_points <= 2700


def test_whoever_verified_a_row_did_so_on_a_day_that_has_been():
    for rates in tax.table().values():
        for rate in rates:
            assert bool(rate.verified_by) == bool(rate.verified_on)
            assert rate.verified_on is None or rate.since <= rate.verified_on


@pytest.mark.parametrize(
    ("country", "day", "before", "after"),
    [
        ("FI", "2024-09-01", 2400, 2550),
        ("SK", "2025-01-01", 2000, 2300),
        ("EE", "2025-07-01", 2200, 2400),
        ("RO", "2025-08-01", 1900, 2100),
        ("CH", "2024-01-01", 770, 810),
    ],
)
def test_the_rate_is_that_of_the_day(country, day, before, after):
    new = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert tax.rate(country, at=new - timedelta(seconds=1)) == before
    assert tax.rate(country, at=new) == after


def test_no_tax_is_collected_outside_the_table():
    assert tax.rate("US", at=datetime(2026, 1, 1, tzinfo=UTC)) == 0


def test_a_country_without_a_rate_for_the_day_is_refused():
    with pytest.raises(TaxRateMissing):
        tax.rate("DE", at=datetime(1999, 1, 1, tzinfo=UTC))


def test_a_rate_above_the_whole_is_refused():
    with pytest.raises(ValueError, match="basis points"):
        tax.Rate("XX", 10_001, date(2020, 1, 1), None, "nobody")


def test_a_reduced_rate_for_music_goes_before_the_standard_one():
    assert tax.Rate("XX", 2000, date(2020, 1, 1), None, "law", reduced=550).basis_points == 550


@pytest.fixture
def unverified(monkeypatch):
    """The one row of a country that nobody has compared with anything."""
    row = tax.Rate("IM", 2000, date(2011, 1, 4), None, "a source")
    monkeypatch.setattr(tax, "table", lambda: {"IM": (row,)})
    return row


@pytest.mark.django_db
def test_nothing_is_sold_at_a_rate_that_nobody_verified(unverified):
    assert tax.unverified(on=NOW.date()) == [unverified]
    with pytest.raises(TaxRateUnverified):
        tax.rate("IM", at=NOW)


@pytest.mark.django_db
def test_the_operator_may_confirm_a_rate(unverified):
    for _ in range(2):
        call_command("tax", "confirm", "im", "--by", "Fiona", "--note", "gov.im", stdout=StringIO())
    assert RateConfirmation.objects.get().confirmed_by == "Fiona"
    assert tax.rate("IM", at=NOW) == 2000
    assert tax.unverified(on=NOW.date()) == []


@pytest.mark.django_db
def test_a_confirmation_does_not_speak_of_another_rate(unverified, monkeypatch):
    tax.confirm("IM", by="Fiona", note="", at=NOW)
    changed = tax.Rate("IM", 2100, unverified.since, None, "a source")
    monkeypatch.setattr(tax, "table", lambda: {"IM": (changed,)})
    with pytest.raises(TaxRateUnverified):
        tax.rate("IM", at=NOW)


@pytest.mark.django_db
def test_the_command_lists_who_vouches_for_each_rate():
    out = StringIO()
    call_command("tax", "rates", stdout=out)
    assert "DE 19% since 2021-01-01, verified by maintainers on 2026-12-01." in out.getvalue()
    assert "IM 20% since 2011-01-04, NOT VERIFIED: nothing is sold there." in out.getvalue()


@pytest.mark.parametrize(
    ("price", "rate", "currency", "net"),
    [(119, 1900, "EUR", 100), (129, 1900, "EUR", 108), (500, 1900, "JPY", 420), (1190, 1900, "KWD", 1000)],
)
def test_a_reverse_charge_leaves_the_tax_out_of_the_price(price, rate, currency, net):
    assert tax.charged(price, rate, currency=currency, reverse_charge=True) == tax.Charged(net, 0, 0)
    with_tax = tax.charged(price, rate, currency=currency, reverse_charge=False)
    assert (with_tax.amount_minor, with_tax.rate) == (price, rate)
    assert with_tax.amount_minor - with_tax.tax_minor == net


def test_a_price_without_tax_can_be_paid_in_its_currency():
    assert tax.charged(1000, 2000, currency="KWD", reverse_charge=True).amount_minor == 830
    assert tax.charged(15_000, 2400, currency="ISK", reverse_charge=True).amount_minor == 12_000
