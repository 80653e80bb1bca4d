"""Statements of the label's payees, for any span of days: as a page and as CSV, both with the ledger's own sums."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from catalog.models import Party
from payments import statements
from payments.models import Payee
from store import owed, sales
from store.templatetags.ledger import places
from store.views.studio import for_label, page
from store.views.studio_money import period


def _chosen(request: HttpRequest, payees: list[Payee]) -> Payee | None:
    wanted = request.GET.get("payee", "")
    if not wanted:
        return payees[0] if payees else None
    try:
        key = UUID(wanted)
    except ValueError as error:
        raise Http404("There is no such payee.") from error
    found = next((payee for payee in payees if payee.public_id == key), None)
    if found is None:
        raise Http404("The label names no such payee.")
    return found


def _instants(since: date, until: date) -> tuple[datetime, datetime]:
    """The days as UTC's, from the first midnight to the one behind the last day."""
    begin = datetime.combine(since, time(), UTC)
    return begin, datetime.combine(until + timedelta(days=1), time(), UTC)


@require_safe
@for_label
def statement(request: HttpRequest, label: Party) -> HttpResponse:
    payees = owed.payees(label)
    payee = _chosen(request, payees)
    form, since, until = period(request)
    context: dict[str, Any] = {"payees": payees, "payee": payee, "period": form, "since": since, "until": until}
    if payee is not None:
        begin, end = _instants(since, until)
        context["statement"] = statements.statement(payee, since=begin, until=end, describe=sales.describe)
        amounts = [line.micros for line in context["statement"].lines]
        context["places"] = places([*amounts, context["statement"].opening_micros], payee.currency)
    return page(request, "statement", label=label, place="money", **context)


@require_safe
@for_label
def statement_csv(request: HttpRequest, label: Party) -> HttpResponse:
    payee = _chosen(request, owed.payees(label))
    if payee is None:
        raise Http404("The label names no payee.")
    _, since, until = period(request)
    begin, end = _instants(since, until)
    data = statements.statement(payee, since=begin, until=end, describe=sales.describe)
    response = HttpResponse(statements.csv_text(data), content_type="text/csv; charset=utf-8")
    name = f"statement-{label.slug}-{since}-{until}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response
