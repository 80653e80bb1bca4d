"""From the basket to the payment page and back."""

import contextlib
import secrets
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments.errors import PaymentsError
from payments.money import Money
from store import baskets, businesses, credit, locations
from store.checkout import cancel, place_order, start_payment
from store.errors import StoreError, VatIdRefused
from store.models import Basket, Offer, Order, VatCheck
from store.settlement import settle_order
from store.shop_forms import BusinessForm, CheckoutForm, GiftForm
from store.templatetags.shop import country_name
from store.views.bills import Bill, bill_of
from store.views.visitor import (
    basket_of,
    buy_for,
    buying_for,
    country_of,
    language_country,
    network_country,
    signed_in,
)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """What is bought, from where, for how much, and one button. Pressing it twice places one order."""
    found, country = basket_of(request), country_of(request)
    business = buying_for(request, country)
    answer = _pressed(request, found, country, business) if request.method == "POST" and found is not None else None
    if isinstance(answer, HttpResponse):
        return answer
    bill = bill_of(found, country, timezone.now(), business)
    if found is None or not (bill.lines or bill.gone):
        return redirect("basket")
    form = _pay_form(request, _credit_words(request, bill), country, request.POST or None)
    if answer is not None:
        form.add_error(None, answer)
    return _page(request, bill, country, form=form, business_form=BusinessForm(), gift=_gift_form(request))


def _pressed(request: HttpRequest, found: Basket, country: str, business: VatCheck | None) -> HttpResponse | str | None:
    """The button was pressed: go to pay, or why not in words; None where the form itself says what it lacks.

    The bill is drawn only where something in the basket is no more as it was: then what the page said cannot be bought
    leaves the basket, and the order goes without it.
    """
    form, gift = _pay_form(request, _has_credit(request, found), country, request.POST), _gift_form(request)
    if not (form.is_valid() and gift.is_valid()):
        return None
    try:
        try:
            return _order(request, found, form, gift, business)
        except StoreError:
            if not _leave_out(found, bill_of(found, country, timezone.now(), business)):
                raise
            return _order(request, found, form, gift, business)
    except StoreError as refusal:
        return refusal.message
    except PaymentsError:
        return "The payment page does not answer at the moment. Nothing was charged; please try again in a minute."


def _leave_out(found: Basket, bill: Bill) -> bool:
    """Take out of the basket what cannot be bought from here, and a code that takes nothing off: the page said so.
    Whether there was any."""
    if bill.code_refused:
        baskets.drop_code(found)
        found.refresh_from_db()
    if bill.gone:
        baskets.remove(found, Offer.objects.filter(public_id__in=[line.offer for line in bill.gone]))
    return bool(bill.gone or bill.code_refused)


@never_cache
@login_required
@require_POST
def business(request: HttpRequest) -> HttpResponse:
    """Buy for a business, or no longer: its VAT number is asked about, and the checkout shows what that means."""
    if "forget" in request.POST:
        buy_for(request, None)
        return redirect("checkout")
    country = country_of(request)
    form = BusinessForm(request.POST)
    if form.is_valid():
        try:
            found = businesses.check(signed_in(request), country=country, at=timezone.now(), **form.cleaned_data)
        except VatIdRefused as refusal:
            form.add_error("vat_id", refusal.message)
        else:
            buy_for(request, found)
            if found.state == VatCheck.State.UNANSWERED:
                messages.warning(request, "VIES does not answer now, so VAT stays in the price; your invoice names it.")
            return redirect("checkout")
    bill = bill_of(basket_of(request), country, timezone.now())
    pay_form, gift = _pay_form(request, _credit_words(request, bill), country), GiftForm(prefix="gift")
    return _page(request, bill, country, form=pay_form, business_form=form, gift=gift)


def _gift_form(request: HttpRequest) -> GiftForm:
    return GiftForm(request.POST or None, prefix="gift")


def _pay_form(request: HttpRequest, credit: str, country: str, data: QueryDict | None = None) -> CheckoutForm:
    initial = {"country": country, "request_key": secrets.token_urlsafe(24)}
    return CheckoutForm(data, initial=initial, asked_again=_elsewhere(request, country), credit=credit)


def _has_credit(request: HttpRequest, found: Basket) -> str:
    """Something to say where the visitor has credit, which is all that a form which is only read needs to know."""
    return "yes" if credit.balance(signed_in(request), found.currency).minor else ""


def _credit_words(request: HttpRequest, bill: Bill) -> str:
    """What the visitor's credit would pay of the bill; empty where it can pay nothing."""
    total = Money.of(bill.total_minor, bill.currency)
    pays = credit.usable(signed_in(request), total)
    if not pays.minor:
        return ""
    if pays == total:
        return f"It pays all of it; you have {credit.said(credit.balance(signed_in(request), bill.currency))}."
    return f"It pays {credit.said(pays)}, and {credit.said(total - pays)} are left to pay by card."


def _page(
    request: HttpRequest,
    bill: Bill,
    country: str,
    *,
    form: CheckoutForm,
    business_form: BusinessForm,
    gift: GiftForm,
) -> HttpResponse:
    context = {
        **bill.context(country),
        "form": form,
        "gift": gift,
        "business_form": business_form if businesses.offered() and country in locations.UNION else None,
        "sandbox": bool(settings.STRIPE_API_BASE),
    }
    refused = form.errors or business_form.errors or gift.errors
    return render(request, "shop/checkout.html", context, status=422 if refused else 200)


def _elsewhere(request: HttpRequest, country: str) -> str:
    """The name of the country the connection comes from, where that speaks against the one stated."""
    network = network_country(request)
    asked = locations.must_be_asked_again(country, network=network, wanted=settings.LOCATION_PROOFS)
    return country_name(network) if asked else ""


def _order(
    request: HttpRequest, found: Basket, form: CheckoutForm, gift: GiftForm, business: VatCheck | None
) -> HttpResponse:
    """Place the order and go to pay. Raises StoreError, and PaymentsError where the payment page cannot be had."""
    now = timezone.now()
    evidence = {
        "stated": form.cleaned_data["country"],
        "language": language_country(request),
        "address": request.META.get("REMOTE_ADDR", ""),
        "network": network_country(request),
        "confirmed": "yes" if form.cleaned_data.get("resides") else "",
    }
    order = place_order(
        found,
        buyer=signed_in(request),
        country=form.cleaned_data["country"],
        evidence=evidence,
        consent=form.cleaned_data["consent"],
        request_key=form.cleaned_data["request_key"],
        vat_check=business,
        seen=request.POST.get("seen", "")[:60],
        gift=gift.wish(),
        at=now,
    )
    if form.cleaned_data.get("use_credit"):
        order = credit.use(order, at=now)
    if not order.due_minor:
        order = settle_order(order, at=now)
    if order.state != Order.State.PLACED:
        return redirect("order", order.public_id)
    return redirect(start_payment(order, at=now))


def _own_order(request: HttpRequest, public_id: UUID) -> Order:
    """The visitor's order; a stranger's does not exist for them."""
    return get_object_or_404(Order, public_id=public_id, buyer=signed_in(request))


@login_required
@require_POST
def pay(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Go to the payment page again, for an order that still waits for its payment."""
    order = _own_order(request, public_id)
    try:
        return redirect(start_payment(order, at=timezone.now()))
    except StoreError:
        return redirect("order", order.public_id)
    except PaymentsError:
        messages.error(request, "The payment page does not answer at the moment. Please try again in a minute.")
        return redirect("order", order.public_id)


@login_required
@require_POST
def give_up(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Cancel an order that still waits for its payment; one that was paid meanwhile stays."""
    order = _own_order(request, public_id)
    try:
        order = cancel(order, at=timezone.now())
    except PaymentsError:
        messages.error(request, "The payment provider does not answer, so nothing was cancelled. Please try again.")
    else:
        if order.state == Order.State.CANCELLED:
            messages.success(request, "The order is cancelled. Nothing was charged.")
    return redirect("order", order.public_id)


@login_required
@require_safe
def returned(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Where the payment page sends the buyer back to; what was paid is Stripe's to tell, not the address's."""
    order = _own_order(request, public_id)
    with contextlib.suppress(StoreError, PaymentsError):  # the webhook and the sweep look again
        settle_order(order, at=timezone.now())
    return redirect("order", order.public_id)
