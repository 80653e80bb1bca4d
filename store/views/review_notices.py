"""Takedowns, disputes and legal holds: entered by staff, lifted by staff. Each holds from the next request on."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from licensing import instruments
from licensing import notices as acts
from licensing.errors import LicensingError
from licensing.models import Instrument, Notice
from licensing.terms import EvidenceKind
from store import demands
from store.forms import LiftForm, NoticeForm
from store.models import User
from store.views.review import page
from store.views.studio import sent

PAGE = 50

P = ParamSpec("P")
StaffView = Callable[Concatenate[HttpRequest, User, P], HttpResponseBase]


def for_staff(view: StaffView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Only staff; for anybody else signed in there is no such page."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not isinstance(request.user, User) or not request.user.is_staff:
            raise Http404("Only staff may do this.")
        return view(request, request.user, *args, **kwargs)

    return inner  # type: ignore[return-value]


@require_safe
@for_staff
def notices(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    found = Notice.objects.select_related("recording", "work", "release", "label", "instrument", "end").order_by("-pk")
    paged = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return page(request, "notices", notices=[_row(notice) for notice in paged.object_list], page=paged)


def _row(notice: Notice) -> dict[str, object]:
    kinds = (
        ("recording", "recording"),
        ("work", "work"),
        ("release", "release"),
        ("label", "everything of this label"),
    )
    field, word = next((field, word) for field, word in kinds if getattr(notice, field) is not None)
    return {
        "notice": notice,
        "subject_title": str(getattr(notice, field)),
        "subject_kind": word,
        "end": getattr(notice, "end", None),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def new(request: HttpRequest, staff: User) -> HttpResponse:
    form = NoticeForm(*sent(request))
    if request.method == "POST" and form.is_valid() and _entered(form, staff):
        messages.success(request, "The notice holds: sale, preview and search entry have stopped.")
        return redirect("review-notices")
    return page(request, "notice", form=form, tab="notices", status=422 if form.is_bound else 200)


def _entered(form: NoticeForm, staff: User) -> bool:
    data = form.cleaned_data
    subject = demands.find(data["subject"])
    if subject is None:
        form.add_error("subject", "Nothing here has this ISRC or address. Copy the address of the page it is about.")
        return False
    try:
        acts.take_down(
            subject,
            kind=data["kind"],
            claimant=data["claimant"],
            contact=data["contact"],
            statement=data["statement"],
            instrument=_letter(form, staff),
            actor=staff.actor,
            at=timezone.now(),
        )
    except LicensingError as refusal:
        form.add_error(None, str(refusal))
        return False
    return True


def _letter(form: NoticeForm, staff: User) -> Instrument | None:
    letter = form.cleaned_data["letter"]
    if letter is None:
        return None
    return instruments.capture(
        EvidenceKind.AGREEMENT, data=letter.read(), media_type="application/pdf", actor=staff.actor
    )


@require_POST
@for_staff
def lift(request: HttpRequest, staff: User, public_id: UUID) -> HttpResponse:
    notice = get_object_or_404(Notice, public_id=public_id)
    form = LiftForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why the notice is lifted; the reason is kept with it.")
        return redirect("review-notices")
    try:
        acts.lift(notice, reason=form.cleaned_data["reason"], actor=staff.actor, at=timezone.now())
    except LicensingError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The notice is lifted. What is cleared goes back on sale within seconds.")
    return redirect("review-notices")
