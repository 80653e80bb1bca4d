"""Looking at sound while it streams by: its hash, its length, and what a label should know. Pure, memory bounded.

The *sound hash* of a master is the SHA-256 of its samples as a WAV file would hold them: interleaved little-endian
integers at the master's own rate and channels, 16 bits each where the master has at most 16, otherwise 24 (in three
bytes). Anybody can recompute it: `ffmpeg -i FILE -f s16le - | sha256sum` (`s24le` for 24 bits). A lossy master has
no depth; its decoder works in fractions whose last digits differ between processors, so it is rounded to 16 bits.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from transcoding.loudness import TruePeak
from transcoding.spectrum import Spectrum

PEAKS = 200
THOUSAND = 1000
TENTHS = 10
CLIP_RUN = 3  # samples in a row at full scale: an honest peak touches it once or twice
CLIPPED_RUNS = 10
SILENCE = 10 ** (-80 / 20)
STEREO = 2

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.int16] | npt.NDArray[np.int32]


@dataclass(frozen=True)
class Heard:
    """What streamed by. Levels are fractions of full scale, lengths seconds.

    `loudest_second` is where the loudest window begins. `offset` is that of the worse channel, `quietest_channel` the
    highest sample of the quieter one, `likeness` how far left and right agree (1: the same shape, -1: upside down).
    `true_depth` is how many bits move. `before`, `gap` and `after` are silences: at the start, the longest, at the end.
    """

    sha256: str
    md5: str
    samples: int
    peaks: list[int]
    loudest_second: int
    highest: float
    clipped_runs: int
    offset: float
    same_channels: bool
    quietest_channel: float
    likeness: float
    true_depth: int
    before: float
    gap: float
    after: float
    true_peak: int | None
    spectrum: Spectrum = field(repr=False)


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
    """The whole look at a master. Works second by second; what it keeps is two small numbers per tenth of a second.

    `checked` says that the file names an MD5 of its own to be held against.
    """

    def __init__(self, *, channels: int, depth: int, rate: int, checked: bool = True) -> None:
        super().__init__(channels=channels, depth=depth)
        self.channels, self.depth, self.rate = channels, depth, rate
        self._md5 = hashlib.md5(usedforsecurity=False) if checked else None
        self._second = self.frame * max(TENTHS, rate - rate % TENTHS)
        self._rest = b""
        self._highest: list[Floats] = []
        self._energy: list[Floats] = []
        self._clipped = 0
        self._sums = np.zeros(channels)
        self._squares = np.zeros(channels)
        self._product = 0.0
        self._tops = np.zeros(channels)
        self._bits = 0
        self._differ = False
        self._true_peak = TruePeak(channels)
        self._spectrum = Spectrum(rate)

    def __call__(self, piece: bytes) -> None:
        super().__call__(piece)
        if self._md5 is not None:
            self._md5.update(piece)
        data = self._rest + piece if self._rest else piece
        whole = len(data) - len(data) % self._second
        for at in range(0, whole, self._second):
            self._look(data[at : at + self._second])
        self._rest = data[whole:]

    def _look(self, data: bytes) -> None:
        words = self._words(data[: len(data) - len(data) % self.frame])
        if not words.size:
            return
        sound = words.astype(np.float32) * np.float32(1 / (1 << 8 * words.itemsize - 1))
        each = np.abs(sound)
        loud = each[0] if self.channels == 1 else np.maximum(each[0], each[1])
        squares = np.square(sound)
        edges = np.arange(0, len(loud), max(1, self.rate // TENTHS))
        highest = np.maximum.reduceat(loud, edges)
        self._highest.append(highest)
        self._energy.append(np.add.reduceat(squares, edges, axis=1).mean(axis=0))
        full = np.float32(1 - 1.5 / (1 << self.depth - 1))
        if highest.max() >= full:
            self._clipped += _runs(loud >= full)
        self._sums += sound.sum(axis=1)
        self._squares += squares.sum(axis=1)
        self._tops = np.maximum(self._tops, each.max(axis=1))
        self._bits |= int(np.bitwise_or.reduce(words.ravel()))
        if self.channels == STEREO:
            self._product += float(np.dot(sound[0], sound[1]))
            self._differ = self._differ or not np.array_equal(words[0], words[1])
        self._true_peak(sound)
        self._spectrum(sound)

    def _words(self, data: bytes) -> Words:
        """The samples as integers, one row per channel; of three bytes as four, with nothing in the lowest."""
        if self.depth == 16:  # noqa: PLR2004
            return np.ascontiguousarray(np.frombuffer(data, dtype="<i2").reshape(-1, self.channels).T)
        packed = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        wide = np.zeros((len(packed), 4), dtype=np.uint8)
        wide[:, 1:] = packed
        return np.ascontiguousarray(wide.view("<i4").reshape(-1, self.channels).T)

    def heard(self, *, window_seconds: int) -> Heard:
        """Close the books; `window_seconds` is the length of the passage looked for."""
        self._look(self._rest)
        self._rest = b""
        self._true_peak.close()
        highest = np.concatenate(self._highest) if self._highest else np.zeros(1, dtype=np.float32)
        energy = np.concatenate(self._energy) if self._energy else np.zeros(1, dtype=np.float32)
        before, gap, after = _silences(highest)
        return Heard(
            sha256=self.sha256,
            md5=self._md5.hexdigest() if self._md5 else "",
            samples=self.samples,
            peaks=_condense(highest),
            loudest_second=_loudest(energy, window_seconds),
            highest=float(highest.max()),
            clipped_runs=self._clipped,
            offset=float(np.abs(self._sums).max()) / max(1, self.samples),
            same_channels=self.channels == STEREO and not self._differ,
            quietest_channel=float(self._tops.min()),
            likeness=self._product / max(1e-12, float(np.sqrt(self._squares.prod()))) if self.channels == STEREO else 1,
            true_depth=self._true_depth(),
            before=before,
            gap=gap,
            after=after,
            true_peak=self._true_peak.hundredths,
            spectrum=self._spectrum,
        )

    def _true_depth(self) -> int:
        """The depth without the lowest bits that never move; nought for silence."""
        wide = 16 if self.depth == 16 else 32  # noqa: PLR2004
        bits = self._bits & (1 << wide) - 1
        return wide - ((bits & -bits).bit_length() - 1) if bits else 0


def _silences(highest: Floats) -> tuple[float, float, float]:
    """Seconds of silence at the start, the longest in between, and at the end; all of it counts as the start."""
    loud = np.flatnonzero(highest >= SILENCE)
    if not len(loud):
        return len(highest) / TENTHS, 0.0, 0.0
    gaps = np.diff(loud) - 1
    gap = int(gaps.max()) if len(gaps) else 0
    return int(loud[0]) / TENTHS, gap / TENTHS, (len(highest) - 1 - int(loud[-1])) / TENTHS


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
