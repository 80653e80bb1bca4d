"""A business at the checkout, her invoice beside the order, and the finance desk's page on tax, as people see them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from store import baskets, invoices
from store.models import User
from tests.browser import look
from tests.browser.conftest import also_said
from tests.factories import shelf
from tests.factories.store import make_user
from tests.fakes import ViesFake, vies_fake  # noqa: F401 - a fixture

OpenPage = Callable[..., Page]


@pytest.fixture
def alice(transactional_db: None) -> User:
    return make_user("Alice", country="DE")


def test_a_business_gives_its_number_and_sees_what_it_means(
    open_page: OpenPage,
    alice: User,
    vies_fake: ViesFake,  # noqa: F811
) -> None:
    baskets.add(baskets.open_basket(user=alice, session_key=None, currency="EUR"), shelf.whole(shelf.shelve()))
    page = open_page("phone", user=alice)
    page.goto("/checkout")
    page.get_by_text("Buying for a business").click()
    assert look.faults(page) == []
    also_said.append("422")
    page.get_by_label("VAT number").fill("DE 136 695 977")
    page.get_by_label("Name of the business").fill("Plattenladen")
    page.get_by_label("Its address").fill("Weg 1\n10115 Berlin")
    page.get_by_role("button", name="Use this number").click()
    expect(page.get_by_text("This is no VAT number")).to_be_visible()
    page.get_by_label("VAT number").fill("DE 136 695 976")
    page.get_by_role("button", name="Use this number").click()
    expect(page.get_by_text("the price is without VAT")).to_be_visible()
    expect(page.get_by_role("button", name="Pay")).to_contain_text("1.34")
    assert look.faults(page) == []


def test_papers_and_the_tax_desk(open_page: OpenPage, alice: User, settings: Any) -> None:
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"
    order = shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    shelf.sell(shelf.whole(shelf.shelve("Second Light")), buyer=alice, country="GB")
    invoices.write(at=shelf.NOW)
    page = open_page(user=alice)
    page.goto("/orders/")
    assert look.faults(page) == []
    paper = page.get_by_role("link", name="CS-2026-000001")
    answer = page.request.get(paper.get_attribute("href") or "")
    assert answer.body().startswith(b"%PDF")
    page.goto(f"/orders/{order.public_id}")
    expect(page.get_by_role("link", name="CS-2026-000001")).to_be_visible()
    desk = open_page(user=make_user("Fay", is_finance=True))
    desk.goto("/finance/tax/?quarter=2026Q4")
    expect(desk.get_by_text("Same as the ledger")).to_be_visible()
    assert look.faults(desk) == []
