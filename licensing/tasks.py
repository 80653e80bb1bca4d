"""A bell for the one writer of the audit chain. What waits is rows; a message that is lost changes nothing."""

import logging

from celery import shared_task
from django.utils import timezone

from licensing import audit

log = logging.getLogger(__name__)


@shared_task
def sweep() -> None:
    """Give what waits its place in the chain, and raise the alarm over what waited too long."""
    now = timezone.now()
    late = audit.overdue(at=now)
    audit.seal_new(at=now)
    if late:
        log.error("%s rows had waited for their place in the audit chain for more than a minute.", late)
