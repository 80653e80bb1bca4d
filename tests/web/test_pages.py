"""Every page: it answers, it keeps the strict policy, and it contacts nobody else."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as RedisDown

from store.models import User
from tests.factories import shelf

pytestmark = pytest.mark.django_db
STATIC = Path(settings.BASE_DIR) / "store" / "static"
OPEN = ["/", "/browse", "/search", "/search?q=light", "/basket", "/about", "/formats", "/terms", "/privacy"]
SIGNED_OUT = ["/account/login/", "/account/signup/", "/account/password/reset/"]
SIGNED_IN = ["/account/", "/orders/", "/library/", "/account/email/", "/account/password/change/", "/account/2fa/"]


@pytest.mark.parametrize("path", [*OPEN, *SIGNED_OUT])
def test_a_visitor_may_read_it(visitor: Client, path: str) -> None:
    assert visitor.get(path).status_code == 200


def test_the_country_one_buys_from_is_the_chosen_one(visitor: Client) -> None:
    def chosen() -> list[str]:
        return re.findall(r'<option value="([A-Z]{2})" selected>', visitor.get("/about").content.decode())

    visitor.post("/country", {"country": "FR", "next": "/about"})
    assert chosen() == ["FR"]
    visitor.post("/country", {"country": "CI", "next": "/about"})
    assert chosen() == ["CI"]


@pytest.mark.parametrize("path", SIGNED_IN)
def test_ones_own_pages_ask_who_one_is(visitor: Client, at_alices: Client, path: str) -> None:
    assert visitor.get(path)["Location"].startswith("/account/login/")
    assert at_alices.get(path).status_code == 200


@pytest.fixture(scope="module")
def read() -> list[str]:
    """The pages as the first test here read them, for those that only look at the same text."""
    return []


@pytest.fixture
def pages(read: list[str], visitor: Client, at_alices: Client, alice: User) -> list[str]:
    """The text of a page of each kind, with something on it."""
    if not read:
        read += _pages(visitor, at_alices, alice)
    return read


def _pages(visitor: Client, at_alices: Client, alice: User) -> list[str]:
    release = shelf.shelve("First Light", refused=1, tracks=3)
    order = shelf.sell(shelf.single(release), buyer=alice)
    certificate = order.lines.get().certificate
    at_alices.post("/basket/add", {"offer": shelf.whole(shelf.shelve("Harbour")).public_id})
    shown = [visitor.get(path) for path in [*OPEN, *SIGNED_OUT, f"/release/{release.slug}", "/nowhere"]]
    mine = [f"/orders/{order.public_id}", f"/certificates/{certificate.public_id}", "/basket", "/checkout", *SIGNED_IN]
    return [page.content.decode() for page in [*shown, *(at_alices.get(path) for path in mine)]]


def test_nothing_stands_inline(pages: list[str]) -> None:
    for text in pages:
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text)
        for script in re.findall(r"<script[^>]*>", text):
            assert "src=" in script or 'type="application/json"' in script


def test_every_page_has_one_heading_a_language_and_landmarks(pages: list[str]) -> None:
    for text in pages:
        assert text.count("<h1") == 1
        for mark in ('<html lang="en">', '<main id="main"', "<header", "<footer", 'class="skip"'):
            assert mark in text


def test_no_other_host_is_contacted(pages: list[str]) -> None:
    for text in pages:
        assert not re.search(r'(?:src|srcset|data-cover)="(?:https?:)?//', text)
        assert not re.search(r'<link[^>]+href="(?:https?:)?//', text)


def test_the_policy_allows_nothing_inline(visitor: Client) -> None:
    policy = visitor.get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_page_that_is_not_there_leads_on(visitor: Client) -> None:
    answer = visitor.get("/nowhere")
    assert answer.status_code == 404
    assert "This page is not here" in answer.content.decode()


def test_formats_lists_what_this_shop_makes(visitor: Client) -> None:
    rows = {row["label"]: row for row in visitor.get("/formats").context["formats"]}
    assert rows["WAV"]["hour"] == 44_100 * 4 * 3600 + 44
    assert rows["FLAC"]["made"] == "ahead of every sale"
    assert not any("preview" in label for label in rows)


def test_well_means_database_and_redis_answer(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert visitor.get("/healthz").json() == {"ok": True, "database": "ok", "redis": "ok"}

    def down(*args: object) -> None:
        raise RedisDown

    monkeypatch.setattr(cache, "get", down)
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.json()["redis"]) == (503, "unreachable")


def _loaded(text: str) -> set[Path]:
    """The scripts of ours that a template names, and what they import in turn."""
    found = {STATIC / "js" / name for name in re.findall(r"js/(\w+\.js)", text)}
    return found | {inner for one in found for inner in _imported(one)}


def _imported(script: Path) -> set[Path]:
    return {script.with_name(name) for name in re.findall(r'from "\./(\w+\.js)"', script.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("area", ["shop", "studio", "review", "ops"])
def test_no_page_loads_many_scripts_of_ours(area: str) -> None:
    templates = STATIC.parent / "templates"
    texts = [templates / "base.html", *(templates / area).rglob("*.html")]
    loaded = set().union(*(_loaded(path.read_text(encoding="utf-8")) for path in texts))
    most = 30_000 if area in {"studio", "review"} else 15_000
    assert 0 < sum(path.stat().st_size for path in loaded) <= most


def test_a_profile_keeps_the_country_one_buys_from(at_alices: Client, alice: User) -> None:
    at_alices.post("/account/", {"name": "Alice", "country": "AT"})
    alice.refresh_from_db()
    assert alice.country == "AT"
    assert at_alices.get("/basket").context["country"] == "AT"
