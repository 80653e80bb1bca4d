"""A label reads her month before a real browser and takes it along; finance staff look at what does not meet."""

import csv
import io
import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Party
from payments import months, payees, payouts
from payments.models import Discrepancy, Payee
from store import access, month_end
from store.models import User
from tests.browser import look
from tests.browser.conftest import also_said
from tests.factories import catalog, shelf
from tests.factories.payments import post_earning
from tests.factories.store import make_user
from tests.fakes import stripe_sandbox  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop, shop  # noqa: F401 - a fixture

OpenPage = Callable[..., Page]


@pytest.fixture
def label(transactional_db: None) -> Party:
    return catalog.make_label("Harbour Records", slug="harbour")


@pytest.fixture
def bob(label: Party) -> User:
    user = make_user("Bob")
    access.join(user, label, role="OWNER")
    return user


@pytest.fixture
def paid(label: Party, shop: Shop) -> Payee:  # noqa: F811
    """Two albums sold this month, to Germany and to the United States, and the month closed."""
    release = shelf.shelve("First Light", label=label, tracks=3)
    payee = shelf.make_letter(shelf.make_holder(label), "Harbour Records GmbH").payee
    shop.bought(release)
    shop.bought(release, shelf.shelve("Second Sight", label=label), key="k2", country="US")
    since, until = months.month_of(timezone.now())
    month_end.close(since, until, at=until + timedelta(hours=2))
    found: Payee = payee
    return found


def shot(page: Page, name: str) -> None:
    """Only where somebody wants to look: SHOTS=folder."""
    if folder := os.environ.get("SHOTS"):
        also_said.append("inline style")  # the camera's own
        for scheme, size in (("light", "phone"), ("dark", "phone"), ("light", "desktop"), ("dark", "desktop")):
            width, height = look.SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=f"{folder}/{name}-{size}-{scheme}.png", full_page=True)


def test_a_label_reads_her_month_and_takes_it_along(open_page: OpenPage, bob: User, paid: Payee) -> None:
    page = open_page(user=bob)
    page.goto("/studio/harbour/money/")
    expect(page.get_by_label("Balance")).to_contain_text("Harbour Records GmbH is owed")
    assert look.faults(page) == []
    shot(page, "money")
    page.get_by_role("link", name="Statements").first.click()
    page.get_by_role("link", name=f"{timezone.now():%B %Y}").click()
    expect(page.get_by_role("heading", name="By release")).to_be_visible()
    expect(page.get_by_text("Closing balance")).to_be_visible()
    assert look.faults(page) == []
    shot(page, "statement")
    with page.expect_download() as caught:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(caught.value.path().read_text())))
    assert {row["title"] for row in rows if row["row"] == "EARNED"} >= {"First Light, part 1", "Second Sight, part 1"}
    with page.expect_download() as caught:
        page.get_by_role("link", name="PDF").click()
    assert caught.value.path().read_bytes().startswith(b"%PDF")


def test_a_label_sees_where_her_music_went(open_page: OpenPage, bob: User, paid: Payee) -> None:
    page = open_page(user=bob)
    page.goto("/studio/harbour/money/sales/")
    expect(page.get_by_role("heading", name="By country")).to_be_visible()
    expect(page.get_by_role("row", name="Germany").first).to_be_visible()
    assert look.faults(page) == []
    shot(page, "sales")
    page.goto("/studio/harbour/money/statements/")
    assert look.faults(page) == []
    shot(page, "statements")
    page.goto("/studio/harbour/money/payees/")
    assert look.faults(page) == []
    shot(page, "payees")


def test_finance_staff_explain_a_difference_and_see_what_is_held(
    open_page: OpenPage,
    paid: Payee,
    stripe_sandbox: object,  # noqa: F811
) -> None:
    today = timezone.now().date()
    Discrepancy.objects.create(kind="MISSING", key="ch_3PqXyZ0123456789", currency="EUR", stripe_micros=9_990_000,
                               ledger_micros=0, first_seen=today, last_seen=today)  # fmt: skip
    payees.give_bank(paid, holder="Harbour", iban="DE89370400440532013000", by="user:1", at=timezone.now())
    Payee.objects.filter(pk=paid.pk).update(currency="EUR")
    post_earning(paid, 20_000_000, at=timezone.now())
    payouts.plan(minimum_minor=1, at=timezone.now())
    page = open_page(user=make_user("Fay", is_finance=True))
    page.goto("/finance/payouts/")
    expect(page.get_by_text("wait for a file").or_(page.get_by_text("waits for a file"))).to_be_visible()
    assert look.faults(page) == []
    shot(page, "finance-payouts")
    page.get_by_role("link", name="Harbour Records GmbH").first.click()
    assert look.faults(page) == []
    shot(page, "finance-payee")
    page.goto("/finance/books/")
    page.get_by_label("Why they differ").fill("A test charge of ours")
    assert look.faults(page) == []
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("A test charge of ours")).to_be_visible()
    shot(page, "finance-books")
    page.goto("/finance/suspense/")
    assert look.faults(page) == []
    shot(page, "finance-suspense")


def test_on_a_phone_every_tab_stands_in_sight(open_page: OpenPage, bob: User, label: Party) -> None:
    page = open_page("phone", user=bob)
    page.goto("/studio/harbour/money/")
    for tab in page.locator(":is(.side, .tabs) a").all():
        expect(tab).to_be_in_viewport(ratio=1)


def test_the_chart_of_a_phone_shows_its_newest_day(open_page: OpenPage, bob: User, paid: Payee) -> None:
    page = open_page("phone", user=bob)
    page.goto("/studio/harbour/money/")
    newest = page.locator(".chart svg:visible rect").last
    page.locator(".chart figcaption").scroll_into_view_if_needed()  # down, and not sideways
    expect(newest).to_be_in_viewport(ratio=1)
    assert page.locator(".chart svg:visible").count() == 1
