"""C5: where two reviewers are needed, two people say the same of the same evidence and sound; never one twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import Error
from django.test.utils import CaptureQueriesContext

from catalog.models import Recording
from licensing import clearance, grants, reviews
from licensing.errors import AgreementsDiffer, ReviewIncomplete, ReviewNotIndependent, ReviewTwice
from licensing.models import LicenceGrant, Review, ReviewCase
from licensing.records import evidence_hash
from licensing.reviews import Reviewer
from licensing.terms import EvidenceKind, Use
from tests.factories.catalog import make_label, make_recording
from tests.factories.licensing import NOW, RITA, SOUND, make_approved, make_evidence, make_grant, make_holder

pytestmark = pytest.mark.django_db
SAM = Reviewer("user:sam")
LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def two(settings: Any) -> None:
    """Whatever is risky at all needs two; a new label is."""
    settings.REVIEW_TWO_ABOVE_RISK = 0


def approve(grant: LicenceGrant, reviewer: Reviewer, **over: Any) -> Review:
    return reviews.approve(grant, **{"reviewer": reviewer, "sound_sha256": SOUND, "at": NOW, **over})


def is_cleared(recording: Recording) -> bool:
    decision = clearance.clear(recording, use=Use.PERMANENT_DOWNLOAD, at=LATER, actor="t", sound_sha256=SOUND)
    return bool(decision.cleared_countries)


@pytest.fixture
def recording(settings: Any) -> Recording:
    """One recording; its work is approved by one reviewer, which was enough on that day."""
    settings.REVIEW_TWO_ABOVE_RISK = 1000
    recording = make_recording(works=1)
    make_approved(recording.works.get(), sound="")
    settings.REVIEW_TWO_ABOVE_RISK = 0
    return recording


def test_one_approval_clears_nothing_where_two_are_needed(recording: Recording) -> None:
    grant = make_grant(recording)
    assert approve(grant, RITA).second_needed
    assert not is_cleared(recording)
    approve(grant, SAM)
    assert is_cleared(recording)


def test_where_one_is_enough_one_clears(recording: Recording, settings: Any) -> None:
    settings.REVIEW_TWO_ABOVE_RISK = 1000
    assert not approve(make_grant(recording), RITA).second_needed
    assert is_cleared(recording)


def test_the_record_waits_on_for_the_second_and_then_no_more() -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    assert ReviewCase.objects.get(grant=grant).seconding
    assert reviews.first_approval(grant) is not None
    approve(grant, SAM)
    assert not reviews.queue().exists()


def test_the_same_person_twice_is_refused() -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    with pytest.raises(ReviewTwice):
        approve(grant, RITA)
    assert Review.objects.count() == 1


def test_the_second_must_be_independent_as_well() -> None:
    label = make_label()
    grant = make_grant(make_recording(label=label), submitted_for=label)
    approve(grant, RITA)
    with pytest.raises(ReviewNotIndependent):
        approve(grant, Reviewer("user:sam", frozenset({label.pk})))


def test_two_who_heard_different_sounds_are_not_two(recording: Recording) -> None:
    grant = make_grant(recording)
    approve(grant, RITA, sound_sha256="6" * 64)
    approve(grant, SAM)
    assert not is_cleared(recording)
    approve(grant, RITA)
    assert is_cleared(recording)


def test_a_second_reviewers_refusal_ends_it(recording: Recording) -> None:
    grant = make_grant(recording)
    approve(grant, RITA)
    reviews.refuse(grant, reviewer=SAM, reason="Not signed.", at=NOW)
    assert not reviews.queue().exists()
    assert not is_cleared(recording)


def test_an_approval_before_a_refusal_does_not_count_afterwards(recording: Recording) -> None:
    grant = make_grant(recording)
    approve(grant, RITA)
    reviews.refuse(grant, reviewer=SAM, reason="Not signed.", at=NOW)
    approve(grant, SAM)
    assert not is_cleared(recording)


def test_a_policy_relaxed_between_the_two_does_not_make_one_enough(recording: Recording, settings: Any) -> None:
    grant = make_grant(recording)
    approve(grant, RITA)
    settings.REVIEW_TWO_ABOVE_RISK = 1000
    assert approve(grant, SAM).second_needed
    assert is_cleared(recording)


def test_a_new_version_begins_from_the_start() -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    newer = grants.new_version(grant, actor="user:bob", at=NOW)
    assert [case.grant_id for case in ReviewCase.objects.all()] == [newer.pk]
    assert not ReviewCase.objects.get().seconding


def write(grant: LicenceGrant, reviewer: Reviewer, *, second_needed: bool = True) -> Review:
    """A review by raw insert, past every act."""
    bound = evidence_hash(piece.sha256 for piece in grant.evidence.all())
    return Review.objects.create(
        grant=grant, outcome="APPROVED", reviewer=reviewer.actor, evidence_sha256=bound, sound_sha256=SOUND,
        second_needed=second_needed, at=NOW,
    )  # fmt: skip


def test_the_same_person_twice_cannot_even_be_written_down() -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    with pytest.raises(Error, match="REVIEW_TWICE"), transaction.atomic():
        write(grant, RITA)


def test_that_one_is_enough_cannot_be_written_down_where_two_are_needed() -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    with pytest.raises(Error, match="SECOND_REVIEW_NEEDED"), transaction.atomic():
        write(grant, SAM, second_needed=False)


def test_without_the_trigger_it_is_written_down_and_the_engine_still_wants_two_people(recording: Recording) -> None:
    grant = make_grant(recording)
    approve(grant, RITA)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER licensing_review_by_two ON licensing_review")
    write(grant, RITA)
    assert not is_cleared(recording)
    write(grant, SAM)
    assert is_cleared(recording)


def test_without_the_acts_check_the_trigger_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    grant = make_grant(make_recording())
    approve(grant, RITA)
    monkeypatch.setattr(reviews, "_not_twice", lambda *_given: None)
    with pytest.raises(Error, match="REVIEW_TWICE"), transaction.atomic():
        approve(grant, RITA)


@pytest.fixture
def agreed() -> list[LicenceGrant]:
    return on_one_agreement(3)


def on_one_agreement(number: int) -> list[LicenceGrant]:
    """Records of one label on one agreement."""
    label = make_label()
    paper = make_evidence(EvidenceKind.AGREEMENT, text="We agree.")
    return [
        make_grant(
            make_recording(label=label), holder=make_holder(label), evidence=[paper], basis="DIRECT", licence_url=""
        )
        for _ in range(number)
    ]


def sounds(listed: list[LicenceGrant]) -> dict[int, str]:
    return {grant.pk: SOUND for grant in listed}


def test_one_word_for_an_agreement_makes_a_review_of_each(agreed: list[LicenceGrant]) -> None:
    made = reviews.decide_all(agreed, reviewer=RITA, outcome="APPROVED", at=NOW, sounds=sounds(agreed))
    assert [review.grant_id for review in made] == [grant.pk for grant in agreed]
    assert len({review.evidence_sha256 for review in made}) == 1
    again = reviews.decide_all(agreed, reviewer=SAM, outcome="APPROVED", at=NOW, sounds=sounds(agreed))
    assert len(again) == 3
    assert not reviews.queue().exists()


def test_one_record_that_cannot_be_decided_leaves_all_undecided(agreed: list[LicenceGrant]) -> None:
    unheard = sounds(agreed) | {agreed[1].pk: ""}
    with pytest.raises(ReviewIncomplete):
        reviews.decide_all(agreed, reviewer=RITA, outcome="APPROVED", at=NOW, sounds=unheard)
    approve(agreed[2], RITA)
    with pytest.raises(ReviewTwice):
        reviews.decide_all(agreed, reviewer=RITA, outcome="APPROVED", at=NOW, sounds=sounds(agreed))
    assert Review.objects.count() == 1


def test_many_records_are_refused_with_one_reason(agreed: list[LicenceGrant]) -> None:
    made = reviews.decide_all(
        agreed, reviewer=RITA, outcome="REFUSED", at=NOW, sounds=sounds(agreed), reason="Not signed."
    )
    assert {review.reason for review in made} == {"Not signed."}


def test_records_of_different_agreements_are_not_decided_in_one_word(agreed: list[LicenceGrant]) -> None:
    other = make_grant(make_recording(), evidence=[make_evidence(EvidenceKind.AGREEMENT, text="Another.")])
    listed = [*agreed, other]
    with pytest.raises(AgreementsDiffer):
        reviews.decide_all(listed, reviewer=RITA, outcome="APPROVED", at=NOW, sounds=sounds(listed))


def test_an_agreements_number_binds_only_under_one_licensor() -> None:
    one, other = (
        make_grant(make_recording(), agreement="A-1", evidence=[make_evidence(text=text)]) for text in ("x", "y")
    )
    assert not reviews.share_one_agreement([one, other])
    same = make_grant(make_recording(), agreement="A-1", holder=one.licensor, evidence=[make_evidence(text="z")])
    assert reviews.share_one_agreement([one, same])


def test_each_record_more_costs_six_statements_more() -> None:
    """Each is locked, looked at and written by itself; what follows from all of them is decided together."""
    few, many = statements(3), statements(13)
    assert many - few <= 6 * 10


def statements(number: int) -> int:
    listed = on_one_agreement(number)
    with CaptureQueriesContext(connection) as asked:
        reviews.decide_all(listed, reviewer=RITA, outcome="APPROVED", at=NOW, sounds=sounds(listed))
    return len(asked)
