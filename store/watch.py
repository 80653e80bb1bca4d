"""A worker's watch over itself.

After a broken connection a Celery worker may live on, beat and answer, and yet take no order any more: nothing fails,
and nothing gets done. So a thread of each worker looks around. Where orders wait in its own queues while its hands are
free, and none has come in for a minute, it is deaf; it ends itself, and whoever started it (compose, systemd, the demo)
starts it again. Nothing is lost by that: what it held are rows.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from celery.worker import state
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
DEAF_SECONDS = 60.0
FAREWELL_SECONDS = 20.0  # for an end in good order; a worker that cannot hear the signal either is ended without
DEAF_STATUS = 70


@dataclass
class Watch:
    """Decides whether a worker is deaf, from one look after the other."""

    received: int = 0
    since: float = field(default_factory=time.monotonic)

    def deaf(self, *, waiting: int, busy: bool, received: int, now: float) -> bool:
        """`waiting` orders lie in its queues, it is `busy` or not, and has `received` so many since it began."""
        if not waiting or busy or received != self.received:
            self.since, self.received = now, received
        return now - self.since >= DEAF_SECONDS


def begin(app: Celery, consumer: Any) -> None:
    """A handler of Celery's `worker_ready`: watch this worker from a thread of its own."""
    queues = sorted(app.amqp.queues.consume_from)
    threading.Thread(target=_keep_watch, args=(app, queues, consumer.hostname), name="watch", daemon=True).start()


def _keep_watch(app: Celery, queues: Sequence[str], name: str) -> None:
    watch = Watch()
    pause = threading.Event()
    while not pause.wait(LOOK_SECONDS):
        try:
            waiting = _waiting(app, queues)
        except (OperationalError, RedisError, OSError):
            waiting = 0  # the queue itself is away, which is no fault of the worker's
        busy, received = bool(state.reserved_requests), sum(state.total_count.values())
        if watch.deaf(waiting=waiting, busy=busy, received=received, now=time.monotonic()):
            log.critical("%s is deaf: %s orders wait and it takes none. It ends, to be started again.", name, waiting)
            os.kill(os.getpid(), signal.SIGTERM)
            pause.wait(FAREWELL_SECONDS)
            os._exit(DEAF_STATUS)


def _waiting(app: Celery, queues: Sequence[str]) -> int:
    found = 0
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel  # its stubs know only what all transports have
        for name in queues:
            try:
                found += channel.queue_declare(name, passive=True).message_count
            except ChannelError:  # Redis forgets an empty queue
                continue
    return found
