"""In a real browser: a buyer gives back what she bought; finance staff give back a part, and read of a chargeback."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from store.models import LineRefund, Order, OrderLine, User
from tests.browser import look
from tests.factories import shelf
from tests.factories.store import make_user
from tests.fakes import StripeFake, stripe_sandbox  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop

Open = Callable[..., Page]


@pytest.fixture
def shop(stripe_sandbox: StripeFake) -> Shop:  # noqa: F811
    return Shop(stripe_sandbox)


@pytest.fixture
def fay(shop: Shop) -> User:
    return make_user("Fay", is_finance=True)


def test_a_buyer_gives_it_back_with_two_presses(open_page: Open, shop: Shop) -> None:
    order = shop.bought(shelf.shelve())
    page = open_page("phone", user=shop.alice)
    page.goto(f"/orders/{order.public_id}")
    page.get_by_text("Give it back").first.click()
    assert look.faults(page, fits=["phone", "desktop"]) == []
    page.get_by_label("Why do you give it back?").fill("Not what I thought.")
    page.get_by_role("button", name="Give it back for").click()
    expect(page.get_by_text("It is given back")).to_be_visible()
    assert OrderLine.objects.get().state == OrderLine.State.REFUNDED
    assert look.faults(page, fits=["phone", "desktop"]) == []


@pytest.mark.parametrize("state", ["PENDING", "FAILED"])
def test_an_order_that_waits_for_a_bank_says_so(open_page: Open, shop: Shop, state: str) -> None:
    order = shop.order(shelf.shelve())
    bank = shop.pay_later(order)
    if state == "FAILED":
        shop.deliver_webhooks()
        shop.stripe.bounce(bank)
    shop.deliver_webhooks()
    page = open_page("phone", user=shop.alice)
    page.goto(f"/orders/{order.public_id}")
    words = {"PENDING": "Your bank is paying", "FAILED": "Your bank did not pay"}
    expect(page.get_by_role("heading", name=words[state])).to_be_visible()
    assert look.faults(page, fits=["phone", "desktop"]) == []


def test_finance_staff_find_an_order_and_give_a_part_back(open_page: Open, shop: Shop, fay: User) -> None:
    order = shop.bought(shelf.shelve())
    page = open_page(user=fay)
    page.goto("/finance/")
    page.get_by_role("link", name="Orders").click()
    page.get_by_label("Number, address").fill(order.number)
    page.get_by_role("button", name="Find").click()
    assert look.faults(page, fits=["phone", "desktop"]) == []
    page.get_by_role("link", name=order.number).click()
    page.get_by_text("Give money back").click()
    page.get_by_label("How much").fill("0.40")
    page.get_by_label("Why").fill("A scratch in track 2.")
    assert look.faults(page, fits=["phone", "desktop"]) == []
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_text("A scratch in track 2.")).to_be_visible()
    assert LineRefund.objects.get().amount_minor == 40
    page.get_by_role("link", name="Refunds").click()
    expect(page.get_by_text("A scratch in track 2.")).to_be_visible()
    assert look.faults(page, fits=["phone", "desktop"]) == []


def test_a_chargeback_pauses_the_order_and_is_listed(open_page: Open, shop: Shop, fay: User) -> None:
    order = shop.bought(shelf.shelve())
    shop.charge_back(order)
    shop.deliver_webhooks()
    page = open_page(user=fay)
    page.goto("/finance/chargebacks/")
    expect(page.get_by_role("link", name=order.number)).to_be_visible()
    assert look.faults(page, fits=["phone", "desktop"]) == []
    hers = open_page("phone", user=shop.alice)
    hers.goto(f"/orders/{order.public_id}")
    expect(hers.get_by_text("Paused while your bank decides")).to_be_visible()
    assert look.faults(hers, fits=["phone", "desktop"]) == []
    assert Order.objects.get().state == Order.State.PAID
