"""A gift: what the friend finds under the link, and what the buyer may do until it is claimed."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from store import gifts
from store.errors import GiftRefused
from store.models import Gift, Order, OrderLine
from store.shop_forms import SendAgainForm
from store.views.sleeves import TONES, covers
from store.views.visitor import signed_in, user_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def gift(request: HttpRequest, token: str) -> HttpResponse:
    """What is given, by whom and with which words; one press makes it one's own, with an account."""
    try:
        found = gifts.find(token)
    except GiftRefused as refusal:
        return render(request, "shop/gift.html", {"refused": refusal.message}, status=404)
    user = user_of(request)
    refused = ""
    if request.method == "POST" and user is not None:
        try:
            gifts.claim(found, user=user, at=timezone.now())
        except GiftRefused as refusal:
            refused = refusal.message
        else:
            messages.success(request, "It is yours, in every format you like.")
            return redirect("library")
    context = {"gift": found, "refused": refused or _shut(found), "lines": _lines(found), **_ways_in(request)}
    return render(request, "shop/gift.html", context, status=409 if refused else 200)


def _shut(found: Gift) -> str:
    """Why nothing can be claimed here any more, before anybody tries."""
    order = found.order
    if order.owner_id is not None:
        return "This gift has been claimed already."
    given = order.lines.filter(state=OrderLine.State.PAID).exists()
    return "" if given else "This gift was taken back, or is not paid yet. Ask whoever gave it to you."


def _lines(found: Gift) -> list[dict[str, object]]:
    lines = list(found.order.lines.filter(state=OrderLine.State.PAID).select_related("track").order_by("position"))
    releases = {line.pk: line.release_id or (line.track.release_id if line.track else 0) for line in lines}
    fronts = covers(set(releases.values()))
    return [
        {"title": line.title, "by": line.artist, "cover": fronts.get(key, ""), "tone": key % TONES}
        for line in lines
        for key in [releases[line.pk]]
    ]


def _ways_in(request: HttpRequest) -> dict[str, str]:
    back = urlencode({"next": request.path})
    return {
        "login": f"{reverse('account_login')}?{back}",
        "signup": f"{reverse('account_signup')}?{back}",
    }


@login_required
@require_POST
def send_again(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Tell the friend again, at this or another address."""
    order = get_object_or_404(Order, public_id=public_id, buyer=signed_in(request), is_gift=True)
    form = SendAgainForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Write an e-mail address.")
        return redirect("order", public_id)
    try:
        gifts.send_again(order.gift, recipient=form.cleaned_data["recipient"], at=timezone.now())
    except GiftRefused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"The letter goes to {form.cleaned_data['recipient']} now.")
    return redirect("order", public_id)
