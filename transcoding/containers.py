"""What a file says about itself, read from its first (and last) bytes by ourselves. Pure, and bounded in what it reads.

The name of an upload and its media type are never believed: a playlist named `.flac` is no FLAC. The container found
here fixes the one demuxer that ffmpeg may use, so that nothing else in it can ever be reached.
Sources: RFC 9639 (FLAC), RFC 3533 (Ogg), Microsoft RIFF and EBU Tech 3306 (RF64), Apple AIFF 1.3, ISO 14496-12,
the LAME tag specification, WavPack 4 file format.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from transcoding.errors import MasterRefused

HEAD = 64 * 1024
TAIL = 512 * 1024  # in which the last frame of a stream begins, whatever tags stand behind it
HYBRID_FLAG = 0x8
BLOCKS = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)  # of FLAC, by its code
HERE = 1  # of a film's data reference: the sound is in this file
SHORT = (struct.error, IndexError)  # what reading numbers out of a file that breaks off ends with
LONG = 0xFFFFFFFF  # stands for a length that four bytes cannot say


@dataclass(frozen=True)
class Container:
    """`demuxer` and `decoders` are ffmpeg's names; `codecs` maps its codec to whether it is lossless."""

    name: str
    demuxer: str
    codecs: dict[str, bool]

    @property
    def decoders(self) -> str:
        return ",".join([*self.codecs, "mp3float", "libopus", "libvorbis"])


_PCM = dict.fromkeys(
    ("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le",
     "pcm_f32be", "pcm_f64le", "pcm_f64be"), True)  # fmt: skip
FLAC = Container("flac", "flac", {"flac": True})
WAV = Container("wav", "wav", _PCM)
AIFF = Container("aiff", "aiff", _PCM)
OGG = Container("ogg", "ogg", {"vorbis": False, "opus": False, "flac": True})
MOV = Container("mov", "mov", {"alac": True, "aac": False})
MP3 = Container("mp3", "mp3", {"mp3": False})
WAVPACK = Container("wv", "wv", {"wavpack": True})
# Made here and read back to prove them, never taken: `read` answers none of these.
TTA = Container("tta", "tta", {"tta": True})
ASF = Container("asf", "asf", {"wmav2": False})
MUSEPACK = Container("mpc8", "mpc8", {"mpc8": False})
APE = Container("ape", "ape", {"ape": True})
CONTAINERS = {each.name: each for each in (FLAC, WAV, AIFF, OGG, MOV, MP3, WAVPACK, TTA, ASF, MUSEPACK, APE)}


@dataclass(frozen=True)
class Declared:
    """What the header promises. `samples` and `pcm_md5` where it says so; `missing` bytes where it promises more than
    the file holds; `whole` is false where an end mark is lacking; `hybrid` for WavPack that left its correction out;
    `beside` the bytes that are no sound, as far as they are easily counted."""

    container: Container
    samples: int | None = None
    pcm_md5: str = ""
    missing: int = 0
    whole: bool = True
    hybrid: bool = False
    beside: int = 0


def read(path: Path) -> Declared:
    """Find the container by its signature and read what it declares; MasterRefused where it is none we take."""
    try:
        return _read(path)
    except SHORT as error:
        raise MasterRefused("NOT_AUDIO", f"The file breaks off in its header ({error}). Export it again.") from error


def _read(path: Path) -> Declared:  # noqa: PLR0911 - one answer per container
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        skipped = id3_length(file.read(10))
        file.seek(skipped)
        head = file.read(HEAD)
        if head[:4] == b"fLaC":
            return _flac(file, skipped, size)
        if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
            return _wav(file, skipped, size)
        if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
            return _aiff(file, skipped, size)
        if head[:4] == b"OggS":
            return _ogg(file, size)
        if head[4:8] == b"ftyp":
            return _mov(file, size)
        if head[:4] == b"wvpk":
            return _wavpack(file, head, size)
        if _is_mp3_frame(head) or (skipped and _first_mp3_frame(head) is not None):
            return _mp3(head, skipped, size)
    raise MasterRefused(
        "NOT_AUDIO",
        "This is not an audio file we can read. Deliver FLAC, WAV, AIFF, ALAC or AAC in m4a, Ogg Vorbis, Opus, MP3 or "
        "WavPack.",
    )


def id3_length(head: bytes) -> int:
    """The length of an ID3v2 tag at the very start, nought without one."""
    if head[:3] != b"ID3" or len(head) < 10:  # noqa: PLR2004 - its header is ten bytes
        return 0
    a, b, c, d = (byte & 0x7F for byte in head[6:10])
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _flac(file: BinaryIO, start: int, size: int) -> Declared:
    file.seek(start)
    head = file.read(42)
    packed = int.from_bytes(head[18:26], "big")
    samples = packed & (1 << 36) - 1
    md5 = head[26:42].hex()
    if not samples:
        samples = _flac_end(_tail(file, size), block=int.from_bytes(head[8:10], "big"))
    beside = flac_head(file, start)
    return Declared(FLAC, samples=samples or None, pcm_md5="" if md5 == "0" * 32 else md5, beside=beside)


def flac_head(file: BinaryIO, start: int = 0) -> int:
    """How much of a FLAC file its blocks of metadata take, between the first four bytes and the sound; at most 1,000
    of them are asked."""
    at = start + 4
    for _ in range(1000):
        file.seek(at)
        head = file.read(4)
        at += 4 + int.from_bytes(head[1:4], "big")
        if len(head) < 4 or head[0] & 0x80:  # noqa: PLR2004 - the last block is marked
            break
    return at - start - 4


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - TAIL))
    return file.read(TAIL)


def _flac_end(tail: bytes, *, block: int) -> int:
    """Where the last frame ends, in samples, for an encoder that did not know when it began; nought if none is found.

    Frames are numbered; RFC 9639 §9.1 has the layout of their headers, which end with a checksum.
    """
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        if tail[at + 1 : at + 2] in {b"\xf8", b"\xf9"} and (end := _flac_frame_end(tail[at : at + 16], block=block)):
            return end
    return 0


def _flac_frame_end(head: bytes, *, block: int) -> int:
    """The sample after the frame whose header this is; nought where it is no header."""
    ones = 8 - (head[4] ^ 0xFF).bit_length() if len(head) == 16 else 0  # noqa: PLR2004 - the longest header
    more = {0: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6}.get(ones)
    if len(head) < 16 or more is None or head[3] & 1 or head[2] >> 4 == 0:  # noqa: PLR2004
        return 0
    number = head[4] & 0x7F >> ones
    for byte in head[5 : 5 + more]:
        if byte >> 6 != 0b10:  # noqa: PLR2004
            return 0
        number = number << 6 | byte & 0x3F
    at = 5 + more
    code = head[2] >> 4
    said = {6: 1, 7: 2}.get(code, 0)  # bytes that hold the block's length
    length = int.from_bytes(head[at : at + said], "big") + 1 if said else BLOCKS[code]
    at += said + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if _crc8(head[:at]) != head[at]:
        return 0
    return (number if head[1] & 1 else number * block) + length


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc


def chunks_of(file: BinaryIO, start: int, size: int, order: str) -> dict[bytes, tuple[int, int]]:
    """Chunk name to (offset of its content, declared length), first of each name, at most 1,000 of them. The sound of
    an RF64 is as long as its ds64 says."""
    found: dict[bytes, tuple[int, int]] = {}
    at = start + 12
    for _ in range(1000):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or at >= size:  # noqa: PLR2004
            break
        name, length = struct.unpack(f"{order}4sI", head)
        if name == b"data" and length == LONG and b"ds64" in found:
            file.seek(found[b"ds64"][0] + 8)
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        found.setdefault(name, (at + 8, length))
        at += 8 + length + length % 2
    return found


def is_rf64(file: BinaryIO, *, room: int = 0) -> bool:
    """Whether a WAV of ours is an RF64. One that would grow beyond 4 GiB by `room` is made one: our encoder leaves a
    place for what that needs."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(20)
    if head[:4] == b"RIFF" and size + room + 16 > LONG and head[12:16] == b"JUNK":
        chunks = chunks_of(file, 0, size, "<")
        at, length = chunks[b"data"]
        for place, written in ((0, b"RF64\xff\xff\xff\xff"), (12, b"ds64"), (28, struct.pack("<Q", length)),
                               (36, bytes(12)), (at - 4, b"\xff\xff\xff\xff")):  # fmt: skip
            file.seek(place)
            file.write(written)
        return True
    return head[:4] == b"RF64"


def end_rf64(file: BinaryIO, name: bytes, content: bytes) -> None:
    """Put one chunk behind the sound of an RF64, in place of all that stands there."""
    chunks = chunks_of(file, 0, file.seek(0, os.SEEK_END), "<")
    at, length = chunks[b"data"]
    file.seek(at + length + length % 2)
    file.truncate()
    file.write(struct.pack("<4sI", name, len(content)) + content + bytes(len(content) % 2))
    size = file.tell()
    file.seek(chunks[b"ds64"][0])
    file.write(struct.pack("<Q", size - 8))


def _wav(file: BinaryIO, start: int, size: int) -> Declared:
    chunks = chunks_of(file, start, size, "<")
    if b"fmt " not in chunks or b"data" not in chunks:
        return Declared(WAV, missing=1)
    file.seek(chunks[b"fmt "][0])
    fmt = file.read(16)
    offset, length = chunks[b"data"]
    if length == 0xFFFFFFFF:  # noqa: PLR2004 - "see ds64", or written to a pipe
        if b"ds64" not in chunks:
            return Declared(WAV, beside=offset)
        file.seek(chunks[b"ds64"][0] + 8)
        (length,) = struct.unpack("<Q", file.read(8))
    block = struct.unpack("<H", fmt[12:14])[0] if len(fmt) == 16 else 0  # noqa: PLR2004
    missing, beside = max(0, offset + length - size), max(0, size - length)
    return Declared(WAV, samples=length // block if block else None, missing=missing, beside=beside)


def _aiff(file: BinaryIO, start: int, size: int) -> Declared:
    chunks = chunks_of(file, start, size, ">")
    if b"COMM" not in chunks or b"SSND" not in chunks:
        return Declared(AIFF, missing=1)
    file.seek(chunks[b"COMM"][0])
    _, samples = struct.unpack(">HI", file.read(6).ljust(6, b"\0"))
    offset, length = chunks[b"SSND"]
    return Declared(AIFF, samples=samples, missing=max(0, offset + length - size), beside=max(0, size - length))


def _ogg(file: BinaryIO, size: int) -> Declared:
    """The last page must be there to its last byte, and be marked as the end of its stream."""
    file.seek(max(0, size - HEAD))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) - at < 27:  # noqa: PLR2004 - the header of a page
        return Declared(OGG, whole=False)
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    end = at + 27 + tail[at + 26] + sum(segments)
    return Declared(OGG, missing=max(0, end - len(tail)), whole=bool(tail[at + 5] & 4))


def _mov(file: BinaryIO, size: int) -> Declared:
    at = sound = 0
    for _ in range(1000):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:  # noqa: PLR2004
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            sound += size - at if head[4:8] == b"mdat" else 0
            break
        if length < 8:  # noqa: PLR2004 - shorter than its own head: nonsense
            return Declared(MOV, whole=False)
        at += length
        sound += length if head[4:8] == b"mdat" else 0
    else:
        sound = size  # in more pieces than are counted here
    if _refers_elsewhere(file):
        raise MasterRefused(
            "REFERS_ELSEWHERE", "The sound of this file lies in another file that it names. Export it as one file."
        )
    return Declared(MOV, missing=max(0, at - size), beside=max(0, size - sound))


def _refers_elsewhere(file: BinaryIO) -> bool:
    """Whether any track's data reference (ISO 14496-12 §8.7.2) is to something other than this very file."""
    moov = inside(file, b"moov")
    for name, *track in each_box(file, *moov) if moov else ():
        dref = inside(file, b"mdia", b"minf", b"dinf", b"dref", span=(track[0], track[1])) if name == b"trak" else None
        for _, begin, _ in each_box(file, dref[0] + 8, dref[1]) if dref else ():
            file.seek(begin)
            if not int.from_bytes(file.read(4), "big") & HERE:
                return True
    return False


def _wavpack(file: BinaryIO, head: bytes, size: int) -> Declared:
    (total,) = struct.unpack("<I", head[12:16])
    (flags,) = struct.unpack("<I", head[24:28].ljust(4, b"\0"))
    samples = _wavpack_end(_tail(file, size)) if total == 0xFFFFFFFF else total  # noqa: PLR2004 - not known when begun
    return Declared(WAVPACK, samples=samples or None, hybrid=bool(flags & HYBRID_FLAG))


def _wavpack_end(tail: bytes) -> int:
    """The sample after the last block; nought where none is found."""
    at = len(tail)
    while (at := tail.rfind(b"wvpk", 0, at)) >= 0:
        head = tail[at : at + 24]
        if len(head) == 24 and head[9:10] == b"\x04":  # noqa: PLR2004 - all versions of the format are 4.something
            first, count = struct.unpack("<II", head[16:24])
            return int(first + count)
    return 0


def _is_mp3_frame(head: bytes) -> bool:
    """Two frame headers in a row would be surer, but ffmpeg judges that; this keeps texts and ADTS out."""
    return (
        len(head) >= 4  # noqa: PLR2004
        and head[0] == 0xFF  # noqa: PLR2004
        and head[1] & 0xE6 == 0xE2  # noqa: PLR2004 - MPEG audio, layer III
        and head[2] >> 4 not in {0, 15}
        and head[2] >> 2 & 3 != 3  # noqa: PLR2004
    )


def _first_mp3_frame(head: bytes) -> int | None:
    """Where the first frame begins, past padding; None where there is no frame within the head."""
    at = head.find(b"\xff")
    while 0 <= at < len(head) - 4:
        if _is_mp3_frame(head[at : at + 4]):
            return at
        at = head.find(b"\xff", at + 1)
    return None


def _mp3(head: bytes, skipped: int, size: int) -> Declared:
    """The Xing or Info frame, where an encoder wrote one, says how many frames and bytes belong to the sound."""
    start = _first_mp3_frame(head) or 0
    frame = head[start : start + 1500]
    at = max(frame.find(b"Xing", 0, 64), frame.find(b"Info", 0, 64))
    if at < 0 or len(frame) < at + 16:
        return Declared(MP3, beside=skipped)
    (flags,) = struct.unpack(">I", frame[at + 4 : at + 8])
    if flags & 3 != 3:  # noqa: PLR2004 - both counts
        return Declared(MP3, beside=skipped)
    _, length = struct.unpack(">II", frame[at + 8 : at + 16])
    return Declared(MP3, missing=max(0, skipped + start + length - size), beside=skipped)


def each_box(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of an MP4 file between two places, at most 1,000: name, begin and end of the content."""
    at = start
    for _ in range(1000):
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:  # noqa: PLR2004
            break
        length, skip = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, skip = int.from_bytes(head[8:16], "big"), 16
        if length < skip:
            break
        yield head[4:8], at + skip, at + length
        at += length


def boxes(file: BinaryIO, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """The same by name, first of each."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, begin, ends in each_box(file, start, end):
        found.setdefault(name, (begin, ends))
    return found


def inside(file: BinaryIO, *path: bytes, span: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """The content of a box within boxes, of an MP4 file or of a `span` of it."""
    place = span or (0, file.seek(0, os.SEEK_END))
    for name in path:
        found = boxes(file, *place).get(name)
        if found is None:
            return None
        place = found
    return place


def aac_timing(path: Path) -> tuple[int, int] | None:
    """Of an AAC track in MP4: samples of encoder delay, by its edit list, and how many frames it has; else None."""
    with path.open("rb") as file:
        trak = (b"moov", b"trak")
        table = (*trak, b"mdia", b"minf", b"stbl")
        entries, sizes = inside(file, *table, b"stsd"), inside(file, *table, b"stsz")
        edits = inside(file, *trak, b"edts", b"elst")
        if entries is None or sizes is None or edits is None:
            return None
        file.seek(entries[0])
        codec = file.read(16)[12:16]
        file.seek(sizes[0])
        _, _, frames = struct.unpack(">III", file.read(12))
        file.seek(edits[0])
        head = file.read(28)
    if codec != b"mp4a" or len(head) < 20 or head[4:8] != b"\0\0\0\1":  # noqa: PLR2004
        return None
    begin = struct.unpack(">i", head[12:16]) if head[0] == 0 else struct.unpack(">q", head[16:24])
    return max(0, begin[0]), frames
