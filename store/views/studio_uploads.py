"""The studio's side of the tus protocol 1.0 (https://tus.io/protocols/resumable-upload): files come in pieces.

Core, creation (with or without first bytes), expiration, checksum and termination. What a piece may be is decided
by `transcoding.uploads`; here are only the words of HTTP. A cookie and a form's token are asked of every request, as
everywhere in the studio.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import http_date

from catalog.models import Party
from store import parcels
from store.views.studio import actor, for_label
from transcoding import uploads
from transcoding.errors import (
    StorageCorrupt,
    StorageFailed,
    TranscodingError,
    UploadBusy,
    UploadDamaged,
    UploadExpired,
    UploadMisplaced,
    UploadRefused,
)
from transcoding.models import Arrival, Parcel

VERSION = "1.0.0"
ALGORITHMS = {"sha256": "sha256", "sha1": "sha1"}  # the protocol asks for SHA-1; it only tells a broken line
PIECE = "application/offset+octet-stream"
STATUS: tuple[tuple[type[TranscodingError], int], ...] = (
    (UploadMisplaced, 409),
    (UploadRefused, 413),
    (UploadBusy, 423),
    (UploadDamaged, 460),  # the protocol's own number
    (UploadExpired, 410),
    (StorageCorrupt, 410),
    (StorageFailed, 503),
)


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def spoken(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The protocol's frame around a view: its version, the method behind another one, and errors as plain words."""

    def inner(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method == "POST" and (meant := request.headers.get("X-HTTP-Method-Override")):
            request.method = meant.upper()
        try:
            _understood(request)
            answer = view(request, *args, **kwargs)
        except Refused as refusal:
            answer = HttpResponse(str(refusal), status=refusal.status, content_type="text/plain; charset=utf-8")
        except TranscodingError as error:
            status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
            answer = HttpResponse(str(error), status=status, content_type="text/plain; charset=utf-8")
        answer["Tus-Resumable"] = VERSION
        answer["Tus-Version"] = VERSION
        return answer

    return inner


def _understood(request: HttpRequest) -> None:
    if request.method not in {"OPTIONS", "GET"} and request.headers.get("Tus-Resumable") != VERSION:
        raise Refused(412, f"Speak version {VERSION} of the tus protocol.")


@for_label
@spoken
def arrivals(request: HttpRequest, label: Party) -> HttpResponseBase:
    """POST announces a file; GET lists what one has on its way; OPTIONS says what is spoken here."""
    if request.method == "OPTIONS":
        return _abilities()
    if request.method == "GET":
        mine = uploads.arrivals_of(label).filter(parcel__actor=actor(request))
        return JsonResponse({"files": [parcels.told(one) for one in mine.select_related("parcel__label")]})
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "GET, OPTIONS, POST"})
    length = _length(request, "Upload-Length")
    first = _first(request, most=length)
    said = _metadata(request.headers.get("Upload-Metadata", ""))
    name = said.get("filename", "").replace("\\", "/").rpartition("/")[2] or "file"
    promised = said.get("sha256", "").lower()
    if promised and not re.fullmatch(r"[0-9a-f]{64}", promised):
        raise Refused(400, "sha256 in Upload-Metadata must be 64 hexadecimal digits.")
    arrival = uploads.announce(
        uploads.parcel_of(label, actor=actor(request)),
        path=uploads.plain_path(said.get("relativePath", "") or name, name),
        length=length,
        sha256=promised,
    )
    if first:
        arrival = _with_first(request, arrival, length=first)
    answer = _state(arrival, HttpResponse(status=201))
    answer["Location"] = reverse("studio-upload", args=[label.slug, arrival.public_id])
    return answer


@for_label
@spoken
def arrival(request: HttpRequest, label: Party, public_id: UUID) -> HttpResponseBase:
    """HEAD says how far a file has come; PATCH brings its next piece; DELETE takes it back."""
    if request.method == "OPTIONS":
        return _abilities()
    found = get_object_or_404(
        Arrival.objects.select_related("parcel"),
        public_id=public_id, parcel__label=label, parcel__state=Parcel.State.OPEN,
    )  # fmt: skip
    if request.method == "HEAD":
        uploads.hold_unexpired(found, at=timezone.now())
        return _state(uploads.settle(found), HttpResponse())
    if request.method == "PATCH":
        if request.content_type != PIECE:
            raise Refused(415, f"Send pieces as {PIECE}.")
        offset, length = _length(request, "Upload-Offset"), _length(request, "Content-Length", status=411)
        return _state(_piece(request, found, offset=offset, length=length), HttpResponse(status=204))
    if request.method == "DELETE":
        uploads.drop(found)
        return HttpResponse(status=204)
    return HttpResponse(status=405, headers={"Allow": "DELETE, HEAD, OPTIONS, PATCH"})


def _first(request: HttpRequest, *, most: int) -> int:
    """How many bytes come along with an announcement; what else a body may be is left unread."""
    if request.content_type != PIECE:
        return 0
    length = _length(request, "Content-Length", status=411)
    if length > most:
        raise Refused(413, f"The file is announced with {most} bytes, but {length} come along.")
    return length


def _with_first(request: HttpRequest, announced: Arrival, *, length: int) -> Arrival:
    """A first piece that fails leaves the file announced, and the sender goes on from what the answer says."""
    try:
        return _piece(request, announced, offset=0, length=length)
    except (UploadBusy, UploadDamaged, StorageFailed):
        found = Arrival.objects.filter(pk=announced.pk).first()
        if found is None:  # it was not the file that was promised
            raise
        return found


def _piece(request: HttpRequest, found: Arrival, *, offset: int, length: int) -> Arrival:
    def read(count: int) -> bytes:
        try:
            return request.read(count)
        except OSError:  # the line broke; what came before counts
            return b""

    return uploads.append(found, offset=offset, length=length, read=read, checksum=_checksum(request))


def _checksum(request: HttpRequest) -> uploads.Checksum | None:
    told = request.headers.get("Upload-Checksum")
    if told is None:
        return None
    name, _, digest = told.partition(" ")
    if name not in ALGORITHMS:
        raise Refused(400, f"Checksums may be {' or '.join(ALGORITHMS)}.")
    try:
        raw = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != hashlib.new(ALGORITHMS[name], usedforsecurity=False).digest_size:
        raise Refused(400, "Upload-Checksum must be an algorithm's name and the digest in base64.")
    return uploads.Checksum(ALGORITHMS[name], raw)


def _length(request: HttpRequest, header: str, *, status: int = 400) -> int:
    told = request.headers.get(header, "")
    if not re.fullmatch(r"[0-9]{1,15}", told):
        raise Refused(status, f"{header} must be a whole number of bytes.")
    return int(told)


def _metadata(header: str) -> dict[str, str]:
    """Pairs of a key and a value in base64; a key may stand alone."""
    found = {}
    for pair in filter(None, (each.strip() for each in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise Refused(400, f"{key[:40]!r} in Upload-Metadata is no UTF-8 text in base64.") from None
    return found


def _abilities() -> HttpResponse:
    return HttpResponse(
        status=204,
        headers={
            "Tus-Extension": "creation,creation-with-upload,expiration,checksum,termination",
            "Tus-Max-Size": str(settings.MASTER_MAX_BYTES),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


def _state(arrival: Arrival, answer: HttpResponse) -> HttpResponse:
    answer["Upload-Offset"] = str(arrival.received)
    answer["Upload-Length"] = str(arrival.length)
    answer["Upload-Expires"] = http_date(arrival.expires_at.timestamp())
    answer["Cache-Control"] = "no-store"
    return answer
