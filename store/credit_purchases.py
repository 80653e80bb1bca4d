"""Credit and gift cards that buyers pay for, and what goes back to where it was paid from.

A purchase is asked for, paid on Stripe's page, and then in the wallet (credit for oneself) or on a card (`gift_cards`).
The webhook's task, the page a buyer lands on and the sweep all call `settle`. What is not spent may be asked back: it
leaves the wallet at once and goes to the card or account that paid, or comes back where Stripe refuses.
"""

import hashlib
import json
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.urls import reverse

from payments import accounts, charges, ledger, wallets
from payments.errors import ChargeMismatch as StripeMismatch
from payments.models import Account, Charge, Refund
from payments.money import Currency, Money
from store import credit, gift_cards
from store.errors import CreditRefused, RequestConflict
from store.models import CreditPurchase, CreditRefund, User
from store.numbers import new_number

State = CreditPurchase.State
SOONEST, LATEST, GIVE_UP = timedelta(seconds=60), timedelta(hours=1), timedelta(days=3)


def buy(
    user: User,
    *,
    amount: Money,
    request_key: str,
    at: datetime,
    recipient: str = "",
    message: str = "",
    deliver_on: date | None = None,
) -> CreditPurchase:
    """Ask for credit, or with a `recipient` for a gift card; pay it with `start_payment`.

    The same request key gives the same purchase, or is refused where it asks for something else. Refused above the
    operator's cap and below what Stripe charges at least.
    """
    asked = hashlib.sha256(
        json.dumps([user.pk, amount.minor, amount.currency.code, recipient, message, str(deliver_on)]).encode()
    ).hexdigest()
    known = CreditPurchase.objects.filter(request_key=request_key).first()
    if known is None:
        _check_amount(user, amount, for_oneself=not recipient)
        try:
            with transaction.atomic():
                return CreditPurchase.objects.create(
                    number=new_number("CR", at),
                    kind=CreditPurchase.Kind.GIFT_CARD if recipient else CreditPurchase.Kind.TOP_UP,
                    buyer=user,
                    currency=amount.currency.code,
                    amount_minor=amount.minor,
                    recipient_email=recipient.lower(),
                    message=message,
                    deliver_on=(deliver_on or at.date()) if recipient else None,
                    request_key=request_key,
                    request_sha256=asked,
                    placed_at=at,
                )
        except IntegrityError:  # the same request, come in twice at the same moment
            known = CreditPurchase.objects.get(request_key=request_key)
    if known.request_sha256 != asked:
        raise RequestConflict("This page was already sent with another amount. Please open it again.")
    return known


def _check_amount(user: User, amount: Money, *, for_oneself: bool) -> None:
    if amount.currency.code != settings.STORE_CURRENCY:
        raise CreditRefused(f"Credit is kept in {settings.STORE_CURRENCY}.")
    least = Money(amount.currency.least_charge, amount.currency)
    if amount < least:
        raise CreditRefused(f"The least that can be paid is {credit.said(least)}.")
    held = credit.balance(user) if for_oneself else Money(0, amount.currency)
    if credit.cap() < held + amount:
        most, room = credit.said(credit.cap()), Money(max((credit.cap() - held).minor, 0), amount.currency)
        raise CreditRefused(
            f"A wallet here holds at most {most}; there is room for {credit.said(room)} more."
            if for_oneself
            else f"A gift card here is worth at most {most}."
        )


def start_payment(purchase: CreditPurchase, *, at: datetime) -> str:
    """Ask Stripe for its payment page and return the address; asking again gives the same page."""
    if purchase.state != State.PLACED:
        raise CreditRefused(f"{purchase.number} is {purchase.get_state_display()}; there is nothing to pay.")
    amount = Money.of(purchase.amount_minor, purchase.currency)
    what = "Gift card" if purchase.kind == CreditPurchase.Kind.GIFT_CARD else "Credit"
    charge = charges.start_charge(
        reference=purchase.number,
        amount=amount,
        lines=[charges.Line(f"{what}, {settings.SITE_NAME}", purchase.amount_minor)],
        success_url=f"{settings.SITE_URL}{reverse('credit-return', args=[purchase.public_id])}",
        cancel_url=f"{settings.SITE_URL}{reverse('credit')}",
        email=purchase.buyer.email,
    )
    CreditPurchase.objects.filter(pk=purchase.pk, state=State.PLACED).update(next_check_at=at + SOONEST)
    return charge.stripe_session_url


def settle(purchase: CreditPurchase, *, at: datetime) -> CreditPurchase:
    """Put what was paid into the wallet or on the card, once, if Stripe says it is paid; returns it as it stands.

    Credit is a debt of ours to the buyer, not a sale: no tax, no split, no rights holder before it is spent.
    """
    charge = Charge.objects.filter(reference=purchase.number).first()
    if charge is None or purchase.state == State.PAID:
        return CreditPurchase.objects.get(pk=purchase.pk)
    try:
        charge = charges.read_charge(charge)
    except StripeMismatch as error:
        CreditPurchase.objects.filter(pk=purchase.pk).update(alert=str(error)[:300])
        raise
    if charge.state != Charge.State.PAID:
        return CreditPurchase.objects.get(pk=purchase.pk)
    with transaction.atomic(durable=True):
        row = CreditPurchase.objects.select_for_update().select_related("buyer").get(pk=purchase.pk)
        if row.state == State.PAID:
            return row
        amount = Money.of(row.amount_minor, row.currency)
        stripe = accounts.stripe_balance(row.currency)
        if row.kind == CreditPurchase.Kind.TOP_UP:
            wallet = wallets.open_wallet(credit.owner(row.buyer), row.currency)
            wallets.put(wallet, amount, source=stripe, reference=f"credit:{row.number}", kind="CREDIT_BOUGHT", at=at)
        else:
            legs = [ledger.debit(stripe, amount.micros)]
            legs += [ledger.credit(accounts.gift_cards(row.currency), amount.micros)]
            ledger.post(f"gift-card:{row.number}", kind="GIFT_CARD_SOLD", legs=legs, at=at)
            gift_cards.make(row, at=at)
        row.state, row.paid_at, row.alert = State.PAID, charge.paid_at or at, ""
        row.next_check_at = at + SOONEST  # for Stripe's fee
        row.save(update_fields=["state", "paid_at", "alert", "next_check_at"])
    return row


def check(purchase: CreditPurchase, *, at: datetime) -> CreditPurchase:
    """Look after a purchase whose webhook may never come: settle it, post its fee, or give it up after days."""
    purchase = settle(purchase, at=at)
    age = at - purchase.placed_at
    done = False
    if purchase.state == State.PAID:
        done = _post_fee(purchase, at=at)
    elif age > GIVE_UP:
        CreditPurchase.objects.filter(pk=purchase.pk, state=State.PLACED).update(state=State.CANCELLED)
        done = True
    later = None if done or age > 10 * GIVE_UP else at + min(max(age / 4, SOONEST), LATEST)
    CreditPurchase.objects.filter(pk=purchase.pk).update(next_check_at=later)
    return CreditPurchase.objects.get(pk=purchase.pk)


def _post_fee(purchase: CreditPurchase, *, at: datetime) -> bool:
    """Stripe's fee, as its own transfer, once it is told; the shop bears it."""
    charge = Charge.objects.get(reference=purchase.number)
    if charge.fee_minor is None:
        charge = charges.read_charge(charge)
    if charge.fee_minor is None:
        return False
    micros = Money.of(charge.fee_minor, charge.currency).micros
    if micros:
        legs = [ledger.debit(accounts.fees(charge.currency), micros)]
        legs += [ledger.credit(accounts.stripe_balance(charge.currency), micros)]
        with transaction.atomic(durable=True):
            ledger.post(f"fee:{purchase.number}", kind="FEE", legs=legs, at=at)
    return True


# -- Giving back -------------------------------------------------------------------------------------------------------


def refundable(purchase: CreditPurchase, *, held: Money | None = None) -> Money:
    """What of this purchase can go back to where it was paid from: what is left of it, and still in the wallet.

    `held` is what the wallet holds, where the caller knows it.
    """
    nothing = Money(0, Currency(purchase.currency))
    if purchase.state != State.PAID:
        return nothing
    left = Money.of(purchase.amount_minor - purchase.refunded_minor, purchase.currency)
    if purchase.kind == CreditPurchase.Kind.TOP_UP:
        return min(left, held or credit.balance(purchase.buyer, purchase.currency))
    card = purchase.gift_card
    return left if card.redeemed_at is None and card.called_back_at is None else nothing


def give_back(purchase: CreditPurchase, amount: Money, *, at: datetime) -> CreditRefund:
    """Take unspent credit out of the wallet, or a card nobody redeemed out of the world, and owe the buyer the money.

    Only to the card or account that paid it. Raises CreditRefused for more than there is; StripeFailed to try later.
    """
    with transaction.atomic(durable=True):
        row = CreditPurchase.objects.select_for_update().select_related("buyer").get(pk=purchase.pk)
        if not 0 < amount.minor <= refundable(row).minor or amount.currency.code != row.currency:
            raise CreditRefused(f"Of this purchase {credit.said(refundable(row))} can be given back.")
        if row.kind == CreditPurchase.Kind.GIFT_CARD and amount != refundable(row):
            raise CreditRefused("A gift card goes back whole.")
        refund = CreditRefund.objects.create(purchase=row, amount_minor=amount.minor, asked_at=at)
        reference, waiting = f"credit-back:{refund.public_id}", _waiting(refund)
        if row.kind == CreditPurchase.Kind.TOP_UP:
            wallet = wallets.open_wallet(credit.owner(row.buyer), row.currency)
            wallets.take(wallet, amount, to=waiting, reference=reference, kind="CREDIT_GIVEN_BACK", at=at)
        else:
            gift_cards.call_back(row, at=at)
            legs = [ledger.debit(accounts.gift_cards(row.currency), amount.micros)]
            legs += [ledger.credit(waiting, amount.micros)]
            ledger.post(reference, kind="CREDIT_GIVEN_BACK", legs=legs, at=at)
        CreditPurchase.objects.filter(pk=row.pk).update(refunded_minor=F("refunded_minor") + amount.minor)
    return push(refund, at=at)


def push(refund: CreditRefund, *, at: datetime) -> CreditRefund:
    """Ask Stripe for a refund that is due, or what became of it, and keep the answer; again at any moment."""
    if refund.state != CreditRefund.State.DUE:
        return refund
    purchase = refund.purchase
    charge = Charge.objects.get(reference=purchase.number)
    reference = f"credit-refund:{refund.public_id}"
    known = Refund.objects.filter(reference=reference).first()
    if known is None:
        known = charges.refund_charge(charge, Money.of(refund.amount_minor, purchase.currency), reference=reference)
    else:
        known = charges.read_refund(known)
    if known.state in {Refund.State.SUCCEEDED, Refund.State.FAILED}:
        return _conclude(refund, paid=known.state == Refund.State.SUCCEEDED, at=at)
    return refund


def _conclude(refund: CreditRefund, *, paid: bool, at: datetime) -> CreditRefund:
    with transaction.atomic(durable=True):
        row = CreditRefund.objects.select_for_update().select_related("purchase__buyer").get(pk=refund.pk)
        if row.state != CreditRefund.State.DUE:
            return row
        purchase, amount = row.purchase, Money.of(row.amount_minor, row.purchase.currency)
        reference = f"credit-refund:{row.public_id}"
        if paid:
            legs = [ledger.debit(_waiting(row), amount.micros)]
            legs += [ledger.credit(accounts.stripe_balance(purchase.currency), amount.micros)]
            ledger.post(reference, kind="CREDIT_REFUND", legs=legs, at=at)
        else:  # also what was a card: its code is dead, so its buyer gets it as credit
            wallet = wallets.open_wallet(credit.owner(purchase.buyer), purchase.currency)
            wallets.put(wallet, amount, source=_waiting(row), reference=reference, kind="CREDIT_KEPT", at=at)
        row.state = CreditRefund.State.DONE if paid else CreditRefund.State.REFUSED
        row.ended_at = at
        row.save(update_fields=["state", "ended_at"])
        if not paid and purchase.kind == CreditPurchase.Kind.TOP_UP:  # it may be asked back once more
            CreditPurchase.objects.filter(pk=purchase.pk).update(refunded_minor=F("refunded_minor") - row.amount_minor)
        if not paid:
            words = "Stripe could not give it back; it is in your credit again."
            CreditPurchase.objects.filter(pk=purchase.pk).update(alert=words)
    return row


def _waiting(refund: CreditRefund) -> Account:
    """Where money waits that has left the wallet and not yet reached the buyer."""
    return accounts.suspense(f"credit-refund-{refund.public_id}", refund.purchase.currency)
