"""The label studio: deliveries, the catalogue, and corrections to it. A foreign label does not exist here (404)."""

import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files import File
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog import releases
from catalog.errors import ImageRefused
from catalog.models import Party, Recording, Release
from payments.money import Money
from store import access, catalogue, corrections, covers, live, offers, parcels, previews, pricing
from store.delivered_rights import Declaration
from store.errors import NotOwned, StoreError
from store.forms import OWN_WORKS, CoverForm, DeliverForm, PriceForm, StartForm, TitleForm
from store.models import Delivery, User
from store.templatetags.shop import countries_phrase, seconds_clock
from store.views.media import ranged
from store.views.review_case import WIDE, wave
from transcoding import formats, storage, uploads
from transcoding.errors import TranscodingError
from transcoding.models import Arrival, Master, Parcel, Rendition

PAGE = 20
CURRENCY = settings.STORE_CURRENCY

P = ParamSpec("P")
LabelView = Callable[Concatenate[HttpRequest, Party, P], HttpResponseBase]


def for_label(view: LabelView[P]) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """Turn the address's slug into a label that the signed-in person works for; anybody else finds nothing."""

    @never_cache
    @login_required
    @wraps(view)
    def inner(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            label = access.label_of(request.user, slug)
        except NotOwned as error:
            raise Http404(str(error)) from error
        return view(request, label, *args, **kwargs)

    return inner  # type: ignore[return-value]


def page(
    request: HttpRequest, name: str, *, label: Party, place: str, status: int = 200, **context: Any
) -> HttpResponse:
    """A page of the studio with its side list."""
    return render(request, f"studio/{name}.html", {"label": label, "place": place, **context}, status=status)


def sent(request: HttpRequest) -> tuple[Any, Any]:
    """What a form was sent with; nothing where the page is only looked at."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def actor(request: HttpRequest) -> str:
    if not isinstance(request.user, User):
        raise Http404("Nobody is signed in.")
    return request.user.actor


@never_cache
@login_required
@require_safe
def studio(request: HttpRequest) -> HttpResponse:
    """Straight to the desk of the only label; a choice where there are several."""
    labels = access.labels(request.user)
    if len(labels) == 1:
        return redirect("studio-catalogue", labels[0].slug)
    return render(request, "studio/labels.html", {"labels": labels})


@require_safe
@for_label
def label_home(request: HttpRequest, label: Party) -> HttpResponse:  # noqa: ARG001 - a view
    return redirect("studio-catalogue", label.slug)


# Deliveries


@csrf_exempt  # the token is checked by the inner view, after the upload handlers are chosen
@require_http_methods(["GET", "HEAD", "POST"])
def deliver(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Files mostly came before, in pieces. What a browser without script sends goes to disk as it streams in."""
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    return _deliver(request, slug)


@csrf_protect
@for_label
def _deliver(request: HttpRequest, label: Party) -> HttpResponse:
    form = DeliverForm(*sent(request), currency=CURRENCY)
    gathered = uploads.arrivals_of(label).filter(parcel__actor=actor(request))
    if request.method == "POST" and not request.FILES.getlist("files") and not gathered.exists():
        form.add_error("files", "Choose the files to deliver.")
    if request.method == "POST" and form.is_valid():
        parcel = uploads.parcel_of(label, actor=actor(request))
        try:
            _keep(parcel, form.cleaned_data["files"], request.POST.getlist("paths"))
            delivery = parcels.hand_in(parcel, form.cleaned_data, at=timezone.now())
        except TranscodingError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("studio-delivery", label.slug, delivery.public_id)
    earlier = Paginator(catalogue.deliveries_of(label), PAGE).get_page(request.GET.get("page"))
    status = 422 if form.is_bound else 200
    return page(
        request, "deliver", label=label, place="deliver", form=form, deliveries=earlier, arrivals=_gathered(gathered),
        room=uploads.room_of(label), largest=settings.MASTER_MAX_BYTES, status=status,
    )  # fmt: skip


def _gathered(arrivals: QuerySet[Arrival]) -> list[dict[str, Any]]:
    """What is here from an earlier visit, for people and for the script that goes on with it."""
    return [
        {
            "path": one.path,
            "length": one.length,
            "percent": 100 * one.received // max(1, one.length),
            "whole": one.state == Arrival.State.WHOLE,
            "told": json.dumps(parcels.told(one)),
        }
        for one in arrivals.select_related("parcel__label")
    ]


def _keep(parcel: Parcel, files: "Sequence[File[bytes]]", paths: Sequence[str]) -> None:
    """Put what came with the form into the parcel. What is there already, from a try that was refused, stays."""
    for place, file in enumerate(files):
        name = file.name or "file"
        told = paths[place] if len(paths) == len(files) else name
        if isinstance(file, TemporaryUploadedFile):
            uploads.take_file(parcel, Path(file.temporary_file_path()), place=uploads.plain_path(told, name))


def declaration(data: dict[str, Any]) -> Declaration:
    """What a form of the studio declares."""
    return parcels.declaration(data, agreement=data["agreement"].read() if data["agreement"] else None)


@require_safe
@for_label
def delivery(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = get_object_or_404(Delivery, public_id=public_id, label=label)
    report = catalogue.report(found, currency=CURRENCY)
    taken = {line.row.recording.pk for line in report.lines if line.row}
    return page(
        request, "delivery", label=label, place="deliver", delivery=found, report=report, declared=_declared(found),
        **live.shown(taken, delivery=found),
    )  # fmt: skip


def _declared(delivery: Delivery) -> list[tuple[str, str]]:
    said = delivery.declaration
    found = []
    if said.get("own_works"):
        found.append(("Own works", said.get("text") or OWN_WORKS))
    if said.get("direct_grant"):
        days = f"{said.get('starts_on') or 'now'} to {said.get('ends_on') or 'no end'}"
        found.append(
            ("Direct grant", f"By the agreement attached, {said.get('territories') or 'worldwide'}, from {days}.")
        )
    return found


# The catalogue


@require_safe
@for_label
def show_catalogue(request: HttpRequest, label: Party) -> HttpResponse:
    show = request.GET.get("show", "all")
    show = show if show in {"all", "open", "shut"} else "all"
    query = request.GET.get("q", "").strip()[:200]
    counts = catalogue.counts(label)
    paged = Paginator(catalogue.releases_of(label, query=query, show=show), PAGE).get_page(request.GET.get("page"))
    issues = catalogue.issues(paged.object_list, currency=CURRENCY)
    words = (("all", "All"), ("open", "On sale"), ("shut", "Something missing"))
    chips = [{"code": code, "word": word, "count": counts[code]} for code, word in words]
    kept = urlencode({"show": show, "q": query})
    return page(
        request, "catalogue", label=label, place="catalogue", page=paged, issues=issues, counts=counts,
        chips=chips, show=show, q=query, query_kept=kept,
    )  # fmt: skip


def _recording(label: Party, public_id: UUID) -> Recording:
    return get_object_or_404(Recording.objects.with_credits(), public_id=public_id, label=label)


@require_safe
@for_label
def recording(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    return _recording_page(request, label, _recording(label, public_id))


def _recording_page(
    request: HttpRequest,
    label: Party,
    found: Recording,
    *,
    price_form: PriceForm | None = None,
    title_form: TitleForm | None = None,
    start_form: StartForm | None = None,
) -> HttpResponse:
    (row,) = catalogue.rows([found], currency=CURRENCY)
    status = 422 if price_form or title_form or start_form else 200
    return page(
        request, "recording", label=label, place="catalogue", row=row, records=row.records, master=row.master,
        **live.shown([found.pk]), **passage(found, start_form),
        where=f"cleared: {countries_phrase(row.countries)}" if row.decision else "",
        reasons=catalogue.all_reasons(row), renditions=_renditions(row),
        findings=row.master.findings.order_by("pk") if row.master else (),
        price_form=price_form or PriceForm(currency=CURRENCY, initial=_amount(row.price)),
        title_form=title_form or TitleForm(initial={"title": found.title, "version_title": found.version_title}),
        status=status,
    )  # fmt: skip


def passage(found: Recording, form: StartForm | None) -> dict[str, Any]:
    """The preview as it is planned, its wave and the form that moves it; nothing where there is no sound yet."""
    planned = previews.planned(found)
    if planned is None:
        return {}
    return {
        "preview": planned,
        "wave": wave(planned.master.peaks),
        "window_at": WIDE * planned.start_ms // planned.whole_ms,
        "window_wide": WIDE * planned.length_ms // planned.whole_ms,
        "start_form": form or StartForm(initial={"start": seconds_clock(planned.start) or "0:00"}),
    }


@require_POST
@for_label
def start_preview(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    """Let a preview begin where the label says."""
    found = _recording(label, public_id)
    planned = previews.planned(found)
    if planned is None:
        raise Http404("There is no sound to cut a preview from.")
    form = StartForm({"start": "0:00"} if "loudest" in request.POST else request.POST)
    if form.is_valid():
        wanted = None if "loudest" in request.POST else form.cleaned_data["start"]
        try:
            previews.set_start(planned.master, milliseconds=wanted, actor=actor(request))
        except StoreError as refusal:
            form.add_error("start", refusal.message)
        else:
            messages.success(request, "The preview begins there within seconds; until then none is heard.")
            return redirect(reverse("studio-recording", args=[label.slug, public_id]) + "#preview")
    return _recording_page(request, label, found, start_form=form)


@require_safe
@for_label
def own_sound(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:
    """A master, for the ears of the label that delivered it."""
    master = get_object_or_404(Master, public_id=public_id, recording__label=label, state=Master.State.ACCEPTED)
    return ranged(
        request,
        lambda start, end: storage.open_range(master.storage_key, start, end),
        size=master.bytes,
        etag=master.file_sha256,
        media_type=formats.media_type(formats.get("ORIGINAL"), master),
    )


def _set_price(request: HttpRequest, subject: Recording | Release, form: PriceForm) -> None:
    price: Money = form.cleaned_data["amount"]
    offers.set_price(
        subject,
        currency=price.currency.code,
        amount_minor=price.minor,
        or_more=form.cleaned_data["or_more"],
        actor=actor(request),
    )
    for words in pricing.refusals(subject, price, at=timezone.now()):
        messages.warning(request, words)


def _amount(price: Any) -> dict[str, Any]:
    return {"amount": catalogue.plain_amount(price), "or_more": price.or_more} if price else {}


def _renditions(row: catalogue.Row) -> list[dict[str, str]]:
    if row.master is None:
        return []
    states = {
        Rendition.State.READY: ("cleared", "ready"),
        Rendition.State.FAILED: ("refused", "could not be made"),
        Rendition.State.MAKING: ("waiting", "being made"),
        Rendition.State.PLANNED: ("waiting", "waits its turn"),
    }
    found = []
    for_sale = row.master.renditions.exclude(purpose=Rendition.Purpose.REVIEW)
    for rendition in for_sale.order_by("format", "-pk").distinct("format"):
        kind, word = states[Rendition.State(rendition.state)]
        found.append({"name": formats.label(formats.get(rendition.format), row.master), "kind": kind, "word": word})
    return found


@require_POST
@for_label
def price_recording(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _recording(label, public_id)
    form = PriceForm(request.POST, currency=CURRENCY)
    if not form.is_valid():
        return _recording_page(request, label, found, price_form=form)
    _set_price(request, found, form)
    messages.success(request, f"“{found.full_title}” has its new price. The shop shows it within seconds.")
    return redirect("studio-recording", label.slug, public_id)


@require_POST
@for_label
def title_recording(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _recording(label, public_id)
    form = TitleForm(request.POST)
    if not form.is_valid():
        return _recording_page(request, label, found, title_form=form)
    corrections.retitle_recording(found, **form.cleaned_data)
    messages.success(request, "The title is corrected.")
    return redirect("studio-recording", label.slug, public_id)


def _release(label: Party, public_id: UUID) -> Release:
    return get_object_or_404(Release, public_id=public_id, label=label)


@require_safe
@for_label
def release(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    return _release_page(request, label, _release(label, public_id))


def _release_page(
    request: HttpRequest,
    label: Party,
    found: Release,
    *,
    price_form: PriceForm | None = None,
    title_form: TitleForm | None = None,
    cover_form: CoverForm | None = None,
) -> HttpResponse:
    (issue,) = catalogue.issues([found], currency=CURRENCY)
    return page(
        request, "release", label=label, place="catalogue", release=issue,
        **live.shown([row.recording.pk for row in issue.tracks]),
        problems=[problem.message for problem in releases.problems(found)],
        price_form=price_form or PriceForm(currency=CURRENCY, initial=_amount(issue.price)),
        title_form=title_form or TitleForm(initial={"title": found.title}),
        cover_form=cover_form or CoverForm(),
        status=422 if price_form or title_form or cover_form else 200,
    )  # fmt: skip


@require_POST
@for_label
def price_release(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _release(label, public_id)
    form = PriceForm(request.POST, currency=CURRENCY)
    if not form.is_valid():
        return _release_page(request, label, found, price_form=form)
    _set_price(request, found, form)
    messages.success(request, f"“{found.title}” has its new price. The shop shows it within seconds.")
    return redirect("studio-release", label.slug, public_id)


@require_POST
@for_label
def title_release(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _release(label, public_id)
    form = TitleForm(request.POST)
    if not form.is_valid():
        return _release_page(request, label, found, title_form=form)
    corrections.retitle_release(found, title=form.cleaned_data["title"])
    messages.success(request, "The title is corrected.")
    return redirect("studio-release", label.slug, public_id)


@require_POST
@for_label
def cover_release(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponse:
    found = _release(label, public_id)
    form = CoverForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            covers.replace(found, form.cleaned_data["cover"])
        except ImageRefused as refusal:
            form.add_error("cover", str(refusal))
    if not form.is_valid():
        return _release_page(request, label, found, cover_form=form)
    messages.success(request, "The cover is replaced. Files get it within minutes; their buyers may fetch them again.")
    return redirect("studio-release", label.slug, public_id)
