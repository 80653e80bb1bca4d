"""Evidence as a download that can do nothing: uploaded by strangers, so never shown inside our own pages.

Where the operator has another host for it (`EVIDENCE_HOST`), the bytes come from there alone, by an address that is
signed and soon over: a browser keeps whatever such a file might do apart from the shop's cookies and pages.
"""

from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from licensing.models import Instrument
from payments.models import TaxPaper
from store import access, evidence_pages, records

SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
PDF = "application/pdf"
ENDINGS = {
    PDF: ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/tiff": ".tif",
    "text/plain": ".txt",
}
SALT = "store.evidence"
PAPER_SALT = "store.tax-form"
TOKEN_SECONDS = 120
Answer = Callable[[HttpRequest], HttpResponseBase]


def attachment(instrument: Instrument) -> HttpResponseBase:
    """One piece of evidence for somebody who may have it: the file, or the way to it on the evidence host."""
    if not instrument.file:
        raise Http404("This piece of evidence is a text and has no file.")
    if settings.EVIDENCE_HOST:
        return _elsewhere("evidence", instrument.public_id, SALT)
    return _file(instrument)


def tax_paper(paper: TaxPaper) -> HttpResponseBase:
    """A tax form for somebody who may have it, as carefully as evidence."""
    if settings.EVIDENCE_HOST:
        return _elsewhere("tax-forms", paper.public_id, PAPER_SALT)
    return _paper(paper)


def _elsewhere(folder: str, public_id: UUID, salt: str) -> HttpResponseBase:
    token = signing.dumps(str(public_id), salt=salt)
    answer = HttpResponseRedirect(f"{settings.EVIDENCE_HOST}/{folder}/{token}")
    answer["Cache-Control"] = "private, no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


@require_safe
def evidence_file(request: HttpRequest, token: str) -> HttpResponseBase:  # noqa: ARG001 - a view
    """On the evidence host: the file that a signed address names."""
    return _file(get_object_or_404(Instrument.objects.exclude(file=""), public_id=_named(token, SALT)))


@require_safe
def tax_paper_file(request: HttpRequest, token: str) -> HttpResponseBase:  # noqa: ARG001 - a view
    """On the evidence host: the tax form that a signed address names."""
    return _paper(get_object_or_404(TaxPaper, public_id=_named(token, PAPER_SALT)))


def _named(token: str, salt: str) -> str:
    try:
        return str(signing.loads(token, salt=salt, max_age=TOKEN_SECONDS))
    except signing.BadSignature as error:
        raise Http404("This address is over. Follow the link on the record again.") from error


def nothing_there(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - a handler of errors
    """The evidence host has no pages, so none for errors either."""
    return HttpResponse("There is nothing at this address.\n", status=404, content_type="text/plain")


def failed_there(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a handler of errors
    return HttpResponse("This failed. Try again in a minute.\n", status=500, content_type="text/plain")


def _file(instrument: Instrument) -> HttpResponseBase:
    return _saved(instrument.file, instrument.media_type, instrument.sha256, name=instrument.kind)


def _paper(paper: TaxPaper) -> HttpResponseBase:
    return _saved(paper.file, paper.media_type, paper.sha256, name=paper.kind)


def _saved(file: FieldFile, media_type: str, sha256: str, *, name: str) -> HttpResponseBase:
    """The bytes, saved rather than shown, under a policy in which nothing runs."""
    pdf = media_type == PDF
    try:
        response: HttpResponse | FileResponse = FileResponse(
            file.open("rb"), content_type=PDF if pdf else "application/octet-stream"
        )
    except FileNotFoundError as error:
        raise Http404("This file is gone.") from error
    name = f"{name.lower().replace('_', '-')}-{sha256[:12]}{ENDINGS.get(media_type, '.bin')}"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cross-Origin-Opener-Policy"] = "same-origin"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    return response


def evidence_host(get_response: Answer) -> Answer:
    """Middleware: the evidence host answers to evidence alone."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if settings.EVIDENCE_HOST and request.get_host() == urlsplit(settings.EVIDENCE_HOST).netloc:
            request.urlconf = "store.evidence_urls"
        return get_response(request)

    return answer


@require_safe
def evidence_page(request: HttpRequest, public_id: UUID, number: int) -> HttpResponse:
    """One page as the picture we drew of it, for reviewers and for the label's own people."""
    instrument = get_object_or_404(Instrument.objects.exclude(file=""), public_id=public_id)
    if not access.may_review(request.user) and not records.rest_on(instrument, access.label_ids(request.user)):
        raise Http404("There is no such page.")
    data = evidence_pages.image(instrument, number)
    if data is None:
        raise Http404("There is no such page.")
    response = HttpResponse(data, content_type="image/webp")
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=600"
    return response
