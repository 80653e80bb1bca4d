"""Gift cards: money for the shop in a code that somebody else redeems. Redeemed once, into one wallet.

The code is not kept: it is made from the purchase with a key of the shop each time it is shown, and known by its hash.
Eighty random-looking bits, so guessing is hopeless.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, time

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from payments import accounts, wallets
from payments.money import Money
from store import credit, letters
from store.errors import CreditRefused
from store.models import CreditPurchase, GiftCard, User

SALT = "store.gift_cards"
CODE_BYTES = 10
GROUP = 4
LIKE = str.maketrans("018", "OIB")  # what people take for letters; no code holds these digits


def make(purchase: CreditPurchase, *, at: datetime) -> GiftCard:
    """The card of a paid purchase, and the letter to its recipient, owed on the day it is to arrive."""
    card = GiftCard.objects.create(purchase=purchase, code_sha256=_sha256(code_of(purchase)), made_at=at)
    on_the_day = datetime.combine(purchase.deliver_on or at.date(), time(8), UTC)
    letters.owe(
        "gift_card",
        about=purchase.public_id,
        to=[purchase.recipient_email],
        subject=f"A gift card for {settings.SITE_NAME}",
        at=max(at, on_the_day),
        template="gift_card",
        purchase=purchase,
        amount=credit.said(Money.of(purchase.amount_minor, purchase.currency)),
        giver=purchase.buyer.get_full_name(),
        address=f"{settings.SITE_URL}{reverse('gift-card', args=[token_of(purchase)])}",
    )
    return card


def code_of(purchase: CreditPurchase) -> str:
    """The card's code, in groups of four, as it is shown to its buyer and its recipient alone; empty where the key that
    made it is no longer among the shop's."""
    known = GiftCard.objects.filter(purchase=purchase).values_list("code_sha256", flat=True).first()
    codes = [_code(purchase, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return next((code for code in codes if known in {None, _sha256(code)}), "")


def _code(purchase: CreditPurchase, secret: str) -> str:
    key = hashlib.sha256(f"{SALT}:{secret}".encode()).digest()
    plain = base64.b32encode(hmac.digest(key, purchase.public_id.bytes, "sha256")[:CODE_BYTES]).decode()
    return "-".join(plain[at : at + GROUP] for at in range(0, len(plain), GROUP))


def token_of(purchase: CreditPurchase) -> str:
    """What the recipient's letter carries instead of the code."""
    return signing.Signer(salt=SALT).sign(str(purchase.public_id))


def by_token(token: str) -> CreditPurchase | None:
    """The paid purchase that a letter's link names, or None."""
    try:
        public_id = signing.Signer(salt=SALT).unsign(token)
    except signing.BadSignature:
        return None
    rows = CreditPurchase.objects.select_related("gift_card", "buyer")
    return rows.filter(public_id=public_id, state=CreditPurchase.State.PAID, gift_card__isnull=False).first()


def redeem(code: str, *, by: User, at: datetime) -> GiftCard:
    """Put a card's money into the wallet of whoever holds its code; the first one wins, again is refused.

    Raises CreditRefused for a code that is none, was used or called back, and where the wallet would hold too much.
    """
    with transaction.atomic(durable=True):
        card = GiftCard.objects.select_for_update(of=("self",)).select_related("purchase").filter(
            code_sha256=_sha256(code)
        ).first()  # fmt: skip
        if card is None:
            raise CreditRefused("There is no gift card with this code. Please look at it once more.")
        if card.called_back_at is not None:
            raise CreditRefused("This gift card was called back by whoever bought it. Please ask them.")
        if card.redeemed_at is not None:
            raise CreditRefused("This gift card was redeemed before.")
        purchase = card.purchase
        amount = Money.of(purchase.amount_minor, purchase.currency)
        wallet = wallets.open_wallet(credit.owner(by), purchase.currency)
        if credit.cap() < wallets.locked_balance(wallet) + amount:
            raise CreditRefused(
                f"A wallet here holds at most {credit.said(credit.cap())}. Spend some of it first; the card waits."
            )
        source = accounts.gift_cards(purchase.currency)
        reference = f"gift-card-redeemed:{purchase.number}"
        wallets.put(wallet, amount, source=source, reference=reference, kind="GIFT_CARD_REDEEMED", at=at)
        card.redeemed_by, card.redeemed_at = by, at
        card.save(update_fields=["redeemed_by", "redeemed_at"])
    return card


def call_back(purchase: CreditPurchase, *, at: datetime) -> None:
    """Make the code worthless, in the caller's transaction; refused where somebody redeemed it."""
    if not GiftCard.objects.filter(purchase=purchase, redeemed_at=None, called_back_at=None).update(called_back_at=at):
        raise CreditRefused("This gift card was redeemed, so it cannot be called back.")


def _sha256(code: str) -> str:
    """The hash of a code as people type it: small letters, blanks and dashes are no matter."""
    plain = "".join(code.upper().replace("-", " ").split()).translate(LIKE)
    return hashlib.sha256(f"{SALT}:{plain}".encode()).hexdigest()
