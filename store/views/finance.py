"""The desk of finance staff: what needs a person, orders, money given back. Only they find it, with a second factor."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Case, Q, Sum, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from payments import alerts
from payments.errors import AlertError, PaymentsError
from payments.models import Alert, Charge, Chargeback
from store import access, refunds
from store.errors import NotAllowed, SecondFactorMissing, StoreError
from store.models import LineRefund, Order, OrderLine, User
from store.refund_forms import RefundForm

PAGE = 50
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


def names(actors: Iterable[str]) -> dict[str, str]:
    """People's names by `user:42`; tasks and commands stand for themselves. One statement."""
    keys = {actor.removeprefix("user:") for actor in actors if actor.startswith("user:")}
    return {user.actor: user.get_full_name() for user in User.objects.filter(pk__in=keys)} if keys else {}


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


# -- Orders and money given back ---------------------------------------------------------------------------------------


@require_safe
@for_finance
def orders(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """Every order, the latest first; looked up by number, address, or Stripe's name of the payment."""
    wanted, state = request.GET.get("q", "").strip()[:120], request.GET.get("state", "")
    rows = Order.objects.annotate(returned=Sum("lines__returned_minor")).order_by("-placed_at", "-pk")
    if wanted:
        named = Charge.objects.filter(Q(stripe_payment_intent_id=wanted) | Q(stripe_charge_id=wanted))
        rows = rows.filter(Q(number__iexact=wanted) | Q(email__iexact=wanted) | Q(number__in=named.values("reference")))
    if state in Order.State.values:
        rows = rows.filter(state=state)
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    kept = urlencode({name: value for name, value in (("q", wanted), ("state", state)) if value})
    return page(
        request, "orders", orders=paged.object_list, page=paged, wanted=wanted, state=state, query_kept=kept,
        states=Order.State.values,
    )  # fmt: skip


@require_safe
@for_finance
def order(request: HttpRequest, staff: User, number: str) -> HttpResponse:
    return _order_page(request, staff, get_object_or_404(Order, number=number))


def _order_page(
    request: HttpRequest, staff: User, found: Order, *, form: RefundForm | None = None, line: OrderLine | None = None
) -> HttpResponse:
    lines = list(found.lines.prefetch_related("line_refunds", "chargebacks__chargeback").order_by("position"))
    rows = [
        {
            "line": one,
            "left_minor": one.amount_minor - one.returned_minor,
            "may_refund": one.state == OrderLine.State.PAID and one.returned_minor < one.amount_minor,
            "form": form if line == one else RefundForm(currency=found.currency, auto_id=f"id_{one.pk}_%s"),
        }
        for one in lines
    ]
    charge = Charge.objects.filter(reference=found.number).first()
    complaints = Chargeback.objects.filter(charge=charge).order_by("pk") if charge else []
    return page(
        request, "order", status=422 if form and form.errors else 200, order=found, rows=rows, charge=charge,
        chargebacks=complaints, me=staff.actor,
    )  # fmt: skip


@require_POST
@for_finance
def refund(request: HttpRequest, staff: User, number: str, line_id: UUID) -> HttpResponseBase:
    """Give a line back, or a part of it."""
    line = get_object_or_404(OrderLine.objects.select_related("order"), public_id=line_id, order__number=number)
    form = RefundForm(request.POST, currency=line.order.currency, auto_id=f"id_{line.pk}_%s")
    if not form.is_valid():
        return _order_page(request, staff, line.order, form=form, line=line)
    try:
        refunds.refund_line(
            line,
            reason=form.cleaned_data["reason"],
            actor=staff.actor,
            amount_minor=form.cleaned_data["amount"],
            at=timezone.now(),
        )
    except StoreError as refusal:
        form.add_error(None, refusal.message)
        return _order_page(request, staff, line.order, form=form, line=line)
    except PaymentsError as failure:
        messages.warning(request, f"Decided; it goes out as soon as Stripe answers. {failure}")
    else:
        messages.success(request, "Given back; the ledger follows when Stripe says that it is done.")
    return redirect("finance-order", number)


@require_safe
@for_finance
def refund_list(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    rows = LineRefund.objects.select_related("line__order").order_by("-decided_at", "-pk")
    state = request.GET.get("state", "")
    if state in LineRefund.State.values:
        rows = rows.filter(state=state)
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    kept = urlencode({"state": state}) if state else ""
    return page(
        request,
        "refunds",
        refunds=paged.object_list,
        page=paged,
        state=state,
        states=LineRefund.State.choices,
        query_kept=kept,
    )


@require_POST
@for_finance
def refund_again(request: HttpRequest, staff: User, key: int) -> HttpResponseBase:
    """Ask once more for a refund that the buyer's bank refused."""
    failed = get_object_or_404(LineRefund.objects.select_related("line__order"), pk=key)
    try:
        refunds.again(failed, actor=staff.actor, at=timezone.now())
    except (StoreError, PaymentsError) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Asked for again.")
    return redirect("finance-refunds")


@require_safe
@for_finance
def chargeback_list(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """What buyers' banks ask for or took back, what still runs first."""
    runs = Case(When(state__in=[Chargeback.State.ASKED, Chargeback.State.OPEN], then=Value(0)), default=Value(1))
    rows = Chargeback.objects.select_related("charge").order_by(runs, "-opened_at", "-pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return page(request, "chargebacks", chargebacks=paged.object_list, page=paged)
