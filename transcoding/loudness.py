"""How loud a sound is, and how high it really peaks. Pure.

ffmpeg weighs the sound (ITU-R BS.1770: `ebur128`) and writes a momentary and a short-term value each tenth of a
second; what follows from them is worked out here. The true peak (BS.1770-4 annex 2) is looked for by ourselves, only
around high samples: upsampling everything would cost three times as much as all the rest.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float64]

HUNDREDTHS = 100
PER_SECOND = 10  # values
FULL_MOMENT, FULL_SHORT = 4, 30  # the value at which a window of 400 ms, and one of 3 s, is full for the first time
ABSOLUTE_GATE = -70.0  # LUFS
GATE, RANGE_GATE = 10.0, 20.0  # LU under the mean
LOW, HIGH = 10, 95  # per cent
CURVE = 400  # points at most
HALF = 12  # samples on each side that an interpolated one is made of
NEAR = 0.6  # of the highest sample so far: what lies between two lower ones cannot pass it
_PLACES = np.arange(1 - HALF, HALF + 1)
_TAPS = np.stack(
    [np.sinc(_PLACES - phase) * np.cos(np.pi * (_PLACES - phase) / (2 * HALF + 1)) ** 2 for phase in (0.25, 0.5, 0.75)],
    axis=1,
)
_PHASES = (_TAPS / _TAPS.sum(axis=0)).astype(np.float32)


@dataclass(frozen=True)
class Loudness:
    """Hundredths of LUFS and of LU; None where nothing could be measured. `curve` is short-term, in tenths of LUFS."""

    integrated: int | None = None
    range: int | None = None
    curve: tuple[int, ...] = ()


def weighing(moments: Path, shorts: Path) -> str:
    """The filter that writes a momentary and a short-term value into these files each tenth of a second.

    One channel counts as two: it is played from both speakers.
    """
    wanted = (("M", moments), ("S", shorts))
    prints = [f"ametadata=mode=print:key=lavfi.r128.{key}:file={_escaped(path)}" for key, path in wanted]
    return ",".join(["ebur128=metadata=1:dualmono=true", *prints])


def _escaped(path: Path) -> str:
    """A path as ffmpeg's filters read it: once for the option, once for the chain."""
    option = "".join(f"\\{sign}" if sign in "\\':" else sign for sign in str(path))
    return "".join(f"\\{sign}" if sign in "\\'[],;" else sign for sign in option)


def read(moments: Path, shorts: Path) -> Loudness:
    """What follows from the values in these files."""
    moment, short = (np.fromiter(_values(path), dtype=np.float64) for path in (moments, shorts))
    return Loudness(
        integrated=_hundredths(integrated(moment[FULL_MOMENT - 1 :])),
        range=_hundredths(loudness_range(short[FULL_SHORT - 1 :])),
        curve=curve(_from_the_start(moment, short)),
    )


def _from_the_start(moments: Levels, shorts: Levels) -> Levels:
    """Short-term values with the first full one in place of those before, which know nothing yet; of a sound that is
    shorter than three seconds the momentary ones."""
    if len(shorts) < FULL_SHORT:
        return moments
    return np.concatenate((np.full(FULL_SHORT - 1, shorts[FULL_SHORT - 1]), shorts[FULL_SHORT - 1 :]))


def _values(path: Path) -> Iterator[float]:
    """The values ffmpeg printed; what is no number is silence."""
    if not path.exists():
        return
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            _, sign, said = line.rpartition("=")
            if sign:
                try:
                    value = float(said)
                except ValueError:
                    continue
                yield value if math.isfinite(value) else -200.0


def _hundredths(level: float | None) -> int | None:
    return None if level is None else round(level * HUNDREDTHS)


def _mean(levels: Levels) -> float:
    """The level of the mean power."""
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def integrated(moments: Levels) -> float | None:
    """Programme loudness in LUFS out of momentary values, gated twice as EBU R128 asks; None for silence."""
    heard = moments[moments > ABSOLUTE_GATE]
    if not len(heard):
        return None
    return _mean(heard[heard > _mean(heard) - GATE])


def loudness_range(shorts: Levels) -> float | None:
    """Loudness range in LU (EBU Tech 3342) out of short-term values; None where there is none of three seconds."""
    heard = shorts[shorts > ABSOLUTE_GATE]
    if not len(heard):
        return None
    low, high = np.percentile(heard[heard > _mean(heard) - RANGE_GATE], [LOW, HIGH])
    return float(high - low)


def curve(shorts: Levels) -> tuple[int, ...]:
    """At most CURVE values over the whole length, in tenths, never under the absolute gate."""
    if not len(shorts):
        return ()
    edges = np.unique(np.linspace(0, len(shorts), min(CURVE, len(shorts)), endpoint=False).astype(int))
    spans = np.diff(np.append(edges, len(shorts)))
    power = np.add.reduceat(10 ** (np.maximum(shorts, ABSOLUTE_GATE) / 10), edges) / spans
    return tuple(int(value) for value in np.round(10 * np.log10(power) * 10))


class TruePeak:
    """The highest point of the wave that the samples stand for, as a fraction of full scale. Fed piece by piece."""

    def __init__(self, channels: int) -> None:
        self.highest = 0.0
        self._tail = np.zeros((channels, 2 * HALF), dtype=np.float32)

    def __call__(self, sound: Floats) -> None:
        """Look at some samples, one row per channel."""
        joined = np.concatenate((self._tail, sound), axis=1)
        self._tail = joined[:, -2 * HALF :]
        for channel in joined:
            loud = np.abs(channel)
            self.highest = max(self.highest, float(loud.max()))
            high = loud > np.float32(self.highest * NEAR)
            starts = np.flatnonzero(high[HALF - 1 : -HALF] | high[HALF : len(high) - HALF + 1])
            if len(starts):
                around = np.lib.stride_tricks.sliding_window_view(channel, 2 * HALF)[starts]
                self.highest = max(self.highest, float(np.abs(around @ _PHASES).max()))

    def close(self) -> None:
        """Look at what lies between the last samples too."""
        self(np.zeros((len(self._tail), 2 * HALF), dtype=np.float32))

    @property
    def hundredths(self) -> int | None:
        """In hundredths of dBTP; None for silence."""
        return round(20 * math.log10(self.highest) * HUNDREDTHS) if self.highest > 0 else None
