"""The encoded sound of our own files, apart from what is said about it: to know that new tags changed nothing else.

Bytes prove this for a fraction of what decoding costs. Pure. Sources as in `containers`, and the ASF specification and
Hydrogenaudio's description of APEv2.
"""

import errno
import hashlib
import itertools
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from transcoding import containers

CHUNK = 256 * 1024  # stays in the processor's cache while it is hashed twice
PAGE = 4096
LAST = 64 * 1024  # in which a reader of Ogg looks for the last page
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
APE_FOOTER = 32
OGG_HEAD = 27
_APE_HAS_HEADER = 1 << 31


def hollow(kept: Path, path: Path) -> None:
    """A copy of `kept` that lacks its sound, to be tagged and then filled. It ends as `kept` does, since readers of Ogg
    look for the last page there."""
    with kept.open("rb") as source, path.open("wb") as target:
        (start, end), size = _sound(source), _size(source)
        target.truncate(size)
        for begin, stop in ((0, start), (max(start, min(end, size - LAST)), size)):
            target.seek(begin)
            target.writelines(_spans(source, (begin, stop)))


def fill(kept: Path, path: Path, *, sha256: str, on_beat: Callable[[], None] | None = None) -> str:
    """Put the sound of `kept` into its hollow copy, whose tags may be others. Answers the SHA-256 of what that is now;
    empty where this cannot vouch for it: `kept` is not what it was when it had the hash `sha256`, or the tags took
    another shape than they should.

    Each byte is read once, goes into both hashes, and is written past the system's memory, which serves buyers better.
    """
    with kept.open("rb", buffering=0) as source, path.open("rb", buffering=0) as target:
        (start, end), size, length = _sound(source), _size(source), _size(target)
        begin = start if end < size else length - (end - start)
        if begin < 0 or list(_timing(source)) != list(_timing(target)):
            return ""
        before, ahead = (b"".join(_spans(file, (0, at))) for file, at in ((source, start), (target, begin)))
        ours = hashlib.sha256(ahead)
        theirs = ours if before == ahead else hashlib.sha256(before)
        with Past(path) as past:
            for moved in past.move(source, start, end, begin):
                ours.update(moved)
                if theirs is not ours:
                    theirs.update(moved)
                if on_beat is not None:
                    on_beat()
        theirs = ours.copy() if theirs is ours else theirs
        for hasher, file, at in ((theirs, source, end), (ours, target, begin + end - start)):
            for piece in _spans(file, (at, _size(file))):
                hasher.update(piece)
        whole = _sound(target) == (begin, begin + end - start) and list(_timing(source)) == list(_timing(target))
    return ours.hexdigest() if whole and theirs.hexdigest() == sha256 else ""


class Past:
    """Writes whole blocks of a file past the page cache, where the file system can; what is left over goes through."""

    def __init__(self, path: Path) -> None:
        self._plain = os.open(path, os.O_WRONLY)
        try:
            self._direct = os.open(path, os.O_WRONLY | os.O_DIRECT)
        except OSError:  # such as in memory
            self._direct = os.dup(self._plain)
        self._room = mmap.mmap(-1, CHUNK)  # begins with a page, as writing past the cache demands

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._plain, self._direct):
            os.close(each)

    def move(self, source: BinaryIO, start: int, end: int, to: int) -> Iterator[memoryview]:
        """From `start` up to `end` of `source`, to the place `to`; yields what was moved, to be used at once."""
        room = memoryview(self._room)
        while start < end:
            short = -to % PAGE  # to the next block
            length = min(end - start, short or CHUNK)
            if not short and length > PAGE:
                length -= length % PAGE
            got = os.preadv(source.fileno(), [room[:length]], start)
            if not got:
                raise OSError(errno.EIO, "A file became shorter while it was read.")
            whole = not short and not got % PAGE
            if os.pwrite(self._direct if whole else self._plain, room[:got], to) != got:
                raise OSError(errno.ENOSPC, "The disk took only a part of what was written.")
            yield room[:got]
            start, to = start + got, to + got


def same_sound(one: Path, other: Path) -> bool:
    """Do two files hold the very same encoded sound, and find their players it at the same place within it?"""
    with one.open("rb") as first, other.open("rb") as second:
        return all(a == b for a, b in itertools.zip_longest(_pieces(first), _pieces(second)))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    if _head(file)[:4] == b"OggS":
        yield from _ogg(file)
        return
    yield from _timing(file)
    yield from _spans(file, _sound(file))


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(12)


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _sound(file: BinaryIO) -> tuple[int, int]:  # noqa: PLR0911 - one answer per container
    """Where the sound begins and ends."""
    size, head = _size(file), _head(file)
    if head[:4] == b"OggS":
        return _first_page(file, size), size
    if head[4:8] == b"ftyp":
        return containers.boxes(file, 0, size).get(b"mdat", (0, size))
    if head[:4] in {b"RIFF", b"RF64"}:
        return _chunk(file, b"data", size, "<")
    if head[:4] == b"FORM":
        return _chunk(file, b"SSND", size, ">")
    if head[:4] == b"fLaC":
        return 4 + containers.flac_head(file), size
    file.seek(0)
    start = file.read(24)
    if start[:16] == ASF_HEADER:
        return int.from_bytes(start[16:24], "little"), size
    return containers.id3_length(start[:10]), size - ape_length(file, size)


def _chunk(file: BinaryIO, name: bytes, size: int, order: str) -> tuple[int, int]:
    at, length = containers.chunks_of(file, 0, size, order).get(name, (0, size))
    return at, min(size, at + length)


def ape_length(file: BinaryIO, size: int) -> int:
    """Bytes of the APEv2 that ends where the file would if it had this size."""
    file.seek(max(0, size - APE_FOOTER))
    footer = file.read(APE_FOOTER)
    if footer[:8] != b"APETAGEX":
        return 0
    length, _, flags = struct.unpack("<III", footer[12:24])
    return int(length + (APE_FOOTER if flags & _APE_HAS_HEADER else 0))


def _spans(file: BinaryIO, *spans: tuple[int, int]) -> Iterator[bytes]:
    for start, end in spans:
        file.seek(start)
        left = end - start
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def _timing(file: BinaryIO) -> Iterator[bytes]:
    """What stands before the sound and must agree with it. Of an MP4 file: the tables that say how long each sample is,
    and how far into the sound the first of them lies. Of Ogg: how many pages there are, since all are numbered."""
    head = _head(file)
    if head[:4] == b"OggS":
        yield b"".join(b"." for _ in itertools.takewhile(lambda page: not _has_sound(page[1]), _pages(file)))
    if head[4:8] != b"ftyp":
        return
    sound = _sound(file)
    table = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
    for path in ((b"moov", b"trak", b"edts"), (*table, b"stsd"), (*table, b"stts"), (*table, b"stsz"),
                 (*table, b"stsc")):  # fmt: skip
        yield from _spans(file, containers.inside(file, *path) or (0, 0))
    offsets = containers.inside(file, *table, b"stco"), containers.inside(file, *table, b"co64")
    for span, width in zip(offsets, (4, 8), strict=True):
        if span is not None:
            file.seek(span[0] + 8)
            yield b"".join(
                (int.from_bytes(file.read(width), "big") - sound[0]).to_bytes(8, "big", signed=True)
                for _ in range((span[1] - span[0] - 8) // width)
            )


def _ogg(file: BinaryIO) -> Iterator[bytes]:
    """Pages without their numbers and sums, which change with the length of the tags."""
    for at, head, table in _pages(file):
        if _has_sound(head):
            file.seek(at + OGG_HEAD + len(table))
            yield head[5:14] + table
            yield file.read(sum(table))


def _first_page(file: BinaryIO, size: int) -> int:
    return next((at for at, head, _ in _pages(file) if _has_sound(head)), size)


def _has_sound(head: bytes) -> bool:
    """The tags are on pages without a place in the sound."""
    return head[6:14] not in {bytes(8), b"\xff" * 8}


def _pages(file: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each page begins, its head, and how long its pieces are."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(OGG_HEAD)
        if len(head) < OGG_HEAD or head[:4] != b"OggS":
            return
        table = file.read(head[26])
        yield at, head, table
        at += OGG_HEAD + len(table) + sum(table)
