"""What is sold is what was decided about: tracks that move and works that change take the old offers with them."""

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Recording, RecordingWork, Track
from licensing import notices, reclearing
from licensing.models import ClearanceDecision
from store import clearing, offers
from store.models import Offer, ReviewDue, Shelf
from tests.factories import catalog, onsale

pytestmark = pytest.mark.django_db


@pytest.fixture
def release():
    return onsale.put_on_sale(tracks=2)


def listed(release):
    return offers.selling(type(release).objects.filter(pk=release.pk), currency="EUR", country="DE").exists()


def standing(release):
    found = offers.on_sale([release], currency="EUR", country="DE")[release.pk]
    return {release.tracks.get(pk=key).number for key in found.tracks} | ({"whole"} if found.whole else set())


def first(release):
    return release.tracks.get(number=1)


def turn(release):
    Track.objects.filter(pk=first(release).pk).update(recording=catalog.make_recording("Another"))


def move(release):
    Track.objects.filter(pk=first(release).pk).update(release=catalog.make_release("Elsewhere", label=release.label))


def join(release):
    catalog.make_track(release, catalog.make_recording("Bonus"), number=3)


def leave(release):
    Offer.objects.filter(track=first(release)).delete()  # as where a track was only ever sold with the whole
    first(release).delete()


def add_a_work(release):
    first(release).recording.works.add(catalog.make_recording().works.get())


def change_a_work(release):
    RecordingWork.objects.filter(recording=first(release).recording).update(work=catalog.make_recording().works.get())


def take_a_work(release):
    RecordingWork.objects.filter(recording=first(release).recording).delete()


LEFT = {turn: {2}, move: {2}, join: {1, 2}, leave: {2}, add_a_work: {2}, change_a_work: {2}, take_a_work: {2}}
TRIGGERS = {
    turn: ("catalog_track", "store_track_moved"),
    move: ("catalog_track", "store_track_moved"),
    join: ("catalog_track", "store_track_joined"),
    leave: ("catalog_track", "store_track_left"),
    add_a_work: ("catalog_recordingwork", "store_work_joined"),
    change_a_work: ("catalog_recordingwork", "store_work_moved"),
    take_a_work: ("catalog_recordingwork", "store_work_left"),
}


@pytest.mark.parametrize("act", LEFT)
def test_what_was_offered_before_closes_in_the_same_statement(release, act):
    assert standing(release) == {1, 2, "whole"}
    act(release)
    assert standing(release) == LEFT[act]


@pytest.mark.parametrize("act", LEFT)
def test_it_is_the_trigger_that_closes_it(release, act):
    table, trigger = TRIGGERS[act]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    act(release)
    assert "whole" in standing(release)


@pytest.mark.parametrize("act", LEFT)
def test_it_is_looked_at_again(release, act):
    ReviewDue.objects.all().delete()
    act(release)
    assert ReviewDue.objects.filter(recording__tracks__release=release).exists()


def test_what_is_left_of_a_release_is_sold_whole_again(release):
    leave(release)
    onsale.review()
    onsale.make_ready()  # its tags count the tracks
    onsale.review()
    assert standing(release) == {2, "whole"}


def test_the_shelf_forgets_a_release_whose_tracks_are_gone(release):
    elsewhere = catalog.make_release("Elsewhere", label=release.label)
    release.tracks.update(release=elsewhere)
    assert not listed(release)
    assert not Shelf.objects.filter(release=release).exists()


def test_renumbering_closes_nothing(release):
    Track.objects.filter(pk=first(release).pk).update(number=7)
    assert standing(release) == {7, 2, "whole"}


# -- A notice about a label with more than one request can decide -----------------------------------------------------


@pytest.fixture
def large(release):
    """The release's label has 499 recordings more."""
    names = [f"Piece {number}" for number in range(499)]
    Recording.objects.bulk_create([Recording(title=name, label=release.label) for name in names])
    return release


def demand(label):
    return notices.take_down(label, claimant="Carla", statement="Mine.", actor="user:rita", at=timezone.now())


def work_off():
    """What the workers do until nothing is owed."""
    while (job := reclearing.claim(at=timezone.now())) is not None:
        while not reclearing.work(job, at=timezone.now(), sounds=clearing.sounds_of).finished:
            pass


def test_a_large_label_is_held_back_in_the_act_and_decided_after_it(large):
    before = ClearanceDecision.objects.count()
    demand(large.label)
    assert (standing(large), listed(large)) == (set(), False)
    assert ClearanceDecision.objects.count() == before
    assert Offer.objects.filter(closed_at=None).count() == 3
    work_off()
    assert not Offer.objects.filter(closed_at=None).exists()


def test_without_the_hold_it_would_be_sold_until_it_is_decided(large):
    demand(large.label)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION licensing_held() RETURNS bigint[] LANGUAGE sql AS $$ SELECT '{}'::bigint[] $$"
        )
    assert standing(large) == {1, 2, "whole"}


def test_a_small_label_is_refused_in_the_act(release):
    demand(release.label)
    assert not Offer.objects.filter(closed_at=None).exists()


def many_recordings(number):
    names = [f"Piece {number}" for number in range(number)]
    return Recording.objects.bulk_create([Recording(title=name, label=catalog.make_label()) for name in names])


def standard(release):
    """A work of the release that 500 other recordings are of, too."""
    work = first(release).recording.works.get()
    RecordingWork.objects.bulk_create([RecordingWork(recording=one, work=work) for one in many_recordings(500)])
    return work


def box(release):
    """The release, with 500 more tracks; whole it is not sold any more."""
    numbered = enumerate(many_recordings(500), start=3)
    Track.objects.bulk_create([Track(release=release, recording=one, number=number) for number, one in numbered])
    return release


@pytest.mark.parametrize("subject", [standard, box])
def test_a_work_or_release_with_many_recordings_is_held_back_in_the_act_and_decided_after_it(release, subject):
    struck = subject(release)
    ReviewDue.objects.all().delete()
    assert 1 in standing(release)
    before = ClearanceDecision.objects.count()
    demand(struck)
    assert 1 not in standing(release)
    assert ClearanceDecision.objects.count() == before
    assert Offer.objects.filter(track=first(release), closed_at=None).exists()
    assert not ReviewDue.objects.exists()
    work_off()
    assert not Offer.objects.filter(track=first(release), closed_at=None).exists()


def test_the_recordings_of_a_work_are_not_heard_either_while_it_is_held_back(release):
    key = first(release).recording_id
    previewed = clearing.latest_of_recordings([key], use=clearing.PREVIEW)[key]
    assert clearing.holds(previewed, at=timezone.now())
    demand(standard(release))
    previewed = clearing.latest_of_recordings([key], use=clearing.PREVIEW)[key]
    assert not clearing.holds(previewed, at=timezone.now())


def test_lifted_it_is_sold_again_once_a_worker_has_decided(release):
    notice = demand(standard(release))
    work_off()
    notices.lift(notice, reason="Settled.", actor="user:rita", at=timezone.now())
    assert 1 not in standing(release)
    work_off()
    onsale.review()
    assert 1 in standing(release)


def test_what_does_not_know_that_it_hangs_on_the_label_is_closed_in_the_act(large):
    other = onsale.put_on_sale("Elsewhere")
    single = Offer.objects.get(track__release=other, closed_at=None)
    Track.objects.filter(release=large, number=1).update(recording=single.track.recording)
    demand(large.label)
    single.refresh_from_db()
    assert single.closed_at is not None
