"""Codes and gifts the whole way: through the payment page of the sandbox, its webhooks, the letter and the library."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from catalog.models import Release
from payments.models import Charge, Transfer
from store import baskets, checkout, codes, emails, gifts, letters, library, refunds
from store.codes import Bearer, Terms
from store.errors import CodeRefused, GiftRefused
from store.gifts import Wish
from store.models import Basket, Code, Gift, Letter, Order
from tests.factories import shelf
from tests.factories.store import make_user


def make(release: Release, **terms: Any) -> Code:
    said = Terms(25, None, timezone.now() - timedelta(days=1), **terms)
    return codes.make(said, label=release.label, bearer=Bearer.LABEL, actor="x", at=timezone.now(), text="SPRING")[0]


def test_what_was_paid_with_a_code_is_what_is_posted(shop: Any) -> None:
    release = shelf.shelve(price_minor=250)
    make(release)
    baskets.use_code(shop.basket_of(release), "SPRING", buyer=shop.alice, at=timezone.now())
    order = shop.bought(release)
    posted = Transfer.objects.get(kind="SALE")
    assert (order.state, order.total_minor) == ("PAID", 300)
    assert sum(entry.amount_micros for entry in posted.entries.all() if entry.side == "D") == 3_000_000


def test_who_comes_back_from_the_payment_page_orders_anew_and_the_first_page_takes_no_money(shop: Any) -> None:
    release = shelf.shelve(price_minor=250)
    make(release, max_uses=1)
    baskets.use_code(shop.basket_of(release), "SPRING", buyer=shop.alice, at=timezone.now())
    first = shop.order(release)
    checkout.start_payment(first, at=timezone.now())
    second = shop.order(release, key="k2")
    shop.pay(second)
    shop.deliver_webhooks()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("CANCELLED", "PAID")
    assert Charge.objects.get(reference=first.number).state == "FAILED"
    assert Code.objects.get().used == 1


def test_a_paid_order_keeps_its_code_for_good(shop: Any) -> None:
    release = shelf.shelve(price_minor=250)
    make(release, max_uses=1)
    baskets.use_code(shop.basket_of(release), "SPRING", buyer=shop.alice, at=timezone.now())
    first = shop.order(release)
    shop.pay(first)  # and the webhook has not come yet
    with pytest.raises(CodeRefused, match="waits for its payment"):
        shop.order(release, key="k2")
    shop.deliver_webhooks()
    first.refresh_from_db()
    assert first.state == "PAID"


@pytest.mark.django_db(transaction=True)
def test_pressing_pay_ten_times_is_one_order_and_one_payment_page(shop: Any) -> None:
    release = shelf.shelve()
    shop.basket_of(release)
    gate = threading.Barrier(10)
    pages: list[str] = []

    def press() -> None:
        gate.wait()
        try:
            basket = Basket.objects.get(user=shop.alice)
            order = checkout.place_order(
                basket, buyer=shop.alice, country="DE", evidence={}, consent=True, request_key="k", at=timezone.now()
            )
            pages.append(checkout.start_payment(order, at=timezone.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pages) == 10
    assert len(set(pages)) == Order.objects.count() == len(shop.stripe.objects("checkout.session")) == 1


def give(shop: Any) -> Gift:
    release = shelf.shelve()
    order = checkout.place_order(
        shop.basket_of(release), buyer=shop.alice, country="DE", evidence={}, consent=True, request_key="g",
        at=timezone.now(), gift=Wish("dana@example.org", sender_name="Alice", message="Listen."),
    )  # fmt: skip
    shop.pay(order)
    shop.deliver_webhooks()
    return Gift.objects.get()


def test_a_gift_goes_from_the_payment_to_the_friends_library(shop: Any) -> None:
    gift = give(shop)
    assert gifts.tell(gift, at=timezone.now())
    letters.send(Letter.objects.get(), at=timezone.now())
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["dana@example.org"], "Alice gives you music")
    link = next(line for line in letter.body.splitlines() if "/gifts/" in line)
    dana = make_user("Dana")
    gifts.claim(gifts.find(link.rpartition("/gifts/")[2]), user=dana, at=timezone.now())
    assert [line.title for line in library.owned(dana)] == ["First Light"]


def test_the_receipt_of_a_gift_speaks_of_the_friend_and_names_no_library(shop: Any) -> None:
    gift = give(shop)
    emails.send_receipt(gift.order, at=timezone.now())
    body = mail.outbox[-1].body
    assert "dana@example.org" in body
    assert "Your files" not in body


def test_a_gift_that_is_given_back_before_it_is_claimed_is_taken_back(shop: Any) -> None:
    gift = give(shop)
    refunds.refund_line(gift.order.lines.get(), reason="changed her mind", at=timezone.now())
    with pytest.raises(GiftRefused, match="taken back"):
        gifts.claim(gift, user=make_user("Dana"), at=timezone.now())
    assert not gifts.tell(gift, at=timezone.now())
