"""The figures of `metrics` as Prometheus reads them.

What stands is told by gauges, read from the rows; whatever process answers, the answer is the same. What was done is
told by counters. Counting all tries anew each time would cost more the older the store is, so the sums are kept in the
cache and only what came since is added. A cache that was emptied begins them anew, which Prometheus knows how to take.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Max, Q
from redis.exceptions import RedisError

from store import attendance, metrics
from store.metrics import Try
from transcoding.models import Attempt

KEPT = "exposition:sums"
SETTLED = timedelta(seconds=10)  # rows this young may still be committed behind others with higher numbers

Labels = Mapping[str, str]


@dataclass
class Sums:
    """All tries up to the number `upto`, but those of `open`, which were under way."""

    upto: int
    open: list[int] = field(default_factory=list)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)
    sound: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)


def sums(*, at: datetime) -> Sums:
    """The sums as they are now: two who ask at once each add all that came since, so neither sees them go down. One
    statement, and one more where the cache knows nothing."""
    kept: Sums | None = None
    with suppress(RedisError):
        kept = cache.get(KEPT)
    if kept is None:
        newest: int = Attempt.objects.aggregate(newest=Max("pk"))["newest"] or 0
        kept = Sums(upto=max(0, newest - metrics.TRIES))
    _add(kept, at=at)
    with suppress(RedisError):
        cache.set(KEPT, kept, timeout=None)
    return kept


def _add(kept: Sums, *, at: datetime) -> None:
    """Add what ended since, batch by batch, since a file is charged its share of its batch's time."""
    new = Q(pk__gt=kept.upto, started_at__lte=at - SETTLED)
    found = metrics.tries(Attempt.objects.filter(new | Q(pk__in=kept.open)).order_by("pk")[: metrics.TRIES])
    going = {(one.master, one.started_at) for one in found if one.ended_at is None and not one.cut_short(at)}
    ended = [one for one in found if (one.master, one.started_at) not in going]
    kept.open = [one.key for one in found if (one.master, one.started_at) in going]
    kept.upto = max([kept.upto, *(one.key for one in found)])
    for key in ((one.code, _outcome(one)) for one in ended):
        kept.tries[key] = kept.tries.get(key, 0) + 1
    for each in metrics.speeds(ended):
        kept.sound[each.code] = kept.sound.get(each.code, 0.0) + each.sound_seconds
        kept.work[each.code] = kept.work.get(each.code, 0.0) + each.busy_seconds


def _outcome(one: Try) -> str:
    return one.outcome.lower() or "cut_short"


def text(*, at: datetime) -> str:
    """All figures in Prometheus' text format, version 0.0.4."""
    return "".join([*_gauges(at), *_counters(sums(at=at))])


def _gauges(at: datetime) -> list[str]:
    owed, done, workers = metrics.backlogs(at=at), metrics.work(at=at), attendance.seen(at=at)
    return [
        _gauge("owed_rows", "Work that is owed, by kind and state.", [
            ({"kind": one.code, "state": state}, number)
            for one in owed
            for state, number in (("waiting", one.waiting), ("at_work", one.at_work), ("resting", one.resting))
        ]),
        _gauge("oldest_owed_seconds", "Age of the oldest owed work of a kind.", [
            ({"kind": one.code}, one.age(at)) for one in owed
        ]),
        _gauge("realtime_ratio", "Seconds of sound made in one second of a worker's time, of the last day's tries.", [
            ({"format": one.code}, one.realtime) for one in (*done.speeds, done.examinations) if one.files
        ]),
        _gauge("given_up_files", "Files that are not made until somebody asks again.", [
            ({}, sum(one.count for one in metrics.given_up()))
        ]),
        _gauge("stuck_rows", "Rows that should have moved, at most twenty of a kind.", [
            ({}, len(metrics.stuck(at=at)))
        ]),
        _gauge("workers", "Workers of the last day, by whether they were heard in the last minute.", [
            ({"state": "at_work"}, sum(not one.silent(at) for one in workers)),
            ({"state": "silent"}, sum(one.silent(at) for one in workers)),
        ]),
    ]  # fmt: skip


def _counters(kept: Sums) -> list[str]:
    return [
        _counter("tries_total", "Tries at files and examinations, by what became of them.", [
            ({"format": code, "outcome": outcome}, number) for (code, outcome), number in sorted(kept.tries.items())
        ]),
        _counter("sound_seconds_total", "Sound of the files that were made.", _by_format(kept.sound)),
        _counter("work_seconds_total", "Time of workers that the files took which were made.", _by_format(kept.work)),
    ]  # fmt: skip


def _by_format(found: Mapping[str, float]) -> list[tuple[Labels, float]]:
    return [({"format": code}, seconds) for code, seconds in sorted(found.items())]


def _gauge(name: str, told: str, values: Iterable[tuple[Labels, float]]) -> str:
    return _metric("gauge", name, told, values)


def _counter(name: str, told: str, values: Iterable[tuple[Labels, float]]) -> str:
    return _metric("counter", name, told, values)


def _metric(kind: str, name: str, told: str, values: Iterable[tuple[Labels, float]]) -> str:
    full = f"clearsong_{name}"
    lines = [f"# HELP {full} {told}", f"# TYPE {full} {kind}"]
    for labels, value in values:
        said = ",".join(f'{label}="{_quoted(word)}"' for label, word in labels.items())
        lines.append(f"{full}{{{said}}} {value:.10g}" if said else f"{full} {value:.10g}")
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
