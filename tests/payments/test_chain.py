"""The chain: whatever is changed, removed, inserted or reordered behind the triggers' back is found and named."""

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from payments import audit, chain
from payments.models import Transfer, TransferSeal
from tests.factories.payments import AT, make_payee, post_sale

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def guards_off() -> Iterator[Callable[[str], None]]:
    """What a superuser with bad intentions can do: triggers are off inside the block."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor.execute


def three_sealed_sales(name: str = "sale") -> list[Transfer]:
    sales = [post_sale(reference=f"{name}:{i}") for i in range(3)]
    chain.seal_new(at=AT)
    return sales


def test_what_is_posted_is_sealed_in_order_and_verifies() -> None:
    sales = three_sealed_sales()
    assert [seal.transfer_id for seal in TransferSeal.objects.order_by("position")] == [sale.pk for sale in sales]
    assert chain.verify() is None
    assert chain.waiting() == 0


def test_a_seals_hash_can_be_computed_by_anybody_from_its_line() -> None:
    sale = three_sealed_sales()[0]
    line = [1, "0" * 64, str(sale.pk), "sale:0", "SALE", "", "", "", "2026-11-21T12:00:00.000000Z"]
    entries = [[e.position, e.account.code, e.side, e.amount_micros, e.currency] for e in sale.entries.all()]
    text = json.dumps([*line, entries], separators=(",", ":"), ensure_ascii=False)
    assert TransferSeal.objects.get(position=1).sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_sealing_again_changes_nothing() -> None:
    three_sealed_sales()
    assert chain.seal_new(at=AT) == 0
    assert TransferSeal.objects.count() == 3


def test_a_rolled_back_sale_leaves_nothing_to_seal() -> None:
    with transaction.atomic():
        post_sale()
        transaction.set_rollback(True)
    assert chain.waiting() == 0


def test_many_writers_make_one_chain() -> None:
    for _ in range(12):
        post_sale()
    done: list[int] = []

    def seal() -> None:
        done.append(chain.seal_new(at=AT))
        connection.close()

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 12
    assert chain.verify() is None


def test_what_waits_too_long_is_counted() -> None:
    post_sale(at=AT)
    assert chain.overdue(at=AT + timedelta(seconds=59)) == 0
    assert chain.overdue(at=AT + timedelta(seconds=61)) == 1


@pytest.mark.parametrize(
    ("tampering", "row"),
    [
        ("UPDATE payments_entry SET amount_micros = amount_micros + 1 FROM payments_transfer t "  # noqa: ISC004
         "WHERE t.id = transfer_id AND t.reference = 'sale:1' AND position IN (1, 2)", "sale:1"),
        ("UPDATE payments_transfer SET memo = 'x' WHERE reference = 'sale:1'", "sale:1"),
        ("UPDATE payments_transfer SET document_sha256 = repeat('0', 64) WHERE reference = 'sale:0'", "sale:0"),
        ("DELETE FROM payments_transferseal WHERE position = 2", "seal 2"),
        ("DELETE FROM payments_transferseal WHERE position = 3", "sale:2"),
        ("UPDATE payments_transferseal SET position = 5 - position WHERE position IN (2, 3)", "seal 2"),
        ("UPDATE payments_transferseal SET sha256 = repeat('f', 64) WHERE position = 2", "seal 2"),
        ("DELETE FROM payments_unsealedtransfer", "sale:9"),
    ],
)  # fmt: skip
def test_tampering_is_found_and_named(tampering: str, row: str) -> None:
    three_sealed_sales()
    if "unsealed" in tampering:
        post_sale(reference="sale:9")
    with guards_off() as run:
        run("ALTER TABLE payments_transferseal DROP CONSTRAINT payments_transferseal_position_key")
        run(tampering)
    problem = audit.verify().problem
    with guards_off() as run:
        run("DELETE FROM payments_transferseal")
        run("ALTER TABLE payments_transferseal ADD CONSTRAINT payments_transferseal_position_key UNIQUE (position)")
    assert problem is not None
    assert problem.where == "chain"
    assert row in problem.row


def test_a_deleted_entry_is_found_before_the_chain_is_read() -> None:
    three_sealed_sales()
    with guards_off() as run:
        run("DELETE FROM payments_entry WHERE position = 6 AND transfer_id = "
            "(SELECT id FROM payments_transfer WHERE reference = 'sale:1')")  # fmt: skip
    problem = audit.verify().problem
    assert problem is not None
    assert (problem.where, problem.row) == ("transfer", "transfer sale:1")


@pytest.mark.parametrize(
    ("off", "on", "name"),
    [
        ("ALTER TABLE payments_entry DISABLE TRIGGER payments_entry_joins",
         "ALTER TABLE payments_entry ENABLE TRIGGER payments_entry_joins", "payments_entry_joins"),
        ("GRANT TRUNCATE ON payments_entry TO clearsong_app",
         "REVOKE TRUNCATE ON payments_entry FROM clearsong_app", "clearsong_app"),
    ],
)  # fmt: skip
def test_a_guard_that_is_switched_off_is_named(off: str, on: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(off)
        problem = audit.verify().problem
        cursor.execute(on)
    assert problem is not None
    assert problem.where == "guard"
    assert name in problem.row
    assert audit.verify().problem is None


def test_the_command_says_that_every_row_fits() -> None:
    three_sealed_sales("of no order line")  # what is sold by the shop has one: tests/journeys/test_books.py
    out = io.StringIO()
    call_command("ledger", "verify", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["ok"], found["transfers"], found["entries"], found["sealed"]) == (True, 3, 18, 3)
    assert sum(found["balances"].values()) == 0


def test_the_command_names_the_first_row_and_ends_with_status_1() -> None:
    three_sealed_sales()
    with guards_off() as run:
        run("UPDATE payments_transfer SET memo = 'x' WHERE reference = 'sale:1'")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("ledger", "verify", stdout=out)
    assert ended.value.code == 1
    assert "sale:1" in out.getvalue()


def test_the_command_prints_balances_that_sum_to_nought() -> None:
    post_sale(make_payee())
    out = io.StringIO()
    call_command("ledger", "balances", stdout=out)
    assert "stripe:EUR" in out.getvalue()
    assert out.getvalue().splitlines()[-1].split() == ["sum", "0.000000", "EUR"]
