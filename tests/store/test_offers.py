"""Offers follow clearance, files and prices; whatever changes them leaves a mark."""

from datetime import timedelta

import pytest
from django.utils import timezone

from licensing import notices
from licensing.models import ClearanceDecision
from store import corrections, offers, previews
from store.models import Offer, Price, ReviewDue
from tests.factories import catalog, licensing, transcoding
from tests.factories.kept import kept
from tests.factories.store import make_decision
from tests.store.conftest import make_ready, two_tracks
from transcoding import renditions
from transcoding.models import Rendition
from transcoding.tags import TagSet

pytestmark = pytest.mark.django_db


def review():
    result = offers.Reviewed()
    while (slice_ := offers.review_due(at=timezone.now())).recordings:
        result.opened += slice_.opened
        result.closed += slice_.closed
        result.planned += slice_.planned
    return result


def open_offers(release):
    return {offer.track.number if offer.track else "whole" for offer in Offer.objects.filter(closed_at=None)}


@kept()
def two_on_sale():
    release = two_tracks()
    review()
    make_ready()
    review()
    return release


@pytest.fixture
def on_sale():
    return two_on_sale()


def test_a_cleared_track_gets_its_files_planned_before_it_is_offered(release):
    result = review()

    assert set(Rendition.objects.values_list("format", flat=True)) == {
        "FLAC", "MP3_V0", "MP3_320", "OGG_Q6", "PREVIEW_MP3", "PREVIEW_OPUS",
    }  # fmt: skip
    assert len(set(result.planned)) == 2
    assert not Offer.objects.exists()


def test_offers_open_when_the_files_are_ready(on_sale):
    assert open_offers(on_sale) == {1, 2, "whole"}


def test_reviewing_again_changes_nothing(on_sale):
    before = set(Offer.objects.values_list("pk", "decision"))
    offers.review_offers(None, at=timezone.now(), actor="test")

    assert set(Offer.objects.values_list("pk", "decision")) == before
    assert ClearanceDecision.objects.count() == 5


def test_a_track_that_is_taken_down_closes_itself_and_the_whole(on_sale):
    track = on_sale.tracks.get(number=1)
    notices.take_down(
        track.recording, claimant="Charlie", statement="That is mine.", actor="user:staff", at=timezone.now()
    )
    review()

    assert open_offers(on_sale) == {2}
    assert Offer.objects.get(track=track).closed_reason in {"TAKEN_DOWN", "TAKEDOWN"}


def test_a_release_with_an_uncleared_track_sells_singly(release):
    recording = catalog.make_recording("Unlicensed", label=release.label)
    catalog.make_track(release, recording, number=3)
    transcoding.make_master(recording)
    review()
    make_ready()
    review()

    assert open_offers(release) == {1, 2}


def test_a_new_price_is_a_new_offer(on_sale):
    recording = on_sale.tracks.get(number=1).recording
    offers.set_price(recording, currency="EUR", amount_minor=120, actor="user:bob")
    review()

    old, new = Offer.objects.filter(track__number=1).order_by("pk")
    assert (old.amount_minor, old.closed_reason) == (100, "PRICE_CHANGED")
    assert (new.amount_minor, new.closed_at) == (120, None)


def test_without_a_price_nothing_is_offered(on_sale):
    Price.objects.all().delete()
    review()
    assert open_offers(on_sale) == set()


def test_a_new_master_must_be_approved_before_it_is_sold(on_sale):
    recording = on_sale.tracks.get(number=1).recording
    transcoding.make_master(recording, accepted_at=timezone.now())
    offers.mark_due([recording.pk], cause="master")
    review()

    assert open_offers(on_sale) == {2}


def test_a_file_that_was_given_up_keeps_the_track_off_sale(release):
    review()
    Rendition.objects.filter(master__recording__title="Piece 1", format="FLAC").update(state="FAILED", error="x")
    make_ready()
    review()

    assert open_offers(release) == {2}


def retitled(release):
    recording = release.tracks.get(number=1).recording
    corrections.retitle_recording(recording, title="Right")
    review()
    return Rendition.objects.filter(master__recording=recording, format="FLAC").order_by("-pk").first()


def test_a_corrected_title_takes_nothing_off_sale(on_sale):
    assert (retitled(on_sale).state, retitled(on_sale).tags["title"]) == ("PLANNED", "Right")
    assert open_offers(on_sale) == {1, 2, "whole"}


def test_the_control_where_no_older_file_stands_in(on_sale, monkeypatch):
    monkeypatch.setattr(renditions, "stand_in", lambda _row: None)
    retitled(on_sale)
    assert open_offers(on_sale) == {2}
    assert Offer.objects.get(track__number=1).closed_reason == "FILES_NOT_READY"


def change_the_notice(release):
    recording = release.tracks.get(number=1).recording
    recording.p_line = "2031 Somebody Else"
    recording.save()
    offers.mark_due([recording.pk], cause="test")
    review()


def test_a_file_with_an_older_word_on_its_licence_is_not_sold(on_sale):
    change_the_notice(on_sale)
    assert open_offers(on_sale) == {2}
    make_ready()
    review()
    assert open_offers(on_sale) == {1, 2, "whole"}


def test_the_control_where_the_words_on_the_licence_are_not_compared(on_sale, monkeypatch):
    monkeypatch.setattr(TagSet, "terms", property(lambda tags: (tags.place,)))
    change_the_notice(on_sale)
    assert open_offers(on_sale) == {1, 2, "whole"}


def test_a_file_for_another_release_does_not_stand_in(on_sale):
    recording = on_sale.tracks.get(number=1).recording
    other = catalog.make_release("Collected", label=on_sale.label)
    track = catalog.make_track(other, recording, number=1)
    review()
    assert not Offer.objects.filter(track=track).exists()


def test_new_tags_that_could_not_be_written_take_the_track_off_sale(on_sale):
    Rendition.objects.filter(pk=retitled(on_sale).pk).update(state="FAILED", error="x")
    review()
    assert open_offers(on_sale) == {2}


@pytest.mark.parametrize(
    "act",
    [
        licensing.make_grant,
        lambda recording: licensing.make_grant(recording.works.get()),
        lambda recording: notices.take_down(
            recording, claimant="Charlie", statement="Mine.", actor="user:1", at=timezone.now()
        ),
        lambda recording: offers.set_price(recording, currency="USD", amount_minor=1, actor="user:1"),
        lambda recording: Price.objects.filter(recording=recording).delete(),
        lambda recording: Rendition.objects.filter(master__recording=recording).update(state="FAILED"),
    ],
    ids=["grant", "work grant", "takedown", "price", "price gone", "file failed"],
)
def test_whatever_may_change_the_answer_leaves_a_mark(on_sale, act):
    recording = on_sale.tracks.get(number=1).recording
    ReviewDue.objects.all().delete()
    act(recording)

    assert set(ReviewDue.objects.values_list("recording_id", flat=True)) == {recording.pk}


def test_a_mark_is_worked_off_once(release):
    review()
    assert not ReviewDue.objects.exists()


def test_a_claimed_mark_is_left_to_its_worker_until_the_claim_runs_out(release):
    now = timezone.now()
    ReviewDue.objects.update(claimed_until=now + timedelta(minutes=1))

    assert offers.review_due(at=now).recordings == []
    assert len(offers.review_due(at=now + timedelta(minutes=1)).recordings) == 2


def test_an_offer_whose_decision_ran_out_is_asked_about_once(on_sale):
    offer = Offer.objects.get(track__number=1)
    soon = timezone.now() + timedelta(days=1)
    assert offer.track
    newer = make_decision(offer.track.recording, good_until=soon)
    Offer.objects.filter(pk=offer.pk).update(decision=newer)

    assert offers.follow_dates(at=soon - timedelta(seconds=1)) == 0
    assert offers.follow_dates(at=soon) == 1
    assert offers.follow_dates(at=soon) == 0


def test_what_is_on_sale_is_told_per_country(on_sale):
    found = offers.on_sale([on_sale], currency="EUR", country="DE")[on_sale.pk]
    assert found.whole
    assert len(found.tracks) == 2
    assert offers.on_sale([on_sale], currency="USD")[on_sale.pk] == offers.OnSale(None, {})


def test_telling_what_is_on_sale_costs_one_query(on_sale, django_assert_num_queries):
    with django_assert_num_queries(1):
        offers.on_sale([on_sale], currency="EUR", country="DE")


def test_a_preview_is_heard_until_a_takedown(on_sale):
    recording = on_sale.tracks.get(number=1).recording
    preview = previews.heard([recording.pk])[recording.pk].mp3
    assert previews.may_be_heard(preview, country="DE")

    notices.take_down(recording, claimant="Charlie", statement="Mine.", actor="user:1", at=timezone.now())
    assert not previews.may_be_heard(preview, country="DE")
