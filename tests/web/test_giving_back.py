"""The buyer gives back what she bought, by herself, within the operator's window, and never file and money both."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from store import library, refunds
from store.errors import LinkRefused, RefundRefused
from store.models import Download, LineRefund, OrderLine
from tests.factories import shelf
from tests.factories.store import make_user, sign_in
from tests.fakes import stripe_sandbox  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop, shop  # noqa: F401 - a fixture


@pytest.fixture
def line(shop):  # noqa: F811
    return shop.bought(shelf.shelve(files=True)).lines.get()


def press(client, line, reason="Not what I thought."):
    return client.post(f"/orders/{line.order.public_id}/lines/{line.public_id}/return", {"reason": reason})


def fetched(line, user):
    track = line.tracks.first().track_id
    token = library.link(line, user=user, track=track, format="FLAC", at=timezone.now())
    return library.resolve(token, user=user, at=timezone.now())


def test_the_button_gives_it_back_with_her_reason(shop, line):  # noqa: F811
    client = sign_in(shop.alice)
    assert "Give it back" in client.get(f"/orders/{line.order.public_id}").text
    press(client, line)
    shop.deliver_webhooks()
    assert OrderLine.objects.get().state == OrderLine.State.REFUNDED
    assert LineRefund.objects.get().reason == "Not what I thought."
    assert LineRefund.objects.get().actor == shop.alice.actor
    assert "Refunded" in client.get(f"/orders/{line.order.public_id}").text


def test_twice_is_once(shop, line):  # noqa: F811
    client = sign_in(shop.alice)
    press(client, line)
    press(client, line)
    assert len(shop.stripe.objects("refund")) == 1


def test_it_takes_a_word_of_why(shop, line):  # noqa: F811
    press(sign_in(shop.alice), line, reason=" ")
    assert not LineRefund.objects.exists()


def test_nobody_gives_back_what_is_anothers(shop, line):  # noqa: F811
    assert press(sign_in(make_user("Charlie")), line).status_code == 404
    assert not LineRefund.objects.exists()


def test_after_the_window_there_is_no_button_and_no_way(shop, line, settings):  # noqa: F811
    settings.REFUND_DAYS = 0
    assert "Give it back" not in sign_in(shop.alice).get(f"/orders/{line.order.public_id}").text
    press(sign_in(shop.alice), line)
    assert not LineRefund.objects.exists()


@pytest.mark.parametrize(("days", "allowed"), [(13.999, True), (14, False)])
def test_the_window_ends_with_its_last_moment(line, days, allowed):
    at = line.order.paid_at + timedelta(days=days)
    assert (refunds.why_not(line, at=at, fetched=False) == "") is allowed


def test_what_was_downloaded_is_kept_unless_the_operator_says_otherwise(shop, line, settings):  # noqa: F811
    fetched(line, shop.alice)
    with pytest.raises(RefundRefused, match="downloaded"):
        refunds.ask(line, reason="x", at=timezone.now())
    settings.REFUND_AFTER_DOWNLOAD = True
    assert refunds.ask(line, reason="x", at=timezone.now()).state == OrderLine.State.REFUNDED


def test_a_link_that_was_made_before_fetches_nothing_afterwards(shop, line):  # noqa: F811
    track = line.tracks.first().track_id
    token = library.link(line, user=shop.alice, track=track, format="FLAC", at=timezone.now())
    refunds.ask(line, reason="x", at=timezone.now())
    with pytest.raises(LinkRefused):
        library.resolve(token, user=shop.alice, at=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_file_and_money_at_the_same_moment_are_one_of_both(stripe_sandbox):  # noqa: F811
    shop = Shop(stripe_sandbox)  # noqa: F811
    release = shelf.shelve(files=True)
    for turn in range(5):
        line = shop.bought(release, key=f"k{turn}").lines.get()
        track = line.tracks.first().track_id
        token = library.link(line, user=shop.alice, track=track, format="FLAC", at=timezone.now())
        gate = threading.Barrier(2)
        got: list[str] = []

        def fetch(token=token, gate=gate, got=got):
            gate.wait()
            try:
                library.resolve(token, user=shop.alice, at=timezone.now())
                got.append("file")
            except LinkRefused:
                pass
            finally:
                connection.close()

        def give_back(line=line, gate=gate, got=got):
            gate.wait()
            try:
                refunds.ask(line, reason="x", at=timezone.now())
                got.append("money")
            except RefundRefused:
                pass
            finally:
                connection.close()

        both = [threading.Thread(target=fetch), threading.Thread(target=give_back)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert got in (["file"], ["money"])
    assert Download.objects.count() == 5
