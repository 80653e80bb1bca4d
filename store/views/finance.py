"""The desk of finance staff: what needs a person, orders, money given back. Only they find it, with a second factor."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from payments import alerts
from payments.errors import AlertError
from payments.models import Alert
from store import access
from store.errors import NotAllowed, SecondFactorMissing
from store.models import User

P = ParamSpec("P")
FinanceView = Callable[Concatenate[HttpRequest, User, P], HttpResponseBase]


def for_finance(view: FinanceView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Finance staff with their second factor shown; for anybody else signed in there is no such page."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            staff = access.require_finance(request.user)
            access.require_second_factor(request)
        except NotAllowed as error:
            raise Http404(str(error)) from error
        except SecondFactorMissing as error:
            messages.warning(request, str(error))
            back = request.get_full_path() if request.method == "GET" else reverse("finance")
            return redirect(f"{reverse(str(error.data['page']))}?{urlencode({'next': back})}")
        return view(request, staff, *args, **kwargs)

    return inner  # type: ignore[return-value]


def page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, f"finance/{name}.html", context, status=status)


@require_safe
@for_finance
def overview(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """What does not fit and waits for somebody."""
    return page(request, "alerts", alerts=alerts.standing())


@require_POST
@for_finance
def close_alert(request: HttpRequest, staff: User, key: int) -> HttpResponse:
    alert = get_object_or_404(Alert, pk=key)
    try:
        alerts.close(alert, actor=staff.actor, note=request.POST.get("note", "")[:2000], at=timezone.now())
    except AlertError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Closed, with your note.")
    return redirect("finance")
