"""A label's owner gives an account and a tax form in a real browser; finance staff answer for them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Party
from payments.models import Payee
from store import access, bank_accounts
from store.models import User
from tests.browser import look
from tests.browser.test_money import shot
from tests.factories import catalog, shelf
from tests.factories.store import make_user

OpenPage = Callable[..., Page]


@pytest.fixture
def label(transactional_db: None, settings: LazySettings) -> Party:
    settings.BANK_HOLDER, settings.BANK_IBAN = "Clearsong", "FR7630006000011234567890189"
    found: Party = catalog.make_label("Harbour Records", slug="harbour")
    shelf.make_letter(shelf.make_holder(found), "Harbour Records GmbH")
    return found


@pytest.fixture
def bob(label: Party) -> User:
    user: User = make_user("Bob", password="correct horse 7")
    access.join(user, label, role="OWNER")
    return user


def test_an_owner_gives_an_account_and_a_form_and_staff_answer(
    open_page: OpenPage, bob: User, label: Party, tmp_path: Path
) -> None:
    page = open_page(user=bob)
    page.goto("/studio/harbour/money/payees/")
    page.get_by_role("link", name="Harbour Records GmbH").click()
    page.get_by_role("link", name="show your password again").click()
    page.get_by_label("Password").fill("correct horse 7")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Give a bank account").click()
    assert look.faults(page) == []
    shot(page, "studio-payee-form")
    page.get_by_label("Account holder").fill("Harbour Records GmbH")
    page.get_by_label("IBAN").fill("DE89 3704 0044 0532 0130 00")
    page.get_by_role("button", name="Give the account").click()
    expect(page.get_by_text("Until then nothing is paid out")).to_be_visible()
    (tmp_path / "w8ben.pdf").write_bytes(b"%PDF-1.7 form")
    page.get_by_text("Hand in a form").click()
    form = page.locator("#tax form")
    form.get_by_label("Rate it claims").fill("5")
    form.get_by_label("Valid from").fill("2026-01-01")
    form.get_by_label("To", exact=True).fill("2028-12-31")
    form.get_by_label("The signed form").set_input_files(tmp_path / "w8ben.pdf")
    form.get_by_role("button", name="Hand it in").click()
    expect(page.get_by_text("Waits to be read")).to_be_visible()
    assert look.faults(page) == []
    shot(page, "studio-payee")
    desk = open_page(user=make_user("Fay", is_finance=True))
    desk.goto("/finance/payouts/")
    shot(desk, "finance-handed-in")
    desk.get_by_role("link", name="Harbour Records GmbH").first.click()
    assert look.faults(desk) == []
    shot(desk, "finance-payee-handed-in")
    desk.get_by_role("button", name="This is what it says").click()
    expect(desk.get_by_text("Accepted: it counts from now on.")).to_be_visible()
    desk.get_by_role("button", name="It is the payee’s").click()
    expect(desk.get_by_text("By bank transfer to the account of")).to_be_visible()


def test_a_payee_stops_an_account_it_does_not_know(open_page: OpenPage, bob: User, label: Party) -> None:
    change = bank_accounts.give(label, Payee.objects.get(), holder="Ann", iban="DE89370400440532013000", bic="", by=bob,
                                at=timezone.now())  # fmt: skip
    page = open_page()
    page.goto(bank_accounts.address(change)[bank_accounts.address(change).index("/payees/") :])
    assert look.faults(page) == []
    shot(page, "payee-stops")
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("Not taken")).to_be_visible()
