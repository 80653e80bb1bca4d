"""Sound as it is, in WAV and AIFF: written from what a decoder sends us, and read back to be proved. Pure.

No encoder has a part in these files, so none is asked: they hold what ffmpeg would write (`-fflags +bitexact`), for a
fraction of its cost. Room for long lengths stands where an RF64 has them, which ffmpeg 9 leaves elsewhere. Sources:
Microsoft RIFF and WAVE_FORMAT_EXTENSIBLE, EBU Tech 3306 (RF64), Apple AIFF 1.3.
"""

import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from transcoding import containers
from transcoding.containers import LONG
from transcoding.formats import Sound, depth

CHUNK = 1 << 18  # bytes read at once, rounded to whole samples
PLAIN, EXTENSIBLE = 1, 0xFFFE
SHORT = "short"
MOST = LONG  # bytes behind the first eight of a WAV that is no RF64
HEAVY = 48000  # Hz, above which, or above 16 bits, ffmpeg writes the longer header
_GUID = bytes.fromhex("0100000000001000800000aa00389b71")  # of integers
_SPEAKERS = {1: 4, 2: 3}  # one in the middle, or left and right
_BIAS = 16383  # of the exponent in AIFF's sample rate


class Writer:
    """One file that is being written: call it with little-endian samples, and close it when they end."""

    def __init__(self, path: Path, sound: Sound, *, kind: str) -> None:
        """`kind` is `wav`, `aiff`, or SHORT: a WAV with the short header that every reader knows. It gets all bits that
        the master has."""
        self.kind, self.rate, self.channels = kind, sound.sample_rate, sound.channels
        self.bits = depth(sound)
        self.bytes = 0
        self._rest = b""
        self._file = path.open("wb")
        self._file.write(self._head())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, piece: bytes) -> None:
        self.bytes += len(piece)
        if self.kind != "aiff":
            self._file.write(piece)
            return
        piece = self._rest + piece
        whole = len(piece) - len(piece) % (self.bits // 8)
        self._rest = piece[whole:]
        self._file.write(turned(piece[:whole], self.bits))

    def close(self) -> None:
        """All of it is there: fill it up to a whole word, and tell its length at the beginning."""
        self._file.write(bytes(self.bytes % 2))
        self._file.seek(0)
        self._file.write(self._head())
        self._file.close()

    def _head(self) -> bytes:
        if self.kind == "aiff":
            return self._aiff()
        if self.kind == SHORT:
            return self._riff(self._format(PLAIN))
        heavy = self.rate > HEAVY or self.bits > 16  # noqa: PLR2004
        return self._riff(self._format(EXTENSIBLE if heavy else PLAIN), room=True)

    def _format(self, tag: int) -> bytes:
        frame = self.channels * self.bits // 8
        said = struct.pack("<HHIIHH", tag, self.channels, self.rate, self.rate * frame, frame, self.bits)
        return said if tag == PLAIN else said + struct.pack("<HHI", 22, self.bits, _SPEAKERS[self.channels]) + _GUID

    def _riff(self, said: bytes, *, room: bool = False) -> bytes:
        """With a place for the lengths that four bytes cannot say, if there is `room`."""
        behind = 4 + (36 if room else 0) + 8 + len(said) + 8 + self.bytes + self.bytes % 2
        large = behind > MOST
        kept = struct.pack("<QQQI", behind, self.bytes, self.bytes // (self.channels * self.bits // 8), 0)
        names = (b"RF64", b"ds64", kept, LONG, LONG) if large else (b"RIFF", b"JUNK", bytes(28), behind, self.bytes)
        place = struct.pack("<4sI", names[1], 28) + names[2] if room else b""
        head = struct.pack("<4sI4s", names[0], names[3], b"WAVE") + place
        return head + struct.pack("<4sI", b"fmt ", len(said)) + said + struct.pack("<4sI", b"data", names[4])

    def _aiff(self) -> bytes:
        frames = self.bytes // (self.channels * self.bits // 8)
        behind = 4 + 26 + 16 + self.bytes + self.bytes % 2
        said = struct.pack(">hIh", self.channels, frames, self.bits) + _extended(self.rate)
        head = struct.pack(">4sI4s4sI", b"FORM", behind, b"AIFF", b"COMM", 18) + said
        return head + struct.pack(">4sIII", b"SSND", self.bytes + 8, 0, 0)


def turned(data: bytes, bits: int) -> bytes:
    """Samples with their bytes the other way round."""
    if bits == 16:  # noqa: PLR2004
        return np.frombuffer(data, "<u2").byteswap().tobytes()
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(-1, bits // 8)[:, ::-1]).tobytes()


def _extended(rate: int) -> bytes:
    """A whole number as an 80-bit float."""
    exponent = rate.bit_length() - 1
    return struct.pack(">HQ", _BIAS + exponent, rate << 63 - exponent)


def sha256(path: Path, *, rate: int, channels: int, bits: int) -> tuple[str, int] | None:
    """The sound hash of a finished WAV or AIFF, from its own bytes, and how many samples it has. None where a single
    byte is not accounted for, or the file says another rate, depth or number of channels."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            place = _wav(file, size, rate, channels, bits) or _aiff(file, size, rate, channels, bits)
        except containers.SHORT:
            return None
        if place is None:
            return None
        at, length = place
        big = file.seek(0) == 0 and file.read(4) == b"FORM"
        hasher, left = hashlib.sha256(), length
        file.seek(at)
        step = CHUNK - CHUNK % (bits // 8)
        while left and (piece := file.read(min(step, left))):
            hasher.update(turned(piece, bits) if big else piece)
            left -= len(piece)
    frame = channels * bits // 8
    return (hasher.hexdigest(), length // frame) if not left and not length % frame else None


def _wav(file: BinaryIO, size: int, rate: int, channels: int, bits: int) -> tuple[int, int] | None:
    """Where the sound lies and how long it is."""
    file.seek(0)
    name, told, kind = struct.unpack("<4sI4s", file.read(12))
    if name not in {b"RIFF", b"RF64"} or kind != b"WAVE":
        return None
    chunks = containers.chunks_of(file, 0, size, "<")
    if not {b"fmt ", b"data"} <= chunks.keys() or _end(chunks) != size:
        return None
    if name == b"RF64":
        file.seek(chunks[b"ds64"][0])
        (told,) = struct.unpack("<Q", file.read(8))
    at, length = chunks[b"fmt "]
    file.seek(at)
    said = file.read(length)
    tag, *rest = struct.unpack("<HHIIHH", said[:16])
    whole = tag == PLAIN or (tag == EXTENSIBLE and said[24:40] == _GUID)
    frame = channels * bits // 8
    right = rest == [channels, rate, rate * frame, frame, bits] and told == size - 8
    return chunks[b"data"] if whole and right else None


def _aiff(file: BinaryIO, size: int, rate: int, channels: int, bits: int) -> tuple[int, int] | None:
    file.seek(0)
    name, told, kind = struct.unpack(">4sI4s", file.read(12))
    if name != b"FORM" or kind != b"AIFF" or told != size - 8:
        return None
    chunks = containers.chunks_of(file, 0, size, ">")
    if not {b"COMM", b"SSND"} <= chunks.keys() or _end(chunks) != size:
        return None
    at, length = chunks[b"SSND"]
    file.seek(chunks[b"COMM"][0])
    said = file.read(18)
    file.seek(at)
    frames = (length - 8) // (channels * bits // 8)
    right = said == struct.pack(">hIh", channels, frames, bits) + _extended(rate) and file.read(8) == bytes(8)
    return (at + 8, length - 8) if right else None


def _end(chunks: dict[bytes, tuple[int, int]]) -> int:
    """Where the last chunk ends; every one begins where the one before ended, since that is how they are found."""
    return max(at + length + length % 2 for at, length in chunks.values())
