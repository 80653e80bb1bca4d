"""The certificate's seal, in a real browser: it judges for itself, and says honestly what it could not judge."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from licensing import audit
from payments import chain
from store import proofs
from store.models import Certificate, User
from tests.browser import look
from tests.factories import shelf
from tests.factories.store import make_user

OpenPage = Callable[..., Page]


@pytest.fixture
def alice() -> User:
    return make_user("Alice", country="DE")


@pytest.fixture
def certificate(alice: User) -> Certificate:
    return shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice).lines.get().certificate


def changed(before: str, after: str) -> Callable[[Route], None]:
    """Answers with what the shop says, one thing in it changed on the way."""

    def answer(route: Route) -> None:
        said = route.fetch().text()
        assert before in said
        route.fulfill(body=said.replace(before, after), content_type="application/json")

    return answer


def seal(page: Page, certificate: Certificate) -> str:
    page.goto(f"/certificates/{certificate.public_id}")
    said = page.locator(".seal [data-said]")
    expect(said).not_to_have_text("The shop has checked it; your browser has not yet")
    return said.inner_text()


def test_the_browser_checks_hash_signature_and_what_is_shown(open_page: OpenPage, certificate: Certificate) -> None:
    page = open_page()
    assert seal(page, certificate) == "Verified here, by your browser"
    lines = page.locator(".seal [data-lines] li").all_inner_texts()
    assert re.search(r"says the \d\d facts marked", lines[0])
    assert certificate.key.key in lines[1].replace(" ", "")
    expect(page.locator(".seal")).to_have_class("seal verified")


def test_it_checks_after_a_link_was_followed_too(open_page: OpenPage, certificate: Certificate) -> None:
    page = open_page()
    page.goto("/proof/keys")
    page.evaluate("address => htmx.ajax('GET', address, {target: '#page', select: '#page', swap: 'outerHTML'})",
                  f"/certificates/{certificate.public_id}")  # fmt: skip
    expect(page.locator(".seal [data-said]")).to_have_text("Verified here, by your browser")


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("**/certificates/*.json", ('"territory":"DE"', '"territory":"FR"'), "does not have the hash it names"),
        (
            "**/certificates/*.json",
            ('"signature":"', '"signature":"AAAA'),
            "The signature is not that of this document",
        ),
        ("**/proof/keys.json", ('"public":"', '"public":"AAAA'), "The signature is not that of this document"),
    ],
)
def test_what_was_changed_on_the_way_breaks_the_seal(
    open_page: OpenPage, certificate: Certificate, file: str, change: tuple[str, str], said: str
) -> None:
    page = open_page()
    page.route(file, changed(*change))
    assert said in seal(page, certificate)
    expect(page.locator(".seal")).to_have_class("seal broken")


def test_a_page_that_shows_something_else_than_was_signed_breaks_the_seal(
    open_page: OpenPage, certificate: Certificate
) -> None:
    page = open_page()
    page.route(
        f"**/certificates/{certificate.public_id}",
        lambda route: route.fulfill(
            body=route.fetch().text().replace("Ana Lind</p>", "Mallory</p>"), content_type="text/html"
        ),
    )
    assert seal(page, certificate) == "This page shows something else than the document says"
    assert page.locator(".seal [data-lines] li").all_inner_texts() == ["Mallory"]


def test_a_browser_without_ed25519_says_so_and_stays_grey(open_page: OpenPage, certificate: Certificate) -> None:
    page = open_page()
    page.add_init_script(
        "SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))"
    )
    assert seal(page, certificate) == "The hash was verified by your browser, the signature was not"
    expect(page.locator(".seal")).to_have_class("seal")


def test_a_browser_that_may_not_compute_hashes_says_so(open_page: OpenPage, certificate: Certificate) -> None:
    page = open_page()
    page.add_init_script("Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined})")
    assert "only on https pages" in seal(page, certificate)
    expect(page.locator(".seal")).to_have_class("seal")


def test_pages_of_proof_fit_and_are_accessible(open_page: OpenPage, certificate: Certificate) -> None:
    chain.seal_new(at=shelf.NOW)
    audit.seal_new(at=shelf.NOW)
    proofs.sign_head(at=shelf.NOW)
    page, found = open_page("wide"), {}
    for address in (f"/certificates/{certificate.public_id}", "/proof/heads", "/proof/keys"):
        page.goto(address)
        found[address] = look.faults(page, fits=("phone", "wide"), closely=("phone",))
    assert {address: faults for address, faults in found.items() if faults} == {}
