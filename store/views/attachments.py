"""Evidence as a download that can do nothing: uploaded by strangers, so never shown inside our own pages."""

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.utils.http import content_disposition_header

from licensing.models import Instrument

SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
PDF = "application/pdf"


def attachment(instrument: Instrument) -> HttpResponseBase:
    """The bytes of one piece of evidence, saved rather than shown, under a policy in which nothing runs."""
    if not instrument.file:
        raise Http404("This piece of evidence is a text and has no file.")
    pdf = instrument.media_type == PDF
    try:
        response: HttpResponse | FileResponse = FileResponse(
            instrument.file.open("rb"), content_type=PDF if pdf else "application/octet-stream"
        )
    except FileNotFoundError as error:
        raise Http404("The file of this piece of evidence is gone.") from error
    name = f"{instrument.kind.lower().replace('_', '-')}-{instrument.sha256[:12]}{'.pdf' if pdf else '.bin'}"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    return response
