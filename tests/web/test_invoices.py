"""A buyer finds her invoices beside her orders; to anybody else they do not exist."""

from typing import Any

import pytest
from django.test import Client

from store import invoices
from store.models import Invoice, Order, User
from tests.factories import shelf
from tests.factories.store import make_user, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(alice: User, settings: Any) -> Order:
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"
    return shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)


@pytest.fixture
def paper(order: Order) -> Invoice:
    invoices.write(at=shelf.NOW)
    return Invoice.objects.get(order=order)


def test_the_orders_link_their_papers(at_alices: Client, paper: Invoice) -> None:
    address = f"/invoices/{paper.public_id}.pdf"
    for page in ("/orders/", f"/orders/{paper.order.public_id}"):
        assert address in at_alices.get(page).content.decode()
    answer = at_alices.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == 'inline; filename="CS-2026-000001.pdf"'
    assert answer.content.startswith(b"%PDF")
    assert "no-store" in answer["Cache-Control"]


def test_a_paper_that_is_still_being_written_is_said(at_alices: Client, order: Order) -> None:
    assert "Is being written" in at_alices.get(f"/orders/{order.public_id}").content.decode()


def test_a_stranger_finds_no_paper(at_charlies: Client, visitor: Client, paper: Invoice) -> None:
    address = f"/invoices/{paper.public_id}.pdf"
    assert at_charlies.get(address).status_code == 404
    assert visitor.get(address)["Location"].startswith("/account/login/")


def test_finance_staff_see_all_papers_with_their_second_factor(paper: Invoice) -> None:
    fiona = make_user("Fiona", is_finance=True)
    address = f"/invoices/{paper.public_id}.pdf"
    assert sign_in(fiona).get(address).status_code == 200
    assert sign_in(fiona, second_factor=False).get(address).status_code == 404


def test_the_list_of_orders_asks_as_much_for_many_as_for_one(
    at_alices: Client, alice: User, paper: Invoice, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    invoices.write(at=shelf.NOW)
    with django_assert_max_num_queries(8):
        at_alices.get("/orders/")
