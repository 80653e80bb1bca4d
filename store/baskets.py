"""Baskets: what a visitor gathers before ordering. A basket belongs to a session until its visitor signs in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from store import clearing, codes, offers, pricing
from store.errors import BasketMixed, NotOnSale
from store.models import Basket, BasketLine, Code, Offer, User
from store.quotes import Quote


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

    A basket speaks one currency. What comes with another turns it to that, or itself to the basket's, or both to the
    shop's, whichever all of it has prices in. Raises NotOnSale, BasketMixed where there is none, and AmountRefused for
    a price that cannot be.
    """
    if not offer.is_open:
        raise NotOnSale("This is no longer on sale.", offer=str(offer.public_id))
    named = named_minor if pricing.quote_of(offer, named_minor=named_minor).given_minor else None
    with transaction.atomic():
        Basket.objects.select_for_update().get(pk=basket.pk)
        basket.refresh_from_db()
        if offer.currency != basket.currency and not turn(basket, offer.currency):
            offer, named = _in_common(basket, offer), None
        line, _ = BasketLine.objects.update_or_create(basket=basket, offer=offer, defaults={"named_minor": named})
        basket.changed_at = timezone.now()
        basket.save(update_fields=["changed_at"])
    if basket.code is not None:
        _decide_what_code_gives(basket, basket.code, at=timezone.now())
    return line


def use_code(basket: Basket, text: str, *, buyer: User | None, at: datetime) -> Code:
    """Put a code on the basket in the place of any other. Raises CodeRefused, where it cannot be used for this."""
    code = codes.find(text)
    codes.check(code, buyer=buyer, at=at)
    _decide_what_code_gives(basket, code, at=at)
    Basket.objects.filter(pk=basket.pk).update(code=code, changed_at=at)
    return code


def drop_code(basket: Basket) -> None:
    Basket.objects.filter(pk=basket.pk).update(code=None)


def _decide_what_code_gives(basket: Basket, code: Code, *, at: datetime) -> None:
    rows = list(basket.lines.select_related("offer__release", "offer__track__recording"))
    quotes = {line.offer_id: pricing.quote_of(line.offer, named_minor=line.named_minor) for line in rows}
    chosen = [line.offer for line in rows]
    if chosen:
        decide_given(chosen, codes.take_off(code, chosen, quotes), at=at)


def decide_given(chosen: Sequence[Offer], quotes: Mapping[int, Quote], *, at: datetime) -> None:
    """Ask about what comes for nothing because of a code: whether it may be given away was never asked before."""
    given = [offer for offer in chosen if quotes[offer.pk].is_free and offer.use != clearing.FREE]
    keys = {track.recording_id for tracks in pricing.tracks_of(given).values() for track in tracks} if given else set()
    if keys - clearing.latest_of_recordings(keys, use=clearing.FREE).keys():
        clearing.decide(keys, at=at, actor="task:checkout", uses=[clearing.FREE])


def turn(basket: Basket, currency: str) -> bool:
    """Turn the basket to another currency; false, and nothing done, where not all of it has a price there.

    Prices that the buyer named were named in the old one: the least in the new one counts until she says more.
    """
    with transaction.atomic():
        Basket.objects.select_for_update().get(pk=basket.pk)
        lines = list(basket.lines.select_related("offer"))
        found = _counterparts([line.offer for line in lines], currency)
        if len(found) < len(lines):
            return False
        for line in lines:
            line.offer, line.named_minor = found[line.offer_id], None
        BasketLine.objects.bulk_update(lines, ["offer", "named_minor"])
        basket.currency = currency
        basket.save(update_fields=["currency"])
    return True


def _in_common(basket: Basket, offer: Offer) -> Offer:
    """The offer of the same thing in a currency that all of the basket has prices in; the basket is turned to it."""
    for currency in (basket.currency, settings.STORE_CURRENCY):
        found = _counterparts([offer], currency).get(offer.pk)
        if found is not None and (currency == basket.currency or turn(basket, currency)):
            return found
    raise BasketMixed(f"The basket holds prices in {basket.currency}; order those first.")


def _counterparts(chosen: Sequence[Offer], currency: str) -> dict[int, Offer]:
    """The open offers of the same things in a currency, by the key of the offer there was. One query."""
    releases = [offer.release_id for offer in chosen if offer.release_id]
    tracks = [offer.track_id for offer in chosen if offer.track_id]
    about = Q(release__in=releases) | Q(track__in=tracks)
    rows = Offer.objects.filter(about, closed_at=None, currency=currency) if chosen else []
    found = {(row.release_id, row.track_id): row for row in rows}
    keys = {offer.pk: (offer.release_id, offer.track_id) for offer in chosen}
    return {key: found[thing] for key, thing in keys.items() if thing in found}


def successors(gone: Sequence[Offer]) -> dict[int, Offer]:
    """What has come in the place of closed offers: the same thing, in the same currency, at another price."""
    closed = [offer for offer in gone if not offer.is_open]
    return _counterparts(closed, closed[0].currency) if closed else {}


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
        if own.currency != loose.currency and turn(own, loose.currency):
            own.refresh_from_db()
        if own.currency == loose.currency or turn(loose, own.currency):
            known = set(own.lines.values_list("offer_id", flat=True))
            loose.lines.exclude(offer_id__in=known).update(basket=own)
        loose.delete()
    return own
