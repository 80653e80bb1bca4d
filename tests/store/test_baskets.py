"""Baskets: gathered by anybody, kept on signing in, one currency at a time."""

import pytest

from store import baskets
from store.errors import BasketMixed, NotOnSale
from store.models import Basket
from tests.factories.store import NOW, make_offer, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def basket():
    return baskets.open_basket(user=None, session_key="s1", currency="EUR")


def test_asking_for_a_basket_makes_none():
    assert baskets.find(user=None, session_key="s1") is None
    assert not Basket.objects.exists()


def test_an_offer_is_in_once(basket):
    offer = make_offer()
    baskets.add(basket, offer)
    baskets.add(basket, offer)
    assert baskets.count(basket) == 1


def test_a_closed_offer_is_not_taken(basket):
    with pytest.raises(NotOnSale):
        baskets.add(basket, make_offer(closed_at=NOW))


def test_two_currencies_do_not_mix(basket):
    baskets.add(basket, make_offer())
    with pytest.raises(BasketMixed):
        baskets.add(basket, make_offer(currency="USD"))


def test_the_first_offer_decides_the_currency(basket):
    baskets.add(basket, make_offer(currency="USD"))
    assert baskets.contents(basket).currency == "USD"


def test_what_is_not_sold_in_the_country_is_told_apart(basket):
    offer = make_offer()
    baskets.add(basket, offer)
    assert baskets.contents(basket, country="DE").offers == (offer,)
    assert baskets.contents(basket, country="FR").gone == (offer,)


def test_signing_in_keeps_what_was_gathered(basket):
    alice, before, after = make_user("Alice"), make_offer(), make_offer()
    baskets.add(baskets.open_basket(user=alice, session_key=None, currency="EUR"), before)
    for offer in (before, after):
        baskets.add(basket, offer)
    own = baskets.adopt("s1", user=alice)

    assert own.user == alice
    assert {line.offer for line in own.lines.all()} == {before, after}
    assert not Basket.objects.filter(session_key="s1").exists()


def test_a_basket_taken_out_of_is_lighter(basket):
    offer = make_offer()
    baskets.add(basket, offer)
    baskets.remove(basket, [offer])
    assert baskets.count(basket) == 0
