"""The papers of an order, for its buyer and for finance staff; for anybody else they do not exist."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from store import access, papers
from store.models import Invoice
from store.views.visitor import signed_in


@never_cache
@login_required
@require_safe
def pdf(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One paper as PDF. Finance staff see all of them, with their second factor shown."""
    who = signed_in(request)
    theirs = Q(order__buyer=who)
    if who.is_finance and access.second_factor(request) is access.Factor.PROVEN:
        theirs = Q()
    found = get_object_or_404(Invoice.objects.filter(theirs), public_id=public_id)
    response = HttpResponse(papers.invoice(found), content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, f"{found.name}.pdf") or ""
    return response
