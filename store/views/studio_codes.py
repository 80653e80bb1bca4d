"""The label's codes: what they take off its own music, who has used how many, and batches as a table."""

import csv

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Party
from store import codes
from store.code_forms import CodeForm, stands, takes
from store.errors import CodeRefused
from store.models import Code
from store.views.studio import actor, for_label, page, sent

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def codes_page(request: HttpRequest, label: Party) -> HttpResponse:
    now = timezone.now()
    form = CodeForm(*sent(request), label=label, initial={"currency": settings.STORE_CURRENCY, "max_uses": 1})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = codes.make(
                form.terms(at=now), label=label, bearer=codes.Bearer.LABEL, actor=actor(request), at=now,
                text=said["text"], count=said["count"], batch=said["batch"],
            )  # fmt: skip
        except CodeRefused as refusal:
            form.add_error(None, refusal.message)
        else:
            word = made[0].text if len(made) == 1 else f"{len(made)} codes"
            when = "now" if made[0].starts_at <= now else "from its first day"
            messages.success(request, f"{word} can be used {when}.")
            return redirect("studio-codes", label.slug)
    mine = Code.objects.filter(label=label, bearer=codes.Bearer.LABEL).select_related("release")
    paged = Paginator(mine, PAGE).get_page(request.GET.get("page"))
    rows = [{"code": code, "takes": takes(code), **stands(code, now)} for code in paged.object_list]
    return page(
        request, "codes", label=label, place="prices", rows=rows, page=paged, form=form,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


@require_POST
@for_label
def end_code(request: HttpRequest, label: Party, key: int) -> HttpResponse:
    code = get_object_or_404(Code, pk=key, label=label, bearer=codes.Bearer.LABEL)
    codes.end(code, by=actor(request), at=timezone.now())
    messages.success(request, f"{code.text} takes nothing off any more. Orders that have it keep it.")
    return redirect("studio-codes", label.slug)


@require_safe
@for_label
def codes_csv(request: HttpRequest, label: Party) -> HttpResponse:
    """All codes of the label, or those of one batch, as a table to hand out."""
    found = Code.objects.filter(label=label, bearer=codes.Bearer.LABEL).select_related("release")
    if request.GET.get("batch"):
        found = found.filter(batch=request.GET["batch"])
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=f"codes-{label.slug}.csv")
    csv.writer(response).writerows(codes.rows(found))
    return response
