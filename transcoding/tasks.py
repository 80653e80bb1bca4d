"""Bells for the workers. What is owed is a row; a message that is lost, doubled or late changes nothing."""

import contextlib
import logging
from datetime import datetime, timedelta
from typing import Any

from celery import current_app, shared_task
from celery.signals import worker_init
from django.core.cache import cache
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

from transcoding import analysis, hearings, masters, renditions, sandbox, scratch
from transcoding.models import Master, Rendition

log = logging.getLogger(__name__)
RING_AGAIN = timedelta(minutes=2)
LOST = timedelta(seconds=10)  # a bell that rang so long ago, while none waits in the queue, was lost
AT_ONCE = 50
MEASURE_RUNG, MEASURE_OFTEN, MEASURE_SELDOM = "rung:measure", 60, 3600  # seconds; nothing is lost with the key
HEAR_RUNG, HEAR_OFTEN = "rung:hear", 30


@shared_task
def examine_master(master_id: int) -> None:
    """Examine this master; but first, and meanwhile, what a buyer waits for."""
    renditions.serve_buyers()
    masters.examine(master_id, meanwhile=renditions.serve_buyers)


@shared_task
def make_renditions(master_id: int) -> None:
    """Make what is owed for this master; but first, and meanwhile, what a buyer waits for, of whatever master."""
    renditions.serve_buyers()
    renditions.make_due(master_id)


@shared_task
def measure_masters() -> None:
    """Measure anew, for a while, what an older release measured otherwise or not at all; then look again in an hour."""
    if not analysis.catch_up():
        cache.set(MEASURE_RUNG, 1, timeout=MEASURE_SELDOM)


@shared_task
def hear_finished() -> None:
    """Hear finished files to their end for a while, if there is nothing better to do."""
    hearings.catch_up()


@shared_task
def sweep() -> None:
    """Ring again for all that waits, and clear up after workers that died. Runs every few seconds.

    A row is rung for at most every two minutes, at once after its claim ran out, and after seconds where the queue was
    emptied under us; at most fifty masters at a time: a long backlog does not fill the broker.
    """
    with contextlib.suppress(OperationalError, RedisError):  # the next sweep rings; what is owed stays owed
        _ring(timezone.now())
    masters.sweep_quarantine(at=timezone.now())
    scratch.sweep()


def _ring(now: datetime) -> None:
    unheard = _not_rung(now, again=LOST if _none_waits() else RING_AGAIN)
    for master in masters.owed(now).filter(unheard)[:AT_ONCE]:
        Master.objects.filter(pk=master.pk, state=Master.State.EXAMINING).update(rung_at=now)
        examine_master.delay(master.pk)
    rung: set[int] = set()
    for rendition in renditions.owed(now).filter(unheard)[: AT_ONCE * 10]:
        if rendition.master_id not in rung and len(rung) < AT_ONCE:
            rung.add(rendition.master_id)
            Rendition.objects.filter(master_id=rendition.master_id).filter(unheard).update(rung_at=now)
            make_renditions.delay(rendition.master_id)
    if cache.add(MEASURE_RUNG, 1, timeout=MEASURE_OFTEN):
        measure_masters.apply_async(expires=MEASURE_OFTEN)  # the next is rung for by then
    if hearings.owed(now).exists() and cache.add(HEAR_RUNG, 1, timeout=HEAR_OFTEN):
        hear_finished.apply_async(expires=HEAR_OFTEN)


def _not_rung(at: datetime, *, again: timedelta) -> Q:
    return Q(rung_at__isnull=True) | Q(rung_at__lt=at - again) | Q(rung_at__lt=F("claimed_until"))


def _none_waits() -> bool:
    """Whether the workers' queue holds no bell at all. Raises OperationalError where the broker is away."""
    queue = current_app.amqp.router.route({}, make_renditions.name)["queue"].name
    with current_app.connection_or_acquire() as connection:
        try:
            return not connection.default_channel.queue_declare(queue, passive=True).message_count
        except ChannelError:  # Redis forgets an empty queue
            return True


def _say_fence(**_signal: Any) -> None:
    """At the start of each worker, before its processes fork: they all know the answer then."""
    log.info("Audio is read inside the fence '%s'.", sandbox.fence_name())


worker_init.connect(_say_fence, weak=False, dispatch_uid="transcoding.fence")
