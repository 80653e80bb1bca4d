"""What a label asks for its music: a list for each currency, prices of single things above it, and changing many.

A list is written down as the price of each thing that has none of its own (`by_list`), so that there is one table to
ask. Nothing is converted by itself: a currency in which the label set no price has none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from catalog.models import Party, Recording, Release
from payments.money import Currency, Money
from store import offers, quotes
from store.models import ListPrice, Price

Kind = ListPrice.Kind
_COLUMNS = {Kind.RELEASE: ("release_id", "catalog_release"), Kind.TRACK: ("recording_id", "catalog_recording")}


@dataclass(frozen=True)
class Asked:
    """A price as somebody states it. No amount: none of its own, so that the list counts again."""

    amount: Money | None
    or_more: bool = False


def set_list(label: Party, *, kind: str, currency: str, asked: Asked, actor: str) -> None:
    """Set, or with no amount end, what each release or track of the label costs unless it has a price of its own."""
    if asked.amount is not None:
        quotes.askable(asked.amount)
    with transaction.atomic():
        if asked.amount is None:
            ListPrice.objects.filter(label=label, kind=kind, currency=currency).delete()
        else:
            ListPrice.objects.update_or_create(
                label=label,
                kind=kind,
                currency=currency,
                defaults={
                    "amount_minor": asked.amount.minor,
                    "or_more": asked.or_more,
                    "set_by": actor,
                    "set_at": timezone.now(),
                },
            )
        _follow(label, kind=kind, currency=currency)


def set_one(subject: Release | Recording, *, currency: str, asked: Asked, actor: str) -> None:
    """Give one thing a price of its own, or with no amount let it follow the label's list again."""
    if asked.amount is not None:
        quotes.askable(asked.amount)
        offers.set_price(
            subject, currency=currency, amount_minor=asked.amount.minor, or_more=asked.or_more, actor=actor
        )
        return
    whole = isinstance(subject, Release)
    with transaction.atomic():
        about = {"release" if whole else "recording": subject}
        Price.objects.filter(**about, currency=currency, by_list=False).delete()
        _follow(subject.label, kind=Kind.RELEASE if whole else Kind.TRACK, currency=currency)


def set_many(subjects: Iterable[tuple[Release | Recording, Asked]], *, currency: str, actor: str) -> int:
    """Set the prices of many things, all or none; how many there were."""
    count = 0
    with transaction.atomic():
        for subject, asked in subjects:
            set_one(subject, currency=currency, asked=asked, actor=actor)
            count += 1
    return count


def _follow(label: Party, *, kind: str, currency: str) -> None:
    """Write the list down as the price of all that has none of its own. Only what changes is touched, and so marked."""
    column, table = _COLUMNS[Kind(kind)]
    values: list[str | int] = [currency, label.pk]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""DELETE FROM store_price price USING {table} thing
            WHERE price.by_list AND price.currency = %s AND thing.id = price.{column} AND thing.label_id = %s
              AND NOT EXISTS (SELECT 1 FROM store_listprice list WHERE list.label_id = thing.label_id
                  AND list.kind = %s AND list.currency = price.currency)""",  # noqa: S608 - names of our own
            [*values, kind],
        )
        cursor.execute(
            f"""INSERT INTO store_price AS price ({column}, currency, amount_minor, or_more, by_list, set_by, set_at)
            SELECT thing.id, list.currency, list.amount_minor, list.or_more, true, list.set_by, clock_timestamp()
            FROM store_listprice list JOIN {table} thing ON thing.label_id = list.label_id
            WHERE list.currency = %s AND list.label_id = %s AND list.kind = %s
            ON CONFLICT ({column}, currency) WHERE {column} IS NOT NULL DO UPDATE
            SET amount_minor = excluded.amount_minor, or_more = excluded.or_more, set_by = excluded.set_by,
                set_at = excluded.set_at
            WHERE price.by_list AND ROW(price.amount_minor, price.or_more)
                IS DISTINCT FROM ROW(excluded.amount_minor, excluded.or_more)""",  # noqa: S608 - names of our own
            [*values, kind],
        )


# -- Many at once ------------------------------------------------------------------------------------------------------


def of_label(label: Party, *, kind: str, currency: str) -> QuerySet[Price]:
    """The prices of the label's releases or tracks in a currency, with what they are of."""
    rows = Price.objects.filter(currency=currency)
    if kind == Kind.RELEASE:
        return rows.filter(release__label=label).select_related("release__label").order_by("release__title", "pk")
    return rows.filter(recording__label=label).select_related("recording__label").order_by("recording__title", "pk")


def scaled(amount: Money, percent: Decimal) -> Money:
    """The amount raised or lowered by so many per cent, rounded to what the currency can be paid in."""
    step = amount.currency.charge_step
    minor = (amount.minor * (100 + percent) / 100 / step).quantize(Decimal(1), ROUND_HALF_UP)
    return Money(int(minor) * step, amount.currency)


def at_rate(amount: Money, rate: Decimal, currency: Currency) -> Money:
    """The amount in another currency at a rate that the label states (so many of it for one), rounded likewise."""
    minor = amount.decimal * rate * 10**currency.exponent / currency.charge_step
    return Money(int(minor.quantize(Decimal(1), ROUND_HALF_UP)) * currency.charge_step, currency)


def change(label: Party, *, kinds: Iterable[str], currency: str, value: Decimal, actor: str, source: str = "") -> int:
    """Raise by `value` per cent what the label asks in `currency` (below nought: lower it), or copy what it asks in
    `source` at the rate `value`, for all that has a price there. The lists and prices of single things; their number.

    All or none: raises AmountRefused where one of the new prices could not be paid. What is free stays free.
    """
    unit = Currency(currency)

    def new(money: Money) -> Money:
        return at_rate(money, value, unit) if source else scaled(money, value)

    count = 0
    with transaction.atomic():
        for kind in kinds:
            for row in ListPrice.objects.filter(label=label, kind=kind, currency=source or currency):
                asked = Asked(new(Money.of(row.amount_minor, row.currency)), row.or_more)
                set_list(label, kind=kind, currency=currency, asked=asked, actor=actor)
                count += 1
            own = [price for price in of_label(label, kind=kind, currency=source or currency) if not price.by_list]
            pairs = ((_subject(one), Asked(new(Money.of(one.amount_minor, one.currency)), one.or_more)) for one in own)
            count += set_many(pairs, currency=currency, actor=actor)
    return count


def _subject(price: Price) -> Release | Recording:
    return price.release or price.recording  # type: ignore[return-value]  # one of them is set


def currencies_of(label: Party) -> list[str]:
    """The currencies in which the label has a price or a list, sorted."""
    mine = Q(release__label=label) | Q(recording__label=label)
    found = set(Price.objects.filter(mine).values_list("currency", flat=True).distinct())
    return sorted(found | set(ListPrice.objects.filter(label=label).values_list("currency", flat=True)))


def lists(label: Party, *, currency: str) -> Mapping[str, ListPrice]:
    """The label's list in a currency, by kind."""
    return {row.kind: row for row in ListPrice.objects.filter(label=label, currency=currency)}


def prices_of(
    releases: Sequence[Release], recordings: Sequence[Recording], *, currency: str
) -> tuple[dict[int, Price], dict[int, Price]]:
    """The prices of these releases and of these recordings in a currency. Two queries."""
    rows = Price.objects.filter(currency=currency)
    whole = {price.release_id: price for price in rows.filter(release__in=releases) if price.release_id}
    single = {price.recording_id: price for price in rows.filter(recording__in=recordings) if price.recording_id}
    return whole, single
