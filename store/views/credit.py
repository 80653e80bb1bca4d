"""A buyer's credit: what there is, adding to it, gift cards, and what goes back to where it was paid from."""

import contextlib
import secrets
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from payments import wallets
from payments.errors import PaymentsError
from payments.money import Money
from store import credit, credit_purchases, gift_cards
from store.credit_forms import GiftCardForm, RedeemForm, TopUpForm
from store.errors import StoreError
from store.models import CreditPurchase, User
from store.views.visitor import signed_in

SHOWN = 50
SILENT = "The payment page does not answer at the moment. Nothing was charged; please try again in a minute."


def _fresh() -> dict[str, str]:
    return {"request_key": secrets.token_urlsafe(24)}


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """What there is and where it came from; adding to it."""
    user = signed_in(request)
    form = TopUpForm(request.POST or None, initial=_fresh())
    if request.method == "POST" and form.is_valid():
        refused = _buy(user, form, amount=form.cleaned_data["amount"])
        if not isinstance(refused, str):
            return refused
        form.add_error(None, refused)
    return _page(request, user, form=form)


def _page(request: HttpRequest, user: User, **forms: Any) -> HttpResponse:
    wallet = wallets.find(credit.owner(user), settings.STORE_CURRENCY)
    held = credit.balance(user)
    bought = list(
        CreditPurchase.objects.filter(buyer=user, state=CreditPurchase.State.PAID)
        .select_related("gift_card", "buyer")
        .prefetch_related("refunds")[:SHOWN]
    )
    said = {
        "form": TopUpForm(initial=_fresh()),
        "redeem": RedeemForm(),
        "held": held,
        "cap": credit.cap(),
        "currency": settings.STORE_CURRENCY,
        "history": credit.history(wallet, limit=SHOWN) if wallet else [],
        "purchases": [(one, credit_purchases.refundable(one, held=held)) for one in bought],
        **forms,
    }
    wrong = any(getattr(form, "errors", None) for form in forms.values())
    return render(request, "shop/credit.html", said, status=422 if wrong else 200)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def give(request: HttpRequest) -> HttpResponse:
    """Buy a gift card for somebody."""
    form = GiftCardForm(request.POST or None, initial=_fresh())
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        refused = _buy(
            signed_in(request), form, amount=said["amount"], recipient=said["recipient"],
            message=said["message"], deliver_on=said["deliver_on"],
        )  # fmt: skip
        if not isinstance(refused, str):
            return refused
        form.add_error(None, refused)
    said = {"form": form, "cap": credit.cap(), "currency": settings.STORE_CURRENCY}
    return render(request, "shop/gift_cards.html", said, status=422 if form.errors else 200)


def _buy(user: User, form: TopUpForm, *, amount: Money, **gift: Any) -> HttpResponse | str:
    """Ask for the credit and go to pay; or why not, in words."""
    now = timezone.now()
    try:
        purchase = credit_purchases.buy(
            user, amount=amount, request_key=form.cleaned_data["request_key"], at=now, **gift
        )
        if purchase.state != CreditPurchase.State.PLACED:
            return redirect("credit")
        return redirect(credit_purchases.start_payment(purchase, at=now))
    except StoreError as refusal:
        return refusal.message
    except PaymentsError:
        return SILENT


@never_cache
@login_required
@require_GET
def returned(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Where the payment page sends the buyer back to; what was paid is Stripe's to tell, not the address's."""
    purchase = _own(request, public_id)
    with contextlib.suppress(StoreError, PaymentsError):  # the webhook and the sweep look again
        purchase = credit_purchases.settle(purchase, at=timezone.now())
    if purchase.state != CreditPurchase.State.PAID:
        messages.info(request, "The payment provider has not told us yet that the money has come. It takes seconds.")
    elif purchase.kind == CreditPurchase.Kind.TOP_UP:
        messages.success(request, "Your credit is here.")
    else:
        messages.success(request, f"The gift card is paid; it goes to {purchase.recipient_email} by mail.")
    return redirect("credit")


@never_cache
@login_required
@require_POST
def redeem(request: HttpRequest) -> HttpResponse:
    """Turn a gift card's code into credit."""
    user, form = signed_in(request), RedeemForm(request.POST)
    if form.is_valid():
        try:
            gift_cards.redeem(form.cleaned_data["code"], by=user, at=timezone.now())
        except StoreError as refusal:
            form.add_error("code", refusal.message)
        else:
            messages.success(request, "The gift card is in your credit now.")
            return redirect("credit")
    return _page(request, user, redeem=form)


@never_cache
@login_required
@require_POST
def give_back(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Send what is left of a purchase back to where it was paid from."""
    purchase = _own(request, public_id)
    try:
        credit_purchases.give_back(purchase, credit_purchases.refundable(purchase), at=timezone.now())
    except StoreError as refusal:
        messages.error(request, refusal.message)
    except PaymentsError:
        messages.info(request, "The payment provider does not answer; we ask again until it does.")
    else:
        messages.success(request, "It is on its way to where it was paid from. Banks take up to ten days to show it.")
    return redirect("credit")


@never_cache
@require_GET
def gift_card(request: HttpRequest, token: str) -> HttpResponse:
    """What the recipient's letter leads to: from whom, how much, the code, and one button."""
    purchase = gift_cards.by_token(token)
    if purchase is None:
        raise Http404
    said = {"purchase": purchase, "card": purchase.gift_card, "code": gift_cards.code_of(purchase)}
    return render(request, "shop/gift_card.html", said)


def _own(request: HttpRequest, public_id: UUID) -> CreditPurchase:
    """The visitor's purchase; a stranger's does not exist for them."""
    return get_object_or_404(
        CreditPurchase.objects.select_related("buyer"), public_id=public_id, buyer=signed_in(request)
    )
