"""What a label may set right about how its music is called, and what buyers are told of it.

A title changes tags, so triggers mark the recordings: files fetched from then on carry it, and nothing is encoded anew.
Sales already made stay as they were, but their buyers may fetch the corrected files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.models import Party, Recording, Release
from store import library, offers
from store.models import Download, OrderLine
from transcoding.models import Rendition

# What a buyer calls the fields of `transcoding.tags.TagSet`; some follow others, and are not told of.
_WORDS = {
    "title": "title", "artist_line": "artist", "album": "release title", "album_artist": "release artist",
    "number": "track number", "total": "track number", "disc": "track number", "discs": "track number", "date": "date",
    "isrc": "ISRC", "barcode": "barcode", "genre": "genre", "label": "label", "language": "language",
    "licence_name": "licence", "more_permissions": "where to ask for more",
    "copyright": "copyright notice", "cover": "cover", "level": "loudness",
    "album_level": "loudness",
}  # fmt: skip
_CREDITS = ("composers", "lyricists", "conductors", "remixers", "producers", "arrangers", "works", "iswcs")
_FOLLOWS = ("title_sort", "album_sort", "artist_sort", "album_artist_sort", "artists", "attribution")
_OTHER = "details"


def retitle_recording(recording: Recording, *, title: str, version_title: str = "") -> Recording:
    recording.title, recording.version_title = title, version_title
    recording.save(update_fields=["title", "version_title"])
    return recording


def retitle_release(release: Release, *, title: str) -> Release:
    """Its address stays, so that links do not break."""
    release.title = title
    release.save(update_fields=["title"])
    return release


def say_where_more_is_asked(label: Party, *, url: str) -> Party:
    """Set the address at which the label is asked for more than its licences give; empty: it takes no questions."""
    label.more_permissions_url = url
    label.save(update_fields=["more_permissions_url"])
    return label


def retag_all() -> int:
    """Ask for a look at every recording that files were made of; how many. What is withdrawn keeps its tags."""
    made = Rendition.objects.filter(purpose=Rendition.Purpose.FULL, state=Rendition.State.READY)
    keys = set(made.values_list("master__recording_id", flat=True))
    offers.mark_due(keys, cause="tags")
    return len(keys)


@dataclass(frozen=True)
class Corrected:
    """Since when a file says something else than the copy that its buyer has, and what: "title", "cover"."""

    at: datetime
    what: tuple[str, ...]


def since_fetched(lines: Sequence[OrderLine]) -> dict[tuple[int, int], Corrected]:
    """The bought tracks, by (line, track), that were corrected after their buyer had last fetched them, in whatever
    format or zip. A fixed number of queries; two where nothing was fetched."""
    fetched = _last_fetched(lines)
    rows = [row for line in lines for row in line.tracks.all() if _either(fetched, row.line_id, row.track_id)]
    copies = library.copies_of(rows) if rows else None
    found = {}
    for row in rows:
        last = _either(fetched, row.line_id, row.track_id)
        if copies is None or last is None:
            continue
        new, old = copies.ready(row, last.format), _held(copies.of(row, last.format), last)
        if new and old and new.sha256 != old.sha256:
            found[row.line_id, row.track_id] = Corrected(new.tags_at, changes(old.tags, new.tags))
    return found


def _last_fetched(lines: Sequence[OrderLine]) -> dict[tuple[int, int | None], Download]:
    """The last link that was followed, by line and track; a zip has no track."""
    rows = Download.objects.filter(line__in=lines, first_used_at__isnull=False)
    newest = rows.order_by("line_id", "track_id", "-first_used_at", "-pk").distinct("line_id", "track_id")
    return {(row.line_id, row.track_id): row for row in newest}


def _either(fetched: Mapping[tuple[int, int | None], Download], line: int, track: int) -> Download | None:
    """The track itself or the zip with it, whichever came last."""
    known = [found for key in ((line, track), (line, None)) if (found := fetched.get(key))]
    return max(known, key=_followed, default=None)


def _followed(download: Download) -> datetime:
    return download.first_used_at or download.issued_at


def _held(copies: Sequence[Rendition], download: Download) -> Rendition | None:
    """The very file that a link gave; for a zip, the one that was the newest then."""
    if download.rendition_ref is not None:
        return next((one for one in copies if one.public_id == download.rendition_ref), None)
    at = _followed(download)
    return next((one for one in reversed(copies) if one.ready_at and max(one.ready_at, one.tags_at) <= at), None)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """In which of a buyer's words two sets of tags differ, each once."""
    changed = [name for name in dict.fromkeys((*_WORDS, *_CREDITS, *new, *old)) if old.get(name) != new.get(name)]
    words = dict.fromkeys(_word(name) for name in changed if name not in _FOLLOWS)
    return tuple(words) or (_OTHER,)


def _word(name: str) -> str:
    return "credits" if name in _CREDITS else _WORDS.get(name, _OTHER)


def together(corrected: Iterable[Corrected]) -> Corrected | None:
    """Several tracks' corrections as one: the day of the latest, and all that they changed."""
    found = list(corrected)
    if not found:
        return None
    return Corrected(max(one.at for one in found), tuple(dict.fromkeys(word for one in found for word in one.what)))
