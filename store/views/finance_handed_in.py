"""The finance desk's answers to what labels hand in for their payees: bank accounts and tax forms."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from payments import handed_in
from payments.errors import PaymentsError
from payments.models import BankChange, Payee, TaxPaper
from store import bank_accounts
from store.finance_forms import TaxFormForm
from store.models import User
from store.views.attachments import tax_paper
from store.views.finance import for_finance, names

LATEST = 50


def waiting() -> dict[str, Any]:
    """What waits for an answer in the whole store, the oldest first. Two statements."""
    return {
        "accounts": BankChange.objects.filter(state=BankChange.State.WAITING).select_related("payee").order_by("pk"),
        "papers": TaxPaper.objects.filter(state=TaxPaper.State.WAITING).select_related("payee").order_by("pk"),
    }


def of(payee: Payee) -> dict[str, Any]:
    """What was handed in for a payee: what waits with its form, and what came of the rest."""
    papers, changes = list(payee.tax_papers.all()[:LATEST]), list(payee.bank_changes.all()[:LATEST])
    said = [one for row in papers for one in (row.handed_by, row.answered_by)]
    named = names([*said, *(one for row in changes for one in (row.given_by, row.answered_by))])
    told: list[dict[str, Any]] = [{"paper": one, "by": named.get(one.handed_by, one.handed_by),
             "answered": named.get(one.answered_by, one.answered_by)} for one in papers]  # fmt: skip
    given = [{"change": one, "by": named.get(one.given_by, one.given_by),
              "answered": named.get(one.answered_by, one.answered_by)} for one in changes]  # fmt: skip
    return {
        "account": next((row for row in given if not row["answered"]), None),
        "changes": [row for row in given if row["answered"]],
        "to_read": [row | {"form": _form(row["paper"])} for row in told if not row["answered"]],
        "read": [row for row in told if row["answered"]],
    }


def _form(paper: TaxPaper, data: Any = None) -> TaxFormForm:
    """What the label says that the form says; staff correct it by what they read."""
    said = {
        "kind": paper.kind, "country": paper.country, "percent": f"{paper.rate / 10_000:g}",
        "valid_from": paper.valid_from, "valid_to": paper.valid_to,
    }  # fmt: skip
    return TaxFormForm(data, initial=said, auto_id=f"id_{paper.pk}_%s")


@require_POST
@for_finance
def answer_account(request: HttpRequest, staff: User, public_id: UUID) -> HttpResponse:
    change = get_object_or_404(BankChange.objects.select_related("payee"), public_id=public_id)
    try:
        if request.POST.get("act") == "confirm":
            handed_in.confirm_account(change, by=staff.actor, at=timezone.now())
            messages.success(request, "It is paid to from now on.")
        else:
            bank_accounts.refuse(change, reason=request.POST.get("reason", ""), by=staff.actor, at=timezone.now())
            messages.success(request, "Not taken; the payee is told, and the label reads why.")
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
    return redirect("finance-payee", change.payee.public_id)


@require_POST
@for_finance
def answer_paper(request: HttpRequest, staff: User, public_id: UUID) -> HttpResponse:
    paper = get_object_or_404(TaxPaper.objects.select_related("payee"), public_id=public_id)
    form = _form(paper, request.POST)
    try:
        if request.POST.get("act") != "accept":
            handed_in.refuse_paper(paper, reason=request.POST.get("reason", ""), by=staff.actor, at=timezone.now())
            messages.success(request, "Refused; the label reads why.")
        elif form.is_valid():
            handed_in.accept_paper(paper, by=staff.actor, at=timezone.now(), **form.given())
            messages.success(request, "Accepted: it counts from now on.")
        else:
            wrong = ", ".join(str(form[name].label) for name in form.errors)
            messages.error(request, f"Nothing was kept. Look again at: {wrong}.")
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
    return redirect("finance-payee", paper.payee.public_id)


@require_safe
@for_finance
def paper_file(request: HttpRequest, staff: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001 - a view
    return tax_paper(get_object_or_404(TaxPaper, public_id=public_id))
