"""A code on the basket, as a shopper uses it."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import Release
from store import codes
from store.codes import Bearer, Terms
from store.models import Code, Order, User
from store.views import basket as basket_views
from store.views import checkout as views
from tests.factories import shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def release() -> Release:
    return shelf.shelve(price_minor=250)  # two tracks, 4.00 as a whole


def make(release: Release, text: str = "SPRING", percent: int = 25, **terms: Any) -> Code:
    said = Terms(percent, None, timezone.now(), **terms)
    return codes.make(said, label=release.label, bearer=Bearer.LABEL, actor="x", at=timezone.now(), text=text)[0]


def use(client: Client, text: str) -> str:
    return str(client.post("/basket/code", {"code": text}, follow=True).content.decode())


@pytest.fixture
def filled(at_alices: Client, release: Release) -> Client:
    at_alices.post("/basket/add", {"offer": shelf.whole(release).public_id})
    return at_alices


def test_a_code_lowers_the_sum_before_ones_eyes(filled: Client, release: Release) -> None:
    make(release)
    page = use(filled, "spring")
    assert "Taken off by SPRING" in page
    assert "€1.00" in page
    assert "€3.00" in page
    assert "Pay €3.00" in filled.get("/checkout").content.decode()


def test_the_order_keeps_what_the_page_showed(
    filled: Client, alice: User, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "start_payment", lambda _order, **_said: "https://checkout.stripe.com/c/pay/1")
    make(release)
    use(filled, "SPRING")
    page = filled.get("/checkout")
    sent = {**page.context["form"].initial, "seen": page.context["seen"], "consent": "on"}
    assert filled.post("/checkout", sent).status_code == 302
    assert Order.objects.get(buyer=alice).total_minor == 300


@pytest.mark.parametrize("text", ["", "NOPE", "x" * 200, "<script>"])
def test_an_unknown_code_is_refused_and_the_basket_stays(filled: Client, text: str) -> None:
    assert "We know no such code" in use(filled, text)
    assert filled.get("/basket").context["total_minor"] == 400


def test_a_code_for_other_music_says_so(filled: Client) -> None:
    make(shelf.shelve("Harbour"))
    assert "for other music than is in your basket" in use(filled, "SPRING")


def test_a_code_that_was_used_up_meanwhile_is_said_and_nothing_is_ordered(filled: Client, release: Release) -> None:
    code = make(release, max_uses=1)
    use(filled, "SPRING")
    page = filled.get("/checkout")
    Code.objects.filter(pk=code.pk).update(used=1)
    sent = {**page.context["form"].initial, "seen": page.context["seen"], "consent": "on"}
    answer = filled.post("/checkout", sent)
    assert answer.status_code == 422
    assert "nothing was ordered" in answer.content.decode()
    assert "Pay €4.00" in answer.content.decode()
    assert not Order.objects.exists()


def test_a_code_is_taken_off_again(filled: Client, release: Release) -> None:
    make(release)
    use(filled, "SPRING")
    filled.post("/basket/code", {"forget": "yes"})
    assert filled.get("/basket").context["total_minor"] == 400


def test_whoever_tries_many_codes_has_to_wait(
    filled: Client, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(basket_views, "TRIES", 3)
    make(release)
    for _ in range(3):
        filled.post("/basket/code", {"code": "NOPE"}, REMOTE_ADDR="203.0.113.9")
    page = filled.post("/basket/code", {"code": "SPRING"}, follow=True, REMOTE_ADDR="203.0.113.9")
    assert "Too many codes" in page.content.decode()
    assert filled.get("/basket").context["total_minor"] == 400
