"""Which workers are there: each writes its name and the time down, and whoever asks reads when that was last.

It is told by the worker's own clock-work, between two tasks and during them; a worker that hangs falls silent. The
names lie in the cache's server: losing them costs the few seconds until each has signed in again.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

KEY = "clearsong:workers"
EVERY = timedelta(seconds=10)
SILENT = timedelta(seconds=60)
FORGOTTEN = timedelta(days=1)

_signed: dict[str, datetime] = {}


@dataclass(frozen=True)
class Worker:
    """One worker, and when it last said so."""

    name: str
    pid: int
    queues: tuple[str, ...]
    at: datetime

    def silent(self, at: datetime) -> bool:
        return at - self.at > SILENT


@lru_cache
def _server(address: str) -> "redis.Redis":
    return redis.Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2)


def _cache_server() -> "redis.Redis":
    return _server(str(settings.CACHES["default"]["LOCATION"]))


def sign_in(name: str, queues: tuple[str, ...], *, at: datetime) -> None:
    """Say that this worker is there. Too often is no harm; a server that is away is none either."""
    if at - _signed.get(name, at - 2 * EVERY) < EVERY:
        return
    _signed[name] = at
    said = {"pid": os.getpid(), "queues": queues, "at": at.timestamp()}
    try:
        _cache_server().hset(KEY, name, json.dumps(said))
    except RedisError:
        _signed.pop(name, None)


def seen(*, at: datetime) -> list[Worker]:
    """Every worker of the last day, by name; none where the server that would know does not answer."""
    try:
        told: dict[bytes, bytes] = _cache_server().hgetall(KEY)  # type: ignore[assignment]
    except RedisError:
        return []
    found = []
    for name, words in told.items():
        said: dict[str, Any] = json.loads(words)
        there = Worker(name.decode(), said["pid"], tuple(said["queues"]), datetime.fromtimestamp(said["at"], UTC))
        if at - there.at < FORGOTTEN:
            found.append(there)
        else:
            _cache_server().hdel(KEY, name)
    return sorted(found, key=lambda one: one.name)


def on_heartbeat(sender: Any, **_signal: Any) -> None:
    """A handler of Celery's `heartbeat_sent`, which comes every two seconds."""
    consumer = getattr(sender.eventer, "app", None)
    queues = tuple(sorted(consumer.amqp.queues.consume_from)) if consumer is not None else ()
    sign_in(str(sender.eventer.hostname), queues, at=timezone.now())
