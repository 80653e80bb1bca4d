"""Many at once: no transfer is reversed twice, no fork in the chain, and the books still balance."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from payments import accounts, audit, chain, ledger, tasks
from payments.errors import LedgerConflict
from payments.models import Account, Transfer, TransferSeal, UnsealedTransfer
from payments.seals import GENESIS
from tests.factories.payments import AT, make_payee, post_earning, post_sale

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 16


def at_once(number: int, act: Callable[[int], None]) -> None:
    """Each number is acted on by one of a few threads, all started at the same moment."""
    start = threading.Barrier(THREADS)
    failed: list[BaseException] = []

    def work(first: int) -> None:
        try:
            start.wait()
            for index in range(first, number, THREADS):
                act(index)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def some_accounts(number: int) -> list[Account]:
    return [accounts.suspense(f"storm-{index}", "EUR") for index in range(number)]


def transfers_between(rows: list[Account], number: int) -> None:
    dice = random.Random(7)
    pairs = [dice.sample(rows, 2) for _ in range(number)]

    def move(index: int) -> None:
        source, target = pairs[index]
        with transaction.atomic():
            legs = [ledger.debit(source, 1 + index), ledger.credit(target, 1 + index)]
            ledger.post(f"move:{index}", kind="MOVE", legs=legs, at=AT)

    at_once(number, move)


@pytest.mark.parametrize(
    ("rows", "moves"), [(16, 60), pytest.param(80, 500, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_of_two_reversals_of_each_transfer_at_once_exactly_one_stands(rows: int, moves: int) -> None:
    known = some_accounts(rows)
    transfers_between(known, moves)
    refused: list[int] = []

    def reverse(index: int) -> None:
        original = Transfer.objects.get(reference=f"move:{index // 2}")
        try:
            with transaction.atomic():
                ledger.reverse(original, reference=f"back:{index}", at=AT)
        except LedgerConflict:
            refused.append(index)

    at_once(2 * moves, reverse)
    assert Transfer.objects.filter(reverses__isnull=False).count() == moves
    assert sorted(index // 2 for index in refused) == list(range(moves))
    assert set(ledger.balances(known).values()) == {0}


def test_without_the_unique_key_two_reversals_would_stand() -> None:
    """The control: looking first is not enough, because two may look before either has posted."""
    sale = post_sale()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_transfer DROP CONSTRAINT payments_transfer_reverses_id_key")
        mirrored = [ledger.Leg(e.account, "C" if e.side == "D" else "D", e.amount_micros) for e in sale.entries.all()]
        for name in ("back:1", "back:2"):
            ledger.post(name, kind="SALE_REVERSAL", legs=mirrored, at=AT, reverses=sale)
        assert Transfer.objects.filter(reverses=sale).count() == 2
        transaction.set_rollback(True)


def test_many_writers_beside_a_sealing_writer_leave_one_chain_without_a_fork() -> None:
    bob = make_payee()

    def write(index: int) -> None:
        post_earning(bob, 1 + index)
        chain.seal_new(at=AT)

    at_once(4 * THREADS, write)
    chain.seal_new(at=AT)
    seals = list(TransferSeal.objects.order_by("position").values_list("position", "previous_sha256", "sha256"))
    assert [position for position, _, _ in seals] == list(range(1, 4 * THREADS + 1))
    assert [previous for _, previous, _ in seals[1:]] == [sha256 for _, _, sha256 in seals[:-1]]
    assert audit.verify().problem is None


def test_two_that_seal_past_the_writers_lock_are_stopped_by_the_unique_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control of the lock: without it a fork is refused by the table, and nothing is lost."""
    for _ in range(2):
        post_sale()
    first, second = UnsealedTransfer.objects.order_by("pk").values_list("transfer_id", flat=True)
    TransferSeal.objects.create(position=1, transfer_id=first, previous_sha256=GENESIS, sha256="a" * 64, sealed_at=AT)
    with pytest.raises(IntegrityError, match="position"), transaction.atomic():
        TransferSeal.objects.create(
            position=1, transfer_id=second, previous_sha256=GENESIS, sha256="b" * 64, sealed_at=AT
        )


def test_what_nobody_sealed_for_a_minute_raises_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    post_sale(at=AT)
    UnsealedTransfer.objects.update(posted_at=AT - timedelta(days=1))
    tasks.sweep()
    assert "waited for their seal for more than a minute" in caplog.text
    assert chain.waiting() == 0
