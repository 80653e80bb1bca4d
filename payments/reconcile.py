"""Stripe's books against ours, a day at a time: what one has and the other has not, or has otherwise.

Every movement of our balance at Stripe names what it was for (a charge, a refund, a transfer, a chargeback), and every
transfer of ours that touched the Stripe account is traced to the same kind of thing: by the caller for what it posted,
by us for payouts. The two are then compared fact by fact, amounts and fees apart. What differs is kept as a row that
stays open until a person has explained it. Nothing is ever repaired from here.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from payments import gateway
from payments.errors import ReconcileError
from payments.models import Account, Discrepancy, Payout, Reconciliation
from payments.money import Money

SETTLING = timedelta(hours=6)  # what happened at a day's end is posted by then, its fee included
MARGIN = timedelta(days=2)  # the two sides may date one fact on either side of midnight, or a webhook may be late
OPERATORS = frozenset({"payout", "payout_cancel", "payout_failure", "topup", "topup_reversal"})
"""Movements between Stripe and the operator's own bank: no business of the ledger's, which ends at Stripe."""
BACK = ":back"
Kind = Discrepancy.Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """One business fact on one side: what moved our balance for it, in micros, before its fee and for its fee."""

    key: str
    currency: str
    amount: int
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Posting:
    """A transfer of ours on the Stripe account: what it moved there, in micros, into it above nought."""

    reference: str
    kind: str
    currency: str
    micros: int
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Traced:
    """Which fact at Stripe a posting belongs to, by Stripe's own id, and whether it is that fact's fee."""

    key: str
    is_fee: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    key: str
    currency: str
    stripe_micros: int
    ledger_micros: int
    about: str = ""


Trace = Callable[[Sequence[Posting]], Mapping[str, Traced]]
"""What the caller's postings belong to at Stripe, by reference. What it does not know is left out."""


def owed(*, at: datetime) -> date | None:
    """The oldest day that is over, settled, and not compared yet; None where nothing is owed. Two queries."""
    last = Reconciliation.objects.order_by("-day").values_list("day", flat=True).first()
    newest = (at - SETTLING).astimezone(UTC).date() - timedelta(days=1)
    if last is not None:
        return last + timedelta(days=1) if last < newest else None
    return newest if Account.objects.filter(kind=Account.Kind.STRIPE_BALANCE).exists() else None


def reconcile(day: date, *, at: datetime, trace: Trace) -> Reconciliation:
    """Compare a day (UTC) and keep what differs; run again, it finds the same rows. Raises StripeFailed.

    Both sides are read with some days around it, so that a fact that the two date otherwise is still one; only what
    one of them dates on the day itself is looked at.
    """
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    if until > at:
        raise ReconcileError(f"{day} is not over yet.")
    theirs = gateway.list_balance_transactions(since=since - MARGIN, until=until + MARGIN)
    theirs = [one for one in theirs if one.type not in OPERATORS]
    ours = _postings(since - MARGIN, until + MARGIN)
    traced = {**trace(ours), **_payouts(ours)}
    on_day = {_key(one) for one in theirs if since <= one.created_at < until}
    posted = {one.reference for one in ours if since <= one.posted_at < until}
    found = differences(_facts(theirs), ours, traced, on_day=on_day, posted=posted)
    return _keep(day, found, transactions=len(on_day), postings=len(posted), at=at)


def differences(
    theirs: Mapping[tuple[str, str], Fact],
    ours: Sequence[Posting],
    traced: Mapping[str, Traced],
    *,
    on_day: Collection[str],
    posted: Collection[str],
) -> list[Difference]:
    """What differs between Stripe's facts and our postings, of what either dates on the day. Decides, asks nobody."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    named: dict[tuple[str, str], str] = {}
    looked_at = {key for key in theirs if key[0] in on_day}
    found = []
    for one in ours:
        fact = traced.get(one.reference)
        if fact is not None:
            key = (fact.key, one.currency)
            sums[key][fact.is_fee] += one.micros
            named.setdefault(key, one.reference)
            looked_at |= {key} if one.reference in posted else set()
        elif one.reference in posted:
            found.append(Difference(Kind.EXTRA, one.reference, one.currency, 0, one.micros, one.kind))
    for key in sorted(looked_at):
        amount, fee = sums[key]
        found += _compared(key, theirs.get(key), amount, fee, about=named.get(key, ""))
    return found


def _compared(key: tuple[str, str], fact: Fact | None, amount: int, fee: int, *, about: str) -> list[Difference]:
    """One fact as both sides have it; `about` names our posting and is empty where we have none."""
    if fact is None and not amount + fee:
        return []  # what came and went within our own books is no business of Stripe's
    if fact is None:
        return [Difference(Kind.EXTRA, *key, 0, amount + fee, about)]
    if not about and not fact.amount and not fact.fee:
        return []  # given back and taken again, such as a refund that a bank refused
    if not about:
        return [Difference(Kind.MISSING, *key, fact.amount - fact.fee, 0)]
    found = []
    if fact.amount != amount:
        found.append(Difference(Kind.ALTERED, *key, fact.amount, amount, about))
    if fact.fee != -fee:
        found.append(Difference(Kind.FEE, *key, fact.fee, -fee, about))
    return found


def _key(one: gateway.BalanceFacts) -> str:
    """What it was for; what Stripe took back of a transfer, or gave back of a chargeback, is a fact of its own."""
    return (one.source or one.stripe_id) + (BACK if one.is_return else "")


def _facts(theirs: Iterable[gateway.BalanceFacts]) -> dict[tuple[str, str], Fact]:
    facts: dict[tuple[str, str], Fact] = {}
    for one in theirs:
        key = (_key(one), one.currency)
        before = facts.get(key, Fact(*key, 0, 0))
        amount, fee = (Money.of(minor, one.currency).micros for minor in (one.amount_minor, one.fee_minor))
        facts[key] = Fact(*key, before.amount + amount, before.fee + fee)
    return facts


_POSTED = """
SELECT t.reference, t.kind, e.currency,
       sum(CASE e.side WHEN 'D' THEN e.amount_micros ELSE -e.amount_micros END)::bigint, t.posted_at
  FROM payments_entry e
  JOIN payments_account a ON a.id = e.account_id AND a.kind = 'STRIPE_BALANCE'
  JOIN payments_transfer t ON t.id = e.transfer_id
 WHERE e.posted_at >= %s AND e.posted_at < %s
 GROUP BY t.id, e.currency
 ORDER BY t.reference
"""


def _postings(since: datetime, until: datetime) -> list[Posting]:
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, [since, until])
        return [Posting(*row) for row in cursor.fetchall()]


def _payouts(postings: Sequence[Posting]) -> dict[str, Traced]:
    """Payouts, and what came back of them, by the transfer at Stripe that each is."""
    parts = {one.reference: one.reference.split(":") for one in postings if one.reference.startswith("payout")}
    rows = Payout.objects.filter(number__in={part[1] for part in parts.values()}).exclude(stripe_transfer_id="")
    ids = dict(rows.values_list("number", "stripe_transfer_id"))
    return {
        reference: Traced(ids[number] + (BACK if what == "payout-reversed" else ""))
        for reference, (what, number, *_) in parts.items()
        if number in ids
    }


def _keep(day: date, found: Sequence[Difference], *, transactions: int, postings: int, at: datetime) -> Reconciliation:
    since = datetime.combine(day, time(), UTC)
    with transaction.atomic():
        for one in found:
            row, fresh = Discrepancy.objects.get_or_create(
                kind=one.kind,
                key=one.key,
                currency=one.currency,
                defaults={
                    "stripe_micros": one.stripe_micros, "ledger_micros": one.ledger_micros, "about": one.about[:300],
                    "first_seen": day, "last_seen": day,
                },
            )  # fmt: skip
            if not fresh:
                Discrepancy.objects.filter(pk=row.pk).update(last_seen=max(day, row.last_seen))
        done, _ = Reconciliation.objects.update_or_create(
            day=day,
            defaults={
                "since": since, "until": since + timedelta(days=1), "transactions": transactions,
                "postings": postings, "found": len(found), "at": at,
            },
        )  # fmt: skip
    return done


def explain(discrepancy: Discrepancy, *, text: str, by: str, at: datetime) -> Discrepancy:
    """Write down why the two sides differ; once. Raises ReconcileError without a reason, or where it was explained."""
    text = text.strip()
    if not text:
        raise ReconcileError("Say why the two sides differ; your words are kept.")
    changed = Discrepancy.objects.filter(pk=discrepancy.pk, state=Discrepancy.State.OPEN).update(
        state=Discrepancy.State.EXPLAINED, explanation=text, explained_by=by, explained_at=at
    )
    if not changed:
        raise ReconcileError("This was explained before.")
    discrepancy.refresh_from_db()
    return discrepancy
