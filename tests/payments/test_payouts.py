"""A payout is paid once, however often it is run and wherever it was killed."""

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection
from pytest_django import Settings

from payments import accounts, audit, gateway, ledger, payees, payouts
from payments.errors import PayoutError, StripeFailed
from payments.models import Account, Payee, Payout, Transfer
from tests.factories.payments import AT, make_payee, post_earning
from tests.fakes import StripeFake

pytestmark = pytest.mark.django_db(transaction=True)
LATER = AT + timedelta(hours=25)


def ready_payee(fake: StripeFake, name: str = "Bob's Label") -> Payee:
    payee = make_payee(name=name)
    fake.onboard(payees.onboarding_link(payee, refresh_url="http://s/r", return_url="http://s/b"))
    return payees.refresh_payee(payee)


@pytest.fixture
def bob(stripe_sandbox: StripeFake) -> Iterator[Payee]:
    """Bob is owed 12.345678 EUR, and the platform has the money."""
    payee = ready_payee(stripe_sandbox)
    post_earning(payee, 12_345_678)
    stripe_sandbox.fund(10_000)
    yield payee
    assert audit.verify().problem is None


def owed(payee: Payee) -> int:
    return ledger.balance(accounts.payee(payee, "EUR"))


def test_a_payout_sends_whole_cents_and_the_rest_stays_owed(bob: Payee, stripe_sandbox: StripeFake) -> None:
    run = payouts.run(minimum_minor=100, at=AT)
    assert [(one.payee_id, one.amount_minor, one.state) for one in run.paid] == [(bob.pk, 1234, "SETTLED")]
    assert [one["amount"] for one in stripe_sandbox.objects("transfer")] == [1234]
    assert owed(bob) == 5_678


def test_running_again_pays_nothing_more(bob: Payee, stripe_sandbox: StripeFake) -> None:
    for _ in range(3):
        payouts.run(minimum_minor=1, at=AT)
    assert len(stripe_sandbox.objects("transfer")) == 1


def test_a_dry_run_says_what_is_due_and_does_nothing(bob: Payee, stripe_sandbox: StripeFake) -> None:
    run = payouts.run(minimum_minor=100, at=AT, dry_run=True)
    assert [(str(one.amount), one.hold) for one in run.due] == [("EUR:12.34", "")]
    assert not Payout.objects.exists()
    assert stripe_sandbox.objects("transfer") == []


def test_what_is_below_the_minimum_waits(bob: Payee) -> None:
    run = payouts.run(minimum_minor=1235, at=AT)
    assert run.paid == ()
    assert "below the minimum" in run.due[0].hold


def test_a_payee_who_told_stripe_nothing_waits(stripe_sandbox: StripeFake) -> None:
    carl = make_payee(name="Carl")
    post_earning(carl, 5_000_000)
    run = payouts.run(minimum_minor=100, at=AT)
    assert run.paid == ()
    assert "no account at Stripe" in run.due[0].hold
    assert owed(carl) == 5_000_000


def test_killed_after_planning_it_is_finished_by_the_next_run(bob: Payee, stripe_sandbox: StripeFake) -> None:
    payouts.plan(minimum_minor=100, at=AT)
    payouts.run(minimum_minor=100, at=LATER)
    assert [one["amount"] for one in stripe_sandbox.objects("transfer")] == [1234]
    assert owed(bob) == 5_678


def test_killed_after_sending_and_retried_when_keys_are_forgotten_it_pays_once(
    bob: Payee, stripe_sandbox: StripeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_args: object, **_kw: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "_transfer_facts", killed)
        with pytest.raises(KeyboardInterrupt):
            payouts.run(minimum_minor=100, at=AT)
    assert len(stripe_sandbox.objects("transfer")) == 1
    stripe_sandbox.pass_hours(25)
    payouts.run(minimum_minor=100, at=LATER)
    assert len(stripe_sandbox.objects("transfer")) == 1
    assert owed(bob) == 5_678


def test_without_looking_first_the_retry_would_pay_twice(
    bob: Payee, stripe_sandbox: StripeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it is the look-up by transfer group that pays once, not the idempotency key."""
    (payout,) = payouts.plan(minimum_minor=100, at=AT)
    monkeypatch.setattr(gateway, "find_transfers", lambda _group: [])
    payouts.send(payout, at=AT)
    Payout.objects.update(state="PLANNED", stripe_transfer_id="")
    payout.refresh_from_db()
    stripe_sandbox.forget_keys()
    payouts.settle(payouts.send(payout, at=LATER), at=LATER)
    assert len(stripe_sandbox.objects("transfer")) == 2


@pytest.mark.parametrize("how", ["lost_reply", "saved_500"])
def test_a_reply_that_was_lost_or_failed_is_cleared_up_by_the_next_run(
    how: str, bob: Payee, stripe_sandbox: StripeFake
) -> None:
    for _ in range(3):  # the library tries again by itself
        stripe_sandbox.sandbox.fail_next("/v1/transfers", how)
    failed = payouts.run(minimum_minor=100, at=AT).failed
    stripe_sandbox.sandbox.fail_none()
    assert len(failed) == (1 if how == "saved_500" else 0)
    payouts.run(minimum_minor=100, at=AT + timedelta(minutes=5))
    assert [one["amount"] for one in stripe_sandbox.objects("transfer")] == [1234]
    assert owed(bob) == 5_678


def test_killed_between_sent_and_settled_the_ledger_moves_once(bob: Payee) -> None:
    (payout,) = payouts.plan(minimum_minor=100, at=AT)
    payout = payouts.send(payout, at=AT)
    for _ in range(3):
        payouts.settle(payout, at=AT)
    payouts.run(minimum_minor=100, at=LATER)
    assert Transfer.objects.filter(kind="PAYOUT").count() == 1
    assert owed(bob) == 5_678


def test_eight_runs_at_once_pay_once(bob: Payee, stripe_sandbox: StripeFake) -> None:
    def run() -> None:
        payouts.run(minimum_minor=100, at=AT)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stripe_sandbox.objects("transfer")) == 1
    assert owed(bob) == 5_678


def test_without_funds_the_payout_waits_and_says_why(bob: Payee, stripe_sandbox: StripeFake) -> None:
    stripe_sandbox.fund(-9_000)
    run = payouts.run(minimum_minor=100, at=AT)
    assert "insufficient" in run.failed[0][1]
    stripe_sandbox.fund(9_000)
    assert [one.state for one in payouts.run(minimum_minor=100, at=LATER).paid] == ["SETTLED"]


def test_one_payee_that_fails_does_not_hold_up_the_rest(bob: Payee, stripe_sandbox: StripeFake) -> None:
    zoe = ready_payee(stripe_sandbox, "Aaron before Bob")
    post_earning(zoe, 99_000_000_000)
    run = payouts.run(minimum_minor=100, at=AT)
    assert [one.payee_id for one in run.paid] == [bob.pk]
    assert len(run.failed) == 1


def test_another_transfer_under_our_group_stops_the_payout(bob: Payee, stripe_sandbox: StripeFake) -> None:
    (payout,) = payouts.plan(minimum_minor=100, at=AT)
    stripe_sandbox.sandbox.api.create_transfer(
        {
            "amount": 7,
            "currency": "eur",
            "destination": bob.stripe_account_id,
            "transfer_group": payout.transfer_group,
        }
    )
    with pytest.raises(PayoutError):
        payouts.send(payout, at=AT)
    assert owed(bob) == 12_345_678


def test_the_database_refuses_a_second_payout_under_way(bob: Payee) -> None:
    payouts.plan(minimum_minor=100, at=AT)
    with pytest.raises(IntegrityError, match="payout_one_under_way"):
        Payout.objects.create(
            payee=bob, number="PO-X", amount_minor=1, currency="EUR", transfer_group="x", planned_at=AT
        )


def test_an_account_is_made_once(stripe_sandbox: StripeFake) -> None:
    dora = make_payee(name="Dora")
    for _ in range(3):
        payees.ensure_account(Payee.objects.get(pk=dora.pk))
    assert len(stripe_sandbox.objects("account")) == 1


def test_a_payee_is_ready_once_stripe_says_so(stripe_sandbox: StripeFake) -> None:
    dora = payees.ensure_account(make_payee(name="Dora"))
    assert dora.state == "ONBOARDING"
    stripe_sandbox.onboard(payees.onboarding_link(dora, refresh_url="http://s/r", return_url="http://s/b"))
    assert payees.refresh_payee(dora).state == "READY"


def test_a_wrong_key_is_a_failure_that_trying_again_does_not_help(
    stripe_sandbox: StripeFake, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    with pytest.raises(StripeFailed) as failure:
        gateway.find_transfers("x")
    assert not failure.value.retriable


def test_a_payout_that_settles_while_the_next_is_planned_is_not_planned_again(
    bob: Payee, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run settles between the planner's two reads, whichever it makes first."""
    (payout,) = payouts.plan(minimum_minor=100, at=AT)
    payout = payouts.send(payout, at=AT)
    real = ledger.balances

    def settle() -> None:
        payouts.settle(payout, at=AT)
        connection.close()

    def settle_meanwhile(rows: list[Account]) -> dict[int, int]:
        sums = real(rows)
        monkeypatch.setattr(ledger, "balances", real)  # settling reads a balance itself
        thread = threading.Thread(target=settle)
        thread.start()
        thread.join()
        return sums

    monkeypatch.setattr(ledger, "balances", settle_meanwhile)
    assert payouts.plan(minimum_minor=100, at=AT) == []


def take_back(fake: StripeFake, payout: Payout, amount: int) -> None:
    """Stripe takes money back from the connected account, as somebody at its dashboard may."""
    fake.sandbox.api.create_reversal(payout.stripe_transfer_id, {"amount": amount})


def test_what_stripe_takes_back_later_is_owed_again_once(bob: Payee, stripe_sandbox: StripeFake) -> None:
    (payout,) = payouts.run(minimum_minor=100, at=AT).paid
    take_back(stripe_sandbox, payout, 200)
    for _ in range(3):
        payouts.mirror(payout, at=LATER)
    assert owed(bob) == 5_678 + 2_000_000
    take_back(stripe_sandbox, payout, 1_034)
    assert payouts.mirror(payout, at=LATER).state == "REVERSED"
    assert owed(bob) == 12_345_678


def test_a_payout_taken_back_before_we_had_settled_it_is_settled_first(bob: Payee, stripe_sandbox: StripeFake) -> None:
    (payout,) = payouts.plan(minimum_minor=100, at=AT)
    payout = payouts.send(payout, at=AT)
    take_back(stripe_sandbox, payout, 1_234)
    assert payouts.mirror(payout, at=LATER).state == "REVERSED"
    assert owed(bob) == 12_345_678


def test_what_stripe_still_wants_to_know_is_kept_in_words(stripe_sandbox: StripeFake) -> None:
    dora = payees.ensure_account(make_payee(name="Dora"))
    assert payees.wanted(dora) == [
        "whether they are a person or a company", "a bank account to pay to", "that they accept Stripe's terms",
    ]  # fmt: skip
    stripe_sandbox.onboard(payees.onboarding_link(dora, refresh_url="http://s/r", return_url="http://s/b"))
    assert payees.wanted(payees.refresh_payee(dora)) == []


class Killed(BaseException):
    """The process is gone between two statements."""


def killed_at(number: int) -> Callable[..., Any]:
    """Lets so many statements of the database through and then none."""
    left = iter(range(number))

    def step(execute: Callable[..., Any], *asked: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return execute(*asked)

    return step


def pay_killed_at(number: int, at: datetime) -> bool:
    """One run that is killed before its statement of that number; whether it was, or had ended before."""
    try:
        with connection.execute_wrapper(killed_at(number)):
            payouts.run(minimum_minor=1, at=at)
    except Killed:
        return True
    return False


def sweep(bob: Payee, fake: StripeFake, *, first: int, step: int) -> int:
    """Kill a run at every so-many-th statement, run again a day later each time; the number of runs killed."""
    for killed, number in enumerate(itertools.count(first, step)):
        at = AT + timedelta(hours=52 * (killed + 1))
        post_earning(bob, 1_000_000, at=AT)
        died = pay_killed_at(number, at)
        fake.pass_hours(25)
        payouts.run(minimum_minor=1, at=at + timedelta(hours=25))
        sent = sum(one["amount"] for one in fake.objects("transfer"))
        assert sent * 10_000 + owed(bob) == 12_345_678 + 1_000_000 * (killed + 1)
        assert owed(bob) == 5_678
        assert not Payout.objects.exclude(state="SETTLED").exists()
        if not died:
            return killed
    raise AssertionError("unreachable")


def test_killed_at_any_statement_and_retried_after_a_day_it_pays_once(bob: Payee, stripe_sandbox: StripeFake) -> None:
    stripe_sandbox.fund(1_000_000)
    assert sweep(bob, stripe_sandbox, first=1, step=4) >= 5


@pytest.mark.long
def test_killed_at_every_statement_and_retried_after_a_day_it_pays_once(bob: Payee, stripe_sandbox: StripeFake) -> None:
    stripe_sandbox.fund(1_000_000)
    assert sweep(bob, stripe_sandbox, first=0, step=1) >= 20
