"""Which proofs of where a buyer is carry the country she stated."""

import pytest
from django.db import IntegrityError, transaction

from store import locations
from store.models import Order
from tests.factories.store import make_order


@pytest.mark.parametrize(
    ("network", "card", "with_two", "with_one"),
    [
        ("", "", "LONE", "LONE"),
        ("DE", "", "AGREED", "AGREED"),
        ("", "DE", "AGREED", "AGREED"),
        ("DE", "DE", "AGREED", "AGREED"),
        ("FR", "", "CONTRADICTED", "CONTRADICTED"),
        ("", "FR", "CONTRADICTED", "CONTRADICTED"),
        ("FR", "FR", "CONTRADICTED", "CONTRADICTED"),
        ("FR", "DE", "AGREED", "AGREED"),  # she travels
        ("DE", "FR", "CONTRADICTED", "AGREED"),
    ],
)
def test_two_proofs_must_agree_or_one_of_others_where_the_operator_may_do_with_one(network, card, with_two, with_one):
    assert locations.judge("DE", network=network, card=card, wanted=2) == with_two
    assert locations.judge("DE", network=network, card=card, wanted=1) == with_one


@pytest.mark.parametrize(("one", "other"), [("MC", "FR"), ("IM", "GB")])
def test_what_is_one_country_for_the_tax_does_not_contradict(one, other):
    assert locations.judge(one, network="", card=other, wanted=2) == "AGREED"
    assert not locations.must_be_asked_again(one, network=other, wanted=2)


def test_a_connection_from_elsewhere_is_asked_about_where_two_proofs_are_wanted():
    assert locations.must_be_asked_again("DE", network="FR", wanted=2)
    assert not locations.must_be_asked_again("DE", network="FR", wanted=1)
    assert not locations.must_be_asked_again("DE", network="", wanted=2)


@pytest.mark.django_db
def test_the_proofs_are_kept_as_they_came():
    order = make_order()
    Order.objects.filter(pk=order.pk).update(card_country="FR", location="CONTRADICTED")
    for change in ({"card_country": "DE"}, {"location": "AGREED"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**change)
