"""What the tags of a delivered file say, in one shape whatever the format.

Only mutagen touches the bytes, within the bounds of `swollen`: a tag may claim any size. Whatever goes wrong becomes a
finding, never an exception, because one odd file must not stop a delivery. Nothing is guessed here:
an absent tag is an empty field.

Sources: id3.org (2.3, 2.4), xiph.org Vorbis comment, mutagen's documentation for MP4 and APEv2, Microsoft RIFF INFO,
Apple AIFF 1.3.
"""

import base64
import binascii
import datetime as dt
import io
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from mutagen import MutagenError
from mutagen.flac import Picture
from mutagen.mp3 import MP3

from catalog.words import clean
from transcoding import containers, swollen
from transcoding.errors import MasterRefused
from transcoding.swollen import Bounded, TagsTooLarge

MAX_KEYS = 500
MAX_VALUES = 50
MAX_TEXT = 10_000
FRONT_COVER = 3  # of ID3's and FLAC's picture types
CHUNKS = 1000

# mutagen lets these through from files broken in ways its authors did not meet
_BROKEN = (MutagenError, OSError, ValueError, LookupError, EOFError, TypeError, ArithmeticError, AttributeError,
           RecursionError, struct.error, binascii.Error)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TagFinding:
    """Something odd in the tags: a stable code, and what to do."""

    code: str
    message: str


_TOO_LARGE = TagFinding(
    "TAGS_TOO_LARGE",
    "The tags are too large to read; write them anew with fewer tags and a smaller picture, and deliver it again.",
)
_UNREADABLE = TagFinding(
    "TAGS_UNREADABLE",
    "The tags cannot be read; the file may be damaged or cut short. Export it again and deliver the new file.",
)


@dataclass(frozen=True, slots=True)
class FileTags:
    """The tags of one file, cleaned. Codes stand as they were written; `statements` is (tag, raw text) about rights.

    `musicbrainz` are ids by what they name, one of `MUSICBRAINZ`, in the order of the tag.
    """

    container: str = ""
    title: str = ""
    version: str = ""
    artists: tuple[str, ...] = ()
    album: str = ""
    album_artists: tuple[str, ...] = ()
    number: int | None = None
    total: int | None = None
    disc: int | None = None
    year: int | None = None
    date: dt.date | None = None
    isrc: str = ""
    iswc: str = ""
    barcode: str = ""
    genre: str = ""
    language: str = ""
    copyright: str = ""
    composers: tuple[str, ...] = ()
    lyricists: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    remixers: tuple[str, ...] = ()
    conductors: tuple[str, ...] = ()
    arrangers: tuple[str, ...] = ()
    musicbrainz: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statements: tuple[tuple[str, str], ...] = ()
    comments: tuple[str, ...] = ()
    cover: bytes | None = None
    findings: tuple[TagFinding, ...] = ()


def read(path: Path, *, with_cover: bool = False) -> FileTags:
    """The tags of the audio file at `path`; the front cover only where asked, since it may be large.

    Raises MasterRefused where the file is no audio we take; tags that cannot be read are a finding.
    """
    container = containers.read(path).container.name
    try:
        with path.open("rb") as file:
            texts, cover = _READERS[container](Bounded(file), with_cover=with_cover)
    except _BROKEN as error:
        swells = isinstance(error, TagsTooLarge) or isinstance(error.__context__, TagsTooLarge)  # mutagen wraps some
        return FileTags(container, findings=(_TOO_LARGE if swells else _UNREADABLE,))
    return _tags(container, texts, cover)


# -- One reader per family of tags: each gives texts by our own names --------------------------------------------------

Texts = dict[str, list[str]]


def _read_flac(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    audio = swollen.FewFlac(file)
    return _vorbis(audio.tags), _front(audio.pictures) if with_cover else None


def _read_ogg(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    tags = _ogg(file).tags
    return _vorbis(tags), _front(_vorbis_pictures(tags)) if with_cover else None


def _read_mp4(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    tags = swollen.FewMp4(file).tags or {}
    covers = tags.get("covr") if with_cover else None
    return _mp4(tags), bytes(covers[0]) if covers else None


def _read_wavpack(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    tags = _ape_behind(file)
    return _ape(tags), _ape_cover(tags) if with_cover else None


def _read_mp3(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    tags = MP3(file, ID3=swollen.FewFrames).tags
    if tags is None:
        return _ape(_ape_behind(file)), None
    return _id3(tags), _front(tags.getall("APIC")) if with_cover else None


def _read_wav(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    return _chunked(file, "<", with_cover=with_cover)


def _read_aiff(file: Bounded, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    return _chunked(file, ">", with_cover=with_cover)


def _chunked(file: Bounded, order: str, *, with_cover: bool) -> tuple[Texts, bytes | None]:
    """ID3 in a chunk goes before texts in chunks of their own, which hold less."""
    texts = _chunk_texts(file, order)
    chunks = containers.chunks_of(cast("BinaryIO", file), 0, file.seek(0, io.SEEK_END), order)
    at, length = chunks.get(b"id3 ") or chunks.get(b"ID3 ") or (0, 0)
    if not length:
        return texts, None
    file.seek(at)
    tags = swollen.FewFrames(io.BytesIO(file.read(length)))
    return texts | _id3(tags), _front(tags.getall("APIC")) if with_cover else None


_READERS = {
    "flac": _read_flac, "ogg": _read_ogg, "mov": _read_mp4, "wv": _read_wavpack, "mp3": _read_mp3,
    "wav": _read_wav, "aiff": _read_aiff,
}  # fmt: skip


def _ogg(file: Bounded) -> Any:
    head = file.read(4096)
    kinds = (
        (b"OpusHead", swollen.FewOpus), (b"\x7fFLAC", swollen.FewOggFlac), (b"\x01vorbis", swollen.FewVorbis)
    )  # fmt: skip
    kind = next((kind for mark, kind in kinds if mark in head), None)
    if kind is None:
        raise MasterRefused("NOT_AUDIO", "This Ogg file holds neither Vorbis, Opus nor FLAC. Deliver one that does.")
    file.seek(0)
    return kind(file)


# As Picard names them. In ID3 and MP4 most have longer names; a recording was once called a track.
MUSICBRAINZ = {
    "recording": "MUSICBRAINZ_TRACKID",
    "track": "MUSICBRAINZ_RELEASETRACKID",
    "release": "MUSICBRAINZ_ALBUMID",
    "release group": "MUSICBRAINZ_RELEASEGROUPID",
    "artist": "MUSICBRAINZ_ARTISTID",
    "release artist": "MUSICBRAINZ_ALBUMARTISTID",
    "work": "MUSICBRAINZ_WORKID",
}
MUSICBRAINZ_OWNER = "http://musicbrainz.org"

_VORBIS = {
    "MUSICBRAINZ TRACK ID": "MUSICBRAINZ_TRACKID",
    "MUSICBRAINZ RELEASE TRACK ID": "MUSICBRAINZ_RELEASETRACKID",
    "MUSICBRAINZ ALBUM ID": "MUSICBRAINZ_ALBUMID",
    "MUSICBRAINZ RELEASE GROUP ID": "MUSICBRAINZ_RELEASEGROUPID",
    "MUSICBRAINZ ARTIST ID": "MUSICBRAINZ_ARTISTID",
    "MUSICBRAINZ ALBUM ARTIST ID": "MUSICBRAINZ_ALBUMARTISTID",
    "MUSICBRAINZ WORK ID": "MUSICBRAINZ_WORKID",
    "MIXARTIST": "REMIXER",
    "ALBUM ARTIST": "ALBUMARTIST",
    "ALBUM_ARTIST": "ALBUMARTIST",
    "TRACK": "TRACKNUMBER",
    "DISC": "DISCNUMBER",
    "YEAR": "DATE",
    "UPC": "BARCODE",
    "EAN": "BARCODE",
    "EAN/UPN": "BARCODE",
    "GTIN": "BARCODE",
    "WRITER": "LYRICIST",
    "SUBTITLE": "VERSION",
    "DESCRIPTION": "COMMENT",
}


def _vorbis(tags: Any) -> Texts:
    texts: Texts = defaultdict(list)
    for key, value in tags or ():
        name = key.upper()
        if name != "METADATA_BLOCK_PICTURE":
            texts[_VORBIS.get(name, name)].append(value)
    return texts


def _vorbis_pictures(tags: Any) -> Iterator[Picture]:
    for encoded in (tags or {}).get("metadata_block_picture", []):
        with suppress(*_BROKEN):
            yield Picture(base64.b64decode(encoded))


def _front(pictures: Iterable[Any]) -> bytes | None:
    """The picture marked as front cover, else the first."""
    ranked = sorted(pictures, key=lambda picture: picture.type != FRONT_COVER)
    return bytes(ranked[0].data) if ranked else None


_ID3 = {
    "TIT2": "TITLE", "TIT3": "VERSION", "TPE1": "ARTIST", "TPE2": "ALBUMARTIST", "TPE4": "REMIXER", "TALB": "ALBUM",
    "TRCK": "TRACKNUMBER", "TPOS": "DISCNUMBER", "TDRC": "DATE", "TDRL": "RELEASEDATE", "TSRC": "ISRC",
    "TLAN": "LANGUAGE", "TCOM": "COMPOSER", "TPE3": "CONDUCTOR", "TEXT": "LYRICIST", "TCOP": "TCOP", "WCOP": "WCOP",
    "USER": "USER",
}  # fmt: skip


def _id3(tags: Any) -> Texts:
    texts: Texts = defaultdict(list)
    for frame in tags.values():
        if frame.FrameID == "TCON":
            texts["GENRE"] += frame.genres
        elif frame.FrameID == "TXXX":
            name = frame.desc.upper()
            texts[_VORBIS.get(name, name)] += map(str, frame.text)
        elif frame.FrameID == "UFID" and frame.owner == MUSICBRAINZ_OWNER:
            texts["MUSICBRAINZ_TRACKID"].append(frame.data.decode("ascii", "replace"))
        elif frame.FrameID == "TIPL":
            for role, name in frame.people:
                if role in {"producer", "arranger"}:
                    texts[role.upper()].append(name)
        elif frame.FrameID == "COMM":
            texts["COMMENT"] += map(str, frame.text)
        elif frame.FrameID in _ID3:
            values: Any = getattr(frame, "text", None) or getattr(frame, "url", "")
            texts[_ID3[frame.FrameID]] += [values] if isinstance(values, str) else map(str, values)
    return texts


_MP4 = {
    "©nam": "TITLE", "©ART": "ARTIST", "©alb": "ALBUM", "aART": "ALBUMARTIST", "©day": "DATE", "©gen": "GENRE",
    "cprt": "CPRT", "©wrt": "COMPOSER", "©cmt": "COMMENT", "desc": "COMMENT",
}  # fmt: skip


def _mp4(tags: Any) -> Texts:
    texts: Texts = defaultdict(list)
    for key, values in (tags or {}).items():
        if key in {"trkn", "disk"} and values:
            texts["TRACKNUMBER" if key == "trkn" else "DISCNUMBER"].append("/".join(map(str, values[0])))
        elif key.startswith("----:"):
            name = key.rpartition(":")[2].upper()
            texts[_VORBIS.get(name, name)] += [bytes(value).decode("utf-8", "replace") for value in values]
        elif key in _MP4:
            texts[_MP4[key]] += [str(value) for value in values]
    return texts


def _ape(tags: Any) -> Texts:
    texts: Texts = defaultdict(list)
    for key, value in (tags or {}).items():
        if getattr(value, "kind", 1) == 0:  # text; covers are binary
            texts[_VORBIS.get(key.upper(), key.upper())] += list(value)
    return texts


def _ape_cover(tags: Any) -> bytes | None:
    """APEv2 keeps a picture behind its file name and a nought."""
    item = (tags or {}).get("Cover Art (Front)")
    return bytes(item.value).partition(b"\0")[2] or None if item is not None else None


def _ape_behind(file: Bounded) -> Any:
    """APEv2 at the end of a file: of a WavPack, or of an MP3 without ID3."""
    file.seek(0)
    with suppress(MutagenError):
        return swollen.FewItems(file)
    return {}


_CHUNK_NAMES = {
    b"INAM": "TITLE", b"IART": "ARTIST", b"IPRD": "ALBUM", b"ICRD": "DATE", b"IGNR": "GENRE", b"ICOP": "ICOP",
    b"ITRK": "TRACKNUMBER", b"IPRT": "TRACKNUMBER", b"ICMT": "COMMENT",
    b"NAME": "TITLE", b"AUTH": "ARTIST", b"(c) ": "COPYRIGHT", b"ANNO": "COMMENT",
}  # fmt: skip


def _chunk_texts(file: Bounded, order: str) -> Texts:
    """Texts in chunks of their own: LIST INFO in a WAV, NAME, AUTH and (c) in an AIFF."""
    texts: Texts = defaultdict(list)
    size = file.seek(0, io.SEEK_END)
    spans = [(12, size)]
    while spans:
        at, end = spans.pop()
        for _ in range(CHUNKS):
            file.seek(at)
            head = file.read(8) if at + 8 <= end else b""
            if len(head) < 8:  # noqa: PLR2004 - name and length
                break
            name, length = struct.unpack(f"{order}4sI", head)
            if name == b"LIST" and file.read(4) == b"INFO":
                spans.append((at + 12, min(at + 8 + length, end)))
            elif name in _CHUNK_NAMES and length <= MAX_TEXT:
                texts[_CHUNK_NAMES[name]].append(_decoded(file.read(length)))
            at += 8 + length + length % 2
    return texts


def _decoded(raw: bytes) -> str:
    raw = raw.rstrip(b"\0 ")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


# -- From texts to facts -----------------------------------------------------------------------------------------------

_RIGHTS = ("LICENSE", "LICENCE", "WCOP", "TCOP", "COPYRIGHT", "CPRT", "ICOP", "USER", "CC:LICENSE", "LICENSEURL")
_NOTICES = ("TCOP", "COPYRIGHT", "CPRT", "ICOP")
_NUMBER = re.compile(r"\s*0*([1-9][0-9]{0,3})\s*(?:[/\\]|of\b|$)")
_TOTAL = re.compile(r"\s*[0-9]*\s*[/\\]\s*0*([1-9][0-9]{0,3})\s*$")
_DATE = re.compile(r"\s*((?:1[89]|2[01])[0-9]{2})(?:[-./]?([01][0-9])(?:[-./]?([0-3][0-9]))?)?(?![0-9])")


def _tags(container: str, texts: Texts, cover: bytes | None) -> FileTags:
    texts = {key: [value[:MAX_TEXT] for value in values[:MAX_VALUES]] for key, values in list(texts.items())[:MAX_KEYS]}
    year, date = _dates(texts)

    def first(*names: str, limit: int = 500) -> str:
        return next((text for name in names for text in _cleaned(texts, name, limit)), "")

    return FileTags(
        container=container,
        title=first("TITLE"),
        version=first("VERSION"),
        artists=tuple(_cleaned(texts, "ARTIST")),
        album=first("ALBUM"),
        album_artists=tuple(_cleaned(texts, "ALBUMARTIST")),
        number=_number(texts, "TRACKNUMBER"),
        total=_total(texts),
        disc=_number(texts, "DISCNUMBER"),
        year=year,
        date=date,
        isrc=first("ISRC"),
        iswc=first("ISWC"),
        barcode=first("BARCODE"),
        genre=first("GENRE", limit=100),
        language=first("LANGUAGE", limit=35),
        copyright=first(*_NOTICES),
        composers=tuple(_cleaned(texts, "COMPOSER")),
        lyricists=tuple(_cleaned(texts, "LYRICIST")),
        producers=tuple(_cleaned(texts, "PRODUCER")),
        remixers=tuple(_cleaned(texts, "REMIXER")),
        conductors=tuple(_cleaned(texts, "CONDUCTOR")),
        arrangers=tuple(_cleaned(texts, "ARRANGER")),
        musicbrainz={
            what: found for what, name in MUSICBRAINZ.items() if (found := tuple(_cleaned(texts, name, limit=60)))
        },
        statements=tuple((name, text) for name in _RIGHTS for text in _raw(texts, name)),
        comments=tuple(_raw(texts, "COMMENT")),
        cover=cover,
    )


def _cleaned(texts: Texts, name: str, limit: int = 500) -> list[str]:
    """The values of a tag, each once; one value that holds a nought is several (ID3 2.4, APEv2)."""
    parts = [clean(part, limit=limit) for value in texts.get(name, []) for part in value.split("\0")]
    return list(dict.fromkeys(part for part in parts if part))


def _raw(texts: Texts, name: str) -> list[str]:
    """The values as written, save for what no database can store."""
    values = [value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8") for value in texts.get(name, [])]
    return [value.strip() for value in values if value.strip()]


def _number(texts: Texts, name: str) -> int | None:
    found = _NUMBER.match(next(iter(texts.get(name, [])), ""))
    return int(found[1]) if found else None


def _total(texts: Texts) -> int | None:
    """How many tracks the disc has: behind the number, or in a tag of its own."""
    behind = _TOTAL.match(next(iter(texts.get("TRACKNUMBER", [])), ""))
    return int(behind[1]) if behind else _number(texts, "TRACKTOTAL") or _number(texts, "TOTALTRACKS")


def _dates(texts: Texts) -> tuple[int | None, dt.date | None]:
    """The year, and the full date where the tag gives one."""
    for name in ("DATE", "RELEASEDATE", "ORIGINALDATE"):
        for text in texts.get(name, []):
            found = _DATE.match(text)
            if found is None:
                continue
            date = None
            if found[2] and found[3]:
                with suppress(ValueError):
                    date = dt.date(int(found[1]), int(found[2]), int(found[3]))
            return int(found[1]), date
    return None, None
