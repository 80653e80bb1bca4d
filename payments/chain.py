"""The hash chain over transfers: each seal's hash covers the transfer, its entries and the seal before it.

One writer takes what waits, in batches, just after commit, so a sale never waits for the chain's tip. Change, remove,
insert or reorder a sealed transfer and every later hash is another one.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from payments import merkle
from payments.models import Account, TransferSeal, UnsealedTransfer
from payments.problems import Problem
from payments.seals import GENESIS, seal_sha256

BATCH = 1_000
WRITER_LOCK = 0x636C656172  # the advisory lock that makes the writer one
ALARM_AFTER = timedelta(minutes=1)

_ROWS = """
SELECT t.id, t.reference, t.kind, t.document_sha256, t.memo, t.reverses_id, t.posted_at,
       json_agg(json_build_array(e.position, a.code, e.side, e.amount_micros, e.currency) ORDER BY e.position)
FROM payments_transfer t
JOIN payments_entry e ON e.transfer_id = t.id
JOIN payments_account a ON a.id = e.account_id
"""


_SEALED_OF = """
WITH mine AS (
    SELECT s.position, s.previous_sha256, s.transfer_id FROM payments_transferseal s
     WHERE s.transfer_id IN (SELECT transfer_id FROM payments_entry WHERE account_id = ANY(%s))
       AND s.position > %s AND s.position <= %s ORDER BY s.position LIMIT %s
)
SELECT mine.position, mine.previous_sha256, t.id, t.reference, t.kind, t.document_sha256, t.memo, t.reverses_id,
       t.posted_at, (
           SELECT json_agg(
                      json_build_array(e.position, a.code, e.side, e.amount_micros, e.currency) ORDER BY e.position
                  )
             FROM payments_entry e JOIN payments_account a ON a.id = e.account_id WHERE e.transfer_id = t.id
       )
  FROM mine JOIN payments_transfer t ON t.id = mine.transfer_id ORDER BY mine.position
"""


def seal_new(*, at: datetime) -> int:
    """Seal every transfer that waits; returns how many. Another writer at work means nought, and it does the rest."""
    total = 0
    while True:
        sealed = _seal_batch(at)
        total += sealed
        if sealed < BATCH:
            return total


def _seal_batch(at: datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WRITER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        waiting = list(UnsealedTransfer.objects.order_by("id").values_list("id", "transfer_id")[:BATCH])
        if not waiting:
            return 0
        cursor.execute(_ROWS + "WHERE t.id = ANY(%s) GROUP BY t.id", [[transfer for _, transfer in waiting]])
        rows = {row[0]: row for row in cursor.fetchall()}
        tip = TransferSeal.objects.order_by("-position").first()
        position, previous = (tip.position, tip.sha256) if tip else (0, GENESIS)
        seals = []
        for _, transfer_id in waiting:
            position += 1
            digest = seal_sha256(position, previous, written(rows[transfer_id]))
            seals.append(
                TransferSeal(
                    position=position, transfer_id=transfer_id, previous_sha256=previous, sha256=digest, sealed_at=at
                )
            )
            previous = digest
        TransferSeal.objects.bulk_create(seals)
        UnsealedTransfer.objects.filter(id__in=[row for row, _ in waiting]).delete()
        return len(seals)


def written(row: Sequence[Any]) -> list[Any]:
    """A row of `_ROWS` as a seal writes it: text, whole numbers, lists."""
    transfer_id, reference, kind, document, memo, reverses, posted_at, entries = row
    mirrored = "" if reverses is None else str(reverses)
    moment = posted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return [str(transfer_id), reference, kind, document, memo, mirrored, moment, entries]


def head() -> tuple[int, str]:
    """Position and hash of the last seal: publish it elsewhere, and even a chain rewritten whole is found out."""
    tip = TransferSeal.objects.order_by("-position").first()
    return (tip.position, tip.sha256) if tip else (0, GENESIS)


def roots(positions: Iterable[int]) -> dict[int, str]:
    """The root of the tree over all seals up to each position: what a slice of the ledger is held against."""
    return {size: found.hex() for size, found in merkle.roots(hashes(), positions)}


def hashes(*, until: int | None = None) -> Iterator[bytes]:
    """The hash of every seal in order, up to and with that position."""
    rows = TransferSeal.objects.order_by("position")
    rows = rows if until is None else rows.filter(position__lte=until)
    return (bytes.fromhex(sha256) for sha256 in rows.values_list("sha256", flat=True).iterator(10 * BATCH))


def sealed_of(accounts: Iterable[Account], *, until: int) -> Iterator[tuple[int, str, list[Any]]]:
    """Position, previous hash and transfer, as a seal writes it, of all that touched one of these accounts."""
    keys = [account.pk for account in accounts]
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_SEALED_OF, [keys, last, until, BATCH])
            rows = cursor.fetchall()
        for row in rows:
            yield row[0], row[1], written(row[2:])
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def overdue(*, at: datetime) -> int:
    """How many transfers have waited for their seal for more than a minute; above nought is an alarm."""
    return UnsealedTransfer.objects.filter(posted_at__lt=at - ALARM_AFTER).count()


def verify() -> Problem | None:
    """Recompute the chain from its first seal and name the first row that does not fit."""
    expected, previous = 1, GENESIS
    for position, said_previous, said, row in _sealed_rows():
        name = f"seal {position} of transfer {row[1] or row[0]}"
        if position != expected:
            return Problem("chain", f"seal {expected}", f"it is missing: the next one is {position}")
        if row[7] is None:
            return Problem("chain", name, "its transfer or its entries are gone")
        if said_previous != previous:
            return Problem("chain", name, "it does not follow the seal before it")
        if seal_sha256(position, previous, written(row)) != said:
            return Problem("chain", name, "its hash is not that of the transfer as it stands now")
        expected, previous = position + 1, said
    return _unsealed_problem()


def _unsealed_problem() -> Problem | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.reference FROM payments_transfer t "
            "WHERE NOT EXISTS (SELECT FROM payments_transferseal s WHERE s.transfer_id = t.id) "
            "AND NOT EXISTS (SELECT FROM payments_unsealedtransfer u WHERE u.transfer_id = t.id) "
            "ORDER BY t.posted_at, t.id LIMIT 1"
        )
        row = cursor.fetchone()
    return Problem("chain", f"transfer {row[0]}", "it is neither sealed nor waiting to be") if row else None


def _sealed_rows() -> Iterator[tuple[int, str, str, tuple[Any, ...]]]:
    """Every seal in order with its transfer, read in slices so that memory stays small however long the chain is."""
    last = TransferSeal.objects.aggregate(last=Max("position"))["last"] or 0
    for start in range(0, last, 10 * BATCH):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT s.position, s.previous_sha256, s.sha256, t.id, t.reference, t.kind, t.document_sha256, t.memo, "
                "t.reverses_id, t.posted_at, e.entries FROM payments_transferseal s "
                "LEFT JOIN payments_transfer t ON t.id = s.transfer_id LEFT JOIN LATERAL ("
                "SELECT json_agg(json_build_array(e.position, a.code, e.side, e.amount_micros, e.currency) "
                "ORDER BY e.position) AS entries FROM payments_entry e "
                "JOIN payments_account a ON a.id = e.account_id WHERE e.transfer_id = t.id) e ON true "
                "WHERE s.position > %s AND s.position <= %s ORDER BY s.position",
                [start, start + 10 * BATCH],
            )
            rows = cursor.fetchall()
        for row in rows:
            yield row[0], row[1], row[2], row[3:]


def waiting() -> int:
    return UnsealedTransfer.objects.count()
