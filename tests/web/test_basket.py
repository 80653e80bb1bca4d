"""The basket: gathered by a visitor, kept through signing in, priced for one's country."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from store.models import User
from tests.factories import shelf

pytestmark = pytest.mark.django_db


def put(client: Client, offer: Any) -> Any:
    return client.post("/basket/add", {"offer": offer.public_id})


def test_a_basket_holds_music_of_several_labels(visitor: Client) -> None:
    put(visitor, shelf.whole(shelf.shelve("First Light")))
    put(visitor, shelf.single(shelf.shelve("Harbour")))
    page = visitor.get("/basket")
    assert [line.title for line in page.context["lines"]] == ["First Light", "Harbour, part 1"]
    assert page.context["labels"] == 2
    assert page.context["total_minor"] == 160 + 100


def test_each_line_shows_its_licence_and_who_gets_what(visitor: Client) -> None:
    put(visitor, shelf.whole(shelf.shelve()))
    (line,) = visitor.get("/basket").context["lines"]
    assert line.licence == "CC BY-SA 4.0"
    assert sum(part.minor for part in line.split) == line.amount_minor


def test_taking_out_takes_out(visitor: Client) -> None:
    offer = shelf.whole(shelf.shelve())
    put(visitor, offer)
    visitor.post("/basket/remove", {"offer": offer.public_id})
    assert "Nothing in it yet" in visitor.get("/basket").content.decode()


def test_what_was_gathered_survives_signing_in(visitor: Client, alice: User) -> None:
    put(visitor, shelf.whole(shelf.shelve("First Light")))
    visitor.post("/account/login/", {"login": alice.email, "password": "correct horse battery"})
    assert [line.title for line in visitor.get("/basket").context["lines"]] == ["First Light"]
    assert alice.basket.lines.count() == 1


def test_what_is_not_cleared_here_is_named_and_not_summed(visitor: Client) -> None:
    put(visitor, shelf.whole(shelf.shelve("First Light", countries=["DE"])))
    visitor.post("/country", {"country": "FR"})
    page = visitor.get("/basket").context
    assert [(line.title, line.why) for line in page["gone"]] == [("First Light", "Not sold in France")]
    assert page["total_minor"] == 0


@pytest.mark.parametrize("offer", ["", "x", "7f71e39f-d34e-43b6-b114-79149b7b1d34"])
def test_an_unknown_offer_is_not_found(visitor: Client, offer: str) -> None:
    assert visitor.post("/basket/add", {"offer": offer}).status_code == 404


def test_more_lines_cost_no_more_queries(
    visitor: Client, django_assert_max_num_queries: Callable[..., Any], django_assert_num_queries: Callable[..., Any]
) -> None:
    put(visitor, shelf.whole(shelf.shelve()))
    put(visitor, shelf.single(shelf.shelve()))
    visitor.get("/basket")
    with django_assert_max_num_queries(30) as few:
        visitor.get("/basket")
    asked = len(few)
    for _ in range(3):
        put(visitor, shelf.whole(shelf.shelve()))
        put(visitor, shelf.single(shelf.shelve()))
    with django_assert_num_queries(asked):
        visitor.get("/basket")


def test_looking_makes_no_basket(visitor: Client) -> None:
    visitor.get("/basket")
    assert "sessionid" not in visitor.cookies


def test_the_country_is_the_chosen_one_then_the_accounts_then_the_browsers(at_alices: Client, alice: User) -> None:
    assert at_alices.get("/basket").context["country"] == "DE"
    User.objects.filter(pk=alice.pk).update(country="AT")
    assert at_alices.get("/basket").context["country"] == "AT"
    at_alices.post("/country", {"country": "CH"})
    assert at_alices.get("/basket").context["country"] == "CH"


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_choosing_a_country_leads_nobody_astray(visitor: Client, back: str) -> None:
    assert visitor.post("/country", {"country": "FR", "next": back})["Location"] == "/"
