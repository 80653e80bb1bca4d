"""Bells for the workers. What is owed is a row; a message that is lost, doubled or late changes nothing."""

from datetime import datetime, timedelta

from celery import shared_task
from django.db.models import F, Q
from django.utils import timezone

from transcoding import masters, renditions, scratch
from transcoding.models import Master, Rendition

RING_AGAIN = timedelta(minutes=2)
AT_ONCE = 50


@shared_task
def examine_master(master_id: int) -> None:
    masters.examine(master_id)


@shared_task
def make_renditions(master_id: int) -> None:
    """Make what is owed for this master; but first what somebody waits for more urgently elsewhere."""
    now = timezone.now()
    first = renditions.owed(now).first()
    mine = renditions.owed(now).filter(master_id=master_id).first()
    if first and mine and first.priority < mine.priority:
        renditions.make_due(first.master_id)
    renditions.make_due(master_id)


@shared_task
def sweep() -> None:
    """Ring again for all that waits, and clear up after workers that died. Runs every few seconds.

    A row is rung for at most every two minutes, or at once after its claim ran out, and at most fifty masters at a
    time: a long backlog does not fill the broker.
    """
    now = timezone.now()
    for master in masters.owed(now).filter(_not_rung(now))[:AT_ONCE]:
        Master.objects.filter(pk=master.pk, state=Master.State.EXAMINING).update(rung_at=now)
        examine_master.delay(master.pk)
    rung: set[int] = set()
    for rendition in renditions.owed(now).filter(_not_rung(now))[: AT_ONCE * 10]:
        if rendition.master_id not in rung and len(rung) < AT_ONCE:
            rung.add(rendition.master_id)
            Rendition.objects.filter(master_id=rendition.master_id).filter(_not_rung(now)).update(rung_at=now)
            make_renditions.delay(rendition.master_id)
    masters.sweep_quarantine(at=now)
    scratch.sweep()


def _not_rung(at: datetime) -> Q:
    return Q(rung_at__isnull=True) | Q(rung_at__lt=at - RING_AGAIN) | Q(rung_at__lt=F("claimed_until"))
