"""Handing in, reviewing, ending, taking down: what the acts refuse and what they leave behind."""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licensing import clearance, grants, instruments, notices, reviews
from licensing.errors import (
    EvidenceRefused,
    GrantOutdated,
    GrantRefused,
    NoticeRefused,
    ReviewIncomplete,
    ReviewNotIndependent,
)
from licensing.models import LicenceGrant, evidence_storage
from licensing.reviews import Reviewer
from licensing.terms import Basis, CmoStatus, EndKind, EvidenceKind, Layer, Use
from licensing.territories import TerritorySet
from licensing.verdicts import Verdict
from tests.factories.catalog import make_label, make_recording, make_work
from tests.factories.licensing import BY, NOW, RITA, SOUND, make_cleared, make_evidence, make_grant, make_holder

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 An agreement."


@pytest.fixture
def agreement(own_evidence):
    """An agreement whose bytes lie in a storage of the test's own."""
    return instruments.capture(EvidenceKind.AGREEMENT, data=PDF, media_type="application/pdf", actor="user:bob", at=NOW)


def direct(recording, evidence, **over):
    fields = {"basis": Basis.DIRECT, "licence_url": "", **over}
    return make_grant(recording, evidence=[evidence], **fields)


def swap(instrument, data):
    """Other bytes under the same key, as a burglar would leave them."""
    Path(evidence_storage().path(instrument.file.name)).write_bytes(data)


def test_the_same_bytes_are_kept_once(agreement):
    again = instruments.capture(EvidenceKind.AGREEMENT, data=PDF, actor="user:bob", at=NOW)
    assert again.file.name == agreement.file.name
    assert again.sha256 == agreement.sha256


def test_nothing_is_no_evidence():
    with pytest.raises(EvidenceRefused):
        instruments.capture(EvidenceKind.AGREEMENT, actor="user:bob")


def test_an_unknown_kind_is_no_evidence():
    with pytest.raises(EvidenceRefused):
        instruments.capture("HEARSAY", text="I heard", actor="user:bob")


def test_evidence_swapped_after_the_approval_takes_it_off_sale(agreement):
    recording = make_recording(works=1)
    reviews.approve(direct(recording, agreement), reviewer=RITA, sound_sha256=SOUND, at=NOW)
    reviews.approve(make_grant(recording.works.get()), reviewer=RITA, sound_sha256="", at=NOW)
    ask: dict[str, Any] = {"use": Use.PERMANENT_DOWNLOAD, "at": NOW, "actor": "t", "sound_sha256": SOUND}
    assert clearance.clear(recording, **ask).cleared_countries
    swap(agreement, b"%PDF-1.7 Another agreement.")
    verdict = Verdict.from_data(clearance.clear(recording, **ask).verdict)
    assert verdict.codes_in("DE") == ["EVIDENCE_ALTERED"]
    swap(agreement, PDF)
    assert clearance.clear(recording, **ask).cleared_countries


def test_swapped_evidence_cannot_be_approved(agreement):
    grant = direct(make_recording(), agreement)
    swap(agreement, b"Something else")
    with pytest.raises(ReviewIncomplete):
        reviews.approve(grant, reviewer=RITA, sound_sha256=SOUND, at=NOW)


def test_evidence_that_is_gone_hashes_to_nothing(agreement):
    evidence_storage().delete(agreement.file.name)
    assert instruments.current_sha256(agreement) == ""


def test_a_grant_left_plain_covers_the_world_for_sale():
    grant = make_grant(make_recording(), basis=Basis.DIRECT, licence_url="")
    assert (grant.territory_mode, grant.territories) == ("WORLD_EXCEPT", [])
    assert set(grant.uses) == {"PERMANENT_DOWNLOAD", "PREVIEW", "REDOWNLOAD"}
    assert grant.licensee == "STORE"


def test_a_complement_is_stored_as_it_was_given():
    grant = make_grant(make_recording(), territories=TerritorySet.world(but=["US", "CA"]))
    grant.refresh_from_db()
    assert (grant.territory_mode, grant.territories) == ("WORLD_EXCEPT", ["CA", "US"])


def test_a_public_licence_is_for_everybody_and_every_use():
    grant = make_grant(make_recording(), licence_url="http://www.creativecommons.org/licenses/by/4.0/deed.de")
    assert (grant.licensee, len(grant.uses), grant.licence_url) == ("PUBLIC", len(Use), BY)


def test_what_was_stated_is_kept_even_where_it_is_no_licence():
    grant = make_grant(make_recording(), licence_url="royalty free")
    assert grant.licence_url == "royalty free"


def test_a_declaration_settles_whether_a_society_holds_the_work():
    assert make_grant(make_work()).cmo_status == CmoStatus.NOT_BOUND
    assert make_grant(make_work(), evidence=[make_evidence()]).cmo_status == CmoStatus.UNKNOWN


@pytest.mark.parametrize(
    "over",
    [
        {"layer": Layer.WORK},
        {"layer": "LYRICS"},
        {"basis": "HANDSHAKE"},
        {"uses": ["SYNC"]},
        {"uses": []},
        {"territories": TerritorySet.only("XX")},
        {"territories": TerritorySet.only()},
        {"share": Fraction(3, 2)},
        {"share": Fraction(0)},
        {"starts_on": date(2026, 2, 2), "ends_on": date(2026, 2, 1)},
        {"actor": ""},
    ],
)
def test_a_grant_that_makes_no_sense_is_refused_in_words(over):
    with pytest.raises(GrantRefused):
        make_grant(make_recording(), **over)
    assert not LicenceGrant.objects.exists()


def test_the_labels_own_people_may_not_review():
    label = make_label()
    grant = make_grant(make_recording(label=label), actor="user:bob")
    for reviewer in (Reviewer("user:bob"), Reviewer("user:eve", frozenset({label.pk}))):
        assert not reviews.may_decide(grant, reviewer)
        with pytest.raises(ReviewNotIndependent):
            reviews.approve(grant, reviewer=reviewer, sound_sha256=SOUND, at=NOW)
        with pytest.raises(ReviewNotIndependent):
            reviews.refuse(grant, reviewer=reviewer, reason="No.", at=NOW)


def test_a_recording_is_not_approved_unheard():
    with pytest.raises(ReviewIncomplete):
        reviews.approve(make_grant(make_recording()), reviewer=RITA, sound_sha256="", at=NOW)


def test_a_record_without_evidence_is_not_approved():
    with pytest.raises(ReviewIncomplete):
        reviews.approve(make_grant(make_recording(), evidence=[]), reviewer=RITA, sound_sha256=SOUND, at=NOW)


def test_an_approval_of_other_evidence_than_the_page_showed_is_refused():
    with pytest.raises(ReviewIncomplete):
        reviews.approve(
            make_grant(make_recording()), reviewer=RITA, sound_sha256=SOUND, at=NOW, evidence_sha256="0" * 64
        )


def test_a_refusal_needs_a_reason():
    with pytest.raises(ReviewIncomplete):
        reviews.refuse(make_grant(make_recording()), reviewer=RITA, reason=" ", at=NOW)


def test_only_the_newest_version_is_reviewed_or_changed():
    grant = make_grant(make_recording())
    grants.new_version(grant, actor="user:bob", at=NOW, share=Fraction(1, 2), territories_set=TerritorySet.only("DE"))
    with pytest.raises(GrantOutdated):
        reviews.approve(grant, reviewer=RITA, sound_sha256=SOUND, at=NOW)
    with pytest.raises(GrantOutdated):
        grants.new_version(grant, actor="user:bob", at=NOW)


def test_a_new_version_keeps_what_it_does_not_change():
    grant = make_grant(make_recording())
    newer = grants.new_version(grant, actor="user:bob", at=NOW, ends_on=date(2030, 1, 1))
    assert (newer.record_id, newer.version, newer.licence_url) == (grant.record_id, 2, grant.licence_url)
    assert set(newer.evidence.all()) == set(grant.evidence.all())


def test_a_revoked_record_stays_revoked():
    grant = make_grant(make_recording())
    grants.end_grant(grant, reason="Over.", actor="user:bob", at=NOW)
    with pytest.raises(GrantRefused):
        grants.end_grant(grant, kind=EndKind.RESUMED, reason="Again.", actor="user:bob", at=NOW)


def test_the_queue_holds_what_nobody_decided_in_few_statements():
    recording = make_recording()
    waiting = [make_grant(recording), *(make_grant(make_recording()) for _ in range(4))]
    reviews.refuse(make_grant(make_recording()), reviewer=RITA, reason="No.", at=NOW)
    grants.end_grant(make_grant(make_recording()), reason="Over.", actor="user:bob", at=NOW)
    with CaptureQueriesContext(connection) as captured:
        found = [
            (grant, str(grant.licensor), grant.recording.label, list(grant.evidence.all())) for grant in reviews.queue()
        ]
    assert [grant for grant, *_ in found] == waiting
    assert len(captured) == 2


def test_a_notice_names_who_and_why():
    for over in ({"claimant": ""}, {"statement": " "}, {"kind": "GRUMBLE"}, {"layer": "LYRICS"}):
        fields: dict[str, Any] = {"claimant": "C", "statement": "S", "actor": "t", "at": NOW, **over}
        with pytest.raises(NoticeRefused):
            notices.take_down(make_recording(), **fields)


def test_a_notice_is_lifted_once_and_a_repeated_one_is_new():
    recording = make_cleared()
    notice = notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    notices.lift(notice, reason="R", actor="t", at=NOW)
    with pytest.raises(NoticeRefused):
        notices.lift(notice, reason="R", actor="t", at=NOW)
    again = notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW, answers=notice)
    assert list(notice.answered_by.all()) == [again]


def test_only_a_recall_stops_past_buyers():
    taken_down, recalled = make_recording(), make_recording()
    notices.take_down(taken_down, claimant="C", statement="S", actor="t", at=NOW)
    notices.take_down(recalled, kind="RECALL", claimant="C", statement="S", actor="t", at=NOW)
    assert notices.recalled([taken_down.pk, recalled.pk], at=NOW) == {recalled.pk}


def test_a_party_is_one_rights_holder_however_often_it_is_asked_for():
    label = make_label()
    assert make_holder(label) == make_holder(label)
