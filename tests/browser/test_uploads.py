"""The upload page in a real browser: it tells the truth, can be stopped, and goes on where it was."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, Request, Route, expect

from catalog.models import Party
from store import access
from store.models import User
from tests.browser.look import faults
from tests.factories import catalog
from tests.factories.store import make_user
from transcoding.models import Arrival

OpenPage = Callable[..., Page]
Make = Callable[[str, int], Path]
PIECE = 8 * 1024 * 1024
DELIVER = "/studio/bobs/deliver/"
SLOW = 60_000  # milliseconds; megabytes go through a server that shares a busy machine


@pytest.fixture
def bob(transactional_db: None, tmp_path: Path, settings: LazySettings) -> User:
    settings.AUDIO_ROOT = tmp_path / "audio"
    label: Party = catalog.make_label("Bob's Records", slug="bobs")
    access.join(bob := make_user("Bob"), label, role="OWNER")
    return bob


@pytest.fixture
def file(tmp_path: Path) -> Make:
    """Makes a file to choose, of any bytes."""

    def make(name: str, length: int) -> Path:
        path = tmp_path / name
        path.write_bytes(random.Random(name).randbytes(length))
        return path

    return make


def watch(page: Page) -> list[Request]:
    """The pieces that leave the page."""
    sent: list[Request] = []
    page.on("request", lambda asked: sent.append(asked) if asked.method == "PATCH" else None)
    return sent


def test_an_upload_stops_and_goes_on_after_a_reload_where_it_was(open_page: OpenPage, bob: User, file: Make) -> None:
    page = open_page(user=bob)
    page.on("dialog", lambda asked: asked.accept())  # whether to leave while files are on their way
    page.goto(DELIVER)
    song = file("01 Tide.flac", PIECE + 1_000_000)

    def hold_the_second(route: Route) -> None:
        if route.request.method != "PATCH" or route.request.headers["upload-offset"] == "0":
            route.continue_()

    page.route("**/uploads/*/", hold_the_second)
    page.get_by_label("Files", exact=True).set_input_files([song])
    row = page.get_by_role("listitem").filter(has_text="01 Tide.flac")
    expect(row).to_contain_text("89 %, 9.4 MB", timeout=SLOW)
    status = page.locator("[data-said]")
    expect(status).to_have_text("1 file on the way, 75 % here.")
    page.get_by_role("button", name="Pause").press("Enter")
    expect(status).to_have_text("Paused.")
    expect(row).to_contain_text("Paused")
    expect(page.locator("[data-chosen]")).to_contain_text("8.4 MB of 9.4 MB here · paused")
    page.unroute_all(behavior="ignoreErrors")

    page.reload()
    expect(row).to_contain_text("89 %")
    expect(page.get_by_text("9.4 MB of 1,000 GB used")).to_be_visible()
    pieces = watch(page)
    page.get_by_label("Files", exact=True).set_input_files([song])
    expect(status).to_have_text("1 file here.", timeout=SLOW)
    assert [one.headers["upload-offset"] for one in pieces] == [str(PIECE)]
    assert Arrival.objects.get().state == Arrival.State.WHOLE
    page.get_by_role("button", name="Deliver").click()
    expect(page.get_by_text("wait to be read")).to_be_visible()


def test_a_pause_ends_where_it_began(open_page: OpenPage, bob: User, file: Make) -> None:
    page = open_page(user=bob)
    page.goto(DELIVER)
    page.route("**/uploads/*/", lambda route: None if route.request.method == "PATCH" else route.continue_())
    page.get_by_label("Files", exact=True).set_input_files([file("a.flac", 300_000), file("b.flac", 200_000)])
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("listitem").filter(has_text="Paused")).to_have_count(2)
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("[data-said]")).to_have_text("2 files here.", timeout=SLOW)


def test_what_does_not_fit_is_said_before_a_byte_of_it_is_sent(
    open_page: OpenPage, bob: User, file: Make, settings: LazySettings
) -> None:
    settings.MASTER_MAX_BYTES, settings.UPLOAD_QUOTA_BYTES = 1_000_000, 1_500_000
    page = open_page(user=bob)
    page.goto(DELIVER)
    asked = watch(page)
    page.get_by_label("Files", exact=True).set_input_files(
        [file("large.flac", 1_000_001), file("a.flac", 900_000), file("b.flac", 900_000), file(".DS_Store", 5)]
    )
    rows = page.locator("[data-file]")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="large.flac")).to_contain_text("Larger than 1 MB, the most a file may have.")
    expect(rows.filter(has_text="b.flac")).to_contain_text("It has 900 kB, and there is room for 600 kB.")
    expect(rows.filter(has_text="a.flac")).to_contain_text("Here", timeout=SLOW)
    expect(page.locator("[data-chosen]")).to_have_text("2 of 3 files need you, see below · 900 kB of 900 kB here.")
    assert Arrival.objects.get().path == "a.flac"
    assert len(asked) == 1
    assert not faults(page, fits=["phone", "desktop"])

    page.get_by_role("button", name="Remove large.flac").press("Enter")
    expect(page.get_by_role("button", name="Remove a.flac")).to_be_focused()
    page.get_by_role("button", name="Remove b.flac").click()
    page.get_by_role("button", name="Remove a.flac").click()
    expect(rows).to_have_count(0)
    expect(page.get_by_label("Files", exact=True)).to_be_focused()
