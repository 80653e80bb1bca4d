"""When what works or the store are paid changes, every offer is looked at again, and none waits for a lucky day."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Party, Recording
from licensing import rates
from store import commissions, offers, pricing
from store.models import Offer, ReviewDue, WideReview
from tests.factories import catalog, shelf

pytestmark = pytest.mark.django_db
FLAT: dict[str, Any] = {
    "tariff": "HOUSE", "territory": "DE", "use": "PERMANENT_DOWNLOAD", "valid_from": date(2026, 1, 1),
    "method": "FLAT", "flat_micros": 600_000, "currency": "EUR", "source": "our card",
}  # fmt: skip


def work_off(at: datetime) -> None:
    ReviewDue.objects.all().delete()  # what the shelf's own making left
    while offers.follow_wide_reviews(at=at):
        offers.review_due(at=at)


def record(**over: Any) -> None:
    rate = rates.record_rate(actor="user:1", **{**FLAT, **over})
    rates.verify_rate(rate, actor="user:2")


def test_a_dearer_card_takes_what_costs_too_little_off_sale_and_a_cheaper_one_brings_it_back() -> None:
    release = shelf.shelve(tracks=1)
    single = Offer.objects.filter(track__release=release, closed_at=None)
    for country in single.get().decision.cleared_countries:
        record(territory=country, flat_micros=5_000_000)
    assert single.exists()  # the control: without the review it stays open
    work_off(timezone.now())
    assert not single.exists()
    assert not WideReview.objects.exists()


def test_many_rows_of_one_card_ask_for_one_review() -> None:
    for country in ("DE", "AT", "FR"):
        record(territory=country)
    assert WideReview.objects.count() == 1


def test_a_row_begun_with_does_not_serve_for_a_later_change() -> None:
    record()
    WideReview.objects.update(upto=7)
    record(territory="AT")
    assert WideReview.objects.count() == 2


def test_a_societys_tariff_is_no_matter_of_all_offers() -> None:
    record(tariff="GEMA")
    assert not WideReview.objects.exists()


def test_a_card_of_a_later_day_is_looked_at_when_that_day_begins_in_the_east_and_in_the_west() -> None:
    day = timezone.now().date() + timedelta(days=30)
    rates.record_rate(actor="user:1", **{**FLAT, "valid_from": day})
    begins = [row.due_at for row in WideReview.objects.all()]
    assert begins[1] - begins[0] == timedelta(hours=26)
    assert begins[0].date() == day - timedelta(days=1)
    assert offers.follow_wide_reviews(at=begins[0] - timedelta(seconds=1)) == 0


def test_a_contract_has_its_labels_offers_looked_at_and_no_others() -> None:
    mine, other = shelf.shelve("Mine", tracks=2), shelf.shelve("Other", label=catalog.make_label("Else"))
    assert other.label != mine.label
    label = Party.objects.get(pk=mine.label_id)
    contract = commissions.agree(
        label, share=Fraction(1, 10), starts_on=timezone.now().date(), agreement="A", actor="x"
    )
    ReviewDue.objects.all().delete()
    offers.follow_wide_reviews(at=timezone.now())
    marked = set(ReviewDue.objects.values_list("recording_id", flat=True))
    assert marked == set(mine.tracks.values_list("recording_id", flat=True))
    commissions.end(contract, until=timezone.now().date() + timedelta(days=5), by="user:1")
    assert WideReview.objects.filter(label=label, due_at__gt=timezone.now()).count() == 2


def test_a_compilation_is_under_its_own_labels_contract_whoever_recorded_what_is_on_it() -> None:
    label, other = catalog.make_label("Mine"), catalog.make_label("Else")
    release = shelf.shelve("Gathered", label=label, tracks=2)
    Recording.objects.update(label=other)
    assert pricing.label_of(Offer.objects.get(release=release), []) == label.pk
    ReviewDue.objects.all().delete()
    today = timezone.now().date()
    commissions.agree(label, share=Fraction(1, 10), starts_on=today, agreement="A", actor="x")
    assert offers.follow_wide_reviews(at=timezone.now()) == 2


def test_what_waits_already_goes_first() -> None:
    release = shelf.shelve(tracks=1)
    key = release.tracks.get().recording_id
    ReviewDue.objects.bulk_create(ReviewDue(recording_id=key, cause="x") for _ in range(offers.WIDE_SLICE))
    record()
    assert offers.follow_wide_reviews(at=timezone.now()) == 0
    assert WideReview.objects.exists()


def test_the_control_without_its_trigger_nothing_is_looked_at() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licensing_rate DISABLE TRIGGER store_rate_reviewed")
        cursor.execute("ALTER TABLE licensing_rateverification DISABLE TRIGGER store_rate_verified")
    record()
    assert not WideReview.objects.exists()
