"""An album to encode, from the demo's own composer: every track is another walk through its pieces in other keys.

Encoders look back a few thousandths of a second, so a piece that comes back later is new work to them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from benchmarks.transcoding.meter import run
from store.demo import pieces
from store.demo.catalogue import CD_BITS, encode_flac
from store.demo.instruments import Sound
from store.demo.score import Score, perform

RATE = 44100
KEYS = (0, 3)  # half-tones up; the second time a little faster, too
_PIECES: tuple[Callable[[], Score], ...] = (
    pieces.ferry_across,
    pieces.paper_lanterns,
    pieces.slow_weather,
    pieces.brass_clock,
    pieces.unsigned_letter,
    pieces.nine_windows,
)


@dataclass(frozen=True)
class Master:
    """One track: as a label delivers it, and as the bare encoders and pydub like it best."""

    flac: Path
    wav: Path
    seconds: int


def compose(folder: Path, *, tracks: int, seconds: int) -> list[Master]:
    """`tracks` masters of `seconds` each, 44.1 kHz and 16 bit, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(write, key) for key in KEYS for write in _PIECES][: max(2, tracks)]
    with ThreadPoolExecutor(max_workers=2) as workers:
        played = list(workers.map(lambda one: perform(_transposed(one[0](), one[1]), rate=RATE), wanted))
    return [_master(folder, number, _walk(played, number, seconds * RATE), seconds) for number in range(tracks)]


def _transposed(score: Score, steps: int) -> Score:
    notes = [replace(note, pitch=note.pitch + steps) for note in score.notes]
    return replace(score, tempo=score.tempo * (1 + steps / 50), notes=notes)


def _walk(played: list[Sound], first: int, frames: int) -> Sound:
    """Performance after performance, beginning with the one of number `first`, until the track is full."""
    parts, held, at = [], 0, first
    while held < frames:
        parts.append(played[at % len(played)][: frames - held])
        held += len(parts[-1])
        at += 1
    return np.concatenate(parts)


def _master(folder: Path, number: int, sound: Sound, seconds: int) -> Master:
    flac, wav = folder / f"{number + 1:02d}.flac", folder / f"{number + 1:02d}.wav"
    encode_flac(sound, flac, bits=CD_BITS, rate=RATE)
    run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(flac), str(wav)])
    return Master(flac, wav, seconds)
