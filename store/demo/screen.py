"""What the demo shows: one line per step, and under it a bar while the step runs where a terminal can redraw it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

BAR_WIDTH = 28


class Screen:
    """Writes to standard output; `seconds` gathers how long each step took, by its key."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._drawn = False
        self.seconds: dict[str, float] = {}

    def line(self, text: str = "") -> None:
        self._clear()
        print(text, flush=True)  # noqa: T201 - this is the demo's voice

    @contextmanager
    def step(self, key: str, title: str) -> Iterator[None]:
        """Announce a step, time it, and say when it is done."""
        self.line(f"\n{title}")
        start = time.monotonic()
        yield
        self.seconds[key] = round(time.monotonic() - start, 3)
        self.line(f"  done in {self.seconds[key]:.1f} s")

    def bar(self, done: int, total: int, what: str) -> None:
        """Redraw the bar; without a terminal, nothing: the step's closing line says enough."""
        if not self._live:
            return
        filled = BAR_WIDTH * done // total if total else BAR_WIDTH
        sys.stdout.write(f"\r  [{'=' * filled}{' ' * (BAR_WIDTH - filled)}] {done} of {total} {what}\x1b[K")
        sys.stdout.flush()
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            sys.stdout.write("\r\x1b[K")
            self._drawn = False
