"""What is taken off the payees' parts of a sale: a share of the payment fee, advances, and a reserve, in this order.

Each is a transfer of its own beside the sale, so that the sale stays what its split says and a statement shows every
deduction by itself. All of it is decided by the terms that were frozen with the line. Where the holders bear the fee it
is taken, and then the rest, once Stripe has told it; until then `Order.fee_posted_at` says that it is owed.

A part in dispute waits apart (`disputes`) and bears nothing. When money of a line goes back to its buyer, reserve and
advance are put back first, so that the mirror of the sale finds its accounts as the sale left them: the reserve is what
a refund takes first. The payment fee of a sale that was given back whole is the store's loss.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction

from django.db import transaction
from django.db.models import F, QuerySet

from payments import accounts, ledger
from payments.models import Account, Payee, Transfer
from payments.money import allocate
from store.models import Advance, HeldShare, Order, OrderLine, Recoupment, Reserve
from store.royalties import HOLDERS, Split

FEE, RECOUPED, RESERVED = "fee-share", "recouped", "reserve"
UNDONE = {FEE: "fee-returned", RECOUPED: "unrecouped", RESERVED: "unreserved"}
KINDS = {FEE: "FEE_SHARE", RECOUPED: "RECOUPMENT", RESERVED: "RESERVE"}
WORDS = {
    FEE: "Payment fee, borne by the holders",
    RECOUPED: "Kept for an advance",
    RESERVED: "Held back until refunds are over",
    "fee-returned": "Payment fee given back",
    "unrecouped": "No longer kept for an advance",
    "unreserved": "No longer held back",
}

Part = tuple[int | None, int | None]  # a holder, and the payee that is paid on its behalf where a letter names one
Earned = dict[Part, int]  # millionths


def reference(line: OrderLine, what: str) -> str:
    """The name of one of a line's deductions in the ledger."""
    return f"{what}:{line.public_id}"


def wait_for_fee(lines: Iterable[OrderLine]) -> bool:
    """Whether the holders bear the payment fee, so that nothing is taken before it is known."""
    return any((line.terms or {}).get("fee") == HOLDERS for line in lines)


def take(order: Order, lines: Sequence[OrderLine], *, fee_micros: int = 0, advanced: bool = True, at: datetime) -> None:
    """Post what is due of these sold lines of an order, once, in the transaction of their sale or of its fee.

    Whoever knows that no payee of the lines has an advance open says so by `advanced`, and then nothing is asked where
    nothing is to be taken; otherwise that is one query.
    """
    lines = [line for line in lines if line.terms is not None]
    paid = {leg["payee"] for line in lines for leg in line.split if leg["payee"]}
    advances = _open_advances(paid, order.currency) if advanced else []
    fees = _fees(order, fee_micros)
    if not advances and not fees and not any(_reserve_of(line) for line in lines):
        return
    payees = Payee.objects.in_bulk(paid)
    held = set(HeldShare.objects.filter(line__in=lines).values_list("line", "recording", "layer"))
    for line in lines:
        split = Split.from_json(line.split)
        mine = [
            place
            for place, leg in enumerate(split.legs)
            if leg.kind in {"RECORDING", "WORK"} and (line.pk, leg.recording, leg.kind) not in held
        ]
        earned: Earned = defaultdict(int)
        for place in mine:
            earned[split.legs[place].holder, split.legs[place].payee] += split.legs[place].micros
        shares = split.fee_shares(fees.get(line.pk, 0))
        _take_fee(line, {place: shares[place] for place in mine if shares.get(place)}, split, earned, payees, at=at)
        _recoup(line, earned, advances, at=at)
        _hold(line, earned, payees, at=at)


def undo(line: OrderLine, *, whole: bool, at: datetime) -> list[Transfer]:
    """Put back what was taken of a line before money of it goes back to the buyer; in the transaction of that.

    Returns the reversals. Of a part that goes back the share of the fee stays taken.
    """
    found = []
    for what in (RESERVED, RECOUPED, *([FEE] if whole else [])):
        posted = Transfer.objects.filter(reference=reference(line, what), reversed_by=None).first()
        if posted is not None:
            found.append(ledger.reverse(posted, reference=reference(line, UNDONE[what]), at=at))
    Reserve.objects.filter(line=line, released_at=None).update(
        released_at=at, release_reference=reference(line, UNDONE[RESERVED])
    )
    for row in Recoupment.objects.filter(line=line, undone_at=None).order_by("advance"):
        Advance.objects.filter(pk=row.advance_id).update(recouped_micros=F("recouped_micros") - row.micros)
        Recoupment.objects.filter(pk=row.pk).update(undone_at=at)
    return found


def release_due(*, at: datetime, limit: int = 500) -> int:
    """Release the reserves whose day has come; returns how many. Each in a transaction of its own."""
    keys = list(due(at=at).values_list("pk", flat=True)[:limit])
    return sum(_release(key, at=at) for key in keys)


def due(*, at: datetime) -> QuerySet[Reserve]:
    """The reserves whose day has come, the oldest first."""
    return Reserve.objects.filter(released_at=None, release_on__lte=at.date()).order_by("release_on", "pk")


def held_until(lines: Iterable[OrderLine]) -> dict[int, date]:
    """Until when something of each line is held back, by its key. One query."""
    rows = Reserve.objects.filter(line__in=[line.pk for line in lines], released_at=None)
    return dict(rows.values_list("line", "release_on"))


def _release(key: int, *, at: datetime) -> int:
    with transaction.atomic(durable=True):
        row = Reserve.objects.select_for_update(skip_locked=True).filter(pk=key, released_at=None).first()
        if row is None:
            return 0
        line = OrderLine.objects.get(pk=row.line_id)
        name = reference(line, UNDONE[RESERVED])
        ledger.reverse(Transfer.objects.get(reference=reference(line, RESERVED)), reference=name, at=at)
        Reserve.objects.filter(pk=key).update(released_at=at, release_reference=name)
    return 1


def _reserve_of(line: OrderLine) -> Fraction:
    return Fraction((line.terms or {}).get("reserve", 0))


def _open_advances(payees: set[int], currency: str) -> list[Advance]:
    """The advances still to be recouped from these payees, the oldest first, held until the transaction ends.

    They are locked in one order whatever the order of the lines, so that no two sales wait for each other.
    """
    if not payees:
        return []
    rows = Advance.objects.filter(payee__in=payees, currency=currency, recouped_micros__lt=F("amount_micros"))
    locked = rows.select_for_update(of=("self",)).select_related("payee", "repaid_to").order_by("pk")
    return sorted(locked, key=lambda advance: (advance.given_on, advance.pk))


def _fees(order: Order, fee_micros: int) -> dict[int, int]:
    """How much of the order's payment fee each of its lines bears, by the price of each."""
    if fee_micros <= 0:
        return {}
    prices = list(order.lines.order_by("pk").values_list("pk", "amount_minor"))
    return allocate(fee_micros, prices)


def _take_fee(
    line: OrderLine,
    shares: Mapping[int, int],
    split: Split,
    earned: Earned,
    payees: Mapping[int, Payee],
    *,
    at: datetime,
) -> None:
    """The line's part of the payment fee off the recordings, in proportion; `shares` are by a leg's place."""
    sums: Earned = defaultdict(int)
    for place, micros in shares.items():
        sums[split.legs[place].holder, split.legs[place].payee] += micros
    if not sums:
        return
    currency = line.order.currency
    entries = [ledger.debit(_account(part, payees, currency), micros) for part, micros in sums.items()]
    entries.append(ledger.credit(accounts.fees(currency), sum(sums.values())))
    ledger.post(reference(line, FEE), kind=KINDS[FEE], legs=entries, at=at)
    for part, micros in sums.items():
        earned[part] -= micros


def _recoup(line: OrderLine, earned: Earned, advances: Iterable[Advance], *, at: datetime) -> None:
    """Keep for each advance its part of what the payee earned from its holder, never more than is still open."""
    entries: list[ledger.Leg] = []
    kept: list[Recoupment] = []
    for advance in advances:
        part, share = (advance.holder_id, advance.payee_id), _share(advance)
        micros = min(advance.rest_micros, earned.get(part, 0) * share.numerator // share.denominator)
        if micros <= 0:
            continue
        entries += [
            ledger.debit(accounts.payee(advance.payee, advance.currency), micros),
            ledger.credit(accounts.recoupment(advance.payee, advance.currency), micros),
            ledger.debit(accounts.advances(advance.repaid_to, advance.currency), micros),
            ledger.credit(accounts.payee(advance.repaid_to, advance.currency), micros),
        ]
        kept.append(Recoupment(line=line, advance=advance, micros=micros, at=at))
        advance.recouped_micros += micros
        Advance.objects.filter(pk=advance.pk).update(recouped_micros=advance.recouped_micros)
        earned[part] -= micros
    if entries:
        ledger.post(reference(line, RECOUPED), kind=KINDS[RECOUPED], legs=entries, at=at)
        Recoupment.objects.bulk_create(kept)


def _hold(line: OrderLine, earned: Earned, payees: Mapping[int, Payee], *, at: datetime) -> None:
    """Hold back the operator's part of what each payee still gets, rounded down."""
    share, currency = _reserve_of(line), line.order.currency
    sums: dict[int, int] = defaultdict(int)
    for (_, payee), micros in earned.items():
        if payee is not None:
            sums[payee] += micros
    held = {payees[key]: micros * share.numerator // share.denominator for key, micros in sorted(sums.items())}
    held = {payee: micros for payee, micros in held.items() if micros > 0}
    if not held:
        return
    entries = [ledger.debit(accounts.payee(payee, currency), micros) for payee, micros in held.items()]
    entries += [ledger.credit(accounts.reserve(payee, currency), micros) for payee, micros in held.items()]
    ledger.post(reference(line, RESERVED), kind=KINDS[RESERVED], legs=entries, at=at)
    until = at.date() + timedelta(days=(line.terms or {})["reserve_days"])
    Reserve.objects.create(line=line, micros=sum(held.values()), release_on=until, held_at=at)


def _account(part: Part, payees: Mapping[int, Payee], currency: str) -> Account:
    holder, payee = part
    if payee is not None:
        return accounts.payee(payees[payee], currency)
    return accounts.suspense(f"holder-{holder}", currency)


def _share(advance: Advance) -> Fraction:
    return Fraction(advance.share_numerator, advance.share_denominator)
