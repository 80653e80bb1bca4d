"""The desk's pages for notices: entered, answered, lifted; reports from outside; refunds that people must decide.

Reviewers and staff alike work here, but nobody on what strikes her own label; every act takes a second factor.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files import File
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from licensing import grants, instruments
from licensing import notices as rules
from licensing.errors import LicensingError
from licensing.models import Instrument, Notice
from licensing.notice_rules import Side
from licensing.terms import EvidenceKind
from store import access, demands, disputes, notice_desk, recalls
from store.errors import NotAllowed, SecondFactorMissing, StoreError
from store.models import RefundCase, User
from store.notice_forms import DeskSayForm, LiftForm, NoticeForm, RefundCaseForm, RefuseDemandForm
from store.views.attachments import attachment
from store.views.studio import sent

PAGE = 50
SHOWN = (("standing", "Holding"), ("clock", "Clock run out"), ("lifted", "Lifted"), ("all", "All"))

P = ParamSpec("P")
DeskView = Callable[Concatenate[HttpRequest, User, P], HttpResponseBase]


def for_desk(view: DeskView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Only reviewers and staff; for anybody else signed in there is no such page. Acts take a second factor."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User) or not (user.is_staff or access.may_review(user)):
            raise Http404("Only the desk may do this.")
        if request.method == "POST":
            try:
                access.require_second_factor(request)
            except SecondFactorMissing as missing:
                messages.warning(request, str(missing))
                return redirect(f"{reverse(str(missing.data['page']))}?{urlencode({'next': request.path})}")
        return view(request, user, *args, **kwargs)

    return inner  # type: ignore[return-value]


def page(request: HttpRequest, name: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """A page of the desk, with what waits at each of its three tables."""
    counts = {"reports": demands.waiting().count(), "refunds": RefundCase.objects.filter(state="OPEN").count()}
    return render(request, f"review/{name}.html", {"may_notice": True, "waiting": counts, **context}, status=status)


@require_safe
@for_desk
def notices(request: HttpRequest, user: User) -> HttpResponse:  # noqa: ARG001 - a view
    now = timezone.now()
    show = request.GET.get("show", "standing")
    kinds = {
        "standing": rules.standing(at=now),
        "clock": rules.clocks_over(at=now),
        "lifted": Notice.objects.filter(end__isnull=False),
        "all": Notice.objects.all(),
    }
    show = show if show in kinds else "standing"
    chips = [{"code": code, "word": word, "count": kinds[code].count()} for code, word in SHOWN]
    paged = Paginator(kinds[show].order_by("-pk"), PAGE).get_page(request.GET.get("page"))
    cases = notice_desk.read(
        Notice.objects.filter(pk__in=[row.pk for row in paged.object_list]).order_by("-pk"), at=now
    )
    return page(request, "notices", cases=cases, page=paged, chips=chips, show=show, query_kept=f"show={show}")


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def new(request: HttpRequest, user: User) -> HttpResponse:
    form = NoticeForm(*sent(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            notice = notice_desk.enter(
                data["subject"],
                kind=data["kind"],
                layer=data["layer"] if data["kind"] == "DISPUTE" else "",
                claimant=data["claimant"],
                contact=data["contact"],
                statement=data["statement"],
                deadline=_end_of(data["until"]) if data["until"] else None,
                instrument=letter(data["letter"], actor=user.actor),
                actor=user.actor,
                at=timezone.now(),
            )
        except (LicensingError, StoreError) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The notice holds: sale, preview and search entry have stopped.")
            return redirect("review-notice", notice.public_id)
    return page(request, "notice", form=form, status=422 if form.is_bound else 200)


@require_safe
@for_desk
def case(request: HttpRequest, user: User, public_id: UUID) -> HttpResponse:
    return _case_page(request, user, get_object_or_404(Notice, public_id=public_id))


def _case_page(
    request: HttpRequest,
    user: User,
    notice: Notice,
    *,
    lift_form: LiftForm | None = None,
    say_form: DeskSayForm | None = None,
) -> HttpResponse:
    now = timezone.now()
    found = notice_desk.case(notice, at=now)
    return page(
        request,
        "notice_case",
        case=found,
        notice=notice,
        earlier=notice_desk.earlier(notice, at=now),
        held=disputes.of_notice(notice),
        why_not=_why_not(user, notice),
        lift_form=lift_form or LiftForm(kind=notice.kind),
        say_form=say_form or DeskSayForm(),
        status=422 if lift_form or say_form else 200,
    )


@require_POST
@for_desk
def say(request: HttpRequest, user: User, public_id: UUID) -> HttpResponse:
    """What came by letter, kept with the case."""
    notice = get_object_or_404(Notice, public_id=public_id)
    form = DeskSayForm(*sent(request))
    if form.is_valid():
        data = form.cleaned_data
        try:
            _independent(user, notice)
            notice_desk.reply(
                notice,
                what=data["what"],
                side=Side(data["side"]),
                name=data["name"],
                statement=data["statement"],
                instrument=letter(data["letter"], actor=user.actor),
                actor=user.actor,
                at=timezone.now(),
            )
        except (LicensingError, StoreError) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "It is kept with the case.")
            return redirect("review-notice", public_id)
    return _case_page(request, user, notice, say_form=form)


@require_POST
@for_desk
def lift(request: HttpRequest, user: User, public_id: UUID) -> HttpResponse:
    notice = get_object_or_404(Notice, public_id=public_id)
    form = LiftForm(*sent(request), kind=notice.kind)
    if form.is_valid():
        data = form.cleaned_data
        try:
            _independent(user, notice)
            awards = {grants.ensure_holder(data["proven"]): form.share} if data.get("proven") else None
            notice_desk.lift(
                notice,
                reason=data["reason"],
                outcome=data["outcome"],
                awards=awards,
                instrument=letter(data["letter"], actor=user.actor),
                actor=user.actor,
                at=timezone.now(),
            )
        except (LicensingError, StoreError) as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "The notice is lifted. What is cleared goes back on sale within seconds.")
            return redirect("review-notice", public_id)
    return _case_page(request, user, notice, lift_form=form)


# -- Reports from outside ----------------------------------------------------------------------------------------------


@require_safe
@for_desk
def reports(request: HttpRequest, user: User) -> HttpResponse:  # noqa: ARG001 - a view
    paged = Paginator(demands.waiting(), PAGE).get_page(request.GET.get("page"))
    rows = [{"demand": row, "title": demands.title_of(demands.subject_of(row))} for row in paged.object_list]
    return page(request, "reports", rows=rows, page=paged)


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def report(request: HttpRequest, user: User, public_id: UUID) -> HttpResponse:
    """One report: becomes a notice with one press, or is refused with a reason."""
    demand = get_object_or_404(demands.every(), public_id=public_id)
    form = RefuseDemandForm(request.POST or None)
    refused = ""
    if request.method == "POST":
        try:
            _independent_of(user, demands.subject_of(demand))
            if request.POST.get("act") == "accept":
                notice = notice_desk.accept(demand, actor=user.actor, at=timezone.now())
                messages.success(request, "The notice holds: sale, preview and search entry have stopped.")
                return redirect("review-notice", notice.public_id)
            if form.is_valid():
                demands.refuse(demand, reason=form.cleaned_data["reason"], actor=user.actor, at=timezone.now())
                messages.success(request, "Refused; whoever sent it reads why.")
                return redirect("review-reports")
        except (LicensingError, StoreError) as refusal:
            refused = str(refusal)
    subject = demands.subject_of(demand)
    before = notice_desk.read(rules.about(subject), at=timezone.now())
    return page(
        request,
        "report",
        demand=demand,
        title=demands.title_of(subject),
        subject=subject,
        earlier=before,
        form=form,
        refused=refused,
        status=422 if request.method == "POST" else 200,
    )


# -- Refunds of void titles --------------------------------------------------------------------------------------------


@require_safe
@for_desk
def refund_cases(request: HttpRequest, user: User) -> HttpResponse:  # noqa: ARG001 - a view
    return page(request, "refunds", cases=recalls.open_cases())


@require_POST
@for_desk
def settle_refund(request: HttpRequest, user: User, key: int) -> HttpResponse:
    found = get_object_or_404(RefundCase, pk=key)
    form = RefundCaseForm(request.POST)
    if form.is_valid():
        try:
            recalls.settle(
                found, actor=user.actor, at=timezone.now(), whole=form.cleaned_data["whole"],
                note=form.cleaned_data["note"],
            )  # fmt: skip
        except StoreError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Decided. A refund goes out within minutes.")
    else:
        messages.error(request, "Say whether the whole line is given back, or what was agreed.")
    return redirect("review-refunds")


@require_safe
@for_desk
def paper(request: HttpRequest, user: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    """A paper of a case or a report, as an attachment; other evidence is the reviewers' alone."""
    found = get_object_or_404(Instrument, public_id=public_id)
    if not notice_desk.is_paper(found):
        raise Http404("This paper belongs to no case.")
    return attachment(found)


# -- What the acts share -----------------------------------------------------------------------------------------------


def letter(file: "File[bytes] | None", *, actor: str) -> Instrument | None:
    """A paper as it came, kept with its hash; nothing where there is none."""
    if file is None:
        return None
    return instruments.capture(EvidenceKind.LETTER, data=file.read(), media_type="application/pdf", actor=actor)


def _independent(user: User, notice: Notice) -> None:
    notice_desk.require_independent(user, rules.labels_of(notice))


def _independent_of(user: User, subject: demands.Subject) -> None:
    notice_desk.require_independent(user, rules.labels_of_subject(subject))


def _why_not(user: User, notice: Notice) -> str:
    try:
        _independent(user, notice)
    except NotAllowed as reason:
        return str(reason)
    return ""


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC)
