"""The upload page in a real browser: it tells the truth, can be stopped, and goes on where it was."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.conf import LazySettings
from playwright.sync_api import Page, Request, Route, expect

from catalog.models import Party
from store import access
from store.models import User
from tests.browser.conftest import also_said
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

    def is_second(request: Request) -> bool:
        return request.method == "PATCH" and request.headers["upload-offset"] != "0"

    def hold_the_second(route: Route) -> None:
        if not is_second(route.request):
            route.continue_()

    page.route("**/uploads/*/", hold_the_second)
    with page.expect_request(is_second, timeout=SLOW):  # so the first is here: what was sent may not have come
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


# -- What is dropped ---------------------------------------------------------------------------------------------------


def drag(page: Page, where: str, paths: Sequence[Path], *, drop: bool = True) -> None:
    """Files from the desktop over a part of the page, by the browser's own protocol: a script can only feign them."""
    box = page.locator(where).bounding_box()
    assert box
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 24}
    files = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", *(["drop"] if drop else [])):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": files})


def test_files_and_folders_are_dropped_where_they_are_wanted(
    open_page: OpenPage, bob: User, file: Make, tmp_path: Path
) -> None:
    """A folder keeps the paths of what it holds: discs and covers are told by them."""
    (tmp_path / "Album" / "CD 1").mkdir(parents=True)
    paths = [file(name, 20_000) for name in ("loose.flac", "Album/CD 1/01 Tide.flac", "Album/cover.jpg")]
    file("Album/.DS_Store", 6)
    page = open_page(user=bob)
    page.goto(DELIVER)
    drag(page, "[data-drop]", [paths[0], tmp_path / "Album"])
    expect(page.locator("[data-said]")).to_have_text("3 files here.", timeout=SLOW)
    named = {str(path.relative_to(tmp_path)) for path in paths}
    assert set(page.locator("[data-path]").all_inner_texts()) == named
    assert set(Arrival.objects.values_list("path", flat=True)) == named


def test_the_zone_shows_that_it_takes_what_hovers_over_it(open_page: OpenPage, bob: User, file: Make) -> None:
    page = open_page(user=bob)
    page.goto(DELIVER)
    drag(page, "[data-drop]", [file("a.flac", 10)], drop=False)
    zone = page.locator("[data-drop]")
    expect(zone).to_have_class("drop over")
    drag(page, "h1", [file("a.flac", 10)], drop=False)
    expect(zone).to_have_class("drop")


# -- What failed -------------------------------------------------------------------------------------------------------


def test_what_the_shop_refused_is_tried_again_at_a_press(
    open_page: OpenPage, bob: User, file: Make, settings: LazySettings
) -> None:
    """As the page was opened there was room; then there was none; then somebody made some."""
    page = open_page(user=bob)
    page.goto(DELIVER)
    also_said.append("413")
    settings.UPLOAD_QUOTA_BYTES = 100_000
    page.get_by_label("Files", exact=True).set_input_files([file("large.flac", 200_000), file("small.flac", 50_000)])
    row = page.locator("[data-file]").filter(has_text="large.flac")
    expect(row).to_contain_text("At most 100 kB may be on their way", timeout=SLOW)
    expect(page.locator("[data-file]").filter(has_text="small.flac")).to_contain_text("Here", timeout=SLOW)
    again = page.get_by_role("button", name="Try again: large.flac")
    expect(page.get_by_role("button", name="Try again: small.flac")).to_have_count(0)
    again.click()
    expect(row).to_contain_text("50 kB are. Hand in what is here", timeout=SLOW)
    settings.UPLOAD_QUOTA_BYTES = 1_000_000
    again.press("Enter")
    expect(page.locator("[data-said]")).to_have_text("2 files here.", timeout=SLOW)
    expect(again).to_be_hidden()
    assert set(Arrival.objects.values_list("path", "state")) == {("large.flac", "WHOLE"), ("small.flac", "WHOLE")}


def test_a_line_that_stays_broken_stops_a_file_and_a_press_goes_on_where_it_was(
    open_page: OpenPage, bob: User, file: Make
) -> None:
    """Ten tries in five minutes, which pass here in a moment."""
    page = open_page(user=bob)
    page.clock.install()
    page.goto(DELIVER)
    also_said.append("ERR_FAILED")

    def break_the_second(route: Route) -> None:
        if route.request.method == "PATCH" and route.request.headers["upload-offset"] != "0":
            route.abort()
        else:
            route.continue_()

    page.route("**/uploads/*/", break_the_second)
    page.get_by_label("Files", exact=True).set_input_files([file("long.flac", PIECE + 10_000)])
    row = page.locator("[data-file]")
    tries = 0
    while row.get_attribute("data-file") != "halted":
        expect(row.locator("[data-words]")).to_contain_text("The connection broke.", timeout=SLOW)
        tries += 1
        assert tries < 20
        page.clock.run_for(60_000)
        expect(row).not_to_have_attribute("data-file", "sending")
    expect(row).to_contain_text("Stopped")
    page.unroute_all(behavior="ignoreErrors")
    pieces = watch(page)
    page.get_by_role("button", name="Try again: long.flac").click()
    expect(page.locator("[data-said]")).to_have_text("1 file here.", timeout=SLOW)
    assert [one.headers["upload-offset"] for one in pieces] == [str(PIECE)]
