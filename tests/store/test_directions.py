"""Letters of direction: a history, never more than the whole."""

from datetime import date
from fractions import Fraction

import pytest
from django.db import IntegrityError, transaction

from store import directions
from store.errors import LetterRefused
from store.models import LetterOfDirection
from tests.factories import licensing
from tests.factories.payments import make_payee

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)


@pytest.fixture
def holder():
    return licensing.make_holder()


def direct(holder, share=Fraction(1), starts_on=DAY, layer=""):
    return directions.direct(holder, payee=make_payee(), starts_on=starts_on, signed_by="Bob", share=share, layer=layer)


def test_a_letter_holds_from_its_day_for_both_layers(holder):
    letter = direct(holder)
    assert directions.in_force([holder.pk], on=date(2025, 12, 31)) == {}
    found = directions.in_force([holder.pk], on=DAY)
    assert {layer: [each.payee for each in letters] for (_, layer), letters in found.items()} == {
        "RECORDING": [letter.payee_id],
        "WORK": [letter.payee_id],
    }


def test_a_letter_may_be_for_one_layer(holder):
    direct(holder, layer="WORK")
    assert set(directions.in_force([holder.pk], on=DAY)) == {(holder.pk, "WORK")}


def test_letters_never_give_away_more_than_the_whole(holder):
    direct(holder, Fraction(2, 3))
    with pytest.raises(LetterRefused):
        direct(holder, Fraction(1, 2))
    direct(holder, Fraction(1, 3))


def test_a_letter_that_begins_later_counts_too(holder):
    direct(holder, Fraction(1), starts_on=date(2027, 1, 1))
    with pytest.raises(LetterRefused):
        direct(holder, Fraction(1))


def test_a_letter_is_ended_and_followed(holder):
    old = direct(holder)
    directions.end(old, until=date(2026, 7, 1))
    new = direct(holder, starts_on=date(2026, 7, 1))

    assert directions.in_force([holder.pk], on=date(2026, 6, 30))[holder.pk, "WORK"][0].payee == old.payee_id
    assert directions.in_force([holder.pk], on=date(2026, 7, 1))[holder.pk, "WORK"][0].payee == new.payee_id


def test_a_letter_is_ended_once(holder):
    letter = directions.end(direct(holder), until=date(2026, 7, 1))
    with pytest.raises(LetterRefused):
        directions.end(letter, until=date(2027, 1, 1))


def test_the_database_refuses_to_edit_a_letter(holder):
    direct(holder)
    with pytest.raises(IntegrityError), transaction.atomic():
        LetterOfDirection.objects.update(signed_by="Charlie")
    with pytest.raises(IntegrityError), transaction.atomic():
        LetterOfDirection.objects.all().delete()


@pytest.mark.parametrize("share", [Fraction(0), Fraction(-1, 2), Fraction(3, 2)])
def test_a_share_outside_the_whole_is_refused(holder, share):
    with pytest.raises(LetterRefused):
        direct(holder, share)
