"""Letters of direction: a history, never more than the whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from fractions import Fraction
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from licensing.models import RightsHolder
from store import directions
from store.errors import LetterRefused
from store.models import LetterOfDirection
from tests.factories import catalog, licensing
from tests.factories.payments import make_payee

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)
TODAY = timezone.now().date()
THIRDS = ("0.33333333", "0.33333333", "0.33333334")


@pytest.fixture
def holder():
    return licensing.make_holder()


def direct(holder, share=Fraction(1), starts_on=DAY, layer="", scope=directions.ALL):
    return directions.direct(
        holder, payee=make_payee(), starts_on=starts_on, signed_by="Bob", share=share, layer=layer, scope=scope
    )


def divide(holder, *shares, starts_on=None, layer="", scope=directions.ALL):
    parts = [directions.Part(make_payee(), Fraction(share)) for share in shares]
    starts_on = starts_on or TODAY
    return directions.divide(holder, parts=parts, starts_on=starts_on, signed_by="Bob", layer=layer, scope=scope)


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


def test_letters_of_a_recording_have_a_whole_of_their_own(holder):
    recording = catalog.make_recording()
    direct(holder)
    special = direct(holder, scope=directions.Scope(recording=recording))

    assert len(directions.in_force([holder.pk], on=DAY)[holder.pk, "WORK"]) == 1
    found = directions.in_force([holder.pk], on=DAY, recordings=[recording.pk])[holder.pk, "WORK"]
    assert [each.payee for each in found if each.recording == recording.pk] == [special.payee_id]


def test_a_letter_is_about_a_release_or_a_recording_not_both(holder):
    recording = catalog.make_recording()
    with pytest.raises(LetterRefused):
        directions.Scope(release=catalog.make_release(), recording=recording)


@pytest.mark.parametrize("shares", [THIRDS, ("1/3", "1/3", "1/3"), ("0.5", "0.5"), ("1",)])
def test_a_split_is_exactly_the_whole(holder, shares):
    assert len(divide(holder, *shares)) == len(shares)
    given = [each.share for each in directions.in_force([holder.pk], on=TODAY)[holder.pk, "WORK"]]
    assert sum(given) == 1


@pytest.mark.parametrize("shares", [("0.33333333",) * 3, ("0.5", "0.51"), ()])
def test_parts_that_are_not_the_whole_are_refused_with_their_sum(holder, shares):
    with pytest.raises(LetterRefused, match="exactly 100%"):
        divide(holder, *shares)
    assert not LetterOfDirection.objects.exists()


def test_a_payee_is_named_once_in_a_split(holder):
    part = directions.Part(make_payee(), Fraction(1, 2))
    with pytest.raises(LetterRefused):
        directions.divide(holder, parts=[part, part], starts_on=TODAY, signed_by="Bob")


def test_a_split_ends_the_letters_before_it_and_keeps_them(holder):
    old = direct(holder)
    first, second = divide(holder, "0.6", "0.4", starts_on=TODAY + timedelta(days=1))
    old.refresh_from_db()

    assert old.until == TODAY + timedelta(days=1)
    today = directions.in_force([holder.pk], on=TODAY)[holder.pk, "RECORDING"]
    tomorrow = directions.in_force([holder.pk], on=TODAY + timedelta(days=1))[holder.pk, "RECORDING"]
    assert [each.payee for each in today] == [old.payee_id]
    assert {each.payee for each in tomorrow} == {first.payee_id, second.payee_id}


def test_dividing_one_layer_leaves_the_other_as_it_was(holder):
    old = direct(holder)
    divide(holder, "0.6", "0.4", layer="RECORDING")

    found = directions.in_force([holder.pk], on=TODAY)
    assert [(each.payee, each.share) for each in found[holder.pk, "WORK"]] == [(old.payee_id, Fraction(1))]
    assert len(found[holder.pk, "RECORDING"]) == 2


def test_a_split_never_begins_in_the_past(holder):
    with pytest.raises(LetterRefused):
        divide(holder, "1", starts_on=TODAY - timedelta(days=1))


def test_a_letter_needs_a_signature(holder):
    with pytest.raises(LetterRefused):
        directions.direct(holder, payee=make_payee(), starts_on=DAY, signed_by=" ")


def by_sql(holder, share, *, starts_on=DAY, scope=directions.ALL):
    with transaction.atomic():
        return LetterOfDirection.objects.bulk_create([
            LetterOfDirection(
                holder=holder, payee=make_payee(), share_numerator=share.numerator,
                share_denominator=share.denominator, starts_on=starts_on, signed_by="Bob", recording=scope.recording,
            )
        ])  # fmt: skip


def test_the_database_never_lets_the_whole_be_given_away_twice(holder):
    by_sql(holder, Fraction(2, 3))
    by_sql(holder, Fraction(1, 3))
    by_sql(holder, Fraction(1), scope=directions.Scope(recording=catalog.make_recording()))
    with pytest.raises(IntegrityError, match="more than the whole"):
        by_sql(holder, Fraction(1, 10**15))


def test_the_database_looks_at_every_day_to_come(holder):
    by_sql(holder, Fraction(1), starts_on=date(2027, 1, 1))
    with pytest.raises(IntegrityError, match="more than the whole on 2027-01-01"):
        by_sql(holder, Fraction(1, 2))


def test_without_its_guard_the_whole_is_given_away_twice(holder):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_letterofdirection DISABLE TRIGGER store_letters_whole")
    by_sql(holder, Fraction(1))
    by_sql(holder, Fraction(1))


@pytest.mark.django_db(transaction=True)
def test_two_letters_signed_at_once_never_give_away_more_than_the_whole():
    holder = licensing.make_holder()
    both = Barrier(2)

    def sign(_number):
        try:
            both.wait(timeout=20)
            by_sql(RightsHolder.objects.get(pk=holder.pk), Fraction(2, 3))
        except IntegrityError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(sign, range(2))) == [False, True]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Fraction(1), "100%"), (Fraction(1, 4), "25%"), (Fraction(33333333, 10**8), "33.333333%"),
        (Fraction(1, 3), "1/3"),
    ],
)  # fmt: skip
def test_a_share_reads_as_it_is(share, words):
    assert directions.in_percent(share) == words
