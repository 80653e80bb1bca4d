"""MusicBrainz ids: read wherever Picard writes them, kept with what they name, and written into bought files again."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from catalog.models import Recording, Release
from store import tagreading
from tests.deliveries.conftest import Deliver
from tests.deliveries.tones import Tones
from tests.factories.transcoding import make_tags
from tests.transcoding.test_tags import IDS
from transcoding import tags
from transcoding.formats import FORMATS

KINDS = {
    "flac": "FLAC", "ogg": "OGG_Q6", "opus": "OPUS_128", "mp3": "MP3_V0", "wav": "WAV", "aiff": "AIFF", "m4a": "ALAC",
    "wv": "WV",
}  # fmt: skip
NAMED: dict[str, Any] = {
    "musicbrainz_trackid": IDS["musicbrainz_recording"],
    "musicbrainz_releasetrackid": IDS["musicbrainz_track"],
    "musicbrainz_albumid": IDS["musicbrainz_release"],
    "musicbrainz_releasegroupid": IDS["musicbrainz_release_group"],
    "musicbrainz_artistid": list(IDS["musicbrainz_artists"]),
    "musicbrainz_albumartistid": list(IDS["musicbrainz_album_artists"]),
    "musicbrainz_workid": list(IDS["musicbrainz_works"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_read_from_every_container_as_we_write_them(kind: str, tmp_path: Path, tones: Tones) -> None:
    path = tones.put(tmp_path / f"a.{kind}")
    tags.write(path, FORMATS[KINDS[kind]], make_tags(**IDS, conductors=("Dora",), arrangers=("Hanna",)), None)
    found = tagreading.read(path)
    assert found.musicbrainz == {
        "recording": (IDS["musicbrainz_recording"],),
        "track": (IDS["musicbrainz_track"],),
        "release": (IDS["musicbrainz_release"],),
        "release group": (IDS["musicbrainz_release_group"],),
        "artist": IDS["musicbrainz_artists"],
        "release artist": IDS["musicbrainz_album_artists"],
        "work": IDS["musicbrainz_works"],
    }
    assert (found.conductors, found.arrangers) == (("Dora",), ("Hanna",))


@pytest.mark.django_db
def test_a_delivery_keeps_each_id_with_what_it_names(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "1.flac", title="Song", artist="Ana feat. Ben", album="First", albumartist="Ana", **NAMED)
    deliver()
    recording, release = Recording.objects.get(), Release.objects.get()
    artists = {credit.party.name: credit.party.musicbrainz_id for credit in recording.credits.all()}
    assert recording.musicbrainz_id == UUID(IDS["musicbrainz_recording"])
    assert release.musicbrainz_id == UUID(IDS["musicbrainz_release"])
    assert release.musicbrainz_group_id == UUID(IDS["musicbrainz_release_group"])
    assert release.tracks.get().musicbrainz_id == UUID(IDS["musicbrainz_track"])
    assert recording.works.get().musicbrainz_id == UUID(IDS["musicbrainz_works"][0])
    assert artists == dict(zip(("Ana", "Ben"), map(UUID, IDS["musicbrainz_artists"]), strict=True))


@pytest.mark.django_db
def test_as_many_ids_as_artists_or_none(folder: Path, tones: Tones, deliver: Deliver) -> None:
    two = NAMED["musicbrainz_artistid"]
    tones.put(folder / "1.flac", title="Song", artist="Ana", album="First", musicbrainz_artistid=two)
    deliver()
    assert {credit.party.musicbrainz_id for credit in Recording.objects.get().credits.all()} == {None}


@pytest.mark.django_db
def test_what_is_no_id_is_left_out_and_said(folder: Path, tones: Tones, deliver: Deliver) -> None:
    tones.put(folder / "1.flac", title="Song", artist="Ana", album="First", musicbrainz_trackid="7f0a1b5e")
    (line,) = deliver()
    assert (line.outcome, line.code) == ("WARNED", "MUSICBRAINZ_WRONG")
    assert "“7F0A1B5E” is no MusicBrainz id" in line.message
    assert Recording.objects.get().musicbrainz_id is None


@pytest.mark.django_db
def test_better_tags_bring_ids_later_and_change_none(folder: Path, tones: Tones, deliver: Deliver) -> None:
    told: dict[str, Any] = {"title": "Song", "artist": "Ana", "album": "First", "tracknumber": 1}
    tones.put(folder / "1.flac", **told)
    deliver()
    tones.put(folder / "1.flac", **told, musicbrainz_trackid=IDS["musicbrainz_recording"])
    (line,) = deliver()
    assert "Now with MusicBrainz ids" in line.message
    tones.put(folder / "1.flac", **told, musicbrainz_trackid=IDS["musicbrainz_track"])
    deliver()
    assert Recording.objects.get().musicbrainz_id == UUID(IDS["musicbrainz_recording"])
