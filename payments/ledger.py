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

from django.db import IntegrityError, connection

from payments import closings
from payments.errors import LedgerClosed, LedgerConflict, LedgerOutsideTransaction, LedgerRefused
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


# One call and one round trip, by plans that PostgreSQL keeps: a sale holds its locks no longer than it must.
_POST = """SELECT payments_post(%s, %s, %s, %s, %s, %s, %s, %s, %s::bigint[], %s::text[], %s::bigint[], %s::text[])"""


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
    must never be committed apart from the rows it belongs to, LedgerRefused for legs that cannot stand, and
    LedgerClosed where `at` lies in a closed period.
    """
    if not connection.in_atomic_block:
        raise LedgerOutsideTransaction("Open transaction.atomic() around the rows this posting belongs to.")
    _check(reference, legs, at)
    asked = _request_sha256(kind, legs, document_sha256, memo, reverses)
    transfer = Transfer(
        id=uuid.uuid4(), reference=reference, kind=kind, request_sha256=asked, document_sha256=document_sha256,
        memo=memo, reverses=reverses, legs=len(legs), posted_at=at,
    )  # fmt: skip
    if _insert(transfer, legs):
        transfer._state.adding = False  # noqa: SLF001 - the row is there; Django was only spared a second query
        transfer._state.db = connection.alias  # noqa: SLF001
        return transfer
    before = Transfer.objects.get(reference=reference)
    if before.request_sha256 != asked:
        raise LedgerConflict(
            f"{reference} is already posted with other content; post a correction under a new reference."
        )
    return before


def _insert(transfer: Transfer, legs: Sequence[Leg]) -> bool:
    """Whether it was put in: not where its reference is there already."""
    row: list[Any] = [
        transfer.id, transfer.reference, transfer.kind, transfer.request_sha256, transfer.document_sha256,
        transfer.memo, transfer.reverses_id, transfer.posted_at,
        _array(leg.account.pk for leg in legs),
        _array(leg.side for leg in legs),
        _array(leg.micros for leg in legs),
        _array(leg.account.currency for leg in legs),
    ]  # fmt: skip
    try:
        with connection.cursor() as cursor:
            cursor.execute(_POST, row)
            return bool(cursor.fetchone()[0])
    except IntegrityError as error:
        refused = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
        if refused == "payments_period_open":
            raise LedgerClosed(f"{error}. Post it with the present time.") from error
        if refused == "payments_transfer_reverses_id_key":  # somebody reversed it a moment ago
            raise LedgerConflict(f"{transfer.reference}: what it reverses was already reversed.") from error
        raise


def _array(items: Iterable[str | int]) -> str:
    """Numbers, sides and currency codes as PostgreSQL reads a list; half as dear as having it quoted item by item."""
    return "{" + ",".join(map(str, items)) + "}"


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
    """The balance of each account by its key, in one query: the last closing's, and the entries since."""
    chosen = {account.pk: account for account in accounts}
    found = dict.fromkeys(chosen, 0)
    if not chosen:
        return found
    keys, end = list(chosen), until or "infinity"
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, [end, keys, keys, end])
        for account_id, debits_less_credits in cursor.fetchall():
            sign = 1 if chosen[account_id].is_debit_normal else -1
            found[account_id] = sign * debits_less_credits
    return found


def trial_balance() -> list[tuple[str, str, str, int]]:
    """Code, kind, currency, and debits less credits of every account that was ever moved, by code.

    They sum to nought in each currency. `audit.account_sums` says the same out of the entries alone.
    """
    closing = closings.last()  # the last one is never forgotten, so it is still there for the next statement
    key, since = (closing.pk, closing.until) if closing else (None, closings.BEGINNING)
    with connection.cursor() as cursor:
        cursor.execute(_TRIAL_BALANCE, [key, since])
        return [(row[0], row[1], row[2], row[3]) for row in cursor.fetchall()]


# One statement, so that both parts are seen at one moment.
_BALANCES = """
WITH last AS (SELECT id, until FROM payments_closing WHERE kept AND until <= %s ORDER BY until DESC LIMIT 1)
SELECT account_id, sum(micros)::bigint FROM (
    SELECT account_id, micros FROM payments_closedbalance
     WHERE closing_id = (SELECT id FROM last) AND account_id = ANY(%s)
    UNION ALL
    SELECT account_id, CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END FROM payments_entry
     WHERE account_id = ANY(%s)
       AND posted_at >= coalesce((SELECT until FROM last), '-infinity') AND posted_at < %s
) AS moved GROUP BY account_id
"""
_TRIAL_BALANCE = """
SELECT a.code, a.kind, a.currency, s.micros FROM (
    SELECT account_id, sum(micros)::bigint AS micros FROM (
        SELECT account_id, micros FROM payments_closedbalance WHERE closing_id = %s
        UNION ALL
        SELECT account_id, CASE side WHEN 'D' THEN amount_micros ELSE -amount_micros END
          FROM payments_entry WHERE posted_at >= %s
    ) AS moved GROUP BY account_id
) AS s JOIN payments_account a ON a.id = s.account_id ORDER BY a.code
"""


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
