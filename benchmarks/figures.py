"""What a benchmark reports: figures with their limits, as a table on the screen and as JSON."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

Benchmark = Callable[..., list["Figure"]]


@dataclass(frozen=True)
class Figure:
    """One measured value beside its limit.

    `limit` is in the same unit, measured in the same run, or None where the step has no yardstick. `ratio` is value to
    limit. `goal` bounds the ratio: from above where less is better, from below where more is; None sets none.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    @property
    def met(self) -> bool | None:
        if self.ratio is None or self.goal is None:
            return None
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


class Progress:
    """One line per step on standard error, so that a waiting person sees what runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = time.monotonic()

    def __call__(self, step: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self.started:7.1f} s  {self.name}: {step}\n")
        sys.stderr.flush()


@contextmanager
def seconds() -> Iterator[Callable[[], float]]:
    """Wall time of the block: call what it yields, inside or after."""
    start = time.perf_counter()
    end: list[float] = []
    yield lambda: (end[0] if end else time.perf_counter()) - start
    end.append(time.perf_counter())


def print_table(figures: list[Figure]) -> None:
    width = max((len(figure.name) for figure in figures), default=4)
    print(f"{'name':<{width}}  {'value':>12}  {'unit':<10} {'limit':>12}  {'ratio':>7}  {'goal':>7}  met")
    for figure in figures:
        sign = "≥" if figure.more_is_better else "≤"
        print(
            f"{figure.name:<{width}}  {figure.value:>12.3f}  {figure.unit:<10} "
            f"{_or_dash(figure.limit, '12.3f')}  {_or_dash(figure.ratio, '7.2f')}  "
            f"{(sign + format(figure.goal, '.2f') if figure.goal is not None else '-'):>7}  "
            f"{ {True: 'yes', False: 'NO', None: '-'}[figure.met] }"
        )


def _or_dash(value: float | None, form: str) -> str:
    width = int(form.partition(".")[0])
    return format(value, form) if value is not None else "-".rjust(width)


def write_report(figures: list[Figure], path: Path) -> None:
    path.write_text(json.dumps([figure.to_json() for figure in figures], indent=2) + "\n", encoding="utf-8")
