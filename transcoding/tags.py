"""What is written into a file: one set of fields, whatever kind of tag carries it.

The same set in the same format always gives the same bytes: nothing of the day or the machine goes in, and a file that
already carried tags is stripped first, so that a corrected title leads to the very file a fresh encode would.
`taggers` knows the place of each field in each kind of tag.
"""

import errno
import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mutagen import MutagenError

from transcoding import taggers
from transcoding.errors import RenditionWrong
from transcoding.formats import Format, Tagger
from transcoding.taggers import Said

REPLAYGAIN = -1800  # hundredths of LUFS: the loudness that ReplayGain 2.0 turns music to
R128 = -2300  # hundredths of LUFS: that of EBU R 128, which RFC 7845 takes for Opus
_ID3 = frozenset({Tagger.ID3, Tagger.RIFF, Tagger.AIFF, Tagger.DELIVERED})  # or may be one of these
DISK = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # what a disk says, whatever is written to it
_LISTS = (
    "artists", "composers", "lyricists", "conductors", "remixers", "producers", "arrangers", "works", "iswcs",
    "musicbrainz_artists", "musicbrainz_album_artists", "musicbrainz_works",
)  # fmt: skip


@dataclass(frozen=True)
class Cover:
    """The picture to embed: its name in storages["artwork"] and the hash of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Level:
    """How loud a sound is, in hundredths of LUFS (EBU R 128), and its true peak in hundredths of dBTP."""

    loudness: int
    true_peak: int | None = None


@dataclass(frozen=True)
class TagSet:
    """Everything a file says about itself. Empty fields are not written.

    `more_permissions` is where more than the licence gives may be asked for. `copyright` is the sentence a licence asks
    for; `proof_url` the public page that shows the clearance of this sound; `source_url` where the work comes from;
    `source_note` says what a buyer must not be left to guess, such as "made from a lossy source". `id3` is 3 where it
    shall be ID3v2.3. `place` is no tag: it says for which place on which release these are the tags, since one
    recording may stand on several.
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
    lyricists: tuple[str, ...] = ()
    conductors: tuple[str, ...] = ()
    remixers: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    arrangers: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    iswcs: tuple[str, ...] = ()
    language: str = ""
    artist_sort: str = ""
    album_artist_sort: str = ""
    album_sort: str = ""
    title_sort: str = ""
    licence_url: str = ""
    licence_name: str = ""
    more_permissions: str = ""
    copyright: str = ""
    proof_url: str = ""
    source_url: str = ""
    attribution: str = ""
    source_note: str = ""
    musicbrainz_recording: str = ""
    musicbrainz_track: str = ""
    musicbrainz_release: str = ""
    musicbrainz_release_group: str = ""
    musicbrainz_artists: tuple[str, ...] = ()
    musicbrainz_album_artists: tuple[str, ...] = ()
    musicbrainz_works: tuple[str, ...] = ()
    level: Level | None = None
    album_level: Level | None = None
    cover: Cover | None = field(default=None)
    id3: int = 4
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """Without what is empty, so that a field added some day changes no older signature."""
        said = {name: value for name, value in asdict(self).items() if value}
        return json.loads(json.dumps(said))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TagSet":
        parts: dict[str, Any] = {name: tuple(data[name]) for name in _LISTS if name in data}
        parts["cover"] = Cover(**data["cover"]) if data.get("cover") else None
        for name in ("level", "album_level"):
            parts[name] = Level(**data[name]) if data.get(name) else None
        return cls(**{**data, **parts})

    def signature(self, *, cut: dict[str, int] | None = None) -> str:
        """SHA-256 over all fields (and a preview's cut): equal signatures, equal tags."""
        said = json.dumps([self.to_json(), cut], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()

    def fitting(self, format: Format) -> "TagSet":  # noqa: A002 - the trade's word
        """The set without what this kind of file cannot differ in, so that an older ID3 makes no second FLAC."""
        return self if format.tagger in _ID3 else replace(self, id3=4)

    @property
    def terms(self) -> tuple[str, ...]:
        """What the file says of its place and its licence, word for word but for its own title."""
        attribution = self.attribution.replace(self.title, "", 1)
        return (
            self.place, self.licence_url, self.licence_name, self.copyright, self.proof_url, attribution,
            self.source_note,
        )  # fmt: skip

    def fields(self, *, r128: bool = False) -> dict[str, list[str]]:
        """The set as Vorbis comments name it; the other kinds of tag are mapped from here. `r128`: gains as in Opus."""
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
            "LANGUAGE": self.language,
            "ARTISTSORT": self.artist_sort,
            "ALBUMARTISTSORT": self.album_artist_sort,
            "ALBUMSORT": self.album_sort,
            "TITLESORT": self.title_sort,
            "LICENSE": self.licence_url,
            "LICENSENAME": self.licence_name,
            "MOREPERMISSIONS": self.more_permissions,
            "COPYRIGHT": self.copyright,
            "CONTACT": self.proof_url,
            "WEBSITE": self.source_url,
            "ATTRIBUTION": self.attribution,
            "SOURCENOTE": self.source_note,
            "MUSICBRAINZ_TRACKID": self.musicbrainz_recording,  # so it was called before there were ids of tracks
            "MUSICBRAINZ_RELEASETRACKID": self.musicbrainz_track,
            "MUSICBRAINZ_ALBUMID": self.musicbrainz_release,
            "MUSICBRAINZ_RELEASEGROUPID": self.musicbrainz_release_group,
            **_gains(self.level, "TRACK", r128=r128),
            **_gains(self.album_level, "ALBUM", r128=r128),
        }
        several = {
            "ARTISTS": self.artists,
            "COMPOSER": self.composers,
            "LYRICIST": self.lyricists,
            "CONDUCTOR": self.conductors,
            "REMIXER": self.remixers,
            "PRODUCER": self.producers,
            "ARRANGER": self.arrangers,
            "WORK": self.works,
            "ISWC": self.iswcs,
            "MUSICBRAINZ_ARTISTID": self.musicbrainz_artists,
            "MUSICBRAINZ_ALBUMARTISTID": self.musicbrainz_album_artists,
            "MUSICBRAINZ_WORKID": self.musicbrainz_works,
        }
        said = {name: [value] for name, value in single.items() if value}
        return said | {name: list(values) for name, values in several.items() if values}


def _gains(level: Level | None, of: str, *, r128: bool) -> dict[str, str]:
    """How far a player shall turn the sound up or down: ReplayGain 2.0 in dB, or for Opus in 256ths of a dB."""
    if level is None:
        return {}
    if r128:
        return {f"R128_{of}_GAIN": str(round((R128 - level.loudness) * 256 / 100))}
    said = {f"REPLAYGAIN_{of}_GAIN": f"{(REPLAYGAIN - level.loudness) / 100:+.2f} dB"}
    if level.true_peak is not None:
        said[f"REPLAYGAIN_{of}_PEAK"] = f"{10 ** (level.true_peak / 2000):.6f}"
    return said


def fields_of(tags: TagSet, format: Format) -> dict[str, list[str]]:  # noqa: A002 - the trade's word
    """What a file of this format says: Opus has gains of its own."""
    return tags.fields(r128=format.tagger is Tagger.OPUS)


def write(
    path: Path,
    format: Format,  # noqa: A002
    tags: TagSet,
    cover: bytes | None,
    *,
    samples: int = 0,
) -> None:
    """Make the tags of the file at `path` exactly `tags`; whatever stood there before is gone.

    `samples` is the length players shall play, where their kind of tag says it. Raises RenditionWrong when the file,
    read again, says anything else.
    """
    said = fields_of(tags, format)
    try:
        taggers.WRITERS[format.tagger](path, Said(said, cover, tags.id3, samples))
    except MutagenError as error:
        disk = error.__context__
        if isinstance(disk, OSError) and disk.errno in DISK:
            raise disk from error
        raise RenditionWrong(f"The tags could not be written: {error}") from error
    if read(path, format) != (said, cover):
        raise RenditionWrong("The tags do not read back as they were written.")


def read(path: Path, format: Format) -> tuple[dict[str, list[str]], bytes | None]:  # noqa: A002
    """The fields of a file that `write` wrote, and its cover."""
    return taggers.READERS[format.tagger](path)
