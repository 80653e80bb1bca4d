"""What a factory lays out is made once in a process, through the shop's own acts and triggers; after that its rows are
copied, which takes a tenth of the time.

Copied are only rows that the factory would write now as it did then: the database holds none of that kind, the question
is the same, and neither the clock nor the settings were moved by the test. Anywhere else the factory does its work.
"""

import copy
import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import time_machine
from django.conf import settings
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from tests import cleaning

F = TypeVar("F", bound=Callable[..., Any])
OF_NO_MATTER = {"AUDIO_ROOT", "EMAIL_BACKEND", "HOME"}  # where bytes and letters go: a factory that is kept writes none


@dataclass(frozen=True)
class Laid:
    """The rows of one call, and what it returned."""

    rows: cleaning.Rows
    answer: Any


_laid: dict[Hashable, Laid] = {}


def kept(*, unless: frozenset[str] = frozenset()) -> Callable[[F], F]:
    """Keep what a factory lays out. It must write rows and nothing else, save where it is given one of `unless`, and
    read only what it wrote itself."""

    def keep(factory: F) -> F:
        @functools.wraps(factory)
        def laid_out(*args: Any, **over: Any) -> Any:
            key = None if unless & over.keys() else _key(factory, args, over)
            if key is None:
                return factory(*args, **over)
            if key not in _laid:
                return _make(key, lambda: factory(*args, **over))
            laid = _laid[key]
            if not cleaning.bare_of(laid.rows):
                return factory(*args, **over)
            cleaning.put(laid.rows)
            return copy.deepcopy(laid.answer)

        return laid_out  # type: ignore[return-value]  # it is called as the factory is

    return keep


def _key(factory: Callable[..., Any], args: tuple[Any, ...], over: dict[str, Any]) -> Hashable | None:
    """What the rows depend on; None where that cannot be told."""
    said = [tuple(one) if isinstance(one, list) else one for one in (*args, *over.values())]
    if any(isinstance(one, Model) or not isinstance(one, Hashable) for one in said):
        return None
    if not (connection.in_atomic_block and cleaning.ready()):
        return None
    if time_machine.escape_hatch.is_travelling() or _overridden() - OF_NO_MATTER:
        return None
    return factory, len(args), tuple(over), tuple(said), timezone.now().date()


def _overridden() -> set[str]:
    """The settings that a test has changed so far."""
    found: set[str] = set()
    holder = settings._wrapped
    while hasattr(holder, "default_settings"):
        found |= {name for name in vars(holder) if name.isupper()}
        holder = holder.default_settings
    return found


def _make(key: Hashable, factory: Callable[[], Any]) -> Any:
    before = cleaning.held()
    answer = factory()
    with connection.cursor() as cursor:  # what waits for the commit happens now, as it would have
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    rows = cleaning.added_to(before)
    if rows is not None:
        _laid[key] = Laid(rows, copy.deepcopy(answer))
    return answer
