"""Payouts by bank: one file holds each once, staff answer for it, and nobody reads an account number anywhere else."""

import json
import logging
from collections.abc import Iterator
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from django.core import serializers
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from payments import accounts, audit, banking, handed_in, ledger, pain001, payees, payouts
from payments.errors import BankRefused
from payments.models import Account, BankDetails, Entry, Payee, Payout, PayoutBatch, Transfer
from tests.factories.payments import AT, make_payee, post_earning

IBAN = "DE89370400440532013000"
NS = {"p": pain001.NAMESPACE}


@pytest.fixture
def bob(db: None, settings: Settings) -> Iterator[Payee]:
    """Owed 12.345678 EUR, to be paid by bank."""
    settings.BANK_HOLDER, settings.BANK_IBAN, settings.BANK_BIC = "Clearsong e.V.", "FR7630006000011234567890189", ""
    payee = make_payee(name="Björk & Søn")
    payees.give_bank(payee, holder="Björk & Søn", iban="DE89 3704 0044 0532 0130 00", by="user:1", at=AT)
    post_earning(payee, 12_345_678)
    yield payee
    assert audit.verify().problem is None


def exported() -> Payout:
    payouts.plan(minimum_minor=1, at=AT)
    batch = banking.export(by="user:1", at=AT)
    payout: Payout = batch.payouts.get()
    return payout


def balance(account: Account) -> int:
    return ledger.balance(account)


def test_the_file_says_whom_what_and_how_much_with_its_count_and_sum(bob: Payee) -> None:
    payout = exported()
    assert payout.batch is not None
    root = ET.fromstring(payout.batch.document)  # noqa: S314 - our own file
    said = {path: root.findtext(f".//p:{path}", namespaces=NS) for path in (
        "GrpHdr/p:NbOfTxs", "GrpHdr/p:CtrlSum", "PmtInf/p:ReqdExctnDt/p:Dt", "Dbtr/p:Nm", "DbtrAcct/p:Id/p:IBAN",
        "PmtId/p:EndToEndId", "Amt/p:InstdAmt", "Cdtr/p:Nm", "CdtrAcct/p:Id/p:IBAN",
    )}  # fmt: skip
    assert list(said.values()) == [
        "1", "12.34", "2026-11-22", "Clearsong e.V.", "FR7630006000011234567890189",
        payout.number, "12.34", "Bjork + Son", IBAN,
    ]  # fmt: skip
    assert root.find(".//p:Amt/p:InstdAmt", NS).get("Ccy") == "EUR"
    assert root.find(".//p:CdtrAgt", NS) is None


def test_what_is_in_a_file_is_not_owed_but_clearing_until_the_bank_has_done_it(bob: Payee) -> None:
    payout = exported()
    owed, clearing = accounts.payee(bob, "EUR"), accounts.clearing("sepa", "EUR")
    assert (balance(owed), balance(clearing)) == (5_678, 12_340_000)
    for _ in range(2):
        banking.confirm(payout, on=date(2026, 11, 23), by="user:1", at=AT + timedelta(days=3))
    assert (balance(owed), balance(clearing), balance(accounts.bank("EUR"))) == (5_678, 0, -12_340_000)
    payout.refresh_from_db()
    assert payout.state == "SETTLED"
    assert payout.settled_at is not None
    assert payout.settled_at.date() == date(2026, 11, 23)


def test_what_the_bank_refuses_is_owed_again(bob: Payee) -> None:
    payout = exported()
    for _ in range(2):
        banking.refuse(payout, reason="Account closed", by="user:1", at=AT)
    assert balance(accounts.payee(bob, "EUR")) == 12_345_678
    assert balance(accounts.clearing("sepa", "EUR")) == 0
    with pytest.raises(BankRefused, match="only what is in a file"):
        banking.confirm(payout, on=AT.date(), by="user:1", at=AT)


def test_a_payout_is_in_one_file_however_often_files_are_made(bob: Payee) -> None:
    exported()
    with pytest.raises(BankRefused, match="No payout waits"):
        banking.export(by="user:1", at=AT)
    assert payouts.plan(minimum_minor=1, at=AT) == []
    assert PayoutBatch.objects.count() == 1


def killed(*_args: object, **_named: object) -> None:
    raise KeyboardInterrupt


def test_a_file_that_fails_half_way_leaves_everything_as_it_was(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    payouts.plan(minimum_minor=1, at=AT)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "post", killed)
        with pytest.raises(KeyboardInterrupt):
            banking.export(by="user:1", at=AT)
    assert balance(accounts.payee(bob, "EUR")) == 12_345_678
    assert banking.export(by="user:1", at=AT).payments == 1


def test_the_numbers_go_once_the_file_is_answered_for(bob: Payee) -> None:
    payout = exported()
    banking.confirm(payout, on=AT.date(), by="user:1", at=AT)
    batch = PayoutBatch.objects.get()
    assert (batch.document, batch.closed_at) == ("", AT)


def test_no_ledger_row_and_no_log_holds_an_account_number(bob: Payee, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    payout = exported()
    banking.confirm(payout, on=AT.date(), by="user:1", at=AT)
    rows = serializers.serialize("json", [*Transfer.objects.all(), *Account.objects.all(), *Entry.objects.all()])
    shown = rows + caplog.text + repr(payout) + str(bob.bank) + repr(pain001.Party("x", IBAN))
    assert json.loads(rows)
    for hidden in (IBAN, IBAN[4:], "3704 0044"):
        assert hidden not in shown


@pytest.mark.parametrize("iban", ["", "DE89370400440532013001", "DE00", "x" * 40, "DE89370400440532013000'; --"])
def test_what_is_no_iban_is_refused_without_being_repeated(bob: Payee, iban: str) -> None:
    with pytest.raises(BankRefused) as refusal:
        payees.give_bank(bob, holder="Bob", iban=iban, by="user:1", at=AT)
    assert not iban or iban not in str(refusal.value)
    assert bob.bank.iban == IBAN


def test_a_forgotten_account_takes_along_the_one_that_waits_and_says_by_whom(bob: Payee) -> None:
    handed_in.give_account(bob, holder="Eve", iban="FR7630006000011234567890189", by="user:2", days=7, at=AT)
    for _ in range(2):
        banking.forget_account(bob, by="user:3", at=AT)
    assert handed_in.take_due(at=AT + timedelta(days=30)) == []
    bob.refresh_from_db()
    assert (bob.route, BankDetails.objects.count()) == ("STRIPE", 0)
    ended = bob.bank_changes.filter(answered_by="user:3").order_by("pk")
    assert list(ended.values_list("state", "ends", "given_by")) == [
        ("REFUSED", "0189", "user:2"), ("REFUSED", "3000", "user:1")
    ]  # fmt: skip


def test_an_account_that_a_planned_payout_waits_for_is_not_forgotten(bob: Payee) -> None:
    (payout,) = payouts.plan(minimum_minor=1, at=AT)
    with pytest.raises(BankRefused, match=payout.number):
        banking.forget_account(bob, by="user:3", at=AT)
    assert banking.export(by="user:1", at=AT).payments == 1
    banking.forget_account(bob, by="user:3", at=AT)  # it is in the file now, and the bank answers for it
    assert not BankDetails.objects.exists()


def test_the_control_without_the_guard_the_payout_holds_up_all_that_follow(bob: Payee) -> None:
    payouts.plan(minimum_minor=1, at=AT)
    BankDetails.objects.all().delete()
    Payee.objects.update(route=Payee.Route.STRIPE)
    assert banking.waiting() == []
    assert [one.hold for one in payouts.due(at=AT)] == ["a payout is under way"]


def test_a_day_ahead_is_not_the_banks(bob: Payee) -> None:
    with pytest.raises(BankRefused, match="ahead"):
        banking.confirm(exported(), on=AT.date() + timedelta(days=1), by="user:1", at=AT)


def test_without_an_account_of_ours_there_is_no_file(bob: Payee, settings: Settings) -> None:
    settings.BANK_IBAN = ""
    payouts.plan(minimum_minor=1, at=AT)
    with pytest.raises(BankRefused, match="BANK_IBAN"):
        banking.export(by="user:1", at=AT)


def test_only_euros_go_by_sepa(bob: Payee) -> None:
    post_earning(bob, 9_000_000, currency="USD")
    holds = {one.amount.currency.code: one.hold for one in payouts.due(minimum_minor=1, at=AT)}
    assert holds == {"EUR": "", "USD": "SEPA carries euros only"}


@given(st.text(), st.integers(1, 140))
def test_any_name_becomes_letters_that_every_bank_takes(text: str, most: int) -> None:
    made = pain001.plain(text, most)
    assert 1 <= len(made) <= most
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")
    assert not made.startswith("/")
    assert not made.endswith("/")
    assert "//" not in made


@given(st.integers(1, 10**12))
def test_an_amount_loses_no_cent(minor: int) -> None:
    euros, _, cents = pain001.amount(minor).partition(".")
    assert int(euros) * 100 + int(cents) == minor
