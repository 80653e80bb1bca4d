"""Looking at sound while it streams by: its hash, its length, and what a label should know. Pure, memory bounded.

The *sound hash* of a master is the SHA-256 of its samples as a WAV file would hold them: interleaved little-endian
integers at the master's own rate and channels, 16 bits each where the master has at most 16, otherwise 24 (in three
bytes). Anybody can recompute it: `ffmpeg -i FILE -f s16le - | sha256sum` (`s24le` for 24 bits). A lossy master has
no depth; its decoder works in fractions whose last digits differ between processors, so it is rounded to 16 bits.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PEAKS = 200
THOUSAND = 1000
TENTHS = 10
CLIP_RUN = 3  # samples in a row at full scale: an honest peak touches it once or twice
CLIPPED_RUNS = 10
SILENCE = 10 ** (-80 / 20)
OFFSET = 0.02

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """What streamed by. Levels are fractions of full scale; `loudest_second` is where the loudest window begins."""

    sha256: str
    md5: str
    samples: int
    peaks: list[int]
    loudest_second: int
    highest: float
    clipped_runs: int
    offset: float
    same_channels: bool


class Digest:
    """Only the hash and the length: what a check of a rendition needs."""

    def __init__(self, *, channels: int, depth: int) -> None:
        self.frame = channels * depth // 8
        self.bytes = 0
        self._sha256 = hashlib.sha256()

    def __call__(self, piece: bytes) -> None:
        self.bytes += len(piece)
        self._sha256.update(piece)

    @property
    def samples(self) -> int:
        return self.bytes // self.frame

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


class Listener(Digest):
    """The whole look at a master. Works second by second; what it keeps is two small numbers per tenth of a second."""

    def __init__(self, *, channels: int, depth: int, rate: int) -> None:
        super().__init__(channels=channels, depth=depth)
        self.channels, self.depth, self.rate = channels, depth, rate
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._second = self.frame * max(TENTHS, rate - rate % TENTHS)
        self._rest = b""
        self._highest: list[Floats] = []
        self._energy: list[Floats] = []
        self._clipped = 0
        self._sum = 0.0
        self._differ = False

    def __call__(self, piece: bytes) -> None:
        super().__call__(piece)
        self._md5.update(piece)
        data = self._rest + piece if self._rest else piece
        whole = len(data) - len(data) % self._second
        for at in range(0, whole, self._second):
            self._look(data[at : at + self._second])
        self._rest = data[whole:]

    def _look(self, data: bytes) -> None:
        sound = self._fractions(data[: len(data) - len(data) % self.frame])
        if not len(sound):
            return
        loud = np.abs(sound).max(axis=1)
        tenth = max(1, self.rate // TENTHS)
        edges = np.arange(0, len(loud), tenth)
        self._highest.append(np.maximum.reduceat(loud, edges))
        self._energy.append(np.add.reduceat(np.square(sound).mean(axis=1), edges))
        self._clipped += _runs(loud >= 1 - 1.5 / (1 << self.depth - 1))
        self._sum += float(sound.sum())
        if self.channels == 2 and not self._differ:  # noqa: PLR2004 - left and right
            self._differ = bool((sound[:, 0] != sound[:, 1]).any())

    def _fractions(self, data: bytes) -> Floats:
        if self.depth == 16:  # noqa: PLR2004
            whole: Floats = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(2**15)
        else:
            packed = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
            wide = np.zeros((len(packed), 4), dtype=np.uint8)
            wide[:, 1:] = packed
            whole = wide.view("<i4").reshape(-1).astype(np.float32) / np.float32(2**31)
        return whole.reshape(-1, self.channels)

    def heard(self, *, window_seconds: int) -> Heard:
        """Close the books; `window_seconds` is the length of the passage looked for."""
        self._look(self._rest)
        self._rest = b""
        highest = np.concatenate(self._highest) if self._highest else np.zeros(1, dtype=np.float32)
        energy = np.concatenate(self._energy) if self._energy else np.zeros(1, dtype=np.float32)
        return Heard(
            sha256=self.sha256,
            md5=self._md5.hexdigest(),
            samples=self.samples,
            peaks=_condense(highest),
            loudest_second=_loudest(energy, window_seconds),
            highest=float(highest.max()),
            clipped_runs=self._clipped,
            offset=abs(self._sum) / max(1, self.samples * self.channels),
            same_channels=self.channels == 2 and not self._differ,  # noqa: PLR2004
        )


def _runs(full: npt.NDArray[np.bool_]) -> int:
    """How many times at least CLIP_RUN samples in a row stand at full scale."""
    if not full.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], full.view(np.int8), [0]))))
    return int(((edges[1::2] - edges[::2]) >= CLIP_RUN).sum())


def _condense(highest: Floats) -> list[int]:
    """PEAKS numbers of 0 to 1000, whatever the length."""
    edges = np.linspace(0, len(highest), PEAKS, endpoint=False).astype(int)
    return [int(value) for value in np.round(np.maximum.reduceat(highest, edges) * THOUSAND).clip(0, THOUSAND)]


def _loudest(energy: Floats, window_seconds: int) -> int:
    """The second at which the loudest window begins; the first of equals."""
    width = window_seconds * TENTHS
    if len(energy) <= width:
        return 0
    sums = np.concatenate(([0.0], np.cumsum(energy, dtype=np.float64)))
    return int(np.argmax(sums[width:] - sums[:-width])) // TENTHS
