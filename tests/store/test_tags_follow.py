"""Whatever a finished file says is written anew when it changes, by whatever route; nothing else asks for a look."""

import uuid
from collections.abc import Callable

import pytest
from django.utils import timezone

from catalog.models import Recording, Release, Track
from store import corrections
from store.models import ReviewDue
from tests.factories import catalog, onsale

pytestmark = pytest.mark.django_db
Act = Callable[[Track], object]


@pytest.fixture
def track() -> Track:
    """One of two tracks on sale, with every mark worked off."""
    found: Track = onsale.put_on_sale(tracks=2).tracks.get(number=1)
    ReviewDue.objects.all().delete()
    return found


def marked() -> set[int]:
    return set(ReviewDue.objects.values_list("recording_id", flat=True))


def change(model: type[Recording | Release | Track], **fields: object) -> Act:
    """By raw update, as staff or a script might."""

    def act(track: Track) -> object:
        key = {Recording: track.recording_id, Release: track.release_id, Track: track.pk}[model]
        return model.objects.filter(pk=key).update(**fields)

    return act


@pytest.mark.parametrize(
    "act",
    [
        change(Recording, title="Right"),
        change(Recording, version_title="live"),
        change(Recording, p_line="2020 Ana"),
        change(Recording, musicbrainz_id=uuid.uuid4()),
        change(Track, title_override="Right"),
        change(Track, number=9),
        lambda track: corrections.retitle_recording(track.recording, title="Right"),
    ],
    ids=["title", "version", "P-line", "MusicBrainz id", "title here", "number", "the studio"],
)
def test_what_a_recordings_files_say_asks_for_a_look_at_it(track: Track, act: Act) -> None:
    act(track)
    assert marked() == {track.recording_id}


@pytest.mark.parametrize(
    "act",
    [
        change(Release, title="Right"),
        change(Release, gtin="4006381333931"),
        change(Release, release_date=timezone.now().date()),
        lambda track: corrections.retitle_release(track.release, title="Right"),
    ],
    ids=["title", "barcode", "date", "the studio"],
)
def test_what_all_files_of_a_release_say_asks_for_a_look_at_all(track: Track, act: Act) -> None:
    act(track)
    assert marked() == set(track.release.recordings.values_list("pk", flat=True))


@pytest.mark.parametrize("act", [change(Release, description="New words."), change(Recording, title="Piece 1")])
def test_what_no_file_says_and_what_stays_asks_for_nothing(track: Track, act: Act) -> None:
    Recording.objects.filter(pk=track.recording_id).update(title="Piece 1")
    ReviewDue.objects.all().delete()
    act(track)
    assert marked() == set()


def test_what_nobody_has_decided_about_has_no_files_and_is_left_alone() -> None:
    recording = catalog.make_recording()
    ReviewDue.objects.all().delete()
    Recording.objects.filter(pk=recording.pk).update(title="Right")
    assert marked() == set()
