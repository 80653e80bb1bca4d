"""A label cannot lead a payee's money away unseen, and a form lowers a tax only once somebody else has read it."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from payments import banking, handed_in, payees, payouts
from payments.errors import BankRefused, TaxFormRefused
from payments.models import BankChange, BankDetails, Payee, TaxForm, TaxPaper
from tests.factories.payments import AT, make_payee, post_earning

OLD, NEW = "DE89370400440532013000", "FR7630006000011234567890189"
LATER = AT + timedelta(days=7)
PDF = b"%PDF-1.7 a signed form"


@pytest.fixture
def bob(db: None, settings: LazySettings) -> Payee:
    """Owed 10 EUR, paid by bank."""
    settings.BANK_HOLDER, settings.BANK_IBAN = "Clearsong", "FR7630006000011234567890189"
    payee = make_payee()
    payees.give_bank(payee, holder="Bob", iban=OLD, by="user:1", at=AT)
    post_earning(payee, 10_000_000)
    return payee


def give(payee: Payee, **over: Any) -> BankChange:
    fields: dict[str, Any] = {"holder": "Bob", "iban": NEW, "by": "user:2", "days": 7, "at": AT} | over
    return handed_in.give_account(payee, **fields)


def hand_in(payee: Payee, **over: Any) -> TaxPaper:
    fields: dict[str, Any] = {"kind": "W-8BEN", "country": "US", "rate": 0, "valid_from": date(2026, 1, 1),
              "valid_to": date(2028, 12, 31), "data": PDF, "by": "user:2", "at": AT} | over  # fmt: skip
    return handed_in.give_paper(payee, **fields)


def paid_to(payee: Payee) -> str:
    return BankDetails.objects.get(payee=payee).iban


def holds(payee: Payee) -> str:
    (due,) = payouts.due(minimum_minor=1, at=AT, of=[payee])
    return due.hold


def test_while_a_new_account_waits_nothing_is_paid_and_the_old_one_stands(bob: Payee) -> None:
    give(bob)
    assert paid_to(bob) == OLD
    assert holds(bob) == "a new bank account counts from 2026-11-28, or once it is confirmed"
    assert payouts.plan(minimum_minor=1, at=AT) == []


def test_the_control_without_the_wait_it_would_be_paid_at_once(bob: Payee) -> None:
    give(bob, days=0)
    handed_in.take_due(at=AT)
    assert paid_to(bob) == NEW
    assert holds(bob) == ""


def test_a_payout_planned_before_the_change_stays_out_of_the_banks_file(bob: Payee) -> None:
    payouts.plan(minimum_minor=1, at=AT)
    give(bob)
    with pytest.raises(BankRefused, match="No payout waits"):
        banking.export(by="user:1", at=AT)
    handed_in.take_due(at=LATER)
    assert NEW in banking.export(by="user:1", at=LATER).document


def test_it_counts_once_it_has_waited_and_not_a_second_earlier(bob: Payee) -> None:
    change = give(bob)
    assert handed_in.take_due(at=LATER - timedelta(seconds=1)) == []
    assert [one.pk for one in handed_in.take_due(at=LATER)] == [change.pk]
    assert handed_in.take_due(at=LATER) == []
    assert paid_to(bob) == NEW


def test_finance_staff_make_it_count_earlier_but_nobody_her_own(bob: Payee) -> None:
    change = give(bob)
    with pytest.raises(BankRefused, match="Somebody else confirms"):
        handed_in.confirm_account(change, by="user:2", at=AT)
    handed_in.confirm_account(change, by="user:3", at=AT)
    assert paid_to(bob) == NEW
    with pytest.raises(BankRefused, match="answered for already"):
        handed_in.refuse_account(change, reason="late", by="user:3", at=AT)


def test_a_refused_account_leaves_payouts_as_they_were(bob: Payee) -> None:
    change = give(bob)
    with pytest.raises(BankRefused, match="Say why"):
        handed_in.refuse_account(change, reason=" ", by="user:3", at=AT)
    handed_in.refuse_account(change, reason="the payee knows nothing of it", by="user:3", at=AT)
    assert (paid_to(bob), holds(bob)) == (OLD, "")
    assert handed_in.take_due(at=LATER) == []


def test_another_account_follows_the_one_that_waits_and_waits_itself(bob: Payee) -> None:
    first, second = give(bob), give(bob, iban="GB82WEST12345698765432", at=AT + timedelta(days=6))
    first.refresh_from_db()
    assert (first.state, first.reason) == ("REFUSED", "followed by another")
    assert handed_in.take_due(at=LATER) == []
    assert second.state == "WAITING"


def test_what_finance_staff_enter_counts_at_once_and_ends_what_waits(bob: Payee) -> None:
    give(bob)
    payees.give_bank(bob, holder="Bob & Co", iban=OLD, by="user:1", at=AT + timedelta(hours=1))
    assert list(bob.bank_changes.values_list("state", flat=True)) == ["TAKEN", "REFUSED", "TAKEN"]
    assert holds(bob) == ""


@pytest.mark.parametrize("act", [
    lambda bob, _: give(bob, iban="GB82WEST12345698765432"),
    lambda bob, _: payees.give_bank(bob, holder="Bob & Co", iban=OLD, by="user:1", at=LATER),
    lambda _, change: handed_in.confirm_account(change, by="user:3", at=AT),
    lambda _, change: handed_in.refuse_account(change, reason="no", by="user:3", at=AT),
    lambda _, __: handed_in.take_due(at=LATER),
    lambda bob, _: banking.forget_account(bob, by="user:1", at=LATER),
])  # fmt: skip
def test_each_holds_the_payee_before_any_account_so_that_no_two_wait_for_each_other(
    bob: Payee, act: Callable[[Payee, BankChange], object]
) -> None:
    change = give(bob)
    with CaptureQueriesContext(connection) as asked:
        act(bob, change)
    said = [one["sql"] for one in asked]
    first = next(at for at, sql in enumerate(said) if "UPDATE" in sql or sql.startswith("INSERT"))
    assert 'FROM "payments_payee"' in said[first]
    assert "FOR NO KEY UPDATE" in said[first]
    assert "payments_bankdetails" not in said[first]  # joined, it would be read as it was before the wait
    assert any(sql.startswith('UPDATE "payments_bankchange"') for sql in said[first:])


@pytest.mark.parametrize(("over", "why"), [
    ({"iban": "DE89370400440532013001"}, "no IBAN"), ({"bic": "NOBIC"}, "no BIC"), ({"holder": " "}, "whose name"),
    ({"iban": OLD}, "already"),
])  # fmt: skip
def test_what_no_bank_would_take_is_refused_and_nothing_kept(bob: Payee, over: dict[str, str], why: str) -> None:
    with pytest.raises(BankRefused, match=why) as refused:
        give(bob, **over)
    assert over.get("iban", "x") not in str(refused.value)
    assert bob.bank_changes.count() == 1


def test_the_number_is_forgotten_where_it_is_not_paid_to(bob: Payee) -> None:
    handed_in.refuse_account(give(bob), reason="no", by="user:3", at=AT)
    assert not BankChange.objects.exclude(iban="").exists()
    assert BankChange.objects.first().ends == NEW[-4:]


@pytest.mark.parametrize("act", [
    "UPDATE payments_bankchange SET usable_from = given_at",
    "UPDATE payments_bankchange SET state = 'TAKEN', iban = '', answered_by = given_by, answered_at = given_at",
    "UPDATE payments_bankchange SET state = 'TAKEN', iban = '', answered_by = 'task:x', answered_at = given_at",
    "UPDATE payments_bankdetails SET iban = 'FR7630006000011234567890189'",
    "DELETE FROM payments_bankchange",
])  # fmt: skip
def test_the_database_holds_the_wait_for_raw_sql_too(bob: Payee, act: str) -> None:
    BankChange.objects.filter(pk=give(bob).pk)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(act)


def test_a_form_handed_in_changes_no_tax_until_it_is_accepted(bob: Payee) -> None:
    paper = hand_in(bob)
    assert not TaxForm.objects.exists()
    form = handed_in.accept_paper(paper, kind="W-8BEN", country="US", rate=50_000, valid_from=date(2026, 1, 1),
                                  valid_to=date(2027, 12, 31), by="user:3", at=AT)  # fmt: skip
    assert (form.rate, form.paper.sha256) == (50_000, paper.sha256)  # what staff read on it, not what was claimed


def test_nobody_reads_her_own_form_and_none_is_answered_twice(bob: Payee) -> None:
    paper = hand_in(bob)
    with pytest.raises(TaxFormRefused, match="Somebody else reads it"):
        handed_in.refuse_paper(paper, reason="x", by="user:2", at=AT)
    handed_in.refuse_paper(paper, reason="It is not signed.", by="user:3", at=AT)
    with pytest.raises(TaxFormRefused, match="answered for already"):
        handed_in.refuse_paper(paper, reason="x", by="user:3", at=AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        TaxPaper.objects.update(state="WAITING", reason="", answered_by="", answered_at=None)
    assert not TaxForm.objects.exists()


@pytest.mark.parametrize(("over", "why"), [
    ({"data": b"MZ\x90 a program"}, "PDF, a PNG or a JPEG"), ({"data": PDF + b"x" * handed_in.MOST_BYTES}, "larger"),
    ({"kind": "W-9"}, "needs a W-8BEN"), ({"valid_to": date(2020, 1, 1)}, "ends before"),
])  # fmt: skip
def test_what_cannot_be_such_a_form_is_refused(bob: Payee, over: dict[str, Any], why: str) -> None:
    with pytest.raises(TaxFormRefused, match=why):
        hand_in(bob, **over)
    assert not TaxPaper.objects.exists()


def test_the_same_file_twice_lies_there_once(bob: Payee) -> None:
    first, second = hand_in(bob), hand_in(make_payee(name="Ann"))
    assert first.file.name == second.file.name
    with first.file.open("rb") as kept:
        assert kept.read() == PDF
