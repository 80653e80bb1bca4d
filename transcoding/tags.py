"""What is written into a file: one set of fields, its place in every kind of tag, and reading it back.

The same set in the same format always gives the same bytes: nothing of the day or the machine goes in, and a file that
already carried tags is stripped first, so that a corrected title leads to the very file a fresh encode would.
Places follow Creative Commons' embedding pages (licence), xiph's VorbisComment and MusicBrainz Picard's mapping.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mutagen import MutagenError, aiff, flac, id3, mp4, oggopus, oggvorbis, wave

from transcoding.errors import RenditionWrong
from transcoding.formats import Format, Tagger

PADDING = 1024
FREEFORM = "----:com.apple.iTunes:"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Cover:
    """The picture to embed: its name in storages["artwork"] and the hash of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class TagSet:
    """Everything a file says about itself. Empty fields are not written.

    `copyright` is the sentence a licence asks for; `proof_url` the public page that shows the clearance of this sound;
    `source_note` says what a buyer must not be left to guess, such as "made from a lossy source".
    """

    title: str
    artist_line: str
    artists: tuple[str, ...] = ()
    album: str = ""
    album_artist: str = ""
    number: int = 0
    total: int = 0
    disc: int = 0
    discs: int = 0
    date: str = ""
    isrc: str = ""
    barcode: str = ""
    genre: str = ""
    label: str = ""
    composers: tuple[str, ...] = ()
    licence_url: str = ""
    licence_name: str = ""
    copyright: str = ""
    proof_url: str = ""
    attribution: str = ""
    source_note: str = ""
    cover: Cover | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TagSet":
        cover = Cover(**data["cover"]) if data.get("cover") else None
        lists = {name: tuple(data.get(name, ())) for name in ("artists", "composers")}
        return cls(**{**data, **lists, "cover": cover})

    def signature(self, *, cut: dict[str, int] | None = None) -> str:
        """SHA-256 over all fields (and a preview's cut): equal signatures, equal tags."""
        said = json.dumps([self.to_json(), cut], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    def fields(self) -> dict[str, list[str]]:
        """The set as Vorbis comments name it; the other kinds of tag are mapped from here."""
        single = {
            "TITLE": self.title,
            "ARTIST": self.artist_line,
            "ALBUM": self.album,
            "ALBUMARTIST": self.album_artist,
            "TRACKNUMBER": str(self.number or ""),
            "TRACKTOTAL": str(self.total or ""),
            "DISCNUMBER": str(self.disc or ""),
            "DISCTOTAL": str(self.discs or ""),
            "DATE": self.date,
            "ISRC": self.isrc,
            "BARCODE": self.barcode,
            "GENRE": self.genre,
            "LABEL": self.label,
            "LICENSE": self.licence_url,
            "LICENSENAME": self.licence_name,
            "COPYRIGHT": self.copyright,
            "CONTACT": self.proof_url,
            "ATTRIBUTION": self.attribution,
            "SOURCENOTE": self.source_note,
        }
        said = {name: [value] for name, value in single.items() if value}
        if self.artists:
            said["ARTISTS"] = list(self.artists)
        if self.composers:
            said["COMPOSER"] = list(self.composers)
        return said


_ID3_TEXT = {
    "TITLE": "TIT2",
    "ARTIST": "TPE1",
    "ALBUM": "TALB",
    "ALBUMARTIST": "TPE2",
    "DATE": "TDRC",
    "ISRC": "TSRC",
    "GENRE": "TCON",
    "LABEL": "TPUB",
    "COMPOSER": "TCOM",
    "COPYRIGHT": "TCOP",
}
_ID3_URL = {"LICENSE": "WCOP", "CONTACT": "WOAF"}
_PAIRS = {"TRACKNUMBER": "TRACKTOTAL", "DISCNUMBER": "DISCTOTAL"}
_ID3_PAIR = {"TRACKNUMBER": "TRCK", "DISCNUMBER": "TPOS"}
_MP4_TEXT = {
    "TITLE": "\xa9nam",
    "ARTIST": "\xa9ART",
    "ALBUM": "\xa9alb",
    "ALBUMARTIST": "aART",
    "DATE": "\xa9day",
    "GENRE": "\xa9gen",
    "COMPOSER": "\xa9wrt",
    "COPYRIGHT": "cprt",
}
_MP4_PAIR = {"TRACKNUMBER": "trkn", "DISCNUMBER": "disk"}


def write(path: Path, format: Format, tags: TagSet, cover: bytes | None) -> None:  # noqa: A002 - the trade's word
    """Make the tags of the file at `path` exactly `tags`; whatever stood there before is gone.

    Raises RenditionWrong when the file, read again, says anything else.
    """
    if format.tagger is Tagger.NONE:
        return
    said = tags.fields()
    try:
        _WRITERS[format.tagger](path, said, cover)
    except MutagenError as error:
        raise RenditionWrong(f"The tags could not be written: {error}") from error
    if read(path, format) != (said, cover):
        raise RenditionWrong("The tags do not read back as they were written.")


def read(path: Path, format: Format) -> tuple[dict[str, list[str]], bytes | None]:  # noqa: A002
    """The fields of a file that `write` wrote, and its cover."""
    return _READERS[format.tagger](path)


def picture_type(data: bytes) -> str:
    return "image/png" if data.startswith(_PNG) else "image/jpeg"


def _padding(_info: object) -> int:
    return PADDING


def _frames(said: dict[str, list[str]], cover: bytes | None) -> list[Any]:
    frames: list[Any] = []
    for name, values in said.items():
        if name in _ID3_TEXT:
            frames.append(getattr(id3, _ID3_TEXT[name])(encoding=3, text=values))
        elif name in _ID3_URL:
            frames.append(getattr(id3, _ID3_URL[name])(url=values[0]))
        elif name in _ID3_PAIR:
            both = [values[0], *said.get(_PAIRS[name], [])]
            frames.append(getattr(id3, _ID3_PAIR[name])(encoding=3, text=["/".join(both)]))
        elif name not in _PAIRS.values():
            frames.append(id3.TXXX(encoding=3, desc=name, text=values))
    if cover:
        frames.append(id3.APIC(encoding=3, mime=picture_type(cover), type=3, desc="", data=cover))
    return frames


def _from_frames(tags: Any) -> tuple[dict[str, list[str]], bytes | None]:
    said: dict[str, list[str]] = {}
    if tags is None:
        return said, None
    for name, frame in _ID3_TEXT.items():
        if frame in tags:
            said[name] = [str(value) for value in tags[frame].text]
    for name, frame in _ID3_URL.items():
        if frame in tags:
            said[name] = [tags[frame].url]
    for name, frame in _ID3_PAIR.items():
        if frame in tags:
            number, _, of = str(tags[frame].text[0]).partition("/")
            said[name] = [number]
            if of:
                said[_PAIRS[name]] = [of]
    for frame in tags.getall("TXXX"):
        said[frame.desc] = [str(value) for value in frame.text]
    pictures = tags.getall("APIC")
    return said, pictures[0].data if pictures else None


def _write_id3(path: Path, said: dict[str, list[str]], cover: bytes | None) -> None:
    id3.delete(path)
    tags = id3.ID3()
    for frame in _frames(said, cover):
        tags.add(frame)
    tags.save(path, v1=0, v2_version=4, padding=_padding)


def _read_id3(path: Path) -> tuple[dict[str, list[str]], bytes | None]:
    return _from_frames(id3.ID3(path))


def _write_chunk(kind: Any) -> Callable[[Path, dict[str, list[str]], bytes | None], None]:
    def write_chunk(path: Path, said: dict[str, list[str]], cover: bytes | None) -> None:
        kind(path).delete()
        file = kind(path)
        file.add_tags()
        for frame in _frames(said, cover):
            file.tags.add(frame)
        file.save(v2_version=4, padding=_padding)

    return write_chunk


def _read_chunk(kind: Any) -> Callable[[Path], tuple[dict[str, list[str]], bytes | None]]:
    return lambda path: _from_frames(kind(path).tags)


def _picture(cover: bytes) -> flac.Picture:
    picture = flac.Picture()
    picture.type, picture.mime, picture.data = 3, picture_type(cover), cover
    return picture


def _write_flac(path: Path, said: dict[str, list[str]], cover: bytes | None) -> None:
    file = flac.FLAC(path)
    file.clear_pictures()
    if file.tags is None:
        file.add_tags()
    file.tags.clear()
    file.tags.extend((name, value) for name, values in said.items() for value in values)
    if cover:
        file.add_picture(_picture(cover))
    file.save(padding=_padding)


def _read_flac(path: Path) -> tuple[dict[str, list[str]], bytes | None]:
    file = flac.FLAC(path)
    return _comments(file.tags), file.pictures[0].data if file.pictures else None


def _comments(tags: Any) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for name, value in tags or ():
        said.setdefault(name.upper(), []).append(value)
    return said


def _write_ogg(kind: Any) -> Callable[[Path, dict[str, list[str]], bytes | None], None]:
    def write_ogg(path: Path, said: dict[str, list[str]], cover: bytes | None) -> None:
        file = kind(path)
        file.tags.clear()
        file.tags.extend((name, value) for name, values in said.items() for value in values)
        if cover:
            block = base64.b64encode(_picture(cover).write()).decode("ascii")
            file.tags.append(("METADATA_BLOCK_PICTURE", block))
        file.save(padding=_padding)

    return write_ogg


def _read_ogg(kind: Any) -> Callable[[Path], tuple[dict[str, list[str]], bytes | None]]:
    def read_ogg(path: Path) -> tuple[dict[str, list[str]], bytes | None]:
        said = _comments(kind(path).tags)
        blocks = said.pop("METADATA_BLOCK_PICTURE", [])
        return said, flac.Picture(base64.b64decode(blocks[0])).data if blocks else None

    return read_ogg


def _write_mp4(path: Path, said: dict[str, list[str]], cover: bytes | None) -> None:
    mp4.MP4(path).delete()
    file = mp4.MP4(path)
    if file.tags is None:
        file.add_tags()
    for name, values in said.items():
        if name in _MP4_TEXT:
            file.tags[_MP4_TEXT[name]] = values
        elif name in _MP4_PAIR:
            file.tags[_MP4_PAIR[name]] = [(int(values[0]), int(said.get(_PAIRS[name], ["0"])[0]))]
        elif name not in _PAIRS.values():
            file.tags[FREEFORM + name] = [value.encode() for value in values]
    if cover:
        kind = mp4.AtomDataType.PNG if picture_type(cover) == "image/png" else mp4.AtomDataType.JPEG
        file.tags["covr"] = [mp4.MP4Cover(cover, imageformat=kind)]
    file.save(padding=_padding)


def _read_mp4(path: Path) -> tuple[dict[str, list[str]], bytes | None]:
    tags = mp4.MP4(path).tags or {}
    said = {name: list(tags[key]) for name, key in _MP4_TEXT.items() if key in tags}
    for name, key in _MP4_PAIR.items():
        if key in tags:
            number, of = tags[key][0]
            said[name] = [str(number)]
            if of:
                said[_PAIRS[name]] = [str(of)]
    for key in tags:
        if key.startswith(FREEFORM):
            said[key.removeprefix(FREEFORM)] = [bytes(value).decode() for value in tags[key]]
    return said, bytes(tags["covr"][0]) if "covr" in tags else None


_WRITERS: dict[Tagger, Callable[[Path, dict[str, list[str]], bytes | None], None]] = {
    Tagger.ID3: _write_id3,
    Tagger.RIFF: _write_chunk(wave.WAVE),
    Tagger.AIFF: _write_chunk(aiff.AIFF),
    Tagger.FLAC: _write_flac,
    Tagger.OGG: _write_ogg(oggvorbis.OggVorbis),
    Tagger.OPUS: _write_ogg(oggopus.OggOpus),
    Tagger.MP4: _write_mp4,
}
_READERS: dict[Tagger, Callable[[Path], tuple[dict[str, list[str]], bytes | None]]] = {
    Tagger.ID3: _read_id3,
    Tagger.RIFF: _read_chunk(wave.WAVE),
    Tagger.AIFF: _read_chunk(aiff.AIFF),
    Tagger.FLAC: _read_flac,
    Tagger.OGG: _read_ogg(oggvorbis.OggVorbis),
    Tagger.OPUS: _read_ogg(oggopus.OggOpus),
    Tagger.MP4: _read_mp4,
}
