"""A15: twenty planted differences are found, none is made up, and nothing is repaired."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from payments import accounts, gateway, ledger, reconcile
from payments.errors import ReconcileError
from payments.models import Discrepancy, Entry, Payout, Reconciliation
from payments.money import Currency
from payments.reconcile import Posting, Traced
from payments.sandbox.balances import book
from tests.factories.payments import make_payee
from tests.fakes import StripeFake

pytestmark = pytest.mark.django_db
EUR = Currency("EUR")
TODAY = timezone.now().date()
NOON = datetime.combine(TODAY, time(12), UTC)
AT = NOON + timedelta(days=1)


def post(reference: str, micros: int, *, at: datetime = NOON) -> None:
    """Into our account at Stripe, or out of it."""
    ours, other = accounts.stripe_balance("EUR"), accounts.commission("EUR")
    legs = [ledger.debit(ours, micros), ledger.credit(other, micros)]
    if micros < 0:
        legs = [ledger.debit(other, -micros), ledger.credit(ours, -micros)]
    with transaction.atomic():
        ledger.post(reference, kind="SALE", legs=legs, at=at)


def charge(fake: StripeFake, amount: int, fee: int) -> str:
    """A charge in Stripe's books."""
    state = fake.sandbox.state
    row = state.add("charge", "ch", {"amount": amount})
    book(state, amount, EUR, kind="charge", source=row["id"], fee=fee)
    return str(row["id"])


def trace(postings: Sequence[Posting]) -> dict[str, Traced]:
    """In these tests a posting's name says what it belongs to: `sale:ch_1:a`, `fee:ch_1`."""
    found = {}
    for one in postings:
        word, key = one.reference.split(":")[:2]
        found[one.reference] = Traced(key, is_fee=word == "fee")
    return found


def agree(fake: StripeFake, count: int) -> list[str]:
    """Charges that both sides have alike, each sold as two lines."""
    keys = []
    for number in range(count):
        amount = 129 + number
        key = charge(fake, amount, 27)
        post(f"sale:{key}:a", 1_000_000)
        post(f"sale:{key}:b", amount * 10_000 - 1_000_000)
        post(f"fee:{key}", -270_000)
        keys.append(key)
    return keys


def compare() -> Reconciliation:
    return reconcile.reconcile(TODAY, at=AT, trace=trace)


def test_books_that_agree_differ_in_nothing(stripe_sandbox: StripeFake) -> None:
    agree(stripe_sandbox, 20)
    done = compare()
    assert (done.transactions, done.postings, done.found) == (20, 60, 0)
    assert not Discrepancy.objects.exists()


def test_twenty_planted_differences_are_found_and_no_other(stripe_sandbox: StripeFake) -> None:
    agree(stripe_sandbox, 40)
    amounts = random.Random(15)
    planted = set()
    for _ in range(5):
        planted.add(("MISSING", charge(stripe_sandbox, amounts.randint(100, 9_999), 30)))
        extra = f"ch_nobody{amounts.randint(0, 10**9)}"
        post(f"sale:{extra}", amounts.randint(1, 10**7))
        planted.add(("EXTRA", extra))
        altered = charge(stripe_sandbox, 500, 0)
        post(f"sale:{altered}", 5_000_000 - amounts.choice([1, 10_000, -10_000]))
        planted.add(("ALTERED", altered))
        fee = charge(stripe_sandbox, 500, 33)
        post(f"sale:{fee}", 5_000_000)
        post(f"fee:{fee}", -330_000 + 10_000)
        planted.add(("FEE", fee))
    before = Entry.objects.count()
    assert compare().found == 20
    assert {(row.kind, row.key) for row in Discrepancy.objects.all()} == planted
    assert Entry.objects.count() == before


def test_without_looking_at_our_side_what_stripe_lacks_would_not_be_seen(
    stripe_sandbox: StripeFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a comparison that walks Stripe's list alone finds nothing extra."""
    post("sale:ch_nobody", 1_000_000)
    monkeypatch.setattr(reconcile, "_postings", lambda _since, _until: [])
    assert compare().found == 0


def test_looking_again_finds_the_same_rows(stripe_sandbox: StripeFake) -> None:
    charge(stripe_sandbox, 100, 0)
    compare()
    compare()
    assert Discrepancy.objects.count() == Reconciliation.objects.count() == 1


def test_what_the_two_date_on_either_side_of_midnight_is_one_fact(stripe_sandbox: StripeFake) -> None:
    key = charge(stripe_sandbox, 100, 0)
    post(f"sale:{key}", 1_000_000, at=datetime.combine(TODAY, time(), UTC) - timedelta(minutes=5))
    assert compare().found == 0


def test_a_fee_nobody_posted_is_a_difference_of_fees(stripe_sandbox: StripeFake) -> None:
    key = charge(stripe_sandbox, 100, 26)
    post(f"sale:{key}", 1_000_000)
    compare()
    row = Discrepancy.objects.get()
    assert (row.kind, row.stripe_micros, row.ledger_micros) == ("FEE", 260_000, 0)


def test_a_payout_is_traced_by_the_transfer_it_is(stripe_sandbox: StripeFake) -> None:
    state = stripe_sandbox.sandbox.state
    moved = state.add("transfer", "tr", {"amount": 700})
    book(state, -700, EUR, kind="transfer", source=moved["id"])
    back = state.add("transfer_reversal", "trr", {"amount": 200, "transfer": moved["id"]})
    book(state, 200, EUR, kind="transfer_refund", source=back["id"])
    Payout.objects.create(payee=make_payee(), number="PO-1", amount_minor=700, currency="EUR", planned_at=NOON,
                          stripe_transfer_id=moved["id"], state="SENT", transfer_group="g")  # fmt: skip
    post("payout:PO-1", -7_000_000)
    post("payout-reversed:PO-1:200", 2_000_000)
    assert compare().found == 0


def test_what_the_operator_takes_to_the_bank_is_no_business_of_the_ledger(stripe_sandbox: StripeFake) -> None:
    state = stripe_sandbox.sandbox.state
    sent = state.add("payout", "po", {})
    book(state, -5_000, EUR, kind="payout", source=sent["id"])
    found = gateway.list_balance_transactions(since=NOON - timedelta(days=1), until=AT)
    assert [one.type for one in found] == ["payout"]
    assert compare().found == 0


def test_a_day_that_is_not_over_is_not_compared(stripe_sandbox: StripeFake) -> None:
    with pytest.raises(ReconcileError):
        reconcile.reconcile(TODAY, at=NOON, trace=trace)


def test_days_are_owed_one_after_the_other(stripe_sandbox: StripeFake) -> None:
    assert reconcile.owed(at=AT) is None
    post("sale:x", 1)
    assert reconcile.owed(at=AT) == TODAY
    compare()
    assert reconcile.owed(at=AT) is None
    assert reconcile.owed(at=AT + timedelta(days=3)) == TODAY + timedelta(days=1)


def test_a_difference_stays_open_until_somebody_says_why(stripe_sandbox: StripeFake) -> None:
    charge(stripe_sandbox, 100, 0)
    compare()
    row = Discrepancy.objects.get()
    with pytest.raises(ReconcileError, match="Say why"):
        reconcile.explain(row, text=" ", by="user:1", at=AT)
    reconcile.explain(row, text="A test charge of ours", by="user:1", at=AT)
    with pytest.raises(ReconcileError, match="before"):
        reconcile.explain(row, text="Again", by="user:1", at=AT)
    compare()
    assert Discrepancy.objects.get().state == "EXPLAINED"
