"""One decode of a master feeds every encoder due: one ffmpeg process, several outputs, and the sound itself to hash.

Each option has its reason here or in `formats`. All outputs are written bit-exactly: no encoder's version, no date, and
Ogg serial numbers counted from nought, so that the same master gives the same bytes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from transcoding import probe, sandbox
from transcoding.errors import RenditionWrong
from transcoding.formats import Format, Sound, depth, output_rate, output_samples
from transcoding.waveform import Digest

# How far a lossy length may be off, in samples, where the rate changes: the resampler rounds at both ends.
RESAMPLED_TOLERANCE = 32
# Where all sound of an Ogg Vorbis file fits on one page, readers (ffmpeg's too) cannot tell the encoder's delay from
# the end and give back too many or too few samples; short sounds therefore get short pages, in microseconds.
SHORT_SECONDS = 3
SHORT_PAGE = "20000"
_SAMPLE_FORMATS = {("flac", 16): "s16", ("flac", 24): "s32", ("alac", 16): "s16p", ("alac", 24): "s32p"}


def arguments(format: Format, sound: Sound, path: Path) -> list[str]:  # noqa: A002 - the trade's word
    """What makes one output of the decoded stream: its codec, what it keeps of rate and depth, its container."""
    args = ["-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
    args += ["-flags:a", "+bitexact", *format.options]
    if format.lossless:
        bits = depth(sound)
        if format.codec == "pcm":
            args += ["-c:a", f"pcm_s{bits}{'be' if format.code == 'AIFF' else 'le'}"]
        else:
            args += ["-sample_fmt", _SAMPLE_FORMATS[format.codec, bits], "-bits_per_raw_sample", str(bits)]
    rate = output_rate(format, sound.sample_rate)
    if rate != sound.sample_rate or format.rates:
        args += ["-ar", str(rate)]
    if format.muxer == "ipod":
        args += ["-movflags", "+faststart"]  # the index first: a player may begin before the end has arrived
    if format.muxer == "mp3":
        args += ["-id3v2_version", "0", "-write_id3v1", "0"]  # tags are written by `tags`, the Xing frame stays
    if format.muxer == "ogg" and sound.samples < SHORT_SECONDS * sound.sample_rate:
        args += ["-page_duration", SHORT_PAGE]
    return [*args, "-f", format.muxer, f"file:{path}"]


def limits(sound: Sound, *, outputs: int) -> sandbox.Limits:
    """Four times as long as the music lasts, with a floor for start-up; files as large as the largest PCM."""
    seconds = sound.samples // sound.sample_rate + 1
    pcm = sound.samples * sound.channels * 4 + 64 * 1024**2
    return sandbox.Limits(
        wall_seconds=300 + 4 * seconds,
        cpu_seconds=300 + 2 * seconds * max(1, outputs),
        file_bytes=pcm,
        stdout_bytes=pcm,
    )


def encode(
    source: Path, sound: Sound, outputs: Mapping[Path, Format], *, on_beat: Callable[[], None] | None = None
) -> Digest:
    """Decode `source` once into all `outputs`; they lie in one folder. Answers the hash of the sound that went in."""
    bits = depth(sound) if sound.lossless else 16
    digest = Digest(channels=sound.channels, depth=bits)
    args = ["-loglevel", "error", *probe.input_args(source, sound.container, strict=sound.lossless)]
    for path, each in outputs.items():
        args += arguments(each, sound, path)
    args += ["-map", "0:a:0", *probe.pcm_args(bits)]
    folder = next(iter(outputs)).parent
    sandbox.run(
        args,
        inputs=[source],
        output_dir=folder,
        limits=limits(sound, outputs=len(outputs)),
        on_output=digest,
        on_beat=on_beat,
    )
    return digest


_CONTAINER_OF = {"ipod": "mov", "opus": "ogg"}


def verify(
    path: Path,
    format: Format,  # noqa: A002
    sound: Sound,
    *,
    sound_sha256: str,
    on_beat: Callable[[], None] | None = None,
) -> Digest:
    """Decode what was made. Raises RenditionWrong unless a lossless file gives back the master's own sound, and a lossy
    one its length: to the sample where the rate is kept, within RESAMPLED_TOLERANCE where it is not."""
    bits = depth(sound) if format.lossless else 16
    found = Digest(channels=sound.channels, depth=bits)
    probe.decode(
        path,
        _CONTAINER_OF.get(format.muxer, format.muxer),
        depth=bits,
        strict=True,
        sink=found,
        limits=limits(sound, outputs=2),
        on_beat=on_beat,
    )
    expected = output_samples(format, sound)
    if format.lossless:
        if found.sha256 != sound_sha256:
            raise RenditionWrong(f"The {format.name} file does not hold the master's own sound.")
    elif abs(found.samples - expected) > tolerance(format, sound):
        raise RenditionWrong(f"The {format.name} file holds {found.samples} samples instead of {expected}.")
    return found


def tolerance(format: Format, sound: Sound) -> int:  # noqa: A002
    return 0 if output_rate(format, sound.sample_rate) == sound.sample_rate else RESAMPLED_TOLERANCE
