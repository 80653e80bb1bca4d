"""The operators' page: owed work, speed, failures and workers, for people at `/ops/` and for Prometheus beside it."""

import hmac
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from store import attendance, exposition, metrics
from store.metrics import Stuck
from store.views.visitor import user_of

View = Callable[[HttpRequest], HttpResponse]


def _is_staff(request: HttpRequest) -> bool:
    user = user_of(request)
    return user is not None and user.is_active and user.is_staff


def for_staff(view: View) -> View:
    """Only staff; for anybody else signed in there is no such page."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest) -> HttpResponse:
        if not _is_staff(request):
            raise Http404("There is no such page.")
        return view(request)

    return inner


@require_safe
@for_staff
def overview(request: HttpRequest) -> HttpResponse:
    at = timezone.now()
    backlogs = metrics.backlogs(at=at)
    work = metrics.work(at=at)
    each = "each" in request.GET
    return render(
        request,
        "ops/overview.html",
        {
            "at": at,
            "backlogs": [
                {"row": one, "seconds": one.age(at), "late": _late(one.code, one.age(at))}
                for one in backlogs
                if one.owed
            ],
            "idle": [one.word for one in backlogs if not one.owed],
            "work": work,
            "each": each,
            "speeds": work.speeds if each else work.families,
            "given_up": metrics.given_up(),
            "refused": metrics.refused(at=at),
            "stuck": [{"row": one, "url": _admin(one)} for one in metrics.stuck(at=at)],
            "workers": [{"row": one, "silent": one.silent(at)} for one in attendance.seen(at=at)],
        },
    )


def _late(code: str, seconds: float) -> bool:
    return code in metrics.PATIENCE and seconds > metrics.PATIENCE[code].total_seconds()


def _admin(row: Stuck) -> str:
    return reverse(f"admin:transcoding_{row.kind}_change", args=[row.key])


@never_cache
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format, for whoever shows the token; for anybody else there is no such page."""
    if not (_shows_token(request) or _is_staff(request)):
        raise Http404("There is no such page.")
    return HttpResponse(
        exposition.text(at=timezone.now()),
        content_type="text/plain; version=0.0.4; charset=utf-8",
        status=HTTPStatus.OK,
    )


def _shows_token(request: HttpRequest) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = str(settings.METRICS_TOKEN)
    return bool(wanted) and kind.lower() == "bearer" and hmac.compare_digest(token.encode(), wanted.encode())
