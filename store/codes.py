"""Codes: made by a label for its own music or by the shop, put on a basket, redeemed with an order, given back with it.

How often a code may be used is held by one conditional update in the transaction of the order, at its end: of several
shoppers at once exactly as many get it as there are uses left.
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from catalog.models import Party, Release
from payments.money import Currency, Money
from store import discounts
from store.errors import CodeRefused
from store.models import Code, Offer, Order, Redemption, User
from store.quotes import Quote
from store.record_imports import safe
from store.templatetags.shop import plain

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that is read as something else
RANDOM = 12  # of 31 letters: 59 bits, which nobody tries through
MOST_AT_ONCE = 5000
_FORM = re.compile(r"[A-Z0-9][A-Z0-9-]{2,38}[A-Z0-9]", re.ASCII)
Bearer = Code.Bearer


@dataclass(frozen=True)
class Terms:
    """What a code does: per cent (100: free) or an amount, for what, from when to when, how often. None: no limit."""

    percent: int | None
    amount: Money | None
    starts_at: datetime
    ends_at: datetime | None = None
    max_uses: int | None = None
    release: Release | None = None


# -- Making ------------------------------------------------------------------------------------------------------------


def make(
    terms: Terms,
    *,
    label: Party | None,
    bearer: str,
    actor: str,
    at: datetime,
    text: str = "",
    count: int = 1,
    batch: str = "",
) -> list[Code]:
    """Make one code with this text, or as many as wanted with random ones. Raises CodeRefused, in words.

    With a label it is for that label's music alone, with `terms.release` for one release of it.
    """
    _check(terms)
    _check_scope(terms, label, bearer, text=text, count=count)
    texts = [normal(text)] if text else [_random() for _ in range(count)]
    if text and Code.objects.filter(text=texts[0]).exists():
        raise CodeRefused("There is such a code already. Choose another word.")
    with transaction.atomic():
        return Code.objects.bulk_create(
            Code(
                text=each,
                batch=batch,
                bearer=bearer,
                label=label,
                release=terms.release,
                percent=terms.percent,
                amount_minor=terms.amount.minor if terms.amount else None,
                currency=terms.amount.currency.code if terms.amount else "",
                starts_at=terms.starts_at,
                ends_at=terms.ends_at,
                max_uses=terms.max_uses,
                made_by=actor,
                made_at=at,
            )
            for each in texts
        )


def _check(terms: Terms) -> None:
    if (terms.percent is None) == (terms.amount is None):
        raise CodeRefused("Say how many per cent it takes off, or which amount: one of the two.")
    if terms.percent is not None and not 1 <= terms.percent <= discounts.WHOLE:
        raise CodeRefused("It takes off 1 to 100 per cent.")
    if terms.amount is not None and terms.amount.minor <= 0:
        raise CodeRefused("The amount must be above nought.")
    if terms.ends_at is not None and terms.ends_at <= terms.starts_at:
        raise CodeRefused("It would end before it begins.")
    if terms.max_uses is not None and terms.max_uses < 1:
        raise CodeRefused("It must be good for one use at least.")


def _check_scope(terms: Terms, label: Party | None, bearer: str, *, text: str, count: int) -> None:
    if text and _FORM.fullmatch(normal(text)) is None:
        raise CodeRefused("A code is 4 to 40 letters and digits, with hyphens between them.")
    if text and count != 1:
        raise CodeRefused("Codes with one word each get random ones: leave the word out.")
    if not 1 <= count <= MOST_AT_ONCE:
        raise CodeRefused(f"Make 1 to {MOST_AT_ONCE:,} codes at once.")
    if bearer == Bearer.LABEL and label is None:
        raise CodeRefused("A label bears codes for its own music alone.")
    if terms.release is not None and (label is None or terms.release.label_id != label.pk):
        raise CodeRefused("The label has no such release.")


def end(code: Code, *, at: datetime, by: str = "") -> None:
    """Take no more orders with it; those that hold it keep it. One that has not begun never does."""
    open_ = Code.objects.filter(Q(ends_at=None) | Q(ends_at__gt=at), pk=code.pk)
    open_.update(ends_at=max(at, code.starts_at), ended_by=by[:100])


def normal(text: str) -> str:
    """A code as it is kept, however somebody types it."""
    return re.sub(r"[\s_]+", "-", text.strip()).upper()


def _random() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return "-".join(letters[place : place + 4] for place in range(0, RANDOM, 4))


# -- Using -------------------------------------------------------------------------------------------------------------


def find(text: str) -> Code:
    """The code that somebody typed. Raises CodeRefused; an unknown one and a hidden one read the same."""
    code = Code.objects.filter(text=normal(text)[:40]).first()
    if code is None:
        raise CodeRefused("We know no such code. Look whether every letter is right.")
    return code


def check(code: Code, *, buyer: User | None, at: datetime) -> None:
    """Whether the code can be used now, as far as can be known before it is: raises CodeRefused, with why."""
    if at < code.starts_at:
        raise CodeRefused("This code does not count yet.", starts_at=code.starts_at)
    if code.ends_at is not None and at >= code.ends_at:
        raise CodeRefused("This code has ended.")
    mine = buyer is not None and held_by(code, buyer) is not None
    if mine and not _waits(code, buyer):
        raise CodeRefused("You have used this code before.")
    if code.max_uses is not None and code.used >= code.max_uses and not mine:
        raise CodeRefused("This code is used up.")


def held_by(code: Code, buyer: User | None) -> Redemption | None:
    """The order of this buyer that holds the code."""
    return Redemption.objects.filter(code=code, buyer=buyer, released_at=None).select_related("order").first()


def _waits(code: Code, buyer: User | None) -> bool:
    held = held_by(code, buyer)
    return held is not None and held.order.state in {Order.State.PLACED, Order.State.FAILED}


def covers(code: Code, offer: Offer) -> bool:
    """Whether a code is for this thing. A code for a release is for its tracks, too."""
    release = offer.release_id or (offer.track.release_id if offer.track else None)
    if code.release_id is not None:
        return release == code.release_id
    if code.label_id is None:
        return True
    return _label_of(offer) == code.label_id


def _label_of(offer: Offer) -> int | None:
    if offer.release is not None:
        return offer.release.label_id
    return offer.track.recording.label_id if offer.track is not None else None


def take_off(code: Code, offers: Sequence[Offer], quotes: Mapping[int, Quote]) -> dict[int, Quote]:
    """The quotes with what the code takes off; before it is known what the shop's commission can bear.

    What the buyer freely gives is hers to give: nothing is taken off it. Raises CodeRefused where nothing comes off.
    """
    mine = {offer.pk: quotes[offer.pk].list_minor for offer in offers if covers(code, offer)}
    if not mine:
        raise CodeRefused("This code is for other music than is in your basket.")
    unit = Currency(offers[0].currency)
    if code.percent is not None:
        off = discounts.percent_off(mine, code.percent, unit)
    elif code.currency != unit.code:
        raise CodeRefused(f"This code takes off an amount in {code.currency}; your basket is in {unit}.")
    else:
        off = discounts.amount_off(mine, code.amount_minor or 0, unit)
    if not any(off.values()):
        raise CodeRefused("There is nothing in your basket that this code could take anything off.")
    by_shop = code.bearer == Bearer.SHOP
    return {
        **quotes,
        **{
            key: Quote(quotes[key].list_minor, quotes[key].given_minor, minor, by_shop=by_shop)
            for key, minor in off.items()
            if minor
        },
    }


def redeem(code: Code, order: Order, *, at: datetime) -> Redemption | None:
    """Let the order hold the code, at the end of its transaction: raises CodeRefused where there is no use left.

    One conditional update counts; whoever comes second waits for the first, and then sees what it has left.
    """
    off = sum(order.lines.values_list("discount_minor", flat=True))
    if not off:
        return None
    if not _take(code, at=at):
        raise CodeRefused("This code was used up a moment ago. Nothing was ordered.", gone=True)
    try:
        return Redemption.objects.create(code=code, order=order, buyer=order.buyer, discount_minor=off, redeemed_at=at)
    except IntegrityError as error:
        raise CodeRefused("Another order of yours has this code already.") from error


def _take(code: Code, *, at: datetime) -> bool:
    """Count one use, if there is one left at this moment. Looking first and counting afterwards would oversell."""
    left = Q(max_uses=None) | Q(used__lt=F("max_uses"))
    counts = Q(ends_at=None) | Q(ends_at__gt=at)
    return bool(Code.objects.filter(left, counts, pk=code.pk, starts_at__lte=at).update(used=F("used") + 1))


def rows(found: Iterable[Code]) -> Iterator[list[str]]:
    """Codes as lines of a table, safe for spreadsheets."""
    yield ["code", "takes_off", "currency", "for", "from", "until", "orders", "used", "batch"]
    for code in found:
        off = f"{code.percent}%" if code.percent else plain(code.amount_minor or 0, code.currency)
        until = code.ends_at.isoformat() if code.ends_at else ""
        about = code.release.title if code.release else ""
        uses = "" if code.max_uses is None else str(code.max_uses)
        yield [
            code.text, off, code.currency, safe(about), code.starts_at.isoformat(), until, uses, str(code.used),
            safe(code.batch),
        ]  # fmt: skip
