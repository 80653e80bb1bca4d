"""Mail that is owed: a row in the transaction of what it tells, sent by a worker when that has committed.

A letter is known by its kind, what it is about and whom it goes to, so that the same thing is told to the same person
once. The mark is taken before the letter goes and put back where the mail server refuses it: twice is worse than late.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.template.loader import render_to_string

from store import bells
from store.models import Letter

log = logging.getLogger(__name__)
GIVE_UP = 50  # tries, a quarter of an hour apart once the first few have failed


def owe(
    kind: str, *, about: object, to: Iterable[str], subject: str, at: datetime, template: str, **context: Any
) -> list[Letter]:
    """Owe a letter to each address, in the caller's transaction; one that was owed before is not owed again."""
    said: Mapping[str, Any] = {"site_name": settings.SITE_NAME, "site_url": settings.SITE_URL, **context}
    body = render_to_string(f"emails/{template}.txt", dict(said)).strip() + "\n"
    rows = [
        Letter(kind=kind, about=str(about), recipient=address, subject=one_line(subject)[:200], body=body, owed_at=at)
        for address in dict.fromkeys(address.lower() for address in to if address)
    ]
    Letter.objects.bulk_create(rows, ignore_conflicts=True)
    owed = list(Letter.objects.filter(kind=kind, about=str(about), recipient__in=[row.recipient for row in rows]))
    for letter in owed:
        if letter.sent_at is None:
            bells.ring("store.tasks.send_letter", letter.pk)
    return owed


def send(letter: Letter, *, at: datetime) -> bool:
    """Send an owed letter once; false where it was sent before, or could not go out now."""
    if not Letter.objects.filter(pk=letter.pk, sent_at=None).update(sent_at=at):
        return False
    try:
        send_mail(letter.subject, letter.body, None, [letter.recipient])
    except (SMTPException, OSError) as error:
        log.warning("Letter %s (%s) could not be sent: %s", letter.pk, letter.kind, error)
        later = at + timedelta(minutes=min(2**letter.failures, 15))
        Letter.objects.filter(pk=letter.pk, sent_at=at).update(sent_at=None, failures=F("failures") + 1, owed_at=later)
        return False
    return True


def owed(*, at: datetime, limit: int) -> list[int]:
    """Keys of the letters to send now. One that failed too often waits for a person to look at its address."""
    rows = Letter.objects.filter(sent_at=None, owed_at__lte=at, failures__lt=GIVE_UP)
    return list(rows.order_by("owed_at", "pk").values_list("pk", flat=True)[:limit])


def one_line(text: str) -> str:
    """Text that cannot begin another header."""
    return " ".join(text.split())
