"""How far below what the ear hears the error of a lossy file lies: noise to mask, by a model much simplified.

After ITU-R BS.1387 (its basic version): spectra of 2048 samples weighed by the outer ear, summed up in bands of a
quarter Bark up to 18 kHz, spread over their neighbours, and lowered by what a tone masks less than itself; a hundredth
of a second later a tenth of that still masks. It compares encodings of the same sound, and is no listening test.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

RATE, WINDOW = 44100, 2048
LOUDEST = 92  # dB of sound pressure at full scale
AUDIBLE = 1e3  # energy below which a frame counts as silence
DISTURBED = 10**0.15  # 1.5 dB above the mask
QUARTER = 0.25

Floats = npt.NDArray[np.float64]


def _bark(hertz: Floats) -> Floats:
    return np.asarray(7 * np.arcsinh(hertz / 650), dtype=np.float64)


_HERTZ = np.fft.rfftfreq(WINDOW, 1 / RATE).astype(np.float64)
_LOW, _HIGH = (float(edge) for edge in _bark(np.array([80.0, 18_000.0])))
_EDGES = np.arange(_LOW, _HIGH, QUARTER)
_MIDDLE = _EDGES + QUARTER / 2
_KILOHERTZ = 0.65 * np.sinh(_MIDDLE / 7)


def _bands() -> Floats:
    """Which bins of a spectrum belong to which band; one without any takes the nearest."""
    bands = np.zeros((len(_EDGES), len(_HERTZ)))
    place = np.floor((_bark(_HERTZ) - _EDGES[0]) / QUARTER).astype(int)
    inside = (place >= 0) & (place < len(_EDGES))
    bands[place[inside], np.flatnonzero(inside)] = 1
    for empty in np.flatnonzero(~bands.any(axis=1)):
        bands[empty, np.argmin(np.abs(_HERTZ - 1000 * _KILOHERTZ[empty]))] = 1
    return bands


def _outer_ear() -> Floats:
    kilohertz = np.clip(_HERTZ, 20, None) / 1000
    decibels = -2.184 * kilohertz**-0.8 + 6.5 * np.exp(-0.6 * (kilohertz - 3.3) ** 2) - 1e-3 * kilohertz**3.6
    return np.asarray(10 ** ((decibels + LOUDEST) / 10))


def _spreading() -> Floats:
    """Of each band (columns) to all: 27 dB a Bark downwards, 20 upwards."""
    away = _MIDDLE[:, None] - _MIDDLE[None, :]
    spread = 10 ** (np.where(away < 0, 27 * away, -20 * away) / 10)
    return np.asarray(spread / spread.sum(axis=0))


_SPREADING = _spreading().T * 10 ** (-np.where(_MIDDLE <= 12, 3.0, _MIDDLE / 4) / 10)  # noqa: PLR2004 - Bark
_QUIET = 10 ** (0.1456 * _KILOHERTZ**-0.8)
_TO_BANDS = (_outer_ear() * _bands()).T * (4 / WINDOW**2)


_WINDOW = np.hanning(WINDOW) * np.sqrt(8 / 3)  # with the energy of none


def _energies(sound: Floats) -> Floats:
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[:: WINDOW // 2] * _WINDOW
    return np.asarray(np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ _TO_BANDS)


@dataclass(frozen=True)
class Judged:
    """`below` is how many dB the error lies below what masks it, on the average over energies; `disturbed` the share of
    frames in which it stands above in some band."""

    below: float
    disturbed: float


def judge(master: Floats, heard: Floats) -> Judged:
    """Both are rows of samples in fractions of full scale, a column for each channel."""
    length = min(len(master), len(heard))
    ratios = []
    for channel in range(master.shape[1]):
        one, other = master[:length, channel], heard[:length, channel]
        energy = _energies(one)
        mask = energy @ _SPREADING + _QUIET
        for at in range(1, len(mask)):
            mask[at] = np.maximum(mask[at], mask[at - 1] / 10)
        ratios.append((_energies(one - other) / mask)[energy.sum(axis=1) > AUDIBLE])
    every = np.concatenate(ratios)
    return Judged(-10 * float(np.log10(every.mean())), float((every.max(axis=1) > DISTURBED).mean()))


def samples(path: Path) -> Floats:
    """What ffmpeg makes of a file, in stereo at 44.1 kHz."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-nostdin",
        "-v",
        "error",
        "-i",
        str(path),
        "-ac",
        "2",
        "-ar",
        str(RATE),
    ]
    done = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<f4").reshape(-1, 2).astype(np.float64)
