"""Where somebody from outside reports that something here is theirs, confirms it, and follows what became of it."""

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from licensing.errors import LicensingError
from store import demands, notice_desk
from store.errors import DemandRefused, StoreError
from store.notice_forms import ClaimantForm, ConfirmForm, ReportForm
from store.views.review_notices import letter
from store.views.studio import sent


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    """The form. Whoever fills the field that people do not see is thanked like everybody else, and nothing is kept."""
    form = ReportForm(request.POST or None, initial={"subject": request.GET.get("about", "")[:300]})
    if request.method == "POST" and form.is_robot:
        return redirect("report-sent")
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            demands.make(
                data["subject"],
                kind=data["kind"],
                layer=data["layer"],
                name=data["name"],
                email=data["email"],
                on_behalf_of=data["on_behalf_of"],
                statement=data["statement"],
                address=get_adapter(request).get_client_ip(request),
                at=timezone.now(),
            )
        except DemandRefused as refusal:
            form.add_error(None, refusal.message)
        else:
            return redirect("report-sent")
    return render(request, "pages/report.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def sent_page(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/report_sent.html", {"days": demands.CONFIRM_WITHIN.days})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the letter. Looking changes nothing (mail programs look, too); pressing the button does."""
    try:
        demand = demands.by_token(token, at=timezone.now())
    except DemandRefused as refusal:
        return _gone(request, refusal)
    form = ConfirmForm(*sent(request))
    if request.method == "POST" and form.is_valid():
        paper = form.cleaned_data["letter"]
        try:
            demands.confirm(demand, at=timezone.now(), letter=paper.read() if paper else b"")
        except LicensingError as refusal:
            form.add_error("letter", str(refusal))
        else:
            return redirect("report-confirm", token)
    context = {"demand": demand, "title": demands.title_of(demands.subject_of(demand)), "form": form}
    return render(request, "pages/report_confirm.html", context, status=422 if form.is_bound else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def claimant(request: HttpRequest, token: str) -> HttpResponse:
    """The case as whoever demanded it may see it, and her answer to it."""
    try:
        notice = notice_desk.by_token(token)
    except DemandRefused as refusal:
        return _gone(request, refusal)
    found = notice_desk.case(notice, at=timezone.now())
    may_contest = found.counter is not None and not found.contested
    form = ClaimantForm(*sent(request), may_contest=may_contest)
    if request.method == "POST" and form.is_valid():
        data, actor = form.cleaned_data, f"claimant:{notice.public_id}"
        try:
            notice_desk.reply(
                notice,
                what=data["what"],
                name=notice.claimant,
                statement=data["statement"],
                instrument=letter(data["letter"], actor=actor),
                actor=actor,
                at=timezone.now(),
            )
        except (LicensingError, StoreError) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Your answer is kept with the case, and the desk reads it.")
            return redirect("notice-claimant", token)
    context = {"case": found, "form": form, "may_contest": may_contest}
    return render(request, "pages/notice_claimant.html", context, status=422 if form.is_bound else 200)


def _gone(request: HttpRequest, refusal: DemandRefused) -> HttpResponse:
    context = {"title": "This link leads nowhere", "message": refusal.message, "back": "/report", "back_word": "Report"}
    return render(request, "pages/refusal.html", context, status=404)
