"""One delivered file on its way into the catalogue: what its tags and its place in the folder say together.

Nothing is asked of the database here; `store.filing` does that with a sheet that was checked.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from catalog.codes import GTIN, ISRC, ISWC, MusicBrainzId
from catalog.errors import CodeError
from catalog.parties import VARIOUS
from catalog.words import clean, split_featured
from store.errors import StoreError
from store.tagreading import FileTags

_DISC_FOLDER = re.compile(r"(?:cd|dis[ck]|disque|side)[ _-]?([1-9][0-9]?)", re.IGNORECASE)
# "07 - Name", "7. Name", "07 Name", "1-07 Name"; but "99 Luftballons", "7-11" and "1.5 Degrees" are titles
_LEADING_NUMBER = re.compile(
    r"(?:[1-9]-(?=[0-9]{2}\D))?(?:(?P<number>[0-9]{1,3})\s*[-._)]+|(?P<padded>0[0-9]|(?<=-)[0-9]{2})\s)\s*(?=[^\s0-9])"
)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{2,5}$")


class FileRefused(StoreError):
    """This file cannot be taken; `code` is stable, the message says what to do."""

    code = "FILE_REFUSED"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a file that was taken nevertheless."""

    code: str
    message: str


@dataclass
class Sheet:
    """One delivered file on its way into the catalogue: what its tags and its place in the folder say."""

    path: Path
    shown: str
    tags: FileTags
    album: str = ""
    album_artists: tuple[str, ...] = ()
    sha256: str = ""
    sound_sha256: str = ""
    notes: list[Note] = field(default_factory=list)

    def note(self, code: str, message: str) -> None:
        self.notes.append(Note(code, message))

    @property
    def artists(self) -> tuple[str, ...]:
        return self.tags.artists or self.album_artists

    @property
    def main_artists(self) -> tuple[str, ...]:
        """Without those featured."""
        return tuple(split_featured(artist)[0] for artist in self.artists)

    @property
    def title(self) -> str:
        return self.tags.title or clean(_without_number(self.path.name))

    @property
    def full_title(self) -> str:
        return f"{self.title} ({self.tags.version})" if self.tags.version else self.title

    @property
    def release_title(self) -> str:
        return self.album or self.full_title

    @property
    def release_artists(self) -> tuple[str, ...]:
        """The release's own artists; none on a compilation."""
        named = self.album_artists if self.album else self.main_artists
        return () if any(name.casefold() in VARIOUS for name in named) else named

    @property
    def isrc(self) -> str:
        """Bare; empty where the tag holds none, or none that is one."""
        with suppress(CodeError):
            return ISRC.parse(self.tags.isrc).text
        return ""

    @property
    def iswc(self) -> str:
        with suppress(CodeError):
            return ISWC.parse(self.tags.iswc).text
        return ""

    @property
    def gtin(self) -> GTIN | None:
        with suppress(CodeError):
            return GTIN.parse(self.tags.barcode)
        return None

    def musicbrainz(self, what: str) -> list[UUID]:
        """The MusicBrainz ids that the tags give of something, without what is none."""
        found = []
        for text in self.tags.musicbrainz.get(what, ()):
            with suppress(CodeError):
                found.append(MusicBrainzId.parse(text).uuid)
        return found

    @property
    def number(self) -> int | None:
        """The track number: the tag's, else the one in front of the file's name."""
        found = _LEADING_NUMBER.match(_stem(self.path.name))
        named = int(found["number"] or found["padded"]) if found else 0
        return self.tags.number or named or None

    @property
    def home(self) -> Path:
        """The folder of its release."""
        return home_of(self.path)

    @property
    def disc(self) -> int:
        found = _DISC_FOLDER.fullmatch(self.path.parent.name)
        return self.tags.disc or (int(found[1]) if found else 1)


def home_of(path: Path) -> Path:
    """The folder of the release that a file lies in: the one above, where its own is a disc's ("CD 2")."""
    return path.parent.parent if _DISC_FOLDER.fullmatch(path.parent.name) else path.parent


def _stem(name: str) -> str:
    return _SUFFIX.sub("", name)


def _without_number(name: str) -> str:
    stem = _stem(name)
    return _LEADING_NUMBER.sub("", stem, count=1).strip() or stem


def check(sheet: Sheet) -> None:
    """Note what is odd about the tags; refuse a file that names neither title nor artist. Raises FileRefused."""
    tags = sheet.tags
    for finding in tags.findings:
        sheet.note(finding.code, finding.message)
    if not tags.title and not sheet.artists:
        message = "No title and no artist in the tags: write both and deliver the file again."
        raise FileRefused("NO_NAMES", next((finding.message for finding in tags.findings), message))
    if not tags.title:
        sheet.note("NO_TITLE", f"No title in the tags: called “{sheet.title}”, by its file's name.")
    if not sheet.artists:
        sheet.note("NO_ARTIST", "No artist in the tags, and a licence must credit one: write it and deliver again.")
    codes: list[tuple[str, type[ISRC | GTIN | ISWC | MusicBrainzId], str]] = [
        ("ISRC_WRONG", ISRC, tags.isrc),
        ("BARCODE_WRONG", GTIN, tags.barcode),
        ("ISWC_WRONG", ISWC, tags.iswc),
        *(("MUSICBRAINZ_WRONG", MusicBrainzId, text) for ids in tags.musicbrainz.values() for text in ids),
    ]
    for code, kind, text in codes:
        try:
            if text:
                kind.parse(text)
        except CodeError as error:
            sheet.note(code, f"{error} It is delivered without.")
