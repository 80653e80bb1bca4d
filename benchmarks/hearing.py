"""AAC as the store makes it, beside what ffmpeg makes of the same bit rate when it is told nothing else, and with its
slow coder told to draw in no noise: how far the error lies below what masks it, how large the file is, what it costs.

On music from the demo's own composer, and on sounds that are hard for such encoders: clicks, bells, a pipe rich in
overtones, noise, applause.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import numpy as np

from benchmarks.figures import Figure, Progress
from benchmarks.transcoding import hearing, meter
from benchmarks.transcoding.album import compose
from benchmarks.transcoding.hearing import RATE, Floats
from benchmarks.transcoding.meter import Cost
from store.demo.catalogue import CD_BITS, encode_flac
from transcoding import formats

CODES = ("AAC_320", "AAC_256", "AAC_192", "AAC_128")
SLOW = ("-c:a", "aac", "-aac_pns", "0", "-aac_is", "0")
NO_WORSE = 0.99  # of the decibels that ffmpeg's own choice keeps
SAME = 1.02


def run(*, quick: bool, say: Progress) -> list[Figure]:
    seconds, codes = (4, CODES[1:2]) if quick else (20, CODES)
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="clearsong-bench-") as name:
        folder = Path(name)
        say("composing")
        music = [master.flac for master in compose(folder, tracks=2 if quick else 6, seconds=seconds)]
        for kind, paths in (("music", music), ("hard sounds", hard(folder, seconds=min(6, seconds)))):
            for code in codes:
                say(f"{code} of {kind}")
                figures += _compared(code, kind, paths, folder)
    return figures


def hard(folder: Path, *, seconds: int) -> list[Path]:
    dice, length = np.random.default_rng(3), seconds * RATE
    at = np.arange(length) / RATE
    clicks = np.exp(-(np.arange(length) % 9001) / 200) * dice.normal(0, 0.4, length)
    bells, pipe = np.zeros(length), np.zeros(length)
    for begin, pitch in ((0.0, 1760), (0.3, 2637), (0.6, 3520), (0.9, 5274)):
        bells += np.exp(-4 * ((at - begin) % 1.5)) * np.sin(2 * np.pi * pitch * at) * 0.2
    for number in range(1, 40):
        pipe += 0.04 * np.sin(2 * np.pi * 220 * number * at + number)
    noise = dice.normal(0, 0.15, (length, 2))
    applause = np.zeros((length, 2))
    for begin in dice.integers(0, length - 1500, 250 * seconds):
        hand = np.exp(-np.arange(1500) / 150) * dice.normal(0, 0.1, 1500)
        applause[begin : begin + 1500, dice.integers(2)] += hand
    bass = 0.5 * np.sin(2 * np.pi * 50 * at) + clicks / 2
    pairs = ((clicks, clicks), (bells, bells), (pipe, np.roll(pipe, 100)), (bass, bells))
    sounds = [*(np.stack(both, axis=1) for both in pairs), noise, applause]
    return [_written(folder / f"hard {number}.flac", sound) for number, sound in enumerate(sounds)]


def _written(path: Path, sound: Floats) -> Path:
    encode_flac(np.clip(sound, -1, 1).astype(np.float32), path, bits=CD_BITS, rate=RATE)
    return path


def _compared(code: str, kind: str, paths: Sequence[Path], folder: Path) -> list[Figure]:
    each = formats.get(code)
    rate = ("-b:a", f"{each.kilobits}k")
    ours, plain, slow = (
        _made(options, paths, folder) for options in (each.options, ("-c:a", "aac", *rate), (*SLOW, *rate))
    )
    name = f"hearing.{code} {kind}"
    return [
        Figure(f"{name}, below the mask, to ffmpeg's own", ours[0], "dB", plain[0], NO_WORSE, more_is_better=True),
        Figure(f"{name}, below the mask, to the slow coder", ours[0], "dB", slow[0]),
        Figure(f"{name}, frames disturbed", ours[1] * 100, "%", slow[1] * 100, SAME),
        Figure(f"{name}, size", ours[2], "MB", slow[2]),
        Figure(f"{name}, cost", ours[3], "cpu s", slow[3]),
    ]


def _made(options: Sequence[str], paths: Sequence[Path], folder: Path) -> tuple[float, float, float, float]:
    """Decibels below the mask, share of frames disturbed, megabytes and processor seconds."""
    judged, cost, size = [], Cost(), 0
    for path in paths:
        target = folder / "made.m4a"
        start = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-i", str(path)]
        cost += meter.run([*start, *options, str(target)])
        size += target.stat().st_size
        judged.append(hearing.judge(hearing.samples(path), hearing.samples(target)))
    below = float(np.mean([each.below for each in judged]))
    return below, float(np.mean([each.disturbed for each in judged])), size / 1e6, cost.cpu
