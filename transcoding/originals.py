"""A lossy master as it is sold: its very sound, and nothing else that the label's file told.

No second encoding could be better, so what was delivered is given; but comments, places, names of machines and paths
stay here, and the tags are those of every other file. What holds no sound is cut off or blanked where it stands, so
that nothing which tells where the sound lies changes. Sources as in `containers`, and id3.org (ID3v1, Lyrics3).
"""

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from transcoding import containers, encode, payloads, probe, swollen
from transcoding.encode import Proved
from transcoding.errors import RenditionWrong
from transcoding.formats import Format, Sound
from transcoding.taggers import GAPLESS
from transcoding.waveform import Digest

CHUNK = 1024 * 1024
ID3V1, ID3V1_MORE = 128, 227  # bytes, at the very end
_LYRICS = 9 + 6  # bytes of the mark and of the length before it
_OF_SOUND = {b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"styp"}
_OF_MOOV = {b"mvhd", b"mvex", b"iods"}
_OF_TRAK = {b"tkhd", b"edts", b"mdia"}


def strip(source: Path, path: Path, container: str) -> None:
    """Write to `path` what of `source` is sound or tells where it is. Raises RenditionWrong where its tags swell."""
    try:
        if container == "ogg":
            _strip_ogg(source, path)
        elif container == "mov":
            _strip_mov(source, path)
        else:
            _cut(source, path)
    except swollen.TagsTooLarge as error:
        raise RenditionWrong(f"The delivered file's own tags are too large to be replaced: {error}.") from error


def prove(
    path: Path,
    _format: Format,
    sound: Sound,
    *,
    sound_sha256: str,
    on_beat: Callable[[], None] | None = None,
) -> Proved:
    """Decode it as the examination did. Raises RenditionWrong unless it is the master's sound; the last digits of a
    lossy decoder may differ between processors, so there the length decides."""
    found = Digest(channels=sound.channels, depth=16)
    room = encode.limits(sound, outputs=2)
    probe.decode(path, sound.container, depth=16, strict=False, sink=found, limits=room, on_beat=on_beat)
    if found.sha256 != sound_sha256 and found.samples != sound.samples:
        raise RenditionWrong("Without its own tags the delivered file plays another sound.")
    return Proved(found.sha256, found.samples)


# -- MP3 and WavPack: tags stand before and behind ---------------------------------------------------------------------


def _cut(source: Path, path: Path) -> None:
    with source.open("rb") as file, path.open("wb") as target:
        start, end = 0, file.seek(0, os.SEEK_END)
        while length := _ahead(file, start):
            start += length
        while length := _behind(file, end):
            end -= min(length, end - start)
        file.seek(start)
        while start < end and (piece := file.read(min(CHUNK, end - start))):
            target.write(piece)
            start += len(piece)


def _ahead(file: BinaryIO, at: int) -> int:
    file.seek(at)
    return containers.id3_length(file.read(10))


def _behind(file: BinaryIO, end: int) -> int:
    """The length of the tag that ends at `end`, of whatever kind; nought where none does."""
    file.seek(max(0, end - ID3V1_MORE))
    tail = file.read(min(end, ID3V1_MORE)).rjust(ID3V1_MORE, b"\0")
    if tail[-ID3V1:][:3] == b"TAG":
        return ID3V1
    if tail[:4] == b"TAG+":
        return ID3V1_MORE
    if tail[-9:] == b"LYRICS200" and tail[-_LYRICS:-9].isdigit():
        return int(tail[-_LYRICS:-9]) + _LYRICS
    if tail[-10:-7] == b"3DI":  # an ID3v2 that stands at the end
        return 20 + sum((byte & 0x7F) << shift for byte, shift in zip(tail[-4:], (21, 14, 7, 0), strict=True))
    return payloads.ape_length(file, end)


# -- Ogg: tags are a packet of their own -------------------------------------------------------------------------------


def _strip_ogg(source: Path, path: Path) -> None:
    shutil.copyfile(source, path)
    with path.open("rb") as file:
        opus = b"OpusHead" in file.read(4096)
    tagged: Any = (swollen.FewOpus if opus else swollen.FewVorbis)(path)
    tagged.tags.clear()
    if opus:
        tagged.tags._pad_data = b""  # noqa: SLF001 - what stands behind the comments, which mutagen would keep
    tagged.save(padding=lambda _info: 0)


# -- MP4: boxes --------------------------------------------------------------------------------------------------------


def _strip_mov(source: Path, path: Path) -> None:
    with source.open("rb") as file:
        gapless = (swollen.FewMp4(swollen.Bounded(file)).tags or {}).get(GAPLESS)
    shutil.copyfile(source, path)
    with path.open("r+b") as file:
        _blank_boxes(file, tags_too=not gapless)
    if gapless:  # older files tell the encoder's delay nowhere else, and ffmpeg hears it only behind the track
        tagged: Any = swollen.FewMp4(path)
        tagged.tags = None
        tagged.add_tags()
        tagged.tags[GAPLESS] = gapless
        tagged.save(padding=lambda _info: 0)


def _blank_boxes(file: BinaryIO, *, tags_too: bool) -> None:
    size = file.seek(0, os.SEEK_END)
    top = list(containers.each_box(file, 0, size))
    moov = next(((begin, end) for name, begin, end in top if name == b"moov"), None)
    if moov is None:
        return
    kept = _sound_chunks(file, moov) if b"moof" not in {name for name, _, _ in top} else None
    for name, begin, end in top:
        if name not in _OF_SOUND:
            _blank(file, begin, end)
        elif name == b"mdat" and kept is not None:
            _keep_only(file, begin, min(end, size) if end > begin else size, kept)
    for name, begin, end in list(containers.each_box(file, *moov)):
        if name == b"trak" and _is_sound(file, begin, end):
            _blank_but(file, begin, end, _OF_TRAK)
            _unname(file, begin, end)
        elif name == b"udta" and not tags_too:
            _blank_but(file, begin, end, {b"meta"})
        elif name not in _OF_MOOV:
            _blank(file, begin, end)


def _blank_but(file: BinaryIO, begin: int, end: int, kept: set[bytes]) -> None:
    for name, *span in list(containers.each_box(file, begin, end)):
        if name not in kept:
            _blank(file, *span)


def _is_sound(file: BinaryIO, begin: int, end: int) -> bool:
    handler = containers.inside(file, b"mdia", b"hdlr", span=(begin, end))
    if handler is None:
        return False
    file.seek(handler[0] + 8)
    return file.read(4) == b"soun"


def _unname(file: BinaryIO, begin: int, end: int) -> None:
    """A handler has a name that people may choose."""
    handler = containers.inside(file, b"mdia", b"hdlr", span=(begin, end))
    if handler is not None:
        _zero(file, handler[0] + 24, handler[1])


def _blank(file: BinaryIO, begin: int, end: int) -> None:
    """Make a box one that readers skip, of as many noughts."""
    file.seek(begin - 8)
    short = int.from_bytes(file.read(4), "big") == end - begin + 8
    file.seek(begin - (4 if short else 12))  # a long one has its length behind the name
    file.write(b"free")
    _zero(file, begin, end)


def _zero(file: BinaryIO, begin: int, end: int) -> None:
    end = min(end, file.seek(0, os.SEEK_END))
    file.seek(begin)
    while begin < end:
        length = min(CHUNK, end - begin)
        file.write(bytes(length))
        begin += length


def _keep_only(file: BinaryIO, begin: int, end: int, kept: list[tuple[int, int]]) -> None:
    """Blank whatever of the media data is none of the track's sound: pictures, chapters, and what lies between."""
    at = begin
    for start, stop in kept:
        if start >= end or stop <= at:
            continue
        if start > at:
            _zero(file, at, start)
        at = stop
    if at < end:
        _zero(file, at, end)


def _sound_chunks(file: BinaryIO, moov: tuple[int, int]) -> list[tuple[int, int]]:
    """Where the first sound track's chunks begin and end, in the order of the file."""
    for name, begin, end in containers.each_box(file, *moov):
        if name == b"trak" and _is_sound(file, begin, end):
            table = containers.inside(file, b"mdia", b"minf", b"stbl", span=(begin, end))
            return sorted(_chunks(file, containers.boxes(file, *table))) if table else []
    return []


def _chunks(file: BinaryIO, table: dict[bytes, tuple[int, int]]) -> Iterator[tuple[int, int]]:
    name, width = (b"stco", 4) if b"stco" in table else (b"co64", 8)
    offsets = [int.from_bytes(each, "big") for each in _rows(file, table[name], 8, width)]
    same, count = struct.unpack(">4xII", _piece(file, table[b"stsz"][0], 12))
    each_size = [] if same else [int.from_bytes(row, "big") for row in _rows(file, table[b"stsz"], 12, 4)]
    runs = [struct.unpack(">II4x", row) for row in _rows(file, table[b"stsc"], 8, 12)]
    sample = 0
    for number, offset in enumerate(offsets, 1):
        while len(runs) > 1 and runs[1][0] <= number:
            runs.pop(0)
        samples = min(runs[0][1], count - sample) if runs else 0
        length = samples * same if same else sum(each_size[sample : sample + samples])
        sample += samples
        yield offset, offset + length


def _rows(file: BinaryIO, box: tuple[int, int], head: int, width: int) -> list[bytes]:
    data = _piece(file, box[0] + head, max(0, box[1] - box[0] - head))
    return [data[at : at + width] for at in range(0, len(data) - width + 1, width)]


def _piece(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)
