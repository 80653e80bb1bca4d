"""The label's codes: what they take off its own music, who has used how many, and batches as a table."""

import csv
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Party, Release
from payments.money import currencies
from store import codes
from store.codes import Terms
from store.errors import CodeRefused
from store.forms import AmountField, in_words
from store.models import Code
from store.templatetags.shop import money as money_words
from store.views.studio import actor, for_label, page, sent

PAGE = 50
MOST_CHOICES = 500


class CodeForm(forms.Form):
    """One code with a word of its own, or a batch of random ones."""

    text = forms.CharField(
        label="Code", max_length=40, required=False, help_text="A word such as SPRING-26. Empty: random ones."
    )
    act = forms.ChoiceField(
        label="Takes off", choices=[("PERCENT", "Per cent"), ("AMOUNT", "An amount"), ("FREE", "All of it")]
    )
    value = forms.CharField(label="How much", max_length=20, required=False)
    currency = forms.ChoiceField(label="Currency of the amount", choices=[(code, code) for code in currencies()])
    release = forms.ModelChoiceField(
        label="For", queryset=Release.objects.none(), required=False, empty_label="All our music"
    )
    max_uses = forms.IntegerField(
        label="Good for how many orders", min_value=1, max_value=1_000_000, required=False, help_text="Empty: no limit."
    )
    count = forms.IntegerField(label="How many codes", min_value=1, max_value=codes.MOST_AT_ONCE, initial=1)
    starts_on = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    ends_on = forms.DateField(label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    batch = forms.CharField(label="What for", max_length=80, required=False, help_text="A note to yourself.")

    def __init__(self, *args: Any, label: Party, **options: Any) -> None:
        super().__init__(*args, **options)
        mine = Release.objects.filter(label=label).order_by("title", "pk")[:MOST_CHOICES]
        chosen = Release.objects.filter(pk__in=[one.pk for one in mine]).order_by("title")
        self.fields["release"].queryset = chosen  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        act, value = data.get("act"), data.get("value", "").strip()
        data["percent"], data["amount"] = (100, None) if act == "FREE" else (None, None)
        if act == "PERCENT":
            if not (value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 100):  # noqa: PLR2004 - per cent
                self.add_error("value", "Write 1 to 100 per cent, in plain digits.")
            else:
                data["percent"] = int(value)
        if act == "AMOUNT":
            try:
                data["amount"] = AmountField(currency=data.get("currency", "EUR")).clean(value)
            except forms.ValidationError as error:
                self.add_error("value", in_words(error))
        return data

    def terms(self, *, at: datetime) -> Terms:
        said = self.cleaned_data
        return Terms(
            said["percent"], said["amount"], _begin(said["starts_on"]) or at,
            ends_at=_begin(said["ends_on"] and said["ends_on"] + timedelta(days=1)),
            max_uses=said["max_uses"], release=said["release"],
        )  # fmt: skip


def _begin(day: Any) -> datetime | None:
    """Days are UTC's, as on statements."""
    return datetime.combine(day, time(), UTC) if day else None


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
    rows = [{"code": code, "takes": takes(code), **_stands(code, now)} for code in paged.object_list]
    return page(
        request, "codes", label=label, place="prices", rows=rows, page=paged, form=form,
        status=422 if form.is_bound else 200,
    )  # fmt: skip


def takes(code: Code) -> str:
    """What a code takes off, in words."""
    if code.percent is not None:
        return "all of it" if code.percent == 100 else f"{code.percent}%"  # noqa: PLR2004 - per cent
    return money_words(code.amount_minor, code.currency)


def _stands(code: Code, now: datetime) -> dict[str, str]:
    if code.ends_at is not None and code.ends_at <= now:
        return {"kind": "refused", "word": "Ended"}
    if code.max_uses is not None and code.used >= code.max_uses:
        return {"kind": "refused", "word": "Used up"}
    return {"kind": "waiting", "word": "Not yet"} if code.starts_at > now else {"kind": "cleared", "word": "Counts"}


@require_POST
@for_label
def end_code(request: HttpRequest, label: Party, key: int) -> HttpResponse:
    code = get_object_or_404(Code, pk=key, label=label, bearer=codes.Bearer.LABEL)
    codes.end(code, at=timezone.now())
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
