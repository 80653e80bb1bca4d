"""Reading sound out of a file nobody trusts, inside the fence.

`header` asks what the file claims and refuses what is too big before a single sample is decoded; `examine` decodes all
of it once and compares what came out with what was claimed, because ffmpeg ends quietly on most truncated files.
Given a folder, it measures loudness and fingerprint out of that same decode.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from transcoding import containers, findings, fingerprint, loudness, sandbox
from transcoding.errors import LimitReached, MasterRefused, ProcessFailed, SaidTooMuch
from transcoding.findings import Found
from transcoding.loudness import Loudness
from transcoding.waveform import Digest, Heard, Listener

MAX_CHANNELS = 2
RATES = range(8000, 192_001)
DEPTHS = range(8, 25)
GIB = 1024**3
MAX_DECODED = 8 * GIB
LENGTH_TOLERANCE = 0.05  # seconds between a header that only gives a duration and what decodes
BESIDE = 96 * 1024**2  # bytes a file may hold beside its sound: tags and a cover
HEADER_LIMITS = sandbox.Limits(wall_seconds=20, cpu_seconds=3, stdout_bytes=256 * 1024, last_words=1024**2)
# ffmpeg says the tags too, and their names as they come: what begins a line may be one of them. So the length counts
# only where it is said once, and the rest is read from what follows its last word on the output, which gets no tags.
_DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d)\.(\d\d)|N/A), ", re.MULTILINE)
_OUTPUT = "\nOutput #0, framemd5, to "
_AUDIO = re.compile(r"^  Stream #0:0[^\n]*?: Audio: ([^\n]+)", re.MULTILINE)
_BITS = re.compile(r", (u8|s16|s32|flt|dbl|s64)p?(?: \((\d+) bit\))?")
_DEPTH_OF = {"u8": 8, "s16": 16, "s32": 32, "flt": 0, "dbl": 0, "s64": 64}


@dataclass(frozen=True)
class AudioFacts:
    """What a file holds. `samples` is declared (None where the header does not say); `seconds` is ffmpeg's estimate."""

    container: str
    codec: str
    lossless: bool
    sample_rate: int
    bit_depth: int
    channels: int
    samples: int | None
    seconds: float
    declared: containers.Declared = field(repr=False)

    @property
    def claimed(self) -> float:
        """Seconds of sound that the header promises."""
        return max(self.seconds, (self.samples or 0) / self.sample_rate)

    def decoded(self, seconds: float) -> int:
        """Bytes that so much of its sound takes."""
        return int(seconds * self.sample_rate) * self.channels * self.pcm_depth // 8

    @property
    def pcm_depth(self) -> int:
        """Bits per sample of the sound hash: 16, or 24 where the master holds more than 16."""
        return 16 if self.bit_depth <= 16 else 24  # noqa: PLR2004


@dataclass(frozen=True)
class Examined:
    """`loudness` and `fingerprint` are empty where no folder was given to measure them in."""

    facts: AudioFacts
    heard: Heard
    findings: list[Found]
    loudness: Loudness
    fingerprint: str


def input_args(path: Path, container: str, *, strict: bool) -> list[str]:
    """How any file is handed to ffmpeg: one demuxer, its decoders, local bytes. `strict` stops at the first damage.
    One thread, since a decoder of sound that has several spends an eighth of its time on handing over."""
    known = containers.CONTAINERS[container]
    care = ["-xerror", "-err_detect", "crccheck+explode"] if strict else []
    return [
        *care,
        "-threads",
        "1",
        "-protocol_whitelist",
        "file,pipe",
        "-format_whitelist",
        known.demuxer,
        "-codec_whitelist",
        known.decoders,
        "-f",
        known.demuxer,
        "-i",
        f"file:{path}",
    ]


def header(path: Path) -> AudioFacts:
    """Who the file says it is. Raises MasterRefused where it is no audio file we take."""
    declared = containers.read(path)
    if declared.beside > BESIDE:
        raise _too_much_beside(declared.beside)
    args = [*input_args(path, declared.container.name, strict=False), "-map", "0:a:0", "-c", "copy", "-t", "0.01"]
    untagged = ["-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1", "-f", "framemd5", "pipe:1"]
    try:
        result = sandbox.run([*args, *untagged], inputs=[path], limits=HEADER_LIMITS)
    except LimitReached as error:
        raise MasterRefused(
            "TAGS_TOO_LARGE",
            "What stands before the sound takes too long to read. Write its tags anew, with less in them.",
        ) from error
    except ProcessFailed as error:
        raise MasterRefused(
            "DAMAGED" if declared.missing or not declared.whole else "NOT_AUDIO",
            "The file begins like audio but cannot be read. Export it again and deliver the new file.",
        ) from error
    lines = dict(re.findall(r"^#(\w+) 0: (.+)$", result.stdout.decode("utf-8", "replace"), re.MULTILINE))
    told, _, copied = result.words.rpartition(_OUTPUT)
    audio, lengths = _AUDIO.search(copied), _DURATION.findall(told)
    if audio is None or "sample_rate" not in lines:
        raise MasterRefused("NOT_AUDIO", "There is no sound in this file.")
    if len(lengths) != 1:
        raise MasterRefused(
            "TAGS_TOO_LARGE", "The tags drown what the file says of its length. Write them anew, with less in them."
        )
    codec = audio[1].split(",")[0].split(" ")[0]
    lossless = declared.container.codecs.get(codec)
    if lossless is None:
        raise MasterRefused(
            "CODEC_NOT_TAKEN", f"A {declared.container.name} file with {codec} inside is not a delivery format."
        )
    lossless = lossless and not declared.hybrid
    return AudioFacts(
        container=declared.container.name,
        codec=codec,
        lossless=lossless,
        sample_rate=int(lines["sample_rate"]),
        bit_depth=_depth(audio[1]) if lossless else 0,
        channels=_channels(lines.get("channel_layout_name", "")),
        samples=declared.samples,
        seconds=_seconds(lengths[0]),
        declared=declared,
    )


def _depth(words: str) -> int:
    """Bits per sample; 32 and more for what is not an integer of at most 24 bits."""
    found = _BITS.search(words)
    if found is None:
        return 0
    return int(found[2]) if found[2] else _DEPTH_OF[found[1]] or 32


def _channels(layout: str) -> int:
    numbered = re.match(r"(\d+) channels", layout)
    return int(numbered[1]) if numbered else {"mono": 1, "stereo": 2}.get(layout, 99)


def _seconds(parts: tuple[str, ...]) -> float:
    """Nought where the length is not known."""
    hours, minutes, seconds, hundredths = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + hundredths / 100


def _too_much_beside(length: int) -> MasterRefused:
    return MasterRefused(
        "TAGS_TOO_LARGE",
        f"{length // 1024**2:,} MiB of this file are no sound. Deliver it with smaller pictures and tags.",
    )


def check_limits(facts: AudioFacts, *, max_seconds: int, max_bytes: int, length: int) -> None:
    """Refuse by the header what must not be decoded, or cannot be sold as it is. Raises MasterRefused.

    `max_bytes` bounds what it decodes to; `length` is the file's own.
    """
    if facts.declared.missing or not facts.declared.whole:
        raise MasterRefused(
            "TRUNCATED", "The file ends before its sound does. Upload it again, or export it again if it is so here."
        )
    if facts.sample_rate not in RATES:
        raise MasterRefused("RATE_NOT_TAKEN", "Deliver a sample rate from 8 to 192 kHz.")
    if facts.claimed > max_seconds:
        raise MasterRefused("TOO_LONG", f"One recording may last {max_seconds // 3600} hours at most. Split it.")
    if facts.channels > MAX_CHANNELS:
        raise MasterRefused("TOO_MANY_CHANNELS", "Deliver mono or stereo; surround sound cannot be sold here yet.")
    if facts.lossless and facts.bit_depth not in DEPTHS:
        raise MasterRefused(
            "DEPTH_NOT_TAKEN", "Deliver 16 or 24 bits. A 32-bit or floating-point file is for mixing: dither it to 24."
        )
    decoded = facts.decoded(facts.claimed)
    if decoded > max_bytes:
        raise MasterRefused(
            "TOO_MUCH_SOUND",
            f"Decoded, this is {decoded / GIB:.1f} GiB; at most {max_bytes / GIB:.3g} GiB are taken. Split it.",
        )
    if facts.claimed and length - decoded > BESIDE:
        raise _too_much_beside(length - decoded)


def decode(
    path: Path,
    container: str,
    *,
    depth: int,
    strict: bool,
    sink: Callable[[bytes], object],
    limits: sandbox.Limits = sandbox.DEFAULT_LIMITS,
    on_beat: Callable[[], None] | None = None,
    folder: Path | None = None,
) -> None:
    """Send the decoded sound of a local file to `sink`, as `depth`-bit little-endian samples at its own rate, and what
    is measured on the way into `folder`."""
    sound = [*input_args(path, container, strict=strict), "-map", "0:a:0", *pcm_args(depth, alone=folder is None)]
    sandbox.run(
        ["-loglevel", "error", *sound, *(_measures(folder) if folder else ())],
        inputs=[path],
        output_dir=folder,
        limits=limits,
        on_output=sink,
        on_beat=on_beat,
    )


MOMENTS, SHORTS, FINGERPRINT = "moments.txt", "shorts.txt", "fingerprint.txt"


def _measures(folder: Path) -> list[str]:
    """Further outputs of the same decode."""
    weighed = ["-map", "0:a:0", "-af", loudness.weighing(folder / MOMENTS, folder / SHORTS), "-f", "null", "-"]
    if not knows_fingerprints(sandbox.ffmpeg()):
        return weighed
    described = ["-map", "0:a:0", "-t", str(fingerprint.SECONDS), "-f", "chromaprint", "-fp_format", "base64"]
    return [*weighed, *described, f"file:{folder / FINGERPRINT}"]


@functools.lru_cache(maxsize=4)
def knows_fingerprints(program: str) -> bool:  # noqa: ARG001 - what the answer holds for
    """Whether this ffmpeg was built with Chromaprint. Without it everything works but finding what sounds alike."""
    try:
        said = sandbox.run(["-loglevel", "error", "-h", "muxer=chromaprint"], inputs=[], limits=HEADER_LIMITS)
    except ProcessFailed:
        return False
    return b"fp_format" in said.stdout


def pcm_args(depth: int, *, alone: bool = False) -> list[str]:
    """Plain samples to us; where they are the run's only output, in large pieces: ffmpeg hands each on through three
    threads, and a decoder's own are so small that a third of the time went into that. Beside other outputs ffmpeg 9
    then stops for ever now and then: it holds back what is ahead, for one that holds its samples back itself."""
    large = ["-af", "asetnsamples=n=32768:p=0"] if alone else []
    return [*large, "-c:a", f"pcm_s{depth}le", "-f", f"s{depth}le", "pipe:1"]


def pcm_limits(seconds: float, *, rate: int, channels: int, depth: int) -> sandbox.Limits:
    """Room for the claimed sound and a second more; a header that lied meets the wall there."""
    room = int((seconds + 1) * rate * channels * depth // 8)
    return sandbox.Limits(wall_seconds=120 + int(seconds / 5), cpu_seconds=120 + int(seconds / 5), stdout_bytes=room)


def examine(
    path: Path,
    *,
    max_seconds: int,
    max_bytes: int = MAX_DECODED,
    window_seconds: int,
    folder: Path | None = None,
    on_beat: Callable[[], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Examined:
    """The whole examination of a local file: one decode. Raises MasterRefused with what to tell the label, and
    LimitReached where it took too long, which may be the machine's doing: try again.

    `on_share` is told about once a second how much of the sound has been heard, from nought to one.
    """
    facts = header(path)
    check_limits(facts, max_seconds=max_seconds, max_bytes=max_bytes, length=path.stat().st_size)
    claimed = (facts.samples or 0) / facts.sample_rate or facts.seconds
    limits = _limits(facts, claimed, max_seconds=max_seconds, max_bytes=max_bytes)

    def listen(folder: Path | None) -> Listener:
        checked = bool(facts.declared.pcm_md5)
        listener = Listener(channels=facts.channels, depth=facts.pcm_depth, rate=facts.sample_rate, checked=checked)

        def beat() -> None:
            if on_share is not None and claimed:
                on_share(min(1.0, listener.samples / facts.sample_rate / claimed))
            if on_beat is not None:
                on_beat()

        decode(
            path,
            facts.container,
            depth=facts.pcm_depth,
            strict=facts.lossless,
            sink=listener,
            limits=limits,
            on_beat=beat,
            folder=folder,
        )
        return listener

    try:
        listener, folder = _with_measures(listen, folder)
    except SaidTooMuch as error:
        raise MasterRefused("DAMAGED", f"The file holds more sound than its header says. {error}") from error
    except LimitReached:
        raise  # a machine too busy for an honest file is no reason to refuse it
    except ProcessFailed as error:
        raise MasterRefused(
            "DAMAGED", "The sound is damaged: decoding stops part of the way through. Export the file again."
        ) from error
    heard = listener.heard(window_seconds=window_seconds)
    _check_whole(facts, heard)
    weighed = loudness.read(folder / MOMENTS, folder / SHORTS) if folder else Loudness()
    described = folder / FINGERPRINT if folder else None
    text = described.read_text("ascii") if described is not None and described.exists() else ""
    return Examined(facts, heard, findings.of(facts, heard, weighed), weighed, text)


def _limits(facts: AudioFacts, claimed: float, *, max_seconds: int, max_bytes: int) -> sandbox.Limits:
    """What is claimed where that is exact, near it where it is not, and never more than is taken at all."""
    if claimed and facts.lossless:
        room = claimed
    elif claimed and facts.container in {"ogg", "mov"}:
        room = min(max_seconds, claimed * 1.1 + 10)
    else:
        room = max_seconds
    limits = pcm_limits(room, rate=facts.sample_rate, channels=facts.channels, depth=facts.pcm_depth)
    return replace(limits, stdout_bytes=min(limits.stdout_bytes, max_bytes))


def _with_measures(listen: Callable[[Path | None], Listener], folder: Path | None) -> tuple[Listener, Path | None]:
    """What was heard, and the folder with what was measured. A file is not refused because measuring it failed: what
    fails is heard once more without."""
    if folder is not None:
        try:
            return listen(folder), folder
        except LimitReached:
            raise
        except ProcessFailed:
            pass
    return listen(None), None


def _check_whole(facts: AudioFacts, heard: Heard) -> None:
    """Did everything the header promised come out? Exact for lossless, within LENGTH_TOLERANCE for lossy."""
    if heard.samples == 0:
        raise MasterRefused("EMPTY", "There is not a single sample of sound in this file. Export it again.")
    if facts.lossless and facts.samples is not None and heard.samples != facts.samples:
        raise MasterRefused(
            "TRUNCATED", f"The header promises {facts.samples} samples, but {heard.samples} decode. Upload it again."
        )
    if facts.declared.pcm_md5 and facts.declared.pcm_md5 != heard.md5 and facts.bit_depth in {16, 24}:
        raise MasterRefused("DAMAGED", "The sound is not the one its own checksum names. Export the file again.")
    decoded = heard.samples / facts.sample_rate
    if facts.container in {"ogg", "mov"} and facts.seconds and facts.seconds - decoded > LENGTH_TOLERANCE:
        raise MasterRefused(
            "TRUNCATED", f"The header promises {facts.seconds:.2f} s, but {decoded:.2f} s decode. Upload it again."
        )


def digest(path: Path, container: str, *, channels: int, depth: int, limits: sandbox.Limits) -> Digest:
    """The sound hash and length of a local file we made ourselves."""
    sink = Digest(channels=channels, depth=depth)
    decode(path, container, depth=depth, strict=True, sink=sink, limits=limits)
    return sink
