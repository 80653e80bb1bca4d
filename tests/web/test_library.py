"""After paying: the order with its receipt, and the library with every purchase."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from payments.models import Payee
from store.models import User
from tests.factories import catalog, shelf
from transcoding.models import Master

pytestmark = pytest.mark.django_db


def test_the_files_are_there_at_once(at_alices: Client, alice: User) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice)
    page = at_alices.get(f"/orders/{order.public_id}")
    (line,) = page.context["lines"]
    states = {each.code: each.state for each in line["formats"]}
    assert (states["FLAC"], states["WAV"]) == ("READY", "ON_DEMAND")
    assert "It is yours" in page.content.decode()


def test_the_receipt_shows_what_was_really_posted(at_alices: Client, alice: User) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice)
    (transfer,) = at_alices.get(f"/orders/{order.public_id}").context["posted"]
    accounts = [entry["account"] for entry in transfer["entries"]]
    assert accounts[0] == "Received through the payment provider"
    assert "Tax owed in Germany" in accounts
    assert "Kept for its owner until claimed" in accounts  # nobody has signed a letter of direction


@pytest.mark.parametrize(("agreed", "name"), [(True, "Bob&#x27;s Account"), (False, "A payee of Harbour Records")])
def test_a_payee_is_named_on_the_receipt_where_it_agreed(
    at_alices: Client, alice: User, *, agreed: bool, name: str
) -> None:
    release = shelf.shelve(label=catalog.make_label("Harbour Records"))
    letter = shelf.make_letter(shelf.make_holder(release.label), "Bob's Account")
    Payee.objects.filter(pk=letter.payee_id).update(named_in_public=agreed)
    order = shelf.sell(shelf.whole(release), buyer=alice)
    page = at_alices.get(f"/orders/{order.public_id}").content.decode()
    assert name in page
    assert ("Bob&#x27;s Account" in page) is agreed


def test_the_page_looks_again_by_itself_only_while_something_is_made(at_alices: Client, alice: User) -> None:
    release = shelf.shelve(tracks=1)
    order = shelf.sell(shelf.whole(release), buyer=alice)
    assert "every 2s" not in at_alices.get(f"/orders/{order.public_id}").content.decode()
    master = Master.objects.get()
    shelf.make_rendition(master, "WAV", state="PLANNED", storage_key="", sha256="", bytes=0, ready_at=None)
    assert "every 2s" in at_alices.get(f"/orders/{order.public_id}").content.decode()


def test_the_library_lists_every_purchase_in_the_chosen_format(at_alices: Client, alice: User) -> None:
    shelf.sell(shelf.whole(shelf.shelve("First Light")), shelf.single(shelf.shelve("Harbour")), buyer=alice)
    page = at_alices.get("/library/?format=MP3_V0").context
    assert {(row["title"], row["format"], row["state"]) for row in page["rows"]} == {
        ("First Light", "MP3_V0", "READY"),
        ("Harbour, part 1", "MP3_V0", "READY"),
    }
    assert at_alices.get("/library/").context["picked"] == "MP3_V0"


def test_what_is_not_to_be_had_lossless_says_so(at_alices: Client, alice: User) -> None:
    shelf.sell(shelf.whole(shelf.shelve(lossless=False)), buyer=alice)
    (row,) = at_alices.get("/library/?format=FLAC").context["rows"]
    assert row["format"] == "ORIGINAL"
    assert row["note"] == "Not to be had as FLAC: given as MP3, the delivered file itself."


def test_a_stranger_sees_nothing_of_it(at_charlies: Client, alice: User) -> None:
    shelf.sell(shelf.whole(shelf.shelve("First Light")), buyer=alice)
    assert "Nothing here yet" in at_charlies.get("/library/").content.decode()


def test_a_larger_library_costs_no_more_queries(
    at_alices: Client,
    alice: User,
    django_assert_max_num_queries: Callable[..., Any],
    django_assert_num_queries: Callable[..., Any],
) -> None:
    shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    at_alices.get("/library/")
    with django_assert_max_num_queries(30) as few:
        at_alices.get("/library/")
    asked = len(few)
    shelf.sell(*(shelf.whole(shelf.shelve(tracks=3)) for _ in range(4)), buyer=alice)
    with django_assert_num_queries(asked):
        at_alices.get("/library/")


def test_orders_are_listed_with_their_state(at_alices: Client, alice: User) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    page = at_alices.get("/orders/").content.decode()
    assert order.number in page
    assert "Paid" in page


def test_who_got_what_sums_to_what_was_paid_to_the_last_part_of_it(at_alices: Client, alice: User) -> None:
    release = shelf.shelve()
    letter = shelf.make_letter(shelf.make_holder(release.label), "Bob's Account")
    Payee.objects.filter(pk=letter.payee_id).update(named_in_public=True)
    order = shelf.sell(shelf.whole(release), buyer=alice)
    page = at_alices.get(f"/orders/{order.public_id}").context
    assert {part.label: part.micros for part in page["got"]} == {
        "Bob's Account": 1_139_000, "Clearsong": 201_000, "Tax owed in Germany": 260_000,
    }  # fmt: skip
    assert page["got_total"] == 1_600_000
    assert sum(part.width for part in page["got"]) == 1000
