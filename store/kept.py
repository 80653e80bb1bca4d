"""What can be worked out again at any time, kept for a while. A cache that is away costs time, never an answer."""

import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
Found = TypeVar("Found")


def kept(key: str, make: Callable[[], Found], *, seconds: int) -> Found:
    """What lies under `key`, or what `make` answers, which is then kept for `seconds`."""
    try:
        found: Found | None = cache.get(key)
    except (RedisError, OSError) as error:
        log.warning("The cache is away (%s); %s is worked out anew.", error, key)
        return make()
    if found is not None:
        return found
    made = make()
    with contextlib.suppress(RedisError, OSError):  # it went away meanwhile, or is full
        cache.set(key, made, timeout=seconds)
    return made
