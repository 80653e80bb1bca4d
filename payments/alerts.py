"""What does not fit and needs a person: raised once while it stands, closed with a note of what came of it."""

from datetime import datetime

from django.db.models import F

from payments.errors import AlertError
from payments.models import Alert


def raise_alert(code: str, *, subject: str, text: str, at: datetime) -> Alert:
    """Have a person look at `subject`; the same again while it is open is counted, not doubled."""
    text = text[:500]
    standing = Alert.objects.filter(code=code, subject=subject, closed_at=None)
    if not standing.update(times=F("times") + 1, last_at=at, text=text):
        fresh = Alert(code=code, subject=subject, text=text, raised_at=at, last_at=at)
        Alert.objects.bulk_create([fresh], ignore_conflicts=True)  # whoever comes second finds the first one's row
    return standing.get()


def close(alert: Alert, *, actor: str, note: str, at: datetime) -> Alert:
    """Say what came of it. Raises AlertError without a note, or where somebody closed it before."""
    note = note.strip()
    if not note:
        raise AlertError("Say what came of it; the note is kept with the alert.")
    if not Alert.objects.filter(pk=alert.pk, closed_at=None).update(closed_at=at, closed_by=actor, note=note):
        raise AlertError("This was closed before.")
    alert.refresh_from_db()
    return alert


def standing() -> list[Alert]:
    """All that waits for a person, the oldest first. One query."""
    return list(Alert.objects.filter(closed_at=None).order_by("raised_at", "pk"))
