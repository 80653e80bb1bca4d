"""The finance desk's pages on money that goes out: payouts, files for the bank, and what is known of each payee."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments import banking, payees, payouts
from payments.errors import PaymentsError
from payments.models import Payee, Payout, PayoutBatch
from store import bells, earnings
from store.finance_forms import BankForm, ConfirmForm, MinimumForm, TaxFormForm
from store.models import User
from store.views import finance_handed_in
from store.views.finance import for_finance, page

PAGE = 50
KINDS = {"PLANNED": "waiting", "SENT": "waiting", "EXPORTED": "waiting", "SETTLED": "cleared", "FAILED": "refused",
         "REVERSED": "refused"}  # fmt: skip


@require_safe
@for_finance
def overview(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """What is due and why not, what went out, and what lies with the bank."""
    found = payouts.due(at=timezone.now(), sources=earnings.sources)
    rows = Payout.objects.select_related("payee", "batch").order_by("-planned_at", "-pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return page(
        request, "payouts", due=[one for one in found if not one.hold], held=[one for one in found if one.hold],
        page=paged, query_kept="", listed=[{"payout": row, "kind": KINDS[row.state]} for row in paged.object_list],
        batches=PayoutBatch.objects.filter(closed_at=None).defer("document"), waiting=len(banking.waiting()),
        today=timezone.now().date(), handed_in=finance_handed_in.waiting(),
    )  # fmt: skip


@require_POST
@for_finance
def send(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """Have a worker send what is due; twice is once."""
    bells.ring("store.tasks.pay_out", 0)
    messages.success(request, "A worker sends what is due. This page shows each payout as it goes out.")
    return redirect("finance-payouts")


@require_POST
@for_finance
def export(request: HttpRequest, staff: User) -> HttpResponse:
    try:
        batch = banking.export(by=staff.actor, at=timezone.now())
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"File {batch.number} holds {batch.payments} payments. Hand it to your bank.")
    return redirect("finance-payouts")


@require_safe
@for_finance
def file(request: HttpRequest, staff: User, number: str) -> HttpResponse:  # noqa: ARG001 - a view
    """The file for the bank, as long as the bank has not carried it out."""
    batch = get_object_or_404(PayoutBatch, number=number)
    if not batch.document:
        raise Http404("The bank has carried this file out; it is kept no longer.")
    response = HttpResponse(batch.document, content_type="application/xml")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=f"{batch.number}.xml")
    return response


@require_POST
@for_finance
def answer(request: HttpRequest, staff: User, number: str) -> HttpResponse:
    """What the bank's statement says of an exported payout: carried out on a day, or not, and why."""
    payout = get_object_or_404(Payout, number=number, route=Payee.Route.SEPA)
    at = timezone.now()
    form = ConfirmForm(request.POST)
    try:
        if request.POST.get("reason"):
            banking.refuse(payout, reason=request.POST["reason"][:500], by=staff.actor, at=at)
            messages.success(request, f"{payout.number} is owed again.")
        elif form.is_valid():
            banking.confirm(payout, on=form.cleaned_data["on"], by=staff.actor, at=at)
            messages.success(request, f"{payout.number} is settled.")
        else:
            messages.error(request, "Say on which day the bank carried it out, or why it did not.")
    except PaymentsError as refusal:
        messages.error(request, str(refusal))
    return redirect("finance-payouts")


@require_http_methods(["GET", "HEAD", "POST"])
@for_finance
def payee(request: HttpRequest, staff: User, public_id: UUID) -> HttpResponse:
    """What is known of a payee: the way it is paid, the least that is sent, its tax forms."""
    found = get_object_or_404(Payee.objects.select_related("bank"), public_id=public_id)
    forms: dict[str, Any] = {"tax": TaxFormForm(), "bank": BankForm(), "stripe": Form(),
                             "minimum": MinimumForm(initial={"minimum_minor": found.minimum_minor})}  # fmt: skip
    status = 200
    if request.method == "POST":
        what = request.POST.get("what", "")
        if what not in ACTS:
            raise Http404("There is no such form.")
        form = ACTS[what][0](request.POST)
        forms[what] = form
        if form.is_valid():
            try:
                ACTS[what][1](found, form, staff)
            except PaymentsError as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, "Kept.")
                return redirect("finance-payee", found.public_id)
        status = 422
    return page(
        request, "payee", status=status, payee=found, forms=forms, given=payees.forms(found),
        wants=payees.wanted(found), bank=getattr(found, "bank", None),
        withheld=found.withholdings.select_related("payout")[:PAGE], handed_in=finance_handed_in.of(found),
    )  # fmt: skip


def _give_form(found: Payee, form: TaxFormForm, staff: User) -> None:
    payees.give_form(found, by=staff.actor, at=timezone.now(), **form.given())


def _give_bank(found: Payee, form: BankForm, staff: User) -> None:
    payees.give_bank(found, by=staff.actor, at=timezone.now(), **form.cleaned_data)


def _through_stripe(found: Payee, _form: Form, staff: User) -> None:
    banking.forget_account(found, by=staff.actor, at=timezone.now())


def _set_minimum(found: Payee, form: MinimumForm, _staff: User) -> None:
    Payee.objects.filter(pk=found.pk).update(minimum_minor=form.cleaned_data["minimum_minor"])


ACTS: dict[str, Any] = {
    "tax": (TaxFormForm, _give_form), "bank": (BankForm, _give_bank), "minimum": (MinimumForm, _set_minimum),
    "stripe": (Form, _through_stripe),
}  # fmt: skip
