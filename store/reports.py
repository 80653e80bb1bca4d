"""Sales by label and payee, in the words of the trade. Amounts are read from what was posted or frozen, never guessed.

Statement lines repeat the legs of the order lines behind a payee's transfers; their sum equals the ledger's credits and
debits of sales and refunds, which `payments.statements` closes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from catalog.models import Party, Recording
from payments.models import Entry, Payee, Transfer
from payments.money import allocate
from store import disputes
from store.models import Download, OrderLine
from store.sales import GONE, SOLD

SALE, REFUND = "SALE", "REFUND"
OF_LINES = frozenset({"sale", "refund", "held", "released", "unreleased", "chargeback", "reinstated"})


@dataclass(frozen=True)
class SalesDay:
    """What a label sold on one day in one currency, before refunds; minor units."""

    day: date
    currency: str
    lines: int
    gross_minor: int
    tax_minor: int


@dataclass(frozen=True)
class SoldTitle:
    """What one release or track sold in one currency over a period; minor units, refunds counted apart."""

    title: str
    artist: str
    kind: str
    currency: str
    units: int
    returns: int
    gross_minor: int
    tax_minor: int


@dataclass(frozen=True)
class StatementLine:
    """One leg of one sale or refund for a payee; micros are negative for a refund."""

    at: datetime
    kind: str
    recording: str
    isrc: str
    title: str
    layer: str
    territory: str
    currency: str
    units: int
    micros: int
    transfer: str


def sales_by_day(label: Party, *, since: datetime, until: datetime) -> list[SalesDay]:
    """A label's sales per day (UTC) and currency, oldest first. One query."""
    rows = (
        _paid(label, since, until)
        .annotate(day=TruncDate("order__paid_at"))
        .values("day", "order__currency")
        .annotate(lines=Count("pk"), gross=Sum("amount_minor"), tax=Sum("tax_minor"))
        .order_by("day", "order__currency")
    )
    return [SalesDay(row["day"], row["order__currency"], row["lines"], row["gross"], row["tax"]) for row in rows]


def sales_by_title(label: Party, *, since: datetime, until: datetime) -> list[SoldTitle]:
    """A label's best sellers of a period, most money first. One query."""
    returned = Q(state__in=GONE)
    rows = (
        _paid(label, since, until)
        .values("title", "artist", "release_id", "track_id", "order__currency")
        .annotate(
            units=Count("pk"), returns=Count("pk", filter=returned), gross=Sum("amount_minor"), tax=Sum("tax_minor")
        )
        .order_by("-gross", "title")
    )
    return [
        SoldTitle(
            row["title"],
            row["artist"],
            "release" if row["release_id"] else "track",
            row["order__currency"],
            row["units"],
            row["returns"],
            row["gross"],
            row["tax"],
        )
        for row in rows
    ]


def sales_by_country(label: Party, *, since: datetime, until: datetime) -> list[tuple[str, str, int, int]]:
    """`(country, currency, lines, gross in minor units)`, most money first. One query."""
    rows = _paid(label, since, until).values("order__country", "order__currency")
    rows = rows.annotate(lines=Count("pk"), gross=Sum("amount_minor")).order_by("-gross")
    return [(row["order__country"], row["order__currency"], row["lines"], row["gross"]) for row in rows]


def sales_by_release(label: Party, *, since: datetime, until: datetime, currency: str) -> list[tuple[str, int]]:
    """`(release, gross in minor units)`, tracks under the release they were sold from; most money first. One query."""
    name = Coalesce("release__title", "track__release__title")
    rows = _paid(label, since, until).filter(order__currency=currency).annotate(of=name).values("of")
    return [(row["of"], row["gross"]) for row in rows.annotate(gross=Sum("amount_minor")).order_by("-gross", "of")]


def downloads_by_format(label: Party, *, since: datetime, until: datetime) -> list[tuple[str, int]]:
    """`(format, files fetched)`, most first: what buyers of this label's music chose. One query."""
    rows = Download.objects.filter(line__label=label, first_used_at__gte=since, first_used_at__lt=until)
    counted = rows.values("format").annotate(files=Count("pk")).order_by("-files", "format")
    return [(row["format"], row["files"]) for row in counted]


def statement_lines(payee: Payee, *, since: datetime, until: datetime) -> list[StatementLine]:
    """Each leg of each sale, refund and release posted to a payee in the period, oldest first. Five queries."""
    rows = Transfer.objects.filter(
        entries__account__payee=payee,
        posted_at__gte=since,
        posted_at__lt=until,
        reference__regex=r"^(sale|refund|released|unreleased|chargeback|reinstated):",
    ).distinct()
    transfers = list(rows.order_by("posted_at", "pk"))
    lines = _lines_behind(transfers)
    recordings = _recordings(lines.values())
    held = disputes.held_of(line.pk for line in lines.values())
    late = _credited(payee, [one for one in transfers if _is_late(one) or _is_part(one)])
    found = []
    for transfer in transfers:
        line = lines.get(_key(transfer))
        if line is None:
            continue
        sign = _sign(transfer)
        legs: Iterable[dict[str, Any]]
        if _is_part(transfer):
            legs = _part_legs(line, payee, late[transfer.reference])
        else:
            legs = _late_legs(transfer, line, late) if _is_late(transfer) else _legs_of(line, payee, held)
        found += [_statement_line(transfer, line, leg, sign, recordings) for leg in legs]
    return found


def describe(references: Sequence[str]) -> dict[str, str]:
    """What each sale or refund reference was for, for `payments.statements`: title and artist. One query."""
    keys = {key: reference for reference in references if (key := _line_key(reference))}
    rows = OrderLine.objects.filter(public_id__in=keys).values_list("public_id", "title", "artist")
    titles = {str(public_id): f"{title}, {artist}" for public_id, title, artist in rows}
    return {reference: titles[key] for reference in references if (key := _line_key(reference)) in titles}


def _line_key(reference: str) -> str:
    kind, _, key = reference.partition(":")
    return key.partition(":")[0] if kind in OF_LINES else ""


def _statement_line(
    transfer: Transfer, line: OrderLine, leg: dict[str, Any], sign: int, recordings: dict[int, Recording]
) -> StatementLine:
    recording = recordings.get(leg["recording"])
    return StatementLine(
        at=transfer.posted_at,
        kind=SALE if sign > 0 else REFUND,
        recording=str(recording.public_id) if recording else "",
        isrc=(recording.isrc or "") if recording else "",
        title=leg["title"],
        layer=leg["kind"],
        territory=line.order.country,
        currency=line.order.currency,
        units=sign,
        micros=sign * leg["micros"],
        transfer=transfer.reference,
    )


def _legs_of(line: OrderLine, payee: Payee, held: frozenset[tuple[int, int, str, int]]) -> Iterable[dict[str, Any]]:
    """The payee's legs of a line, without those that went to no payee at the sale because of a dispute."""
    return (
        leg
        for leg in line.split
        if leg["payee"] == payee.pk and (line.pk, leg["recording"], leg["kind"], payee.pk) not in held
    )


def _is_part(transfer: Transfer) -> bool:
    """Whether it gave back, or put back, what stood of a line, rather than mirroring the sale itself."""
    return transfer.kind == REFUND or transfer.reference.startswith(("chargeback:", "reinstated:"))


def _sign(transfer: Transfer) -> int:
    """Whether the payee earned by it, or gave back."""
    if _is_part(transfer):
        return 1 if transfer.reference.startswith("reinstated:") else -1
    return 1 if transfer.reverses_id is None else -1


def _part_legs(line: OrderLine, payee: Payee, micros: int) -> list[dict[str, Any]]:
    """What a payee gave back of a line, or got back, divided over its legs as the sale was."""
    legs = [leg for leg in line.split if leg["payee"] == payee.pk]
    if not legs:  # it held the money because a dispute was decided in its favour
        return [{"recording": None, "title": line.title, "kind": "RECORDING", "micros": micros}]
    amounts = allocate(micros, [(index, leg["micros"]) for index, leg in enumerate(legs)])
    return [{**leg, "micros": amounts[index]} for index, leg in enumerate(legs) if amounts[index]]


def _is_late(transfer: Transfer) -> bool:
    """Whether it pays out, or takes back, what waited because of a dispute."""
    return transfer.reference.startswith(("released:", "unreleased:"))


def _late_legs(transfer: Transfer, line: OrderLine, credited: dict[str, int]) -> list[dict[str, Any]]:
    """What a payee got when a dispute ended, as a leg: which recording and layer the reference says."""
    _, _, recording, layer = transfer.reference.split(":")
    title = next((leg["title"] for leg in line.split if leg["recording"] == int(recording)), line.title)
    return [{"recording": int(recording), "title": title, "kind": layer, "micros": credited[transfer.reference]}]


def _credited(payee: Payee, transfers: Sequence[Transfer]) -> dict[str, int]:
    """Micros that each of these transfers moved on the payee's account, either way. One query."""
    rows = Entry.objects.filter(transfer__in=[transfer.pk for transfer in transfers], account__payee=payee)
    sums = rows.values_list("transfer__reference").annotate(micros=Sum("amount_micros"))
    return {reference: int(micros or 0) for reference, micros in sums}


def _key(transfer: Transfer) -> str:
    return _line_key(transfer.reference)


def _lines_behind(transfers: Iterable[Transfer]) -> dict[str, OrderLine]:
    rows = OrderLine.objects.filter(public_id__in={_key(transfer) for transfer in transfers}).select_related("order")
    return {str(row.public_id): row for row in rows}


def _recordings(lines: Iterable[OrderLine]) -> dict[int, Recording]:
    keys = {leg["recording"] for line in lines for leg in line.split if leg["recording"]}
    return Recording.objects.in_bulk(keys)


def _paid(label: Party, since: datetime, until: datetime) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(label=label, state__in=SOLD, order__paid_at__gte=since, order__paid_at__lt=until)


def totals(lines: Iterable[StatementLine]) -> dict[str, int]:
    """Micros by currency; equals what the ledger moved for the payee's sales and refunds in the period."""
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        found[line.currency] += line.micros
    return dict(found)
