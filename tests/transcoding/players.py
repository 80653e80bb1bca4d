"""Decoders that share no line with what made the files: their word is worth more than the encoder's own."""

import shlex
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from transcoding.formats import Format

PLAIN = 1
EXTENSIBLE = 0xFFFE
WAV_HEADER = 44
CHUNK = 1 << 20
FLAC_RAW = "flac -s -d -c --force-raw-format --endian=little --sign=signed"


@dataclass(frozen=True)
class Player:
    """A line for the shell that sends the sound of {file} out as it would stand in a WAV, after `header` bytes that do
    not belong to it. `package` is Debian's, for whoever lacks it."""

    line: str
    package: str
    header: int = 0

    @property
    def program(self) -> str:
        return self.line.split()[0]


# By codec. flac reads WAV, RF64 and AIFF with code of its own. Debian has no second decoder of Apple Lossless, TTA and
# WMA; Monkey's Audio is made by another program than ffmpeg, which is the second one there.
PLAYERS = {
    "flac": Player(f"{FLAC_RAW} {{file}}", "flac"),
    "pcm": Player(f"flac -s -0 -c {{file}} | {FLAC_RAW} -", "flac"),
    "wavpack": Player("wvunpack -q -r {file} -o -", "wavpack"),
    "mp3": Player("mpg123 -q -s {file}", "mpg123"),
    "vorbis": Player("oggdec -Q -R -o - {file}", "vorbis-tools"),
    "opus": Player("opusdec --quiet --rate 48000 {file} -", "opus-tools"),
    "musepack": Player("mpcdec {file} -", "musepack-tools", WAV_HEADER),
    "aac": Player("faad -q -f 2 -w {file}", "faad"),
}


def play(path: Path, each: Format, sink: Callable[[bytes], object]) -> None:
    """Send what a second decoder makes of a file to `sink`, piece by piece. Where it is not installed, the test is
    skipped."""
    player = PLAYERS[each.codec]
    if shutil.which(player.program) is None:
        pytest.skip(f"{player.program} is not installed (Debian: {player.package})")
    line = f"set -o pipefail; {player.line.format(file=shlex.quote(str(path)))}"
    with subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(player.header)
        while piece := process.stdout.read(CHUNK):
            sink(piece)
        words = process.stderr.read()
    assert process.returncode == 0, words


def more(each: Format) -> range:
    """How many samples too many a second decoder may give: faad drops the delay, but ends with a whole frame."""
    return range(1024 if each.codec == "aac" else 1)


def channels(each: Format, of_master: int) -> int:
    """How many channels a second decoder gives: faad makes two of one."""
    return 2 if each.codec == "aac" else of_master


def heard(path: Path, each: Format, *, bits: int = 16, channels: int = 2) -> np.ndarray:
    """What a second decoder makes of a file, in fractions of full scale, one row a sample."""
    raw = bytearray()
    play(path, each, raw.extend)
    return from_raw(bytes(raw), bits, channels)


def samples_of(path: Path) -> np.ndarray:
    """The sound of a WAV with 16 or 24 bits and any kind of header."""
    data = path.read_bytes()
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack("<4sI", data[at : at + 8])
        chunks.setdefault(name, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    tag, channels, _, _, _, bits = struct.unpack("<HHIIHH", chunks[b"fmt "][:16])
    assert tag in {PLAIN, EXTENSIBLE}
    return from_raw(chunks[b"data"], bits, channels)


def from_raw(raw: bytes, bits: int, channels: int) -> np.ndarray:
    raw = raw[: len(raw) - len(raw) % (channels * bits // 8)]
    if bits == 16:
        return np.frombuffer(raw, "<i2").reshape(-1, channels) / 2**15
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1, channels) / 2**31
