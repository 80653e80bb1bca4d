"""A label divides what it earns before a real browser, sees the next sale first, and a buyer sees who gets what."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Party
from payments.models import Payee
from store import access
from store.models import LetterOfDirection, User
from tests.browser import look
from tests.factories import catalog, shelf
from tests.factories.store import make_user

OpenPage = Callable[..., Page]


@pytest.fixture
def label(transactional_db: None) -> Party:
    return catalog.make_label("Harbour Records", slug="harbour")


@pytest.fixture
def bob(label: Party) -> User:
    user = make_user("Bob")
    access.join(user, label, role="OWNER")
    return user


def test_a_label_sees_the_next_sale_before_it_signs_a_split(open_page: OpenPage, label: Party, bob: User) -> None:
    release = shelf.shelve("First Light", label=label)
    page = open_page(user=bob)
    page.goto("/studio/harbour/money/splits/")
    for number, (name, part) in enumerate((("Ana Lind", "66.666667"), ("Ben Okafor", "33.333333"))):
        row = page.get_by_role("group", name=f"Payee {number + 1}")
        row.get_by_text("Somebody new").last.click()
        row.get_by_label("Name", exact=False).first.fill(name)
        row.get_by_label("E-mail").fill(f"{name.split()[0].lower()}@example.org")
        row.get_by_label("Country").fill("DE")
        row.get_by_label("Part").fill(part)
    page.get_by_label("Signed by").fill("Bob")
    page.get_by_role("button", name="Show the next sale").click()

    preview = page.get_by_role("region", name="The next sale")
    expect(preview).to_contain_text("Ana Lind")
    expect(preview).to_contain_text("Ben Okafor")
    assert not LetterOfDirection.objects.exists()
    assert look.faults(page) == []
    page.get_by_role("button", name="Sign the split").click()
    expect(page.get_by_text("The split is signed.")).to_be_visible()
    assert LetterOfDirection.objects.count() == 2
    assert look.faults(page) == []

    Payee.objects.filter(name="Ana Lind").update(named_in_public=True)
    page.goto(f"/release/{release.slug}")
    gets = page.get_by_role("region", name="Who gets what")
    expect(gets).to_contain_text("Ana Lind")
    expect(gets).to_contain_text("A payee of Harbour Records")
    expect(gets).not_to_contain_text("Ben Okafor")
    for path in ("/studio/harbour/money/advances/", "/studio/harbour/money/payees/"):
        page.goto(path)
        assert look.faults(page) == []

    order = shelf.sell(shelf.whole(release), buyer=bob, at=timezone.now())
    page.goto(f"/orders/{order.public_id}")
    got = page.get_by_role("region", name="Who got what")
    expect(got).to_contain_text("Ana Lind")
    expect(got).to_contain_text("What you paid")
    expect(got).not_to_contain_text("Ben Okafor")
    assert look.faults(page) == []
