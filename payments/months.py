"""The end of a month: every payee is told, once, what it earned, what was kept back, what went out, what is owed.

A statement is written from the ledger's own sums and refuses to exist where they do not add up: opening, earnings and
movements must lead to the closing balance, and what the caller says about the earnings must sum to them to the last
millionth. Payees are taken in batches, each in one transaction, so that a month that was interrupted is taken up where
it stopped; the owed work is the row of the month.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from payments import ledger
from payments.errors import StatementError
from payments.models import Account, Closing, Payee, Statement, StatementPeriod, Transfer

VERSION = 2
BATCH = 5_000  # accounts at once, and entries: each batch reads the period's transfers through, and is held in memory
ENTRIES = 250_000
SHOWN_PROBLEMS = 20

Line = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Detail:
    """What a caller knows about earnings: `of` is given the payees' accounts and a period, and answers with lines.

    It speaks for transfers of these `kinds`, all of them. `columns` names what stands in each line; the last is the
    amount in millionths. Payments knows no music: to it, a line is words and a sum. Transfers of the `summed` kinds,
    which go with each sale, are told as one movement for each kind.
    """

    kinds: frozenset[str]
    columns: tuple[str, ...]
    of: Callable[[Sequence[int], datetime, datetime], Mapping[int, Sequence[Line]]]
    summed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: statements issued now, and payees refused, each with its reason."""

    issued: int
    refused: tuple[str, ...]


@dataclass(slots=True)
class _Moved:
    """What moved for one payee in one currency, in micros.

    `own` is all that moved its own account. `earned` is what told kinds of transfers brought in all, and `beside` what
    of it went to other accounts of the payee (a reserve, a debt), by the kind of account. `any` says there was a move.
    """

    own: int = 0
    earned: int = 0
    beside: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    any: bool = False


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """The calendar month (UTC) that holds the moment: its first instant and the next month's."""
    since = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return since, (since + timedelta(days=32)).replace(day=1)


def owed(*, at: datetime) -> tuple[datetime, datetime] | None:
    """The oldest month that is over and not closed; None where nothing is owed. A few queries.

    A month is over for statements once the ledger has closed its last day: then nothing is posted into it any more.
    """
    last = StatementPeriod.objects.filter(closed_at=None).order_by("since").first()
    if last is not None:
        return last.since, last.until
    closed = StatementPeriod.objects.order_by("-since").first()
    if closed is not None:
        since, until = month_of(closed.until)
    else:
        first = Transfer.objects.order_by("posted_at").values_list("posted_at", flat=True).first()
        if first is None:
            return None
        since, until = month_of(first)
    over = until <= at and Closing.objects.filter(until__gte=until, closed_at__isnull=False).exists()
    return (since, until) if over else None


def close_period(
    since: datetime,
    until: datetime,
    *,
    at: datetime,
    detail: Detail | None = None,
    tell: Callable[[Sequence[Statement]], None] | None = None,
    batch: int = BATCH,
) -> Run:
    """Issue the statements of a period to everybody who has something in it; again, only to those who lack theirs.

    `tell` is called in the transaction of each batch, so that a letter is owed exactly where a statement was issued.
    The period is closed once nobody is refused. Raises StatementError for one that is not over.
    """
    if since >= until or until > at:
        raise StatementError("A period is closed once it is over.")
    period, _ = StatementPeriod.objects.get_or_create(since=since, defaults={"until": until, "opened_at": at})
    if period.until != until:
        raise StatementError(f"The period from {since} ends at {period.until}.")
    issued, refused = 0, []
    for keys in _batches(_untold(since, until), since, until, most=batch):
        done, problems = _close_batch(keys, since, until, at=at, detail=detail, tell=tell)
        issued += done
        refused += problems
    problem = "\n".join(refused[:SHOWN_PROBLEMS])
    StatementPeriod.objects.filter(pk=period.pk, closed_at=None).update(
        problem=problem, closed_at=None if refused else at
    )
    return Run(issued, tuple(refused))


def _untold(since: datetime, until: datetime) -> list[int]:
    """The payees' accounts without a statement of the period, by payee."""
    told = Statement.objects.filter(since=since, until=until).values_list("payee_id", "currency")
    known = set(told)
    rows = Account.objects.filter(kind=Account.Kind.PAYEE)
    listed = rows.order_by("payee_id", "currency").values_list("pk", "payee_id", "currency")
    return [key for key, payee, currency in listed if (payee, currency) not in known]


def _batches(keys: Sequence[int], since: datetime, until: datetime, *, most: int) -> Iterator[list[int]]:
    """The accounts in their order, cut where there are as many of them or of their entries as a batch may hold."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, count(*) FROM payments_entry "
            "WHERE account_id = ANY(%s) AND posted_at >= %s AND posted_at < %s GROUP BY account_id",
            [list(keys), since, until],
        )
        entries = dict(cursor.fetchall())
    batch: list[int] = []
    held = 0
    for key in keys:
        if len(batch) == most or (batch and held + entries.get(key, 0) > ENTRIES):
            yield batch
            batch, held = [], 0
        batch.append(key)
        held += entries.get(key, 0)
    if batch:
        yield batch


def _close_batch(
    keys: Sequence[int],
    since: datetime,
    until: datetime,
    *,
    at: datetime,
    detail: Detail | None,
    tell: Callable[[Sequence[Statement]], None] | None,
) -> tuple[int, list[str]]:
    with transaction.atomic():
        accounts = list(Account.objects.filter(pk__in=keys).select_related("payee").order_by("payee_id", "currency"))
        payees = sorted({account.payee_id for account in accounts if account.payee_id})
        list(Payee.objects.select_for_update(no_key=True).filter(pk__in=payees).order_by("pk"))  # their numbers run on
        told = set(
            Statement.objects.filter(payee__in=payees, since=since, until=until).values_list("payee", "currency")
        )
        accounts = [one for one in accounts if (one.payee_id, one.currency) not in told]
        drafts, refused = _drafts(accounts, since, until, detail)
        numbers = _counts(payees)
        rows = [_statement(account, document, numbers, at) for account, document in drafts]
        Statement.objects.bulk_create(rows, batch_size=500)
        if tell is not None and rows:
            tell(rows)
    return len(rows), refused


def _drafts(
    accounts: Sequence[Account], since: datetime, until: datetime, detail: Detail | None
) -> tuple[list[tuple[Account, dict[str, Any]]], list[str]]:
    """Each account's document, and a sentence for each that does not add up."""
    opening = ledger.balances(accounts, until=since)
    closing = ledger.balances(accounts, until=until)
    kinds = detail.kinds if detail else frozenset()
    keys = [account.pk for account in accounts]
    moved = _moved(keys, since, until, kinds)
    movements = _movements(keys, since, until, told=kinds, summed=detail.summed if detail else frozenset())
    busy = [key for key in keys if moved[key].any]
    lines = detail.of(busy, since, until) if detail and busy else {}
    drafts, refused = [], []
    for account in accounts:
        key = account.pk
        if not (opening[key] or closing[key] or moved[key].any):
            continue
        document = _head(account, since, until)
        document |= {
            "opening_micros": opening[key],
            "columns": list(detail.columns) if detail else [],
            "lines": [list(line) for line in lines.get(key, ())],
            "earned_micros": moved[key].earned,
            "beside": {kind: -micros for kind, micros in sorted(moved[key].beside.items()) if micros},
            "movements": movements.get(key, []),
            "closing_micros": closing[key],
        }
        problem = _problem(document, moved[key].own)
        if problem:
            refused.append(f"{account.code}: {problem}")
        else:
            drafts.append((account, document))
    return drafts, refused


def _head(account: Account, since: datetime, until: datetime) -> dict[str, Any]:
    payee = account.payee
    return {
        "version": VERSION,
        "payee": str(payee.public_id) if payee else "",
        "name": payee.name if payee else "",
        "currency": account.currency,
        "since": since.isoformat(),
        "until": until.isoformat(),
    }


def _problem(document: Mapping[str, Any], own: int) -> str:
    """Why a document may not be issued; empty where every sum is the ledger's."""
    opening, closing = document["opening_micros"], document["closing_micros"]
    if opening + own != closing:
        return f"{opening} and movements of {own} do not lead to {closing} micros."
    told = sum(line[-1] for line in document["lines"])
    if told != document["earned_micros"]:
        return f"the lines sum to {told} where the ledger has {document['earned_micros']} micros."
    total = opening + document["earned_micros"] + sum(document["beside"].values())
    total += sum(movement[-1] for movement in document["movements"])
    return "" if total == closing else f"what is told leads to {total}, not to {closing} micros."


# All that moved for these payees, on every account that is theirs in that currency: credits less debits.
_SUMS = """
SELECT own.id, t.kind, other.kind, sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END)::bigint
  FROM payments_account own
  JOIN payments_account other ON other.payee_id = own.payee_id AND other.currency = own.currency
  JOIN payments_entry e ON e.account_id = other.id AND e.posted_at >= %s AND e.posted_at < %s
  JOIN payments_transfer t ON t.id = e.transfer_id
 WHERE own.id = ANY(%s)
 GROUP BY own.id, t.kind, other.kind
"""
_SINGLE = """
SELECT e.account_id, t.posted_at, t.kind, t.reference, t.memo,
       sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END)::bigint
  FROM payments_entry e
  JOIN payments_transfer t ON t.id = e.transfer_id
 WHERE e.posted_at >= %s AND e.posted_at < %s AND e.account_id = ANY(%s) AND NOT t.kind = ANY(%s)
 GROUP BY e.account_id, t.id
 ORDER BY t.posted_at, t.id
"""
_SUMMED = """
SELECT e.account_id, max(e.posted_at), t.kind, count(DISTINCT t.id),
       sum(CASE e.side WHEN 'C' THEN e.amount_micros ELSE -e.amount_micros END)::bigint
  FROM payments_entry e
  JOIN payments_transfer t ON t.id = e.transfer_id
 WHERE e.posted_at >= %s AND e.posted_at < %s AND e.account_id = ANY(%s) AND t.kind = ANY(%s)
 GROUP BY e.account_id, t.kind
 ORDER BY t.kind
"""


def _moved(keys: Sequence[int], since: datetime, until: datetime, told: Collection[str]) -> dict[int, _Moved]:
    """What moved for each account's payee; `told` are the kinds of transfers that lines speak for. One query."""
    found: dict[int, _Moved] = {key: _Moved() for key in keys}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [since, until, list(keys)])
        for key, kind, account_kind, micros in cursor.fetchall():
            moved = found[key]
            moved.any = True
            if account_kind == Account.Kind.PAYEE:
                moved.own += micros
            elif kind in told:
                moved.beside[account_kind] += micros
            if kind in told:
                moved.earned += micros
    return found


def _movements(
    keys: Sequence[int], since: datetime, until: datetime, *, told: Collection[str], summed: Collection[str]
) -> dict[int, list[list[Any]]]:
    """What moved the payees' own accounts and no line speaks for: payouts, withholding, releases. Two queries."""
    found: dict[int, list[list[Any]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_SINGLE, [since, until, list(keys), sorted({*told, *summed})])
        for key, posted_at, kind, reference, memo, micros in cursor.fetchall():
            found[key].append([posted_at.isoformat(), kind, reference, memo, micros])
        if summed:
            cursor.execute(_SUMMED, [since, until, list(keys), sorted(summed)])
            for key, posted_at, kind, number, micros in cursor.fetchall():
                found[key].append([posted_at.isoformat(), kind, "", f"{number} in all", micros])
    return found


def _counts(payees: Iterable[int]) -> dict[int, int]:
    """How many statements each payee was told before; their rows are locked."""
    counts: dict[int, int] = defaultdict(int)
    for payee in Statement.objects.filter(payee__in=payees).values_list("payee_id", flat=True):
        counts[payee] += 1
    return counts


def _statement(account: Account, document: dict[str, Any], numbers: dict[int, int], at: datetime) -> Statement:
    payee = account.payee_id or 0
    numbers[payee] += 1
    return Statement(
        payee=account.payee,  # whose address a letter needs: not one query more for each
        currency=account.currency,
        since=datetime.fromisoformat(document["since"]),
        until=datetime.fromisoformat(document["until"]),
        number=f"ST-{payee:06}-{numbers[payee]:04}",
        opening_micros=document["opening_micros"],
        closing_micros=document["closing_micros"],
        document=document,
        sha256=sha256(document),
        issued_at=at,
    )


def sha256(document: Mapping[str, Any]) -> str:
    """The hash of a statement's canonical form: JSON with sorted names and no blanks."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
