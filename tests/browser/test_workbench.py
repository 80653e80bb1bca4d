"""The reviewer's desk as a reviewer works at it: hands on the keyboard, eyes on the case."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from licensing.models import Question, Review
from store.models import User
from tests import cleaning
from tests.browser import look
from tests.factories import desk as desks
from tests.factories.desk import Desk
from tests.factories.store import make_user

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The desk as it was laid out for the first test here, for those that follow."""
    return {}


@pytest.fixture
def desk(transactional_db: None, passage: bytes, kept: dict[str, Any]) -> Desk:
    if kept.get("rows"):
        cleaning.put(kept["rows"])
    else:
        kept["desk"] = desks.lay_out(sound=passage)
        kept["rows"] = cleaning.take()
    return kept["desk"]


@pytest.fixture
def rita(desk: Desk) -> User:
    return make_user("Rita", is_reviewer=True)


def _at(page: Page) -> str:
    """The record before her, once a key may decide it."""
    page.locator("[data-desk][data-ready]").wait_for()
    found = re.search(r"/records/([0-9a-f-]{36})/", page.url)
    return found.group(1) if found else ""


def _leaves(page: Page, record: str) -> None:
    page.wait_for_url(lambda url: record not in url)


def test_forty_mixed_cases_are_decided_by_keyboard_alone(open_page: OpenPage, desk: Desk, rita: User) -> None:
    odd = {str(grant.record_id) for grant in desk.grants if not grant.evidence.exists() or not grant.licence_url}
    odd -= {str(grant.record_id) for grant in desk.grants if grant.agreement or grant.basis == "CMO"}
    unasked = [str(desk.titled(title).record_id) for title in ("Kelp", "Slack", "Neap")]
    page = open_page(user=rita)
    page.goto("/review/")
    _at(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records/**")
    for _ in range(len(desk.grants) + len(unasked)):
        record = _at(page)
        if record in unasked:
            unasked.remove(record)
            page.keyboard.press("q")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Tab")
            page.keyboard.type(" Please tell us a reason to approve it.")  # each letter of which is a key outside
            page.keyboard.press("Control+Enter")
        elif record in odd:
            page.keyboard.press("r")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        else:
            page.keyboard.press("a")
        _leaves(page, record)
    assert not _at(page)  # back at the queue: nothing is left that she could decide
    reviews = {str(review.grant.record_id): review for review in Review.objects.select_related("grant")}
    assert len(reviews) == Review.objects.count() == 40
    assert {record for record, review in reviews.items() if review.outcome == "REFUSED"} == odd
    assert {review.reason for review in reviews.values() if review.outcome == "REFUSED"} == {
        "The evidence does not name a licence we know, with its version."
    }
    assert Question.objects.count() == 3
    assert all(question.text.endswith("a reason to approve it.") for question in Question.objects.all())


def test_keys_move_play_open_and_close(open_page: OpenPage, desk: Desk, rita: User) -> None:
    page = open_page(user=rita)
    page.goto(f"/review/records/{desk.titled('Tide').record_id}/?label=harbour")
    _at(page)
    play = page.get_by_role("button", name="Play or pause Tide")
    page.keyboard.press(" ")
    expect(play).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-strip-clock]")).not_to_have_text("0:00")
    page.keyboard.press(" ")
    expect(play).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    page.keyboard.press("a")  # not while the list of keys is open
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("e")
    expect(page.locator("[data-leaves]")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("form", name="Refuse the record")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("form", name="Refuse the record")).to_be_hidden()
    before = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != before)
    _at(page)
    page.keyboard.press("k")
    page.wait_for_url(before)
    page.keyboard.press("u")
    page.wait_for_url("**/review/?label=harbour")
    assert not Review.objects.exists()


def test_a_key_held_or_struck_twice_decides_one_case_only(open_page: OpenPage, desk: Desk, rita: User) -> None:
    page = open_page(user=rita)
    page.goto(f"/review/records/{desk.titled('Low Water').record_id}/")
    record = _at(page)
    page.keyboard.down("a")
    page.keyboard.down("a")  # as a held key repeats
    _leaves(page, record)
    page.keyboard.down("a")
    page.keyboard.up("a")
    _at(page)
    assert Review.objects.count() == 1


def test_single_keys_can_be_switched_off(open_page: OpenPage, desk: Desk, rita: User) -> None:
    page = open_page(user=rita)
    page.goto(f"/review/records/{desk.titled('Low Water').record_id}/")
    _at(page)
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox", name="Single keys act").uncheck()
    page.keyboard.press("Escape")
    before = page.url
    for key in ("a", "j", "r"):
        page.keyboard.press(key)
    page.reload()
    _at(page)
    page.keyboard.press("a")
    page.get_by_role("button", name="Approve").click()  # the button still does
    _leaves(page, before)
    assert Review.objects.count() == 1


def test_without_scripts_the_desk_still_works(open_page: OpenPage, desk: Desk, rita: User) -> None:
    page = open_page(user=rita, script=False)
    page.goto("/review/")
    page.get_by_role("link", name="Begin").click()
    expect(page.locator("audio").first).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(re.compile("is approved"))).to_be_visible()
    assert Review.objects.count() == 1


def test_no_page_of_the_desk_has_a_barrier_or_is_wider_than_its_window(
    open_page: OpenPage, desk: Desk, rita: User
) -> None:
    page, found = open_page(user=rita), {}
    for title, path in _pages(desk).items():
        page.goto(path)
        page.locator("[data-desk][data-ready]").wait_for()
        found[title] = look.faults(page)
        for key in ("r", "q", "b") if "/records/" in path else ():
            page.keyboard.press("Escape")
            page.keyboard.press(key)
            found[f"{title}, {key}"] = look.faults(page, fits=())
    assert {title: faults for title, faults in found.items() if faults} == {}


def _pages(desk: Desk) -> dict[str, str]:
    society = desk.titled("The Ferryman's Account", "WORK")
    return {
        "queue": "/review/",
        "an agreement": f"/review/records/{desk.titled('Tide').record_id}/",
        "a society": f"/review/records/{society.record_id}/",
        "decided": "/review/decided/",
        "saved words": "/review/words/",
    }
