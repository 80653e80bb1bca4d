"""The ledger: post, reverse, balance. Double entry in millionths, append-only.

What is refused here with a reason is refused by the database without one (migration 0002), whichever way it comes.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from payments.errors import LedgerConflict, LedgerOutsideTransaction, LedgerRefused
from payments.models import MICROS_BOUND, Account, Entry, Transfer

DEBIT = Entry.Side.DEBIT.value
CREDIT = Entry.Side.CREDIT.value


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a transfer to be posted: `micros` above nought, side `D` or `C`, in the account's currency."""

    account: Account
    side: str
    micros: int


def debit(account: Account, micros: int) -> Leg:
    return Leg(account, DEBIT, micros)


def credit(account: Account, micros: int) -> Leg:
    return Leg(account, CREDIT, micros)


# One statement and one round trip: a sale holds its locks no longer than it must.
_POST = """
WITH made AS (
    INSERT INTO payments_transfer
        (id, reference, kind, request_sha256, document_sha256, memo, reverses_id, legs, posted_at, xid)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0)
    ON CONFLICT (reference) DO NOTHING
    RETURNING id
)
INSERT INTO payments_entry (transfer_id, position, account_id, side, amount_micros, currency)
SELECT made.id, leg.* FROM made, json_to_recordset(%s::json)
    AS leg(position smallint, account bigint, side text, micros bigint, currency text)
"""


def post(
    reference: str,
    *,
    kind: str,
    legs: Sequence[Leg],
    at: datetime,
    document_sha256: str = "",
    memo: str = "",
    reverses: Transfer | None = None,
) -> Transfer:
    """Post one balanced transfer inside the caller's transaction and return it.

    The same reference with the same content returns what was posted the first time, whatever `at` says; with other
    content it raises LedgerConflict. Raises LedgerOutsideTransaction where no transaction is open, because a posting
    must never be committed apart from the rows it belongs to, and LedgerRefused for legs that cannot stand.
    """
    if not connection.in_atomic_block:
        raise LedgerOutsideTransaction("Open transaction.atomic() around the rows this posting belongs to.")
    _check(reference, legs, at)
    asked = _request_sha256(kind, legs, document_sha256, memo, reverses)
    transfer = Transfer(
        id=uuid.uuid4(), reference=reference, kind=kind, request_sha256=asked, document_sha256=document_sha256,
        memo=memo, reverses=reverses, legs=len(legs), posted_at=at,
    )  # fmt: skip
    entries = [
        {
            "position": position,
            "account": leg.account.pk,
            "side": leg.side,
            "micros": leg.micros,
            "currency": leg.account.currency,
        }
        for position, leg in enumerate(legs, start=1)
    ]
    head: list[Any] = [transfer.id, reference, kind, asked, document_sha256, memo, transfer.reverses_id, len(legs), at]
    with connection.cursor() as cursor:
        cursor.execute(_POST, [*head, json.dumps(entries)])
        if cursor.rowcount:
            transfer._state.adding = False  # noqa: SLF001 - the row is there; Django was only spared a second query
            transfer._state.db = connection.alias  # noqa: SLF001
            return transfer
    before = Transfer.objects.get(reference=reference)
    if before.request_sha256 != asked:
        raise LedgerConflict(
            f"{reference} is already posted with other content; post a correction under a new reference."
        )
    return before


def reverse(transfer: Transfer, *, reference: str, at: datetime, memo: str = "") -> Transfer:
    """Post the exact mirror of a transfer; a transfer is reversed at most once.

    Raises LedgerConflict where it was reversed before under another reference.
    """
    earlier = Transfer.objects.filter(reverses=transfer).first()
    if earlier is not None and earlier.reference != reference:
        raise LedgerConflict(f"{transfer.reference} was already reversed by {earlier.reference}.")
    mirrored = [
        Leg(entry.account, CREDIT if entry.side == DEBIT else DEBIT, entry.amount_micros)
        for entry in transfer.entries.select_related("account").order_by("position")
    ]
    return post(
        reference,
        kind=f"{transfer.kind}_REVERSAL"[:30],
        legs=mirrored,
        at=at,
        document_sha256=transfer.document_sha256,
        memo=memo,
        reverses=transfer,
    )


def balance(account: Account, *, until: datetime | None = None) -> int:
    """Micros on the side where this account grows: what we owe a payee is above nought, what we have at Stripe too.

    With `until`, only what was posted before that moment.
    """
    return balances([account], until=until)[account.pk]


def balances(accounts: Iterable[Account], *, until: datetime | None = None) -> dict[int, int]:
    """The balance of each account by its key, in one query."""
    chosen = {account.pk: account for account in accounts}
    found = dict.fromkeys(chosen, 0)
    if not chosen:
        return found
    limit = "" if until is None else "JOIN payments_transfer t ON t.id = e.transfer_id AND t.posted_at < %s "
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.account_id, sum(CASE e.side WHEN 'D' THEN e.amount_micros ELSE -e.amount_micros END)::bigint "  # noqa: S608 - `limit` is one of two constants
            f"FROM payments_entry e {limit}WHERE e.account_id = ANY(%s) GROUP BY e.account_id",
            [*([] if until is None else [until]), list(chosen)],
        )
        for account_id, debits_less_credits in cursor.fetchall():
            sign = 1 if chosen[account_id].is_debit_normal else -1
            found[account_id] = sign * int(debits_less_credits)
    return found


def _check(reference: str, legs: Sequence[Leg], at: datetime) -> None:
    if not reference:
        raise LedgerRefused("A posting needs a reference: the business fact it stands for.")
    if at.tzinfo is None:
        raise LedgerRefused(f"{reference}: the time of a posting needs a zone.")
    if len(legs) < 2:  # noqa: PLR2004 - double entry
        raise LedgerRefused(f"{reference}: a transfer has two entries or more.")
    sums: dict[str, int] = {}
    for leg in legs:
        if type(leg.micros) is not int or not 0 < leg.micros < MICROS_BOUND:
            raise LedgerRefused(
                f"{reference}: {leg.micros!r} on {leg.account.code} must be a whole number above nought."
            )
        if leg.side not in (DEBIT, CREDIT):
            raise LedgerRefused(f"{reference}: a side is D or C, not {leg.side!r}.")
        currency = leg.account.currency
        sums[currency] = sums.get(currency, 0) + (leg.micros if leg.side == DEBIT else -leg.micros)
    crooked = {currency: rest for currency, rest in sums.items() if rest}
    if crooked:
        raise LedgerRefused(f"{reference} does not balance: debits less credits are {crooked}.")


def _request_sha256(kind: str, legs: Sequence[Leg], document: str, memo: str, reverses: Transfer | None) -> str:
    """The hash of what was asked: all but the time, which differs when a request is made again."""
    asked = [
        kind,
        document,
        memo,
        "" if reverses is None else str(reverses.pk),
        [[leg.account.code, leg.side, leg.micros, leg.account.currency] for leg in legs],
    ]
    return hashlib.sha256(json.dumps(asked, separators=(",", ":")).encode()).hexdigest()
