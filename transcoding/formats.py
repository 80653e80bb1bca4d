"""Every format this store makes, and what is true of each. Pure: one table that answers every question.

A format never promises more than its master holds: nothing lossless comes out of a lossy master, and a lossy master is
not encoded again into its own codec, since the delivered file itself is better and is offered as ORIGINAL.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from transcoding.errors import UnknownFormat

STANDARD_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (48000,)
COMPACT_DEPTH = 16  # bits; what holds more is kept as 24


class Sound(Protocol):
    """What a format must know of a master."""

    @property
    def container(self) -> str: ...
    @property
    def codec(self) -> str: ...
    @property
    def lossless(self) -> bool: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def bit_depth(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def bytes(self) -> int: ...


class Tagger(StrEnum):
    ID3 = "ID3v2.4"
    RIFF = "ID3v2.4 in a RIFF chunk"
    AIFF = "ID3v2.4 in an AIFF chunk"
    FLAC = "Vorbis comments in FLAC"
    OGG = "Vorbis comments in Ogg"
    OPUS = "Vorbis comments in Ogg Opus"
    MP4 = "MP4 atoms"
    APE = "APEv2"
    ASF = "ASF attributes"
    NONE = "as delivered"


@dataclass(frozen=True)
class Format:
    """One thing a buyer may ask for (or, for previews, listen to).

    `kilobits` is the rate of a stereo track at its usual loudness, only for estimates; nought where size follows the
    sound. `recipe` rises when the same code would give other bytes. `rates` are those the codec can hold; none: any.
    `ahead`: made as soon as a recording is cleared, not on first demand.
    """

    code: str
    name: str
    extension: str
    media_type: str
    muxer: str
    codec: str
    tagger: Tagger
    lossless: bool
    ahead: bool
    kilobits: int
    options: tuple[str, ...] = ()
    rates: tuple[int, ...] = ()
    preview: bool = False
    recipe: int = 1


# FLAC's frame size is fixed because ffmpeg 9 otherwise takes over that of whatever came in: 102 samples from a
# resampler made files a third larger.
_TABLE = (
    Format("FLAC", "FLAC", "flac", "audio/flac", "flac", "flac", Tagger.FLAC, lossless=True, ahead=True, kilobits=0,
           options=("-c:a", "flac", "-compression_level", "5", "-frame_size", "4096")),
    Format("MP3_V0", "MP3 V0", "mp3", "audio/mpeg", "mp3", "mp3", Tagger.ID3, lossless=False, ahead=True, kilobits=245,
           options=("-c:a", "libmp3lame", "-q:a", "0"), rates=STANDARD_RATES),
    Format("MP3_320", "MP3 320 kbit/s", "mp3", "audio/mpeg", "mp3", "mp3", Tagger.ID3, lossless=False, ahead=True,
           kilobits=320, options=("-c:a", "libmp3lame", "-b:a", "320k"), rates=STANDARD_RATES),
    Format("OGG_Q6", "Ogg Vorbis q6", "ogg", "audio/ogg", "ogg", "vorbis", Tagger.OGG, lossless=False, ahead=True,
           kilobits=192, options=("-c:a", "libvorbis", "-q:a", "6")),
    Format("AAC_256", "AAC 256 kbit/s", "m4a", "audio/mp4", "ipod", "aac", Tagger.MP4, lossless=False, ahead=False,
           kilobits=256, options=("-c:a", "aac", "-b:a", "256k"), rates=STANDARD_RATES),
    Format("ALAC", "Apple Lossless", "m4a", "audio/mp4", "ipod", "alac", Tagger.MP4, lossless=True, ahead=False,
           kilobits=0, options=("-c:a", "alac")),
    Format("OPUS_128", "Opus 128 kbit/s", "opus", "audio/ogg", "opus", "opus", Tagger.OPUS, lossless=False,
           ahead=False, kilobits=128, options=("-c:a", "libopus", "-b:a", "128k", "-vbr", "on"), rates=OPUS_RATES),
    Format("WAV", "WAV", "wav", "audio/wav", "wav", "pcm", Tagger.RIFF, lossless=True, ahead=False, kilobits=0,
           options=("-rf64", "auto")),
    Format("AIFF", "AIFF", "aiff", "audio/aiff", "aiff", "pcm", Tagger.AIFF, lossless=True, ahead=False, kilobits=0),
    Format("ORIGINAL", "the delivered file itself", "", "", "", "", Tagger.NONE, lossless=False, ahead=True,
           kilobits=0),
    Format("PREVIEW_MP3", "preview, MP3", "mp3", "audio/mpeg", "mp3", "mp3", Tagger.ID3, lossless=False, ahead=True,
           kilobits=160, options=("-c:a", "libmp3lame", "-b:a", "160k"), rates=STANDARD_RATES, preview=True),
    Format("PREVIEW_OPUS", "preview, Opus", "opus", "audio/ogg", "opus", "opus", Tagger.OPUS, lossless=False,
           ahead=False, kilobits=96, options=("-c:a", "libopus", "-b:a", "96k"), rates=OPUS_RATES, preview=True),
)  # fmt: skip
FORMATS = {each.code: each for each in _TABLE}

_DELIVERED = {  # what a delivered file is called: by container and, where that leaves it open, by codec
    "flac": ("flac", "audio/flac", "FLAC"),
    "wav": ("wav", "audio/wav", "WAV"),
    "aiff": ("aiff", "audio/aiff", "AIFF"),
    "mp3": ("mp3", "audio/mpeg", "MP3"),
    "wv": ("wv", "audio/x-wavpack", "WavPack"),
    "mov": ("m4a", "audio/mp4", "AAC"),
    "mov/alac": ("m4a", "audio/mp4", "Apple Lossless"),
    "ogg": ("ogg", "audio/ogg", "Ogg Vorbis"),
    "ogg/opus": ("opus", "audio/ogg", "Opus"),
    "ogg/flac": ("oga", "audio/ogg", "Ogg FLAC"),
}


def get(code: str) -> Format:
    try:
        return FORMATS[code]
    except KeyError:
        raise UnknownFormat(f"There is no format {code!r}; known are {', '.join(FORMATS)}.") from None


def offered_for(master: Sound) -> list[Format]:
    """What may honestly be sold from `master`, best first. Previews are not sold."""
    if master.lossless:
        return [each for each in _TABLE if not each.preview and each.code != "ORIGINAL"]
    made = [
        each
        for each in _TABLE
        if not each.preview and not each.lossless and each.code != "ORIGINAL" and each.codec != master.codec
    ]
    return [FORMATS["ORIGINAL"], *made]


def ahead_for(master: Sound) -> list[Format]:
    """Those of the offered that are made as soon as the recording is cleared."""
    return [each for each in offered_for(master) if each.ahead]


def _delivered(master: Sound) -> tuple[str, str, str]:
    return _DELIVERED.get(f"{master.container}/{master.codec}") or _DELIVERED[master.container]


def extension(format: Format, master: Sound) -> str:  # noqa: A002
    return format.extension or _delivered(master)[0]


def media_type(format: Format, master: Sound) -> str:  # noqa: A002
    return format.media_type or _delivered(master)[1]


def label(format: Format, master: Sound) -> str:  # noqa: A002
    """The name a buyer reads, with what it really is."""
    if format.code == "ORIGINAL":
        return f"{_delivered(master)[2]}, the delivered file itself"
    if format.lossless:
        return f"{format.name}, lossless"
    return format.name if master.lossless else f"{format.name}, made from a lossy source"


def depth(master: Sound) -> int:
    """Bits per sample of a lossless rendition: 16 or 24, never fewer than the master holds."""
    return COMPACT_DEPTH if master.bit_depth <= COMPACT_DEPTH else 24


def output_rate(format: Format, rate: int) -> int:  # noqa: A002
    """The sample rate of `format` made from sound at `rate`: its own wherever the codec can hold it.

    Opus is 48 kHz by nature. MP3 ends at 48 kHz, so 96 kHz becomes 48 and 88.2 becomes 44.1 (an exact half).
    Otherwise the next higher rate that the codec knows, so that nothing audible is lost.
    """
    if not format.rates or rate in format.rates:
        return rate
    halves = [each for each in format.rates if rate % each == 0 and rate > format.rates[-1]]
    if halves:
        return halves[-1]
    return next((each for each in format.rates if each > rate), format.rates[-1])


def output_samples(format: Format, master: Sound) -> int:  # noqa: A002
    """How many samples per channel a decoder must give back after trimming encoder delay and padding."""
    return -(-master.samples * output_rate(format, master.sample_rate) // master.sample_rate)


def quality(format: Format, master: Sound) -> str:  # noqa: A002
    """What a buyer gets, in numbers: "44.1 kHz, 16 bit, stereo" or "about 245 kbit/s, 48 kHz, stereo"."""
    rate = Fraction(output_rate(format, master.sample_rate), 1000)
    channels = "mono" if master.channels == 1 else "stereo"
    if format.lossless or (format.code == "ORIGINAL" and master.lossless):
        return f"{float(rate):g} kHz, {depth(master)} bit, {channels}"
    if format.code == "ORIGINAL":
        kilobits = master.bytes * 8 * master.sample_rate // (master.samples * 1000)
        return f"about {kilobits} kbit/s, {float(rate):g} kHz, {channels}"
    about = "" if f"{format.kilobits} kbit/s" in format.name else "about "
    return f"{about}{format.kilobits} kbit/s, {float(rate):g} kHz, {channels}"


def notes(format: Format, master: Sound) -> list[str]:  # noqa: A002
    """What a buyer should know before paying, in plain words; empty where there is nothing to tell."""
    said = []
    rate = output_rate(format, master.sample_rate)
    if rate != master.sample_rate:
        said.append(f"Resampled from {master.sample_rate / 1000:g} to {rate / 1000:g} kHz, as {format.name} needs.")
    if not master.lossless and format.code != "ORIGINAL":
        said.append("Made from a lossy source: the delivered file itself sounds at least as good.")
    return said


def estimate(format: Format, master: Sound) -> int:  # noqa: A002
    """Bytes to expect before the file is made; only ever shown marked as an estimate."""
    if format.code == "ORIGINAL":
        return master.bytes
    pcm = master.samples * master.channels * depth(master) // 8
    if format.codec == "pcm":
        return pcm + 44
    if format.lossless:
        return master.bytes if master.codec in {"flac", "alac", "wavpack"} else pcm * 3 // 5
    kilobits = format.kilobits if master.channels > 1 or "320" in format.code else format.kilobits * 3 // 5
    return kilobits * 125 * master.samples // master.sample_rate
