"""What stands of a line in the ledger, and the mirror of any part of it.

A line's money moves more than once: the sale, the release of what was disputed, refunds and chargebacks of parts, and
what a won chargeback put back. What stands of it is the sum of all of these, account by account. A part that goes back
is taken from each account in proportion to what stands there, by largest remainder; since each part is divided over
what is left, parts that add up to the whole mirror the sale exactly, to the millionth.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Case, F, Q, QuerySet, Sum, When

from payments import accounts, debts, ledger
from payments.models import Account, Entry, Transfer
from payments.money import Money, allocate
from store.models import LineChargeback, LineRefund, OrderLine

EXACT = ("sale", "held", "refund")
PARTS = ("refund", "released", "unreleased", "chargeback", "reinstated")
ORIGIN = (Account.Kind.STRIPE_BALANCE,)


def standing(line: OrderLine) -> dict[int, int]:
    """Micros that the line still credits to each account, by its key; nought is left out. One query."""
    rows = (
        Entry.objects.filter(transfer__in=_transfers(line))
        .exclude(account__kind__in=ORIGIN)
        .values("account")
        .annotate(micros=Sum(Case(When(side=Entry.Side.CREDIT, then=F("amount_micros")), default=-F("amount_micros"))))
    )
    return {row["account"]: int(row["micros"]) for row in rows.order_by("account") if row["micros"]}


def give_back(line: OrderLine, minor: int, *, reference: str, kind: str, at: datetime) -> Transfer:
    """Post the mirror of `minor` units of the line, in the caller's transaction; a payee never falls below nought.

    Where the whole sale goes back at once it is reversed entry by entry: once, for what a bank took and put back again
    stands anew, and goes back like a part.
    """
    currency = line.order.currency
    micros = Money.of(minor, currency).micros
    stands = standing(line)
    original = _original(line)
    whole = micros == sum(stands.values()) and stands == _credits(original)
    if whole and not Transfer.objects.filter(reverses=original).exists():
        posted = ledger.reverse(original, reference=reference, at=at)
    else:
        legs = [ledger.debit(account, part) for account, part in _parts(stands, micros)]
        legs.append(ledger.credit(accounts.stripe_balance(currency), micros))
        posted = ledger.post(reference, kind=kind, legs=legs, document_sha256=original.document_sha256, at=at)
    debts.carry(posted, at=at)
    return posted


def give_tax_back(line: OrderLine, minor: int, *, reference: str, kind: str, at: datetime) -> Transfer:
    """Post that the tax of the line, and nothing else of it, goes back, in the caller's transaction.

    Where less than that stands at the tax accounts, because a bank took a part meanwhile, the mirror of any part is
    posted: then papers and ledger differ, and people look at it.
    """
    currency = line.order.currency
    micros = Money.of(minor, currency).micros
    found = standing(line)
    taxes = Account.objects.filter(kind=Account.Kind.TAX).in_bulk(list(found))
    stands = {key: amount for key, amount in found.items() if key in taxes}
    if sum(stands.values()) != micros:
        return give_back(line, minor, reference=reference, kind=kind, at=at)
    legs = [ledger.debit(taxes[key], amount) for key, amount in sorted(stands.items())]
    legs.append(ledger.credit(accounts.stripe_balance(currency), micros))
    return ledger.post(reference, kind=kind, legs=legs, document_sha256=_original(line).document_sha256, at=at)


def titles(lines: Sequence[OrderLine]) -> dict[str, str]:
    """What each transfer that gave or put back a part of these lines is called, by its reference. Two queries."""
    found = {
        refund.reference: f"Tax given back of {refund.line.title}"
        if refund.vat_check_id
        else f"Refund of {refund.line.title}"
        if refund.whole
        else f"Given back of {refund.line.title}"
        for refund in LineRefund.objects.filter(line__in=lines).select_related("line")
    }
    for taken in LineChargeback.objects.filter(line__in=lines).select_related("line", "chargeback"):
        key = f"{taken.line.public_id}:{taken.chargeback.stripe_dispute_id}"
        found[f"chargeback:{key}"] = f"Taken back by your bank: {taken.line.title}"
        found[f"reinstated:{key}"] = f"Put back after your bank decided: {taken.line.title}"
    return found


def _parts(stands: Mapping[int, int], micros: int) -> list[tuple[Account, int]]:
    known = Account.objects.in_bulk(list(stands))
    amounts = allocate(micros, sorted(stands.items()))
    return [(known[key], amount) for key, amount in sorted(amounts.items()) if amount]


def _transfers(line: OrderLine) -> QuerySet[Transfer]:
    key = str(line.public_id)
    named = Q(reference__in=[f"{kind}:{key}" for kind in EXACT])
    for kind in PARTS:
        named |= Q(reference__startswith=f"{kind}:{key}:")
    return Transfer.objects.filter(named)


def _original(line: OrderLine) -> Transfer:
    return Transfer.objects.get(reference__in=[f"{kind}:{line.public_id}" for kind in ("sale", "held")])


def _credits(transfer: Transfer) -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in transfer.entries.filter(side=Entry.Side.CREDIT):
        found[entry.account_id] = found.get(entry.account_id, 0) + entry.amount_micros
    return found
