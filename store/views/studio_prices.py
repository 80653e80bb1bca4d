"""What the label asks: its list in a currency, prices of single things, many at once, and the same as a table."""

import csv
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.models import Party, Recording, Release
from payments.money import Currency, Money, currencies
from store import catalogue, price_tables, prices
from store.errors import AmountRefused
from store.forms import PriceField, in_words
from store.models import Price
from store.price_tables import TableRefused
from store.prices import Asked, Kind
from store.templatetags.shop import currency_name, plain
from store.views.studio import actor, for_label, page

PAGE = 20
MOST_FAULTS = 50


class ManyForm(forms.Form):
    """One change to the prices of all releases, all tracks, or both."""

    BOTH = "BOTH"
    what = forms.ChoiceField(
        label="Of", choices=[(BOTH, "Releases and tracks"), (Kind.RELEASE, "Releases"), (Kind.TRACK, "Tracks")]
    )
    act = forms.ChoiceField(
        label="Do", choices=[("RAISE", "Raise by %"), ("LOWER", "Lower by %"), ("COPY", "Copy at a rate")]
    )
    value = forms.RegexField(
        re.compile(r"\A[0-9]{1,7}([.,][0-9]{1,6})?\Z", re.ASCII), label="By, or at",
        error_messages={"invalid": "Write a number in plain digits, such as 10 or 1.08."},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "size": 8}),
    )  # fmt: skip
    source = forms.ChoiceField(label="Copy from", required=False)

    def __init__(self, *args: Any, sources: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["source"].choices = [("", "none"), *((code, code) for code in sources)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("act") == "COPY" and not data.get("source"):
            self.add_error("source", "Choose the currency whose prices are copied.")
        if data.get("act") == "LOWER" and data.get("value", Decimal(0)) >= 100:  # noqa: PLR2004 - per cent
            self.add_error("value", "Lower by less than 100 per cent.")
        if "value" in data and not data["value"]:
            self.add_error("value", "By nothing, nothing changes.")
        return data

    def clean_value(self) -> Decimal:
        return Decimal(self.cleaned_data["value"].replace(",", "."))


def currency_asked(sent: Mapping[str, str]) -> str:
    """The currency that the page is about; the store's where none, or none that can be charged, is named."""
    code = sent.get("currency", "").upper()
    return code if code in currencies() else settings.STORE_CURRENCY


@require_http_methods(["GET", "HEAD", "POST"])
@for_label
def prices_page(request: HttpRequest, label: Party) -> HttpResponse:
    """The list and each price on one page. What is sent is set as a whole, or nothing of it with a word beside each."""
    currency = currency_asked(request.POST if request.method == "POST" else request.GET)
    sent = request.POST if request.method == "POST" else None
    releases = catalogue.releases_of(label, query=request.GET.get("q", "").strip()[:200])
    paged = Paginator(releases.with_tracks(), PAGE).get_page(request.GET.get("page"))  # type: ignore[attr-defined]
    table = _Table(label, list(paged.object_list), currency, sent)
    if sent is not None and not table.refused:
        table.save(actor(request))
        messages.success(request, "The prices are set. The shop shows them within seconds.")
        return redirect(_address(label, currency, paged.number))
    return _page(request, label, currency, table=table, paged=paged)


def _address(label: Party, currency: str, number: int = 1) -> str:
    return f"{reverse('studio-prices', args=[label.slug])}?currency={currency}&page={number}"


def _page(request: HttpRequest, label: Party, currency: str, **context: Any) -> HttpResponse:
    if "table" not in context:
        paged = Paginator(catalogue.releases_of(label).with_tracks(), PAGE).get_page(1)  # type: ignore[attr-defined]
        context |= {"table": _Table(label, list(paged.object_list), currency, None), "paged": paged}
    mine = prices.currencies_of(label)
    unit = Currency(currency)
    context.setdefault("many", ManyForm(sources=[code for code in mine if code != currency]))
    refused = context["table"].refused or context.get("faults") or context["many"].errors or context.get("said")
    return page(
        request, "prices", label=label, place="prices", currency=currency, page=context.pop("paged"), mine=mine,
        currencies=[(code, currency_name(code)) for code in currencies()], main=settings.STORE_CURRENCY,
        least_minor=unit.least_charge, query_kept=f"currency={currency}", status=422 if refused else 200, **context,
    )  # fmt: skip


class _Cell:
    """One price on the page: what stands, what was sent, and what is wrong with that."""

    def __init__(self, key: str, words: str, price: Any, sent: Mapping[str, str] | None, currency: str) -> None:
        own = price is not None and not getattr(price, "by_list", False)
        self.key, self.words, self.refused = key, words, ""
        self.by_list = price is not None and not own
        self.listed_minor: int | None = price.amount_minor if self.by_list else None
        self.listed_more = bool(self.by_list and price.or_more)
        self.value = plain(price.amount_minor, currency) if own else ""
        self.or_more = bool(own and price.or_more)
        self.stood = (self.value, self.or_more)
        self.amount: Money | None = None
        if sent is None or key not in sent:
            return
        self.value, self.or_more = sent[key].strip()[:40], f"{key}-more" in sent
        try:
            self.amount = PriceField(currency=currency, zero=True, required=False).clean(self.value)
        except ValidationError as error:
            self.refused = in_words(error)

    @property
    def is_changed(self) -> bool:
        said = plain(self.amount.minor, self.amount.currency.code) if self.amount is not None else ""
        return (said, self.or_more and bool(said)) != self.stood

    @property
    def asked(self) -> Asked:
        return Asked(self.amount, self.or_more)


class _Table:
    """The list and the prices of one page of releases with their tracks. Five queries."""

    def __init__(self, label: Party, releases: list[Release], currency: str, sent: Mapping[str, str] | None) -> None:
        self.label, self.currency = label, currency
        tracks = {one.pk: list(one.tracks.all()) for one in releases}
        heard = {track.recording_id: track.recording for some in tracks.values() for track in some}
        mine = {key: recording for key, recording in heard.items() if recording.label_id == label.pk}
        whole, single = prices.prices_of(releases, list(mine.values()), currency=currency)
        lists = prices.lists(label, currency=currency)
        self.lists = {
            kind: _Cell(f"list-{kind}", words, lists.get(kind), sent, currency)
            for kind, words in ((Kind.RELEASE, "Each release"), (Kind.TRACK, "Each track"))
        }
        self.subjects: dict[str, Release | Recording] = {}
        self.cells: dict[str, _Cell] = {}
        self.rows = []
        cells = {key: self._cell(mine[key], single.get(key), sent) for key in mine}
        for release in releases:
            row = self._cell(release, whole.get(release.pk), sent)
            below = [(track, cells.get(track.recording_id)) for track in tracks[release.pk]]
            self.rows.append({"release": release, "cell": row, "tracks": below})

    def _cell(self, thing: Release | Recording, price: Price | None, sent: Mapping[str, str] | None) -> _Cell:
        key = f"{'release' if isinstance(thing, Release) else 'track'}-{thing.public_id}"
        self.subjects[key] = thing
        self.cells[key] = _Cell(key, thing.title, price, sent, self.currency)
        return self.cells[key]

    @property
    def refused(self) -> int:
        return sum(bool(cell.refused) for cell in (*self.lists.values(), *self.cells.values()))

    def save(self, who: str) -> None:
        for kind, cell in self.lists.items():
            if cell.is_changed:
                prices.set_list(self.label, kind=kind, currency=self.currency, asked=cell.asked, actor=who)
        changed = ((self.subjects[key], cell.asked) for key, cell in self.cells.items() if cell.is_changed)
        prices.set_many(changed, currency=self.currency, actor=who)


@require_POST
@for_label
def change_many(request: HttpRequest, label: Party) -> HttpResponse:
    """Raise, lower or copy many prices; where one of the new ones could not be paid, none is changed."""
    currency = currency_asked(request.POST)
    form = ManyForm(request.POST, sources=prices.currencies_of(label))
    if not form.is_valid():
        return _page(request, label, currency, many=form)
    said = form.cleaned_data
    kinds = [Kind.RELEASE, Kind.TRACK] if said["what"] == ManyForm.BOTH else [Kind(said["what"])]
    try:
        count = prices.change(
            label, kinds=kinds, currency=currency, source=said["source"] if said["act"] == "COPY" else "",
            value=-said["value"] if said["act"] == "LOWER" else said["value"], actor=actor(request),
        )  # fmt: skip
    except AmountRefused as refusal:
        form.add_error("value", f"Nothing was changed. {refusal.message}")
        return _page(request, label, currency, many=form)
    messages.success(request, f"{count} price{'s' if count != 1 else ''} in {currency} changed.")
    return redirect(_address(label, currency))


@require_safe
@for_label
def prices_csv(request: HttpRequest, label: Party) -> HttpResponse:
    currency = currency_asked(request.GET)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"prices-{label.slug}-{currency}.csv"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    csv.writer(response).writerows(price_tables.rows(label, currency))
    return response


@require_POST
@for_label
def take_table(request: HttpRequest, label: Party) -> HttpResponse:
    """Set what a table says: all of it, or nothing, with each line that stands in the way."""
    currency = currency_asked(request.POST)
    table = request.FILES.get("table")
    if table is None:
        return _page(request, label, currency, said="Choose the table to hand in.")
    try:
        count = price_tables.take(label, currency, table.read(price_tables.MOST_BYTES + 1), actor=actor(request))
    except TableRefused as refusal:
        return _page(request, label, currency, said=refusal.message, faults=refusal.faults[:MOST_FAULTS])
    messages.success(request, f"The table is taken: {count} line{'s' if count != 1 else ''}.")
    return redirect(_address(label, currency))
