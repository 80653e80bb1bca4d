"""What PostgreSQL itself refuses, whatever route the rows come by. Each test speaks raw SQL on purpose."""

import uuid

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from psycopg.sql import SQL, Identifier

from payments import accounts
from payments.models import Account, Entry, Transfer
from tests.factories.payments import AT, make_payee, post_sale

pytestmark = pytest.mark.django_db(transaction=True)


def insert_transfer(*, legs: int = 2) -> uuid.UUID:
    key = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_transfer"
            " (id, reference, kind, request_sha256, document_sha256, memo, legs, posted_at, xid)"
            " VALUES (%s, %s, 'SALE', '', '', '', %s, %s, 7)",
            [key, str(key), legs, AT],
        )
    return key


def insert_entry(
    transfer: uuid.UUID, position: int, account: Account, side: str, micros: int | str, **over: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_entry (transfer_id, position, account_id, side, amount_micros, currency)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [transfer, position, account.pk, side, micros, over.get("currency", account.currency)],
        )


@pytest.fixture
def stripe() -> Account:
    return accounts.stripe_balance("EUR")


@pytest.fixture
def bob() -> Account:
    return accounts.payee(make_payee(), "EUR")


def test_a_balanced_transfer_is_kept(stripe: Account, bob: Account) -> None:
    with transaction.atomic():
        key = insert_transfer()
        insert_entry(key, 1, stripe, "D", 5)
        insert_entry(key, 2, bob, "C", 5)
    assert Entry.objects.filter(transfer=key).count() == 2


def test_a_crooked_transfer_is_refused_at_commit(stripe: Account, bob: Account) -> None:
    def crooked() -> None:
        with transaction.atomic():
            key = insert_transfer()
            insert_entry(key, 1, stripe, "D", 5)
            insert_entry(key, 2, bob, "C", 4)
            assert Entry.objects.count() == 2  # until commit it stands

    with pytest.raises(IntegrityError, match="does not balance"):
        crooked()
    assert not Transfer.objects.exists()


def test_two_currencies_do_not_balance_each_other(stripe: Account) -> None:
    dollars = accounts.commission("USD")

    def crossed() -> None:
        with transaction.atomic():
            key = insert_transfer()
            insert_entry(key, 1, stripe, "D", 5)
            insert_entry(key, 2, dollars, "C", 5)

    with pytest.raises(IntegrityError, match="does not balance"):
        crossed()


@pytest.mark.parametrize("entries", [0, 1])
def test_a_transfer_without_two_entries_is_refused(entries: int, stripe: Account) -> None:
    def short() -> None:
        with transaction.atomic():
            key = insert_transfer()
            for position in range(1, entries + 1):
                insert_entry(key, position, stripe, "D", 5)

    with pytest.raises(IntegrityError, match="were promised"):
        short()


def test_no_entry_joins_after_the_transfers_own_transaction(stripe: Account, bob: Account) -> None:
    sale = post_sale()
    with pytest.raises(IntegrityError, match="already exists"):
        insert_entry(sale.pk, 1, stripe, "D", 5)
    with pytest.raises(IntegrityError, match="after its own transaction"):
        insert_entry(sale.pk, 7, bob, "C", 5)


def test_no_entry_joins_once_the_balance_was_checked_half_way(stripe: Account, bob: Account) -> None:
    def smuggle() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            key = insert_transfer()
            insert_entry(key, 1, stripe, "D", 5)
            insert_entry(key, 2, bob, "C", 5)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            insert_entry(key, 3, bob, "C", 5)

    with pytest.raises(IntegrityError, match="has no place 3"):
        smuggle()


def test_the_transaction_of_a_transfer_cannot_be_forged() -> None:
    sale = post_sale()
    sale.refresh_from_db()
    assert sale.xid > 7


@pytest.mark.parametrize("micros", [0, -1, 2**62])
def test_an_amount_out_of_bounds_is_refused(micros: int, stripe: Account) -> None:
    with transaction.atomic():
        key = insert_transfer()
        with pytest.raises(IntegrityError, match="entry_amount_bounded"), transaction.atomic():
            insert_entry(key, 1, stripe, "D", micros)
        transaction.set_rollback(True)


@pytest.mark.parametrize("micros", ["NaN", "Infinity", "1e400", "1_000x"])
def test_an_amount_that_is_no_whole_number_is_refused(micros: str, stripe: Account) -> None:
    with transaction.atomic():
        key = insert_transfer()
        with pytest.raises(DataError), transaction.atomic():
            insert_entry(key, 1, stripe, "D", micros)
        transaction.set_rollback(True)


def test_an_entry_in_another_currency_than_its_account_is_refused(stripe: Account, bob: Account) -> None:
    def crossed() -> None:
        with transaction.atomic():
            key = insert_transfer()
            insert_entry(key, 1, stripe, "D", 5, currency="USD")
            insert_entry(key, 2, bob, "C", 5, currency="USD")

    with pytest.raises(IntegrityError, match=r"there is no account \d+ in USD"):
        crossed()


@pytest.mark.parametrize("table", ["transfer", "entry", "account", "transferseal", "statement"])
def test_what_is_recorded_is_never_changed_or_deleted(table: str, everything_recorded: None) -> None:
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError, match="never changed"):
            cursor.execute(SQL("UPDATE {} SET id = id").format(Identifier(f"payments_{table}")))
        with pytest.raises(IntegrityError, match="never changed"):
            cursor.execute(SQL("DELETE FROM {}").format(Identifier(f"payments_{table}")))


def test_without_its_trigger_a_crooked_transfer_would_stand(stripe: Account, bob: Account) -> None:
    """The control: it is this trigger, and nothing else, that keeps the balance."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_transfer DISABLE TRIGGER payments_transfer_balanced")
        key = insert_transfer()
        insert_entry(key, 1, stripe, "D", 5)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert Entry.objects.count() == 1
        transaction.set_rollback(True)


@pytest.mark.parametrize("table", ["transfer", "entry", "account", "transferseal", "statement"])
@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE"])
def test_the_applications_role_may_only_read_and_add(table: str, privilege: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('clearsong_app', %s, %s)", [f"payments_{table}", privilege])
        assert cursor.fetchone()[0] is False


def test_the_applications_role_cannot_truncate_the_ledger() -> None:
    def truncate() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE clearsong_app")
            cursor.execute("TRUNCATE payments_entry CASCADE")

    with pytest.raises(Exception, match="permission denied"):
        truncate()


@pytest.mark.parametrize("act", ["UPDATE payments_entry SET amount_micros = 7", "DELETE FROM payments_entry"])
def test_the_applications_role_is_refused_before_any_trigger(act: str) -> None:
    post_sale()

    def change() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE payments_entry DISABLE TRIGGER payments_entry_append_only")
            cursor.execute("SET LOCAL ROLE clearsong_app")
            cursor.execute(act)

    with pytest.raises(Exception, match="permission denied"):
        change()


def test_with_trigger_and_privilege_off_an_entry_could_be_changed() -> None:
    """The control: it is these two guards, and nothing else, that keep an entry as it was."""
    post_sale()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_entry DISABLE TRIGGER payments_entry_append_only")
        cursor.execute("GRANT UPDATE ON payments_entry TO clearsong_app")
        cursor.execute("SET LOCAL ROLE clearsong_app")
        cursor.execute("UPDATE payments_entry SET amount_micros = 7")
        assert set(Entry.objects.values_list("amount_micros", flat=True)) == {7}
        transaction.set_rollback(True)


def test_the_applications_role_can_post(stripe: Account, bob: Account) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE clearsong_app")
        post_sale()
    assert Transfer.objects.count() == 1
