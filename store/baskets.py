"""Baskets: what a visitor gathers before ordering. A basket belongs to a session until its visitor signs in."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from store import offers, pricing
from store.errors import BasketMixed, NotOnSale
from store.models import Basket, BasketLine, Offer, User


@dataclass(frozen=True)
class Contents:
    """A basket as it would be ordered now: the offers still on sale in the country, and those that are not."""

    offers: tuple[Offer, ...]
    gone: tuple[Offer, ...]
    currency: str
    total_minor: int


def find(*, user: User | None, session_key: str | None) -> Basket | None:
    """The visitor's basket, if there is one; asking makes nothing."""
    if user is not None:
        return Basket.objects.filter(user=user).first()
    return Basket.objects.filter(session_key=session_key).first() if session_key else None


def open_basket(*, user: User | None, session_key: str | None, currency: str) -> Basket:
    """The visitor's basket, made on first use. A visitor who is not signed in needs a session key."""
    if user is not None:
        return Basket.objects.get_or_create(user=user, defaults={"currency": currency})[0]
    if not session_key:
        raise ValueError("a basket needs a user or a session")
    return Basket.objects.get_or_create(session_key=session_key, defaults={"currency": currency})[0]


def add(basket: Basket, offer: Offer, *, named_minor: int | None = None) -> BasketLine:
    """Put an offer in, at the price the buyer names where it is hers to name; twice is once, at the price named last.

    The first offer decides the basket's currency. Raises NotOnSale, BasketMixed, and AmountRefused for a price that
    cannot be.
    """
    if not offer.is_open:
        raise NotOnSale("This is no longer on sale.", offer=str(offer.public_id))
    named = named_minor if pricing.quote_of(offer, named_minor=named_minor).given_minor else None
    with transaction.atomic():
        Basket.objects.select_for_update().get(pk=basket.pk)
        basket.refresh_from_db()
        if offer.currency != basket.currency:
            if basket.lines.exists():
                raise BasketMixed(f"The basket holds prices in {basket.currency}; order those first.")
            basket.currency = offer.currency
        line, _ = BasketLine.objects.update_or_create(basket=basket, offer=offer, defaults={"named_minor": named})
        basket.changed_at = timezone.now()
        basket.save(update_fields=["currency", "changed_at"])
    return line


def remove(basket: Basket, offers_gone: Iterable[Offer]) -> None:
    """Take offers out; those that are not in are no fault."""
    basket.lines.filter(offer__in=list(offers_gone)).delete()


def count(basket: Basket | None) -> int:
    return 0 if basket is None else basket.lines.count()


def contents(basket: Basket, *, country: str = "") -> Contents:
    """What is in the basket, parted by whether it can be bought, in `country` where one is given. Bounded queries."""
    lines = basket.lines.select_related("offer__decision", "offer__release", "offer__track__recording")
    rows = list(lines.order_by("added_at", "pk"))
    chosen = [line.offer for line in rows]
    named = {line.offer_id: line.named_minor for line in rows}
    on_sale = tuple(offers.open_now(chosen, country=country))
    gone = tuple(offer for offer in chosen if offer not in on_sale)
    return Contents(on_sale, gone, basket.currency, sum(named[offer.pk] or offer.amount_minor for offer in on_sale))


def adopt(session_key: str, *, user: User) -> Basket | None:
    """On signing in, what was gathered before joins the person's own basket. Returns that basket, if there is any."""
    with transaction.atomic():
        loose = Basket.objects.select_for_update().filter(session_key=session_key).first()
        if loose is None:
            return find(user=user, session_key=None)
        own, _ = Basket.objects.get_or_create(user=user, defaults={"currency": loose.currency})
        if own.currency != loose.currency and not own.lines.exists():
            own.currency = loose.currency
            own.save(update_fields=["currency"])
        if own.currency == loose.currency:
            known = set(own.lines.values_list("offer_id", flat=True))
            loose.lines.exclude(offer_id__in=known).update(basket=own)
        loose.delete()
    return own
