"""Statements of the label's payees: those that were issued for a month, with their files, and any span of days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from catalog.models import Party
from payments import statements
from payments.models import Payee, Statement
from store import dsr, owed, papers, sales, slices
from store.errors import NoHeadYet
from store.statement_sheets import Told, csv_text, percent, word_of
from store.templatetags.ledger import places
from store.views.studio import for_label, page
from store.views.studio_money import period

PAGE = 24
SHOWN = 300  # lines on the page; the files hold all
FILES = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8"}


@require_safe
@for_label
def issued(request: HttpRequest, label: Party) -> HttpResponse:
    """What was issued to the label's payees, the latest month first."""
    rows = Statement.objects.filter(payee__in=owed.payees(label)).defer("document").select_related("payee")
    paged = Paginator(rows.order_by("-until", "payee__name", "pk"), PAGE).get_page(request.GET.get("page"))
    return page(request, "statements", label=label, place="money", page=paged, query_kept="")


@require_safe
@for_label
def one(request: HttpRequest, label: Party, number: str) -> HttpResponse:
    """An issued statement as it was told."""
    statement = _issued(label, number)
    told = Told(statement)
    rows = told.rows()
    lines = [row | {"share": percent(row["share_ppm"]).rstrip("0").rstrip(".")} for row in rows[:SHOWN]]
    movements = [
        {"at": datetime.fromisoformat(moment), "word": word_of(kind), "why": memo or reference, "micros": micros}
        for moment, kind, reference, memo, micros in told.movements
    ]
    amounts = [micros for _, micros in told.summary] + [row["amount_micros"] for row in lines]
    amounts += [row["micros"] for row in movements]
    return page(
        request, "issued", label=label, place="money", statement=statement, told=told, lines=lines,
        more=len(rows) - len(lines), movements=movements, releases=told.by_release() if rows else [],
        places=places(amounts, statement.currency),
    )  # fmt: skip


@require_safe
@for_label
def one_file(request: HttpRequest, label: Party, number: str, kind: str) -> HttpResponse:  # noqa: ARG001 - a view
    """An issued statement to take along: on paper, for a spreadsheet, or as a DDEX sales report."""
    statement = _issued(label, number)
    name = f"{statement.number}.{kind}"
    body: str | bytes
    if kind == "pdf":
        body = papers.statement(statement)
    elif kind == "csv":
        body = csv_text(statement)
    else:
        parties = dsr.Parties(settings.SITE_NAME, settings.DDEX_PARTY_ID, statement.document.get("name", label.name))
        name, body = dsr.file_name(statement, parties), dsr.report(statement, parties)
    response = HttpResponse(body, content_type=FILES[kind])
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


@require_safe
@for_label
def slice_file(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:
    """A payee's own slice of the ledger, to be kept and checked without us."""
    payee = next((each for each in owed.payees(label) if each.public_id == public_id), None)
    if payee is None:
        raise Http404("The label names no such payee.")
    try:
        lines = slices.lines(payee)
    except NoHeadYet as refusal:
        messages.error(request, str(refusal))
        return redirect("studio-payees", label.slug)
    response = StreamingHttpResponse(lines, content_type="application/jsonl; charset=utf-8")
    name = f"ledger-{payee.public_id}.jsonl"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
    return response


def _issued(label: Party, number: str) -> Statement:
    rows = Statement.objects.filter(payee__in=owed.payees(label)).select_related("payee")
    return get_object_or_404(rows, number=number)


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
