"""The basket: what goes in, what comes out, and a code on it."""

import contextlib
from uuid import UUID

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from store import baskets
from store.errors import CodeRefused, StoreError
from store.forms import in_words
from store.kept import kept
from store.models import Offer
from store.views.amounts import named_price
from store.views.bills import bill_of
from store.views.visitor import basket_of, country_of, open_basket, user_of

TRIES, TRIES_WITHIN = 30, 3600  # wrong codes from one address, in seconds


@never_cache
@require_safe
def basket(request: HttpRequest) -> HttpResponse:
    country = country_of(request)
    bill = bill_of(basket_of(request), country, timezone.now())
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
