"""Tax is withheld at the full rate unless a valid form says less, only on what was earned there, and in plain sight."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from payments import accounts, audit, ledger, payees, payouts, withholding
from payments.errors import TaxFormRefused
from payments.models import Payee, Payout, TaxForm, Withholding
from payments.withholding import Form, Rule
from tests.factories.payments import AT, make_payee, post_earning

US = Rule("US", abroad=300_000, at_home=240_000)
DE = Rule("DE", abroad=158_250)
TODAY = date(2026, 11, 21)


def form(kind: str = "W-8BEN", **over: Any) -> Form:
    fields: dict[str, Any] = {"key": 1, "kind": kind, "country": "US", "rate": 0, "valid_from": date(2026, 1, 1),
              "valid_to": date(2026, 12, 31)} | over  # fmt: skip
    return Form(**fields)


@pytest.mark.parametrize(
    ("rule", "residence", "forms", "rate"),
    [
        (US, "DE", [], 300_000),
        (US, "DE", [form()], 0),
        (US, "DE", [form(rate=50_000)], 50_000),
        (US, "DE", [form(rate=900_000)], 300_000),
        (US, "DE", [form(valid_to=date(2026, 11, 20))], 300_000),
        (US, "DE", [form(valid_from=date(2026, 11, 22))], 300_000),
        (US, "DE", [form(valid_to=TODAY)], 0),
        (US, "DE", [form("W-9")], 300_000),
        (US, "DE", [form("EU", country="DE")], 300_000),
        (US, "US", [], 240_000),
        (US, "US", [form("W-9")], 0),
        (US, "US", [form("W-8BEN")], 240_000),
        (DE, "DE", [], 0),
        (DE, "FR", [], 158_250),
        (DE, "FR", [form("EU", country="DE", rate=50_000)], 50_000),
        (DE, "FR", [form()], 158_250),
    ],
)
def test_the_rate_is_the_full_one_unless_a_valid_form_says_less(
    rule: Rule, residence: str, forms: list[Form], rate: int
) -> None:
    assert withholding.rate(rule, residence=residence, forms=forms, on=TODAY).rate == rate


def test_the_reason_says_what_is_missing_or_over() -> None:
    assert withholding.rate(US, residence="DE", forms=[], on=TODAY).reason == "no form is on record"
    over = withholding.rate(US, residence="DE", forms=[form(valid_to=date(2026, 3, 1))], on=TODAY)
    assert over.reason == "W-8BEN ended on 2026-03-01"


@given(st.integers(0, 10**15), st.integers(0, 10**6), st.integers(0, 10**15))
def test_never_more_is_withheld_than_is_there_nor_on_more_than_was_earned(basis: int, rate: int, there: int) -> None:
    on, amount = withholding.withheld(basis, rate=rate, available_micros=there)
    assert 0 <= amount <= there
    assert 0 <= on <= basis
    assert amount <= on


Earned = Callable[[Sequence[Payee], Collection[str]], Mapping[tuple[int, str], Mapping[str, int]]]


def earned(payee: Payee, micros: int, country: str = "US") -> Earned:
    """The payee's earnings so far from buyers in a country."""
    return lambda _payees, countries: {(payee.pk, "EUR"): {country: micros} if country in countries else {}}


@pytest.fixture
def bob(db: None, settings: Settings) -> Iterator[Payee]:
    """Ready, and owed 100 euros."""
    settings.WITHHOLDING = {"US": (300_000, 240_000)}
    payee = make_payee(state="READY", stripe_account_id="acct_1")
    post_earning(payee, 100_000_000)
    yield payee
    assert audit.verify().problem is None


def owed(payee: Payee) -> int:
    return ledger.balance(accounts.payee(payee, "EUR"))


def give(payee: Payee, **over: Any) -> TaxForm:
    fields: dict[str, Any] = {"kind": "W-8BEN", "country": "US", "rate": 0, "valid_from": date(2026, 1, 1),
              "valid_to": date(2026, 12, 31), "by": "user:1", "at": AT} | over  # fmt: skip
    return payees.give_form(payee, **fields)


def test_without_a_form_the_full_rate_is_withheld_on_what_was_earned_there_alone(bob: Payee) -> None:
    (payout,) = payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    assert payout.amount_minor == 8_800  # 100 less 30 percent of the 40 that came from the United States
    assert ledger.balance(accounts.withholding("US", "EUR")) == 12_000_000
    kept = Withholding.objects.get()
    assert (kept.basis_micros, kept.rate, kept.amount_micros) == (40_000_000, 300_000, 12_000_000)
    assert kept.transfer is not None
    assert kept.transfer.kind == "WITHHOLDING"
    assert kept.transfer.memo == "US: no form is on record"


def test_with_a_valid_form_its_rate_is_withheld_and_the_form_is_named(bob: Payee) -> None:
    held = give(bob, rate=100_000)
    (payout,) = payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    assert payout.amount_minor == 9_600
    assert Withholding.objects.get().form == held


def test_an_expired_form_means_the_full_rate(bob: Payee) -> None:
    give(bob, valid_to=date(2026, 11, 20))
    (payout,) = payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    assert payout.amount_minor == 8_800


def test_what_was_withheld_on_is_not_withheld_on_again(bob: Payee) -> None:
    payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    Payout.objects.update(state="FAILED")
    post_earning(bob, 10_000_000)
    payouts.plan(minimum_minor=1, at=AT + timedelta(days=1), sources=earned(bob, 50_000_000))
    assert sorted(Withholding.objects.values_list("basis_micros", flat=True)) == [10_000_000, 40_000_000]


def test_what_was_paid_under_a_form_is_not_withheld_on_once_it_is_over(bob: Payee) -> None:
    give(bob)
    payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    Payout.objects.update(state="FAILED")
    later = AT + timedelta(days=90)
    (payout,) = payouts.plan(minimum_minor=1, at=later, sources=earned(bob, 40_000_000))
    assert payout.amount_minor == 10_000


def test_a_refund_of_what_was_withheld_on_lowers_what_the_next_is_withheld_on(bob: Payee) -> None:
    payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 40_000_000))
    Payout.objects.update(state="FAILED")
    payouts.plan(minimum_minor=1, at=AT, sources=earned(bob, 35_000_000))
    assert Withholding.objects.count() == 1


def test_what_is_held_back_for_another_reason_is_not_withheld_on(bob: Payee) -> None:
    assert payouts.plan(minimum_minor=9_000, at=AT, sources=earned(bob, 40_000_000)) == []
    assert owed(bob) == 100_000_000
    (due,) = payouts.due(minimum_minor=9_000, at=AT, sources=earned(bob, 40_000_000))
    assert "below the minimum of EUR:90.00" in due.hold


@pytest.mark.parametrize(
    "over",
    [
        {"kind": "W-9"},
        {"country": "DE"},
        {"valid_from": date(2027, 1, 1)},
    ],
)
def test_a_form_that_cannot_speak_for_the_payee_is_refused(bob: Payee, over: dict[str, Any]) -> None:
    with pytest.raises(TaxFormRefused):
        give(bob, **over)


def test_a_form_is_followed_never_changed(bob: Payee) -> None:
    give(bob)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        TaxForm.objects.update(rate=0)


def test_what_a_payee_owes_us_is_taken_before_anything_is_sent(bob: Payee) -> None:
    legs = [ledger.debit(accounts.debt(bob, "EUR"), 30_000_000),
            ledger.credit(accounts.stripe_balance("EUR"), 30_000_000)]  # fmt: skip
    with transaction.atomic():
        ledger.post("chargeback:1", kind="CHARGEBACK", legs=legs, at=AT)
    (payout,) = payouts.plan(minimum_minor=1, at=AT)
    assert payout.amount_minor == 7_000
    assert ledger.balance(accounts.debt(bob, "EUR")) == 0


def test_a_debt_above_the_balance_takes_all_and_sends_nothing(bob: Payee) -> None:
    legs = [ledger.debit(accounts.debt(bob, "EUR"), 130_000_000),
            ledger.credit(accounts.stripe_balance("EUR"), 130_000_000)]  # fmt: skip
    with transaction.atomic():
        ledger.post("chargeback:1", kind="CHARGEBACK", legs=legs, at=AT)
    assert payouts.plan(minimum_minor=1, at=AT) == []
    assert (owed(bob), ledger.balance(accounts.debt(bob, "EUR"))) == (0, 30_000_000)


def test_a_refund_between_planning_and_settling_becomes_a_debt_not_a_balance_below_nought(bob: Payee) -> None:
    (payout,) = payouts.plan(minimum_minor=1, at=AT)
    legs = [ledger.debit(accounts.payee(bob, "EUR"), 25_000_000),
            ledger.credit(accounts.stripe_balance("EUR"), 25_000_000)]  # fmt: skip
    with transaction.atomic():
        ledger.post("refund:1", kind="SALE_REVERSAL", legs=legs, at=AT)
    Payout.objects.update(state="SENT", stripe_transfer_id="tr_1")
    payouts.settle(payout, at=AT)
    assert (owed(bob), ledger.balance(accounts.debt(bob, "EUR"))) == (0, 25_000_000)


def test_the_least_payout_is_the_payees_own_else_the_currencys_else_the_operators(
    bob: Payee, settings: Settings
) -> None:
    settings.PAYOUT_MINIMUM_MINOR, settings.PAYOUT_MINIMUMS = 100, {"USD": 500}
    assert payouts.minimum(bob, "EUR") == 100
    assert payouts.minimum(bob, "USD") == 500
    bob.minimum_minor = 2_500
    assert (payouts.minimum(bob, "EUR"), payouts.minimum(bob, "USD")) == (2_500, 500)
