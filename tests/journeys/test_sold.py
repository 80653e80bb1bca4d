"""What a settlement reads in one call is what the rows say one by one."""

import pytest
from django.db import transaction

from catalog.models import Recording, Track
from payments import accounts
from payments.models import Account
from store import sold
from store.models import Order, OrderLine
from tests.factories import shelf
from tests.factories.payments import make_payee

pytestmark = pytest.mark.django_db


def values(row):
    return {one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields}


def test_order_and_line_are_the_rows_themselves(shop):
    order = shop.order(shelf.shelve())
    with transaction.atomic():
        found = sold.lock(order, unless=[])
    assert values(found.order) == values(Order.objects.get(pk=order.pk))
    assert [values(line) for line in found.lines] == [values(line) for line in OrderLine.objects.filter(order=order)]
    assert found.lines[0].decision == order.lines.get().decision
    assert found.lines[0].order is found.order


def test_of_an_order_in_a_state_to_be_left_alone_nothing_else_is_read(shop):
    order = shop.order(shelf.shelve())
    with transaction.atomic():
        found = sold.lock(order, unless=[Order.State.PLACED])
    assert (found.order, found.lines, found.chart) == (order, [], None)


def test_a_track_bears_the_title_of_its_release_and_the_artists_of_its_recording(shop):
    order = shop.order(shelf.shelve(tracks=2))
    first, second = Track.objects.order_by("disc", "number")
    Track.objects.filter(pk=first.pk).update(title_override="On this release")
    Recording.objects.filter(pk=second.recording_id).update(version_title="Live")
    line = order.lines.get()
    tracks = sold.tracks_of([line])[line.pk]
    assert [track.title for track in tracks] == ["On this release", f"{second.recording.title} (Live)"]
    assert {track.artist for track in tracks} == {line.artist}
    assert [track.sound_sha256 for track in tracks] == [row.sound_sha256 for row in line.tracks.order_by("position")]


def test_the_chart_finds_accounts_under_the_names_they_were_made_with():
    payee = make_payee()
    made = [
        accounts.stripe_balance("EUR"), accounts.commission("EUR"), accounts.tax("DE", "EUR"),
        accounts.suspense("holder-7", "EUR"), accounts.payee(payee, "EUR"),
    ]  # fmt: skip
    accounts.payee(payee, "USD")
    rows = Account.objects.raw(
        "SELECT * FROM payments_chart('EUR', %s::bigint[], %s::text[], %s::text[])", [[payee.pk], ["DE"], ["7"]]
    )
    assert sorted(row.code for row in rows) == sorted(row.code for row in made)
