"""Whatever a finished file says is written anew when it changes, by whatever route; nothing else asks for a look."""

import uuid
from collections.abc import Callable

import pytest
from django.utils import timezone

from catalog.models import Artwork, Credit, CreditRole, Party, Recording, Release, Track, Work
from store import corrections
from store.models import Offer, ReviewDue
from tests.factories import catalog, onsale
from transcoding.models import Rendition

pytestmark = pytest.mark.django_db
Act = Callable[[Track], object]


@pytest.fixture
def track() -> Track:
    """One of two tracks on sale, each with a composer, under one cover; every mark is worked off."""
    release = onsale.put_on_sale(tracks=2)
    for work in Work.objects.all():
        catalog.make_credit(catalog.make_party(f"Composer {work.pk}"), work=work, role=CreditRole.COMPOSER)
    catalog.make_artwork(release)
    ReviewDue.objects.all().delete()
    return release.tracks.get(number=1)


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


@pytest.mark.parametrize(
    "act",
    [
        lambda track: catalog.make_credit(catalog.make_party(), recording=track.recording, role=CreditRole.PRODUCER),
        lambda track: Credit.objects.filter(recording=track.recording).update(credited_as="A. Lind"),
        lambda track: Credit.objects.filter(recording=track.recording).update(role=CreditRole.CONDUCTOR),
        lambda track: Credit.objects.filter(recording=track.recording).delete(),
        lambda track: Credit.objects.filter(work__in=track.recording.works.all()).update(position=2),
        lambda track: Party.objects.filter(credits__work__in=track.recording.works.all()).update(name="Ben"),
        lambda track: Party.objects.filter(credits__recording=track.recording).update(musicbrainz_id=uuid.uuid4()),
        lambda track: track.recording.works.update(title="Right"),
    ],
    ids=["joins", "is called", "is", "leaves", "wrote", "who wrote it", "who plays it", "the work"],
)
def test_who_did_what_on_one_recording_asks_for_a_look_at_it(track: Track, act: Act) -> None:
    act(track)
    assert marked() == {track.recording_id}


@pytest.mark.parametrize(
    "act",
    [
        lambda track: catalog.make_credit(catalog.make_party(), release=track.release),
        lambda track: Credit.objects.filter(release=track.release).update(credited_as="A. Lind"),
        lambda track: Credit.objects.filter(release=track.release).delete(),
        lambda track: Party.objects.filter(credits__release=track.release).update(sort_name="Lind, Ana"),
        lambda track: Party.objects.filter(pk=track.release.label_id).update(name="Bob's Other Records"),
        lambda track: corrections.say_where_more_is_asked(track.recording.label, url="https://bobs.example/more"),
        lambda track: Release.objects.filter(pk=track.release_id).update(label=catalog.make_label()),
        lambda track: catalog.make_artwork(track.release, position=2),
        lambda track: Artwork.objects.filter(release=track.release).update(sha256="d" * 64),
        lambda track: Artwork.objects.filter(release=track.release).delete(),
    ],
    ids=[
        "joins",
        "is called",
        "leaves",
        "who",
        "label's name",
        "more",
        "label",
        "a picture",
        "another cover",
        "no cover",
    ],
)
def test_who_issued_a_release_and_its_cover_ask_for_a_look_at_all_of_it(track: Track, act: Act) -> None:
    act(track)
    assert marked() == set(track.release.recordings.values_list("pk", flat=True))


def test_another_cover_and_credit_are_in_the_tags_that_are_owed_then(track: Track) -> None:
    """What the marks are for: nothing else is needed but the worker that works them off."""
    Artwork.objects.filter(release=track.release).update(sha256="d" * 64)
    catalog.make_credit(catalog.make_party("Pia"), recording=track.recording, role=CreditRole.PRODUCER)
    corrections.say_where_more_is_asked(track.recording.label, url="https://bobs.example/more")
    onsale.review()
    owed = Rendition.objects.filter(master__recording=track.recording_id, state=Rendition.State.PLANNED)
    said = {(row.tags["cover"]["sha256"], *row.tags["producers"], row.tags["more_permissions"]) for row in owed}
    assert said == {("d" * 64, "Pia", "https://bobs.example/more")}
    assert Offer.objects.filter(track=track, closed_at=None).exists()  # what the licence says is the same meanwhile


@pytest.mark.parametrize("act", [change(Release, description="New words."), change(Recording, title="Piece 1")])
def test_what_no_file_says_and_what_stays_asks_for_nothing(track: Track, act: Act) -> None:
    Recording.objects.filter(pk=track.recording_id).update(title="Piece 1")
    ReviewDue.objects.all().delete()
    act(track)
    assert marked() == set()


def test_what_nobody_has_decided_about_has_no_files_and_is_left_alone() -> None:
    release = catalog.make_release(tracks=1)
    ReviewDue.objects.all().delete()
    Recording.objects.update(title="Right")
    Party.objects.update(sort_name="Right")
    Credit.objects.update(credited_as="Right")
    catalog.make_artwork(release)
    assert marked() == set()
