"""Tiny sounds made on the spot: numpy for the wave, ffmpeg for the containers."""

import subprocess
import wave
from pathlib import Path

import numpy as np

from transcoding import sandbox


def write_wav(path: Path, *, seconds: float = 2.0, rate: int = 44100, channels: int = 2, bits: int = 16) -> Path:
    """Two tones and a little noise, loudest in the middle, never clipped; the same bytes each time."""
    count = int(seconds * rate)
    at = np.arange(count) / rate
    noise = np.random.default_rng(7).normal(0, 0.01, (count, channels))
    swell = np.sin(np.pi * np.arange(count) / max(1, count))[:, None]
    tones = np.stack([np.sin(2 * np.pi * tone * at) for tone in (220, 331)[:channels]], axis=1)
    return write_samples(path, (tones * 0.5 + noise) * swell, rate=rate, bits=bits)


def write_samples(path: Path, sound: np.ndarray, *, rate: int = 44100, bits: int = 16) -> Path:
    top = 2 ** (bits - 1) - 1
    whole = np.round(np.clip(sound, -1, 1) * top).astype("<i4")
    data = whole.astype("<i2").tobytes() if bits == 16 else whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def convert(source: Path, target: Path, *args: str, before: tuple[str, ...] = ()) -> Path:
    """Another container of the same sound, by the ffmpeg the store itself uses; `before` goes to its input."""
    command = [sandbox.ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *before, "-i", str(source)]
    command += [*args, str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def decode(path: Path, *args: str) -> bytes:
    """What an ordinary player would hear: 16-bit samples."""
    return decode_raw(path, *args, "-f", "s16le")


def decode_raw(path: Path, *args: str) -> bytes:
    command = [sandbox.ffmpeg(), "-nostdin", "-loglevel", "error", "-i", str(path), *args, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def wav_data(path: Path) -> bytes:
    """The samples of a WAV file of any header."""
    data = path.read_bytes()
    at = 12
    while data[at : at + 4] != b"data":
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + data[at + 4] % 2
    return data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
