"""Gifts: told on their day, claimed by one person, once; the buyer keeps the receipt."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from store import baskets, checkout, gifts, library
from store.errors import GiftRefused, RequestConflict
from store.gifts import Wish
from store.models import Gift, Letter, Order, OrderLine, User
from tests.factories import shelf
from tests.factories.store import make_order, make_user, order_fields

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("Alice")


def place(buyer: User, *, days: int = 0, key: str = "k", **over: Any) -> Order:
    basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
    if not basket.lines.exists():
        baskets.add(basket, shelf.whole(shelf.shelve()))
    now = timezone.now()
    wish = Wish(
        **{"recipient": "Dana@example.org", "send_at": now + timedelta(days=days), "message": "Listen.", **over}
    )
    return checkout.place_order(
        basket,
        buyer=buyer,
        country="DE",
        evidence={},
        consent=True,
        request_key=key,
        at=now,
        gift=wish,
    )


def paid(buyer: User, **over: Any) -> Gift:
    return Gift.objects.get(order=shelf.pay(place(buyer, **over), at=timezone.now()))


def told(gift: Gift, *, days: int = 0) -> bool:
    return gifts.tell(gift, at=timezone.now() + timedelta(days=days))


def test_an_order_is_its_buyers_and_a_gift_nobodys_yet(alice: User) -> None:
    own = shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    gift = paid(make_user("Bob"))
    assert (own.owner, gift.order.owner) == (alice, None)
    assert library.owned(gift.order.buyer) == []


def test_the_friend_is_told_on_the_day_and_not_before(alice: User) -> None:
    gift = paid(alice, days=3)
    assert not told(gift)
    assert not Letter.objects.exists()
    assert told(gift, days=3)
    letter = Letter.objects.get()
    assert letter.recipient == "dana@example.org"
    assert gifts.address(gift) in letter.body
    assert "Listen." in letter.body


def test_the_friend_is_told_once(alice: User) -> None:
    gift = paid(alice)
    assert [told(gift) for _ in range(3)] == [True, False, False]
    assert Letter.objects.count() == 1


def test_nobody_is_told_of_what_is_not_paid(alice: User) -> None:
    gift = Gift.objects.get(order=place(alice))
    assert not told(gift)


def test_a_claimed_gift_is_in_the_friends_library_and_the_receipt_stays_with_the_buyer(alice: User) -> None:
    gift, dana = paid(alice), make_user("Dana")
    gifts.claim(gifts.find(gifts.token(gift)), user=dana, at=timezone.now())
    order = Order.objects.get()
    assert (order.owner, order.buyer) == (dana, alice)
    assert [line.order_id for line in library.owned(dana)] == [order.pk]
    assert library.owned(alice) == []


def test_a_gift_is_claimed_once(alice: User) -> None:
    gift, dana = paid(alice), make_user("Dana")
    for _ in range(2):
        gifts.claim(gift, user=dana, at=timezone.now())
    with pytest.raises(GiftRefused, match="claimed already"):
        gifts.claim(gift, user=make_user("Charlie"), at=timezone.now())
    assert Order.objects.get().owner == dana


@pytest.mark.parametrize("state", ["REFUND_DUE", "REFUNDED"])
def test_what_was_given_back_cannot_be_claimed_and_nobody_is_told(alice: User, state: str) -> None:
    gift = paid(alice)
    OrderLine.objects.update(state="REFUND_DUE")
    OrderLine.objects.update(state=state)
    assert not told(gift)
    with pytest.raises(GiftRefused, match="taken back"):
        gifts.claim(gift, user=make_user("Dana"), at=timezone.now())


def test_sending_it_to_another_address_makes_the_first_link_worthless(alice: User) -> None:
    gift = paid(alice)
    told(gift)
    first = gifts.token(gift)
    gift = gifts.send_again(gift, recipient="other@example.org", at=timezone.now())
    assert list(Letter.objects.order_by("pk").values_list("recipient", flat=True)) == [
        "dana@example.org", "other@example.org",
    ]  # fmt: skip
    with pytest.raises(GiftRefused):
        gifts.find(first)
    assert gifts.find(gifts.token(gift)) == gift


def test_a_gift_is_told_five_times_a_day_and_again_on_the_next(alice: User) -> None:
    gift, now = paid(alice), timezone.now()
    told(gift)
    for number in range(1, gifts.MOST_LETTERS):
        gift = gifts.send_again(gift, recipient=f"friend{number}@example.org", at=now)
    turn = gift.turn
    with pytest.raises(GiftRefused, match="5 times since yesterday") as refused:
        gifts.send_again(gift, recipient="sixth@example.org", at=now)
    assert refused.value.data["again"]
    gift.refresh_from_db()
    assert gift.turn == turn  # the last link still leads to the gift
    gifts.send_again(gift, recipient="sixth@example.org", at=now + timedelta(days=1, minutes=1))
    assert Letter.objects.filter(recipient="sixth@example.org").count() == 1


def test_the_control_without_the_limit_a_sixth_letter_goes_out(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gifts, "MOST_LETTERS", 100)
    gift = paid(alice)
    told(gift)
    for number in range(6):
        gift = gifts.send_again(gift, recipient=f"friend{number}@example.org", at=timezone.now())
    assert Letter.objects.filter(kind="gift").count() == 7


def test_a_buyer_gives_so_many_gifts_a_day_and_no_more(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gifts, "MOST_GIFTS", 1)
    paid(alice)
    with pytest.raises(GiftRefused, match="since yesterday"):
        place(alice, key="k2")
    assert Order.objects.count() == 1


def test_what_is_claimed_is_not_sent_again(alice: User) -> None:
    gift = paid(alice)
    gifts.claim(gift, user=make_user("Dana"), at=timezone.now())
    with pytest.raises(GiftRefused):
        gifts.send_again(gift, recipient="other@example.org", at=timezone.now())


@pytest.mark.parametrize("said", ["", "x", "a.b~c", "0" * 32 + ".0~sig"])
def test_a_made_up_link_leads_to_nothing(said: str) -> None:
    with pytest.raises(GiftRefused):
        gifts.find(said)


def test_a_day_beyond_a_year_is_refused(alice: User) -> None:
    with pytest.raises(GiftRefused):
        place(alice, days=400)


def test_the_same_request_for_another_friend_is_refused(alice: User) -> None:
    place(alice)
    with pytest.raises(RequestConflict):
        place(alice, recipient="other@example.org")


# -- Exactly one owner -------------------------------------------------------------------------------------------------


def claim_at_once(gift: Gift, count: int) -> int:
    """How many of so many people, each with the link and all at once, come to own the gift."""
    friends = [make_user("Dana") for _ in range(count)]
    won: list[User] = []
    gate = threading.Barrier(count)

    def press(user: User) -> None:
        gate.wait()
        try:
            gifts.claim(gift, user=user, at=timezone.now())
            won.append(user)
        except (GiftRefused, IntegrityError):
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[friend]) for friend in friends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(won)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [2, 8])
def test_of_many_who_claim_at_once_one_owns_it(count: int) -> None:
    assert claim_at_once(paid(make_user("Alice")), count) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_guards_several_would_be_told_that_it_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The condition of the update and the database's own promise switched off."""
    gift = paid(make_user("Alice"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_order DISABLE TRIGGER store_order_owned")
        cursor.execute("ALTER TABLE store_gift DISABLE TRIGGER store_gift_frozen")
    monkeypatch.setattr(gifts, "_own", lambda order, user: Order.objects.filter(pk=order.pk).update(owner=user))
    try:
        assert claim_at_once(gift, 8) > 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE store_order ENABLE TRIGGER store_order_owned")
            cursor.execute("ALTER TABLE store_gift ENABLE TRIGGER store_gift_frozen")


def test_the_database_lets_an_owner_keep_what_is_hers(alice: User) -> None:
    make_order(buyer=alice)
    for owner in (make_user("Charlie"), None):
        with pytest.raises(IntegrityError, match="keeps it"), transaction.atomic():
            Order.objects.update(owner=owner)


@pytest.mark.django_db(transaction=True)
def test_a_gift_to_nobody_is_refused() -> None:
    with pytest.raises(IntegrityError, match="nobody is named"), transaction.atomic():
        Order.objects.create(**order_fields(is_gift=True, total_minor=0, tax_minor=0))
