"""Where the parts of a chart lie, so that a template can draw it as SVG without script. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, NARROW, HEIGHT = 720, 328, 200  # drawn once for a desk and once for a phone: shrunk letters cannot be read
DATE = 110  # the least room from one date to the next
LEFT, TOP, BOTTOM = 64, 10, 24  # room for the amounts on the left and the dates below
GAP = 0.25  # of each day's room that stays empty


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Mark:
    """A place on an axis and the words that stand there."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    left: int
    base: int
    bars: tuple[Bar, ...]
    rules: tuple[Mark, ...]
    days: tuple[Mark, ...]

    @property
    def margin(self) -> int:
        """Where the amounts end."""
        return self.left - 8


def daily(
    points: Sequence[tuple[date, int]],
    *,
    amount: Callable[[int], str],
    day: Callable[[date], str],
    steps: int = 4,
    width: int = WIDTH,
) -> Chart:
    """A bar per day. `points` are consecutive days with whole numbers, nought or more; `amount` and `day` say them.

    Where nothing happened there is no scale to draw, and nought alone is marked.
    """
    base = HEIGHT - BOTTOM
    most = max((value for _, value in points), default=0)
    top = _round_up(most, steps)
    room = (width - LEFT) / max(len(points), 1)
    bars = []
    for place, (on, value) in enumerate(points):
        height = round((base - TOP) * value / top, 2)
        bars.append(
            Bar(
                x=round(LEFT + room * (place + GAP / 2), 2),
                y=round(base - height, 2),
                width=round(room * (1 - GAP), 2),
                height=height,
                title=f"{day(on)}: {amount(value)}",
            )
        )
    marked = range(steps + 1 if most else 1)
    rules = [Mark(round(base - (base - TOP) * n / steps, 2), amount(top * n // steps)) for n in marked]
    every = max(1, -(-len(points) * DATE // (width - LEFT)))
    days = [Mark(round(LEFT + room * (n + 0.5), 2), day(points[n][0])) for n in range(0, len(points), every)]
    return Chart(width, HEIGHT, LEFT, base, tuple(bars), tuple(rules), tuple(days))


@dataclass(frozen=True)
class Rank:
    """A row of a ranking: a name, what it stands for, and how long its bar is in hundredths of the longest."""

    name: str
    amount: str
    part: float


def ranked(points: Sequence[tuple[str, int]], *, amount: Callable[[int], str]) -> tuple[Rank, ...]:
    """A bar for each name, the greatest first. `points` are names with whole numbers above nought."""
    chosen = sorted(points, key=lambda point: (-point[1], point[0]))
    most = max((value for _, value in chosen), default=1)
    return tuple(Rank(name, amount(value), round(max(100 * value / most, 0.5), 2)) for name, value in chosen)


def _round_up(value: int, steps: int) -> int:
    """The next number of the form 1, 2, 4, 5 or 8 times a power of ten, at least `value`, that `steps` divides."""
    power = 1
    while True:
        for lead in (1, 2, 4, 5, 8):
            if lead * power >= value and lead * power % steps == 0:
                return lead * power
        power *= 10
