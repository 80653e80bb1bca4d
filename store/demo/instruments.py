"""Instruments for the demo catalogue, from arithmetic alone.

Every function gives one note as a mono array of 64-bit floats at the given rate, about -12 dBFS at full velocity.
Notes are cached: a piece plays the same note many times.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]

A4_MIDI, A4_HZ = 69, 440.0


def frequency(note: float) -> float:
    """Hertz of a MIDI note number, equal temperament."""
    return float(A4_HZ * 2 ** ((note - A4_MIDI) / 12))


def _time(rate: int, seconds: float) -> Sound:
    return np.arange(int(rate * seconds), dtype=np.float64) / rate


def _fade_ends(sound: Sound, rate: int, *, attack: float, release: float) -> Sound:
    shaped = sound.copy()
    rise, fall = max(1, int(attack * rate)), max(1, int(release * rate))
    rise, fall = min(rise, len(shaped)), min(fall, len(shaped))
    shaped[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise)) ** 2
    shaped[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall)) ** 2
    return shaped


@cache
def pluck(note: float, seconds: float, rate: int) -> Sound:
    """A plucked string: a burst of noise running round a delay line that loses its highs (Karplus and Strong, 1983)."""
    period = int(rate / frequency(note))
    burst = np.random.default_rng(int(note * 8)).uniform(-1, 1, period)
    for _ in range(3):  # a finger is softer than a plectrum
        burst = 0.5 * (burst + np.roll(burst, 1))
    burst -= burst.mean()
    loss = 0.5 ** (period / rate / (0.35 + 0.012 * (76 - note)))
    line = np.empty((int(rate * seconds) // period + 2, period))
    line[0] = burst / np.abs(burst).max()
    for row in range(1, len(line)):
        line[row] = loss * (0.72 * line[row - 1] + 0.28 * np.roll(line[row - 1], 1))
    sound = 0.5 * line.ravel()[: int(rate * seconds)]
    return _fade_ends(sound, rate, attack=0.001, release=0.08)


@cache
def electric_piano(note: float, seconds: float, rate: int) -> Sound:
    """A struck tine: two frequency-modulated pairs, one for the body and one for the bark of the hammer."""
    t, hz = _time(rate, seconds + 0.6), frequency(note)
    body = np.sin(2 * np.pi * hz * t + 1.1 * np.exp(-2.2 * t) * np.sin(2 * np.pi * hz * t))
    bark = np.sin(2 * np.pi * hz * t + 0.9 * np.exp(-14 * t) * np.sin(2 * np.pi * 14 * hz * t))
    decay = np.exp(-t * (0.9 + 0.012 * max(0.0, note - 48)))
    return _fade_ends((0.3 * body + 0.06 * bark) * decay, rate, attack=0.003, release=0.5)


@cache
def marimba(note: float, seconds: float, rate: int) -> Sound:
    """A wooden bar, tuned as makers tune it: the second partial two octaves up, the third near ten times."""
    t, hz = _time(rate, max(seconds, 0.9)), frequency(note)
    partials = ((1.0, 1.0, 3.2), (3.93, 0.28, 9.0), (9.6, 0.09, 22.0))
    sound = np.zeros_like(t)
    for ratio, level, damping in partials:
        if hz * ratio < rate / 2.2:
            sound += level * np.sin(2 * np.pi * hz * ratio * t) * np.exp(-damping * t * (hz / 261.6) ** 0.35)
    return _fade_ends(0.34 * sound, rate, attack=0.002, release=0.1)


@cache
def bell(note: float, seconds: float, rate: int) -> Sound:
    """A small bell with the partials founders name hum, prime, tierce, quint and nominal."""
    t, hz = _time(rate, seconds), frequency(note)
    partials = ((0.5, 0.3, 0.5), (1.0, 0.8, 0.8), (1.2, 0.4, 1.1), (1.5, 0.22, 1.3), (2.0, 0.6, 1.5), (2.67, 0.2, 2.4))
    sound = np.zeros_like(t)
    for ratio, level, damping in partials:
        sound += level * np.sin(2 * np.pi * hz * ratio * t) * np.exp(-damping * t)
    return _fade_ends(0.14 * sound, rate, attack=0.004, release=0.3)


@cache
def pad(note: float, seconds: float, rate: int) -> Sound:
    """Bowed and slow: nine softened harmonics of three voices a few cents apart."""
    t, hz = _time(rate, seconds + 1.2), frequency(note)
    sound = np.zeros_like(t)
    for voice, cents in enumerate((-5.0, 0.0, 6.0)):
        voice_hz = hz * 2 ** (cents / 1200)
        drift = 0.6 * np.sin(2 * np.pi * (0.11 + 0.05 * voice) * t)
        for harmonic in range(1, 10):
            if voice_hz * harmonic < rate / 2.2:
                swell = 1 / harmonic**1.7 * (1 + 0.15 * np.sin(2 * np.pi * 0.07 * harmonic * t + voice))
                sound += swell * np.sin(2 * np.pi * voice_hz * harmonic * t + harmonic * drift + voice)
    return _fade_ends(0.055 * sound, rate, attack=min(1.4, seconds / 2), release=min(1.6, seconds / 2 + 0.6))


@cache
def bass(note: float, seconds: float, rate: int) -> Sound:
    """A round fingered bass: a sine with two harmonics that die first."""
    t, hz = _time(rate, seconds + 0.1), frequency(note)
    sound = np.sin(2 * np.pi * hz * t) * np.exp(-0.9 * t)
    sound += 0.35 * np.sin(4 * np.pi * hz * t) * np.exp(-3.0 * t)
    sound += 0.12 * np.sin(6 * np.pi * hz * t) * np.exp(-6.0 * t)
    return _fade_ends(0.36 * sound, rate, attack=0.006, release=0.09)


@cache
def flute(note: float, seconds: float, rate: int) -> Sound:
    """A breathy wooden flute: few harmonics, late vibrato, a little air."""
    t, hz = _time(rate, seconds + 0.15), frequency(note)
    vibrato = 0.035 * np.clip((t - 0.25) / 0.5, 0, 1) * np.sin(2 * np.pi * 5.1 * t)
    phase = 2 * np.pi * hz * t + hz / 40 * vibrato
    sound = np.sin(phase) + 0.22 * np.sin(2 * phase) + 0.09 * np.sin(3 * phase)
    air = np.random.default_rng(int(note)).normal(0, 1, len(t))
    air = np.convolve(air, np.ones(24) / 24, mode="same")
    return _fade_ends(0.2 * sound + 0.035 * air, rate, attack=0.07, release=0.16)


@cache
def brush(_note: float, seconds: float, rate: int) -> Sound:
    """A brush on a drumhead: bright noise with a soft onset."""
    t = _time(rate, max(seconds, 0.25))
    noise = np.random.default_rng(7).normal(0, 1, len(t))
    bright = noise - np.convolve(noise, np.ones(12) / 12, mode="same")
    return _fade_ends(0.09 * bright * np.exp(-16 * t), rate, attack=0.008, release=0.1)


@cache
def heartbeat(_note: float, seconds: float, rate: int) -> Sound:
    """A low drum: a sine whose pitch falls within a tenth of a second."""
    t = _time(rate, max(seconds, 0.4))
    phase = 2 * np.pi * (48 * t + 2.4 * (1 - np.exp(-28 * t)))
    return _fade_ends(0.5 * np.sin(phase) * np.exp(-8 * t), rate, attack=0.002, release=0.1)
