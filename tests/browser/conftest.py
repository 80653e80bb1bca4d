"""A real Chromium before the live shop. Where there is none, these tests skip and say so."""

import os
import shutil
import wave
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from store.models import User
from tests.browser.look import SIZES
from tests.factories.store import sign_in

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
also_allowed: list[str] = []  # origins a test itself brought up
also_said: list[str] = []  # what a browser may complain of, where a test breaks something


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="module")  # not longer: Playwright's loop changes what Django takes for the current connection
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; install Debian's package chromium, or set CHROMIUM to its path")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread; Django only sees that
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*sandbox, "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(chromium: Browser, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """Opens a page at a size and in a scheme; afterwards holds that it asked no other host and had no complaint."""
    contexts: list[BrowserContext] = []
    foreign: list[str] = []
    complaints: list[str] = []

    def watch(page: Page) -> None:
        own = urlsplit(live_server.url).netloc
        page.on("request", lambda request: _note_foreign(request.url, own, foreign))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def open_(size: str = "desktop", *, scheme: str = "light", user: User | None = None, script: bool = True) -> Page:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale="de-DE",
            base_url=live_server.url,
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        contexts.append(context)
        if user is not None:
            client = sign_in(user)
            context.add_cookies(
                [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
            )
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    foreign = [url for url in foreign if not url.startswith(tuple(also_allowed))]
    also_allowed.clear()
    complaints = [said for said in complaints if not any(words in said for words in also_said)]
    also_said.clear()
    assert foreign == []
    assert complaints == []


def _note_foreign(url: str, own: str, foreign: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != own:
        foreign.append(url)


@pytest.fixture(scope="session")
def passage() -> bytes:
    """Half a minute of quiet sound that any browser plays."""
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(
            b"".join((200 if n // 20 % 2 else -200).to_bytes(2, "little", signed=True) for n in range(240_000))
        )
    return out.getvalue()
