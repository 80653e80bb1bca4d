"""How long and how large a WMA says it is. Pure. Source: Advanced Systems Format specification 01.20.03.

No decoder here cuts what follows the sound, which fills the encoder's last blocks, so buyers are told of it; but
players show, seek and cue by the length in the header, and that is the sound's own. ffmpeg believes it only where the
size that stands beside it is the file's, and guesses otherwise.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
HEADER = 64 * 1024  # in which our encoder writes it, and everything before it is short
_SIZE, _LENGTHS = 40, 64  # bytes into the object: the file's size; how long it plays, is sent, and what it waits first
_UNIT = 10_000_000  # parts of a second
_MILLI = 10_000  # the wait counts thousandths, and is part of how long it plays


def tell_length(path: Path, samples: int, *, rate: int) -> None:
    """Say that the file plays so many samples."""
    length = round(samples * _UNIT / rate)
    with path.open("r+b") as file:
        at = _properties(file) + _LENGTHS
        file.seek(at)
        _, _, wait = struct.unpack("<3Q", file.read(24))
        file.seek(at)
        file.write(struct.pack("<2Q", length + wait * _MILLI, length))


def tell_size(path: Path) -> None:
    """Say how large the file has become."""
    with path.open("r+b") as file:
        at = _properties(file) + _SIZE
        size = file.seek(0, os.SEEK_END)
        file.seek(at)
        file.write(struct.pack("<Q", size))


def _properties(file: BinaryIO) -> int:
    at = file.read(HEADER).find(FILE_PROPERTIES)
    if at < 0:
        raise ValueError("This is no WMA of ours: it has no file properties.")
    return at
