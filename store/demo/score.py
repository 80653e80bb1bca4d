"""A score in beats, and its performance: notes placed in a stereo room, echoed, and brought to level."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from store.demo.instruments import Sound

Instrument = Callable[[float, float, int], Sound]
FIRST_ECHO_SECONDS = 0.012
PEAK = 10 ** (-1.2 / 20)  # full scale less 1.2 dB: room for the overshoot of lossy decoders


@dataclass(frozen=True)
class Note:
    """One note: `at` and `length` in beats, `pitch` a MIDI number, `loud` from 0 to 1, `pan` from -1 (left) to 1."""

    instrument: Instrument
    at: float
    pitch: float
    length: float
    loud: float = 0.7
    pan: float = 0.0


@dataclass
class Score:
    """A piece as it is written: its tempo in beats per minute, its room (seconds of echo, share of it), its notes."""

    tempo: float
    room_seconds: float = 1.8
    room_share: float = 0.22
    notes: list[Note] = field(default_factory=list)

    def play(self, instrument: Instrument, line: Iterable[tuple[float, float, float]], **how: float) -> None:
        """Write `line`, of (beat, pitch, length), for one instrument."""
        self.notes.extend(Note(instrument, at, pitch, length, **how) for at, pitch, length in line)


def perform(score: Score, *, rate: int) -> Sound:
    """The piece as an array of shape (frames, 2), between -1 and 1, with a second of silence at its end."""
    beat = 60 / score.tempo
    end = max(note.at + note.length for note in score.notes) * beat + score.room_seconds + 1.0
    mix = np.zeros((int(end * rate), 2))
    rng = np.random.default_rng(len(score.notes))
    for note in score.notes:
        sound = note.instrument(note.pitch, round(note.length * beat, 3), rate)
        start = int((note.at * beat + rng.uniform(0, 0.012)) * rate)  # no player is a clock
        sound = sound[: len(mix) - start] * note.loud * rng.uniform(0.92, 1.0)
        angle = (note.pan + 1) * np.pi / 4
        mix[start : start + len(sound), 0] += np.cos(angle) * sound
        mix[start : start + len(sound), 1] += np.sin(angle) * sound
    mix = _in_room(mix, score, rate)
    mix = np.tanh(1.15 * mix / np.abs(mix).max())
    return np.asarray(mix * (PEAK / np.abs(mix).max()))


def _in_room(dry: Sound, score: Score, rate: int) -> Sound:
    """Add an echo: convolution with decaying noise, one for each ear, darker the later it comes."""
    frames = int(score.room_seconds * rate)
    t = np.arange(frames) / rate
    size = 1 << (len(dry) + frames - 1).bit_length()
    wet = np.empty_like(dry)
    for ear in (0, 1):
        noise = np.random.default_rng(ear + 11).normal(0, 1, frames) * np.exp(-6.2 * t / score.room_seconds)
        tail = np.convolve(noise, np.ones(9) / 9, mode="same") * (t > FIRST_ECHO_SECONDS)
        tail /= np.sqrt((tail**2).sum())
        wet[:, ear] = np.fft.irfft(np.fft.rfft(dry[:, ear], size) * np.fft.rfft(tail, size), size)[: len(dry)]
    return np.asarray(dry * (1 - score.room_share) + wet * score.room_share)


def to_integers(sound: Sound, *, bits: int) -> Sound:
    """Whole numbers of `bits` bits, with triangular dither of one step so that quiet ends fade instead of breaking."""
    steps = 2 ** (bits - 1) - 1
    rng = np.random.default_rng(bits)
    dither = rng.uniform(-0.5, 0.5, sound.shape) + rng.uniform(-0.5, 0.5, sound.shape)
    return np.asarray(np.clip(np.rint(sound * steps + dither), -steps - 1, steps))
