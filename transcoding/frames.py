"""How much sound a finished lossy file holds, told from its frames alone, without decoding them. Pure.

A walk over the file from its first byte of sound to its last: every frame, page or sample must begin where the one
before it ended, be of the same kind, hold as much as it says, and carry the right checksum where the container has
one; the lengths must add up to what the header tells players, and the last must end with the file. So nothing cut,
lost, repeated or put in between is missed. What it cannot see is a frame of the right shape with wrong sound in it:
`encode.verify` lets a decoder hear both ends, and `hearings` hears all of it afterwards.

Sources: ISO 11172-3 and 13818-3 (MP3), the LAME tag as Hydrogenaudio describes it, RFC 3533 (Ogg), RFC 6716 and 7845
(Opus), the Vorbis I specification, ISO 14496-12 and 14496-3 (AAC in MP4), the ASF specification (WMA).
"""

import functools
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from transcoding import containers
from transcoding.containers import SHORT
from transcoding.errors import RenditionWrong
from transcoding.padding import SUM, TRIM

AAC_FRAME = 1024  # samples
OPUS_RATE = 48000


class Broken(Exception):
    """The walk came upon something that no whole file of ours has; the words say what."""


def samples(path: Path, codec: str, *, rate: int, channels: int) -> int | None:
    """The length of the sound after trimming, in samples of `rate`. None where this does not vouch for the file, be it
    cut, of another kind, or only stranger than those that are made here: let a decoder judge it. RenditionWrong where
    it is not what its own checksum says, which no decoder of MP3 would find."""
    walk = _WALKS.get(codec)
    if walk is None:
        return None
    try:
        with path.open("rb", buffering=1 << 16) as file:
            return walk(file, os.fstat(file.fileno()).st_size, rate, channels)
    except (Broken, ValueError, *SHORT):
        return None


def _must_sum_up(holds: bool, what: str) -> None:  # noqa: FBT001 - the very thing that is asserted
    if not holds:
        raise RenditionWrong(f"It was damaged after it was made: {what} has another checksum.")


def _must(holds: object, words: str) -> None:
    if not holds:
        raise Broken(words)


# -- MP3 ---------------------------------------------------------------------------------------------------------------

_FIRST_KINDS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)  # kbit/s of MPEG-1, layer III
_LATER_KINDS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)  # of MPEG-2 and 2.5
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by the two bits of its kind
_SAME = 0xFFFF0C00  # of a header: what no frame of one file differs in: kind, layer, rate
_MONO = 3
MUSIC = SUM - 2  # where in the tag the checksum of the sound stands, before its own
_PART = 59  # bits that describe one channel's share of a granule, of which the first twelve tell its length
_EARLIEST = 511  # bytes that a frame may reach back for its sound


def _mp3(file: BinaryIO, size: int, rate: int, channels: int) -> int:
    start = containers.id3_length(file.read(10))
    file.seek(start)
    first = _Mp3Frame(file.read(4))
    _must(first.rate == rate and first.channels == channels, "another rate, or other channels")
    told = file.read(first.length - 4)
    at = max(told.find(b"Xing", 0, 64), told.find(b"Info", 0, 64))
    _must(at >= 0 and told[at + 7] & 0b1111 == 0b1111, "no word of its length")  # noqa: PLR2004 - all that may stand
    frames, length = struct.unpack(">II", told[at + 8 : at + 16])
    trim = int.from_bytes(told[at + TRIM : at + TRIM + 3])
    music, tag = struct.unpack(">HH", told[at + MUSIC : at + SUM + 2])
    _must(length == size - start, "another length than it says")
    _must_sum_up(summed(io.BytesIO(told[: at + SUM]), at + SUM, first.word.to_bytes(4)) == tag, "its first frame")
    count, end, held = 0, start + first.length, 0
    while end < size:
        frame = _Mp3Frame(file.read(4))
        body = file.read(frame.length - 4)
        end += frame.length
        _must(frame.word & _SAME == first.word & _SAME and frame.channels == channels, "a frame of another kind")
        _must(len(body) == frame.length - 4, "a frame that breaks off")
        held = _taken(frame, body, held)
        count += 1
    _must(end == size and count == frames, "more or fewer frames than it says")
    file.seek(start + first.length)
    _must_sum_up(summed(file, size - start - first.length) == music, "its sound")
    return count * first.samples - (trim >> 12) - (trim & 0xFFF)


@functools.cache
def _steps(times: int) -> npt.NDArray[np.uint16]:
    """What becomes of each state of CRC-16 (polynomial 8005, lowest bit first) when two to the power of `times` words
    of nought follow."""
    if times:
        before = _steps(times - 1)
        return before[before]
    state = np.arange(1 << 16, dtype=np.uint16)
    for _ in range(16):
        state = (state >> np.uint16(1)) ^ np.where(state & 1, np.uint16(0xA001), np.uint16(0))
    return state


_LANE = 8  # of two bytes, as a power of two, that are summed up one after the other
_LANES = 13  # as a power of two, of them side by side


def summed(file: BinaryIO, length: int, before: bytes = b"") -> int:
    """LAME's checksum of `before` and of what comes next in `file`: CRC-16 from nought, to which noughts in front make
    no difference. So the first piece is filled up there, and all are cut into lanes that are summed up side by side."""
    piece = 2 << _LANE + _LANES
    total = 0
    for size in [(length + len(before)) % piece, *[piece] * ((length + len(before)) // piece)]:
        data = before + file.read(size - len(before))
        _must(len(data) == size, "the end is missing")
        before = b""
        lanes = np.frombuffer(data.rjust(piece, b"\0"), "<u2").reshape(1 << _LANES, 1 << _LANE)
        state = np.zeros(1 << _LANES, dtype=np.uint16)
        for words in np.ascontiguousarray(lanes.T):
            state = _steps(0)[state ^ words]
        for level in range(_LANES):  # of two neighbours, the left one has come by so much earlier
            state = _steps(_LANE + level)[state[::2]] ^ state[1::2]
        total = int(_steps(_LANE + _LANES)[total] ^ state[0])
    return total


class _Mp3Frame:
    """What a header of four bytes says."""

    __slots__ = ("channels", "first_kind", "length", "rate", "samples", "side", "word")

    def __init__(self, head: bytes) -> None:
        self.word = word = int.from_bytes(head)
        kind, code = word >> 19 & 3, word >> 12 & 15
        _must(word >> 21 == 0x7FF and word >> 17 & 3 == 1 and word >> 10 & 3 != 3 and kind != 1, "no frame")  # noqa: PLR2004
        self.first_kind = kind == 3  # noqa: PLR2004
        self.rate = _RATES[kind][word >> 10 & 3]
        bits = (_FIRST_KINDS if self.first_kind else _LATER_KINDS)[code]
        _must(bits and word >> 16 & 1, "no frame of ours")  # ours have no checksums
        self.samples = 1152 if self.first_kind else 576
        self.length = self.samples * bits * 125 // self.rate + (word >> 9 & 1)
        self.channels = 1 if word >> 6 & 3 == _MONO else 2
        self.side = (32, 17)[self.channels == 1] if self.first_kind else (17, 9)[self.channels == 1]


def _taken(frame: _Mp3Frame, body: bytes, held: int) -> int:
    """How many bytes of this and earlier frames are left for later ones, after this one has taken its sound. `held` is
    what was left before: a frame reaches back no further, and takes no more than there is."""
    side = int.from_bytes(body[: frame.side])
    bits = frame.side * 8
    back = side >> bits - (9 if frame.first_kind else 8)
    _must(back <= held, "a frame whose beginning is lost")
    if frame.first_kind:
        skip, granules = (20 if frame.channels == 2 else 18), 2  # noqa: PLR2004
    else:
        skip, granules = (10 if frame.channels == 2 else 9), 1  # noqa: PLR2004
    width = _PART if frame.first_kind else _PART + 4
    used = 0
    for part in range(granules * frame.channels):
        used += side >> bits - skip - width * part - 12 & 0xFFF
    left = back + len(body) - frame.side - -(-used // 8)
    _must(left >= 0, "a frame that is longer than its place")
    return min(left, _EARLIEST)


# -- Ogg: Vorbis and Opus ----------------------------------------------------------------------------------------------

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL = 0xFFFFFFFF
_CONTINUED, _BEGINS, _ENDS = 1, 2, 4
_NOWHERE = (1 << 64) - 1  # the place of a page on which no packet ends


def checksum(page: bytes) -> int:
    """An Ogg page's checksum, its own four bytes being nought. It is the CRC-32 of zlib, but with the highest bit first
    and nothing turned over at the ends."""
    turned = zlib.crc32(page.translate(_REVERSED), _ALL) ^ _ALL
    return int.from_bytes(turned.to_bytes(4, "little").translate(_REVERSED))


def _packets(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int | None, bool]]:
    """Each packet, the place that its page tells where it is the last to end there, and whether the stream ends so."""
    at = number = 0
    serial, open_, last = b"", b"", False
    while at < size:
        head = file.read(27)
        table = file.read(head[26])
        body = file.read(sum(table))
        at += 27 + len(table) + sum(table)
        _must(head[:5] == b"OggS\0" and not last, "no page, or one behind the end")
        serial = serial or head[14:18]
        _must(head[14:18] == serial and int.from_bytes(head[18:22], "little") == number, "a page is missing")
        _must(bool(head[5] & _BEGINS) == (number == 0) and bool(head[5] & _CONTINUED) == bool(open_), "a torn page")
        found = checksum(head[:22] + bytes(4) + head[26:] + table + body)
        _must_sum_up(found == int.from_bytes(head[22:26], "little"), f"page {number}")
        last, number = bool(head[5] & _ENDS), number + 1
        place = int.from_bytes(head[6:14], "little")
        whole, open_ = _lace(open_, table, body)
        _must(bool(whole) == (place != _NOWHERE), "a page without a place")
        for index, packet in enumerate(whole):
            ends = index == len(whole) - 1
            yield packet, place if ends else None, last and ends
    _must(at == size and last and not open_, "the end is missing")


def _lace(open_: bytes, table: bytes, body: bytes) -> tuple[list[bytes], bytes]:
    """The packets that end on a page, and what of one goes on behind it."""
    whole: list[bytes] = []
    start = end = 0
    for length in table:
        end += length
        if length < 255:  # noqa: PLR2004 - fewer than that say that it ends
            whole.append(open_ + body[start:end])
            start, open_ = end, b""
    rest = open_ + body[start:end] if table and table[-1] == 255 else b""  # noqa: PLR2004
    return whole, rest


def _ogg_samples(packets: Iterator[tuple[bytes, int | None, bool]], long: Callable[[bytes], int]) -> int:
    """The place at which the last page says that the sound ends. All others must say what their packets add up to, and
    the last less by no more than its own last packet."""
    total = place_told = duration = 0
    ended = False
    for packet, place, ends in packets:
        duration = long(packet)
        total += duration
        if place is not None:
            place_told, ended = place, ends
            _must(ends or place == total, "packets that do not add up")
    _must(ended and total - duration < place_told <= total, "an end beyond the last packet")
    return place_told


_OPUS_MS = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4  # of each configuration, RFC 6716 table 2


def _opus_packet(packet: bytes) -> int:
    """Its length in samples at 48 kHz, from its first byte, or two."""
    frames = {0: 1, 1: 2, 2: 2}.get(packet[0] & 3) or packet[1] & 0x3F
    return int(_OPUS_MS[packet[0] >> 3] * OPUS_RATE / 1000) * frames


def _opus(file: BinaryIO, size: int, rate: int, channels: int) -> int:
    packets = _packets(file, size)
    head, _, _ = next(packets, (b"", None, False))
    tags, _, _ = next(packets, (b"", None, False))
    _must(head[:8] == b"OpusHead" and head[9] == channels and rate == OPUS_RATE, "another head")
    _must(tags[:8] == b"OpusTags", "no tags")
    return _ogg_samples(packets, _opus_packet) - int.from_bytes(head[10:12], "little")


def _vorbis(file: BinaryIO, size: int, rate: int, channels: int) -> int:
    packets = _packets(file, size)
    head, tags, setup = (next(packets, (b"", None, False))[0] for _ in range(3))
    _must((head[:7], tags[:7], setup[:7]) == (b"\1vorbis", b"\3vorbis", b"\5vorbis"), "another head")
    _must(head[11] == channels and int.from_bytes(head[12:16], "little") == rate, "another rate, or other channels")
    blocks = 1 << (head[28] & 15), 1 << (head[28] >> 4)
    long = _vorbis_modes(setup)
    bits = (len(long) - 1).bit_length()
    before = 0

    def length(packet: bytes) -> int:
        nonlocal before
        _must(packet and not packet[0] & 1, "no sound")
        block = blocks[long[packet[0] >> 1 & (1 << bits) - 1]]
        length, before = (before + block) // 4 if before else 0, block
        return length

    return _ogg_samples(packets, length)


_MODE = 41  # bits


def _vorbis_modes(setup: bytes) -> list[bool]:
    """Which modes have long blocks. They stand at the very end of the setup, where they can be read backwards: a last
    bit, before it 41 for each mode (long or short, two numbers that are nought, a mapping), before those their number
    less one in six bits. One mode alone cannot be told from the last of several so; its files are decoded."""
    bits = int.from_bytes(setup, "little")
    end = bits.bit_length() - 1
    modes: list[bool] = []
    while end > _MODE and not bits >> end - 40 & 0xFFFFFFFF:
        end -= _MODE
        modes.insert(0, bool(bits >> end & 1))
        if bits >> end - 6 & 0x3F == len(modes) - 1 and len(modes) > 1:
            return modes
    raise Broken("a setup of another kind")


# -- AAC in MP4 --------------------------------------------------------------------------------------------------------

_TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_ELEMENT = {1: 0, 2: 1}  # what a frame begins with: a single channel, or a pair
_END = 7


def _aac(file: BinaryIO, size: int, rate: int, channels: int) -> int:
    top = list(containers.each_box(file, 0, size))
    _must(top and top[-1][2] == size and [name for name, *_ in top].count(b"mdat") == 1, "not whole")
    begin, end = next((begin, end) for name, begin, end in top if name == b"mdat")
    timescale = struct.unpack(">I", _box(file, b"moov", b"trak", b"mdia", b"mdhd")[12:16])[0]
    movie = struct.unpack(">I", _box(file, b"moov", b"mvhd")[12:16])[0]
    _must(timescale == movie == rate, "another rate")
    sizes = _numbers(_box(file, *_TABLE, b"stsz"), 8)
    sizes, count = sizes[1:], sizes[0]
    times = _numbers(_box(file, *_TABLE, b"stts"), 8)
    total = sum(a * b for a, b in zip(times[::2], times[1::2], strict=True))
    _must(len(sizes) == count == sum(times[::2]), "tables that do not agree")
    _must(all(each == AAC_FRAME for each in times[1:-1:2]) and 0 < times[-1] <= AAC_FRAME, "frames of another length")
    places = zip(_places(file, sizes), _sums(begin, sizes), strict=True)
    _must(all(one == other for one, other in places) and begin + sum(sizes) == end, "frames elsewhere")
    edit = _box(file, b"moov", b"trak", b"edts", b"elst")
    _, edits, length, delay = struct.unpack(">IIIi", edit[:16])
    _must(edits == 1 and delay >= 0 and delay + length <= count * AAC_FRAME and total <= count * AAC_FRAME, "no edit")
    _check_frames(file, begin, sizes, channels)
    return int(min(length, count * AAC_FRAME - delay))


def _box(file: BinaryIO, *path: bytes) -> bytes:
    span = containers.inside(file, *path)
    _must(span is not None, "a table is missing")
    start, end = span or (0, 0)
    file.seek(start)
    return file.read(end - start)


def _numbers(box: bytes, start: int) -> list[int]:
    return list(struct.unpack(f">{(len(box) - start) // 4}I", box[start : start + (len(box) - start) // 4 * 4]))


def _sums(start: int, sizes: list[int]) -> Iterator[int]:
    """Where each begins, one behind the other."""
    for each in sizes:
        yield start
        start += each


def _places(file: BinaryIO, sizes: list[int]) -> Iterator[int]:
    """Where each frame lies, by the tables of chunks and of how many frames each of those has."""
    chunks = _numbers(_box(file, *_TABLE, b"stco"), 8)
    runs = _numbers(_box(file, *_TABLE, b"stsc"), 8)
    firsts = [*runs[::3], len(chunks) + 1]
    index = 0
    for (first, after), frames in zip(pairwise(firsts), runs[1::3], strict=True):
        for chunk in chunks[first - 1 : after - 1]:
            yield from _sums(chunk, sizes[index : index + frames])
            index += frames


def _check_frames(file: BinaryIO, begin: int, sizes: list[int], channels: int) -> None:
    """Each begins with the element of its channels (or a filling one) and ends with the mark of the end."""
    file.seek(begin)
    for size in sizes:
        frame = file.read(size)
        tail = int.from_bytes(frame[-2:])
        _must(frame[0] >> 5 in {_ELEMENT[channels], 6} and tail, "a frame of another kind")
        _must(tail >> (tail & -tail).bit_length() - 1 & _END == _END, "a frame without its end")


# -- WMA in ASF --------------------------------------------------------------------------------------------------------

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_STREAM = bytes.fromhex("9107dcb7b7a9cf118ee600c00c205365")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_WMA2 = 0x161
_PACKET = bytes.fromhex("820000")  # no correction of errors
_FIELDS = {0x095D: 1, 0x115D: 2}  # several payloads, fields as wide as ours; by that, the bytes that tell what is empty
_WHOLE_FRAMES = 1  # of the codec's flags: each payload is a frame by itself


def wma_frame(rate: int) -> int:
    """Samples of a block, as the codec fixes them."""
    return 512 if rate <= 16000 else 1024 if rate <= 22050 else 2048  # noqa: PLR2004


def _wma(file: BinaryIO, size: int, rate: int, channels: int) -> int:
    """All blocks but the first, which decoders drop."""
    name, length, count = struct.unpack("<16sQI", file.read(28))
    _must(name == _ASF_HEADER, "another head")
    objects, at = {}, 30
    for _ in range(min(count, 100)):
        file.seek(at)
        kind, taken = struct.unpack("<16sQ", file.read(24))
        objects[kind] = file.read(min(taken, 1000))
        at += taken
    said, stream = objects.get(_ASF_FILE, b""), objects.get(_ASF_STREAM, b"")
    whole, packets, least, most = struct.unpack("<16xQ8xQ28xII", said[:76])
    codec, has, at_rate, block, flags = struct.unpack("<HHI4xH4x4xH", stream[54:78])
    _must((codec, has, at_rate, flags) == (_WMA2, channels, rate, _WHOLE_FRAMES), "another codec")
    file.seek(length)
    name, taken, again = struct.unpack("<16sQ16xQ2x", file.read(50))
    _must(at == length and name == _ASF_DATA and whole == size == length + taken, "not whole")
    _must(least == most and packets == again and taken == 50 + packets * most, "packets that do not fit")
    blocks = 0
    for _ in range(packets):
        blocks = _wma_packet(file.read(most), block, blocks)
    return (blocks - 1) * wma_frame(rate)


def _wma_packet(packet: bytes, block: int, before: int) -> int:
    """How many blocks there are with those of this packet; they are numbered from one, by a byte."""
    wide = _FIELDS.get(int.from_bytes(packet[3:5]), 0)
    at = 12 + wide
    _must(packet[:3] == _PACKET and wide and packet[at - 1] >> 6 == 2, "a packet of another kind")  # noqa: PLR2004
    for _ in range(packet[at - 1] & 0x3F):
        before += 1
        stream, number, place, told, long, length = struct.unpack("<BBIBI4xH", packet[at : at + 17])
        _must((stream & 0x7F, number, place, told) == (1, before & 0xFF, 0, 8), "a block is missing")
        _must(long == length == block, "a block that is not whole")
        at += 17 + block
    _must(at + int.from_bytes(packet[5 : 5 + wide], "little") == len(packet), "a packet that is not full")
    return before


_WALKS: dict[str, Callable[[BinaryIO, int, int, int], int]] = {
    "mp3": _mp3, "opus": _opus, "vorbis": _vorbis, "aac": _aac, "wmav2": _wma
}  # fmt: skip
