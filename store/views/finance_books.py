"""The finance desk's pages on what does not meet: Stripe's books and ours, and money owed to nobody known yet."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from payments import reconcile
from payments.errors import ReconcileError
from payments.models import Discrepancy, Reconciliation
from store import owed
from store.models import User
from store.views.finance import for_finance, names, page

PAGE = 50
DAYS = 31


@require_safe
@for_finance
def overview(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """The last days compared, and every difference, what is open first."""
    rows = Discrepancy.objects.order_by("-state", "-last_seen", "pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    people = names(row.explained_by for row in paged.object_list)
    listed = [{"row": row, "by": people.get(row.explained_by, row.explained_by)} for row in paged.object_list]
    return page(
        request, "books", page=paged, listed=listed, query_kept="", days=Reconciliation.objects.order_by("-day")[:DAYS],
        open_count=Discrepancy.objects.filter(state=Discrepancy.State.OPEN).count(),
    )  # fmt: skip


@require_POST
@for_finance
def explain(request: HttpRequest, staff: User, key: int) -> HttpResponse:
    row = get_object_or_404(Discrepancy, pk=key)
    try:
        reconcile.explain(row, text=request.POST.get("text", "")[:2000], by=staff.actor, at=timezone.now())
    except ReconcileError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Kept, with your name.")
    return redirect("finance-books")


@require_safe
@for_finance
def suspense(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    """What waits in suspense, the oldest first, and what for."""
    paged = Paginator(owed.suspense(), PAGE).get_page(request.GET.get("page"))
    return page(request, "suspense", page=paged, query_kept="")
