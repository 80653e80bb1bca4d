"""The finance desk's page on tax: the quarter's return, what it is held against, and what needs a person."""

import csv
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from payments.errors import PaymentsError
from store import late_numbers, oss, tax
from store.errors import StoreError
from store.exchange import Quarter
from store.models import InvoiceDue, Order, User
from store.templatetags.shop import country_name, percent
from store.views.finance import for_finance, page

SHOWN = 100
SAID = {
    "VALID": "VIES calls {} valid: the tax goes back, with a credit note and a new invoice.",
    "INVALID": "VIES says that {} is not valid: the tax stays.",
    "UNANSWERED": "VIES is still silent about {}. It is asked again by itself.",
}
QUARTERS = 8  # to choose from: two years


@require_safe
@for_finance
def overview(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    at = timezone.now()
    quarter = _quarter(request.GET.get("quarter", ""), at)
    contradicted = Order.objects.filter(location=Order.Location.CONTRADICTED).order_by("-paid_at")
    context: dict[str, Any] = {
        "quarter": quarter,
        "over": quarter.ends <= at,
        "quarters": _choices(at),
        "unverified": [
            {"name": country_name(row.country), "code": row.country, "rate": percent(row.basis_points), "row": row}
            for row in tax.unverified(on=at.date())
        ],
        "problems": InvoiceDue.objects.exclude(problem="").select_related("order", "transfer")[:SHOWN],
        "contradicted": contradicted[:SHOWN],
        "late": late_numbers.waiting()[:SHOWN],
    }
    try:
        found = oss.report(quarter)
    except StoreError as refusal:
        return page(request, "tax", why_not=refusal.message, **context)
    return page(request, "tax", found=found, why_not=oss.why_not(found), **context)


@require_POST
@for_finance
def ask_vies(request: HttpRequest, staff: User, number: str) -> HttpResponse:
    """Ask VIES again about a business that paid tax while it was silent; a yes gives the tax back."""
    order = get_object_or_404(Order, number=number)
    try:
        check = late_numbers.ask_again(order, actor=staff.actor, at=timezone.now())
    except StoreError as refusal:
        messages.error(request, refusal.message)
    except PaymentsError as failure:
        messages.warning(request, f"Decided; the money goes back as soon as Stripe answers. {failure}")
    else:
        messages.info(request, SAID[check.state].format(check.vat_id))
    return redirect("finance-tax")


@require_safe
@for_finance
def oss_csv(request: HttpRequest, staff: User, quarter: str) -> HttpResponse:  # noqa: ARG001 - a view
    """The return as a table; 409 with the reason where the books do not agree."""
    try:
        wanted = Quarter.parse(quarter)
    except ValueError as error:
        raise Http404(str(error)) from error
    try:
        table = oss.lines(oss.report(wanted))
    except StoreError as refusal:
        return HttpResponse(refusal.message, status=refusal.status, content_type="text/plain; charset=utf-8")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="oss-{wanted}.csv"'
    csv.writer(response).writerows(table)
    return response


def _quarter(said: str, at: datetime) -> Quarter:
    """The quarter asked for; else the last one that is over, which is the one to be returned."""
    try:
        return Quarter.parse(said)
    except ValueError:
        return Quarter.of(at).previous


def _choices(at: datetime) -> list[Quarter]:
    found = [Quarter.of(at)]
    while len(found) < QUARTERS:
        found.append(found[-1].previous)
    return found
