"""Where Stripe tells us that something happened. Verify, keep, answer; a worker does the rest."""

import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments import inbox
from payments.errors import EventRefused
from store import bells

log = logging.getLogger(__name__)
MOST_BYTES = 1024 * 1024


@csrf_exempt  # a machine signs the body instead
@require_POST
def receive_event(request: HttpRequest) -> HttpResponse:
    """Record one webhook. 400 for what Stripe did not sign just now; 200 for the rest, known ones too."""
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return HttpResponse(status=400)
    if length > MOST_BYTES:
        return HttpResponse(status=400)
    try:
        event = inbox.record_event(request.body, request.headers.get("Stripe-Signature", ""))
    except EventRefused as refusal:
        log.warning("A webhook was refused: %s", refusal)
        return HttpResponse(status=400)
    bells.ring("store.tasks.handle_stripe_event", event.pk)
    return HttpResponse(status=200)
