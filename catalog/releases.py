"""Putting a release together, and what it still lacks."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Max

from catalog.credits import artist_line
from catalog.errors import TrackPlaceTaken
from catalog.models import TITLE_LENGTH, Party, Recording, Release, ReleaseKind, Track
from catalog.slugs import free_slug
from catalog.words import clean

SINGLE_TRACKS = 3
EP_TRACKS = 6
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a release lacks before it can be offered: a stable code, what it is, and what to do."""

    code: str
    message: str
    track: int | None = None  # primary key


def make_release(title: str, *, label: Party, artist: str = "", **facts: object) -> Release:
    """A new release of `label`; `artist` only helps to find an address where the title's own is taken."""
    title = clean(title, limit=TITLE_LENGTH)
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                slug = free_slug(Release, title, artist or label.name)
                return Release.objects.create(title=title, label=label, slug=slug, **facts)
        except IntegrityError:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError  # the loop returns or raises


def add_track(release: Release, recording: Recording, *, disc: int, number: int) -> Track:
    """Put `recording` at this place. Doing so twice gives the same track; another recording there is refused."""
    with transaction.atomic():
        Release.objects.select_for_update(no_key=True).get(pk=release.pk)  # one writer at a time per release
        for track in release.tracks.filter(disc=disc, number=number) | release.tracks.filter(recording=recording):
            if (track.recording_id, track.disc, track.number) == (recording.pk, disc, number):
                return track
            raise TrackPlaceTaken(
                f"{release.title} already has track {track.disc}.{track.number}; give this one another number."
                if track.recording_id != recording.pk
                else f"{recording} already is track {track.disc}.{track.number} of {release.title}."
            )
        return Track.objects.create(release=release, recording=recording, disc=disc, number=number)


def next_number(release: Release, *, disc: int) -> int:
    """The first number behind all tracks of that disc."""
    last: int | None = release.tracks.filter(disc=disc).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def kind_for(tracks: int) -> str:
    """What a release of so many tracks is called, where nobody said."""
    if tracks <= SINGLE_TRACKS:
        return ReleaseKind.SINGLE
    return ReleaseKind.EP if tracks <= EP_TRACKS else ReleaseKind.ALBUM


def problems(release: Release) -> list[Problem]:
    """What the catalogue misses before this release can be offered; nothing about rights, files or prices."""
    found: list[Problem] = []
    tracks = list(release.tracks.select_related("recording").prefetch_related("recording__credits__party"))
    if not tracks:
        found.append(Problem("NO_TRACKS", "The release has no tracks; deliver its recordings."))
    for disc in sorted({track.disc for track in tracks}):
        numbers = {track.number for track in tracks if track.disc == disc}
        missing = sorted(set(range(1, max(numbers) + 1)) - numbers)
        if missing:
            listed = ", ".join(map(str, missing))
            found.append(Problem("NUMBERS_MISSING", f"Disc {disc} has no track {listed}; deliver what is missing."))
    found.extend(
        Problem("NO_ARTIST", f"“{track.title}” names no artist; a licence must credit one. Add a credit.", track.pk)
        for track in tracks
        if not artist_line(track.recording)
    )
    if not release.artworks.exists():
        found.append(Problem("NO_COVER", "The release has no cover; deliver one as cover.jpg beside its files."))
    return found
