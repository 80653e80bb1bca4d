"""The finance desk's pages on what is kept of a sale: contracts on the commission, and the rate cards of works."""

from fractions import Fraction
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from licensing import rates
from licensing.errors import RateRefused
from licensing.models import Rate
from store import commissions, directions, ratecards
from store.errors import ContractRefused
from store.finance_forms import ContractForm, EndForm, RateForm
from store.models import CommissionContract, User
from store.templatetags.shop import micros
from store.views.finance import for_finance, names, page

PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@for_finance
def contracts(request: HttpRequest, staff: User) -> HttpResponse:
    """Every contract on the commission, those that have ended too; who recorded it and who ended it."""
    today = timezone.now().date()
    form = ContractForm(request.POST or None, initial={"starts_on": today})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            commissions.agree(
                said["label"], share=Fraction(said["percent"]) / 100, starts_on=said["starts_on"], until=said["until"],
                agreement=said["agreement"], actor=staff.actor,
            )  # fmt: skip
        except ContractRefused as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Recorded. Offers are looked at again by themselves.")
            return redirect("finance-contracts")
    rows = CommissionContract.objects.select_related("label").order_by("label__sort_name", "-starts_on", "-pk")
    paged = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    named = names(actor for row in paged.object_list for actor in (row.recorded_by, row.ended_by))
    listed = [
        {"row": row, "share": directions.in_percent(Fraction(row.share_numerator, row.share_denominator)),
         "by": named.get(row.recorded_by, row.recorded_by), "ended_by": named.get(row.ended_by, row.ended_by),
         "kind": "waiting" if row.starts_on > today else "refused" if row.until and row.until <= today else "cleared"}
        for row in paged.object_list
    ]  # fmt: skip
    return page(
        request, "contracts", form=form, listed=listed, page=paged, query_kept="", today=today,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


@require_POST
@for_finance
def end_contract(request: HttpRequest, staff: User, key: int) -> HttpResponse:
    row = get_object_or_404(CommissionContract, pk=key)
    form = EndForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say from which day on it holds no longer: today or later.")
        return redirect("finance-contracts")
    try:
        ended = commissions.end(row, until=form.cleaned_data["until"], by=staff.actor)
    except ContractRefused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"It holds until the day before {ended.until}.")
    return redirect("finance-contracts")


@require_http_methods(["GET", "HEAD", "POST"])
@for_finance
def rate_cards(request: HttpRequest, staff: User) -> HttpResponse:
    """The rows of the operator's own card, or of any other tariff; recorded by one person, verified by another."""
    form = RateForm(request.POST or None, initial={"tariff": ratecards.HOUSE, "valid_from": timezone.now().date()})
    if request.method == "POST" and form.is_valid():
        try:
            done = rates.import_rates(form.rows(), actor=staff.actor, at=timezone.now())
        except RateRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            count = "They count once somebody else has verified them; until then nothing is sold by them."
            messages.success(request, f"{done.new} recorded. {count}" if done.new else "They were here already.")
            return redirect("finance-rates")
    tariff = request.GET.get("tariff", "")
    known = Rate.objects.prefetch_related("verifications").order_by("tariff", "territory", "-valid_from", "tracks_from")
    paged = Paginator(known.filter(tariff=tariff) if tariff else known, PAGE).get_page(request.GET.get("page"))
    checks = {row.pk: list(row.verifications.all()) for row in paged.object_list}
    named = names(
        actor for row in paged.object_list for actor in (row.recorded_by, *(one.verified_by for one in checks[row.pk]))
    )
    listed = [
        {"row": row, "asks": _asks(row), "by": named.get(row.recorded_by, row.recorded_by),
         "mine": row.recorded_by == staff.actor, "lacks": rates.missing(row),
         "checks": [{"check": one, "by": named.get(one.verified_by, one.verified_by)} for one in checks[row.pk]]}
        for row in paged.object_list
    ]  # fmt: skip
    return page(
        request, "rates", form=form, listed=listed, page=paged, query_kept=f"tariff={tariff}" if tariff else "",
        tariff=tariff, tariffs=list(Rate.objects.order_by("tariff").values_list("tariff", flat=True).distinct()),
        status=422 if form.is_bound else 200,
    )  # fmt: skip


def _asks(row: Rate) -> str:
    """What a row asks for a copy, in words."""
    parts: list[Any] = []
    if row.percent_numerator is not None:
        parts.append(directions.in_percent(Fraction(row.percent_numerator, row.percent_denominator)))
    if row.flat_micros is not None:
        parts.append(f"{micros(row.flat_micros, row.currency)} a copy")
    if row.per_minute_micros is not None:
        over = f" over {row.per_minute_over_seconds} s" if row.per_minute_over_seconds else ""
        parts.append(f"{micros(row.per_minute_micros, row.currency)} a minute{over}")
    if row.minimum_micros is not None:
        parts.append(f"at least {micros(row.minimum_micros, row.currency)}")
    return "; ".join(parts)


@require_POST
@for_finance
def verify_rate(request: HttpRequest, staff: User, key: int) -> HttpResponse:
    row = get_object_or_404(Rate, pk=key)
    note = request.POST.get("note", "").strip()[:500]
    if not note:
        messages.error(request, "Say where you read it: the rate is compared with its source.")
        return redirect("finance-rates")
    try:
        rates.verify_rate(row, actor=staff.actor, note=note, at=timezone.now())
    except RateRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{row} is verified; what is paid by it is decided again.")
    return redirect("finance-rates")
