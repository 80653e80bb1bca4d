"""Issued statements for the label's own eyes: a list, a page, and files to take along."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party
from payments import months
from payments.models import Payee, Statement
from store import owed
from store.earnings import COLUMNS
from tests.factories import catalog
from tests.factories import payments as rows

SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
KINDS = ["pdf", "csv", "tsv"]


def line(title: str, micros: int) -> Sequence[object]:
    words = ["DEABC2600001", "T0345246801", title, "Ana", "First Light", "4006381333931", "", "RECORDING"]
    return [*words, "PERMANENT_DOWNLOAD", "DE", 1, 0, 2 * micros, 0, micros, micros, 500_000, 1_000_000, micros]


def payee_of(label: Party, email: str = "pay@example.org") -> Payee:
    return owed.sign_letter(
        label, name="Kleinklang GmbH", email=email, country="DE", currency="EUR", percent=Decimal(100), layer="",
        starts_on=date(2026, 1, 1), signed_by="Bob",
    ).payee  # fmt: skip


def issue(payee: Payee, micros: int = 1_500_000, title: str = "Elan", *, ago: int = 0) -> Statement:
    since = (SINCE - timedelta(days=31 * ago)).replace(day=1)
    since, until = months.month_of(since)
    rows.post_earning(payee, micros, at=since)
    detail = months.Detail(
        frozenset({"SALE"}), COLUMNS, lambda keys, _since, _until: {key: [line(title, micros)] for key in keys}
    )
    assert months.close_period(since, until, at=UNTIL, detail=detail).refused == ()
    return Statement.objects.get(payee=payee, since=since)


def test_a_label_finds_and_reads_her_month(at_bobs: Client, label: Party) -> None:
    statement = issue(payee_of(label))
    listed = at_bobs.get(reverse("studio-statements", args=["bobs"])).text
    assert "October 2026" in listed
    page = at_bobs.get(reverse("studio-issued", args=["bobs", statement.number])).text
    for word in ("Elan", "DEABC2600001", "T0345246801", "Closing balance", "€1.50", statement.sha256):
        assert word in page


@pytest.mark.parametrize("kind", KINDS)
def test_she_takes_it_along(at_bobs: Client, label: Party, kind: str) -> None:
    statement = issue(payee_of(label))
    answer = at_bobs.get(reverse("studio-issued-file", args=["bobs", statement.number, kind]))
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer.content[:4] in {b"%PDF", b"stat", b"HEAD"}


def test_a_strangers_statement_is_not_found(at_charlies: Client, at_bobs: Client, label: Party) -> None:
    statement = issue(payee_of(label))
    for slug, client in (("bobs", at_charlies), ("charlies", at_charlies)):
        assert client.get(reverse("studio-issued", args=[slug, statement.number])).status_code == 404
        for kind in KINDS:
            assert client.get(reverse("studio-issued-file", args=[slug, statement.number, kind])).status_code == 404
    theirs = issue(payee_of(catalog.make_label("Other"), "other@example.org"), ago=1)
    assert at_bobs.get(reverse("studio-issued", args=["bobs", theirs.number])).status_code == 404
    assert theirs.number not in at_bobs.get(reverse("studio-statements", args=["bobs"])).text


def test_a_title_is_text_on_every_sheet(at_bobs: Client, label: Party) -> None:
    statement = issue(payee_of(label), title="=cmd|' /C calc'!A0\t<script>#import \"x\"")
    page = at_bobs.get(reverse("studio-issued", args=["bobs", statement.number])).text
    assert "<script>#import" not in page
    sheet = at_bobs.get(reverse("studio-issued-file", args=["bobs", statement.number, "csv"])).text
    assert ",'=cmd" in sheet or "\"'=cmd" in sheet
    assert at_bobs.get(reverse("studio-issued-file", args=["bobs", statement.number, "pdf"])).content[:4] == b"%PDF"


def test_the_list_costs_the_same_for_many_statements(
    at_bobs: Client, label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    payee = payee_of(label)
    for ago in range(5):
        issue(payee, ago=4 - ago)
    with django_assert_max_num_queries(10):
        assert at_bobs.get(reverse("studio-statements", args=["bobs"])).text.count("ST-") >= 5
