"""A label replaces the cover of a release in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from catalog import artwork
from catalog.models import Release
from store import access
from store.models import User
from tests.browser import look
from tests.browser.conftest import also_said
from tests.factories import catalog
from tests.factories.store import make_user
from tests.studio.test_covers import picture

OpenPage = Callable[..., Page]


@pytest.fixture
def release() -> Release:
    return catalog.make_release(label=catalog.make_label("Bob's Records", slug="bobs"), tracks=2)


@pytest.fixture
def bob(release: Release) -> User:
    user = make_user("Bob")
    access.join(user, release.label, role="OWNER")
    return user


def test_a_label_replaces_a_cover_and_sees_it(open_page: OpenPage, release: Release, bob: User) -> None:
    old = artwork.attach(release, picture(colour="black"))
    also_said.append("422")
    page = open_page("phone", user=bob)
    page.goto(f"/studio/bobs/releases/{release.public_id}/")
    for data, said in ((picture(1200, 600), "Crop it first"), (picture(), "The cover is replaced")):
        page.get_by_label("Picture").set_input_files({"name": "c.png", "mimeType": "image/png", "buffer": data})
        page.get_by_role("button", name="Replace it").click()
        expect(page.get_by_text(said)).to_be_visible()
    new = release.artworks.get().sha256
    assert new != old.sha256
    expect(page.locator(".thumb.large img")).to_have_attribute("src", f"/artwork/{new}-480.webp")
    assert look.faults(page, closely=["desktop"]) == []
