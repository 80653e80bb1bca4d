"""Placing an order: once per request, only what is cleared, everything frozen."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from licensing import notices
from store import baskets, checkout, pricing
from store.errors import BasketEmpty, ConsentMissing, CountryUnknown, NotOnSale, RequestConflict
from store.models import Offer, Order, OrderLine
from store.royalties import Split
from tests.factories import shelf
from tests.factories.store import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_user("Alice")


def basket_with(user, *releases):
    basket = baskets.open_basket(user=user, session_key=None, currency="EUR")
    for release in releases:
        baskets.add(basket, Offer.objects.get(release=release, closed_at=None))
    return basket


def place(user, **over):
    fields = {
        "buyer": user, "country": "DE", "evidence": {"stated": "DE"}, "consent": True, "request_key": "k",
        "at": timezone.now(),
    }  # fmt: skip
    basket = over.pop("basket", None) or user.basket
    return checkout.place_order(basket, **{**fields, **over})


def test_price_tax_split_licence_and_decision_are_frozen(alice):
    release = shelf.shelve()
    basket_with(alice, release)
    line = place(alice).lines.get()

    assert (line.amount_minor, line.tax_rate, line.tax_minor) == (160, 1900, 26)
    assert Split.from_json(line.split).micros == 1_600_000
    assert (line.buyer_licence_code, line.buyer_licence_url) == ("CC BY-SA 4.0", shelf.BY_SA)
    assert line.decision.release == release
    assert [row.sound_sha256 for row in line.tracks.all()] == [row.decision.sound_sha256 for row in line.tracks.all()]


def test_what_the_page_shows_is_what_the_line_keeps(alice):
    release = shelf.shelve(tracks=3)
    shelf.make_letter(shelf.make_holder(release.label))
    offer = Offer.objects.get(release=release)
    shown = pricing.price(offer, country="DE", at=timezone.now())
    basket_with(alice, release)

    line = place(alice).lines.get()
    assert line.split == shown.split.to_json()
    assert line.terms["order"] == ["TAX", "FEE", "COMMISSION", "WORK", "RECORDING", "RECOUPMENT", "RESERVE"]


def test_the_same_request_gives_the_same_order(alice):
    basket_with(alice, shelf.shelve())
    assert place(alice) == place(alice)
    assert Order.objects.count() == 1


def test_the_same_key_with_another_basket_is_refused(alice):
    basket_with(alice, shelf.shelve())
    place(alice)
    basket_with(alice, shelf.shelve("Second Sight"))
    with pytest.raises(RequestConflict):
        place(alice)


def test_a_strangers_key_is_refused_and_shows_nothing(alice):
    release = shelf.shelve()
    basket_with(alice, release)
    place(alice)
    charlie = make_user("Charlie")
    basket_with(charlie, release)
    with pytest.raises(RequestConflict):
        place(charlie)


def test_buying_the_same_again_is_an_honest_second_purchase(alice):
    basket_with(alice, shelf.shelve())
    assert place(alice) != place(alice, request_key="k2")


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"country": ""}, CountryUnknown),
        ({"country": "ZZ"}, CountryUnknown),
        ({"country": "AN"}, CountryUnknown),
        ({"consent": False}, ConsentMissing),
        ({"country": "US"}, NotOnSale),
    ],
)
def test_an_order_that_may_not_be_is_refused_and_leaves_nothing(alice, over, error):
    basket_with(alice, shelf.shelve(countries=["DE", "FR"]))
    with pytest.raises(error):
        place(alice, **over)
    assert not Order.objects.exists()


def test_an_empty_basket_is_refused(alice):
    basket_with(alice)
    with pytest.raises(BasketEmpty):
        place(alice)


def test_a_takedown_a_second_ago_stops_the_order(alice):
    release = shelf.shelve()
    basket_with(alice, release)
    recording = release.tracks.get(number=1).recording
    notices.take_down(recording, claimant="Charlie", statement="Mine.", actor="user:staff", at=timezone.now())
    with pytest.raises(NotOnSale):
        place(alice)


def test_a_closed_offer_is_refused(alice):
    basket_with(alice, shelf.shelve())
    Offer.objects.update(closed_at=timezone.now())
    with pytest.raises(NotOnSale):
        place(alice)


def test_a_currency_without_decimals_keeps_whole_units(alice):
    release = shelf.shelve(tracks=1, whole=False)
    old = Offer.objects.get()
    offer = shelf.make_offer(track=old.track, decision=old.decision, currency="JPY", amount_minor=150)
    basket = baskets.open_basket(user=alice, session_key=None, currency="JPY")
    baskets.add(basket, offer)
    order = place(alice)

    assert (order.currency, order.total_minor, order.tax_minor) == ("JPY", 150, 24)
    assert Split.from_json(order.lines.get().split).micros == 150_000_000
    assert release


def test_an_order_of_ten_releases_costs_no_more_queries_than_of_two(alice, django_assert_max_num_queries):
    basket_with(alice, *[shelf.shelve(f"Album {number}") for number in range(10)])
    with django_assert_max_num_queries(65):
        place(alice)
    assert OrderLine.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_pressing_the_button_eight_times_at_once_places_one_order():
    alice = make_user("Alice")
    basket_with(alice, shelf.shelve())
    basket, found, gate = alice.basket, [], threading.Barrier(8)

    def press():
        gate.wait()
        try:
            found.append(place(alice, basket=basket).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == Order.objects.count() == 1
