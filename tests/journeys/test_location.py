"""The card's country comes with the payment; where it speaks against the one stated, the order says so."""

from typing import Any

import pytest

from tests.factories import shelf
from tests.journeys.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("country", "location"), [("DE", "AGREED"), ("FR", "CONTRADICTED")])
def test_the_cards_country_is_kept_and_judged(shop: Shop, country: str, location: str) -> None:
    order = shop.bought(shelf.shelve(), country=country)  # the sandbox's card was issued in Germany
    assert (order.state, order.card_country, order.location) == ("PAID", "DE", location)


def test_a_seller_who_may_do_with_one_proof_sets_it(shop: Shop, settings: Any) -> None:
    settings.LOCATION_PROOFS = 1
    assert shop.bought(shelf.shelve()).location == "AGREED"
