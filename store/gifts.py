"""Music bought for a friend: kept for her until the day, told to her by letter, claimed by one person, once.

An order that is a gift has no owner until it is claimed. The link in the letter is all that claiming takes, beside an
account; it is signed, and worth nothing once the buyer has sent the gift to another address.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from store import letters
from store.errors import GiftRefused
from store.models import Gift, Letter, Order, OrderLine, User

SALT = "store.gifts"
LATEST = timedelta(days=366)
DAY = timedelta(days=1)
MOST_LETTERS = 5  # about one gift in a day: strangers' mail is not to be filled with what somebody writes
MOST_GIFTS = 50  # of one buyer in a day


@dataclass(frozen=True)
class Wish:
    """Whom a buyer gives an order to, with which words, and from when on it is told; at once where none is said."""

    recipient: str
    send_at: datetime | None = None
    recipient_name: str = ""
    sender_name: str = ""
    message: str = ""

    def check(self, *, at: datetime) -> None:
        """Raises GiftRefused for a day that is too far off."""
        if self.send_at is not None and self.send_at > at + LATEST:
            raise GiftRefused("Choose a day within a year.")

    def as_list(self) -> list[str]:
        day = self.send_at.isoformat() if self.send_at else ""
        return [self.recipient.lower(), day, self.recipient_name, self.sender_name, self.message]


def keep(order: Order, wish: Wish, *, at: datetime) -> Gift:
    """Write the wish down with its order, in the caller's transaction. Raises GiftRefused for too many in a day."""
    if Gift.objects.filter(order__buyer=order.buyer_id, order__placed_at__gt=at - DAY).count() >= MOST_GIFTS:
        raise GiftRefused(f"That were {MOST_GIFTS} gifts since yesterday. Give the next tomorrow, or write to us.")
    return Gift.objects.create(
        order=order,
        recipient=wish.recipient.lower(),
        recipient_name=wish.recipient_name,
        sender_name=wish.sender_name,
        message=wish.message,
        send_at=max(wish.send_at or at, at),
    )


def due(*, at: datetime) -> QuerySet[Gift]:
    """Gifts whose friend is to be told now: paid for, not claimed, not taken back."""
    given = OrderLine.objects.filter(order=OuterRef("order"), state=OrderLine.State.PAID)
    found = Gift.objects.filter(Exists(given), letter_at=None, claimed_at=None, send_at__lte=at)
    return found.filter(order__state=Order.State.PAID).order_by("send_at", "pk")


def tell(gift: Gift, *, at: datetime) -> bool:
    """Owe the letter of a gift that is due; false where it is not, or was owed before. Twice is once."""
    with transaction.atomic():
        if not due(at=at).filter(pk=gift.pk).exists():
            return False
        if not Gift.objects.filter(pk=gift.pk, turn=gift.turn, letter_at=None).update(letter_at=at):
            return False
        _owe_letter(gift, at=at)
    return True


def _owe_letter(gift: Gift, *, at: datetime) -> None:
    sender = gift.sender_name or gift.order.buyer.get_short_name()
    letters.owe(
        "gift",
        about=f"{gift.pk}:{gift.turn}",
        to=[gift.recipient],
        subject=f"{sender} gives you music",
        at=at,
        template="gift",
        gift=gift,
        sender=sender,
        lines=list(gift.order.lines.filter(state=OrderLine.State.PAID).order_by("position")),
        link=address(gift),
    )


def address(gift: Gift) -> str:
    """Where the gift is claimed; whoever has this address may."""
    return f"{settings.SITE_URL}{reverse('gift', args=[token(gift)])}"


def token(gift: Gift) -> str:
    return signing.Signer(salt=SALT, sep="~").sign(f"{gift.public_id.hex}.{gift.turn}")


def find(said: str) -> Gift:
    """The gift that a link names. Raises GiftRefused, with the same words for what never was and what is no more."""
    refused = GiftRefused("This link leads to no gift. It may have been sent to another address since.", gone=True)
    try:
        key, _, turn = signing.Signer(salt=SALT, sep="~").unsign(said).partition(".")
    except signing.BadSignature:
        raise refused from None
    gift = Gift.objects.filter(public_id=key, turn=int(turn)).select_related("order__buyer").first()
    if gift is None:
        raise refused
    return gift


def claim(gift: Gift, *, user: User, at: datetime) -> Order:
    """Make the gift this person's own. Twice is once for her; anybody else is refused with GiftRefused."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=gift.order_id)
        if order.owner_id == user.pk:
            return order
        given = order.lines.filter(state=OrderLine.State.PAID).exists()
        if order.state != Order.State.PAID or not given:
            raise GiftRefused("This gift was taken back, or is not paid yet. Ask whoever gave it to you.")
        if not _own(order, user):
            raise GiftRefused("This gift has been claimed already.")
        Gift.objects.filter(pk=gift.pk).update(claimed_by=user, claimed_at=at)
    order.refresh_from_db()
    return order


def _own(order: Order, user: User) -> bool:
    """Give the order its owner, if it has none yet at this moment."""
    return bool(Order.objects.filter(pk=order.pk, owner=None).update(owner=user))


def send_again(gift: Gift, *, recipient: str, at: datetime) -> Gift:
    """Tell the friend again, at this address, now; the link that went out before is worth nothing any more.

    Raises GiftRefused once it is claimed, where it is not to be given any more, and for too many letters in a day.
    """
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=gift.order_id)
        if order.owner_id is not None:
            raise GiftRefused("It has been claimed: it is your friend's now.")
        if order.state not in {Order.State.PAID, Order.State.PLACED}:
            raise GiftRefused("This gift was taken back.")
        gift = Gift.objects.select_for_update().get(pk=gift.pk)
        _refuse_too_many(gift, at=at)
        gift.recipient, gift.turn, gift.letter_at = recipient.lower(), gift.turn + 1, None
        gift.send_at = min(gift.send_at, at)
        gift.save(update_fields=["recipient", "turn", "letter_at", "send_at"])
    tell(gift, at=at)
    gift.refresh_from_db()
    return gift


def _refuse_too_many(gift: Gift, *, at: datetime) -> None:
    """The caller holds the gift's lock, so that two at once do not both take the last turn."""
    turns = [f"{gift.pk}:{turn}" for turn in range(max(gift.turn - MOST_LETTERS, 0), gift.turn + 1)]
    told = Letter.objects.filter(kind="gift", about__in=turns, owed_at__gt=at - DAY).order_by("-owed_at")
    latest = list(told.values_list("owed_at", flat=True)[:MOST_LETTERS])
    if len(latest) == MOST_LETTERS:
        again = latest[-1] + DAY
        raise GiftRefused(
            f"The letter went out {MOST_LETTERS} times since yesterday. Ask your friend to look among unwanted mail; "
            f"you can send it again from {again:%d %B, %H:%M} UTC.",
            again=again.isoformat(),
        )
