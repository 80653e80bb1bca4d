"""Naming a price, codes, other currencies and gifts, with eyes, a phone, in the dark, and without scripts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Release
from store import access, baskets, checkout, codes, gifts, offers
from store.codes import Bearer, Terms
from store.gifts import Wish
from store.models import Gift, Order, User
from tests.browser import look
from tests.factories import onsale, shelf
from tests.factories.store import make_user

OpenPage = Callable[..., Page]
CLOSELY = ("phone",)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return make_user("Alice")


@pytest.fixture
def named() -> Release:
    """Three euros or more for two tracks."""
    release = onsale.put_on_sale("First Light", tracks=2)
    offers.set_price(release, currency="EUR", amount_minor=300, or_more=True, actor="user:bob")
    onsale.review()
    shelf.make_cover(release)
    return release


def make_code(release: Release) -> None:
    terms = Terms(25, None, timezone.now(), max_uses=100, release=release)
    codes.make(terms, label=release.label, bearer=Bearer.LABEL, actor="x", at=timezone.now(), text="SPRING-26")


def fill(buyer: User, release: Release) -> None:
    basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
    baskets.add(basket, shelf.whole(release), named_minor=500)
    baskets.add(basket, shelf.whole(shelf.shelve("Harbour")))
    baskets.use_code(basket, "SPRING-26", buyer=buyer, at=timezone.now())


def given(buyer: User) -> Gift:

    basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
    baskets.add(basket, shelf.whole(shelf.shelve("Kitchen Tapes")))
    wish = Wish("dana@example.org", timezone.now(), "Dana", "Alice", "For the long way home.\n\nListen to the end.")
    order = checkout.place_order(
        basket, buyer=buyer, country="DE", evidence={}, consent=True, request_key="g", at=timezone.now(), gift=wish
    )
    shelf.pay(order, at=timezone.now())
    gifts.tell(Gift.objects.get(), at=timezone.now())
    return Gift.objects.get()


def photograph(page: Page, name: str) -> None:
    """For the eyes of whoever changes a page: SHOTS names a folder, and each page is kept there as it looks."""
    folder = os.environ.get("SHOTS")
    for size in ("phone", "desktop") if folder else ():
        width, height = look.SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(Path(str(folder)) / f"{name}-{size}-{scheme}.png"), full_page=True)


def test_no_page_of_selling_has_a_barrier_or_is_wider_than_its_window(
    open_page: OpenPage, named: Release, alice: User
) -> None:
    access.join(alice, named.label, role="OWNER")
    make_code(named)
    gift = given(alice)
    fill(alice, named)
    pages = {
        "release": f"/release/{named.slug}?named=5",
        "basket": "/basket",
        "checkout": "/checkout",
        "order-of-gift": f"/orders/{gift.order.public_id}",
        "gift": f"/gifts/{gifts.token(gift)}",
        "prices": f"/studio/{named.label.slug}/prices/",
        "codes": f"/studio/{named.label.slug}/codes/",
    }
    page, found = open_page(user=alice), {}
    for name, path in pages.items():
        page.goto(path)
        for fold in page.locator("details.fold").all():
            fold.evaluate("fold => fold.open = true")
        found[name] = look.faults(page, closely=CLOSELY)
        photograph(page, name)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_who_gets_what_follows_the_price_as_one_types_it(open_page: OpenPage, named: Release) -> None:
    page = open_page()
    page.goto(f"/release/{named.slug}")
    page.evaluate("window.sameDocument = true")
    page.get_by_label("Name your price").fill("7,50")
    expect(page.locator("#who")).to_contain_text("€4.50 of it are freely given")
    page.get_by_label("Name your price").fill("2")
    expect(page.locator("#who")).to_contain_text("below the least")
    page.get_by_label("Name your price").fill("7,50")
    expect(page.locator("#who")).to_contain_text("freely given")
    assert page.evaluate("window.sameDocument") is True
    page.get_by_role("button", name="Put it in the basket").click()
    expect(page.locator("dd.total")).to_have_text("€7.50")


def test_without_scripts_a_price_is_named_and_looked_at_all_the_same(open_page: OpenPage, named: Release) -> None:
    page = open_page(script=False)
    page.goto(f"/release/{named.slug}")
    page.get_by_label("Another price, EUR").fill("4")
    page.get_by_role("button", name="Show who gets what").click()
    expect(page.locator("#who")).to_contain_text("€1.00 of it are freely given")
    page.get_by_role("button", name="Put it in the basket").click()
    expect(page.locator("dd.total")).to_have_text("€4.00")


def test_a_code_is_used_and_taken_off_with_the_keyboard(open_page: OpenPage, named: Release, alice: User) -> None:
    make_code(named)
    basket = baskets.open_basket(user=alice, session_key=None, currency="EUR")
    baskets.add(basket, shelf.whole(named), named_minor=500)
    page = open_page(user=alice)
    page.goto("/basket")
    page.get_by_text("You have a code").click()
    page.get_by_label("Code", exact=True).fill("spring-26")
    page.keyboard.press("Enter")
    expect(page.locator("dd.total")).to_have_text("€4.25")
    page.get_by_role("button", name="Take the code off").press("Enter")
    expect(page.locator("dd.total")).to_have_text("€5.00")


def test_a_friend_takes_her_gift(open_page: OpenPage, alice: User) -> None:
    gift = given(alice)
    page = open_page("phone")
    page.goto(f"/gifts/{gifts.token(gift)}")
    page.get_by_role("link", name="Make an account and take it").click()
    page.get_by_label("Email").fill("dana@example.org")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_label("Password (again)").fill("correct horse battery")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("button", name="Put it in my library").click()
    expect(page.get_by_role("main")).to_contain_text("Kitchen Tapes")
    assert Order.objects.get().owner == User.objects.get(email="dana@example.org")
