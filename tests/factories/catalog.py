"""Rows of the catalogue, with only what the models need; every call makes new ones."""

import itertools
from typing import Any

from catalog.models import (
    Artwork,
    Credit,
    CreditRole,
    Party,
    PartyKind,
    Recording,
    RecordingWork,
    Release,
    ReleaseKind,
    Track,
    Work,
)

_count = itertools.count(1)


def make_party(name: str = "", **over: Any) -> Party:
    number = next(_count)
    name = name or f"Party {number}"
    fields = {"name": name, "sort_name": name, "slug": f"party-{number}", "kind": PartyKind.GROUP}
    return Party.objects.create(**(fields | over))


def make_label(name: str = "", **over: Any) -> Party:
    return make_party(name or f"Label {next(_count)}", **({"kind": PartyKind.ORGANISATION} | over))


def make_work(title: str = "", *, composer: Party | None = None, **over: Any) -> Work:
    work = Work.objects.create(**({"title": title or f"Work {next(_count)}"} | over))
    if composer is not None:
        make_credit(composer, work=work, role=CreditRole.COMPOSER)
    return work


def make_recording(
    title: str = "", *, artist: Party | None = None, label: Party | None = None, works: int = 1, **over: Any
) -> Recording:
    """A recording with a main artist and `works` works of its own."""
    title = title or f"Recording {next(_count)}"
    recording = Recording.objects.create(**({"title": title, "label": label or make_label()} | over))
    make_credit(artist or make_party(), recording=recording)
    for position in range(1, works + 1):
        RecordingWork.objects.create(recording=recording, work=make_work(title), position=position)
    return recording


def make_release(
    title: str = "", *, artist: Party | None = None, label: Party | None = None, tracks: int = 0, **over: Any
) -> Release:
    """A release of `artist`, with as many tracks of hers."""
    number = next(_count)
    label = label or make_label()
    artist = artist or make_party()
    fields = {
        "title": title or f"Release {number}",
        "slug": f"release-{number}",
        "label": label,
        "kind": ReleaseKind.ALBUM,
    }
    release = Release.objects.create(**(fields | over))
    make_credit(artist, release=release)
    for place in range(1, tracks + 1):
        make_track(release, make_recording(artist=artist, label=label), number=place)
    return release


def make_track(release: Release, recording: Recording | None = None, *, number: int = 1, **over: Any) -> Track:
    recording = recording or make_recording(label=release.label)
    return Track.objects.create(**({"release": release, "recording": recording, "number": number} | over))


def make_artwork(release: Release, **over: Any) -> Artwork:
    """A picture as a row only: there are no bytes behind it."""
    fields = {"file": "ab/cover.jpg", "sha256": "a" * 64, "source_sha256": "b" * 64, "media_type": "image/jpeg",
              "width": 600, "height": 600, "bytes": 50_000}  # fmt: skip
    return Artwork.objects.create(release=release, **(fields | over))


def make_credit(party: Party, *, role: str = CreditRole.MAIN_ARTIST, **over: Any) -> Credit:
    return Credit.objects.create(party=party, role=role, **over)
