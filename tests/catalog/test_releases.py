"""Tracks stand in one place each, and a release says what it still lacks."""

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from catalog import artwork, releases
from catalog.errors import TrackPlaceTaken
from catalog.models import Credit, Release
from tests.factories.catalog import make_label, make_recording, make_release, make_track

pytestmark = pytest.mark.django_db


def codes(release: Release) -> set[str]:
    return {problem.code for problem in releases.problems(release)}


def test_adding_a_track_twice_gives_the_same_track() -> None:
    release, recording = make_release(), make_recording()
    first = releases.add_track(release, recording, disc=1, number=1)
    assert releases.add_track(release, recording, disc=1, number=1) == first


def test_a_taken_number_is_refused() -> None:
    release = make_release(tracks=1)
    with pytest.raises(TrackPlaceTaken, match=r"already has track 1\.1"):
        releases.add_track(release, make_recording(), disc=1, number=1)


def test_a_recording_stands_once_on_a_release() -> None:
    release = make_release(tracks=1)
    with pytest.raises(TrackPlaceTaken, match=r"already is track 1\.1"):
        releases.add_track(release, release.tracks.get().recording, disc=1, number=2)


def test_the_next_number_is_behind_all_others_of_its_disc() -> None:
    release = make_release()
    make_track(release, number=7)
    make_track(release, number=2, disc=2)
    assert [releases.next_number(release, disc=disc) for disc in (1, 2, 3)] == [8, 3, 1]


def test_a_release_says_what_it_lacks() -> None:
    assert codes(make_release()) == {"NO_TRACKS", "NO_COVER"}


def test_a_gap_between_numbers_is_named() -> None:
    release = make_release()
    make_track(release, number=1)
    make_track(release, number=4)
    (gap,) = [problem for problem in releases.problems(release) if problem.code == "NUMBERS_MISSING"]
    assert "no track 2, 3" in gap.message


def test_a_track_without_artist_is_named() -> None:
    release = make_release(tracks=1)
    Credit.objects.filter(recording__isnull=False).delete()
    assert "NO_ARTIST" in codes(release)


def test_a_complete_release_has_no_problems(cover_png: bytes) -> None:
    release = make_release(tracks=2)
    artwork.attach(release, cover_png)
    assert codes(release) == set()


def test_addresses_stay_apart_where_titles_do_not() -> None:
    label = make_label("Bob")
    made = [releases.make_release("Greatest Hits", label=label, artist="Ana") for _ in range(3)]
    assert [release.slug for release in made] == ["greatest-hits", "greatest-hits-ana", "greatest-hits-2"]


def test_a_title_without_latin_letters_has_an_address() -> None:
    assert releases.make_release("春の海", label=make_label()).slug.startswith("release-")


def test_a_title_of_500_characters_has_an_address() -> None:
    assert len(releases.make_release("word " * 100, label=make_label()).slug) <= 120


@pytest.mark.parametrize(
    "wrong",
    [{"gtin": "123"}, {"title": ""}, {"slug": ""}],
)
def test_the_database_refuses_a_release_that_is_none(wrong: dict[str, str]) -> None:
    release = make_release()
    with pytest.raises(IntegrityError), transaction.atomic():
        Release.objects.filter(pk=release.pk).update(**wrong)


def test_the_database_refuses_a_credit_without_one_subject() -> None:
    release = make_release()
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(party=release.label, role="PRODUCER")
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(party=release.label, role="PRODUCER", release=release, recording=make_recording())


def test_a_list_with_credits_asks_two_statements(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(5):
        make_release()
    with django_assert_num_queries(2):
        assert all(credit.name for release in Release.objects.with_credits() for credit in release.credits.all())


def test_a_release_with_its_tracks_asks_four_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_release(tracks=4)
    with django_assert_num_queries(4):
        (release,) = Release.objects.with_tracks()
        assert all(c.party.name for track in release.tracks.all() for c in track.recording.credits.all())
