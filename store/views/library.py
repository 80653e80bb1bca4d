"""What a person owns: the order after paying, the library, and the bytes themselves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from payments.errors import PaymentsError
from store import archives, corrections, refunds
from store import library as owned_music
from store.corrections import Corrected
from store.errors import NotReadyYet, StoreError
from store.library import FileState
from store.models import Order, OrderLine
from store.views.bills import licence_words
from store.views.formats import grouped
from store.views.media import ranged
from store.views.receipt import receipt
from store.views.sleeves import TONES, covers
from store.views.visitor import signed_in
from transcoding import storage
from transcoding.archives import Archive, safe_name
from transcoding.formats import FORMATS, Family, Shelf

FORMAT_KEY = "format"
FIRST_CHOICE = "FLAC"
PICKS = [each for each in FORMATS.values() if not each.preview]
GRADES = grouped(each for each in sorted(PICKS, key=lambda each: list(Family).index(each.family)) if each.extension)
PRESIGNED_SECONDS = 300
SHUT = {
    OrderLine.State.REFUND_DUE: "Your money is on its way back to you",
    OrderLine.State.CHARGEBACK: "Paused while your bank decides about the payment",
    OrderLine.State.CHARGED_BACK: "Your bank took the payment back, so it is yours no more",
    OrderLine.State.REFUNDED: "Refunded",
    OrderLine.State.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Batch:
    """One format of everything on a line: its size, and how much of it lies ready."""

    code: str
    label: str
    quality: str
    bytes: int
    exact: bool
    state: str
    done: int
    whole: int
    permille: int

    @property
    def first(self) -> bool:
        """Shown before asking for more: the most wanted, and whatever was asked for already."""
        return FORMATS[self.code].shelf is Shelf.FIRST or self.state != "ON_DEMAND"

    @property
    def words(self) -> str:
        """What a waiting buyer is told, and how long it usually takes."""
        if self.whole == 1:
            return f"Being made, {self.permille // 10}%" if self.permille else "Being made, some seconds"
        return f"Being made, {self.done} of {self.whole}"


def batches(files: Sequence[Sequence[FileState]]) -> list[Batch]:
    """The formats that all tracks of a line can be had in, best first. `files` has one list of formats per track."""
    if not files or not all(files):
        return []
    by_code = [{each.format: each for each in of_track} for of_track in files]
    common = set.intersection(*(set(of_track) for of_track in by_code))
    return [_batch([of_track[first.format] for of_track in by_code]) for first in files[0] if first.format in common]


def _batch(files: Sequence[FileState]) -> Batch:
    states = [each.state for each in files]
    state = next((one for one in ("FAILED", "WAITING", "ON_DEMAND") if one in states), "READY")
    qualities = list(dict.fromkeys(each.quality for each in files))
    labels = list(dict.fromkeys(each.label for each in files))
    code = files[0].format
    return Batch(
        code=code,
        label=labels[0] if len(labels) == 1 else FORMATS[code].name,
        quality=qualities[0] if len(qualities) == 1 else f"{qualities[0]} to {qualities[-1]}",
        bytes=sum(each.bytes for each in files),
        exact=all(each.exact for each in files),
        state=state,
        done=states.count("READY"),
        whole=len(states),
        permille=sum(each.permille for each in files) // len(files),
    )


def choose(offered: Iterable[FileState], wanted: str) -> FileState | None:
    """The wanted format where it is offered, else the best there is: nothing lossless comes from a lossy master."""
    offered = list(offered)
    return next((each for each in offered if each.format == wanted), offered[0] if offered else None)


# -- The order ---------------------------------------------------------------------------------------------------------


@never_cache
@login_required
@require_safe
def order(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The files at once, with their true state; then the receipt with what was really posted."""
    found = get_object_or_404(Order, public_id=public_id, buyer=signed_in(request))
    lines = list(
        found.lines.select_related("certificate", "release", "track__release")
        .prefetch_related("tracks__track__recording")
        .order_by("position")
    )
    mine = found.owner_id == found.buyer_id
    open_lines = [line for line in lines if line.state == OrderLine.State.PAID and mine]
    files = owned_music.files(open_lines) if found.state == Order.State.PAID else {}
    rows = [_order_row(line, files) for line in lines]
    _offer_return(found, lines, rows)
    waiting = found.state == Order.State.PLACED or any(one.state == "WAITING" for row in rows for one in row["formats"])
    context = {
        "order": found,
        "lines": rows,
        "waiting": waiting,
        **receipt(found, lines),
        "gift": found.gift if found.is_gift else None,
        "return_until": refunds.until(found),
        "after_download": settings.REFUND_AFTER_DOWNLOAD,
    }
    return render(request, "shop/order.html", context)


def _offer_return(found: Order, lines: Sequence[OrderLine], rows: Sequence[dict[str, Any]]) -> None:
    """Say at each line whether its buyer may give it back by herself. One query."""
    at, fetched = timezone.now(), refunds.fetched(lines)
    for line, row in zip(lines, rows, strict=True):
        line.order = found
        row["may_return"] = not refunds.why_not(line, at=at, fetched=line.pk in fetched)


@login_required
@require_POST
def give_back(request: HttpRequest, public_id: UUID, line_id: UUID) -> HttpResponse:
    """The buyer takes one line back, within the operator's window; its money goes the way it came."""
    line = get_object_or_404(OrderLine, public_id=line_id, order__public_id=public_id, order__buyer=signed_in(request))
    try:
        refunds.ask(line, reason=request.POST.get("reason", "")[:200], at=timezone.now())
    except StoreError as refusal:
        messages.error(request, refusal.message)
    except PaymentsError:
        messages.info(request, "It is given back. Your money follows as soon as the payment provider answers.")
    else:
        messages.success(request, "It is given back; your money is on its way. Banks take up to ten days.")
    return redirect("order", public_id)


def _order_row(line: OrderLine, files: Mapping[tuple[int, int], Sequence[FileState]]) -> dict[str, Any]:
    tracks = [files.get((line.pk, row.track_id), []) for row in line.tracks.all()]
    offered = batches(tracks)
    return {
        "public_id": line.public_id,
        "title": line.title,
        "artist": line.artist,
        "amount_minor": line.amount_minor,
        "returned_minor": line.returned_minor,
        "left_minor": line.amount_minor - line.returned_minor,
        "given_minor": line.given_minor,
        "discount_minor": line.discount_minor,
        "tax_minor": line.tax_minor,
        "tax_rate": line.tax_rate,
        "licence": licence_words(line.buyer_licence_code),
        "buyer_licence_url": line.buyer_licence_url,
        "certificate": getattr(line, "certificate", None),
        "many": len(tracks) > 1,
        "open": line.state == OrderLine.State.PAID,
        "why_shut": SHUT.get(OrderLine.State(line.state), ""),
        "formats": offered,
        "first": [each for each in offered if each.first],
        "more": [each for each in offered if not each.first],
    }


# -- The library -------------------------------------------------------------------------------------------------------


@never_cache
@login_required
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """Everything bought, in the one format chosen at the top. A fixed number of queries."""
    lines = owned_music.owned(signed_in(request))
    wanted = request.GET.get("format") or request.session.get(FORMAT_KEY, FIRST_CHOICE)
    if wanted not in FORMATS or FORMATS[wanted].preview:
        wanted = FIRST_CHOICE
    if request.GET.get("format") == wanted:
        request.session[FORMAT_KEY] = wanted
    files = owned_music.files(lines, wanted=wanted)
    fronts = covers({_release_of(line) for line in lines})
    corrected = corrections.since_fetched(lines)
    rows = [_library_row(line, files, wanted, fronts, corrected) for line in lines]
    context = {
        "rows": rows,
        "picks": [each for each in PICKS if each.shelf is Shelf.FIRST],
        "grades": GRADES,
        "picked": wanted,
        "picked_label": FORMATS[wanted].name,
        "total_bytes": sum(row["bytes"] for row in rows),
        "waiting": any(row["state"] == "WAITING" for row in rows),
    }
    return render(request, "shop/library.html", context)


def _release_of(line: OrderLine) -> int:
    return line.release_id or line.track.release_id  # type: ignore[union-attr]


def _library_row(
    line: OrderLine,
    files: Mapping[tuple[int, int], Sequence[FileState]],
    wanted: str,
    fronts: Mapping[int, str],
    corrected: Mapping[tuple[int, int], Corrected],
) -> dict[str, Any]:
    release = line.release or line.track.release  # type: ignore[union-attr]
    bought = list(line.tracks.all())
    of_tracks = [files.get((line.pk, row.track_id), []) for row in bought]
    offered = batches(of_tracks)
    whole = next((each for each in offered if each.code == wanted), offered[0] if offered else None)
    chosen = [choose(each, whole.code if whole else wanted) for each in of_tracks]
    fallback = whole is not None and whole.code != wanted
    newer = [corrected.get((line.pk, row.track_id)) for row in bought]
    return {
        "key": line.public_id,
        "title": line.title,
        "by": line.artist,
        "kind": f"{len(bought)} track{'s' if len(bought) > 1 else ''}"
        if line.release_id
        else f"Track from {release.title}",
        "url": reverse("release", args=[release.slug]),
        "cover": fronts.get(release.pk, ""),
        "tone": release.pk % TONES,
        "bought": line.order.placed_at,
        "order": line.order.public_id,
        "certificate": line.certificate.public_id if hasattr(line, "certificate") else None,
        "many": len(bought) > 1,
        "open": bool(whole or any(chosen)),
        "why_shut": "The sound cannot be found; we have been told",
        "format": whole.code if whole else "",
        "bytes": whole.bytes if whole else sum(each.bytes for each in chosen if each),
        "exact": whole is not None and whole.exact,
        "state": whole.state if whole else "TRACKS",
        "words": whole.words if whole else "",
        "permille": whole.permille if whole else 0,
        "note": f"Not to be had as {FORMATS[wanted].name}: given as {whole.label}." if whole and fallback else "",
        "corrected": corrections.together(one for one in newer if one),
        "tracks": [
            {
                "key": row.track_id,
                "number": row.track.number,
                "title": row.track.title,
                "state": file.state if file else "FAILED",
                "bytes": file.bytes if file else 0,
                "format": file.format if file else "",
                "label": file.label if file else "",
                "permille": file.permille if file else 0,
                "corrected": since,
            }
            for row, file, since in zip(bought, chosen, newer, strict=True)
        ],
    }


# -- The bytes ---------------------------------------------------------------------------------------------------------


@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Make a link for one click; or put the files in order first, and say so where the buyer stands."""
    user = signed_in(request)
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = reverse("library")
    track = request.POST.get("track", "")
    try:
        line = owned_music.owned_line(user, UUID(request.POST.get("line", "")))
        single = int(track) if track else None
        if single is None:
            bought = list(line.tracks.values_list("track_id", flat=True))
            single = bought[0] if len(bought) == 1 else None  # one track is a file, several are a zip
        token = owned_music.link(
            line,
            user=user,
            track=single,
            format=request.POST.get("format", ""),
            at=timezone.now(),
            address=request.META.get("REMOTE_ADDR") or None,
        )
    except ValueError as error:
        raise Http404("There is no such purchase.") from error
    except NotReadyYet as soon:
        messages.info(request, soon.message)
        return redirect(back)
    except StoreError as refusal:
        return _refusal(request, refusal)
    return redirect("download", token=token)


def _refusal(request: HttpRequest, refusal: StoreError) -> HttpResponse:
    context = {
        "title": "This download cannot be had",
        "message": refusal.message,
        "back": reverse("library"),
        "back_word": "Back to your library",
    }
    return render(request, "pages/refusal.html", context, status=refusal.status)


@never_cache
@login_required
@require_safe
def download(request: HttpRequest, token: str) -> HttpResponseBase:
    """The file or zip a token stands for, to the person it was made for, while it lasts."""
    try:
        found = owned_music.resolve(token, user=signed_in(request), at=timezone.now())
        stem, dot, extension = found.filename.rpartition(".")
        name = f"{safe_name(stem)}{dot}{extension}"
        if found.rendition is None:
            return _zip(request, Archive(archives.listing(found.line, found.format)), name)
    except StoreError as refusal:
        return _refusal(request, refusal)
    made = found.rendition
    key = made.storage_key
    elsewhere = storage.presigned(key, filename=name, seconds=PRESIGNED_SECONDS, media_type=found.media_type)
    if elsewhere is not None:
        return redirect(elsewhere)
    return ranged(
        request,
        lambda start, end: _bytes(key, start, end, of=made.bytes),
        size=made.bytes,
        etag=made.sha256,
        media_type=found.media_type,
        filename=name,
    )


def _bytes(key: str, start: int, end: int, *, of: int) -> Iterator[bytes]:
    """A whole file is hashed on its way; a part of one cannot be."""
    return storage.read_whole(key, of) if (start, end) == (0, of) else storage.open_range(key, start, end)


def _zip(request: HttpRequest, archive: Archive, name: str) -> HttpResponseBase:
    """A whole release, streamed: nothing is gathered in memory or on disk, and its length is told first."""
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(content_type="application/zip")
    else:
        response = StreamingHttpResponse(iter(archive), content_type="application/zip")
    response["Content-Length"] = str(len(archive))
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["X-Content-Type-Options"] = "nosniff"
    return response
