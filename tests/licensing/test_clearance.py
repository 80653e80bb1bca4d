"""Asking the engine about rows, and keeping its answer."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licensing import clearance, grants, notices, reviews
from licensing.models import ClearanceDecision, LicenceGrant
from licensing.terms import EndKind, NoticeKind, Use
from licensing.verdicts import Verdict
from tests.factories.catalog import make_recording, make_release, make_track
from tests.factories.licensing import NOW, RITA, SOUND, make_approved, make_cleared, make_grant, make_holder

pytestmark = pytest.mark.django_db
SALE = Use.PERMANENT_DOWNLOAD


def record_of(recording):
    return LicenceGrant.objects.get(recording=recording)


def clear(recording, **over):
    return clearance.clear(recording, **{"use": SALE, "at": NOW, "actor": "task:test", "sound_sha256": SOUND, **over})


def test_a_recording_with_both_layers_approved_is_cleared_everywhere():
    decision = clear(make_cleared())
    assert len(decision.cleared_countries) == 249
    assert clearance.is_cleared(decision, "DE", NOW)


def test_a_recording_without_records_says_which_layers_lack_one():
    decision = clear(make_recording())
    codes = Verdict.from_data(decision.verdict).codes_in("DE")
    assert codes == ["NO_MASTER_LICENCE", "NO_WORK_LICENCE"]


def test_the_same_answer_keeps_no_second_row():
    recording = make_cleared()
    first = clear(recording)
    assert clear(recording, at=NOW + timedelta(days=1)) == first
    assert ClearanceDecision.objects.count() == 1


def test_another_sound_than_the_reviewer_heard_is_not_cleared():
    recording = make_cleared()
    clear(recording)
    decision = clear(recording, sound_sha256="6" * 64)
    assert Verdict.from_data(decision.verdict).codes_in("DE") == ["EVIDENCE_ALTERED"]
    assert clearance.latest(recording, SALE) == decision


def test_a_decision_says_nothing_after_its_time():
    recording = make_cleared(ends_on=date(2026, 3, 31))
    decision = clear(recording)
    assert decision.good_until is not None
    assert clearance.is_cleared(decision, "KI", decision.good_until - timedelta(seconds=1))
    assert not clearance.is_cleared(decision, "KI", decision.good_until)


def test_where_a_licence_has_not_ended_yet_it_is_cleared_on():
    decision = clear(make_cleared(ends_on=date(2026, 3, 31)))
    assert decision.lasting_until is not None
    assert clearance.is_cleared(decision, "DE", decision.good_until)
    assert clearance.is_cleared(decision, "DE", decision.lasting_until - timedelta(seconds=1))
    assert not clearance.is_cleared(decision, "DE", decision.lasting_until)


def test_a_stored_verdict_reads_back_equal_and_proves_its_hash():
    decision = clear(make_cleared())
    decision.refresh_from_db()
    verdict = Verdict.from_data(decision.verdict)
    assert verdict.sha256 == decision.verdict_sha256
    assert verdict.answer_sha256 == decision.answer_sha256


def test_the_verdict_carries_what_must_go_along_with_each_copy():
    recording = make_cleared(make_recording("Elan"))
    obligations = Verdict.from_data(clear(recording).verdict).obligations
    assert obligations.buyer_licence == ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
    assert obligations.attribution.startswith("“Elan” by ")
    assert obligations.no_drm
    assert not obligations.share_alike


def test_a_takedown_refuses_in_the_same_transaction():
    recording = make_cleared()
    clear(recording)
    notices.take_down(recording, claimant="Charlie", statement="Mine.", actor="user:ann", at=NOW)
    decision = clearance.latest(recording, SALE)
    assert decision is not None
    assert decision.cleared_countries == []
    assert Verdict.from_data(decision.verdict).codes_in("DE") == ["TAKEN_DOWN"]


def test_a_lifted_takedown_clears_again_and_both_stay_on_record():
    recording = make_cleared()
    clear(recording)
    notice = notices.take_down(recording, claimant="Charlie", statement="Mine.", actor="user:ann", at=NOW)
    notices.lift(notice, reason="Withdrawn.", actor="user:ann", at=NOW + timedelta(hours=1))
    assert len(clearance.latest(recording, SALE).cleared_countries) == 249
    assert ClearanceDecision.objects.filter(recording=recording).count() == 3


@pytest.mark.parametrize("subject", ["work", "release", "label"])
def test_a_takedown_reaches_recordings_through(subject):
    recording = make_cleared()
    release = make_release(label=recording.label)
    make_track(release, recording)
    clear(recording)
    about: dict[str, Any] = {"work": recording.works.get(), "release": release, "label": recording.label}
    notices.take_down(about[subject], claimant="Charlie", statement="Mine.", actor="user:ann", at=NOW)
    assert clearance.latest(recording, SALE).cleared_countries == []


def test_a_dispute_of_one_layer_blocks_it():
    recording = make_cleared()
    clear(recording)
    notices.take_down(
        recording, kind=NoticeKind.DISPUTE, layer="WORK", claimant="C", statement="S", actor="user:ann", at=NOW
    )
    reasons = Verdict.from_data(clearance.latest(recording, SALE).verdict).reasons_in("DE")
    assert [(reason.layer, reason.code) for reason in reasons] == [("WORK", "DISPUTED")]


def test_a_revoked_record_is_off_sale_at_once():
    recording = make_cleared()
    clear(recording)
    grant = record_of(recording)
    grants.end_grant(grant, reason="Contract over.", actor="user:bob", at=NOW)
    assert Verdict.from_data(clearance.latest(recording, SALE).verdict).codes_in("DE") == ["REVOKED"]


def test_a_suspended_record_may_resume():
    recording = make_cleared()
    clear(recording)
    grant = record_of(recording)
    grants.end_grant(grant, kind=EndKind.SUSPENDED, reason="Unclear.", actor="user:ann", at=NOW)
    assert clearance.latest(recording, SALE).cleared_countries == []
    grants.end_grant(grant, kind=EndKind.RESUMED, reason="Clear.", actor="user:ann", at=NOW)
    assert len(clearance.latest(recording, SALE).cleared_countries) == 249


def test_a_new_version_waits_for_its_own_review():
    recording = make_cleared()
    clear(recording)
    newer = grants.new_version(record_of(recording), actor="user:bob", ends_on=date(2030, 1, 1), at=NOW)
    assert Verdict.from_data(clearance.latest(recording, SALE).verdict).codes_in("DE") == ["NOT_REVIEWED"]
    reviews.approve(newer, reviewer=RITA, sound_sha256=SOUND, at=NOW)
    assert len(clearance.latest(recording, SALE).cleared_countries) == 249


def test_a_release_sells_whole_only_where_every_track_clears():
    release = make_release(tracks=2)
    first, second = (track.recording for track in release.tracks.order_by("number"))
    make_cleared(first)
    sounds = {first.pk: SOUND, second.pk: SOUND}
    ask: dict[str, Any] = {"use": SALE, "at": NOW, "actor": "task:test", "sounds": sounds}
    verdict = Verdict.from_data(clearance.clear_release(release, **ask).verdict)
    assert verdict.codes_in("DE") == ["RELEASE_INCOMPLETE"]
    assert second.title in verdict.reasons_in("DE")[0].detail
    make_cleared(second)
    assert len(clearance.clear_release(release, **ask).cleared_countries) == 249


def test_a_takedown_of_one_track_takes_the_release_off_too():
    release = make_release(tracks=2)
    recordings = [make_cleared(track.recording) for track in release.tracks.all()]
    sounds = {recording.pk: SOUND for recording in recordings}
    clearance.clear_release(release, use=SALE, at=NOW, actor="task:test", sounds=sounds)
    notices.take_down(recordings[0], claimant="C", statement="S", actor="user:ann", at=NOW)
    assert clearance.latest(release, SALE).cleared_countries == []
    assert len(clearance.latest(recordings[1], SALE).cleared_countries) == 249


def test_asking_takes_as_many_statements_for_many_records_as_for_few():
    few, many = make_cleared(), make_recording()
    holder = make_holder(many.label)
    for _ in range(5):
        make_approved(many, holder=holder)
        make_approved(many.works.get(), holder=holder)
    counts = []
    for recording in (few, many):
        with CaptureQueriesContext(connection) as captured:
            clearance.ask(recording, use=SALE, at=NOW, sound_sha256=SOUND)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_explanations_are_sentences_with_what_to_do():
    verdict = clearance.ask(make_recording(), use=SALE, at=NOW, sound_sha256=SOUND)
    first, second = clearance.explain(verdict, "DE")
    assert "sound recording" in first.lower()
    assert "Declare that the works" in second


def test_an_unreviewed_record_clears_nothing():
    recording = make_recording()
    make_grant(recording)
    assert "NOT_REVIEWED" in Verdict.from_data(clear(recording).verdict).codes_in("DE")
