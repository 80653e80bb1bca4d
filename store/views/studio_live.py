"""The cells of a studio page that move while files are examined and made: asked for every other second, one statement.

A page says which stages it shows (`seen`). Where these have changed, the answer carries the event `moved`, upon which
the page fetches its rows anew.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from catalog.models import Party, Recording, Release
from store import live
from store.models import Delivery
from store.views.studio import for_label

MOVED = "moved"


def _fragment(request: HttpRequest, cells: list[live.Progress], *, besides: str = "") -> HttpResponse:
    seen = live.seen(cells, besides=besides)
    stale = request.GET.get("seen") not in {None, seen}  # its rows come anew; it may not have these cells yet
    context = {"cells": [] if stale else cells, "seen": seen, "address": request.path}
    response = render(request, "studio/live.html", context)
    return trigger_client_event(response, MOVED) if seen != request.GET.get("seen") else response


@require_safe
@for_label
def of_release(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = get_object_or_404(Release, public_id=public_id, label=label)
    return _fragment(request, live.of(found.recordings.order_by().values("pk")))


@require_safe
@for_label
def of_delivery(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """Only what is this label's own, whatever a delivery's lines point to."""
    found = get_object_or_404(Delivery, public_id=public_id, label=label)
    lines = found.lines.exclude(recording=None).order_by().values("recording")
    cells = live.of(Recording.objects.filter(pk__in=lines, label=label).values("pk"))
    return _fragment(request, cells, besides=live.taken(found))


@require_safe
@for_label
def of_recording(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = get_object_or_404(Recording, public_id=public_id, label=label)
    return _fragment(request, live.of([found.pk]))
