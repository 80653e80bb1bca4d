"""Every format this store makes, and what is true of each. Pure: one table that answers every question.

A format never promises more than its master holds: nothing lossless comes out of a lossy master, a lossy master is
not encoded again into its own codec (the delivered file itself is better and is offered as ORIGINAL), no bit rate is
named that the codec cannot reach at that sample rate, and bits are reduced only where the buyer asks, with dither.

A code is a family and a grade: MP3_V2 by quality, MP3_224 by kbit/s, OGG_Q7, FLAC, FLAC_16. Every grade there is stands
in FORMATS, so that each has one name, and the files kept of a recording have a number that can be told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from transcoding import encoders
from transcoding.encoders import FFMPEG, JMAC, MPCENC, Encoder
from transcoding.errors import UnknownFormat

STANDARD_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (48000,)
MUSEPACK_RATES = (32000, 37800, 44100, 48000)
COMPACT_DEPTH = 16  # bits; what holds more is kept as 24
WMA_MOST = 160  # kbit/s per channel at 44.1 kHz
AAC_BOTH, AAC_MANY = (
    192,
    256,
)  # kbit/s that are enough for both channels; from which ffmpeg's `fast` coder serves better
AAC_EDGE = 18500  # Hz, up to which that one has bits to spend
SIGNED_FILE = 2**31 - 2**20  # bytes: readers of AIFF and Monkey's Audio, and of what Musepack is made from, count so
HELD = 2**30  # bytes: ffmpeg holds a TTA in memory until it is whole, and the fence gives it two of these


class Signal(Protocol):
    """What samples are and how well they were kept."""

    @property
    def lossless(self) -> bool: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def bit_depth(self) -> int: ...
    @property
    def channels(self) -> int: ...


class Sound(Signal, Protocol):
    """What a format must know of a master."""

    @property
    def container(self) -> str: ...
    @property
    def codec(self) -> str: ...
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
    DELIVERED = "as the delivered file's kind has them"


class Shelf(StrEnum):
    """Where a buyer finds a format: among the first, behind one click, or by asking for that very grade."""

    FIRST = "first"
    MORE = "more"
    GRADE = "grade"
    PREVIEW = "preview"


class Family(StrEnum):
    """What a format is a member of; the value is what it is called."""

    FLAC = "FLAC"
    ALAC = "Apple Lossless"
    WAV = "WAV"
    AIFF = "AIFF"
    WAVPACK = "WavPack"
    TTA = "TTA"
    APE = "Monkey's Audio"
    MP3 = "MP3"
    VORBIS = "Ogg Vorbis"
    AAC = "AAC"
    OPUS = "Opus"
    MUSEPACK = "Musepack"
    WMA = "Windows Media Audio"
    ORIGINAL = "As delivered"


@dataclass(frozen=True)
class Format:
    """One thing a buyer may ask for (or, for previews, listen to).

    `kilobits` is the rate of a stereo track at its usual loudness, nought where size follows the sound; the encoder is
    told it where `steady`, elsewhere it only serves estimates. `weight` is what a lossless codec leaves of it, in
    thousandths. `recipe` rises when the same code would give other bytes. `rates` are those the codec can hold; none:
    any. `ahead`: made as soon as a recording is cleared, not on first demand. `bits` are what sound is reduced to,
    nought: as the master. `untrimmed` samples at most may follow the sound, where a container has no place to say where
    it ends. `largest` is the most PCM that its files can hold, in bytes.
    """

    code: str
    name: str
    family: Family
    extension: str
    media_type: str
    muxer: str
    codec: str
    tagger: Tagger
    lossless: bool = False
    ahead: bool = False
    shelf: Shelf = Shelf.MORE
    kilobits: int = 0
    steady: bool = False
    weight: int = 0
    options: tuple[str, ...] = ()
    rates: tuple[int, ...] = ()
    bits: int = 0
    untrimmed: int = 0
    largest: int = 0
    encoder: Encoder = FFMPEG
    recipe: int = 1

    @property
    def preview(self) -> bool:
        return self.shelf is Shelf.PREVIEW


_MP3 = Format("", "MP3", Family.MP3, "mp3", "audio/mpeg", "mp3", "mp3", Tagger.ID3, rates=STANDARD_RATES)
_AAC = Format("", "AAC", Family.AAC, "m4a", "audio/mp4", "ipod", "aac", Tagger.MP4, rates=STANDARD_RATES)
_OGG = Format("", "Ogg Vorbis", Family.VORBIS, "ogg", "audio/ogg", "ogg", "vorbis", Tagger.OGG)
_OPUS = Format("", "Opus", Family.OPUS, "opus", "audio/ogg", "opus", "opus", Tagger.OPUS, rates=OPUS_RATES)
_WMA = Format("", "WMA", Family.WMA, "wma", "audio/x-ms-wma", "asf", "wmav2", Tagger.ASF, rates=STANDARD_RATES,
              untrimmed=2 * 2048, recipe=2)  # fmt: skip
_MPC = Format("", "Musepack", Family.MUSEPACK, "mpc", "audio/x-musepack", "mpc8", "musepack", Tagger.APE,
              rates=MUSEPACK_RATES, largest=SIGNED_FILE, encoder=MPCENC)  # fmt: skip

_MP3_QUALITIES = {0: 245, 1: 225, 2: 190, 3: 175, 4: 165, 5: 130, 6: 115}
_MP3_BITRATES = (96, 112, 128, 160, 192, 224, 256, 320)
_OGG_QUALITIES = {2: 96, 3: 112, 4: 128, 5: 160, 6: 192, 7: 224, 8: 256, 9: 320, 10: 500}
_MPC_QUALITIES = {4: 130, 5: 180, 6: 210, 7: 240, 8: 270, 9: 300, 10: 350}
_STEP = 8  # kbit/s between two grades of one codec


def _by_bitrate(kind: Format, code: str, kilobits: int, *options: str) -> Format:
    words = (*options, "-b:a", f"{kilobits}k")
    return replace(
        kind,
        code=f"{code}_{kilobits}",
        name=f"{kind.name} {kilobits} kbit/s",
        kilobits=kilobits,
        steady=True,
        options=words,
        shelf=Shelf.GRADE,
    )


def _by_quality(kind: Format, code: str, mark: str, step: int, kilobits: int, *options: str) -> Format:
    return replace(
        kind,
        code=f"{code}_{mark.upper()}{step}",
        name=f"{kind.name} {mark}{step}",
        kilobits=kilobits,
        options=options,
        shelf=Shelf.GRADE,
    )


def _aac(kilobits: int) -> tuple[str, ...]:
    """No noise drawn in for the sound's own, and with enough bits each channel gets its own: the error lies further
    below what masks it, at the same size. With many, the `fast` coder does at least as well for half the cost, if it
    need not spend them above AAC_EDGE. docs/performance.md has the figures."""
    coder = ("-aac_coder", "fast", "-cutoff", str(AAC_EDGE)) if kilobits >= AAC_MANY else ()
    return ("-c:a", "aac", *coder, "-aac_pns", "0", "-aac_is", "0" if kilobits >= AAC_BOTH else "1")


def _grades() -> list[Format]:
    """Every step that may be asked for. By eights, since nobody hears a ninth and each file asked for is kept."""
    lame, opus = ("-c:a", "libmp3lame"), ("-c:a", "libopus", "-vbr", "on")
    found = [_by_quality(_MP3, "MP3", "V", q, rate, *lame, "-q:a", str(q)) for q, rate in _MP3_QUALITIES.items()]
    found += [_by_bitrate(_MP3, "MP3", rate, *lame) for rate in _MP3_BITRATES]
    found += [
        replace(_by_bitrate(_AAC, "AAC", rate, *_aac(rate)), recipe=2 if rate >= AAC_MANY else 1)
        for rate in range(96, 321, _STEP)
    ]
    found += [
        _by_quality(_OGG, "OGG", "q", q, rate, "-c:a", "libvorbis", "-q:a", str(q))
        for q, rate in _OGG_QUALITIES.items()
    ]
    found += [_by_bitrate(_OPUS, "OPUS", rate, *opus) for rate in range(64, 257, _STEP)]
    found += [_by_bitrate(_WMA, "WMA", rate, "-c:a", "wmav2") for rate in range(96, 321, _STEP)]
    found += [
        _by_quality(_MPC, "MPC", "q", q, rate, "--silent", "--overwrite", "--quality", str(q))
        for q, rate in _MPC_QUALITIES.items()
    ]
    return found


# FLAC's frame size is fixed because ffmpeg 9 otherwise takes over that of whatever came in: 102 samples from a
# resampler made files a third larger.
_LOSSLESS = (
    Format("FLAC", "FLAC", Family.FLAC, "flac", "audio/flac", "flac", "flac", Tagger.FLAC, lossless=True,
           weight=600, options=("-c:a", "flac", "-compression_level", "5", "-frame_size", "4096")),
    Format("ALAC", "Apple Lossless", Family.ALAC, "m4a", "audio/mp4", "ipod", "alac", Tagger.MP4, lossless=True,
           weight=615, options=("-c:a", "alac")),
    Format("WAV", "WAV", Family.WAV, "wav", "audio/wav", "wav", "pcm", Tagger.RIFF, lossless=True,
           weight=1000, options=("-rf64", "auto"), recipe=2),
    Format("AIFF", "AIFF", Family.AIFF, "aiff", "audio/aiff", "aiff", "pcm", Tagger.AIFF, lossless=True,
           weight=1000, largest=SIGNED_FILE),
    Format("WV", "WavPack", Family.WAVPACK, "wv", "audio/x-wavpack", "wv", "wavpack", Tagger.APE, lossless=True,
           weight=595, options=("-c:a", "wavpack")),
    Format("TTA", "TTA", Family.TTA, "tta", "audio/x-tta", "tta", "tta", Tagger.APE, lossless=True,
           weight=590, options=("-c:a", "tta"), largest=HELD),
    Format("APE", "Monkey's Audio", Family.APE, "ape", "audio/x-ape", "ape", "ape", Tagger.APE, lossless=True,
           weight=570, options=("c2",), largest=SIGNED_FILE, encoder=JMAC),
)  # fmt: skip
_REDUCED = tuple(
    replace(each, code=f"{each.code}_16", name=f"{each.name}, dithered to 16 bit", bits=COMPACT_DEPTH)
    for each in _LOSSLESS
)
_ORIGINAL = Format(
    "ORIGINAL",
    "the delivered file itself",
    Family.ORIGINAL,
    "",
    "",
    "",
    "",
    Tagger.DELIVERED,
    ahead=True,
    shelf=Shelf.FIRST,
    recipe=2,
)
_PREVIEWS = (
    replace(_by_bitrate(_MP3, "PREVIEW", 160, "-c:a", "libmp3lame"), code="PREVIEW_MP3", name="preview, MP3",
            ahead=True, shelf=Shelf.PREVIEW),
    replace(_by_bitrate(_OPUS, "PREVIEW", 96, "-c:a", "libopus"), code="PREVIEW_OPUS", name="preview, Opus",
            shelf=Shelf.PREVIEW),
)  # fmt: skip

# By quality, so that it holds at every sample rate.
_FOR_REVIEW = replace(_by_quality(_MP3, "MP3", "V", 5, _MP3_QUALITIES[5], "-c:a", "libmp3lame", "-q:a", "5"),
                      code="REVIEW", name="copy for reviewers, MP3", shelf=Shelf.PREVIEW)  # fmt: skip

# Best and most wanted first; the rest of the table behind one click, and each grade in between on request.
_FIRST = ("FLAC", "MP3_V0", "MP3_320", "OGG_Q6", "AAC_256", "ALAC", "OPUS_128", "WAV", "AIFF")
_MORE = (
    *("WV", "TTA", "APE"),
    *(each.code for each in _REDUCED),
    *("MP3_V2", "MP3_256", "MP3_192", "MP3_128", "AAC_192", "AAC_128"),
    *("OGG_Q9", "OGG_Q8", "OGG_Q7", "OGG_Q5", "OGG_Q4"),
    *("OPUS_256", "OPUS_192", "OPUS_160", "OPUS_96"),
    *("MPC_Q7", "MPC_Q6", "MPC_Q5", "WMA_192", "WMA_160", "WMA_128"),
)
_AHEAD = ("FLAC", "MP3_V0", "MP3_320", "OGG_Q6")


def _table() -> list[Format]:
    known = {each.code: each for each in (*_LOSSLESS, *_REDUCED, *_grades())}
    first = [replace(known.pop(code), shelf=Shelf.FIRST, ahead=code in _AHEAD) for code in _FIRST]
    more = [replace(known.pop(code), shelf=Shelf.MORE) for code in _MORE]
    return [_ORIGINAL, *first, *more, *known.values(), *_PREVIEWS, _FOR_REVIEW]


_TABLE = _table()
FORMATS: Mapping[str, Format] = {each.code: each for each in _TABLE}
_LONG_NAMES = {f"MP3_CBR_{rate}": f"MP3_{rate}" for rate in _MP3_BITRATES}

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


_IN_BROWSERS = {"flac", "wav", "mp3", "mov/aac"}  # by container, or container and codec: what all of them play
_PLAIN_WAV = 2**32  # bytes; beyond, a WAV has another kind of header, which some do not read

NAMED = tuple(each.code for each in _TABLE if each.shelf in {Shelf.FIRST, Shelf.MORE})


def get(code: str) -> Format:
    try:
        return FORMATS[_LONG_NAMES.get(code, code)]
    except KeyError:
        raise UnknownFormat(
            f"There is no format {code!r}. Ask for one of {', '.join(NAMED)}, or a grade such as MP3_V3 or OPUS_144."
        ) from None


# -- What may be sold --------------------------------------------------------------------------------------------------


def available() -> dict[str, str]:
    """Why each named format is not made here; nothing where it is."""
    return {code: unavailable(FORMATS[code]) for code in NAMED}


def unavailable(format: Format) -> str:  # noqa: A002 - the trade's word
    if encoders.installed(format.encoder):
        return ""
    return f"needs {format.encoder.name}, which is not installed (Debian: {format.encoder.packages})"


def is_offered(format: Format, master: Sound) -> bool:  # noqa: A002
    """Whether `format` may honestly be sold from `master`, and can be made here. Previews are not sold."""
    return not refusal(format, master)


def refusal(format: Format, master: Sound) -> str:  # noqa: A002, PLR0911 - one answer for each reason
    """Why `format` is not sold from `master`; nothing where it is."""
    if format.code == "ORIGINAL":
        return "lossless files hold the same sound" if master.lossless else ""
    if format.preview:
        return "it is a preview"
    if why := unavailable(format):
        return why
    if format.lossless:
        if not master.lossless:
            return "the master is lossy"
        if format.bits and depth(master) <= format.bits:
            return f"the master has no more than {format.bits} bits"
        return _too_large(format, master)
    if not master.lossless and format.codec == master.codec:
        return "the delivered file itself is better"
    if not _reaches(format, master):
        return f"it cannot spend that bit rate at {output_rate(format, master.sample_rate) / 1000:g} kHz"
    return _too_large(format, master)


def _too_large(format: Format, master: Sound) -> str:  # noqa: A002
    size = _pcm(format, master)
    if not format.largest or size <= format.largest:
        return ""
    return f"it holds {format.largest / 2**30:.1f} GiB of sound at most, and this recording has {size / 2**30:.1f}"


def _reaches(format: Format, master: Sound) -> bool:  # noqa: A002
    """Whether the codec can spend the bit rate it is named for at this sample rate. Sources: ISO 11172-3 and 13818-3
    (bit rates of MPEG-1, 2 and 2.5), ISO 14496-3 (6144 bits per channel and frame), and what encoders refuse."""
    if not format.steady:
        return True
    rate = output_rate(format, master.sample_rate)
    if format.codec == "mp3":
        most = 320 if rate >= 32000 else 160 if rate >= 16000 else 64  # noqa: PLR2004 - the three tables of MPEG
    elif format.codec == "aac":
        most = 6144 * master.channels * rate // 1024 // 1000
    elif format.codec == "wmav2":
        most = WMA_MOST * master.channels * rate // 44100
    else:
        most = format.kilobits
    return format.kilobits <= most


def offered_for(master: Sound) -> list[Format]:
    """The named formats that may honestly be sold from `master`, best first."""
    return [each for each in (FORMATS[code] for code in NAMED) if is_offered(each, master)]


def first_for(master: Sound) -> list[Format]:
    """Those of the offered that a buyer sees before asking for more."""
    return [each for each in offered_for(master) if each.shelf is Shelf.FIRST]


def ahead_for(master: Sound) -> list[Format]:
    """Those of the offered that are made as soon as the recording is cleared."""
    return [each for each in offered_for(master) if each.ahead]


def grades_for(master: Sound) -> list[Format]:
    """Everything that may be asked for, the named ones among it, family by family."""
    places = {family: place for place, family in enumerate(Family)}
    return sorted((each for each in _TABLE if is_offered(each, master)), key=lambda each: places[each.family])


def common(lists: Iterable[Iterable[Format]]) -> list[Format]:
    """What all of several recordings can be had in, in the first one's order."""
    every = [list(one) for one in lists]
    if not every:
        return []
    codes = set.intersection(*({each.code for each in one} for one in every))
    return [each for each in every[0] if each.code in codes]


# -- What is true of it ------------------------------------------------------------------------------------------------


def _delivered(master: Sound) -> tuple[str, str, str]:
    return _DELIVERED.get(f"{master.container}/{master.codec}") or _DELIVERED[master.container]


def plays_in_browsers(master: Sound) -> bool:
    """Whether any browser of today plays the delivered file as it is."""
    known = master.container in _IN_BROWSERS or f"{master.container}/{master.codec}" in _IN_BROWSERS
    return known and master.bytes < _PLAIN_WAV


_TAGGERS = {"mp3": Tagger.ID3, "wv": Tagger.APE, "mov": Tagger.MP4, "ogg": Tagger.OGG, "ogg/opus": Tagger.OPUS}


def for_master(format: Format, master: Sound) -> Format:  # noqa: A002
    """The format with what the table must leave open: how the delivered file is tagged depends on what it is."""
    if format.tagger is not Tagger.DELIVERED:
        return format
    kind = _TAGGERS.get(f"{master.container}/{master.codec}") or _TAGGERS[master.container]
    return replace(format, tagger=kind)


def extension(format: Format, master: Sound) -> str:  # noqa: A002
    return format.extension or _delivered(master)[0]


def media_type(format: Format, master: Sound) -> str:  # noqa: A002
    return format.media_type or _delivered(master)[1]


def label(format: Format, master: Sound) -> str:  # noqa: A002
    """The name a buyer reads, with what it really is."""
    if format.code == "ORIGINAL":
        return f"{_delivered(master)[2]}, the delivered file itself"
    if format.lossless:
        return format.name if format.bits else f"{format.name}, lossless"
    return format.name if master.lossless else f"{format.name}, made from a lossy source"


def depth(master: Sound) -> int:
    """Bits per sample of a master's sound as it is kept: 16 or 24, never fewer than it holds."""
    return COMPACT_DEPTH if master.bit_depth <= COMPACT_DEPTH else 24


def bits(format: Format, master: Sound) -> int:  # noqa: A002
    """Bits per sample of a lossless rendition: as the master, or those that the buyer asked for."""
    return format.bits or depth(master)


def reduces(format: Format, master: Sound) -> bool:  # noqa: A002
    """Whether bits are taken away, so that the sound must be dithered and is no longer the master's own."""
    return format.lossless and bits(format, master) < depth(master)


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
        return f"{float(rate):g} kHz, {bits(format, master)} bit, {channels}"
    kilobits = format.kilobits
    if format.code == "ORIGINAL":
        kilobits = master.bytes * 8 * master.sample_rate // (master.samples * 1000)
    elif not format.steady:
        kilobits = _usual(format, master)
    about = "" if format.steady and format.codec != "opus" else "about "
    return f"{about}{kilobits} kbit/s, {float(rate):g} kHz, {channels}"


def notes(format: Format, master: Sound) -> list[str]:  # noqa: A002
    """What a buyer should know before paying, in plain words; empty where there is nothing to tell."""
    said = []
    rate = output_rate(format, master.sample_rate)
    if rate != master.sample_rate:
        said.append(f"Resampled from {master.sample_rate / 1000:g} to {rate / 1000:g} kHz, as {format.name} needs.")
    if reduces(format, master):
        said.append(f"Reduced from {depth(master)} to {format.bits} bits with dither: the master's own depth is above.")
    if format.untrimmed:
        said.append("Players leave a short gap between tracks: this kind of file cannot say where the sound ends.")
    if format.code == "ORIGINAL":
        said.append("The label's own sound, byte for byte, with tags as in every file here.")
    elif not master.lossless:
        said.append("Made from a lossy source: the delivered file itself sounds at least as good.")
    return said


# -- How large it is ---------------------------------------------------------------------------------------------------

_WEIGHT_OF = {each.codec: each.weight for each in _LOSSLESS if each.codec != "pcm"}


def _pcm(format: Format, master: Sound) -> int:  # noqa: A002
    return output_samples(format, master) * master.channels * bits(format, master) // 8


def _usual(format: Format, master: Sound) -> int:  # noqa: A002
    """The kbit/s to expect where quality is fixed: mono takes three fifths of stereo, half the sample rate half."""
    share = Fraction(3, 5) if master.channels == 1 else Fraction(1)
    rate = Fraction(min(44100, output_rate(format, master.sample_rate)), 44100)
    return max(1, round(format.kilobits * share * rate))


def estimate(format: Format, master: Sound) -> int:  # noqa: A002
    """Bytes to expect before the file is made; only ever shown marked as an estimate."""
    if format.code == "ORIGINAL":
        return master.bytes
    pcm = _pcm(format, master)
    if format.codec == "pcm":
        return pcm + 44
    if format.lossless:
        known = _WEIGHT_OF.get(master.codec)
        if known is None:
            return pcm * format.weight // 1000
        like = master.bytes * format.weight // known  # what was delivered tells best how the sound can be packed
        return max(pcm // 4, like - (master.samples * master.channels if reduces(format, master) else 0))
    kilobits = format.kilobits if format.steady else _usual(format, master)
    return max(1, kilobits * 125 * master.samples // master.sample_rate)
