"""A month is closed once for every payee, in the ledger's own sums, and taken up where it stopped."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from payments import accounts, ledger, months
from payments.errors import StatementError
from payments.models import Account, Closing, Payee, Statement, StatementPeriod
from tests.factories.payments import make_payee, post_earning, post_sale

pytestmark = pytest.mark.django_db
SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
AT = UNTIL + timedelta(days=1)
IN = SINCE + timedelta(days=3)


def move(reference: str, kind: str, *legs: ledger.Leg, at: datetime = IN) -> None:
    with transaction.atomic():
        ledger.post(reference, kind=kind, legs=list(legs), at=at)


def detail(wrong: int = 0) -> months.Detail:
    """Speaks for sales: one line, with what the ledger says, or something else."""

    def of(keys: Sequence[int], since: datetime, until: datetime) -> Mapping[int, Sequence[Sequence[Any]]]:
        chosen = list(Account.objects.filter(pk__in=keys))
        begun, ended = ledger.balances(chosen, until=since), ledger.balances(chosen, until=until)
        return {key: [["A song", ended[key] - begun[key] + wrong]] for key in keys}

    return months.Detail(frozenset({"SALE"}), ("title", "amount_micros"), of)


@pytest.fixture
def bob() -> Payee:
    """Owed a euro before, earned 0.45348 in the month, was sent 1.20 and has some left."""
    payee = make_payee()
    post_earning(payee, 1_000_000, at=SINCE - timedelta(seconds=1))
    post_sale(payee, at=SINCE)
    move("payout:1", "PAYOUT", ledger.debit(accounts.payee(payee, "EUR"), 1_200_000),
         ledger.credit(accounts.stripe_balance("EUR"), 1_200_000))  # fmt: skip
    post_earning(payee, 7, at=UNTIL)
    return payee


def told(payee: Payee) -> Statement:
    return Statement.objects.get(payee=payee, since=SINCE)


def test_everybody_with_something_in_the_month_is_told_once(bob: Payee) -> None:
    make_payee(name="Nobody owes me")
    for _ in range(2):
        months.close_period(SINCE, UNTIL, at=AT)
    assert sorted(Statement.objects.values_list("payee__name", flat=True)) == ["Ann Artist", "Bob's Label"]
    assert StatementPeriod.objects.get().closed_at == AT


def test_a_statement_leads_from_opening_to_closing_in_the_ledgers_sums(bob: Payee) -> None:
    months.close_period(SINCE, UNTIL, at=AT)
    statement = told(bob)
    account = accounts.payee(bob, "EUR")
    assert statement.opening_micros == ledger.balance(account, until=SINCE) == 1_000_000
    assert statement.closing_micros == ledger.balance(account, until=UNTIL) == 253_480
    assert [(kind, micros) for _, kind, _, _, micros in statement.document["movements"]] == [
        ("SALE", 453_480), ("PAYOUT", -1_200_000),
    ]  # fmt: skip


def test_statements_of_a_payee_are_numbered_without_a_gap(bob: Payee) -> None:
    months.close_period(SINCE - timedelta(days=31), SINCE, at=AT)
    months.close_period(SINCE, UNTIL, at=AT)
    numbers = Statement.objects.filter(payee=bob).order_by("since").values_list("number", flat=True)
    assert [number[-4:] for number in numbers] == ["0001", "0002"]


def test_what_a_caller_says_of_the_earnings_stands_on_it(bob: Payee) -> None:
    sales = months.Detail(frozenset({"SALE"}), ("title", "amount_micros"), lambda keys, _s, _u: {
        accounts.payee(bob, "EUR").pk: [["A song", 453_480]],
        **{key: [["Her song", 367_320]] for key in keys if key != accounts.payee(bob, "EUR").pk},
    })  # fmt: skip
    assert months.close_period(SINCE, UNTIL, at=AT, detail=sales).refused == ()
    document = told(bob).document
    assert (document["lines"], document["earned_micros"]) == ([["A song", 453_480]], 453_480)
    assert [movement[1] for movement in document["movements"]] == ["PAYOUT"]


def test_a_statement_whose_lines_do_not_sum_to_the_ledger_is_refused(bob: Payee) -> None:
    run = months.close_period(SINCE, UNTIL, at=AT, detail=detail(wrong=1))
    assert run.issued == 0
    assert len(run.refused) == 2
    assert "where the ledger has 453480 micros" in StatementPeriod.objects.get().problem
    assert StatementPeriod.objects.get().closed_at is None


def test_without_the_check_the_crooked_one_would_be_issued(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months, "_problem", lambda _document, _own: "")
    assert months.close_period(SINCE, UNTIL, at=AT, detail=detail(wrong=1)).issued == 2


def test_one_that_is_refused_holds_nobody_else_up_and_is_issued_once_it_adds_up(bob: Payee) -> None:
    ann = Payee.objects.get(name="Ann Artist")
    wrong = months.Detail(frozenset({"SALE"}), ("amount_micros",), lambda keys, _s, _u: {
        key: [[367_320]] for key in keys
    })  # fmt: skip
    assert months.close_period(SINCE, UNTIL, at=AT, detail=wrong).issued == 1
    assert told(ann).document["earned_micros"] == 367_320
    right = months.Detail(frozenset({"SALE"}), ("amount_micros",), lambda keys, _s, _u: {
        key: [[453_480]] for key in keys
    })  # fmt: skip
    assert months.close_period(SINCE, UNTIL, at=AT, detail=right).issued == 1
    assert StatementPeriod.objects.get().closed_at == AT


def test_what_went_to_a_reserve_or_a_debt_is_shown_beside_what_was_earned(bob: Payee) -> None:
    move("sale:held", "SALE", ledger.debit(accounts.stripe_balance("EUR"), 500),
         ledger.credit(accounts.payee(bob, "EUR"), 400), ledger.credit(accounts.reserve(bob, "EUR"), 100))  # fmt: skip
    move("refund:late", "SALE", ledger.debit(accounts.payee(bob, "EUR"), 30),
         ledger.debit(accounts.debt(bob, "EUR"), 20), ledger.credit(accounts.stripe_balance("EUR"), 50))  # fmt: skip
    sales = months.Detail(frozenset({"SALE"}), ("amount_micros",), lambda _keys, _s, _u: {
        accounts.payee(bob, "EUR").pk: [[453_480], [500], [-50]]
    })  # fmt: skip
    months.close_period(SINCE, UNTIL, at=AT, detail=sales)
    document = told(bob).document
    assert document["beside"] == {"DEBT": 20, "RESERVE": -100}
    assert document["earned_micros"] == 453_930


def test_a_month_that_is_not_over_is_not_closed(bob: Payee) -> None:
    with pytest.raises(StatementError):
        months.close_period(SINCE, UNTIL, at=UNTIL - timedelta(seconds=1))


def test_letters_are_owed_in_the_transaction_that_issues(bob: Payee) -> None:
    def killed(_issued: Sequence[Statement]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        months.close_period(SINCE, UNTIL, at=AT, tell=killed)
    assert not Statement.objects.exists()
    seen: list[Statement] = []
    months.close_period(SINCE, UNTIL, at=AT, tell=seen.extend)
    assert len(seen) == Statement.objects.count() == 2


def test_a_month_that_was_interrupted_goes_on_where_it_stopped(bob: Payee) -> None:
    def killed(issued: Sequence[Statement]) -> None:
        if Statement.objects.count() == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        months.close_period(SINCE, UNTIL, at=AT, tell=killed, batch=1)
    before = list(Statement.objects.values_list("number", flat=True))
    months.close_period(SINCE, UNTIL, at=AT, batch=1)
    assert len(before) == 1
    assert Statement.objects.count() == 2
    assert Statement.objects.filter(number__in=before).count() == 1


def closed(until: datetime) -> None:
    """The ledger takes nothing before this moment any more."""
    Closing.objects.create(until=until, announced_at=until, closed_at=until)


def test_months_are_owed_one_after_the_other_from_the_first_posting(bob: Payee) -> None:
    october = SINCE - timedelta(days=31)
    closed(UNTIL)
    assert months.owed(at=AT) == (october, SINCE)
    months.close_period(october, SINCE, at=AT)
    assert months.owed(at=AT) == (SINCE, UNTIL)
    months.close_period(SINCE, UNTIL, at=AT)
    assert months.owed(at=AT) is None


def test_a_month_waits_until_the_ledger_takes_nothing_into_it_any_more(bob: Payee) -> None:
    assert months.owed(at=AT) is None
    closed(SINCE)
    assert months.owed(at=AT) == (SINCE - timedelta(days=31), SINCE)


def test_a_batch_ends_where_it_would_hold_too_many_entries(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        post_sale(at=IN)
    together: list[int] = []
    monkeypatch.setattr(months, "ENTRIES", 3)
    months.close_period(SINCE, UNTIL, at=AT, tell=lambda issued: together.append(len(issued)))
    assert sum(together) == Statement.objects.count() > len(together) > 1


def test_many_payees_cost_as_many_queries_as_few(bob: Payee, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(8):
        post_sale(at=IN)
    with django_assert_num_queries(19):  # one of them counts entries, for batches that fit in memory
        months.close_period(SINCE, UNTIL, at=AT, detail=None)


def test_what_goes_with_each_sale_is_told_as_one_sum_for_each_kind(bob: Payee) -> None:
    owed, held = accounts.payee(bob, "EUR"), accounts.reserve(bob, "EUR")
    for number, micros in enumerate((100, 30)):
        move(f"reserve:{number}", "RESERVE", ledger.debit(owed, micros), ledger.credit(held, micros))
    sales = months.Detail(frozenset(), (), lambda _keys, _s, _u: {}, frozenset({"RESERVE"}))
    months.close_period(SINCE, UNTIL, at=AT, detail=sales)
    movements = told(bob).document["movements"]
    assert [(row[1], row[3], row[4]) for row in movements if row[1] == "RESERVE"] == [("RESERVE", "2 in all", -130)]
