"""Thin tasks around plain functions. What is owed is rows; a message only rings the bell.

Webhooks are handled, and missed ones fetched, by the app that owns their consequence; see `payments.inbox`.
"""

import logging

from celery import shared_task
from django.utils import timezone

from payments import chain, closings

log = logging.getLogger(__name__)


@shared_task
def sweep() -> None:
    """Seal what waits for its place in the chain, raise the alarm over what waited too long, close the day before."""
    now = timezone.now()
    late = chain.overdue(at=now)
    chain.seal_new(at=now)
    closings.close_due(at=now)
    if late:
        log.error("%s transfers had waited for their seal for more than a minute.", late)
