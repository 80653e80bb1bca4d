"""Invoices and credit notes: every paid order and every part of one that went back gets its paper, numbered gaplessly.

A sale must not queue for a number. So triggers mark, in the transaction of the sale or the refund, that a paper is owed
(`InvoiceDue`), and one writer gives numbers in batches just after: what was rolled back left no mark, and so no gap.
Amounts are read from the ledger's own transfers. What was not delivered (its music taken down meanwhile) was never
supplied: it stands on no invoice, and its refund needs no credit note.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from babel import Locale
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Prefetch, QuerySet, Sum, When

from catalog import codes
from payments.models import Account, Charge, Entry, Transfer
from payments.money import Currency
from store import signing, tax
from store.models import Invoice, InvoiceDue, InvoiceSeries, LineRefund, Order, OrderLine
from store.settlement import sale_reference

BATCH = 200
WRITER_LOCK = 0x696E766F696365  # the advisory lock that makes the writer one
VERSION = 1
ENGLISH = Locale("en")  # the papers' language
REVERSE_CHARGE = (
    "Reverse charge: VAT is to be accounted for by the recipient (articles 44 and 196 of directive 2006/112/EC)."
)
REASONS = {
    "refund": "The price, or a part of it, was given back.",
    "chargeback": "The buyer's bank took the payment, or a part of it, back.",
    "reinstated": "The buyer's bank returned the payment; this takes the credit note back.",
    "late": "The buyer's VAT number was confirmed after the sale: it is invoiced anew with a reverse charge.",
}
AGAIN = "reinstated"  # the one cause by which money comes a second time
Kind = Invoice.Kind


@dataclass(frozen=True)
class Amounts:
    """What a paper is about: exact in millionths, whose parts sum to the total, and in minor units as printed."""

    total_minor: int
    tax_minor: int
    base_micros: int
    tax_micros: int
    untaxed_micros: int
    scale: int

    def __post_init__(self) -> None:
        if self.base_micros + self.tax_micros + self.untaxed_micros != self.total_minor * self.scale:
            raise ValueError("The parts of a paper must sum to its total.")


def seller() -> dict[str, Any] | None:
    """Who issues the papers, from the settings; None while they do not say. A test shop signs as what it is."""
    test = bool(settings.STRIPE_API_BASE)
    named = {
        "name": settings.SELLER_NAME or (f"{settings.SITE_NAME}, a test shop" if test else ""),
        "address": settings.SELLER_ADDRESS or (["where no money moves"] if test else []),
        "country": settings.SELLER_COUNTRY,
        "country_name": ENGLISH.territories.get(settings.SELLER_COUNTRY, ""),
        "vat_id": settings.SELLER_VAT_ID,
        "register": settings.SELLER_REGISTER,
    }
    whole = named["name"] and named["address"] and (named["country"] or test)
    return named if whole else None


def owed() -> QuerySet[InvoiceDue]:
    """What the writer has still to write, the oldest first."""
    return InvoiceDue.objects.filter(problem="").order_by("pk")


def write(*, at: datetime, patient: bool = False) -> int:
    """Write every paper that is owed; returns how many. Another writer at work means nought, and it does the rest.

    Whoever is `patient` waits for it, and finds every paper that was owed when she came.

    While the settings do not name the seller nothing is written; the marks wait, and no number is lost.
    """
    total = 0
    while True:
        done, written = _write_batch(at, patient=patient)
        total += written
        if done < BATCH:
            return total


def _write_batch(at: datetime, *, patient: bool) -> tuple[int, int]:
    signed_by = seller()
    if signed_by is None:
        return 0, 0
    with transaction.atomic():
        if not _is_the_writer(patient=patient):
            return 0, 0
        due = list(owed()[:BATCH])
        writer = _Writer(signed_by, at)
        writer.write_sales([row.order_id for row in due if row.order_id])
        writer.write_corrections([row.transfer_id for row in due if row.transfer_id])
        for row in due:
            row.problem = writer.problems.get(row.order_id or row.transfer_id, "")
        InvoiceDue.objects.bulk_update([row for row in due if row.problem], ["problem"])
        InvoiceDue.objects.filter(pk__in=[row.pk for row in due if not row.problem]).delete()
    return len(due), writer.written


def _is_the_writer(*, patient: bool) -> bool:
    with connection.cursor() as cursor:
        if patient:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WRITER_LOCK])
        return bool(cursor.fetchone()[0])


class _Writer:
    """One batch: the numbers that follow are read once and counted on under the writer's lock; a trigger looks at each.

    What cannot be written takes no number and is kept in `problems`, by the key of the order or transfer.
    """

    def __init__(self, signed_by: Mapping[str, Any], at: datetime) -> None:
        self.signed_by, self.at = signed_by, at
        self.series, self.year = settings.INVOICE_SERIES, at.astimezone(UTC).year
        rows = InvoiceSeries.objects.filter(series=self.series, year=self.year)
        self.last: dict[str, int] = defaultdict(int, rows.values_list("kind", "last"))
        self.problems: dict[object, str] = {}
        self.written = 0

    def write_sales(self, keys: Sequence[int]) -> None:
        orders = Order.objects.filter(pk__in=keys).select_related("buyer", "vat_check")
        orders = orders.prefetch_related(Prefetch("lines", _sold()))
        by_key = {order.pk: order for order in orders}
        posted = _posted(line for order in by_key.values() for line in order.lines.all())
        made = []
        for key in keys:
            order = by_key[key]
            lines = sorted((line for line in order.lines.all() if line.pk in posted), key=lambda line: line.position)
            try:
                amounts = _sum([_of_line(line, order.currency) for line in lines])
                rate = _rate_of(lines)
            except ValueError as error:
                self.problems[key] = str(error)
                continue
            if amounts is not None:  # else nothing was delivered, or it cost nothing
                row = Invoice(order=order, supplied_at=posted[lines[0].pk])
                made.append(self._fill(row, Kind.INVOICE, amounts, rate=rate, lines=lines))
        Invoice.objects.bulk_create(made)

    def write_corrections(self, keys: Sequence[UUID]) -> None:
        if not keys:
            return
        moved = list(Transfer.objects.filter(pk__in=keys).order_by("posted_at", "reference"))
        lines = _lines_of(moved)
        firsts = _firsts(lines.values())
        before = _corrected(line.pk for line in lines.values())
        micros = _micros_of(keys)
        delivered = _posted(lines.values())
        late = set(LineRefund.objects.filter(
            reference__in=[one.reference for one in moved], vat_check__isnull=False
        ).values_list("reference", flat=True))  # fmt: skip
        anew = _anew(line.pk for line in lines.values())
        for transfer in moved:  # one by one: a note may correct what an earlier one of the batch has changed
            line = lines.get(_named(transfer))
            if line is None or line.pk not in delivered or line.order_id not in firsts:
                continue  # of no line of ours, or of one that was never supplied
            gross, tax_part = micros[transfer.pk]
            goes_back = _cause(transfer) != AGAIN
            row = Invoice(order=line.order, line=line, transfer=transfer, supplied_at=transfer.posted_at)
            try:
                if transfer.reference in late:
                    anew[line.pk] = self._write_anew(row, firsts[line.order_id], gross, tax_part, before[line.pk])
                    continue
                amounts = _part(line, gross, tax_part, before[line.pk], goes_back=goes_back, anew=line.pk in anew)
            except ValueError as error:
                self.problems[transfer.pk] = str(error)
                continue
            first = anew.get(line.pk, firsts[line.order_id])
            row.corrects = first if goes_back else _latest_note(line, firsts)
            row.reverse_charge = line.pk in anew
            kind = Kind.CREDIT_NOTE if goes_back else Kind.INVOICE
            rate = 0 if row.reverse_charge else line.tax_rate
            self._fill(row, kind, amounts, rate=rate, lines=[line]).save(force_insert=True)

    def _write_anew(self, row: Invoice, first: Invoice, gross: int, tax_part: int, before: list[int]) -> Invoice:
        """Two papers for the tax of a line that went back: a credit note of all of it, and its invoice without tax.

        Raises ValueError where the ledger gave back anything else than that tax.
        """
        line = row.line
        assert line is not None  # noqa: S101 - a correction is of a line
        whole = _of_line(line, line.order.currency)
        if not gross == tax_part == whole.tax_micros:
            raise ValueError(f"Of line {line.public_id} something else than its tax went back.")
        row.corrects = first
        self._fill(row, Kind.CREDIT_NOTE, whole, rate=line.tax_rate, lines=[line], why="late").save(force_insert=True)
        before[0], before[1] = before[0] + whole.tax_micros, before[1] + whole.tax_minor
        again = Invoice(order=line.order, line=line, transfer=row.transfer, corrects=row, supplied_at=row.supplied_at)
        again.reverse_charge = True
        net = whole.total_minor - whole.tax_minor
        untaxed = Amounts(net, 0, net * whole.scale, 0, 0, whole.scale)
        self._fill(again, Kind.INVOICE, untaxed, rate=0, lines=[line], why="late").save(force_insert=True)
        return again

    def _fill(
        self, row: Invoice, kind: str, amounts: Amounts, *, rate: int, lines: Sequence[OrderLine], why: str = ""
    ) -> Invoice:
        self.last[kind] += 1
        self.written += 1
        row.kind, row.series, row.year, row.number = kind, self.series, self.year, self.last[kind]
        row.name = f"{self.series}-{self.year}-{'C' if kind == Kind.CREDIT_NOTE else ''}{row.number:06}"
        row.issued_at = self.at
        row.country, row.currency, row.tax_rate = row.order.country, row.order.currency, rate
        row.total_minor, row.tax_minor = amounts.total_minor, amounts.tax_minor
        row.base_micros, row.tax_micros = amounts.base_micros, amounts.tax_micros
        row.untaxed_micros = amounts.untaxed_micros
        row.reverse_charge = row.reverse_charge or row.order.reverse_charge
        text = signing.canonical(_document(row, lines, self.signed_by, why))
        row.text, row.sha256 = text.decode(), hashlib.sha256(text).hexdigest()
        return row


# -- What is read ------------------------------------------------------------------------------------------------------


def _sold() -> QuerySet[OrderLine]:
    """Order lines that know whether Stripe reckoned their tax: then its rounding is no sign of anything untaxed."""
    charge = Charge.objects.filter(reference=OuterRef("order__number"), taxed_by_stripe=True)
    return OrderLine.objects.annotate(by_stripe=Exists(charge))


def _posted(lines: Iterable[OrderLine]) -> dict[int, datetime]:
    """When each line's sale was posted, by its key; a line that was not delivered has none. One query."""
    names = {sale_reference(line): line.pk for line in lines}
    rows = Transfer.objects.filter(reference__in=names).values_list("reference", "posted_at")
    return {names[reference]: posted_at for reference, posted_at in rows}


def _of_line(line: OrderLine, currency: str) -> Amounts:
    scale = Currency(currency).micros_per_minor
    untaxed = _untaxed_minor(line)
    base = line.amount_minor - line.tax_minor - untaxed
    return Amounts(line.amount_minor, line.tax_minor, base * scale, line.tax_minor * scale, untaxed * scale, scale)


def _untaxed_minor(line: OrderLine) -> int:
    """What the buyer freely gave above the price, where no tax was taken out of that; Stripe always takes it."""
    by_stripe: bool = line.by_stripe  # type: ignore[attr-defined]  # of `_sold`
    taxed = by_stripe or line.tax_minor == tax.tax_inside(line.amount_minor, line.tax_rate)
    return 0 if taxed else line.given_minor


def _sum(parts: Sequence[Amounts]) -> Amounts | None:
    total = sum(part.total_minor for part in parts)
    if not total:
        return None
    return Amounts(
        total,
        sum(part.tax_minor for part in parts),
        sum(part.base_micros for part in parts),
        sum(part.tax_micros for part in parts),
        sum(part.untaxed_micros for part in parts),
        parts[0].scale,
    )


def _rate_of(lines: Sequence[OrderLine]) -> int:
    """The one rate of an order: one country, one day. Raises ValueError where the lines say otherwise."""
    rates = {line.tax_rate for line in lines if line.amount_minor}
    if len(rates) > 1:
        raise ValueError(f"The lines of the order bear several tax rates: {sorted(rates)}.")
    return rates.pop() if rates else 0


def _cause(transfer: Transfer) -> str:
    """Why the transfer was posted, as its reference begins: refund, chargeback, reinstated."""
    return transfer.reference.partition(":")[0]


def _named(transfer: Transfer) -> str:
    """The line that a transfer's reference names (`refund:LINE`, `chargeback:LINE:…`); empty where it names none."""
    part = transfer.reference.partition(":")[2].partition(":")[0]
    return part if codes.is_public_id(part) else ""


def _lines_of(moved: Iterable[Transfer]) -> dict[str, OrderLine]:
    """The lines that the transfers name, by their public id as text."""
    named = {_named(transfer) for transfer in moved} - {""}
    rows = _sold().filter(public_id__in=named).select_related("order__buyer", "order__vat_check")
    return {str(line.public_id): line for line in rows}


def _firsts(lines: Iterable[OrderLine]) -> dict[int, Invoice]:
    """The invoice of each line's order, by the order's key."""
    rows = Invoice.objects.filter(order__in={line.order_id for line in lines}, transfer=None)
    return {row.order_id: row for row in rows}


def _latest_note(line: OrderLine, firsts: Mapping[int, Invoice]) -> Invoice:
    """What an invoice that takes a credit note back refers to."""
    latest = Invoice.objects.filter(line=line, kind=Kind.CREDIT_NOTE).order_by("-pk").first()
    return latest or firsts[line.order_id]


def _anew(keys: Iterable[int]) -> dict[int, Invoice]:
    """The invoices with a reverse charge that took the first ones' place late, by the line's key."""
    rows = Invoice.objects.filter(line__in=list(keys), kind=Kind.INVOICE, reverse_charge=True)
    return {row.line_id: row for row in rows.filter(order__reverse_charge=False).order_by("-pk") if row.line_id}


def _corrected(keys: Iterable[int]) -> dict[int, list[int]]:
    """Of each line, the tax that its papers corrected so far: exact in millionths, and as printed."""
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    signed = {
        name: Sum(Case(When(kind=Kind.CREDIT_NOTE, then=F(name)), default=-F(name)))
        for name in ("tax_micros", "tax_minor")
    }
    rows = Invoice.objects.filter(line__in=list(keys)).values("line").annotate(exact=signed["tax_micros"])
    for row in rows.annotate(printed=signed["tax_minor"]).order_by():
        found[row["line"]] = [int(row["exact"]), int(row["printed"])]
    return found


def _micros_of(keys: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Of each transfer: all it moved, and how much of that was tax. One query."""
    sums: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    debit = Entry.Side.DEBIT
    rows = Entry.objects.filter(transfer__in=keys).values_list("transfer", "side", "account__kind", "amount_micros")
    for key, side, kind, amount in rows:
        found = sums[key]
        found[0] += amount if side == debit else 0
        if kind == Account.Kind.TAX:
            found[1] += amount if side == debit else -amount
    return {key: (gross, abs(tax_part)) for key, (gross, tax_part) in sums.items()}


def _part(
    line: OrderLine, gross: int, tax_part: int, before: list[int], *, goes_back: bool, anew: bool = False
) -> Amounts:
    """The amounts of a part that went back, or came again; counts it into what was corrected `before`.

    The printed tax is the rounded sum of all corrections less what was printed earlier, so that the whole is the whole.
    """
    scale = Currency(line.order.currency).micros_per_minor
    total, rest = divmod(gross, scale)
    if rest:
        raise ValueError(f"A part of line {line.public_id} is no whole number of minor units.")
    sign = 1 if goes_back else -1
    before[0] += sign * tax_part
    printed = sign * ((2 * before[0] + scale) // (2 * scale) - before[1])
    before[1] += sign * printed
    untaxed = 0 if anew else gross * _untaxed_minor(line) // line.amount_minor
    return Amounts(total, printed, gross - tax_part - untaxed, tax_part, untaxed, scale)


# -- What a paper says -------------------------------------------------------------------------------------------------


def _document(row: Invoice, lines: Sequence[OrderLine], signed_by: Mapping[str, Any], why: str) -> dict[str, Any]:
    """What the paper says, as plain values: all that is ever printed of it."""
    order = row.order
    scale = Currency(row.currency).micros_per_minor
    untaxed = row.untaxed_micros // scale
    said = [_line_row(line, row) for line in lines]
    return {
        "version": VERSION,
        "kind": row.kind,
        "number": row.name,
        "issued_on": row.issued_at.astimezone(UTC).date().isoformat(),
        "supplied_on": row.supplied_at.astimezone(UTC).date().isoformat(),
        "test": bool(settings.STRIPE_API_BASE),
        "seller": dict(signed_by),
        "buyer": _buyer(order),
        "order": order.number,
        "currency": row.currency,
        "decimals": Currency(row.currency).exponent,
        "lines": said,
        "total_minor": row.total_minor,
        "tax_minor": row.tax_minor,
        "tax_basis_points": row.tax_rate,
        "base_minor": row.total_minor - row.tax_minor - untaxed,
        "untaxed_minor": untaxed,
        "corrects": _reference(row.corrects) if row.corrects else None,
        "notes": _notes(row, why),
    }


def _line_row(line: OrderLine, row: Invoice) -> dict[str, Any]:
    whole = row.line_id is None
    return {
        "title": line.title,
        "artist": line.artist,
        "amount_minor": line.amount_minor if whole else row.total_minor,
        "tax_basis_points": line.tax_rate if whole else row.tax_rate,
        "tax_minor": line.tax_minor if whole else row.tax_minor,
    }


def _buyer(order: Order) -> dict[str, Any]:
    found = {"name": order.buyer.name, "email": order.email, "country": order.country}
    found["country_name"] = ENGLISH.territories.get(order.country, order.country)
    if order.vat_check is None:
        return found | {"company": "", "address": [], "vat_id": ""}
    address = [line.strip() for line in order.vat_check.address.splitlines() if line.strip()]
    return found | {"company": order.vat_check.company, "address": address, "vat_id": order.vat_check.vat_id}


def _reference(paper: Invoice) -> dict[str, str]:
    return {"number": paper.name, "issued_on": paper.issued_at.astimezone(UTC).date().isoformat()}


def _notes(row: Invoice, why: str) -> list[str]:
    notes = []
    if row.transfer is not None:
        notes.append(REASONS[why or _cause(row.transfer)])
    if row.reverse_charge:
        notes.append(REVERSE_CHARGE)
    elif not row.tax_rate:
        notes.append("No tax is collected for the buyer's country.")
    if row.untaxed_micros:
        notes.append("What was freely given above the price bears no tax.")
    return notes
