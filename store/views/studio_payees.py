"""One payee of the label: how it is paid, its bank account, its tax forms. Owners hand in, the store answers."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from catalog.models import Party
from payments import handed_in, payees
from payments.errors import BankRefused, PaymentsError
from payments.models import BankChange, Payee, TaxPaper
from store import access, bank_accounts, owed
from store.finance_forms import BankForm, PaperForm
from store.views.attachments import tax_paper
from store.views.studio import actor, for_label, page, sent
from store.views.studio_settings import is_owner
from store.views.visitor import signed_in

LATEST = 50
CHANGE_KINDS = {"WAITING": "waiting", "TAKEN": "cleared", "REFUSED": "refused"}
PAPER_KINDS = {"WAITING": "waiting", "ACCEPTED": "cleared", "REFUSED": "refused"}


def payee_of(label: Party, public_id: UUID) -> Payee:
    """One that the label's letters name; any other does not exist for it."""
    found = next((one for one in owed.payees(label) if one.public_id == public_id), None)
    if found is None:
        raise Http404("The label names no such payee.")
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def payee(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:
    found = payee_of(label, public_id)
    forms: dict[str, Any] = {"bank": BankForm(), "tax": PaperForm(auto_id="id_tax_%s")}
    if request.method == "POST":
        if not is_owner(request, label):
            raise Http404("Only an owner hands something in for a payee.")
        what = request.POST.get("what", "")
        if what == "bank" and not access.is_fresh(request):
            messages.warning(request, "Show your password first, and then give the account again. Nothing was kept.")
            return redirect(_way_to_freshness(request))
        if what not in ACTS:
            raise Http404("There is no such form.")
        forms[what] = type(forms[what])(*sent(request), auto_id=forms[what].auto_id)
        if forms[what].is_valid() and ACTS[what](request, label, found, forms[what]):
            return redirect("studio-payee", label.slug, found.public_id)
    return _shown(request, label, found, forms)


def _shown(request: HttpRequest, label: Party, found: Payee, forms: dict[str, Any]) -> HttpResponse:
    changes = [{"change": one, "kind": CHANGE_KINDS[one.state]} for one in found.bank_changes.all()[:LATEST]]
    papers = [{"paper": one, "kind": PAPER_KINDS[one.state]} for one in found.tax_papers.all()[:LATEST]]
    return page(
        request, "payee", label=label, place="money", payee=found, forms=forms, changes=changes, papers=papers,
        given=payees.forms(found), wants=payees.wanted(found), bank=getattr(found, "bank", None),
        waits=next((row["change"] for row in changes if row["kind"] == "waiting"), None),
        by_bank=bool(settings.BANK_HOLDER and settings.BANK_IBAN), days=settings.BANK_CHANGE_DAYS,
        is_owner=is_owner(request, label), fresh=access.is_fresh(request), way=_way_to_freshness(request),
        status=422 if any(form.is_bound for form in forms.values()) else 200,
    )  # fmt: skip


def _way_to_freshness(request: HttpRequest) -> str:
    return f"{reverse(access.way_to_freshness(request))}?{urlencode({'next': request.path})}"


def _give_bank(request: HttpRequest, label: Party, found: Payee, form: BankForm) -> bool:
    try:
        change = bank_accounts.give(label, found, by=signed_in(request), at=timezone.now(), **form.cleaned_data)
    except BankRefused as refusal:
        form.add_error(None, str(refusal))
        return False
    told = f" {found.email} is told." if found.email else ""
    messages.success(
        request, f"Kept. It counts from {change.usable_from:%Y-%m-%d}, or once we have confirmed it.{told}"
    )
    return True


def _give_paper(request: HttpRequest, _label: Party, found: Payee, form: PaperForm) -> bool:
    file = form.cleaned_data["file"]
    if file.size > handed_in.MOST_BYTES:  # before it is read into memory
        form.add_error("file", f"The file is larger than {handed_in.MOST_BYTES // 1024**2} MB.")
        return False
    try:
        handed_in.give_paper(found, data=file.read(), by=actor(request), at=timezone.now(), **form.given())
    except PaymentsError as refusal:
        form.add_error(None, str(refusal))
        return False
    messages.success(request, "Handed in. It counts once we have read it; you see here what came of it.")
    return True


ACTS: dict[str, Any] = {"bank": _give_bank, "tax": _give_paper}


@require_safe
@for_label
def paper_file(request: HttpRequest, label: Party, public_id: UUID, paper: UUID) -> HttpResponseBase:
    """Owners hand forms in and owners alone read them again: a payee's tax number stands on them."""
    if not is_owner(request, label):
        raise Http404("Only an owner reads the forms of a payee.")
    found = payee_of(label, public_id)
    return tax_paper(get_object_or_404(TaxPaper, public_id=paper, payee=found))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def bank_account(request: HttpRequest, token: str) -> HttpResponse:
    """For a payee who got a letter: what account was given in its name, and one press that stops it."""
    try:
        change = bank_accounts.find(token)
    except BankRefused as refusal:
        return render(request, "shop/bank_account.html", {"refused": str(refusal)}, status=404)
    refused, status = "", 200
    if request.method == "POST":
        try:
            change = bank_accounts.stop(change, at=timezone.now())
        except BankRefused as refusal:
            refused, status = str(refusal), 409
            change = BankChange.objects.select_related("payee").get(pk=change.pk)
    return render(request, "shop/bank_account.html", {"change": change, "refused": refused}, status=status)
