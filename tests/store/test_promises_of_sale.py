"""The database refuses an uncleared offer or order line by whatever route, and what was agreed never moves."""

import itertools
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from store import certificates
from store.models import Certificate, Offer, Order, OrderLine, OrderLineTrack
from tests.factories.store import (
    NOW,
    line_fields,
    make_decision,
    make_offer,
    make_order,
    make_recording,
    make_release,
    order_fields,
)

pytestmark = pytest.mark.django_db

INSERT_OFFER = """INSERT INTO store_offer
    (public_id, track_id, release_id, decision_id, use, currency, amount_minor, opened_at, closed_reason)
    VALUES (gen_random_uuid(), %s, %s, %s, %s, 'EUR', 100, now(), '')"""


@pytest.fixture
def track():
    return make_release(tracks=1).tracks.get()


def offer_by_sql(track=None, release=None, decision=None, use="PERMANENT_DOWNLOAD"):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT_OFFER, [track and track.pk, release and release.pk, decision and decision.pk, use])


def without(trigger, table):
    """The guard switched off, to prove that it was the guard which refused."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")


def test_an_offer_on_a_decision_that_says_yes_stands(track):
    offer_by_sql(track, decision=make_decision(track.recording))
    assert Offer.objects.count() == 1


def bad_decisions(track):
    release = track.release
    yield None
    yield make_decision(make_recording())
    yield make_decision(release)
    yield make_decision(track.recording, use="PREVIEW")
    yield make_decision(track.recording, countries=())
    yield make_decision(track.recording, good_until=timezone.now() - timedelta(seconds=1))
    superseded = make_decision(track.recording)
    make_decision(track.recording, countries=["US"])
    yield superseded


@pytest.mark.parametrize("place", range(7))
def test_an_offer_without_a_decision_for_it_is_refused_by_sql(track, place):
    decision = next(itertools.islice(bad_decisions(track), place, None))
    with pytest.raises(IntegrityError):
        offer_by_sql(track, decision=decision)


@pytest.mark.parametrize("place", range(1, 7))
def test_it_is_the_trigger_that_refuses_it(track, place):
    decision = next(itertools.islice(bad_decisions(track), place, None))
    without("store_offer_cleared", "store_offer")
    without("store_offer_licensed", "store_offer")
    offer_by_sql(track, decision=decision)
    assert Offer.objects.count() == 1


def test_bulk_writes_are_refused_like_any_other(track):
    wrong = make_decision(make_recording())
    offer = Offer(track=track, decision=wrong, currency="EUR", amount_minor=100)
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.bulk_create([offer])


def test_a_bulk_update_cannot_move_an_offer_to_a_refusal():
    offer = make_offer()
    no = make_decision(offer.track.recording, countries=())
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.update(decision=no)


def test_an_offer_moves_to_a_newer_decision_that_says_yes():
    offer = make_offer()
    newer = make_decision(offer.track.recording, countries=["FR"])
    Offer.objects.update(decision=newer)
    offer.refresh_from_db()
    assert offer.decision == newer


def test_an_offer_closes_in_the_statement_that_writes_a_no():
    offer = make_offer()
    make_decision(offer.track.recording, countries=())
    offer.refresh_from_db()
    assert offer.closed_at is not None


def test_an_offer_moves_to_a_newer_yes_in_the_statement_that_writes_it():
    offer = make_offer()
    newer = make_decision(offer.track.recording, countries=["FR"])
    offer.refresh_from_db()
    assert (offer.decision, offer.closed_at) == (newer, None)


def test_without_the_trigger_an_offer_would_stand_on_an_old_yes():
    offer = make_offer()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE licensing_clearancedecision DISABLE TRIGGER store_offers_follow")
    make_decision(offer.track.recording, countries=())
    offer.refresh_from_db()
    assert offer.closed_at is None


def test_a_closed_offer_stays_closed():
    make_offer(closed_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.update(closed_at=None)


def test_a_price_is_never_changed_on_an_offer():
    make_offer()
    with pytest.raises(IntegrityError), transaction.atomic():
        Offer.objects.update(amount_minor=1)


@pytest.mark.parametrize("amount", [-1, 0, 10**12])
def test_an_amount_out_of_bounds_is_refused(track, amount):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_offer(track, amount_minor=amount)


def test_a_line_in_a_cleared_country_is_taken():
    assert make_order(country="US").lines.count() == 1


def line_by_sql(order, fields):
    line = OrderLine(**fields)
    columns = [field for field in OrderLine._meta.concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(field.pre_save(line, add=True), connection) for field in columns]
    names = ", ".join(str(field.column) for field in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(values))
        cursor.execute(f"INSERT INTO store_orderline ({names}) VALUES ({places})", values)  # noqa: S608 - names of our own


def bad_lines(order, offer):
    recording = offer.track.recording
    yield {"decision": make_decision(make_recording())}
    yield {"decision": make_decision(recording, use="PREVIEW")}
    yield {"decision": make_decision(recording, countries=["US"])}
    yield {"decision": make_decision(recording, good_until=timezone.now() - timedelta(seconds=1))}
    old = make_decision(recording)
    make_decision(recording, countries=["DE", "FR"])
    yield {"decision": old}
    yield {"track": make_release(tracks=1).tracks.get()}


@pytest.mark.parametrize("place", range(6))
def test_a_line_without_a_decision_for_it_is_refused_by_sql(place):
    offer = make_offer()
    order = Order.objects.create(**order_fields(total_minor=0, tax_minor=0))
    over = next(itertools.islice(bad_lines(order, offer), place, None))
    with pytest.raises(IntegrityError, match="store:"):
        line_by_sql(order, line_fields(order, offer, **over))


@pytest.mark.parametrize("place", range(6))
def test_it_is_the_trigger_that_refuses_the_line(place):
    offer = make_offer()
    order = Order.objects.create(**order_fields())
    over = next(itertools.islice(bad_lines(order, offer), place, None))
    without("store_orderline_cleared", "store_orderline")
    line_by_sql(order, line_fields(order, offer, **over))
    assert order.lines.count() == 1


def test_a_line_of_a_closed_offer_is_refused():
    offer = make_offer(closed_at=NOW)
    order = Order.objects.create(**order_fields(total_minor=0, tax_minor=0))
    with pytest.raises(IntegrityError, match="closed"):
        line_by_sql(order, line_fields(order, offer))


def test_no_line_joins_a_paid_order():
    order = make_order()
    Order.objects.update(state="PAID", paid_at=NOW)
    with pytest.raises(IntegrityError, match="later"):
        line_by_sql(order, line_fields(order, make_offer(), position=2))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("over", [{"total_minor": 99}, {"tax_minor": 15}])
def test_lines_that_do_not_sum_to_the_total_are_refused_at_commit(over):
    offer = make_offer()
    with pytest.raises(IntegrityError, match="sum"):
        make_order_at_once(offer, over)
    assert not Order.objects.exists()


def make_order_at_once(offer, over):
    with transaction.atomic():
        make_order(offer, **over)


@pytest.mark.parametrize(
    "change",
    [
        {"total_minor": 1},
        {"tax_minor": 1},
        {"currency": "USD"},
        {"country": "FR"},
        {"request_key": "x"},
        {"placed_at": NOW - timedelta(1)},
    ],
)
def test_what_an_order_agreed_never_changes(change):
    make_order()
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Order.objects.update(**change)


@pytest.mark.parametrize("change", [{"amount_minor": 1}, {"tax_rate": 1}, {"split": [1]}, {"title": "x"}])
def test_what_a_line_agreed_never_changes(change):
    make_order()
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        OrderLine.objects.update(**change)


def test_an_order_is_never_deleted():
    order = make_order()
    with pytest.raises(IntegrityError, match="never"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM store_order WHERE id = %s", [order.pk])


@pytest.mark.parametrize("path", [["REFUNDED"], ["PAID", "PLACED"], ["PAID", "CANCELLED"]])
def test_an_order_goes_only_forward(path):
    make_order()
    *before, last = path
    for state in before:
        Order.objects.update(state=state, paid_at=NOW)
    with pytest.raises(IntegrityError, match="does not go"), transaction.atomic():
        Order.objects.update(state=last, paid_at=NOW)


def test_a_certificate_is_final():
    certificates.issue([make_order().lines.get()], at=NOW)
    with pytest.raises(IntegrityError, match="never"), transaction.atomic():
        Certificate.objects.update(sha256="1" * 64)
    with pytest.raises(IntegrityError, match="never"), transaction.atomic():
        Certificate.objects.all().delete()


def test_a_track_that_came_with_a_line_stays_with_it():
    line = make_order().lines.get()
    OrderLineTrack.objects.create(
        line=line, track=line.track, position=1, decision=line.decision, sound_sha256="5" * 64
    )
    with pytest.raises(IntegrityError, match="never"), transaction.atomic():
        OrderLineTrack.objects.all().delete()
