"""What a bought file says about itself: facts of the catalogue, the licence of the verdict, the page that proves it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log10

from django.conf import settings
from django.db.models import Count, Max, Prefetch

from catalog.credits import artist_line, artists, join, names, parties_as, writers
from catalog.models import Artwork, Credit, CreditRole, Recording, Release, Track, Work
from catalog.words import sort_name
from licensing.licences import Duty
from licensing.verdicts import Verdict
from store import clearing
from store.models import OrderLineTrack
from transcoding.models import Master
from transcoding.tags import Cover, Level, TagSet

_LEADING_YEAR = re.compile(r"^\W*(?:\([PCpc]\))?\W*(\d{4})\W+")
GATE = 1000  # hundredths of LU
ARRANGER = CreditRole.ARRANGER
LOSSY_NOTE = "made from a lossy source"


@dataclass(frozen=True)
class Place:
    """Where a track stands on its release, and how loud what was measured of the whole is. `levels` are those
    of the release's masters, by their keys."""

    total: int
    discs: int
    album: Level | None = None
    levels: Mapping[int, Level] = field(default_factory=dict)


def tracks_for_tags(tracks: Iterable[int]) -> list[Track]:
    """Tracks with all that `tagset` reads, in a fixed number of queries."""
    credits_ = Credit.objects.select_related("party")
    works = Prefetch("recording__works", Work.objects.prefetch_related(Prefetch("credits", credits_)))
    rows = Track.objects.filter(pk__in=list(tracks)).select_related("recording__label", "release__label")
    return list(
        rows.prefetch_related(
            Prefetch("recording__credits", credits_),
            works,
            Prefetch("release__credits", credits_),
            Prefetch("release__artworks", Artwork.objects.order_by("position")),
        ).order_by("release_id", "disc", "number")
    )


def places_of(releases: Iterable[int]) -> dict[tuple[int, int], Place]:
    """How many tracks each disc has, how many discs there are, and how loud they are, by release and disc. Three
    queries."""
    releases = set(releases)
    rows = Track.objects.filter(release_id__in=releases).values("release_id", "disc").annotate(total=Count("pk"))
    discs = dict(Track.objects.filter(release_id__in=releases).values_list("release_id").annotate(discs=Max("disc")))
    measured = _measured(releases)
    return {
        (row["release_id"], row["disc"]): Place(
            row["total"],
            discs[row["release_id"]],
            _album_level(measured[row["release_id"]]),
            {each.master: each.level for each in measured[row["release_id"]] if each.level},
        )
        for row in rows
    }


@dataclass(frozen=True)
class Measured:
    """The level of one master, None where it has none, and how long it plays."""

    recording: int
    master: int
    level: Level | None
    seconds: float


def _measured(releases: set[int]) -> dict[int, list[Measured]]:
    """The masters of each release's recordings, the one that is sold last. One query."""
    found: dict[int, list[Measured]] = defaultdict(list)
    rows = Master.objects.filter(state=Master.State.ACCEPTED, recording__tracks__release__in=releases)
    for release, recording, master, samples, rate, loudness, peak in rows.order_by("accepted_at", "pk").values_list(
        "recording__tracks__release_id", "recording_id", "pk", "samples", "sample_rate", "analysis__loudness",
        "analysis__true_peak",
    ):  # fmt: skip
        level = None if loudness is None else Level(loudness, peak)
        found[release].append(Measured(recording, master, level, samples / rate))
    return found


def _album_level(measured: Sequence[Measured]) -> Level | None:
    """The loudness of a release as one programme: the mean energy of its tracks, without those that lie ten and more
    below it, as the gate of EBU R 128 leaves out quiet passages. Silent tracks, which have no level, count for none."""
    sold = [each for each in {each.recording: each for each in measured}.values() if each.level]
    if not sold:
        return None
    loud = [each for each in sold if each.level and each.level.loudness >= _mean(sold) - GATE]
    peaks = [each.level.true_peak for each in sold if each.level and each.level.true_peak is not None]
    return Level(round(_mean(loud)), max(peaks, default=None))


def _mean(measured: Sequence[Measured]) -> float:
    """Mean energy, in hundredths of LUFS."""
    energy = sum(each.seconds * 10 ** (each.level.loudness / 1000) for each in measured if each.level)
    return 1000 * log10(energy / sum(each.seconds for each in measured))


def tagset(track: Track, *, verdict: Verdict, master: Master, place: Place) -> TagSet:
    """The tags of one track's files. `track` comes from `tracks_for_tags`; the same facts give the same tags."""
    recording, release = track.recording, track.release
    licence_name, licence_url = verdict.obligations.buyer_licence
    cover = next(iter(release.artworks.all()), None)
    date = release.release_date.isoformat() if release.release_date else str(recording.year or "")
    return TagSet(
        title=track.title,
        artist_line=artist_line(recording),
        artists=tuple(names(recording, CreditRole.MAIN_ARTIST, CreditRole.FEATURED_ARTIST)),
        album=release.title,
        album_artist=artist_line(release),
        number=track.number,
        total=place.total,
        disc=track.disc,
        discs=place.discs,
        date=date,
        isrc=recording.isrc or "",
        barcode=release.gtin or "",
        genre=recording.genre or release.genre,
        label=release.label.name,
        composers=tuple(writers(recording, CreditRole.COMPOSER)),
        lyricists=tuple(writers(recording, CreditRole.LYRICIST)),
        arrangers=tuple(dict.fromkeys([*names(recording, ARRANGER), *writers(recording, ARRANGER)])),
        works=tuple(work.title for work in recording.works.all() if work.iswc),
        iswcs=tuple(work.iswc for work in recording.works.all() if work.iswc),
        language=recording.language or release.language,
        conductors=tuple(names(recording, CreditRole.CONDUCTOR)),
        remixers=tuple(names(recording, CreditRole.REMIXER)),
        producers=tuple(names(recording, CreditRole.PRODUCER)),
        artist_sort=_sort_names(recording),
        album_artist_sort=_sort_names(release),
        album_sort=_filed(release.title),
        title_sort=_filed(track.title),
        musicbrainz_recording=str(recording.musicbrainz_id or ""),
        musicbrainz_track=str(track.musicbrainz_id or ""),
        musicbrainz_release=str(release.musicbrainz_id or ""),
        musicbrainz_release_group=str(release.musicbrainz_group_id or ""),
        musicbrainz_artists=_ids_of(recording),
        musicbrainz_album_artists=_ids_of(release),
        musicbrainz_works=tuple(str(work.musicbrainz_id) for work in recording.works.all() if work.musicbrainz_id),
        source_url=f"{settings.SITE_URL}/release/{release.slug}",
        level=place.levels.get(master.pk),
        album_level=place.album,
        place=place_of(track),
        licence_url=licence_url,
        licence_name=licence_name,
        more_permissions=recording.label.more_permissions_url,
        copyright=copyright_line(recording, release, licence_url=licence_url, sound_sha256=master.sound_sha256),
        proof_url=proof_url(master.sound_sha256),
        attribution=verdict.obligations.attribution,
        source_note="" if master.lossless else LOSSY_NOTE,
        cover=Cover(str(cover.file.name), cover.sha256) if cover else None,
        id3=settings.ID3_VERSION,
    )


def _ids_of(subject: Recording | Release) -> tuple[str, ...]:
    """MusicBrainz' ids of those in the artist line, in its order, as far as they are known."""
    named = [*parties_as(subject, CreditRole.MAIN_ARTIST), *parties_as(subject, CreditRole.FEATURED_ARTIST)]
    return tuple(str(party.musicbrainz_id) for party in named if party.musicbrainz_id)


def place_of(track: Track) -> str:
    """The name of a place on a release, as files keep it. It stays when a track gets another number."""
    return f"{track.release.public_id}/{track.recording.public_id}"


def tags_of_sale(row: OrderLineTrack, master: Master) -> TagSet:
    """The tags of a bought track as they are right today, under the licence that it was sold under: a title may have
    been corrected since, but no later decision changes what the buyer was given."""
    track = tracks_for_tags([row.track_id])[0]
    sold = Verdict.from_data(row.decision.verdict)
    latest = clearing.latest_of_recordings([track.recording_id]).get(track.recording_id)
    now = Verdict.from_data(latest.verdict) if latest else sold
    same = now.obligations.buyer_licence == sold.obligations.buyer_licence
    place = places_of([track.release_id])[track.release_id, track.disc]
    return tagset(track, verdict=now if same else sold, master=master, place=place)


def _sort_names(subject: Recording | Release) -> str:
    """The main artists as they are filed; empty where that is how they are called."""
    main = artists(subject)
    filed = join([each.sort_name for each in main])
    return "" if filed == join([each.name for each in main]) else filed


def _filed(title: str) -> str:
    """The title as it is filed; empty where that is the title."""
    filed = sort_name(title)
    return "" if filed == title else filed


def preview_tagset(track: Track, *, verdict: Verdict, master: Master) -> TagSet:
    """The tags of a recording's preview: who plays what, under which licence; it belongs to no release."""
    recording = track.recording
    licence_name, licence_url = verdict.obligations.buyer_licence
    return TagSet(
        title=f"{recording.full_title} (preview)",
        artist_line=artist_line(recording),
        artists=tuple(names(recording, CreditRole.MAIN_ARTIST, CreditRole.FEATURED_ARTIST)),
        licence_url=licence_url,
        licence_name=licence_name,
        copyright=copyright_line(
            recording,
            None,
            licence_url=licence_url,
            sound_sha256=master.sound_sha256,
            changed=verdict.obligations.changed and Duty.MARK_CHANGES in verdict.obligations.duties,
        ),
        proof_url=proof_url(master.sound_sha256),
        attribution=verdict.obligations.attribution,
    )


def proof_url(sound_sha256: str) -> str:
    """The public page that shows how this sound was cleared; the same for every sale, so files stay the same."""
    return f"{settings.SITE_URL}/proof/{sound_sha256}"


def copyright_line(
    recording: Recording, release: Release | None, *, licence_url: str, sound_sha256: str, changed: bool = False
) -> str:
    """ "2024 Owner. Licensed to the public under … verify at …": year and blank first, as ID3's TCOP demands.

    `changed` says that this is not the recording as delivered, which licences want said in the notice.
    """
    notice = recording.p_line or (release.p_line or release.c_line if release else "") or recording.label.name
    said = _LEADING_YEAR.match(notice)
    year = said[1] if said else str(recording.year or _year_of(release) or recording.created_at.year)
    owner = notice[said.end() :] if said else notice.lstrip("\u2117\u00a9 ")
    line = f"{year} {owner.strip() or recording.label.name}".rstrip(".")
    if changed:
        line = f"{line}. Changed: an excerpt"
    if not licence_url:
        return f"{line}."
    return f"{line}. Licensed to the public under {licence_url} verify at {proof_url(sound_sha256)}"


def _year_of(release: Release | None) -> int | None:
    return release.release_date.year if release and release.release_date else None
