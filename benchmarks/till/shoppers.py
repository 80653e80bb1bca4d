"""Shoppers at a shop's door, in a process of their own: `python -m benchmarks.till.shoppers` reads what to do from its
standard input and writes what became of it, both as JSON.

Each does over HTTP what a browser does: looks at a release, puts a track into the basket, looks at it, checks out, pays
on the sandbox's page, comes back, and fetches a file. They come at a steady rate, whether or not the shop keeps up;
with no rate, each comes again as soon as it is done.
"""

import http.client
import json
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

PATIENCE = 60.0  # seconds until a paid order must be there
LOOK_AGAIN = 0.25
STAY_AWAY = 4  # one in so many closes the page after paying
TIMEOUT = 60.0
SAID = 300
CSRF = "a" * 32  # of its own choice, as a cookie and in each form
COUNTRY = "DE"
Answer = tuple[int, str, bytes]


class ShopFailed(RuntimeError):
    """A page did not answer as a shopper may expect."""


@dataclass
class Log:
    """What all shoppers of this process have seen: seconds by step, and what went wrong."""

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: list[str] = field(default_factory=list)
    done_at: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.steps[step].append(time.monotonic() - begun)


class Browser:
    """One connection to the shop, kept open, with somebody signed in."""

    def __init__(self, site: str) -> None:
        self._host = urlsplit(site).netloc
        self._shop = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
        self.session = ""

    def leave(self) -> None:
        self._shop.close()

    def get(self, path: str) -> Answer:
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> Answer:
        return self._ask("POST", path, urlencode({"csrfmiddlewaretoken": CSRF, **fields}))

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        headers = {"Cookie": f"sessionid={self.session}; csrftoken={CSRF}", "Accept-Language": f"de-{COUNTRY}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return _answer(self._shop, method, path, body, headers)


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None, headers: dict[str, str]
) -> Answer:
    connection.request(method, path, body, headers)
    with connection.getresponse() as answer:
        content = answer.read()
        return answer.status, answer.headers.get("Location", ""), content


def elsewhere(method: str, url: str, **fields: str) -> Answer:
    """A page of the sandbox, on a connection of its own: it keeps none open."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return _answer(connection, method, parts.path, urlencode(fields) if fields else None, headers)
    finally:
        connection.close()


def buy(browser: Browser, goods: Mapping[str, str], log: Log, *, comes_back: bool) -> None:
    """From the release's page to the first file's bytes. Who does not come back from the payment page looks at her
    orders instead, and has only the webhook to thank."""
    with log.timed("release page"):
        _ok(browser.get(f"/release/{goods['slug']}"))
    with log.timed("put into the basket"):
        _ok(browser.get(_away(browser.post("/basket/add", offer=goods["offer"]))))
    with log.timed("checkout page"):
        page = _ok(browser.get("/checkout"))
    with log.timed("order"):
        asked = {name: _found(page, rf'name="{name}" value="([^"]+)') for name in ("request_key", "seen")}
        pay_page = _away(browser.post("/checkout", country=COUNTRY, consent="on", **asked))
    with log.timed("payment page"):
        _ok(elsewhere("GET", pay_page))
        back = _away(elsewhere("POST", pay_page, action="pay"))
    paid = time.monotonic()
    landing = urlsplit(back).path
    with log.timed("landing page" if comes_back else "webhook alone"):
        order = _away(browser.get(landing)) if comes_back else f"/orders/{landing.split('/')[2]}"
        page = _until_there(browser, order)
    with log.timed("file"):
        _fetch(browser, page)
    log.steps["paid to downloaded"].append(time.monotonic() - paid)
    log.done_at.append(time.time())


def _until_there(browser: Browser, order: str) -> bytes:
    """The order's page as soon as it offers a file."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        page = _ok(browser.get(order))
        if b'action="/download"' in page:
            return page
        time.sleep(LOOK_AGAIN)
    raise ShopFailed(f"{order} was paid, and offers no file after {PATIENCE:.0f} s")


def _fetch(browser: Browser, page: bytes) -> None:
    form = _found(page, r'(<form[^>]*action="/download".*?</form>)')
    fields = dict(re.findall(r'name="(line|format|track)" value="([^"]*)"', form))
    if not _ok(browser.get(_away(browser.post("/download", **fields)))):
        raise ShopFailed("A file without bytes.")


def _ok(answer: Answer) -> bytes:
    if answer[0] != http.client.OK:
        raise ShopFailed(f"{answer[0]} {answer[1]} {answer[2][:SAID]!r}")
    return answer[2]


def _away(answer: Answer) -> str:
    """Where a page sends on to."""
    if answer[0] not in {http.client.FOUND, http.client.SEE_OTHER}:
        said = re.findall(rb'class="[^"]*(?:refused|error)[^"]*".{0,200}', answer[2], re.DOTALL)
        raise ShopFailed(f"{answer[0]}, where one is sent on: {(said or [answer[2]])[0][:SAID]!r}")
    return answer[1]


def _found(page: bytes, pattern: str) -> str:
    match = re.search(pattern, page.decode(), re.DOTALL)
    if match is None:
        raise ShopFailed(f"There is no {pattern} on a page.")
    return match[1]


def crowd(
    site: str, sessions: Sequence[str], goods: Sequence[Mapping[str, str]], *, rate: float, seconds: float, at_once: int
) -> Log:
    """`rate` shoppers a second for some seconds, at most `at_once` of them at a time; each session is one person."""
    log, lock, begun = Log(), threading.Lock(), time.monotonic() + 0.5
    free, turn = list(sessions), iter(range(10**9))

    def shop() -> None:
        while True:
            browser = Browser(site)  # each comes anew: what was open long is closed by the shop
            with lock:
                number = next(turn)
                due = begun + number / rate if rate else time.monotonic()
                if due > begun + seconds or not free:
                    return
                browser.session = free.pop(0)
            time.sleep(max(due - time.monotonic(), 0))
            log.steps["late"].append(max(time.monotonic() - due, 0))
            try:
                buy(browser, goods[number % len(goods)], log, comes_back=number % STAY_AWAY > 0)
            except (ShopFailed, OSError, http.client.HTTPException) as error:
                log.failures.append(f"{type(error).__name__}: {error}"[:SAID])
            browser.leave()
            with lock:
                free.append(browser.session)

    _side_by_side(shop, at_once)
    return log


def _side_by_side(act: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=act) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    log = crowd(**asked)
    json.dump({"steps": log.steps, "failures": log.failures, "done_at": log.done_at}, sys.stdout)


if __name__ == "__main__":
    main()
