"""Finance staff make a code, record a contract and a rate card in a real browser."""

from collections.abc import Callable

from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser import look
from tests.browser.test_money import shot
from tests.factories import catalog
from tests.factories.store import make_user

OpenPage = Callable[..., Page]


def test_codes_contracts_and_rate_cards(open_page: OpenPage, transactional_db: None) -> None:
    catalog.make_label("Harbour Records", slug="harbour")
    page = open_page(user=make_user("Fay", is_finance=True))
    page.goto("/finance/codes/")
    page.locator("#id_text").fill("SPRING-26")
    page.locator("#id_value").fill("10")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("row", name="SPRING-26")).to_contain_text("10%")
    assert look.faults(page) == []
    shot(page, "finance-codes")
    page.goto("/finance/contracts/")
    page.locator("#id_label").fill("harbour")
    page.get_by_label("Of the price without tax").fill("12.5")
    page.get_by_label("The contract that says so").fill("A-7 of May")
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_role("row", name="Harbour Records")).to_contain_text("12.5%")
    assert look.faults(page) == []
    shot(page, "finance-contracts")
    page.goto("/finance/rates/")
    page.get_by_label("Countries").fill("DE, AT")
    page.locator("#id_percent").fill("9")
    page.get_by_label("Source").fill("our own card, page 2")
    page.get_by_role("button", name="Record them").click()
    expect(page.get_by_role("row", name="HOUSE Germany")).to_contain_text("Not verified")
    assert look.faults(page) == []
    shot(page, "finance-rates")
    assert f"{timezone.now():%Y}" in page.get_by_role("row", name="HOUSE Austria").inner_text()
