"""What works are paid: by the tariff of their licence, by the operator's card, else by the store's percentage."""

from datetime import date
from fractions import Fraction

import pytest
from django.db import connection
from django.utils import timezone

from licensing import rates
from licensing.models import LicenceGrant
from licensing.territories import TerritorySet
from payments.money import Money
from store import offers, pricing, ratecards
from store.errors import NotOnSale, PriceTooLow, RateMissing
from store.models import Offer
from tests.factories import onsale, shelf

pytestmark = pytest.mark.django_db
COPY = {"territory": "DE", "use": "PERMANENT_DOWNLOAD", "currency": "EUR", "source": "the contract"}


def card(tariff="HOUSE", valid_from=date(2026, 1, 1), *, verified=True, **over):
    fields = {**COPY, "tariff": tariff, "valid_from": valid_from, **over}
    rate = rates.record_rate(actor="user:bob", at=shelf.NOW, **fields)
    if verified:
        rates.verify_rate(rate, actor="user:rita", on=shelf.NOW.date(), at=shelf.NOW)
    return rate


def flat(micros, **over):
    return card(method="FLAT", flat_micros=micros, **over)


def paid_by(release, tariff):
    """The works' licences as they would stand had they been recorded with a tariff."""
    with connection.cursor() as cursor:  # a record is never changed: its guard rests for this once
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE licensing_licencegrant DISABLE TRIGGER USER")
        LicenceGrant.objects.filter(layer="WORK", submitted_for=release.label).update(tariff=tariff)
        cursor.execute("ALTER TABLE licensing_licencegrant ENABLE TRIGGER USER")


def works_of(release, country="DE", *, single=False):
    offer = shelf.single(release) if single else shelf.whole(release)
    priced = pricing.price(offer, country=country, at=shelf.NOW)
    return {leg.rate: leg.micros for leg in priced.split.legs if leg.kind == "WORK"}


def test_without_a_card_the_stores_percentage_holds():
    assert works_of(shelf.shelve(tracks=1)) == {"store": 67_000}  # 0.80 with 0.13 of tax inside


def test_the_operators_card_holds_in_its_country():
    release = shelf.shelve(tracks=1)
    flat(90_000)
    assert works_of(release) == {"HOUSE DE from 2026-01-01": 90_000}
    assert works_of(release, "US") == {"store": 80_000}


def test_a_percentage_and_an_amount_pay_the_greater():
    release = shelf.shelve(tracks=1)
    card(method="GREATER_OF", percent_numerator=9, percent_denominator=100, base="NET", flat_micros=50_000,
         per_minute_micros=1)  # fmt: skip
    assert works_of(release) == {"HOUSE DE from 2026-01-01": 60_300}


def test_a_rate_by_the_minute_counts_begun_minutes():
    release = shelf.shelve(tracks=1)  # 137 seconds
    card(method="PER_MINUTE_OVER", per_minute_micros=20_000, per_minute_over_seconds=60)
    assert works_of(release) == {"HOUSE DE from 2026-01-01": 60_000}


def test_the_tariff_of_the_licence_counts_before_the_operators_card():
    release = shelf.shelve(tracks=1)
    flat(90_000)
    flat(80_000, tariff="GEMA")
    paid_by(release, "GEMA")
    assert works_of(release) == {"GEMA DE from 2026-01-01": 80_000}


def test_a_rate_may_depend_on_how_many_tracks_are_sold_together():
    release = shelf.shelve(tracks=2)
    flat(50_000, tracks_to=1)
    flat(40_000, tracks_from=2)
    assert works_of(release, single=True) == {"HOUSE DE from 2026-01-01": 50_000}
    priced = pricing.price(shelf.whole(release), country="DE", at=shelf.NOW)
    assert [leg.micros for leg in priced.split.legs if leg.kind == "WORK"] == [40_000, 40_000]


def test_a_rate_that_nobody_verified_is_not_guessed_at():
    release = shelf.shelve(tracks=1)
    flat(90_000)
    flat(10_000, valid_from=date(2026, 6, 1), verified=False)
    with pytest.raises(RateMissing):
        works_of(release)


def test_a_tariff_without_a_rate_sells_nothing():
    release = shelf.shelve(tracks=1)
    paid_by(release, "GEMA")
    with pytest.raises(RateMissing):
        works_of(release)


def test_an_amount_in_another_currency_is_not_converted():
    release = shelf.shelve(tracks=1)
    flat(90_000, currency="USD")
    with pytest.raises(RateMissing, match="in USD, the price in EUR"):
        works_of(release)


def test_works_never_take_more_than_the_price_leaves_and_it_is_said_in_words():
    release = shelf.shelve(tracks=1)
    flat(600_000)
    with pytest.raises(PriceTooLow, match=r"0\.04 EUR more than is left"):
        works_of(release)
    assert issubclass(PriceTooLow, NotOnSale)


def test_shares_of_a_work_are_paid_exactly():
    release = shelf.shelve(tracks=1)
    card(method="PERCENT", percent_numerator=1, percent_denominator=3, base="GROSS_EX_TAX")
    assert works_of(release) == {"HOUSE DE from 2026-01-01": round(Fraction(670_000, 3))}


def reviewed(release):
    offers.mark_due(release.recordings.values_list("pk", flat=True), cause="test")
    onsale.review()
    return set(Offer.objects.filter(closed_at=None).values_list("amount_minor", flat=True))


def on_sale_in(*countries):
    """One track for 1.00 and the release of it for 0.80, cleared in these countries alone."""
    release = onsale.put_on_sale(territories=TerritorySet.only(*countries))
    offers.set_price(release, currency="EUR", amount_minor=80, actor="user:bob")
    assert reviewed(release) == {80, 100}
    return release


def test_what_costs_less_than_its_works_are_owed_everywhere_is_not_offered():
    release = on_sale_in("DE")
    flat(600_000)
    assert reviewed(release) == {100}
    assert Offer.objects.filter(release=release).latest("pk").closed_reason == "PRICE_BELOW_MINIMUM"


def test_where_another_country_leaves_enough_the_offer_stands_and_the_sale_is_refused_in_words():
    release = on_sale_in("DE", "US")
    flat(600_000)
    assert reviewed(release) == {80, 100}
    (words,) = pricing.refusals(release, Money.of(80, "EUR"), at=timezone.now())
    assert words.startswith("Not sold in DE at this price")
    assert pricing.refusals(release, Money.of(100, "EUR"), at=timezone.now()) == []


def test_a_rate_for_sales_is_not_owed_for_what_is_given_away():
    flat(90_000)
    assert ratecards.in_force([], country="DE", use="FREE_DOWNLOAD", at=shelf.NOW).rows == {}
