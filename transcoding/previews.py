"""A cut to listen to before buying: a real passage with fades, never the whole file with a player that stops.

Only the window is decoded; pydub trims and fades it in memory (a minute and a half is some megabytes), and what is
encoded is the faded passage. Where a licence forbids changes, the cut has no fades.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from transcoding import encode, probe, sandbox
from transcoding.encode import Proved
from transcoding.errors import RenditionWrong
from transcoding.formats import Format, Sound, output_rate

with warnings.catch_warnings():  # it warns that it finds no ffmpeg; it never needs one here, since it gets raw sound
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

FADE_IN_MS = 500
FADE_OUT_MS = 1500
DEPTH = 16
THOUSAND = 1000
PEAKS = 240  # as many lines as a player's wave has room for


@dataclass(frozen=True)
class Cut:
    """Where a preview begins and how long it is, in milliseconds, and its fades (nought: none)."""

    start_ms: int
    length_ms: int
    fade_in_ms: int
    fade_out_ms: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """What was cut: each file's digest, and the passage's wave in thousandths of full scale."""

    digests: dict[Path, Proved]
    peaks: list[int]


@dataclass(frozen=True)
class Passage:
    """The faded passage as a sound of its own, so that `encode` and its check treat it like any other."""

    sample_rate: int
    channels: int
    samples: int
    container: str = "raw"
    codec: str = "pcm_s16le"
    lossless: bool = False
    bit_depth: int = 0

    @property
    def bytes(self) -> int:
        return self.samples * self.channels * DEPTH // 8


def plan_cut(sound: Sound, *, start_ms: int, seconds: int, fades: bool) -> Cut:
    """The passage of at most `seconds` that begins at `start_ms`, and never more than half of the recording."""
    whole = sound.samples * THOUSAND // sound.sample_rate
    length = min(seconds * THOUSAND, whole // 2)
    start = min(start_ms, whole - length)
    if not fades:
        return Cut(start, length, 0, 0)
    return Cut(start, length, min(FADE_IN_MS, length // 4), min(FADE_OUT_MS, length // 4))


def fits(cut: Cut, sound: Sound, *, start_ms: int, seconds: int, fades: bool) -> bool:
    """Whether a cut may stand for one planned now: it begins there, is no longer, and fades only where it may."""
    planned = plan_cut(sound, start_ms=start_ms, seconds=seconds, fades=fades)
    whole = sound.samples * THOUSAND // sound.sample_rate
    if cut.length_ms > planned.length_ms or cut.start_ms != min(start_ms, whole - cut.length_ms):
        return False
    return fades or not (cut.fade_in_ms or cut.fade_out_ms)


def make(
    source: Path,
    sound: Sound,
    outputs: dict[Path, Format],
    *,
    cut: Cut,
    on_beat: Callable[[], None] | None = None,
) -> Made:
    """Write the passage in each format of `outputs` (one folder) and check their lengths."""
    folder = next(iter(outputs)).parent
    rate = min(output_rate(each, sound.sample_rate) for each in outputs.values())
    pcm = _window(source, sound, cut=cut, rate=rate)
    passage = AudioSegment(data=pcm, sample_width=DEPTH // 8, frame_rate=rate, channels=sound.channels)
    passage = passage[: cut.length_ms]
    if cut.fade_in_ms:
        passage = passage.fade_in(cut.fade_in_ms).fade_out(cut.fade_out_ms)
    raw = folder / "passage.raw"
    raw.write_bytes(passage.raw_data)
    cut_sound = Passage(sample_rate=rate, channels=sound.channels, samples=int(passage.frame_count()))
    args = ["-loglevel", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", "s16le", "-f", "s16le"]
    args += ["-ar", str(rate), "-ch_layout", "mono" if sound.channels == 1 else "stereo", "-i", f"file:{raw}"]
    for path, each in outputs.items():
        args += encode.arguments(each, cut_sound, path)
    sandbox.run(
        args,
        inputs=[raw],
        output_dir=folder,
        limits=encode.limits(cut_sound, outputs=len(outputs)),
        on_beat=on_beat,
    )
    encode.say_where_it_ends(outputs, cut_sound)
    prove = functools.partial(encode.verify, sound_sha256="", whole=True)
    digests = {path: prove(path, each, cut_sound) for path, each in outputs.items()}
    return Made(digests, _peaks(passage.raw_data, channels=sound.channels))


def _window(source: Path, sound: Sound, *, cut: Cut, rate: int) -> bytes:
    pcm = bytearray()
    seconds = cut.length_ms / THOUSAND
    sandbox.run(
        [
            "-loglevel",
            "error",
            "-ss",
            f"{cut.start_ms / THOUSAND:.3f}",
            "-t",
            f"{seconds:.3f}",
            *probe.input_args(source, sound.container, strict=False),
            "-map",
            "0:a:0",
            "-ar",
            str(rate),
            *probe.pcm_args(DEPTH, alone=True),
        ],
        inputs=[source],
        limits=probe.pcm_limits(seconds + 1, rate=rate, channels=sound.channels, depth=DEPTH),
        on_output=pcm.extend,
    )
    if not pcm:
        raise RenditionWrong("There is no sound where the preview should be cut.")
    return bytes(pcm)


def _peaks(pcm: bytes, *, channels: int) -> list[int]:
    """The loudest sample of each of PEAKS stretches (fewer where the passage has fewer samples)."""
    sound = np.abs(np.frombuffer(pcm, dtype="<i2").reshape(-1, channels).astype(np.int32)).max(axis=1)
    edges = np.linspace(0, len(sound), min(PEAKS, len(sound)), endpoint=False).astype(int)
    return [int(value) for value in np.maximum.reduceat(sound, edges) * THOUSAND // (1 << DEPTH - 1)]
