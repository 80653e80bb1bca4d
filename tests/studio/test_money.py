"""What was earned, owed and paid, for the label's own eyes."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party
from licensing import grants
from payments import accounts, ledger
from payments.models import Payee
from store import owed, sales
from store.models import LetterOfDirection, Offer, Order, OrderLine
from tests.factories import catalog, shelf
from tests.factories import payments as payments_rows
from tests.factories import store as rows

LETTER = {
    "name": "Kleinklang GmbH", "email": "pay@example.org", "country": "de", "percent": "100", "layer": "",
    "starts_on": "2026-01-01", "signed_by": "Bob",
}  # fmt: skip
PAYEES = "/studio/bobs/money/payees/"


def sell(label: Party, *, at: datetime | None = None, micros: int = 722_500, state: str = "PAID") -> OrderLine:
    """One track of the label sold for a euro, of which `micros` are the label's own."""
    at = at or timezone.now()
    offer = Offer.objects.get(track__release=shelf.shelve(label=label, tracks=1, whole=False))
    holder = grants.ensure_holder(label)
    leg: dict[str, Any] = {"kind": "RECORDING", "label": "x", "micros": micros, "recording": 1, "title": "x",
                           "holder": holder.pk, "payee": None}  # fmt: skip
    foreign = leg | {"holder": holder.pk + 1000, "micros": 1}
    with transaction.atomic():
        order = Order.objects.create(**rows.order_fields(placed_at=at))
        line = OrderLine.objects.create(**rows.line_fields(order, offer, label=label, split=[leg, foreign]))
    Order.objects.filter(pk=order.pk).update(state="PAID", paid_at=at)
    OrderLine.objects.filter(pk=line.pk).update(state="PAID")
    if state == "REFUNDED":
        OrderLine.objects.filter(pk=line.pk).update(state="REFUND_DUE")
        OrderLine.objects.filter(pk=line.pk).update(state=state)
    return line


def _today() -> date:
    return timezone.now().date()


def _days(label: Party) -> dict[date, int]:
    return dict(sales.by_day(label, currency="EUR", since=_today() - timedelta(days=2), until=_today()))


def test_a_day_counts_what_is_the_labels_own(label: Party) -> None:
    sell(label)
    sell(label, at=timezone.now() - timedelta(days=1), micros=100)
    assert _days(label) == {_today() - timedelta(days=2): 0, _today() - timedelta(days=1): 100, _today(): 722_500}


def test_what_was_refunded_is_not_earned(label: Party) -> None:
    sell(label, state="REFUNDED")
    assert sum(_days(label).values()) == 0
    assert [(sale.word, sale.micros) for sale in sales.read(sales.lines(label))] == [("Refunded", 0)]


def test_the_sales_of_another_label_are_not_counted(label: Party) -> None:
    sell(catalog.make_label("Other"))
    assert sum(_days(label).values()) == 0


def test_sales_are_listed_without_a_word_about_the_buyer(at_bobs: Client, label: Party) -> None:
    line = sell(label)
    page = at_bobs.get("/studio/bobs/money/sales/").text
    assert line.title in page
    assert "Germany" in page
    assert line.order.email not in page
    assert line.order.number not in page


def test_the_sales_page_costs_the_same_for_many_sales(
    at_bobs: Client, label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        sell(label)
    with django_assert_max_num_queries(16):
        assert at_bobs.get("/studio/bobs/money/sales/").status_code == 200


def test_the_money_page_costs_the_same_for_many_sales(
    at_bobs: Client, label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(8):
        sell(label)
    with django_assert_max_num_queries(22):
        assert at_bobs.get("/studio/bobs/money/").status_code == 200


def test_nonsense_dates_show_the_last_days(at_bobs: Client, label: Party) -> None:
    assert at_bobs.get("/studio/bobs/money/sales/?since=x&until=9999-99-99").status_code == 200


def test_the_balance_is_the_ledgers(at_bobs: Client, label: Party) -> None:
    letter = _letter(label)
    payments_rows.post_earning(letter.payee, 12_345_678)
    assert "€12.345678" in at_bobs.get("/studio/bobs/money/").text


def test_money_without_a_letter_is_said_to_wait(at_bobs: Client, label: Party) -> None:
    holder = grants.ensure_holder(label)
    legs = [
        ledger.debit(accounts.stripe_balance("EUR"), 500_000),
        ledger.credit(accounts.suspense(f"holder-{holder.pk}", "EUR"), 500_000),
    ]
    with transaction.atomic():
        ledger.post("sale:x", kind="SALE", legs=legs, at=timezone.now())
    assert "Waits for a letter of direction" in at_bobs.get("/studio/bobs/money/").text


def _letter(label: Party, email: str = "pay@example.org") -> LetterOfDirection:
    return owed.sign_letter(
        label, name="Payee", email=email, country="DE", currency="EUR", percent=Decimal(100), layer="",
        starts_on=date(2026, 1, 1), signed_by="Bob",
    )  # fmt: skip


def test_an_owner_signs_a_letter(at_bobs: Client, label: Party) -> None:
    assert at_bobs.post(PAYEES, LETTER).status_code == 302
    letter = LetterOfDirection.objects.get()
    assert (letter.holder.party, letter.payee.name, letter.payee.country) == (label, "Kleinklang GmbH", "DE")


def test_a_member_signs_none(at_eves: Client, label: Party) -> None:
    assert at_eves.post(PAYEES, LETTER).status_code == 404
    assert not LetterOfDirection.objects.exists()


def test_more_than_the_whole_is_never_given_away(at_bobs: Client, label: Party) -> None:
    _letter(label)
    answer = at_bobs.post(PAYEES, LETTER | {"email": "second@example.org", "percent": "0.5"})
    assert answer.status_code == 422
    assert LetterOfDirection.objects.count() == 1


def test_a_letter_never_opens_the_books_of_a_payee_of_another_label(label: Party) -> None:
    theirs = _letter(catalog.make_label("Other"), "rich@example.org").payee
    payments_rows.post_earning(theirs, 9_000_000)
    mine = _letter(label, "rich@example.org").payee
    assert mine != theirs
    assert theirs not in owed.payees(label)
    assert all(one.payee == mine for one in owed.owed(label))


def test_the_statement_closes_on_the_ledger(at_bobs: Client, label: Party) -> None:
    payee = _letter(label).payee
    payments_rows.post_earning(payee, 1_500_000, at=timezone.now())
    page = at_bobs.get("/studio/bobs/money/statement/").text
    assert "Closing balance" in page
    assert "€1.50" in page


def test_the_csv_says_the_same_and_comes_as_a_file(at_bobs: Client, label: Party) -> None:
    payee = _letter(label).payee
    payments_rows.post_earning(payee, 1_500_000, at=timezone.now())
    answer = at_bobs.get(reverse("studio-statement-csv", args=["bobs"]))
    assert "1.500000" in answer.text
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize("wanted", ["x", "00000000-0000-0000-0000-000000000000"])
def test_the_statement_of_a_foreign_payee_is_not_found(at_bobs: Client, label: Party, wanted: str) -> None:
    _letter(label)
    assert at_bobs.get(f"/studio/bobs/money/statement/?payee={wanted}").status_code == 404


def test_a_foreign_payee_is_not_connected(at_bobs: Client, label: Party) -> None:
    payee = Payee.objects.create(name="Other", email="o@example.org", country="DE", currency="EUR")
    assert at_bobs.post(reverse("studio-connect", args=["bobs", payee.public_id])).status_code == 404


def test_a_sale_is_named_on_the_statement(label: Party) -> None:
    line = sell(label)
    found = sales.describe([f"sale:{line.public_id}", "payout:1", "sale:nonsense"])
    assert found == {f"sale:{line.public_id}": f"Sale of {line.title}, {line.artist} (DE)"}
