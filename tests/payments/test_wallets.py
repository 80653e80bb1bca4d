"""Wallets: paid ahead, never below nought, whichever way an entry comes and however many come at once."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from payments import accounts, ledger, wallets
from payments.errors import CreditTooLow
from payments.models import Transfer
from payments.money import Money
from tests.factories.payments import AT

EUR = "EUR"


def euros(minor: int) -> Money:
    return Money.of(minor, EUR)


def put(owner: str = "user:1", minor: int = 1000, reference: str = "credit:1"):
    wallet = wallets.open_wallet(owner, EUR)
    with transaction.atomic():
        wallets.put(
            wallet, euros(minor), source=accounts.stripe_balance(EUR), reference=reference, kind="CREDIT_BOUGHT", at=AT
        )
    return wallet


def take(wallet, minor: int, reference: str = "spent:1") -> Transfer:
    with transaction.atomic():
        return wallets.take(
            wallet, euros(minor), to=accounts.suspense("order", EUR), reference=reference, kind="CREDIT_SPENT", at=AT
        )


def raw_debit(wallet, minor: int, reference: str) -> None:
    """An entry that asked nobody, as code not yet written might post it."""
    micros = euros(minor).micros
    with transaction.atomic():
        legs = [ledger.debit(wallet.account, micros), ledger.credit(accounts.suspense("order", EUR), micros)]
        ledger.post(reference, kind="RAW", legs=legs, at=AT)


@pytest.mark.django_db
def test_what_is_put_in_can_be_taken_out_to_the_cent():
    wallet = put()
    take(wallet, 400)
    assert wallets.balance("user:1", EUR) == euros(600)
    take(wallet, 600, "spent:2")
    assert wallets.balance("user:1", EUR) == euros(0)


@pytest.mark.django_db
def test_the_running_store_may_do_so_with_the_few_rights_it_has(as_application):
    take(put(), 400)
    assert wallets.balance("user:1", EUR) == euros(600)


@pytest.mark.django_db
def test_more_than_there_is_is_refused_in_words():
    wallet = put()
    with pytest.raises(CreditTooLow, match="There is EUR:10"):
        take(wallet, 1001)
    assert wallets.balance("user:1", EUR) == euros(1000)


@pytest.mark.django_db
def test_the_same_reference_takes_once():
    wallet = put()
    assert take(wallet, 700).pk == take(wallet, 700).pk
    assert wallets.balance("user:1", EUR) == euros(300)


@pytest.mark.django_db
def test_nobody_has_credit_before_it_is_paid():
    assert wallets.balance("user:9", EUR) == euros(0)


@pytest.mark.django_db
def test_each_currency_is_a_wallet_of_its_own():
    put()
    assert wallets.balance("user:1", "USD") == Money.of(0, "USD")
    assert wallets.open_wallet("user:1", EUR).pk == wallets.open_wallet("user:1", EUR).pk


@pytest.mark.django_db
def test_the_database_refuses_what_asked_nobody():
    wallet = put()
    with pytest.raises(IntegrityError, match="below nought"):
        raw_debit(wallet, 1001, "raw:1")


@pytest.mark.django_db
def test_without_its_trigger_the_wallet_would_be_overdrawn():
    """The control of the one above."""
    wallet = put()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_entry DISABLE TRIGGER payments_wallet_covered")
    raw_debit(wallet, 1001, "raw:1")
    assert ledger.balance(wallet.account) < 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("spend", [take, raw_debit], ids=["by the act", "by the database alone"])
def test_eight_who_spend_the_same_money_at_once_spend_it_once(spend):
    wallet = put()
    start, spent = threading.Barrier(8), []

    def run(number: int) -> None:
        start.wait(20)
        try:
            spend(wallet, 1000, f"spent:{number}")
        except (CreditTooLow, IntegrityError):
            pass
        else:
            spent.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spent) == 1
    assert wallets.balance("user:1", EUR) == euros(0)
