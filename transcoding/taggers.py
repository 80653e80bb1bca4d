"""How each kind of tag names what a file says about itself, and how it is written and read back. Pure.

Names follow MusicBrainz Picard's mapping where it has one, so that players and libraries find them; the licence stands
where Creative Commons' embedding pages put it. Vorbis comments are the common tongue: all others are mapped from them.
"""

import base64
import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mutagen import aiff, apev2, asf, flac, id3, mp4, oggopus, oggvorbis, wave

from transcoding import containers, wma
from transcoding.formats import Tagger

PADDING, BLOCK = 1024, 4096
FREEFORM = "----:com.apple.iTunes:"
GAPLESS = f"{FREEFORM}iTunSMPB"
MUSICBRAINZ_OWNER = "http://musicbrainz.org"
AAC_FRAME = 1024  # samples
FRONT_COVER = 3
_PNG = b"\x89PNG\r\n\x1a\n"

Fields = dict[str, list[str]]
Read = tuple[Fields, bytes | None]


@dataclass(frozen=True)
class Said:
    """What is to be written. `id3` is 4 or 3, for ID3v2.4 or v2.3; `samples` is the length that players shall play,
    nought where they need not be told."""

    fields: Fields
    cover: bytes | None = None
    id3: int = 4
    samples: int = 0


def picture_type(data: bytes) -> str:
    return "image/png" if data.startswith(_PNG) else "image/jpeg"


def _padding(room: int) -> Callable[[Any], int]:
    """What fills tags up to whole blocks: so most corrections take the place of the tags before them, and move no
    sound. `room` is what those take now, of which mutagen says how much would be left."""
    return lambda info: _filling(room - info.padding)


def _filling(length: int) -> int:
    return PADDING + -(length + PADDING) % BLOCK


PAIRS = {"TRACKNUMBER": "TRACKTOTAL", "DISCNUMBER": "DISCTOTAL"}
_TOTALS = {total: number for number, total in PAIRS.items()}
_MUSICBRAINZ = {  # the id of the recording has a place of its own in ID3
    "MUSICBRAINZ_ALBUMID": "MusicBrainz Album Id",
    "MUSICBRAINZ_ARTISTID": "MusicBrainz Artist Id",
    "MUSICBRAINZ_ALBUMARTISTID": "MusicBrainz Album Artist Id",
    "MUSICBRAINZ_RELEASEGROUPID": "MusicBrainz Release Group Id",
    "MUSICBRAINZ_RELEASETRACKID": "MusicBrainz Release Track Id",
    "MUSICBRAINZ_WORKID": "MusicBrainz Work Id",
}
_GAINS = ("REPLAYGAIN_TRACK_GAIN", "REPLAYGAIN_TRACK_PEAK", "REPLAYGAIN_ALBUM_GAIN", "REPLAYGAIN_ALBUM_PEAK")


def _mapped(said: Fields, names: dict[str, str]) -> Fields:
    """Fields by the names of another kind of tag, with number and total as one "3/12"."""
    found: Fields = {}
    for name, values in said.items():
        if name in PAIRS:
            found[names.get(name, name)] = ["/".join([values[0], *said.get(PAIRS[name], [])])]
        elif name not in _TOTALS or _TOTALS[name] not in said:
            found[names.get(name, name)] = values
    return found


def _unmapped(found: Fields, names: dict[str, str]) -> Fields:
    ours = {theirs.upper(): name for name, theirs in names.items()}
    said: Fields = {}
    for theirs, values in found.items():
        name = ours.get(theirs.upper(), theirs.upper())
        said[name] = values
        if name in PAIRS:
            number, _, of = values[0].partition("/")
            said[name] = [number]
            if of:
                said[PAIRS[name]] = [of]
    return said


# -- ID3, in MP3 files and in chunks of WAV and AIFF -------------------------------------------------------------------

_ID3_TEXT = {
    "TITLE": "TIT2", "ARTIST": "TPE1", "ALBUM": "TALB", "ALBUMARTIST": "TPE2", "DATE": "TDRC", "ISRC": "TSRC",
    "GENRE": "TCON", "LABEL": "TPUB", "COMPOSER": "TCOM", "COPYRIGHT": "TCOP", "LYRICIST": "TEXT", "CONDUCTOR": "TPE3",
    "REMIXER": "TPE4", "LANGUAGE": "TLAN", "ARTISTSORT": "TSOP", "ALBUMARTISTSORT": "TSO2", "ALBUMSORT": "TSOA",
    "TITLESORT": "TSOT",
}  # fmt: skip
_ID3_URL = {"LICENSE": "WCOP", "CONTACT": "WOAF", "WEBSITE": "WOAR"}
_ID3_PAIR = {"TRACKNUMBER": "TRCK", "DISCNUMBER": "TPOS"}
_ID3_PEOPLE = {"ARRANGER": "arranger", "PRODUCER": "producer"}  # in a list of people with what they did
_ID3_NAMES = {**_MUSICBRAINZ, **{name: name.lower() for name in _GAINS}}
_YEAR = 4  # letters
OLDER_ID3 = 3  # ID3v2.3
_LANGUAGE = re.compile("[a-z]{3}")  # ISO 639-2, all that ID3 has a place for


def _frames(said: Said) -> list[Any]:
    frames = [each for name, values in said.fields.items() for each in _frames_of(name, values, said)]
    people = [[role, who] for name, role in _ID3_PEOPLE.items() for who in said.fields.get(name, ())]
    if people:
        frames.append((id3.IPLS if said.id3 == OLDER_ID3 else id3.TIPL)(encoding=3, people=people))
    if said.cover:
        frames.append(id3.APIC(encoding=3, mime=picture_type(said.cover), type=FRONT_COVER, desc="", data=said.cover))
    return frames


def _frames_of(name: str, values: list[str], said: Said) -> list[Any]:
    special = _ID3_SPECIAL.get(name)
    if name in PAIRS.values() or name in _ID3_PEOPLE:
        return []  # a total stands behind its number, people in a list of their own
    if special is not None:
        return special(values[0], said.id3)
    if name in _ID3_PAIR:
        both = [values[0], *said.fields.get(PAIRS[name], [])]
        return [getattr(id3, _ID3_PAIR[name])(encoding=3, text=["/".join(both)])]
    if name in _ID3_TEXT:
        return [getattr(id3, _ID3_TEXT[name])(encoding=3, text=values)]
    return [id3.TXXX(encoding=3, desc=_ID3_NAMES.get(name, name), text=values)]


def _date(value: str, version: int) -> list[Any]:
    """v2.3 parts year and day."""
    if version != OLDER_ID3:
        return [id3.TDRC(encoding=3, text=[value])]
    month, _, day = value[_YEAR + 1 :].partition("-")
    days = [id3.TDAT(encoding=1, text=[day + month])] if month else []
    return [id3.TYER(encoding=1, text=[value[:_YEAR]]), *days]


def _language(value: str, _version: int) -> list[Any]:
    if _LANGUAGE.fullmatch(value):
        return [id3.TLAN(encoding=3, text=[value])]
    return [id3.TXXX(encoding=3, desc="LANGUAGE", text=[value])]


def _url(frame: str, value: str, _version: int) -> list[Any]:
    return [getattr(id3, frame)(url=value)]


_ID3_SPECIAL: dict[str, Callable[[str, int], list[Any]]] = {
    "DATE": _date,
    "LANGUAGE": _language,
    "MOREPERMISSIONS": lambda value, _: [id3.USER(encoding=3, lang="eng", text=value)],
    "MUSICBRAINZ_TRACKID": lambda value, _: [id3.UFID(owner=MUSICBRAINZ_OWNER, data=value.encode())],
    **{name: partial(_url, frame) for name, frame in _ID3_URL.items()},
}


def _from_frames(tags: Any) -> Read:
    said: Fields = {}
    if tags is None:
        return said, None
    for name, frame in _ID3_TEXT.items():
        if frame in tags:
            said[name] = [str(value) for value in tags[frame].text]
    for name, frame in _ID3_URL.items():
        found = tags.getall(frame)
        if found:
            said[name] = [found[0].url]
    for name, frame in _ID3_PAIR.items():
        if frame in tags:
            number, _, of = str(tags[frame].text[0]).partition("/")
            said[name] = [number]
            if of:
                said[PAIRS[name]] = [of]
    texts = {frame.desc: [str(value) for value in frame.text] for frame in tags.getall("TXXX")}
    said |= _unmapped(texts, _ID3_NAMES)
    said |= _from_special(tags)
    pictures = tags.getall("APIC")
    return said, pictures[0].data if pictures else None


def _from_special(tags: Any) -> Fields:
    said: Fields = {}
    for frame in tags.getall("UFID"):
        said["MUSICBRAINZ_TRACKID"] = [frame.data.decode()]
    for frame in tags.getall("USER"):
        said["MOREPERMISSIONS"] = [frame.text]
    people = [tuple(each) for frame in tags.getall("TIPL") for each in frame.people]
    for name, role in _ID3_PEOPLE.items():
        if found := [who for did, who in people if did == role]:
            said[name] = found
    return said


def _write_id3(path: Path, said: Said) -> None:
    with path.open("rb") as file:
        room = containers.id3_length(file.read(10))
    tags = id3.ID3()
    for frame in _frames(said):
        tags.add(frame)
    tags.save(path, v1=0, v2_version=said.id3, v23_sep=None, padding=_padding(room))


def _read_id3(path: Path) -> Read:
    return _from_frames(id3.ID3(path))


def _write_chunk(kind: Any, name: bytes, order: str) -> Callable[[Path, Said], None]:
    def write_chunk(path: Path, said: Said) -> None:
        with path.open("rb") as opened:
            _, room = containers.chunks_of(opened, 0, path.stat().st_size, order).get(name, (0, 0))
        file = kind(path)
        file.tags = None
        file.add_tags()
        for frame in _frames(said):
            file.tags.add(frame)
        file.save(v2_version=said.id3, v23_sep=None, padding=_padding(room))

    return write_chunk


def _write_wav(path: Path, said: Said) -> None:
    """Above 4 GiB (EBU Tech 3306) behind the sound, where nothing else stands in files of ours."""
    with path.open("r+b") as file:
        tags = id3.ID3()
        for frame in _frames(said):
            tags.add(frame)
        written = io.BytesIO()
        tags.save(written, v1=0, v2_version=said.id3, v23_sep=None, padding=_padding(0))
        if containers.is_rf64(file, room=written.tell()):
            containers.end_rf64(file, b"id3 ", written.getvalue())
            return
    _write_chunk(wave.WAVE, b"id3 ", "<")(path, said)


def _read_wav(path: Path) -> Read:
    with path.open("rb") as file:
        if not containers.is_rf64(file):
            return _read_chunk(wave.WAVE)(path)
        at, length = containers.chunks_of(file, 0, path.stat().st_size, "<").get(b"id3 ", (0, 0))
        file.seek(at)
        return _from_frames(id3.ID3(io.BytesIO(file.read(length))) if length else None)


def _read_chunk(kind: Any) -> Callable[[Path], Read]:
    return lambda path: _from_frames(kind(path).tags)


# -- Vorbis comments, in FLAC and Ogg ----------------------------------------------------------------------------------


def _picture(cover: bytes) -> flac.Picture:
    picture = flac.Picture()
    picture.type, picture.mime, picture.data = FRONT_COVER, picture_type(cover), cover
    return picture


def _write_flac(path: Path, said: Said) -> None:
    file = flac.FLAC(path)
    file.clear_pictures()
    if file.tags is None:
        file.add_tags()
    file.tags.clear()
    file.tags.extend((name, value) for name, values in said.fields.items() for value in values)
    if said.cover:
        file.add_picture(_picture(said.cover))
    with path.open("rb") as opened:
        room = containers.flac_head(opened)
    file.save(padding=_padding(room))


def _read_flac(path: Path) -> Read:
    file = flac.FLAC(path)
    return _comments(file.tags), file.pictures[0].data if file.pictures else None


def _comments(tags: Any) -> Fields:
    said: Fields = {}
    for name, value in tags or ():
        said.setdefault(name.upper(), []).append(value)
    return said


def _write_ogg(kind: Any) -> Callable[[Path, Said], None]:
    def write_ogg(path: Path, said: Said) -> None:
        file = kind(path)
        file.tags.clear()
        file.tags.extend((name, value) for name, values in said.fields.items() for value in values)
        if said.cover:
            block = base64.b64encode(_picture(said.cover).write()).decode("ascii")
            file.tags.append(("METADATA_BLOCK_PICTURE", block))
        filling = _filling(len(file.tags.write()))
        file.save(padding=lambda _info: filling)

    return write_ogg


def _read_ogg(kind: Any) -> Callable[[Path], Read]:
    def read_ogg(path: Path) -> Read:
        said = _comments(kind(path).tags)
        blocks = said.pop("METADATA_BLOCK_PICTURE", [])
        return said, flac.Picture(base64.b64decode(blocks[0])).data if blocks else None

    return read_ogg


# -- MP4 atoms ---------------------------------------------------------------------------------------------------------

_MP4_TEXT = {
    "TITLE": "\xa9nam", "ARTIST": "\xa9ART", "ALBUM": "\xa9alb", "ALBUMARTIST": "aART", "DATE": "\xa9day",
    "GENRE": "\xa9gen", "COMPOSER": "\xa9wrt", "COPYRIGHT": "cprt", "ARTISTSORT": "soar", "ALBUMARTISTSORT": "soaa",
    "ALBUMSORT": "soal", "TITLESORT": "sonm", "WORK": "\xa9wrk",
}  # fmt: skip
_MP4_PAIR = {"TRACKNUMBER": "trkn", "DISCNUMBER": "disk"}
_MP4_NAMES = {
    **_MUSICBRAINZ, "MUSICBRAINZ_TRACKID": "MusicBrainz Track Id", **{name: name.lower() for name in _GAINS}
}  # fmt: skip


def _write_mp4(path: Path, said: Said) -> None:
    file = mp4.MP4(path)
    if file.tags is None:  # begin as any file that is to be tagged anew
        file.add_tags()
        file.save(padding=lambda _info: 0)
    before = None if said.samples else file.tags.get(GAPLESS)  # all that a file not of our making may say of its end
    file.tags = None
    file.add_tags()
    if before:
        file.tags[GAPLESS] = before
    for name, values in said.fields.items():
        if name in _MP4_TEXT:
            file.tags[_MP4_TEXT[name]] = values
        elif name in _MP4_PAIR:
            file.tags[_MP4_PAIR[name]] = [(int(values[0]), int(said.fields.get(PAIRS[name], ["0"])[0]))]
        elif name not in PAIRS.values():
            file.tags[FREEFORM + _MP4_NAMES.get(name, name)] = [value.encode() for value in values]
    if gapless := _gapless(path, said.samples):
        file.tags[GAPLESS] = [gapless.encode()]
    if said.cover:
        kind = mp4.AtomDataType.PNG if picture_type(said.cover) == "image/png" else mp4.AtomDataType.JPEG
        file.tags["covr"] = [mp4.MP4Cover(said.cover, imageformat=kind)]
    file.save(padding=_padding(_mp4_room(path)))


def _mp4_room(path: Path) -> int:
    with path.open("rb") as file:
        start, end = containers.inside(file, b"moov", b"udta", b"meta") or (0, 0)
        found = containers.boxes(file, start + 4, end)
    return sum(8 + end - begin for name, (begin, end) in found.items() if name in {b"ilst", b"free"})


def _gapless(path: Path, samples: int) -> str:
    """What iTunes and its kin read before any edit list: delay, padding and length in samples, in hexadecimal."""
    timing = containers.aac_timing(path) if samples else None
    if timing is None:
        return ""
    priming, frames = timing
    padding = frames * AAC_FRAME - priming - samples
    if padding < 0:
        return ""
    return f" 00000000 {priming:08X} {padding:08X} {samples:016X}" + " 00000000" * 8


def _read_mp4(path: Path) -> Read:
    tags = mp4.MP4(path).tags or {}
    said = {name: list(tags[key]) for name, key in _MP4_TEXT.items() if key in tags}
    for name, key in _MP4_PAIR.items():
        if key in tags:
            number, of = tags[key][0]
            said[name] = [str(number)]
            if of:
                said[PAIRS[name]] = [str(of)]
    texts = {
        key.removeprefix(FREEFORM): [bytes(value).decode() for value in tags[key]]
        for key in tags
        if key.startswith(FREEFORM) and key != GAPLESS
    }
    said |= _unmapped(texts, _MP4_NAMES)
    return said, bytes(tags["covr"][0]) if "covr" in tags else None


# -- APEv2, in WavPack, TTA, Musepack and Monkey's Audio ---------------------------------------------------------------

_APE_NAMES = {
    "TITLE": "Title", "ARTIST": "Artist", "ALBUM": "Album", "ALBUMARTIST": "Album Artist", "TRACKNUMBER": "Track",
    "DISCNUMBER": "Disc", "DATE": "Year", "GENRE": "Genre", "COMPOSER": "Composer", "LYRICIST": "Lyricist",
    "CONDUCTOR": "Conductor", "ARRANGER": "Arranger", "REMIXER": "MixArtist", "PRODUCER": "Producer", "LABEL": "Label",
    "COPYRIGHT": "Copyright", "WEBSITE": "Weblink", "LANGUAGE": "Language", "BARCODE": "Barcode",
}  # fmt: skip
_APE_COVER = "Cover Art (Front)"


def _write_ape(path: Path, said: Said) -> None:
    """TTA too: what its encoder leaves at the end would hide an ID3 tag from most readers."""
    apev2.delete(path)
    tags = apev2.APEv2()
    for name, values in _mapped(said.fields, _APE_NAMES).items():
        tags[name] = values
    if said.cover:
        ending = b"png" if picture_type(said.cover) == "image/png" else b"jpg"
        tags[_APE_COVER] = b"cover." + ending + b"\0" + said.cover
    tags.save(path)


def _read_ape(path: Path) -> Read:
    tags = apev2.APEv2(path)
    texts = {name: list(value) for name, value in tags.items() if value.kind == apev2.TEXT}
    cover = tags.get(_APE_COVER)
    return _unmapped(texts, _APE_NAMES), bytes(cover.value).partition(b"\0")[2] if cover else None


# -- ASF, in WMA -------------------------------------------------------------------------------------------------------

_ASF_NAMES = {
    "TITLE": "Title", "ARTIST": "Author", "ALBUM": "WM/AlbumTitle", "ALBUMARTIST": "WM/AlbumArtist",
    "TRACKNUMBER": "WM/TrackNumber", "DISCNUMBER": "WM/PartOfSet", "DATE": "WM/Year", "GENRE": "WM/Genre",
    "COMPOSER": "WM/Composer", "LYRICIST": "WM/Writer", "CONDUCTOR": "WM/Conductor", "REMIXER": "WM/ModifiedBy",
    "PRODUCER": "WM/Producer", "ARRANGER": "WM/Arranger", "WORK": "WM/Work", "LABEL": "WM/Publisher",
    "COPYRIGHT": "Copyright", "ISRC": "WM/ISRC",
    "BARCODE": "WM/Barcode", "WEBSITE": "WM/AuthorURL", "CONTACT": "WM/AudioFileURL", "LANGUAGE": "WM/Language",
    "ARTISTSORT": "WM/ArtistSortOrder", "ALBUMARTISTSORT": "WM/AlbumArtistSortOrder", "ALBUMSORT": "WM/AlbumSortOrder",
    "TITLESORT": "WM/TitleSortOrder", "ARTISTS": "WM/ARTISTS", "MUSICBRAINZ_TRACKID": "MusicBrainz/Track Id",
    **{name: theirs.replace(" ", "/", 1) for name, theirs in _MUSICBRAINZ.items()},
}  # fmt: skip
_ASF_COVER = "WM/Picture"


def _write_asf(path: Path, said: Said) -> None:
    file = asf.ASF(path)
    file.tags.clear()
    for name, values in _mapped(said.fields, _ASF_NAMES).items():
        file.tags[name] = [asf.ASFUnicodeAttribute(value) for value in values]
    if said.cover:
        mime = (picture_type(said.cover) + "\0").encode("utf-16-le")
        head = struct.pack("<BI", FRONT_COVER, len(said.cover)) + mime + "\0".encode("utf-16-le")
        file.tags[_ASF_COVER] = [asf.ASFByteArrayAttribute(head + said.cover)]
    with path.open("rb") as opened:
        room = int.from_bytes(opened.read(24)[16:], "little")
    file.save(padding=_padding(room))
    wma.tell_size(path)


def _read_asf(path: Path) -> Read:
    found: Fields = {}
    cover = None
    for name, value in asf.ASF(path).tags:
        if name == _ASF_COVER:
            (length,) = struct.unpack("<I", value.value[1:5])
            cover = value.value[-length:]
        elif str(value):
            found.setdefault(name, []).append(str(value))
    return _unmapped(found, _ASF_NAMES), cover


WRITERS: dict[Tagger, Callable[[Path, Said], None]] = {
    Tagger.ID3: _write_id3,
    Tagger.RIFF: _write_wav,
    Tagger.AIFF: _write_chunk(aiff.AIFF, b"ID3 ", ">"),
    Tagger.FLAC: _write_flac,
    Tagger.OGG: _write_ogg(oggvorbis.OggVorbis),
    Tagger.OPUS: _write_ogg(oggopus.OggOpus),
    Tagger.MP4: _write_mp4,
    Tagger.APE: _write_ape,
    Tagger.ASF: _write_asf,
}
READERS: dict[Tagger, Callable[[Path], Read]] = {
    Tagger.ID3: _read_id3,
    Tagger.RIFF: _read_wav,
    Tagger.AIFF: _read_chunk(aiff.AIFF),
    Tagger.FLAC: _read_flac,
    Tagger.OGG: _read_ogg(oggvorbis.OggVorbis),
    Tagger.OPUS: _read_ogg(oggopus.OggOpus),
    Tagger.MP4: _read_mp4,
    Tagger.APE: _read_ape,
    Tagger.ASF: _read_asf,
}
