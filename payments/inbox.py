"""The inbox of webhooks: verified, recorded, answered; handled later by whoever claims the row.

An event is only a nudge: handlers read the object again from Stripe. The same event twice is one row; the row's state,
not the queue's message, says whether it still waits.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from payments import alerts, gateway
from payments.errors import EventForeign, EventRefused
from payments.models import Payee, StripeEvent

LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 10


def record_event(body: bytes, signature: str) -> StripeEvent:
    """Verify and keep one webhook; an event that is already here is returned as it is.

    Raises EventRefused, and keeps nothing, for what Stripe did not sign for us at this moment. What it did sign and is
    not ours all the same raises EventForeign and leaves an alert: keys or endpoints are mixed up somewhere.
    """
    event = gateway.verify_event(body, signature)
    try:
        return _record(event)
    except EventForeign as refusal:
        _tell(event, refusal)
        raise


def fetch_missed(*, since: datetime, types: list[str]) -> list[StripeEvent]:
    """Record every event that Stripe has and we lack: a webhook that never came is found here.

    One that is not ours leaves an alert and does not hold up the rest.
    """
    found = list(gateway.list_events(since=since, types=types))
    known = set(StripeEvent.objects.filter(stripe_id__in=[e["id"] for e in found]).values_list("stripe_id", flat=True))
    missed = [event for event in found if event["id"] not in known]
    recorded = []
    for event in sorted(missed, key=lambda event: (event.get("created", 0), event["id"])):
        try:
            recorded.append(_record(gateway.check_event(event)))
        except EventRefused as refusal:
            _tell(event, refusal)
    return recorded


def _tell(event: dict[str, Any], refusal: EventRefused) -> None:
    alerts.raise_alert(
        refusal.code, subject=str(event.get("id"))[:120], text=f"{event.get('type')}: {refusal}", at=timezone.now()
    )


def _record(event: dict[str, Any]) -> StripeEvent:
    if bool(event.get("livemode")) != gateway.is_live():
        raise EventForeign("The event's mode, test or live, is not the mode of our key.")
    account = event.get("account")
    if account and not Payee.objects.filter(stripe_account_id=account).exists():
        raise EventForeign("The event belongs to an account that is none of our payees'.")
    row = StripeEvent(stripe_id=event["id"], type=event["type"], payload=event, received_at=timezone.now())
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)
    return StripeEvent.objects.get(stripe_id=event["id"])


def claim_event(event_id: int, *, at: datetime) -> StripeEvent | None:
    """Take one waiting event for a while, or None where it is done or another worker has it.

    A claim that is not concluded within its lease is open again; after ten attempts the event is given up as FAILED.
    """
    claimed = (
        StripeEvent.objects.filter(_waiting(at), pk=event_id)
        .update(claimed_until=at + LEASE, attempts=F("attempts") + 1)
    )  # fmt: skip
    return StripeEvent.objects.get(pk=event_id) if claimed else None


def conclude_event(event: StripeEvent, *, at: datetime) -> None:
    """The event's consequence is in place. Call it inside the transaction that puts it there, where there is one."""
    StripeEvent.objects.filter(pk=event.pk).update(
        state=StripeEvent.State.HANDLED, handled_at=at, claimed_until=None, error=""
    )


def fail_event(event: StripeEvent, error: str, *, at: datetime) -> None:
    """The attempt failed: try later, at growing distance, or give up and say why."""
    with transaction.atomic():
        row = StripeEvent.objects.select_for_update().get(pk=event.pk)
        row.error = error[:2000]
        if row.attempts >= MOST_ATTEMPTS:
            row.state = StripeEvent.State.FAILED
            row.claimed_until = None
        else:
            row.claimed_until = at + timedelta(seconds=5 * 2**row.attempts)
        row.save()


def sweepable(*, at: datetime, limit: int = 500) -> list[int]:
    """The keys of all events that wait and are nobody's, oldest first."""
    return list(StripeEvent.objects.filter(_waiting(at)).order_by("received_at").values_list("pk", flat=True)[:limit])


def _waiting(at: datetime) -> Q:
    return Q(state=StripeEvent.State.RECEIVED) & (Q(claimed_until__isnull=True) | Q(claimed_until__lt=at))
