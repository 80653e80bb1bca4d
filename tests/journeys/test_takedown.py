"""What happens to what was ordered, paid or bought when its rights end (docs/orders.md)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from licensing.models import Notice
from licensing.records import Question
from licensing.terms import Use
from licensing.territories import ALL
from licensing.verdicts import Obligations, Reason, RefusedGroup, Verdict
from payments import accounts, ledger
from payments.models import Transfer
from store import access, library, notice_desk, previews, tasks
from store.errors import NotOnSale, Recalled
from store.models import Letter, Offer, Order, OrderLine
from tests.factories import catalog, onsale, shelf
from tests.factories.store import make_user


def end_rights(release, code):
    """Licensing's answer turns to no, for this reason, for every recording and the whole."""
    for track in release.tracks.all():
        shelf.keep(verdict(track.recording, code), recording=track.recording)
    shelf.keep(verdict(release, code), release=release)


def verdict(subject, code):
    question = Question(Use.PERMANENT_DOWNLOAD, shelf.NOW)
    reasons = (Reason.of(code),)
    return Verdict(str(subject.public_id), question, "test", (), (RefusedGroup(ALL, reasons),), (), Obligations(), None)


@pytest.mark.parametrize("code", ["TAKEN_DOWN", "TERM_EXPIRED"])
def test_what_lost_its_rights_in_the_basket_is_not_sold(shop, code):
    release = shelf.shelve()
    basket = shop.basket_of(release)
    end_rights(release, code)
    with pytest.raises(NotOnSale):
        shop.order(release)
    assert basket.lines.exists()
    assert not Order.objects.exists()


def test_a_takedown_after_ordering_refunds_the_line_by_itself(shop):
    release, other = shelf.shelve("First Light"), shelf.shelve("Second Sight")
    order = shop.order(release, other)
    shop.pay(order)
    end_rights(release, "TAKEN_DOWN")
    shop.deliver_webhooks()
    held = order.lines.get(release=release)

    assert held.state == OrderLine.State.REFUND_DUE
    assert order.lines.get(release=other).state == OrderLine.State.PAID
    tasks.push_refund(held.pk)
    held.refresh_from_db()
    assert held.state == OrderLine.State.REFUNDED
    assert ledger.balance(accounts.suspense(f"refund-{held.public_id}", "EUR")) == 0


def test_no_holder_is_credited_for_what_was_not_delivered(shop):
    release = shelf.shelve()
    order = shop.order(release)
    shop.pay(order)
    end_rights(release, "TAKEN_DOWN")
    shop.deliver_webhooks()

    assert not Transfer.objects.filter(kind="SALE").exists()
    assert not hasattr(order.lines.get(), "certificate")
    assert ledger.balance(accounts.suspense(f"holder-{shelf.make_holder(release.label).pk}", "EUR")) == 0


def test_a_licence_that_ended_after_ordering_is_still_delivered(shop):
    release = shelf.shelve()
    order = shop.order(release)
    shop.pay(order)
    end_rights(release, "TERM_EXPIRED")
    shop.deliver_webhooks()

    assert order.lines.get().state == OrderLine.State.PAID


@pytest.mark.parametrize("code", ["TAKEN_DOWN", "TERM_EXPIRED"])
def test_what_was_bought_stays_the_buyers(shop, code):
    release = shelf.shelve()
    shop.bought(release)
    end_rights(release, code)

    (line,) = library.owned(shop.alice)
    states = {each.state for found in library.files([line]).values() for each in found}
    assert "READY" in states


# -- At the next request, before any worker has looked -----------------------------------------------------------------


PAGES = ["/", "/browse", "/search?q=first", "/search?q=lind"]


def heard(release):
    """The address of a preview, as somebody keeps it."""
    recording = release.recordings.get().pk
    return f"/preview/{previews.heard([recording], country='DE')[recording].mp3.public_id}.mp3"


def take_down(subject, kind="TAKEDOWN", **over):
    return notice_desk.enter(
        subject, kind=kind, claimant="Carla", contact="carla@example.org", statement="It is mine.", actor="user:rita",
        at=timezone.now(), **over,
    )  # fmt: skip


@pytest.mark.parametrize("about", ["recording", "release", "label", "work"])
@pytest.mark.parametrize("kind", ["TAKEDOWN", "DISPUTE", "LEGAL_HOLD", "RECALL"])
def test_nothing_of_it_is_listed_found_or_heard_at_the_next_request(client, db, kind, about):
    release = onsale.put_on_sale()
    recording = release.recordings.get()
    subject = {"recording": recording, "release": release, "label": release.label, "work": recording.works.get()}[about]
    preview = heard(release)
    assert all("First Light" in client.get(page).text for page in PAGES)
    assert previews.heard([recording.pk], country="DE")

    take_down(subject, kind)

    assert not any("First Light</b>" in client.get(page).text for page in PAGES)
    assert not previews.heard([recording.pk], country="DE")
    assert client.get(preview).status_code == 404
    assert not Offer.objects.filter(closed_at=None).exists()


def test_no_cache_may_play_a_preview_without_asking(client, db, tmp_path, settings):
    settings.AUDIO_ROOT = tmp_path
    release = onsale.put_on_sale()
    answer = client.head(heard(release))
    assert "no-cache" in answer["Cache-Control"]
    assert "public" not in answer["Cache-Control"]


def write_notice(release):
    """By no act of ours: as somebody's own statement would."""
    Notice.objects.create(
        release=release, kind="TAKEDOWN", claimant="Carla", statement="Mine.", actor="psql", at=timezone.now()
    )


def test_a_notice_shuts_the_offers_by_whatever_route_it_comes(db):
    write_notice(onsale.put_on_sale())
    assert not Offer.objects.filter(closed_at=None).exists()


def test_without_its_trigger_such_a_notice_would_leave_them_open(db):
    release = onsale.put_on_sale()
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER store_close_on_notice ON licensing_notice")
    write_notice(release)
    assert Offer.objects.filter(closed_at=None).exists()


def test_what_is_taken_down_leaves_the_rest_of_the_shop_alone(client, db):
    taken, other = onsale.put_on_sale("First Light"), onsale.put_on_sale("Second Sight")
    take_down(taken)
    assert Offer.objects.filter(release=other, closed_at=None).exists()
    assert "Second Sight" in client.get("/browse").text


def test_a_lifted_notice_brings_it_back_after_the_next_review(client, db):
    release = onsale.put_on_sale()
    notice = take_down(release)
    notice_desk.lift(notice, reason="Settled.", outcome="SETTLED", actor="user:rita", at=timezone.now())
    onsale.review()
    assert "First Light" in client.get("/browse").text


def test_counter_notice_restore_and_repeat_from_the_shops_side(client, db, settings, time_machine):
    """C7: demanded, answered, back by the clock, demanded again; both sides told of each step, once."""
    settings.COUNTER_NOTICE_RESTORES = True
    release = onsale.put_on_sale()
    bob = make_user("Bob")
    access.join(bob, release.label)
    first = take_down(release)
    answer = {"name": "Bob", "contact": bob.email, "statement": "Mine since 2019.", "actor": bob.actor}
    notice_desk.counter(first, **answer, at=timezone.now())
    time_machine.move_to(timezone.now() + timedelta(days=30))
    assert notice_desk.restore_due(at=timezone.now()) == 1
    assert notice_desk.restore_due(at=timezone.now()) == 0
    onsale.review()
    assert "First Light" in client.get("/browse").text

    second = take_down(release)
    assert second.answers == first
    assert "First Light</b>" not in client.get("/browse").text
    told = Letter.objects.values_list("kind", "recipient")
    assert sorted(told) == sorted(
        [
            ("notice_label", bob.email), ("notice_claimant", "carla@example.org"),
            ("counter_claimant", "carla@example.org"),
            ("lifted_label", bob.email), ("lifted_claimant", "carla@example.org"),
            ("notice_label", bob.email), ("notice_claimant", "carla@example.org"),
        ]
    )  # fmt: skip


def test_a_label_wide_takedown_reaches_everything_of_the_label(client, db):
    label = catalog.make_label("Bob's Records")
    for title in ("First Light", "Second Sight", "Third Rail"):
        onsale.put_on_sale(title, label=label)
    take_down(label)
    assert not Offer.objects.filter(closed_at=None).exists()


def test_past_buyers_keep_their_files_through_all_but_a_recall(shop):
    release = shelf.shelve()
    line = shop.bought(release).lines.get()
    row = line.tracks.first()
    for kind in ("TAKEDOWN", "DISPUTE", "LEGAL_HOLD"):
        take_down(release, kind)
        assert library.link(line, user=shop.alice, track=row.track_id, format="FLAC", at=timezone.now())
    take_down(release, "RECALL")
    with pytest.raises(Recalled):
        library.link(line, user=shop.alice, track=row.track_id, format="FLAC", at=timezone.now())
