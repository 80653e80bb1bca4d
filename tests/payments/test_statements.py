"""A statement leads from the ledger's opening to its closing balance, and its spreadsheet runs no formula."""

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from payments import accounts, ledger, statements
from payments.errors import StatementError
from payments.models import Payee
from tests.factories.payments import AT, make_payee, post_earning, post_sale

SINCE, UNTIL = AT, AT + timedelta(days=30)


def pay_out(payee: Payee, micros: int) -> None:
    legs = [ledger.debit(accounts.payee(payee, "EUR"), micros), ledger.credit(accounts.stripe_balance("EUR"), micros)]
    with transaction.atomic():
        ledger.post(f"payout:{micros}", kind="PAYOUT", legs=legs, at=AT + timedelta(days=3))


@pytest.fixture
def bob(db: None) -> Payee:
    """Earned before the period, in it, sent out in it, refunded in it, earned after it."""
    payee = make_payee()
    post_earning(payee, 1_000_000, at=SINCE - timedelta(seconds=1))
    sale = post_sale(payee, reference="sale:1", at=SINCE)
    post_sale(payee, reference="sale:2", at=SINCE + timedelta(days=1))
    ledger.reverse(sale, reference="refund:1", at=SINCE + timedelta(days=2))
    pay_out(payee, 1_200_000)
    post_earning(payee, 9_000_000, at=UNTIL)
    return payee


def test_the_movements_lead_from_opening_to_closing(bob: Payee) -> None:
    told = statements.statement(bob, since=SINCE, until=UNTIL)
    account = accounts.payee(bob, "EUR")
    assert told.opening_micros == ledger.balance(account, until=SINCE) == 1_000_000
    assert told.closing_micros == ledger.balance(account, until=UNTIL) == 253_480
    assert told.opening_micros + sum(line.micros for line in told.lines) == told.closing_micros
    assert told.totals == {"PAYOUT": -1_200_000, "SALE": 906_960, "SALE_REVERSAL": -453_480}


def test_one_statements_closing_is_the_next_ones_opening(bob: Payee) -> None:
    first = statements.statement(bob, since=SINCE, until=UNTIL)
    following = statements.statement(bob, since=UNTIL, until=UNTIL + timedelta(days=30))
    assert following.opening_micros == first.closing_micros


def test_the_caller_names_what_each_movement_was_for(bob: Payee) -> None:
    def titles(references: Sequence[str]) -> dict[str, str]:
        assert references[0] == "sale:1"
        return {"sale:1": "Nocturne"}

    told = statements.statement(bob, since=SINCE, until=UNTIL, describe=titles)
    assert told.lines[0].what == "Nocturne"


def test_the_spreadsheet_sums_to_the_closing_balance(bob: Payee) -> None:
    told = statements.statement(bob, since=SINCE, until=UNTIL)
    rows = list(csv.DictReader(io.StringIO(statements.csv_text(told))))
    moved = sum(Decimal(row["amount"]) for row in rows)
    assert Decimal(rows[0]["balance"]) + moved == Decimal(rows[-1]["balance"]) == Decimal("0.253480")


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=cmd", "%0A=1", "|calc"])
def test_text_that_a_spreadsheet_would_run_is_disarmed(evil: str) -> None:
    assert statements.safe_cell(evil).startswith("'")


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert statements.safe_cell(text)[:1] not in set("=+-@\t\r\n|%")


@given(st.integers(-(2**62), 2**62))
def test_an_amount_in_main_units_loses_nothing(micros: int) -> None:
    assert Decimal(statements.main_units(micros)) * 10**6 == micros


def test_a_period_that_runs_backwards_is_refused(bob: Payee) -> None:
    with pytest.raises(StatementError):
        statements.statement(bob, since=UNTIL, until=SINCE)


def test_a_statement_needs_as_many_queries_for_many_movements_as_for_few(
    bob: Payee, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4):
        statements.statement(bob, since=SINCE, until=UNTIL)
    for i in range(20):
        post_earning(bob, 100 + i, at=SINCE)
    with django_assert_num_queries(4):
        statements.statement(bob, since=SINCE, until=UNTIL)
