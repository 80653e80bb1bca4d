"""What was measured in a master, as sentences for the label that delivered it: what it is, and what to do. Pure.

Nothing here stops a sale; what does is refused in `probe`. A finding is only said where it is sure enough to be worth
somebody's time: what the numbers merely hint at stands on the page of the master as a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from transcoding.formats import Signal
from transcoding.loudness import HUNDREDTHS, Loudness
from transcoding.spectrum import Edge
from transcoding.waveform import CLIPPED_RUNS, SILENCE, STEREO, Heard

OFFSET = 0.02  # of full scale
MISSING = 10 ** (-60 / 20)  # what a channel must reach to be there
UPSIDE_DOWN = -0.9
LONG_BEFORE, LONG_GAP, LONG_AFTER = 3.0, 20.0, 10.0  # seconds of silence
SHORT, LONG = 1.0, 45 * 60  # seconds
LOUD, QUIET = -700, -3000  # hundredths of LUFS
CODEC_EDGES = range(14_500, 20_700)  # where lossy encoders cut, in hertz
SOURCE_RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000)
BELOW_HALF = 0.91  # of half its rate is where a resampler's cliff lies at the lowest
LOWEST_EDGE = 3_000


@dataclass(frozen=True)
class Found:
    """A finding in the making: see models.Finding."""

    code: str
    severity: str
    message: str


def of(file: Signal, heard: Heard, loudness: Loudness) -> list[Found]:
    """Everything worth saying. A silent file gets no more than that."""
    if not file.lossless:
        lossy = [_note("LOSSY_MASTER", "Lossy master: sold as delivered or in lossy formats, never as lossless.")]
    else:
        lossy = []
    if heard.highest < SILENCE:
        silent = "Nothing can be heard in this file. Is it the right one?"
        return [*lossy, _warning("SILENT", silent)]
    return [
        *lossy,
        *_levels(heard, loudness),
        *_channels(file, heard),
        *_lengths(file, heard),
        *(_origins(file, heard, heard.spectrum.edge()) if file.lossless else ()),
    ]


def _note(code: str, message: str) -> Found:
    return Found(code, "NOTE", message)


def _warning(code: str, message: str) -> Found:
    return Found(code, "WARNING", message)


def _levels(heard: Heard, loudness: Loudness) -> Iterator[Found]:
    if heard.clipped_runs >= CLIPPED_RUNS:
        yield _warning(
            "CLIPPED",
            f"Clipped in {heard.clipped_runs} places: several samples in a row at the top. If that is not meant, "
            "master again with less gain.",
        )
    elif heard.true_peak is not None and heard.true_peak > 0:
        yield _note(
            "TRUE_PEAK_OVER",
            f"True peak {heard.true_peak / HUNDREDTHS:+.1f} dBTP: the wave passes full scale between samples, so "
            "players and lossy formats may clip it. A limiter set to -1 dBTP avoids that.",
        )
    if heard.offset > OFFSET:
        yield _warning(
            "DC_OFFSET",
            f"The wave rests {heard.offset * 100:.1f} % beside nought, which costs headroom and clicks where tracks "
            "join. Remove the DC offset.",
        )
    if loudness.integrated is not None and loudness.integrated > LOUD:
        yield _note(
            "LOUD",
            f"Very loud: {loudness.integrated / HUNDREDTHS:.1f} LUFS. Players that level loudness turn it down, so the "
            "loudness gains nothing.",
        )
    if loudness.integrated is not None and loudness.integrated < QUIET:
        yield _note(
            "QUIET",
            f"Very quiet: {loudness.integrated / HUNDREDTHS:.1f} LUFS. If that is not meant, check the export's level.",
        )


def _channels(file: Signal, heard: Heard) -> Iterator[Found]:
    if file.channels == 1:
        yield _note("MONO", "Mono.")
    elif heard.same_channels:
        yield _note("SAME_CHANNELS", "Both channels hold the same sound: this is mono kept as stereo.")
    elif heard.quietest_channel < MISSING:
        yield _warning("MISSING_CHANNEL", "One channel is silent: one ear hears nothing. Check the export.")
    elif file.channels == STEREO and heard.likeness < UPSIDE_DOWN:
        yield _warning(
            "INVERTED_CHANNEL",
            "One channel runs against the other: on one speaker, as a phone's, most of it vanishes. Turn one over.",
        )


def _lengths(file: Signal, heard: Heard) -> Iterator[Found]:
    seconds = heard.samples / file.sample_rate
    if heard.before >= LONG_BEFORE:
        yield _note("SILENCE_BEFORE", f"{heard.before:.1f} s of silence before the sound begins.")
    if heard.gap >= LONG_GAP:
        yield _note(
            "SILENCE_WITHIN",
            f"{heard.gap:.0f} s of silence in the middle. If a hidden track follows, deliver it as a track of its own.",
        )
    if heard.after >= LONG_AFTER:
        yield _note("SILENCE_AFTER", f"{heard.after:.1f} s of silence after the sound has ended.")
    if seconds < SHORT:
        yield _note("SHORT", f"Only {seconds:.2f} s long. Is it the whole recording?")
    elif seconds > LONG:
        yield _note(
            "LONG", f"{seconds / 60:.0f} minutes long. If it is several pieces, deliver each as a track of its own."
        )


def _origins(file: Signal, heard: Heard, edge: Edge) -> Iterator[Found]:
    """What a lossless file shows of having been something less before."""
    if 0 < heard.true_depth < file.bit_depth:
        yield _warning(
            "PADDED_BITS",
            f"Only {heard.true_depth} of its {file.bit_depth} bits ever move: the rest are noughts, and buyers would "
            f"pay for a depth that is not there. Deliver the {heard.true_depth}-bit original, or the real "
            f"{file.bit_depth}-bit master.",
        )
    if not edge.cliff or edge.hertz < LOWEST_EDGE:
        return
    kilohertz = f"{edge.hertz / 1000:.1f} kHz"
    source = _resampled_from(edge.hertz, file.sample_rate)
    if edge.hertz in CODEC_EDGES:
        yield _warning(
            "LOSSY_ANCESTRY",
            f"The sound ends at {kilohertz} as if cut with a knife, as in MP3 or AAC files. If it was made from one, "
            "deliver what that was made from; if it is meant to sound so, nothing need be done.",
        )
    elif source:
        yield _warning(
            "UPSAMPLED",
            f"Nothing is heard above {kilohertz}: it seems to have been {source / 1000:g} kHz before it became "
            f"{file.sample_rate / 1000:g}. Deliver the {source / 1000:g} kHz original; more samples add no sound.",
        )


def _resampled_from(hertz: int, rate: int) -> int:
    """The rate a sound that ends there had before; nought where it may as well be its own."""
    return next(
        (
            source
            for source in SOURCE_RATES
            if source < rate * 0.98 and source / 2 * BELOW_HALF <= hertz <= source / 2 * 1.03
        ),
        0,
    )
