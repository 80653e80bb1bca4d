"""One decode of a master feeds every encoder due: one ffmpeg process, several outputs, and the sound itself to hash.

Each option has its reason here or in `formats`. All outputs are written bit-exactly: no encoder's version, no date, and
Ogg serial numbers counted from nought, so that the same master gives the same bytes. WAV and AIFF are written here as
the sound comes by. What ffmpeg cannot encode itself, or not as well, another encoder takes from a WAV that is written
beside: by us where it is the very sound, by ffmpeg where that must become another first.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transcoding import encoders, formats, frames, padding, plain, probe, sandbox, wma
from transcoding.encoders import FFMPEG, Encoder
from transcoding.errors import ProcessFailed, RenditionWrong
from transcoding.formats import Format, Sound, depth, output_rate, output_samples
from transcoding.waveform import Digest

# Where all sound of an Ogg Vorbis file fits on one page, readers (ffmpeg's too) cannot tell the encoder's delay from
# the end and give back too many or too few samples; short sounds therefore get short pages, in microseconds.
SHORT_SECONDS = 3
SHORT_PAGE = "20000"
# Triangular noise makes the error of rounding independent of the music, and high-passed it lies where ears are dull.
# No noise shaping: that depends on the rate, and pushes loud masters over the top. Its generator starts the same way
# each time, so the same master gives the same bytes.
DITHER = "aresample=osf=s16:dither_method=triangular_hp"
ENCODED = 0.8  # of a file's progress, where another encoder has its turn after ffmpeg
_SAMPLE_FORMATS = {
    ("flac", 16): "s16",
    ("flac", 24): "s32",
    ("alac", 16): "s16p",
    ("alac", 24): "s32p",
    ("wavpack", 16): "s16p",
    ("wavpack", 24): "s32p",
    ("tta", 16): "s16",
    ("tta", 24): "s32",
}
# ffmpeg gives back whole frames of Musepack and the decoder's delay; players that read the header trim both.
_MUSEPACK_FRAME = 1152 + 481


def arguments(format: Format, sound: Sound, path: Path) -> list[str]:  # noqa: A002 - the trade's word
    """What makes one output of the decoded stream: its codec, what it keeps of rate and depth, its container."""
    bare = ["-map", "0:a:0", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
    rate = output_rate(format, sound.sample_rate)
    if maker(format, sound)[0] != FFMPEG:
        bits = formats.bits(format, sound) if format.lossless else _bits_beside(format, sound)
        args = [*bare, *_filters(format, sound, "s32"), "-c:a", f"pcm_s{bits}le", "-ar", str(rate)]
        return [*args, "-rf64", "never", "-f", "wav", f"file:{_beside(path)}"]
    kind = "flt" if format.codec == "opus" else "fltp"
    args = [*bare, "-flags:a", "+bitexact", *format.options, *_filters(format, sound, kind)]
    if format.lossless:
        bits = formats.bits(format, sound)
        if format.codec == "pcm":
            args += ["-c:a", f"pcm_s{bits}{'be' if format.muxer == 'aiff' else 'le'}"]
        else:
            args += ["-sample_fmt", _SAMPLE_FORMATS[format.codec, bits], "-bits_per_raw_sample", str(bits)]
    if rate != sound.sample_rate or format.rates:
        args += ["-ar", str(rate)]
    if format.codec == "wmav2":
        args += ["-packet_size", str(_wma_packet(format, rate))]
    if format.muxer == "ipod":
        args += ["-movflags", "+faststart"]  # the index first: a player may begin before the end has arrived
        args += ["-movie_timescale", str(rate)]  # or the edit list says the length in whole thousandths of a second
    if format.muxer == "mp3":
        args += ["-id3v2_version", "0", "-write_id3v1", "0"]  # tags are written by `tags`, the Xing frame stays
    if format.muxer == "ogg" and sound.samples < SHORT_SECONDS * sound.sample_rate:
        args += ["-page_duration", SHORT_PAGE]
    return [*args, "-f", format.muxer, f"file:{path}"]


def maker(format: Format, sound: Sound) -> tuple[Encoder, Sequence[str]]:  # noqa: A002
    """Which encoder makes it here, and what that one is told."""
    if format.encoder != FFMPEG:
        return format.encoder, format.options
    better = encoders.instead(format.options, rate=output_rate(format, sound.sample_rate))
    short = sound.samples < SHORT_SECONDS * sound.sample_rate  # only ffmpeg lets us choose the length of pages
    if better is None or short or not sound.lossless or sound.samples * sound.channels * 4 > encoders.LARGEST:
        return FFMPEG, format.options
    return better


def _bits_beside(format: Format, sound: Sound) -> int:  # noqa: A002
    """What a lossy encoder is given: no fewer bits than the sound has after decoding and resampling."""
    whole = sound.lossless and output_rate(format, sound.sample_rate) == sound.sample_rate
    return depth(sound) if whole else 24


def _filters(format: Format, sound: Sound, kind: str) -> list[str]:  # noqa: A002
    """What happens to the sound before it is encoded, if anything. `kind` is ffmpeg's name of the samples that come out
    of a change of rate: they have more bits than went in, and left to itself it would round them without dither."""
    if formats.reduces(format, sound):
        return ["-af", DITHER]
    words = []
    rate, length = output_rate(format, sound.sample_rate), output_samples(format, sound)
    if rate != sound.sample_rate:  # by itself a resampler may give one sample too few
        words += [f"aresample={rate}:osf={kind}", f"apad=whole_len={length}"]
    if format.codec == "wmav2":
        words += _wma_silence(rate, length)
    return ["-af", ",".join(words)] if words else []


def _wma_silence(rate: int, length: int) -> list[str]:
    """A decoder of WMA drops the first frame, and the encoder the last if it is not full: so one of silence before the
    sound, and after it what fills the last and one more, into which that one fades."""
    frame = frames.wma_frame(rate)
    return [f"adelay={frame}S:all=1", f"apad=whole_len={2 * frame + length + -length % frame}"]


def _wma_packet(format: Format, rate: int) -> int:  # noqa: A002
    """As large as eight blocks, or ASF fills up to half of each packet with nothing."""
    return 8 * (format.kilobits * 1000 * frames.wma_frame(rate) // (rate * 8) + 17) + 32


def _beside(path: Path) -> Path:
    """Where the WAV lies that another encoder reads."""
    return path.with_name(f"{path.name}.wav")


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
    source: Path,
    sound: Sound,
    outputs: Mapping[Path, Format],
    *,
    on_beat: Callable[[], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Digest:
    """Decode `source` once into all `outputs`; they lie in one folder. Answers the hash of the sound that went in.

    `on_share` hears how much of the sound has gone in, from nought to one.
    """
    bits = depth(sound) if sound.lossless else 16
    digest = Digest(channels=sound.channels, depth=bits)
    folder = next(iter(outputs)).parent
    others = {path: found for path, each in outputs.items() if (found := maker(each, sound))[0] != FFMPEG}
    beside = {path: _shared(folder) if _as_it_is(outputs[path], sound) else _beside(path) for path in others}
    ours = {path for path, each in outputs.items() if each.codec == "pcm" and _as_it_is(each, sound)}
    left = {path: each for path, each in outputs.items() if path not in ours and beside.get(path) != _shared(folder)}
    args = [word for path, each in left.items() for word in arguments(each, sound, path)]
    args += ["-map", "0:a:0", *probe.pcm_args(bits, alone=not left)]
    args = ["-loglevel", "error", *probe.input_args(source, sound.container, strict=sound.lossless), *args]
    room, whole = limits(sound, outputs=len(outputs)), ENCODED if others else 1.0
    try:
        with _writers(sound, {path: outputs[path] for path in ours}, beside.values()) as writers:

            def hear(piece: bytes) -> None:
                digest(piece)
                for writer in writers:
                    writer(piece)
                if on_share is not None:
                    on_share(whole * min(1.0, digest.samples / sound.samples))

            sandbox.run(args, inputs=[source], output_dir=folder, limits=room, on_output=hear, on_beat=on_beat)
        for path, (encoder, words) in others.items():
            _encode_beside(path, encoder, words, beside[path], room, on_beat=on_beat)
    finally:
        for given in {*beside.values()}:
            given.unlink(missing_ok=True)
    say_where_it_ends(outputs, sound)
    return digest


def _as_it_is(format: Format, sound: Sound) -> bool:  # noqa: A002
    """Whether what is written down, or handed to another encoder, is the very sound that comes out of the decoder."""
    same = output_rate(format, sound.sample_rate) == sound.sample_rate and not formats.reduces(format, sound)
    return sound.lossless and same


def _shared(folder: Path) -> Path:
    """Where the sound lies for all other encoders that take it as it is."""
    return folder / "sound.wav"


@contextlib.contextmanager
def _writers(sound: Sound, ours: Mapping[Path, Format], beside: Iterable[Path]) -> Iterator[list[plain.Writer]]:
    """What writes down the sound as it comes; each is whole when this block ends well."""
    with contextlib.ExitStack() as opened:
        writers = [opened.enter_context(plain.Writer(path, sound, kind=each.muxer)) for path, each in ours.items()]
        shared = {path for path in beside if path == _shared(path.parent)}
        writers += [opened.enter_context(plain.Writer(path, sound, kind=plain.SHORT)) for path in shared]
        yield writers
        for each in writers:
            each.close()


def say_where_it_ends(outputs: Mapping[Path, Format], sound: Sound) -> None:
    """What encoders leave to be put right of the words by which players know the end."""
    for path, each in outputs.items():
        if each.muxer == "mp3":
            padding.tell(path, output_samples(each, sound))
        elif each.muxer == "asf":
            wma.tell_length(path, output_samples(each, sound), rate=output_rate(each, sound.sample_rate))


def _encode_beside(
    path: Path,
    encoder: Encoder,
    words: Sequence[str],
    source: Path,
    room: sandbox.Limits,
    *,
    on_beat: Callable[[], None] | None,
) -> None:
    """Let an encoder other than ffmpeg turn the WAV at `source` into the file wanted."""
    encoders.simplify(source)
    sandbox.run_program(
        encoders.command(encoder, words, source, path),
        inputs=[source],
        output_dir=path.parent,
        reads=encoders.reads(encoder),
        limits=room,
        on_beat=on_beat,
    )
    if not path.exists():
        raise RenditionWrong(f"{encoder.name} ended well, but made no file.")


@dataclass(frozen=True)
class Proved:
    """What is certain of a finished file: how many samples a player hears, and the hash of its sound where that must
    be the master's (and of what was decoded whole); else empty."""

    sha256: str
    samples: int


_CONTAINER_OF = {"ipod": "mov", "opus": "ogg"}
END_SECONDS = 2  # of a lossy file that a decoder hears on either side
# How many samples too few come out of a file that is entered at its end: AAC begins with the next frame, and WMA tells
# its time in thousandths of a second.
_ENTERED = {"aac": range(frames.AAC_FRAME), "wmav2": range(-4096, 2048)}


def verify(
    path: Path,
    format: Format,  # noqa: A002
    sound: Sound,
    *,
    sound_sha256: str,
    whole: bool = False,
    on_beat: Callable[[], None] | None = None,
) -> Proved:
    """Prove what was made. Raises RenditionWrong unless a lossless file gives back the master's own sound, and any
    other its length to the sample, at the new rate where that is another.

    Lossless files are decoded; the sound of WAV and AIFF is read as it stands. Of lossy ones all frames are walked
    over, and a decoder hears both ends. Whatever that does not vouch for is decoded whole and judged by that, and so is
    what must be proved `whole` at once; the others are heard to their end later (`hearings`).
    """
    exact = format.lossless and not formats.reduces(format, sound)
    seen = None if whole else at_sight(path, format, sound)
    found = seen or _decoded(path, format, sound, on_beat=on_beat)
    if exact and found.sha256 != sound_sha256:
        raise RenditionWrong(f"The {format.name} file does not hold the master's own sound.")
    if found.samples not in _lengths(format, sound):
        expected = output_samples(format, sound)
        raise RenditionWrong(f"The {format.name} file holds {found.samples} samples instead of {expected}.")
    return found


def _lengths(format: Format, sound: Sound) -> range:  # noqa: A002
    """How many samples a decoder may make of it."""
    more = _MUSEPACK_FRAME if format.codec == "musepack" else format.untrimmed
    expected = output_samples(format, sound)
    return range(expected, expected + more + 1)


def at_sight(path: Path, format: Format, sound: Sound) -> Proved | None:  # noqa: A002
    """What can be told without decoding all of it; None where that is not enough. What passed when it was made passes
    wherever this machine can run its programs."""
    rate = output_rate(format, sound.sample_rate)
    if format.codec == "pcm":
        found = plain.sha256(path, rate=rate, channels=sound.channels, bits=formats.bits(format, sound))
        return Proved(*found) if found else None
    if format.lossless:
        return None
    samples = frames.samples(path, format.codec, rate=rate, channels=sound.channels)
    if samples is None or samples not in _lengths(format, sound):
        return None
    if samples < 2 * END_SECONDS * rate or not _ends_well(path, format, sound, samples):
        return None
    return Proved("", samples)


def _ends_well(path: Path, format: Format, sound: Sound, samples: int) -> bool:  # noqa: A002
    """Whether a decoder makes of the beginning and of the end as many samples as there should be."""
    rate = output_rate(format, sound.sample_rate)
    late = samples // rate - END_SECONDS
    kind = _CONTAINER_OF.get(format.muxer, format.muxer)
    # An MP3 that is entered at its end lacks what its first frame reaches back for, which no decoder likes.
    begin = ["-t", str(END_SECONDS), *probe.input_args(path, kind, strict=True)]
    end = ["-ss", str(late), *probe.input_args(path, kind, strict=format.codec != "mp3")]
    heard = Digest(channels=sound.channels, depth=16)
    args = ["-loglevel", "error", *begin, *end]
    for number in (0, 1):
        args += ["-map", f"{number}:a:0", *probe.pcm_args(16)]
    try:
        sandbox.run(args, inputs=[path], limits=limits(sound, outputs=2), on_output=heard)
    except ProcessFailed:
        return False
    return END_SECONDS * rate + samples - late * rate - heard.samples in _ENTERED.get(format.codec, range(1))


def _decoded(
    path: Path,
    format: Format,  # noqa: A002
    sound: Sound,
    *,
    on_beat: Callable[[], None] | None,
) -> Proved:
    bits = formats.bits(format, sound) if format.lossless else 16
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
    return Proved(found.sha256, found.samples)
