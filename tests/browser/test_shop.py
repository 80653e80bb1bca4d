"""The shop as people meet it: with eyes, ears, a keyboard, a screen reader, a phone, and without scripts."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from store import gift_cards
from store.models import Order, User
from tests.browser import look
from tests.factories import catalog, credit, shelf
from tests.factories.store import make_user

OpenPage = Callable[..., Page]
LONG = "A Field Guide to Weather That Never Came, Being Recordings Made Between Two Winters in the Old Customs House"


@pytest.fixture
def alice(transactional_db: None) -> User:
    return make_user("Alice")


@pytest.fixture
def world(alice: User) -> dict[str, str]:
    """Addresses of one page of each kind, with something on it."""
    label = catalog.make_label("Harbour Records")
    ana = catalog.make_party("Ana Lind")
    release = shelf.shelve("First Light", artist=ana, label=label, tracks=3, refused=1, genre="Ambient")
    shelf.make_cover(release)
    bought = shelf.shelve(LONG, artist=ana, label=label, tracks=2, genre="Folk")
    order = shelf.sell(shelf.whole(bought), buyer=alice)
    lossy = shelf.shelve("Kitchen Tapes", lossless=False)
    from store import baskets

    baskets.add(baskets.open_basket(user=alice, session_key=None, currency="EUR"), shelf.whole(lossy))
    credit.make_credit(alice)
    card = credit.make_gift_card(alice, message="For the long nights.")
    return {
        "home": "/",
        "browse": "/browse",
        "search": "/search?q=light",
        "nothing": "/search?q=zzzz",
        "release": f"/release/{release.slug}",
        "long title": f"/release/{bought.slug}",
        "artist": f"/artist/{ana.slug}",
        "label": f"/label/{label.slug}",
        "basket": "/basket",
        "checkout": "/checkout",
        "order": f"/orders/{order.public_id}",
        "library": "/library/",
        "account": "/account/",
        "credit": "/account/credit",
        "gift cards": "/gift-cards",
        "a gift card": f"/gift-cards/{gift_cards.token_of(card)}",
        "email": "/account/email/",
        "two-step": "/account/2fa/",
        "certificate": f"/certificates/{order.lines.get().certificate.public_id}",
        "formats": "/formats",
        "about": "/about",
    }


def test_no_page_has_a_barrier_or_is_wider_than_its_window(
    open_page: OpenPage, world: dict[str, str], alice: User
) -> None:
    page, found = open_page(user=alice), {}
    for name, path in world.items():
        page.goto(path)
        found[name] = look.faults(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_music_keeps_playing_while_one_browses(open_page: OpenPage, passage: bytes) -> None:
    release = shelf.shelve("First Light", tracks=2, preview=passage)
    page = open_page()
    page.goto(f"/release/{release.slug}")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="Play a preview of First Light, part 1").click()
    player = page.get_by_role("region", name="Player")
    expect(player.locator(".player-title")).to_have_text("First Light, part 1")
    expect(player.locator("[data-part=now]")).not_to_have_text("0:00")
    before = player.locator("[data-part=now]").inner_text()
    page.get_by_role("link", name="Browse", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Browse")
    expect(player.get_by_role("button", name="Play or pause")).to_have_attribute("aria-pressed", "true")
    expect(player.locator("[data-part=now]")).not_to_have_text(before)
    assert page.evaluate("window.sameDocument") is True
    assert page.title().startswith("Browse")


def test_the_player_obeys_the_keyboard_and_knows_the_next_track(open_page: OpenPage, passage: bytes) -> None:
    release = shelf.shelve("First Light", tracks=2, preview=passage)
    page = open_page()
    page.goto(f"/release/{release.slug}")
    page.get_by_role("button", name="Play a preview of First Light, part 1").press("Enter")
    player = page.get_by_role("region", name="Player")
    expect(player.locator("[data-part=whole]")).to_have_text("0:30")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("n")
    expect(player.locator(".player-title")).to_have_text("First Light, part 2")
    page.keyboard.press(" ")
    expect(player.get_by_role("button", name="Play or pause")).to_have_attribute("aria-pressed", "false")
    player.get_by_role("button", name="Close the player").click()
    expect(player).to_be_hidden()


def test_results_come_as_one_types(open_page: OpenPage) -> None:
    shelf.shelve("Nocturnes")
    page = open_page()
    page.goto("/search")
    box = page.get_by_role("main").get_by_role("searchbox")
    box.press_sequentially("noct", delay=20)
    expect(page.get_by_role("main").get_by_role("link", name="Nocturnes").first).to_be_visible()
    expect(box).to_be_focused()
    assert "q=noct" in page.url


def test_slash_opens_the_search_on_a_phone_too(open_page: OpenPage, transactional_db: None) -> None:
    page = open_page("phone")
    page.goto("/")
    page.get_by_role("button", name="Search").first.click()
    expect(page.locator("#find-q")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#find-q")).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("/")
    expect(page.locator("#find-q")).to_be_focused()


def test_a_keyboard_reaches_the_content_first(open_page: OpenPage, transactional_db: None) -> None:
    page = open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_going_back_returns_to_the_place_one_left(open_page: OpenPage) -> None:
    label = catalog.make_label()
    for number in range(30):
        shelf.shelve(f"Record {number}", label=label, tracks=1)
    page = open_page("phone")
    page.goto("/browse")
    page.get_by_role("link", name="Record 2 ").or_(page.get_by_role("link", name="Record 2", exact=False)).last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Record")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Browse")
    page.wait_for_function("scrollY > 300")


def test_the_seal_turns_green_only_when_the_browser_has_verified(open_page: OpenPage, alice: User) -> None:
    certificate = shelf.sell(shelf.whole(shelf.shelve()), buyer=alice).lines.get().certificate
    page = open_page()
    page.goto(f"/certificates/{certificate.public_id}")
    expect(page.get_by_text("Verified here, by your browser")).to_be_visible()
    unscripted = open_page(script=False)
    unscripted.goto(f"/certificates/{certificate.public_id}")
    expect(unscripted.get_by_text("The shop has checked it; your browser has not yet")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_one_gets_from_the_shelf_to_the_button_that_pays(open_page: OpenPage, alice: User, script: bool) -> None:  # noqa: FBT001
    release = shelf.shelve("First Light", tracks=2)
    page = open_page(user=alice, script=script)
    page.goto("/")
    page.get_by_role("link", name="First Light").first.click()
    expect(page).to_have_url(re.compile(f"/release/{release.slug}$"))
    page.get_by_role("button", name="Buy the album").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Basket")
    page.get_by_role("link", name="Go to the checkout").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Checkout")
    page.get_by_role("checkbox", name="Start the download at once").check()
    expect(page.get_by_role("button", name="Pay €1.60")).to_be_enabled()
    assert not Order.objects.exists()


def test_changing_the_country_at_the_checkout_changes_the_tax(open_page: OpenPage, alice: User) -> None:
    release = shelf.shelve("First Light")
    page = open_page(user=alice)
    page.goto(f"/release/{release.slug}")
    page.get_by_role("button", name="Buy the album").click()
    page.get_by_role("link", name="Go to the checkout").click()
    page.locator("#buy-country").select_option("FR")
    expect(page.get_by_text("You are buying from France: 20% VAT is inside the price.")).to_be_visible()


def test_a_bought_file_is_saved_under_its_name(open_page: OpenPage, alice: User) -> None:
    shelf.sell(shelf.whole(shelf.shelve("First Light", tracks=1, files=True)), buyer=alice)
    page = open_page(user=alice)
    page.goto("/library/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download First Light").click()
    assert download.value.suggested_filename == "01 Ana Lind - First Light, part 1.flac"
