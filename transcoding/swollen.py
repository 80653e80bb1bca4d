"""Tags that would swell in the memory of whoever reads them, or keep it busy for hours: found before they are parsed.

mutagen reads any tag that a file claims to have: millions of comments of six bytes, frames of nought bytes that each
copy all the rest, text of nothing but ends, which is split one by one, and packed frames that unfold a thousandfold.
Honest tags are far from any of these bounds. Pure. Sources: id3.org (2.2 to 2.4), xiph.org Vorbis comment,
Hydrogenaudio's description of APEv2, Apple's QuickTime File Format.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, VCFLACDict
from mutagen.id3 import ID3
from mutagen.id3._tags import determine_bpi
from mutagen.id3._util import unsynch
from mutagen.mp4 import MP4, MP4Tags
from mutagen.oggflac import OggFLAC, OggFLACVComment
from mutagen.oggopus import OggOpus, OggOpusVComment
from mutagen.oggvorbis import OggVCommentDict, OggVorbis

MAX_READ = 96 * 1024 * 1024  # bytes read from one file, cover included
MAX_READS = 200_000  # pieces: each box, page or chunk takes some memory
MAX_TAGS = 2_000
MAX_TEXT = 32 * 1024  # bytes of one tag that is not a picture
MAX_TEXTS = 1024 * 1024  # bytes of all of them in one ID3
MAX_NAME = 256  # letters, of APEv2
PICTURES = ("APIC", "PIC")
OTHERS = ("COMM", "COM", "USER", "UFID", "UFI", "IPLS", "IPL", "WCOP", "WCP")  # that are read besides texts
_PACKED = {3: 0x0080, 4: 0x0008}  # flags of a frame, by version
_ALTERED = {3: 0x0060, 4: 0x0046}  # enciphered, grouped, or unsynchronised one by one: then its bytes begin elsewhere


class TagsTooLarge(ValueError):
    """The tags claim more than any honest file needs."""


class Bounded(io.RawIOBase):
    """A file that may be read up to a limit in all, so that no tag can fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._left, self._reads = file, MAX_READ, 0
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        rest = max(0, self._size - self._file.tell())
        wanted = rest if size is None or size < 0 else min(size, rest)
        self._reads += 1
        if wanted > self._left or self._reads > MAX_READS:
            raise TagsTooLarge(f"more than {MAX_READ:,} bytes of tags, or more than {MAX_READS:,} pieces")
        self._left -= wanted
        return self._file.read(wanted)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


# -- ID3 ---------------------------------------------------------------------------------------------------------------


class FewFrames(ID3):
    """ID3 of which only the frames that are read here are parsed, and no more of them than is honest."""

    def _read(self, header: Any, data: bytes) -> Any:
        version = header.version[1]
        whole = version < 4 and header.f_unsynch  # noqa: PLR2004 - from 2.4 on it is said of each frame
        plain = unsynch.decode(data) if whole else data
        kept, texts = [], 0
        for name, flags, start, body, end in _frames(plain, version, header.known_frames):
            picture = name in PICTURES
            if not (picture or name.startswith("T") or name in OTHERS):
                continue
            texts += 0 if picture else end - body
            if (not picture and end - body > MAX_TEXT) or texts > MAX_TEXTS:
                raise TagsTooLarge(f"more than {MAX_TEXT:,} bytes of text")
            if flags & _PACKED.get(version, 0):
                apart = flags & _ALTERED[version] or header.f_unsynch
                if apart or not _unfolds_to(plain[body:end], MAX_READ if picture else MAX_TEXT):
                    continue  # nobody packs a frame that is worth it
            kept.append(plain[start:end])
        rest = b"".join(kept)
        super()._read(header, unsynch.encode(rest) if whole else rest)
        return b""


def _frames(data: bytes, version: int, known: Any) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, flags, start, start of the content and end of each frame that has any, as mutagen finds them."""
    head = 6 if version < 3 else 10  # noqa: PLR2004
    size_of = determine_bpi(data, known) if version > 3 else int  # noqa: PLR2004 - some write plain sizes in 2.4
    at, met = 0, 0
    while at + head <= len(data):
        flags = 0
        if version < 3:  # noqa: PLR2004
            name, size = data[at : at + 3], int.from_bytes(data[at + 3 : at + 6], "big")
        else:
            name, size, flags = struct.unpack_from(">4sLH", data, at)
            size = size_of(size)
        if not name.strip(b"\0"):
            return
        met += 1
        if met > MAX_TAGS:
            raise TagsTooLarge(f"more than {MAX_TAGS:,} tags")
        end = min(len(data), at + head + size)
        if size:
            yield name.decode("ascii", "replace").rstrip("\0"), flags, at, at + head, end
        at += head + size


def _unfolds_to(packed: bytes, most: int) -> bool:
    """Whether a packed frame stays within `most` bytes, with the length before it and, as some write it, without."""
    for data in (packed[4:], packed):
        with suppress(zlib.error):
            if len(zlib.decompressobj().decompress(data, most + 1)) > most:
                return False
    return True


# -- Vorbis comments ---------------------------------------------------------------------------------------------------


class _FewComments:
    """The number of comments stands before them."""

    def load(self, fileobj: Any, *args: Any, **more: Any) -> None:
        at = fileobj.tell()
        vendor = int.from_bytes(fileobj.read(4), "little")
        fileobj.seek(at + 4 + vendor)
        if int.from_bytes(fileobj.read(4), "little") > MAX_TAGS:
            raise TagsTooLarge(f"more than {MAX_TAGS:,} tags")
        fileobj.seek(at)
        super().load(fileobj, *args, **more)  # type: ignore[misc]


class _FlacComments(_FewComments, VCFLACDict):
    pass


class _VorbisComments(_FewComments, OggVCommentDict):
    pass


class _OpusComments(_FewComments, OggOpusVComment):
    pass


class _OggFlacComments(_FewComments, OggFLACVComment):
    pass


class FewFlac(FLAC):
    METADATA_BLOCKS = [_FlacComments if block is VCFLACDict else block for block in FLAC.METADATA_BLOCKS]


class FewVorbis(OggVorbis):
    _Tags = _VorbisComments


class FewOpus(OggOpus):
    _Tags = _OpusComments


class FewOggFlac(OggFLAC):
    _Tags = _OggFlacComments


# -- MP4 and APEv2 -----------------------------------------------------------------------------------------------------


class _FewAtoms(MP4Tags):
    def load(self, atoms: Any, fileobj: Any) -> None:
        with suppress(KeyError):
            values = 0
            for atom in atoms.path(b"moov", b"udta", b"meta", b"ilst")[-1].children:
                values += atom.read(fileobj)[1].count(b"data")
                if values > MAX_TAGS:
                    raise TagsTooLarge(f"more than {MAX_TAGS:,} tags")
        super().load(atoms, fileobj)


class FewMp4(MP4):
    MP4Tags = _FewAtoms


class FewItems(APEv2):
    def _APEv2__parse_tag(self, tag: bytes, count: int) -> None:  # noqa: N802 - as Python names what it calls
        at = 0
        for met in range(count):
            if at + 8 > len(tag):
                break
            size, flags = struct.unpack_from("<2I", tag, at)
            name = tag.find(b"\0", at + 8, at + 8 + MAX_NAME)
            if name < 0 or met >= MAX_TAGS or (not flags & 6 and size > MAX_TEXT):
                raise TagsTooLarge(f"more than {MAX_TAGS:,} tags, or more than {MAX_TEXT:,} bytes of text")
            at = name + 1 + size
        super()._APEv2__parse_tag(tag, count)
