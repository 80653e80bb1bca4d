"""Search finds what people type, best first, and asks a fixed number of statements."""

from collections.abc import Iterable

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from catalog.models import Credit, Party, Recording, Release, Track
from catalog.search import search
from tests.factories.catalog import make_credit, make_label, make_party, make_recording, make_release, make_track

pytestmark = pytest.mark.django_db


def titles(rows: Iterable[Release | Track]) -> list[str]:
    return [row.title for row in rows]


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ("Élan Vital", "elan"),
        ("elan vital", "ÉLAN"),
        ("Nebula", "neb"),
        ("Don\u2019t Stop", "dont stop"),
        ("Don't Stop", "don\u2019t"),
        ("AC/DC Live", "ac dc"),
        ("Straße", "strasse"),
        ("Bjo\u0308rk", "bjork"),
        ("春の海", "の海"),
        ("Песня", "песня"),
        ("100% (Remix)", "100% remix"),
    ],
)
def test_a_release_is_found_by_what_people_type(title: str, typed: str) -> None:
    make_release(title)
    make_release("Something else")
    assert titles(search(typed).releases) == [title]


def test_words_of_title_and_artist_may_be_mixed() -> None:
    make_release("Nebula", artist=make_party("Maxstack"))
    assert titles(search("maxstack neb").releases) == ["Nebula"]


def test_all_words_must_be_found() -> None:
    make_release("Nebula", artist=make_party("Maxstack"))
    assert search("nebula unknown").total == 0


def test_the_whole_title_comes_before_its_beginning_and_a_label_last() -> None:
    label = make_label("Echo")
    make_release("Other", label=label)
    make_release("Echoes of Home")
    make_release("Echo")
    assert titles(search("echo").releases) == ["Echo", "Echoes of Home", "Other"]


def test_results_are_grouped_by_what_they_are() -> None:
    label, artist = make_label("Echo Park"), make_party("Echo Twins")
    release = make_release("Echo", artist=artist, label=label)
    make_track(release, make_recording("Echo One", artist=artist, label=label))
    found = search("echo")
    assert titles(found.releases) == ["Echo"]
    assert titles(found.tracks) == ["Echo One"]
    assert [party.name for party in found.artists] == ["Echo Twins"]
    assert [party.name for party in found.labels] == ["Echo Park"]


def test_a_recording_on_two_releases_is_one_track() -> None:
    recording = make_recording("Nebula")
    first = make_release("Early")
    make_track(first, recording)
    make_track(make_release("Later"), recording)
    assert [track.release for track in search("nebula").tracks] == [first]


def test_an_isrc_and_a_barcode_are_found() -> None:
    make_track(make_release("Bars", gtin="4006381333931"), make_recording("Coded", isrc="USRC17607839"))
    assert titles(search("usrc17607839").tracks) == ["Coded"]
    assert titles(search("4006381333931").releases) == ["Bars"]


@pytest.mark.parametrize("typed", ["nebual", "nebulla", "nebola"])
def test_a_slip_of_the_finger_is_answered_with_the_nearest_name(typed: str) -> None:
    make_release("Nebula Dreams")
    found = search(typed)
    assert (found.total, found.suggestion) == (0, "Nebula Dreams")


def test_nothing_alike_proposes_nothing() -> None:
    make_release("Nebula")
    assert search("qwertz").suggestion == ""


def test_what_may_not_be_shown_is_neither_found_nor_proposed() -> None:
    hidden = make_release("Nebula", artist=make_party("Nebulist"), label=make_label("Nebula Records"), tracks=1)
    Recording.objects.update(title="Nebula")
    among = Release.objects.exclude(pk=hidden.pk)
    assert search("nebula", among=among).total == 0
    assert search("nebual", among=among).suggestion == ""


@pytest.mark.parametrize("typed", ["", "  ", "'", "\\", ":*", "!&|()<->", "a'b\\c:*", "\0", "🎵", "%_", "x" * 5000])
def test_no_query_is_an_error(typed: str) -> None:
    make_release("Nebula")
    assert search(typed).total == 0


def test_a_renamed_artist_is_found_by_her_new_name_only() -> None:
    artist = make_party("Oldname")
    make_release("Nebula", artist=artist, tracks=1)
    Party.objects.filter(pk=artist.pk).update(name="Newname")
    assert search("oldname").total == 0
    assert titles(search("newname").releases) == ["Nebula"]
    assert len(search("newname").tracks) == 1


def test_raw_sql_cannot_leave_a_vector_behind() -> None:
    release = make_release("Nebula")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_release SET title = 'Quasar', search_vector = NULL WHERE id = %s", [release.pk])
    assert titles(search("quasar").releases) == ["Quasar"]


def test_without_the_trigger_a_vector_is_left_behind() -> None:
    release = make_release("Nebula")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE catalog_release DISABLE TRIGGER release_vector")
        cursor.execute("UPDATE catalog_release SET title = 'Quasar' WHERE id = %s", [release.pk])
    assert Release.objects.filter(search_vector="nebula").exists()
    assert not Release.objects.filter(search_vector="quasar").exists()


def test_a_credit_taken_away_is_no_longer_found() -> None:
    release = make_release("Nebula")
    guest = make_party("Guestina")
    make_credit(guest, release=release, role="FEATURED_ARTIST")
    assert titles(search("guestina").releases) == ["Nebula"]
    Credit.objects.filter(party=guest).delete()
    assert search("guestina").releases == []


@pytest.mark.parametrize("size", [1, 8])
def test_statements_do_not_grow_with_results(size: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(size):
        make_release("Nebula", tracks=1)
    Recording.objects.update(title="Nebula")
    with django_assert_num_queries(10):
        found = search("nebula")
        assert all(credit.party.name for release in found.releases for credit in release.credits.all())
        assert all(credit.party.name for track in found.tracks for credit in track.recording.credits.all())
        assert all(track.release.label.name for track in found.tracks)
