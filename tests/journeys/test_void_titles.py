"""What should never have been sold: downloads stop, buyers are told, and each is owed something."""

import pytest
from django.db import transaction
from django.utils import timezone

from licensing import grants
from licensing.models import LicenceGrant
from payments import accounts, ledger
from store import library, notice_desk, recalls, tasks
from store.errors import NotOwned, Recalled, RefundRefused
from store.models import Letter, Order, OrderLine, RefundCase
from tests.factories import onsale, shelf


def void(release, *, number=1, title=True):
    """The licensor of one track never held the right."""
    grant = LicenceGrant.objects.get(recording=release.tracks.get(number=number).recording)
    grants.end_grant(grant, reason="They never held it.", void_title=title, actor="user:rita", at=timezone.now())


def work(release):
    return recalls.refund_void(release.recordings.values_list("pk", flat=True), at=timezone.now())


def fetch(shop, line, track=None):
    return library.link(line, user=shop.alice, track=track, format="FLAC", at=timezone.now())


def test_a_title_that_was_void_is_given_back_by_itself(shop):
    release = onsale.put_on_sale()
    letter = shelf.make_letter(shelf.make_holder(release.label))
    line = shop.bought(release).lines.get()
    void(release)

    with pytest.raises(Recalled):
        fetch(shop, line, line.tracks.get().track_id)
    assert work(release) == 1
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUND_DUE
    tasks.push_refund(line.pk)
    shop.deliver_webhooks()
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUNDED
    assert ledger.balance(accounts.payee(letter.payee, "EUR")) == 0


def test_the_payee_who_warranted_it_owes_what_was_paid_out(shop):
    release = onsale.put_on_sale()
    letter = shelf.make_letter(shelf.make_holder(release.label))
    line = shop.bought(release).lines.get()
    payee = accounts.payee(letter.payee, "EUR")
    earned = ledger.balance(payee)
    with transaction.atomic():
        legs = [ledger.debit(payee, earned), ledger.credit(accounts.stripe_balance("EUR"), earned)]
        ledger.post("payout:test", kind="PAYOUT", legs=legs, at=timezone.now())
    void(release)
    work(release)
    tasks.push_refund(line.pk)
    shop.deliver_webhooks()
    assert ledger.balance(payee) == 0
    assert ledger.balance(accounts.debt(letter.payee, "EUR")) == earned


def test_a_record_that_merely_ended_takes_nothing_from_past_buyers(shop):
    release = onsale.put_on_sale()
    line = shop.bought(release).lines.get()
    void(release, title=False)
    assert work(release) == 0
    assert fetch(shop, line, line.tracks.get().track_id)


def test_of_an_album_the_other_tracks_stay_the_buyers(shop):
    release = onsale.put_on_sale(tracks=3)
    line = shop.bought(release).lines.get()
    void(release, number=2)
    assert work(release) == 0

    case = RefundCase.objects.get()
    assert (case.state, case.track.number) == ("OPEN", 2)
    assert Order.objects.get().alert
    first, second, third = line.tracks.all()
    assert fetch(shop, line, first.track_id)
    with pytest.raises(Recalled):
        fetch(shop, line, second.track_id)
    assert fetch(shop, line, None)
    assert [row.pk for row, _ in library.contents(line, "FLAC")] == [first.pk, third.pk]


def test_a_case_is_opened_and_its_buyer_told_once(shop):
    release = onsale.put_on_sale(tracks=2)
    shop.bought(release)
    void(release)
    work(release)
    work(release)
    assert RefundCase.objects.count() == 1
    letter = Letter.objects.get(kind="recall")
    assert letter.recipient == shop.alice.email
    assert "First Light, part 1" in letter.body
    assert "First Light, part 2" not in letter.body


def test_the_desk_gives_the_whole_back_or_says_what_was_agreed(shop):
    release = onsale.put_on_sale(tracks=2)
    line = shop.bought(release).lines.get()
    void(release)
    work(release)
    case = RefundCase.objects.get()
    with pytest.raises(RefundRefused):
        recalls.settle(case, actor="user:rita", at=timezone.now(), whole=False)
    recalls.settle(case, actor="user:rita", at=timezone.now(), whole=True)
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUND_DUE
    with pytest.raises(RefundRefused):
        recalls.settle(case, actor="user:rita", at=timezone.now(), whole=False, note="Again.")


def test_two_void_tracks_of_two_are_the_whole(shop):
    release = onsale.put_on_sale(tracks=2)
    line = shop.bought(release).lines.get()
    void(release, number=1)
    work(release)
    void(release, number=2)
    assert work(release) == 1
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUND_DUE
    assert set(RefundCase.objects.values_list("state", flat=True)) == {"REFUND"}


def test_what_was_sold_on_another_record_stays(shop):
    """Two labels, one void title: only what rested on it goes."""
    taken, other = onsale.put_on_sale("First Light"), onsale.put_on_sale("Second Sight")
    order = shop.bought(taken, other)
    void(taken)
    assert work(taken) + work(other) == 1
    assert order.lines.get(release=other).state == OrderLine.State.PAID


def test_a_recall_notice_does_the_same_and_leaves_the_library(shop):
    release = onsale.put_on_sale()
    line = shop.bought(release).lines.get()
    notice_desk.enter(
        release, kind="RECALL", claimant="Court", contact="", statement="Void.", actor="user:rita", at=timezone.now()
    )
    assert work(release) == 1
    assert library.owned(shop.alice) == []
    with pytest.raises(NotOwned):
        library.owned_line(shop.alice, line.public_id)


def test_a_shop_without_void_titles_asks_next_to_nothing(shop, django_assert_num_queries):
    release = onsale.put_on_sale()
    shop.bought(release)
    keys = list(release.recordings.values_list("pk", flat=True))
    with django_assert_num_queries(2):
        recalls.refund_void(keys, at=timezone.now())
