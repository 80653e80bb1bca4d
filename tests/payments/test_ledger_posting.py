"""`ledger.post` and its kin: once per reference, never apart from what it belongs to, mirrored exactly."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments import accounts, ledger
from payments.errors import LedgerConflict, LedgerOutsideTransaction, LedgerRefused
from payments.ledger import Leg
from payments.models import Account, Entry, Transfer
from tests.factories.payments import AT, make_payee, post_earning, post_sale, sale_legs


@pytest.mark.django_db
def test_a_sale_is_one_statement() -> None:
    legs = sale_legs(make_payee(), make_payee())
    with CaptureQueriesContext(connection) as statements:
        ledger.post("sale:1", kind="SALE", legs=legs, at=AT)
    assert len(statements) == 1
    assert Entry.objects.filter(transfer__reference="sale:1").count() == 6


@pytest.mark.django_db
def test_the_same_request_again_gives_the_first_answer() -> None:
    legs = sale_legs(make_payee(), make_payee())
    first = ledger.post("sale:1", kind="SALE", legs=legs, at=AT)
    again = ledger.post("sale:1", kind="SALE", legs=legs, at=AT + timedelta(hours=1))
    assert (again.pk, again.posted_at) == (first.pk, AT)
    assert Entry.objects.count() == 6


@pytest.mark.django_db
@pytest.mark.parametrize("changed", ["legs", "document", "memo", "kind"])
def test_the_same_reference_with_other_content_is_refused(changed: str) -> None:
    alice, bob = make_payee(), make_payee()
    legs = sale_legs(alice, bob)
    ledger.post("sale:1", kind="SALE", legs=legs, at=AT)
    other = sale_legs(bob, alice) if changed == "legs" else legs
    with pytest.raises(LedgerConflict):
        ledger.post(
            "sale:1",
            kind="OTHER" if changed == "kind" else "SALE",
            legs=other,
            at=AT,
            document_sha256="0" * 64 if changed == "document" else "",
            memo="x" if changed == "memo" else "",
        )


@pytest.mark.django_db(transaction=True)
def test_nothing_is_posted_outside_a_transaction() -> None:
    legs = sale_legs(make_payee(), make_payee())
    with pytest.raises(LedgerOutsideTransaction):
        ledger.post("sale:1", kind="SALE", legs=legs, at=AT)


@pytest.mark.django_db
def test_legs_that_cannot_stand_are_refused_with_a_reason() -> None:
    stripe, bob = accounts.stripe_balance("EUR"), accounts.payee(make_payee(), "EUR")
    dollars = accounts.stripe_balance("USD")
    crooked = [
        [ledger.debit(stripe, 5)],
        [ledger.debit(stripe, 5), ledger.credit(bob, 4)],
        [ledger.debit(stripe, 0), ledger.credit(bob, 0)],
        [ledger.debit(stripe, -5), ledger.credit(bob, -5)],
        [ledger.debit(dollars, 5), ledger.credit(bob, 5)],
        [Leg(stripe, "X", 5), ledger.credit(bob, 5)],
        [ledger.debit(stripe, 2**62), ledger.credit(bob, 2**62)],
        [ledger.debit(stripe, 5.0), ledger.credit(bob, 5.0)],  # type: ignore[arg-type]
    ]
    for legs in crooked:
        with pytest.raises(LedgerRefused):
            ledger.post("sale:1", kind="SALE", legs=legs, at=AT)
    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(LedgerRefused, match="zone"):
        ledger.post("sale:1", kind="SALE", legs=sale_legs(make_payee(), make_payee()), at=AT.replace(tzinfo=None))


@pytest.mark.django_db
def test_a_reversal_brings_every_account_back() -> None:
    bob = make_payee()
    sale = post_sale(bob)
    ledger.reverse(sale, reference="refund:1", at=AT)
    assert set(ledger.balances(Account.objects.all()).values()) == {0}
    assert sale.reversed_by.reference == "refund:1"


@pytest.mark.django_db
def test_a_transfer_is_reversed_once() -> None:
    sale = post_sale()
    first = ledger.reverse(sale, reference="refund:1", at=AT)
    assert ledger.reverse(sale, reference="refund:1", at=AT).pk == first.pk
    with pytest.raises(LedgerConflict):
        ledger.reverse(sale, reference="refund:2", at=AT)


@pytest.mark.django_db
def test_a_balance_grows_on_its_own_side() -> None:
    bob = make_payee()
    post_sale(bob)
    assert ledger.balance(accounts.payee(bob, "EUR")) == 453_480
    assert ledger.balance(accounts.stripe_balance("EUR")) == 1_290_000
    assert ledger.balance(accounts.fees("EUR")) == 0


@pytest.mark.django_db
def test_a_balance_as_of_a_moment_leaves_out_what_came_then_or_later() -> None:
    bob = make_payee()
    post_earning(bob, 5, at=AT)
    post_earning(bob, 7, at=AT + timedelta(days=1))
    account = accounts.payee(bob, "EUR")
    assert ledger.balance(account, until=AT) == 0
    assert ledger.balance(account, until=AT + timedelta(days=1)) == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", [True, False])
def test_of_eight_at_once_under_one_reference_one_is_posted(same: bool) -> None:  # noqa: FBT001 - parametrized
    alice, bob = make_payee(), make_payee()
    legs = [sale_legs(alice, bob), sale_legs(bob, alice)]
    outcomes: list[str] = []

    def one(i: int) -> None:
        try:
            with transaction.atomic():
                chosen = legs[0] if same else legs[i % 2]
                outcomes.append(str(ledger.post("sale:1", kind="SALE", legs=chosen, at=AT).pk))
        except LedgerConflict:
            outcomes.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Transfer.objects.count() == 1
    assert outcomes.count("conflict") == (0 if same else 4)
    assert len(set(outcomes) - {"conflict"}) == 1


@pytest.mark.django_db
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_the_sum_of_all_balances_stays_nought(amounts: list[int]) -> None:
    bob = make_payee()
    for amount in amounts:
        post_earning(bob, amount)
    rows = list(Account.objects.all())
    sums = ledger.balances(rows)
    assert sum(sums[row.pk] * (1 if row.is_debit_normal else -1) for row in rows) == 0
    assert ledger.balance(accounts.payee(bob, "EUR")) == sum(amounts)
