"""From the basket to the payment page and back."""

import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from redis.exceptions import RedisError

from catalog.credits import artist_line
from catalog.models import Recording, Release
from payments.errors import PaymentsError
from payments.money import Money
from store import baskets, businesses, codes, credit, locations, offers, pricing, tax
from store.checkout import STORE_LICENCE, buyer_licence, cancel, place_order, start_payment, sum_of
from store.errors import CodeRefused, NotOnSale, StoreError, TaxRateMissing, TaxRateUnverified, VatIdRefused
from store.forms import in_words
from store.kept import kept
from store.models import Basket, Code, Offer, Order, VatCheck
from store.quotes import Quote
from store.settlement import settle_order
from store.shop_forms import BusinessForm, CheckoutForm, GiftForm
from store.templatetags.shop import country_name, percent, plain
from store.views.amounts import named_price
from store.views.release import KINDS
from store.views.sleeves import TONES, covers
from store.views.splits import Part, before_paying, named, parts
from store.views.visitor import (
    basket_of,
    buy_for,
    buying_for,
    country_of,
    language_country,
    network_country,
    open_basket,
    signed_in,
    user_of,
)

TRIES, TRIES_WITHIN = 30, 3600  # wrong codes from one address, in seconds
LICENCE_WORDS = {STORE_LICENCE: "the shop's own buyer's licence: yours to keep, on all your devices"}


@dataclass(frozen=True, slots=True)
class Goods:
    """One thing in the basket, as it is listed. `why` is set where it cannot be bought now."""

    offer: UUID
    title: str
    by: str
    kind: str
    label: str
    url: str
    cover: str
    tone: int
    amount_minor: int
    licence: str = ""
    licence_url: str = ""
    split: Sequence[Part] = ()
    split_total: int = 0
    why: str = ""
    named: str = ""  # the price as its field says it, where the buyer names it
    least_minor: int = 0
    given_minor: int = 0
    discount_minor: int = 0
    now: Offer | None = None  # what has come in its place at another price

    @property
    def before_minor(self) -> int:
        """The price before the code, where tax is inside it."""
        return self.least_minor + self.given_minor


@dataclass(frozen=True, slots=True)
class Bill:
    """A basket as it would be ordered from one country."""

    lines: Sequence[Goods]
    gone: Sequence[Goods]
    currency: str
    total_minor: int
    tax_minor: int
    tax_rate: int
    business: VatCheck | None = None
    code: Code | None = None
    code_refused: str = ""  # why the code on the basket takes nothing off

    def context(self, country: str) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "gone": self.gone,
            "labels": len({line.label for line in self.lines}),
            "currency": self.currency,
            "total_minor": self.total_minor,
            "tax_minor": self.tax_minor,
            "net_minor": self.total_minor - self.tax_minor,
            "given_minor": sum(line.given_minor for line in self.lines),
            "discount_minor": sum(line.discount_minor for line in self.lines),
            "before_minor": sum(line.before_minor for line in self.lines),
            "code": self.code,
            "code_refused": self.code_refused,
            "seen": sum_of(self.currency, self.total_minor, self.tax_minor),
            "tax_word": f"VAT inside, {percent(self.tax_rate)}" if self.tax_rate else "Tax",
            "country_phrase": business_phrase(self.business)
            if self.business is not None and businesses.reverses(self.business)
            else country_phrase(country, self.tax_rate),
            "business": self.business,
            "buying_from": country,
        }


def country_phrase(country: str, rate: int) -> str:
    """The country and its consequence, in plain words."""
    name = country_name(country)
    if rate:
        return f"You are buying from {name}: {percent(rate)} VAT is inside the price."
    return f"You are buying from {name}: we collect no tax there, and the price stays the same."


def business_phrase(business: VatCheck) -> str:
    """What it means that a business of another member state buys."""
    return (
        f"You are buying for {business.company}, {business.vat_id}: the price is without VAT, "
        "which your business accounts for itself (reverse charge)."
    )


def licence_words(code: str) -> str:
    return LICENCE_WORDS.get(code, code)


def _bill(basket: Basket | None, country: str, at: datetime, business: VatCheck | None = None) -> Bill:
    reverse_charge = businesses.reverses(business)
    try:
        rate = 0 if reverse_charge else tax.rate(country, at=at)
    except (TaxRateMissing, TaxRateUnverified):  # then nothing is sold there, and the lines below say so
        rate = 0
    if basket is None:
        return Bill((), (), settings.STORE_CURRENCY, 0, 0, rate)
    rows = list(basket.lines.select_related("offer__decision", "offer__release__label", "offer__track__recording"))
    chosen = [line.offer for line in rows]
    quotes = {line.offer_id: pricing.quote_of(line.offer, named_minor=line.named_minor) for line in rows}
    listed = _listed(chosen)
    lines: list[Goods] = []
    gone: list[Goods] = []
    open_now = offers.open_now(chosen, country=country, at=at)
    said = {"country": country, "at": at, "reverse_charge": reverse_charge}
    priced, refused = _priced(basket, open_now, quotes, said)
    known = {each.offer.pk: each for each in priced}
    shown = {each.offer.pk: split for each, split in zip(priced, before_paying(priced), strict=True)}
    names = named(shown.values())
    successors = baskets.successors([offer for offer in chosen if offer.pk not in known])
    for offer in chosen:
        row = listed[offer.pk]
        each = known.get(offer.pk)
        if each is None:
            why = f"Not sold in {country_name(country)}" if offer.is_open else "No longer on sale"
            now = successors.get(offer.pk)
            gone.append(Goods(**row, why="Its price has changed" if now else why, now=now))
            continue
        code, url = buyer_licence(each.verdicts.values())
        drawn = parts(shown[offer.pk], currency=offer.currency, site_name=settings.SITE_NAME, names=names)
        asked = each.quote
        row |= {
            "amount_minor": each.amount_minor,
            "given_minor": asked.given_minor,
            "discount_minor": asked.discount_minor,
            "named": plain(asked.without_discount().amount_minor, offer.currency) if offer.or_more else "",
        }
        lines.append(
            Goods(
                **row,
                licence=licence_words(code),
                licence_url=url,
                split=drawn,
                split_total=each.split.micros,
            )
        )
    return Bill(
        lines,
        gone,
        basket.currency,
        sum(each.amount_minor for each in priced),
        sum(each.tax_minor for each in priced),
        rate,
        business,
        basket.code,
        refused,
    )


def _priced(
    basket: Basket, open_now: Sequence[Offer], quotes: Mapping[int, Quote], said: dict[str, Any]
) -> tuple[list[pricing.Priced], str]:
    """What can be bought at its price, with what the basket's code takes off; and why that takes nothing off."""
    refused = ""
    if basket.code is not None and open_now:
        try:
            codes.check(basket.code, buyer=basket.user, at=said["at"])
            lowered = pricing.with_code(basket.code, open_now, quotes, **said)
            return pricing.price_all(open_now, quotes=lowered, **said), ""
        except CodeRefused as refusal:
            refused = refusal.message
        except NotOnSale:
            refused = "This code would give away what its licences only allow to be sold."
    try:
        return pricing.price_all(open_now, quotes=quotes, **said), refused
    except StoreError:  # one of them went off sale between the two looks: price them one by one
        return [each for offer in open_now for each in _price_or_not(offer, quotes=quotes, **said)], refused


def _price_or_not(offer: Offer, **said: Any) -> list[pricing.Priced]:
    try:
        return pricing.price_all([offer], **said)
    except StoreError:
        return []


def _listed(chosen: Sequence[Offer]) -> dict[int, dict[str, Any]]:
    """What each offer is called and where it stands, by the offer's key; a fixed number of queries."""
    tracks = pricing.tracks_of(chosen)
    keys = {offer.release_id or tracks[offer.pk][0].release_id for offer in chosen}
    releases = {
        release.pk: release for release in Release.objects.filter(pk__in=keys).select_related("label").with_credits()
    }
    singles = [tracks[offer.pk][0].recording_id for offer in chosen if offer.track_id]
    heard = {recording.pk: recording for recording in Recording.objects.filter(pk__in=singles).with_credits()}
    fronts = covers(keys)
    found = {}
    for offer in chosen:
        first = tracks[offer.pk][0]
        release = releases[offer.release_id or first.release_id]
        whole = offer.release_id is not None
        count = len(tracks[offer.pk])
        found[offer.pk] = {
            "offer": offer.public_id,
            "title": release.title if whole else first.title,
            "by": artist_line(release if whole else heard[first.recording_id]),
            "kind": f"{KINDS[release.kind]}, {count} track{'s' if count != 1 else ''}".capitalize()
            if whole
            else f"Track from {release.title}",
            "label": release.label.name,
            "url": reverse("release", args=[release.slug]),
            "cover": fronts.get(release.pk, ""),
            "tone": release.pk % TONES,
            "amount_minor": offer.amount_minor,
            "least_minor": offer.amount_minor,
        }
    return found


@never_cache
@require_safe
def basket(request: HttpRequest) -> HttpResponse:
    country = country_of(request)
    bill = _bill(basket_of(request), country, timezone.now())
    return render(request, "shop/basket.html", bill.context(country))


def _offer(request: HttpRequest, among: QuerySet[Offer]) -> Offer:
    try:
        public_id = UUID(request.POST.get("offer", ""))
    except ValueError:
        public_id = UUID(int=0)
    return get_object_or_404(among, public_id=public_id)


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    offer = _offer(request, Offer.objects.select_related("release", "track__release", "track__recording"))
    slug = offer.release.slug if offer.release else offer.track.release.slug  # type: ignore[union-attr]
    try:
        basket = open_basket(request)
        baskets.add(basket, offer, named_minor=named_price(request.POST, offer))
    except (StoreError, ValidationError) as refusal:
        messages.error(request, in_words(refusal))
        return redirect("release", slug=slug)
    if request.POST.get("replaces"):
        baskets.remove(basket, _in_place_of(offer))
    return redirect("basket")


def _in_place_of(offer: Offer) -> QuerySet[Offer]:
    """The closed offers of the same thing."""
    return Offer.objects.filter(release=offer.release_id, track=offer.track_id, closed_at__isnull=False)


@require_POST
def use_code(request: HttpRequest) -> HttpResponse:
    """Put a code on the basket, or take it off. Whoever tries many is asked to wait."""
    found = open_basket(request)
    if "forget" in request.POST:
        baskets.drop_code(found)
        return redirect("basket")
    tries = f"code-tries:{request.META.get('REMOTE_ADDR', '')}"
    if kept(tries, lambda: 0, seconds=TRIES_WITHIN) >= TRIES:
        messages.error(request, "Too many codes were tried from here. Please try again in an hour.")
        return redirect("basket")
    try:
        baskets.use_code(found, request.POST.get("code", ""), buyer=user_of(request), at=timezone.now())
    except CodeRefused as refusal:
        with contextlib.suppress(ValueError, RedisError, OSError):
            cache.incr(tries)
        messages.error(request, refusal.message)
    return redirect("basket")


@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    offer = _offer(request, Offer.objects.all())
    found = basket_of(request)
    if found is not None:
        baskets.remove(found, [offer])
    return redirect("basket")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """What is bought, from where, for how much, and one button. Pressing it twice places one order."""
    found = basket_of(request)
    country = country_of(request)
    bill = _bill(found, country, timezone.now(), buying_for(request, country))
    if found is None or not (bill.lines or bill.gone):
        return redirect("basket")
    form = _pay_form(request, bill, country, request.POST or None)
    gift = GiftForm(request.POST or None, prefix="gift")
    if request.method == "POST" and form.is_valid() and gift.is_valid():
        refused = _order(request, found, bill, form, gift)
        if not isinstance(refused, str):
            return refused
        bill = _bill(found, country, timezone.now(), buying_for(request, country))  # as it stands now
        form.add_error(None, refused)
    return _page(request, bill, country, form=form, business_form=BusinessForm(), gift=gift)


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
    bill = _bill(basket_of(request), country, timezone.now())
    pay_form, gift = _pay_form(request, bill, country), GiftForm(prefix="gift")
    return _page(request, bill, country, form=pay_form, business_form=form, gift=gift)


def _pay_form(request: HttpRequest, bill: Bill, country: str, data: QueryDict | None = None) -> CheckoutForm:
    initial = {"country": country, "request_key": secrets.token_urlsafe(24)}
    return CheckoutForm(
        data, initial=initial, asked_again=_elsewhere(request, country), credit=_credit_words(request, bill)
    )


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


def _order(request: HttpRequest, found: Basket, bill: Bill, form: CheckoutForm, gift: GiftForm) -> HttpResponse | str:
    """Place the order and go to pay; or why not, in words."""
    now = timezone.now()
    if bill.code_refused:  # it took nothing off, and the page said why
        baskets.drop_code(found)
        found.refresh_from_db()
    if bill.gone:  # what cannot be bought from here was said on the page; it leaves the basket with the order
        baskets.remove(found, Offer.objects.filter(public_id__in=[line.offer for line in bill.gone]))
    evidence = {
        "stated": form.cleaned_data["country"],
        "language": language_country(request),
        "address": request.META.get("REMOTE_ADDR", ""),
        "network": network_country(request),
        "confirmed": "yes" if form.cleaned_data.get("resides") else "",
    }
    try:
        order = place_order(
            found,
            buyer=signed_in(request),
            country=form.cleaned_data["country"],
            evidence=evidence,
            consent=form.cleaned_data["consent"],
            request_key=form.cleaned_data["request_key"],
            vat_check=bill.business,
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
    except StoreError as refusal:
        return refusal.message
    except PaymentsError:
        return "The payment page does not answer at the moment. Nothing was charged; please try again in a minute."


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
