"""What a label sold and what of it is the label's own, from the splits that were frozen with each sale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, F, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import TruncDate

from catalog import codes
from catalog.models import Party
from store.models import OrderLine
from store.records import Kind

SOLD = (
    OrderLine.State.PAID,
    OrderLine.State.REFUND_DUE,
    OrderLine.State.REFUNDED,
    OrderLine.State.CHARGEBACK,
    OrderLine.State.CHARGED_BACK,
)
GONE = (OrderLine.State.REFUNDED, OrderLine.State.CHARGED_BACK)
STATES: dict[str, tuple[Kind, str]] = {
    OrderLine.State.PAID: ("cleared", "Sold"),
    OrderLine.State.REFUND_DUE: ("waiting", "Refund under way"),
    OrderLine.State.REFUNDED: ("refused", "Refunded"),
    OrderLine.State.CHARGEBACK: ("waiting", "The buyer's bank decides"),
    OrderLine.State.CHARGED_BACK: ("refused", "Taken back by the buyer's bank"),
}
_MINE = """(SELECT coalesce(sum((leg ->> 'micros')::bigint), 0) FROM jsonb_array_elements("store_orderline"."split") leg
    JOIN licensing_rightsholder holder ON holder.id = (leg ->> 'holder')::bigint WHERE holder.party_id = %s)"""


@dataclass(frozen=True)
class Sale:
    """One line sold: what the buyer paid and what of it the label's own rights earned, in millionths."""

    sold_at: datetime
    title: str
    artist: str
    country: str
    currency: str
    amount_minor: int
    micros: int
    state: str

    @property
    def kind(self) -> Kind:
        return STATES[self.state][0]

    @property
    def word(self) -> str:
        return STATES[self.state][1]


def lines(label: Party, *, since: date | None = None, until: date | None = None) -> QuerySet[OrderLine]:
    """The label's sold lines, the latest first, with what is its own (`mine`). Days are UTC's, both ends included."""
    found = OrderLine.objects.filter(label=label, state__in=SOLD).annotate(
        mine=RawSQL(_MINE, [label.pk], output_field=BigIntegerField())  # noqa: S611 - the text is ours, the key bound
    )
    if since is not None:
        found = found.filter(order__paid_at__date__gte=since)
    if until is not None:
        found = found.filter(order__paid_at__date__lte=until)
    return found.select_related("order").order_by("-order__paid_at", "order_id", "position")


def read(found: QuerySet[OrderLine]) -> list[Sale]:
    return list(_sales(found))


def _sales(found: QuerySet[OrderLine]) -> Iterator[Sale]:
    for line in found:
        row: Any = line
        yield Sale(
            sold_at=line.order.paid_at or line.order.placed_at,
            title=line.title,
            artist=line.artist,
            country=line.order.country,
            currency=line.order.currency,
            amount_minor=line.amount_minor,
            micros=0 if line.state in GONE else row.mine,
            state=line.state,
        )


def by_day(label: Party, *, currency: str, since: date, until: date) -> list[tuple[date, int]]:
    """What the label earned on each day in millionths of `currency`, refunded lines left out. One statement."""
    earned = (
        lines(label, since=since, until=until)
        .exclude(state__in=GONE)
        .filter(order__currency=currency)
        .order_by()
        .annotate(day=TruncDate(F("order__paid_at")))
        .values("day")
        .annotate(sum=Sum("mine"))
    )
    sums = {row["day"]: int(row["sum"]) for row in earned}
    days = (until - since).days + 1
    return [(on, sums.get(on, 0)) for on in (since + timedelta(days=n) for n in range(days))]


def describe(references: Sequence[str]) -> dict[str, str]:
    """What the transfers of sales and refunds were for, in a buyer's words. One statement."""
    parts = {reference: reference.partition(":") for reference in references}
    keys = {key.partition(":")[0] for _, _, key in parts.values() if codes.is_public_id(key.partition(":")[0])}
    found = {
        str(line.public_id): f"{line.title}, {line.artist} ({line.order.country})"
        for line in OrderLine.objects.filter(public_id__in=keys).select_related("order")
    }
    words = {
        "sale": "Sale of ",
        "refund": "Refund of ",
        "chargeback": "Taken back by the bank: ",
        "reinstated": "Back: ",
    }
    return {
        reference: f"{words.get(kind, '')}{found[key.partition(':')[0]]}"
        for reference, (kind, _, key) in parts.items()
        if key.partition(":")[0] in found
    }
