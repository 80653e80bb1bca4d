"""Which pitches a sound holds, where it ends, and a picture of it. Pure, memory bounded.

One window of each tenth of a second is looked at: enough for a picture and a mean, at a fiftieth of the cost of all.
A codec that throws pitches away, and a resampler, leave a cliff that no instrument, room or microphone makes: within a
thousand hertz the sound falls from dense to nothing. What only fades is never called a cliff.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]

PER_SECOND = 10
WINDOW_SECONDS = 1 / 24
BAND = 100  # hertz
CLIFF = 18.0  # decibels within some bands
NEAR, FAR = 2, 9  # bands on each side of an edge between which the means are compared
DENSE = 15  # bands below an edge that must all stand out, and lie level: lines of a synthesizer are no dense sound
LEVEL = 14.0  # decibels between the highest and the lowest of them
WALK, SLOPE = 0.8, 12.0  # where one walks up from to the edge, and how far the sound may have fallen until there
STANDS_OUT = 8.0  # decibels above what is beyond the edge
NOTHING = -150.0  # decibels
FAINT = -118.0  # where a sound without a cliff is said to end
COLUMNS, ROWS = 600, 192  # of the picture, at most
DARKEST, LIGHTEST = -20.0, -110.0  # decibels


@dataclass(frozen=True)
class Edge:
    """Where the sound ends, in hertz. `cliff` is how many decibels it falls there at once, nought where it fades."""

    hertz: int
    cliff: float = 0.0


class Spectrum:
    """Collects what a sound holds while it streams by, in pieces of a second or so."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.size = 1 << max(6, round(np.log2(rate * WINDOW_SECONDS)))
        self._step = max(1, rate // PER_SECOND)
        self._window = np.hanning(self.size).astype(np.float32)
        self._scale = np.float32((2 / self._window.sum()) ** 2)
        self._sum = np.zeros(self.size // 2 + 1)
        self._count = 0
        self._columns: list[Floats] = []
        self._each, self._waiting = 1, 0  # windows per column, and how many the last column holds
        self._rows = np.unique(np.linspace(0, self.size // 2, ROWS, endpoint=False).astype(int))

    def __call__(self, sound: Floats) -> None:
        """Look at some samples, one row per channel; left and right take turns, so that nothing cancels out."""
        length = sound.shape[1]
        if length < self.size:
            sound = np.pad(sound, ((0, 0), (0, self.size - length)))
        starts = np.arange(0, max(1, length - self.size + 1), self._step)
        channels = (starts // self._step + self._count) % len(sound)
        windows = np.lib.stride_tricks.sliding_window_view(sound, self.size, axis=1)[channels, starts]
        power = np.square(np.abs(np.fft.rfft(windows * self._window, axis=1))) * self._scale
        self._sum += power.sum(axis=0, dtype=np.float64)
        self._count += len(starts)
        for column in np.maximum.reduceat(power, self._rows, axis=1).astype(np.float32):
            self._add(column)

    def _add(self, column: Floats) -> None:
        if self._waiting and self._waiting < self._each:
            np.maximum(self._columns[-1], column, out=self._columns[-1])
        else:
            self._columns.append(column.copy())
            self._waiting = 0
        self._waiting += 1
        if len(self._columns) == 2 * COLUMNS and self._waiting == self._each:
            both = np.stack(self._columns)
            self._columns = list(np.maximum(both[::2], both[1::2]))
            self._each *= 2
            self._waiting = self._each

    def edge(self) -> Edge:
        """Where the sound ends. Nought hertz where there is none."""
        return edge(self._sum / max(1, self._count), self.rate)

    def picture(self) -> bytes:
        """A PNG, low pitches at the bottom, time to the right, the louder the darker."""
        if not self._columns:
            return b""
        levels = 10 * np.log10(np.maximum(np.stack(self._columns), 10 ** (NOTHING / 10)))
        ink = ((levels - LIGHTEST) / (DARKEST - LIGHTEST)).clip(0, 1)
        grey = (255 * (1 - ink)).astype(np.uint8).T[::-1]
        image = Image.fromarray(np.ascontiguousarray(grey), mode="L")
        if image.width > COLUMNS:
            image = image.resize((COLUMNS, image.height), Image.Resampling.BOX)
        image = image.quantize(32)  # a third of the bytes, and nobody sees it
        file = io.BytesIO()
        image.save(file, "PNG", optimize=True)
        return file.getvalue()


def edge(mean: Levels, rate: int) -> Edge:
    """Where a mean spectrum (power, a full sine being one) from nought to half the rate ends."""
    levels = _bands(mean, rate)
    if levels.max() <= FAINT:
        return Edge(0)
    best = Edge(_fading(levels))
    for at in range(DENSE, len(levels) - NEAR - 1):
        beyond = levels[at + NEAR :]
        cliff = float(levels[at - FAR : at - NEAR].mean() - beyond[: FAR - NEAR].mean())
        if cliff < max(CLIFF, best.cliff):
            continue
        falls_for_good = beyond.max() < levels[at - FAR : at - NEAR].mean() - CLIFF / 2
        plain = levels[at - DENSE : at - FAR + NEAR]
        dense = plain.min() > beyond[: FAR - NEAR].mean() + STANDS_OUT and np.ptp(plain) < LEVEL
        if falls_for_good and dense:
            best = Edge(at * BAND, cliff)
    if not best.cliff:
        return best
    foot = best.hertz // BAND
    start = int(foot * WALK)
    top = start + int(np.flatnonzero(levels[start : foot + 1] > levels[start] - SLOPE)[-1])
    return Edge((top + 1) * BAND, best.cliff)


def _bands(mean: Levels, rate: int) -> Levels:
    """Decibels of each whole band of BAND hertz."""
    wide = max(1.0, BAND * 2 * (len(mean) - 1) / rate)
    edges = np.unique((np.arange(0, len(mean) - 1, wide)).astype(int))
    counts = np.diff(np.append(edges, len(mean)))
    power = np.add.reduceat(mean, edges) / counts
    levels: Levels = np.maximum(10 * np.log10(np.maximum(power, 1e-20)), NOTHING)
    return levels


def _fading(levels: Levels) -> int:
    heard = np.flatnonzero(levels > FAINT)
    return int(heard[-1] + 1) * BAND if len(heard) else 0
