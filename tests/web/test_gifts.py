"""Giving and claiming, as people do it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from store import gifts
from store.models import Gift, Letter, Order, User
from store.views import checkout as views
from tests.factories import shelf

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _payment_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "start_payment", lambda _order, **_said: "https://checkout.stripe.com/c/pay/1")


def give(client: Client, **over: str) -> Any:
    client.post("/basket/add", {"offer": shelf.whole(shelf.shelve()).public_id})
    page = client.get("/checkout")
    said = {"gift-wanted": "on", "gift-recipient": "dana@example.org", "gift-message": "Hör mal.", **over}
    return client.post("/checkout", {**page.context["form"].initial, "consent": "on", **said})


@pytest.fixture
def gift(at_alices: Client) -> Gift:
    give(at_alices)
    shelf.pay(Order.objects.get(), at=timezone.now())
    found = Gift.objects.get()
    gifts.tell(found, at=timezone.now())
    found.refresh_from_db()
    return found


def path_of(gift: Gift) -> str:
    return f"/gifts/{gifts.token(gift)}"


def test_a_gift_is_ordered_at_the_checkout(at_alices: Client) -> None:
    day = timezone.now().date() + timedelta(days=7)
    assert give(at_alices, **{"gift-day": day.isoformat()}).status_code == 302
    found = Gift.objects.get()
    assert (found.recipient, found.send_at.date(), found.order.is_gift) == ("dana@example.org", day, True)


@pytest.mark.parametrize("over", [{"gift-recipient": ""}, {"gift-recipient": "nobody"}, {"gift-day": "soon"}])
def test_a_gift_without_an_address_or_day_is_refused_beside_its_field(at_alices: Client, over: dict[str, str]) -> None:
    answer = give(at_alices, **over)
    assert answer.status_code == 422
    assert not Order.objects.exists()


def test_pressing_twice_gives_once(at_alices: Client) -> None:
    at_alices.post("/basket/add", {"offer": shelf.whole(shelf.shelve()).public_id})
    said = {"gift-wanted": "on", "gift-recipient": "dana@example.org", "consent": "on"}
    sent = {**at_alices.get("/checkout").context["form"].initial, **said}
    assert [at_alices.post("/checkout", sent).status_code for _ in range(2)] == [302, 302]
    assert Gift.objects.count() == 1


def test_an_order_that_is_no_gift_needs_none_of_it(at_alices: Client) -> None:
    assert give(at_alices, **{"gift-wanted": "", "gift-recipient": ""}).status_code == 302
    assert not Order.objects.get().is_gift


def test_the_buyer_sees_where_her_gift_stands_and_no_files(at_alices: Client, gift: Gift) -> None:
    page = at_alices.get(f"/orders/{gift.order.public_id}").content.decode()
    assert "It is given" in page
    assert "Not claimed yet" in page
    assert "Your files are here" not in page
    assert "First Light" not in at_alices.get("/library/").content.decode()


def test_a_visitor_is_shown_the_gift_and_how_to_take_it(visitor: Client, gift: Gift) -> None:
    page = visitor.get(path_of(gift)).content.decode()
    assert "Hör mal." in page
    assert "/account/signup/?next=%2Fgifts%2F" in page
    assert visitor.post(path_of(gift)).status_code == 200
    assert Order.objects.get().owner is None


def test_one_press_puts_it_into_the_friends_library(at_charlies: Client, gift: Gift) -> None:
    assert at_charlies.post(path_of(gift))["Location"] == "/library/"
    assert "First Light" in at_charlies.get("/library/").content.decode()


def test_a_new_account_leads_back_to_the_gift(visitor: Client, gift: Gift) -> None:
    said = {"email": "dana@example.org", "password1": "correct horse battery", "password2": "correct horse battery"}
    answer = visitor.post("/account/signup/", {**said, "next": path_of(gift)})
    assert answer["Location"] == path_of(gift)
    visitor.post(path_of(gift))
    assert Order.objects.get().owner == User.objects.get(email="dana@example.org")


def test_who_comes_second_is_told_so(at_charlies: Client, at_alices: Client, gift: Gift) -> None:
    at_charlies.post(path_of(gift))
    answer = at_alices.post(path_of(gift))
    assert answer.status_code == 409
    assert "claimed already" in answer.content.decode()


def test_a_link_that_leads_nowhere_says_so(visitor: Client) -> None:
    assert visitor.get("/gifts/made-up").status_code == 404


def test_an_unclaimed_gift_is_sent_again(at_alices: Client, gift: Gift) -> None:
    at_alices.post(f"/orders/{gift.order.public_id}/gift", {"recipient": "other@example.org"})
    assert Letter.objects.filter(kind="gift").count() == 2


def test_a_strangers_gift_cannot_be_sent_elsewhere(at_charlies: Client, gift: Gift) -> None:
    answer = at_charlies.post(f"/orders/{gift.order.public_id}/gift", {"recipient": "charlie@example.org"})
    assert answer.status_code == 404
    assert at_charlies.get(f"/orders/{gift.order.public_id}").status_code == 404
