"""Bytes over HTTP: previews, covers, bought files (resumable) and whole releases as one zip.

Django's own file response knows no ranges; `ranged` answers them as RFC 9110 asks: 206 and 416, `If-Range` by strong
entity tag, 304 by `If-None-Match`. Where the audio lies in a bucket, a bought file is a redirect to an address the
bucket itself signs and serves.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from django.core.files.storage import storages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from catalog.artwork import SIZES, file_name
from catalog.models import Artwork
from store import previews, ranges
from store.views.visitor import country_of
from transcoding import formats, storage
from transcoding.models import Rendition

FOR_EVER = "public, max-age=31536000, immutable"
PREVIEW_CACHE = "private, no-cache"  # asked again each time (304 by its tag): a takedown silences the next request

Opener = Callable[[int, int], Iterator[bytes]]


def ranged(
    request: HttpRequest, opener: Opener, *, size: int, etag: str, media_type: str, filename: str = ""
) -> HttpResponseBase:
    """The whole file, the part asked for, or why not. `opener(start, end)` yields the bytes before `end`.

    `etag` is strong: the hash of the bytes. With `filename` the browser saves rather than shows.
    """
    tag = f'"{etag}"'
    if tag in request.headers.get("If-None-Match", "").replace(" ", "").split(","):
        response: HttpResponseBase = HttpResponse(status=304)
    else:
        response = _body(request, opener, size=size, tag=tag, media_type=media_type)
    response["ETag"] = tag
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    if filename:
        response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename)
    return response


def _body(request: HttpRequest, opener: Opener, *, size: int, tag: str, media_type: str) -> HttpResponseBase:
    span = None
    if request.method == "GET" and request.headers.get("If-Range", tag) == tag:
        try:
            span = ranges.parse(request.headers.get("Range", ""), size)
        except ranges.RangeUnsatisfiable:
            response = HttpResponse(status=416)
            response["Content-Range"] = f"bytes */{size}"
            return response
    first, last = (span.first, span.last) if span else (0, size - 1)
    whole: HttpResponseBase
    if request.method == "HEAD":
        whole = HttpResponse(content_type=media_type)
    else:
        whole = StreamingHttpResponse(opener(first, last + 1), content_type=media_type, status=206 if span else 200)
    whole["Content-Length"] = str(last - first + 1)
    if span:
        whole["Content-Range"] = span.content_range(size)
    return whole


def _preview(request: HttpRequest, public_id: UUID) -> Rendition:
    """A preview that is cleared where the visitor is. Others do not exist, so that a takedown silences them at once."""
    rendition = get_object_or_404(
        Rendition.objects.select_related("master"),
        public_id=public_id,
        purpose=Rendition.Purpose.PREVIEW,
        state=Rendition.State.READY,
    )
    if not previews.may_be_heard(rendition, country=country_of(request)):
        raise Http404("This preview is not to be heard here, or not any more.")
    return rendition


@require_safe
def preview(request: HttpRequest, public_id: UUID, extension: str) -> HttpResponseBase:
    rendition = _preview(request, public_id)
    made = formats.get(rendition.format)
    if made.extension != extension:
        raise Http404("This preview has another format.")
    key = rendition.storage_key
    response = ranged(
        request,
        lambda start, end: storage.open_range(key, start, end),
        size=rendition.bytes,
        etag=rendition.sha256,
        media_type=made.media_type,
    )
    response["Cache-Control"] = PREVIEW_CACHE
    return response


@require_safe
def artwork(request: HttpRequest, sha256: str, size: int) -> HttpResponseBase:
    """A cover in one of the widths made at delivery."""
    if size not in SIZES or not Artwork.objects.filter(sha256=sha256).exists():
        raise Http404("There is no such picture.")
    tag = f'"{sha256}-{size}"'
    if request.headers.get("If-None-Match") == tag:
        response: HttpResponseBase = HttpResponse(status=304)
    else:
        try:
            with storages["artwork"].open(file_name(sha256, size)) as file:
                response = HttpResponse(file.read(), content_type="image/webp")
        except FileNotFoundError as error:
            raise Http404("There is no such picture.") from error
    response["Cache-Control"] = FOR_EVER
    response["ETag"] = tag
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
def peaks(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The wave of a preview in thousandths of full scale: as it was cut, or the part of its master's that it covers."""
    rendition = _preview(request, public_id)
    response = JsonResponse({"peaks": previews.wave(rendition)})
    response["Cache-Control"] = PREVIEW_CACHE
    return response
