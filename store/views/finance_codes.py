"""The finance desk's page of codes that the shop's commission bears; labels' own are shown beside them."""

import csv
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from store import codes
from store.code_forms import ShopCodeForm, stands, takes
from store.errors import CodeRefused
from store.models import Code, User
from store.views.finance import for_finance, names, page

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_finance
def codes_page(request: HttpRequest, staff: User) -> HttpResponse:
    at = timezone.now()
    form = ShopCodeForm(request.POST or None, initial={"currency": settings.STORE_CURRENCY, "max_uses": 1})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = codes.make(
                form.terms(at=at), label=said["label"], bearer=codes.Bearer.SHOP, actor=staff.actor, at=at,
                text=said["text"], count=said["count"], batch=said["batch"],
            )  # fmt: skip
        except CodeRefused as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"Made: {made[0].text if len(made) == 1 else f'{len(made)} codes'}.")
            return redirect("finance-codes")
    return page(request, "codes", form=form, status=422 if form.is_bound else 200, **_listed(request, at))


def _listed(request: HttpRequest, at: Any) -> dict[str, Any]:
    """The codes asked for, the latest first, and the people who made them. Three statements."""
    bearer = "LABEL" if request.GET.get("of") == "labels" else "SHOP"
    found = Code.objects.filter(bearer=bearer).select_related("label", "release")
    paged = Paginator(found, PAGE).get_page(request.GET.get("page"))
    named = names(actor for code in paged.object_list for actor in (code.made_by, code.ended_by))
    rows = [
        {"code": code, "takes": takes(code), "made_by": named.get(code.made_by, code.made_by),
         "ended_by": named.get(code.ended_by, code.ended_by), **stands(code, at)}
        for code in paged.object_list
    ]  # fmt: skip
    return {"rows": rows, "page": paged, "of": bearer, "query_kept": "of=labels" if bearer == "LABEL" else ""}


@require_POST
@for_finance
def end_code(request: HttpRequest, staff: User, key: int) -> HttpResponse:
    code = get_object_or_404(Code, pk=key, bearer=codes.Bearer.SHOP)
    codes.end(code, by=staff.actor, at=timezone.now())
    messages.success(request, f"{code.text} takes nothing off any more. Orders that have it keep it.")
    return redirect("finance-codes")


@require_safe
@for_finance
def codes_csv(request: HttpRequest, staff: User) -> HttpResponse:  # noqa: ARG001 - a view
    found = Code.objects.filter(bearer=codes.Bearer.SHOP).select_related("release")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="codes.csv"'
    csv.writer(response).writerows(codes.rows(found))
    return response
