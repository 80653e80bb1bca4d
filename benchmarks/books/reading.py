"""Balances, closing, sealing, verifying and the statements of a month, on made-up books."""

import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from benchmarks.books import made_up
from benchmarks.books.made_up import NOW, SINCE, UNTIL, Size
from benchmarks.figures import Figure, Progress, seconds

BALANCE_MS, TRIAL_MS = 2.0, 50.0
VERIFY_SECONDS, STATEMENT_SECONDS, OF = 120.0, 300.0, 1_000_000
ASKED, TRIALS = 400, 15


def figures(say: Progress, size: Size) -> list[Figure]:
    say(f"making up {size.at_first:,} sales to {size.payees:,} payees")
    made_up.people(size)
    made_up.sales(size, 1, size.at_first)
    made_up.settle_down()
    say("closing the days of the month")
    closed = _close_days(size)
    found = [Figure("ledger.close_a_day", closed, "s"), *_balances(say, size)]
    say(f"making up the rest of {size.sales:,} sales")
    made_up.sales(size, size.at_first + 1, size.sales)
    made_up.settle_down()
    return [*found, *_whole(say, size)]


def _close_days(size: Size) -> float:
    """The days that are over, all but the last of the sales so far; seconds for the slowest."""
    from payments import closings

    slowest = 0.0
    days = 30 * size.at_first // size.sales
    for day in range(1, days + 1):
        with seconds() as taken:
            while closings.close_due(at=SINCE + timedelta(days=day, hours=2)) is None:
                time.sleep(0.01)
        slowest = max(slowest, taken())
    return slowest


def _balances(say: Progress, size: Size) -> list[Figure]:
    from django.db.models import Count

    from payments import audit, ledger
    from payments.models import Account, Entry

    say("asking for balances")
    dice = random.Random(7)
    keys = dice.sample(range(1, size.payees + 1), min(ASKED, size.payees))
    accounts = list(Account.objects.filter(pk__in=keys))
    busy = list(Account.objects.exclude(kind="PAYEE"))
    for account in accounts[:20]:
        ledger.balance(account)
    payees = [_milliseconds(lambda account=account: ledger.balance(account)) for account in accounts]  # type: ignore[misc]
    shared = [_milliseconds(lambda account=account: ledger.balance(account)) for account in busy * 5]  # type: ignore[misc]
    trial = [_milliseconds(ledger.trial_balance) for _ in range(TRIALS)]
    with seconds() as summed:
        truth = audit.account_sums()
    if ledger.trial_balance() != truth:
        raise RuntimeError("The trial balance is not the sum of all entries.")
    entries = Entry.objects.aggregate(number=Count("pk"))["number"]
    p95 = sorted(payees)[len(payees) * 95 // 100]
    return [
        Figure("ledger.entries_when_asked", entries, "rows"),
        Figure("ledger.balance_of_a_payee_p95", p95, "ms", BALANCE_MS, 1.0),
        Figure("ledger.balance_of_a_shared_account", statistics.median(shared), "ms"),
        Figure("ledger.trial_balance", statistics.median(trial), "ms", TRIAL_MS, 1.0),
        Figure("ledger.trial_balance_from_entries", summed() * 1e3, "ms"),
    ]


def _whole(say: Progress, size: Size) -> list[Figure]:
    from payments import audit, chain, closings
    from payments.models import Statement
    from store import books, month_end

    say(f"sealing {size.sales:,} transfers")
    with seconds() as sealing:
        sealed = chain.seal_new(at=NOW)
    say("verifying them from nothing")
    with seconds() as verifying:
        report = audit.verify()
        problem = report.problem or books.verify(ask_stripe=False)
    if problem is not None:
        raise RuntimeError(f"The books do not verify: {problem}")
    say("telling every payee about the month")
    while not closings.close_due(at=UNTIL + timedelta(hours=2)):
        time.sleep(0.01)
    with seconds() as telling:
        run = month_end.close(SINCE, UNTIL, at=NOW)
    if run.refused or Statement.objects.count() != size.payees:
        raise RuntimeError(f"{run.issued} statements were issued; refused: {run.refused[:3]}")
    scale = size.sales / OF
    return [
        Figure("ledger.seal", sealed / sealing(), "1/s"),
        Figure(f"ledger.verify_{size.sales}_transfers", verifying(), "s", VERIFY_SECONDS * scale, 1.0),
        Figure(f"ledger.statements_of_{size.payees}_payees", telling(), "s", STATEMENT_SECONDS * scale, 1.0),
    ]


def _milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3
