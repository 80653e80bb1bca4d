"""Closed periods: balances come out the same with and without what is kept, and nothing gets in once closed."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from payments import accounts, audit, closings, ledger, tasks
from payments.errors import LedgerClosed
from payments.models import Account, ClosedBalance, Closing, Payee, Transfer
from tests.factories.payments import make_payee, post_earning, post_sale

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MIDNIGHT = datetime(2020, 3, 2, tzinfo=UTC)


def close(day: datetime = NOON) -> Closing:
    """Close that day a few hours after its end, once no other transaction of the server is left from before."""
    for _ in range(10_000):  # PostgreSQL's own housekeeping may have one open
        found = closings.close_due(at=day + timedelta(hours=18))
        if found is not None:
            return found
    raise AssertionError("it never closes")


def three_days() -> Payee:
    """Something earned on each of three days, the first two closed."""
    bob = make_payee()
    for day in range(3):
        post_earning(bob, 10**day, at=NOON + day * DAY)
        post_sale(bob, at=NOON + day * DAY)
        if day < 2:
            close(NOON + day * DAY)
    return bob


def test_a_balance_is_the_same_out_of_kept_balances_and_out_of_entries() -> None:
    three_days()
    rows = list(Account.objects.all())
    kept = ledger.balances(rows)
    Closing.objects.update(kept=False)
    assert ClosedBalance.objects.exists()
    assert ledger.balances(rows) == kept


@pytest.mark.parametrize(("hours", "earned"), [(0, 0), (1, 1), (12, 1), (24, 1), (25, 11), (48, 11), (49, 111)])
def test_a_balance_of_any_moment_counts_what_was_posted_before_it(hours: int, earned: int) -> None:
    bob = make_payee()
    for day in range(3):
        post_earning(bob, 10**day, at=NOON + day * DAY)
        close(NOON + day * DAY)
    account = accounts.payee(bob, "EUR")
    assert ledger.balance(account, until=NOON + timedelta(hours=hours)) == earned


def test_the_trial_balance_is_the_sum_of_all_entries_and_sums_to_nought() -> None:
    three_days()
    assert ledger.trial_balance() == audit.account_sums()
    assert sum(row[3] for row in ledger.trial_balance()) == 0


def test_nothing_is_posted_in_a_closed_period() -> None:
    bob = make_payee()
    post_earning(bob, 5, at=NOON)
    close()
    with pytest.raises(LedgerClosed, match="present time"):
        post_earning(bob, 7, at=MIDNIGHT - timedelta(microseconds=1))
    post_earning(bob, 7, at=MIDNIGHT)
    assert ledger.balance(accounts.payee(bob, "EUR")) == 12


def test_without_the_trigger_a_late_posting_would_stand_and_verifying_names_the_balance_it_makes_wrong() -> None:
    """The control: it is the trigger that keeps a kept balance right."""
    bob = make_payee()
    post_earning(bob, 5, at=NOON)
    close()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        post_earning(bob, 7, at=NOON)
    problem = closings.verify()
    assert problem is not None
    assert problem.row == "balance of stripe:EUR, closed until 2020-03-02 00:00"


def test_a_day_is_closed_only_an_hour_after_its_end() -> None:
    post_earning(make_payee(), 5, at=NOON)
    assert closings.close_due(at=MIDNIGHT + timedelta(minutes=59)) is None
    assert not Closing.objects.exists()
    closings.close_due(at=MIDNIGHT + timedelta(minutes=61))
    assert Closing.objects.get().until == MIDNIGHT


def test_a_store_without_entries_closes_nothing() -> None:
    assert closings.close_due(at=MIDNIGHT + DAY) is None
    assert not Closing.objects.exists()


def test_a_day_is_closed_once() -> None:
    post_earning(make_payee(), 5, at=NOON)
    close()
    assert closings.close_due(at=NOON + timedelta(hours=19)) is None
    assert Closing.objects.count() == 1


def test_a_sale_under_way_when_the_closing_is_announced_is_waited_for_and_counted() -> None:
    bob = make_payee()
    post_earning(bob, 5, at=NOON)
    posted, closing = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            post_earning(bob, 7, at=NOON)
            posted.set()
            closing.wait(10)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    posted.wait(10)
    at = NOON + timedelta(hours=18)
    assert [closings.close_due(at=at) for _ in range(3)] == [None] * 3
    closing.set()
    thread.join()
    close()
    assert ledger.balance(accounts.payee(bob, "EUR")) == 12
    assert closings.verify() is None


def test_without_waiting_a_sale_under_way_would_be_missing_from_the_kept_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control of the wait."""
    bob = make_payee()
    post_earning(bob, 5, at=NOON)
    monkeypatch.setattr(closings, "_settled", lambda _closing: True)
    posted, closing = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            post_earning(bob, 7, at=NOON)
            posted.set()
            closing.wait(10)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    posted.wait(10)
    close()
    closing.set()
    thread.join()
    assert closings.verify() is not None


def test_after_a_restore_into_another_cluster_the_horizon_is_taken_anew() -> None:
    post_earning(make_payee(), 5, at=NOON)
    Closing.objects.create(until=MIDNIGHT, announced_at=MIDNIGHT + DAY, horizon=2**60)
    close()
    assert (Closing.objects.get().horizon or 0) < 2**60


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM payments_closing",
        "UPDATE payments_closing SET until = until - interval '1 day'",
        "UPDATE payments_closing SET closed_at = NULL, kept = false",
        "INSERT INTO payments_closing (until, announced_at, kept) VALUES (now() + interval '1 day', 'infinity', false)",
    ],
)
def test_a_closing_stays_as_it_is_and_never_lies_ahead(change: str) -> None:
    post_earning(make_payee(), 5, at=NOON)
    close()
    with pytest.raises(IntegrityError, match=r"closing stays|not over"), connection.cursor() as cursor:
        cursor.execute(change)


def test_nothing_is_posted_where_a_fresh_closing_cannot_be_seen() -> None:
    bob = make_payee()
    account = accounts.payee(bob, "EUR")
    stripe = accounts.stripe_balance("EUR")

    def posted() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            legs = [ledger.debit(stripe, 5), ledger.credit(account, 5)]
            ledger.post("sale:1", kind="SALE", legs=legs, at=NOON)

    with pytest.raises(LedgerClosed, match="read committed"):
        posted()
    assert not Transfer.objects.exists()


def test_days_are_forgotten_after_a_while_and_months_are_not() -> None:
    bob = make_payee()
    ends = [datetime(2020, 2, 29, 12, tzinfo=UTC), NOON, NOON + 50 * DAY]
    for at in ends:
        post_earning(bob, 5, at=at)
        close(at)
    kept = Closing.objects.filter(kept=True).order_by("until").values_list("until", flat=True)
    assert [until.date().isoformat() for until in kept] == ["2020-03-01", "2020-04-21"]
    assert Closing.objects.count() == 3
    assert ledger.balance(accounts.payee(bob, "EUR"), until=NOON + DAY) == 10


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE payments_closedbalance SET micros = micros + 1 WHERE id = (SELECT max(id) FROM payments_closedbalance)",
        "DELETE FROM payments_closedbalance WHERE id = (SELECT max(id) FROM payments_closedbalance)",
        "INSERT INTO payments_closedbalance (closing_id, account_id, micros)"  # noqa: ISC004
        " SELECT max(id), 0, 1 FROM payments_closing",
    ],
)
def test_a_wrong_kept_balance_is_named(fault: str) -> None:
    three_days()
    assert closings.verify() is None
    with connection.cursor() as cursor:
        cursor.execute(fault)
    problem = closings.verify()
    assert problem is not None
    assert "closed until 2020-03-03" in problem.row


def test_the_sweep_closes_what_is_due() -> None:
    post_earning(make_payee(), 5, at=NOON)
    for _ in range(1_000):
        tasks.sweep()
        if Closing.objects.filter(kept=True).exists():
            return
    raise AssertionError("the sweep closes nothing")


def test_an_entry_has_the_time_of_its_transfer_and_no_other() -> None:
    sale = post_sale(at=NOON)
    assert set(sale.entries.values_list("posted_at", flat=True)) == {NOON}

    def elsewhere() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO payments_transfer (id, reference, kind, request_sha256, document_sha256, memo, legs, "
                "posted_at, xid) VALUES (gen_random_uuid(), 'x', 'SALE', '', '', '', 2, %s, 0)",
                [NOON],
            )
            cursor.execute(
                "INSERT INTO payments_entry (transfer_id, position, account_id, side, amount_micros, currency, "
                "posted_at) SELECT t.id, 1, a.id, 'D', 5, a.currency, %s FROM payments_transfer t, payments_account a "
                "WHERE t.reference = 'x' LIMIT 1",
                [NOON + DAY],
            )

    with pytest.raises(IntegrityError, match="another time"):
        elsewhere()
