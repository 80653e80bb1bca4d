"""What a case is made of: rivals, changes, the talk with the label, the world before and after, and what shares its
agreement."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording
from licensing import grants, notices, questions, reviews
from licensing.errors import QuestionRefused
from licensing.models import LicenceGrant
from licensing.terms import EvidenceKind
from licensing.territories import TerritorySet
from store import access, cases, records, saved_reasons
from store.cases import Change, Message, Place, Sound
from store.errors import NotAllowed
from store.models import Letter, SavedReason, User
from store.records import Record
from tests.factories import catalog, licensing, transcoding
from tests.factories.licensing import NOW, RITA
from tests.factories.store import make_user
from transcoding.models import Master

HOUR = timedelta(hours=1)
PDF = b"%PDF-1.7 An agreement."


def record_of(grant: LicenceGrant) -> Record:
    return records.read(records.newest().filter(record_id=grant.record_id))[0]


# -- rivals ------------------------------------------------------------------------------------------------------------


def test_nobody_else_claims_a_plain_record(grant: LicenceGrant) -> None:
    assert cases.rivals(record_of(grant)) == []


def test_the_same_sound_of_another_label_is_a_rival_with_its_case(recording: Recording, grant: LicenceGrant) -> None:
    twin = catalog.make_recording("Stolen", label=catalog.make_label("Other"))
    transcoding.make_master(twin, sound_sha256=Master.objects.get(recording=recording).sound_sha256)
    theirs = licensing.make_grant(twin)
    (rival,) = cases.rivals(record_of(grant))
    assert (rival.title, rival.label, rival.why) == ("Stolen", "Other", "The very same sound")
    assert rival.url == reverse("review-case", args=[theirs.record_id])


def test_nearly_the_same_sound_of_another_label_is_a_rival_and_of_ones_own_is_none(
    recording: Recording, grant: LicenceGrant
) -> None:
    master = Master.objects.get(recording=recording)
    theirs = transcoding.make_master(catalog.make_recording("Lifted", label=catalog.make_label("Other")))
    remix = transcoding.make_master(catalog.make_recording("Remix", label=recording.label))
    transcoding.make_likeness(master, theirs, seconds=73)
    transcoding.make_likeness(master, remix)
    (rival,) = cases.rivals(record_of(grant))
    assert (rival.title, rival.label, rival.why) == ("Lifted", "Other", "Nearly the same sound for 73 s")


def test_another_exclusive_licensor_is_a_rival_only_where_and_when_they_meet(label: Party) -> None:
    recording = catalog.make_recording(label=label)
    grant = licensing.make_grant(recording, territories=TerritorySet.only("JP", "DE"), submitted_for=label)
    other = licensing.make_holder(catalog.make_label("Other"))
    terms: dict[str, Any] = {"holder": other, "exclusive": True, "share": Fraction(1)}
    licensing.make_grant(recording, territories=TerritorySet.only("US"), **terms)
    assert cases.rivals(record_of(grant)) == []
    over = licensing.make_grant(recording, territories=TerritorySet.only("JP"), **terms)
    (rival,) = cases.rivals(record_of(grant))
    assert (rival.label, rival.why) == ("Other", "Exclusive, and it overlaps")
    reviews.refuse(over, reviewer=RITA, reason="No mandate.", at=NOW)
    assert cases.rivals(record_of(grant)) == []


def test_an_open_claim_stands_first(recording: Recording, grant: LicenceGrant) -> None:
    notices.take_down(recording, claimant="Eve", statement="Mine.", actor="t", at=NOW)
    (rival,) = cases.rivals(record_of(grant))
    assert (rival.label, rival.state) == ("Eve", "open")


# -- changes -----------------------------------------------------------------------------------------------------------


def test_the_first_version_changes_nothing(grant: LicenceGrant) -> None:
    assert cases.changes(record_of(grant)) == []


def test_a_version_shows_what_it_says_otherwise_and_nothing_else(grant: LicenceGrant) -> None:
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=PDF, media_type="application/pdf")
    kept = grant.evidence.order_by("pk")[0]
    grants.new_version(
        grant, actor="user:bob", at=NOW, territories_set=TerritorySet.only("DE"), share=Fraction(1, 2),
        agreement="A-7", exclusive=True, evidence=[kept, paper],
    )  # fmt: skip
    found = {change.field: change for change in cases.changes(record_of(grant)) if change.field != "Evidence"}
    assert found == {
        "Agreement": Change("Agreement", "", "A-7"),
        "Countries": Change("Countries", "worldwide", "Germany"),
        "Share": Change("Share", "the whole", "1/2"),
        "Exclusive": Change("Exclusive", "no", "yes"),
    }
    papers = [change for change in cases.changes(record_of(grant)) if change.field == "Evidence"]
    assert [(bool(change.before), bool(change.after)) for change in papers] == [(True, False), (False, True)]


# -- the talk with the label -------------------------------------------------------------------------------------------


def test_the_thread_tells_both_sides_in_their_order(label: Party, grant: LicenceGrant) -> None:
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=PDF, media_type="application/pdf")
    asked = questions.ask(grant, reviewer=RITA, text="Who signed?", at=NOW)
    assert [(one.kind, one.open) for one in cases.thread(record_of(grant))] == [("question", True)]
    questions.answer(asked, text="Our director.", actor="user:bob", at=NOW + HOUR, instrument=paper)
    url = reverse("review-evidence", args=[paper.public_id])
    assert cases.thread(record_of(grant)) == [
        Message("question", "Who signed?", "reviewer", NOW, "", asked.public_id, open=False),
        Message("answer", "Our director.", "label", NOW + HOUR, url, asked.public_id, open=False),
    ]
    in_the_studio = cases.thread(record_of(grant), label=label)[1].attachment_url
    assert in_the_studio == reverse("studio-evidence", args=["bobs", paper.public_id])


def test_the_label_is_told_of_a_question_by_mail_and_nobody_else_is(label: Party, grant: LicenceGrant) -> None:
    bob = make_user("Bob")
    access.join(bob, label)
    access.join(make_user("Eve"), catalog.make_label("Other"))
    cases.ask(grant, reviewer=RITA, text="Who signed?", at=NOW)
    letter = Letter.objects.get()
    assert (letter.kind, letter.recipient) == ("question", bob.email)
    assert "Who signed?" in letter.body
    assert reverse("studio-record", args=["bobs", grant.record_id]) in letter.body


def test_a_question_that_is_refused_owes_no_letter(label: Party, grant: LicenceGrant) -> None:
    access.join(make_user("Bob"), label)
    with pytest.raises(QuestionRefused):
        cases.ask(grant, reviewer=RITA, text=" ", at=NOW)
    assert not Letter.objects.exists()


def test_the_history_tells_what_was_asked_and_answered(grant: LicenceGrant) -> None:
    at = grant.created_at
    asked = questions.ask(grant, reviewer=RITA, text="Who signed?", at=at + HOUR)
    questions.answer(asked, text="Our director.", actor="user:bob", at=at + 2 * HOUR)
    reviews.refuse(grant, reviewer=RITA, reason="Not he.", at=at + 3 * HOUR)
    said = [(event.word, event.reason) for event in records.history(record_of(grant))]
    assert said == [
        ("Handed in", ""),
        ("Asked the label", "Who signed?"),
        ("The label answered", "Our director."),
        ("Refused", "Not he."),
    ]


def test_the_history_tells_the_first_of_two_from_the_second(recording: Recording, settings: Any) -> None:
    settings.REVIEW_TWO_ABOVE_RISK = 0
    grant = LicenceGrant.objects.get(recording=recording)
    sound = Master.objects.get(recording=recording).sound_sha256
    for actor in ("user:rita", "user:sam"):
        assert record_of(grant).waits
        reviews.approve(grant, reviewer=reviews.Reviewer(actor), sound_sha256=sound, at=NOW)
    assert [event.word for event in records.history(record_of(grant))][1:] == ["Approved once", "Approved"]
    assert record_of(grant).state == "APPROVED"


# -- the world ---------------------------------------------------------------------------------------------------------


def world(grant: LicenceGrant) -> dict[str, Place]:
    heard = cases.sounds(grant)
    places = cases.world(record_of(grant), heard, cases.grounds(heard, at=NOW))
    assert len(places) == 249
    return {place.code: place for place in places}


@pytest.fixture
def in_two(label: Party) -> LicenceGrant:
    """A recording for Germany and Austria, whose work is cleared for Germany and France."""
    recording = catalog.make_recording(label=label, works=1)
    transcoding.make_master(recording)
    where = TerritorySet.only("DE", "FR")
    licensing.make_approved(recording.works.get(), sound="", territories=where, submitted_for=label)
    return licensing.make_grant(recording, territories=TerritorySet.only("DE", "AT"), submitted_for=label)


def test_the_map_tells_what_an_approval_would_clear_what_is_missing_and_what_is_left_out(in_two: LicenceGrant) -> None:
    found = world(in_two)
    assert (found["DE"].now, found["DE"].after, found["DE"].reasons) == ("missing", "cleared", ())
    assert (found["AT"].now, found["AT"].after) == ("missing", "missing")
    assert any(reason.startswith("Work:") for reason in found["AT"].reasons)
    assert (found["FR"].now, found["FR"].after) == ("excluded", "excluded")
    assert found["DE"].name == "Germany"


def test_the_map_after_the_approval_is_what_was_foretold(in_two: LicenceGrant) -> None:
    foretold = {code: place.after for code, place in world(in_two).items()}
    sound = Master.objects.get(recording=in_two.recording).sound_sha256
    reviews.approve(in_two, reviewer=RITA, sound_sha256=sound, at=NOW)
    assert {code: place.now for code, place in world(in_two).items()} == foretold


def test_a_record_about_two_recordings_clears_where_both_are(label: Party) -> None:
    work = catalog.make_work("Tide")
    for codes in (("DE", "AT"), ("DE", "FR")):
        recording = catalog.make_recording(label=label)
        recording.works.set([work])
        sound = transcoding.make_master(recording).sound_sha256
        licensing.make_approved(recording, sound=sound, territories=TerritorySet.only(*codes), submitted_for=label)
    found = world(licensing.make_grant(work, submitted_for=label))
    assert [code for code, place in found.items() if place.after == "cleared"] == ["DE"]


def test_a_record_without_a_sound_clears_nothing_and_says_so(label: Party) -> None:
    found = world(licensing.make_grant(catalog.make_recording(label=label), submitted_for=label))
    assert {place.after for place in found.values()} == {"missing"}


# -- one agreement -----------------------------------------------------------------------------------------------------


@pytest.fixture
def agreed(label: Party) -> list[LicenceGrant]:
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=PDF, media_type="application/pdf")
    made = []
    for title in ("One", "Two", "Three"):
        recording = catalog.make_recording(title, label=label)
        transcoding.make_master(recording)
        made.append(
            licensing.make_grant(
                recording, holder=licensing.make_holder(label), evidence=[paper], basis="DIRECT", licence_url="",
                submitted_for=label,
            )
        )  # fmt: skip
    return made


def test_what_rests_on_one_paper_comes_together(agreed: list[LicenceGrant], grant: LicenceGrant) -> None:
    keys = {one.record_id for one in agreed}
    assert {one.record_id for one in cases.sharing_agreement(record_of(agreed[0]))} == keys
    assert not keys & {one.record_id for one in cases.sharing_agreement(record_of(grant))}


def test_this_record_comes_first_and_no_more_than_one_act_may_hold(agreed: list[LicenceGrant]) -> None:
    (one, _other) = cases.sharing_agreement(record_of(agreed[2]), most=2)
    assert one.record_id == agreed[2].record_id


def test_what_is_decided_does_not_come_along(agreed: list[LicenceGrant]) -> None:
    reviews.refuse(agreed[1], reviewer=RITA, reason="No.", at=NOW)
    assert len(cases.sharing_agreement(record_of(agreed[0]))) == 2


def test_the_hashes_of_many_are_those_that_each_page_would_show(agreed: list[LicenceGrant]) -> None:
    listed = cases.sharing_agreement(record_of(agreed[0]))
    for one in listed:
        shown = cases.shown_evidence(records.evidence(one.grant)), cases.shown_sound(one.grant, cases.sounds(one.grant))
        assert cases.shown_all(listed)[one.grant.pk] == shown
    made = reviews.decide_all(
        [one.grant for one in listed], reviewer=RITA, outcome="APPROVED", at=NOW,
        evidence={key: each for key, (each, _sound) in cases.shown_all(listed).items()},
        sounds={key: sound for key, (_evidence, sound) in cases.shown_all(listed).items()},
    )  # fmt: skip
    assert len(made) == 3


def test_many_that_share_cost_the_same_statements_as_few(
    agreed: list[LicenceGrant], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    record = record_of(agreed[0])
    with CaptureQueriesContext(connection) as few:
        cases.shown_all(cases.sharing_agreement(record))
    paper = agreed[0].evidence.get()
    for _ in range(20):
        licensing.make_grant(catalog.make_recording(label=record.label), evidence=[paper], submitted_for=record.label)
    with django_assert_max_num_queries(len(few)):
        assert len(cases.shown_all(cases.sharing_agreement(record))) == 23


# -- saved words -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_first_texts_are_there_and_more_can_be_kept(rita: User) -> None:
    first = cases.saved_reasons()
    assert "unsigned" in {one.code for one in first}
    kept = saved_reasons.save("  The date is\nmissing. ", actor=rita.actor)
    assert (kept.text, kept.code) == ("The date is missing.", "the-date-is-missing")
    assert saved_reasons.save("The date is missing.", actor=rita.actor) == kept
    assert cases.saved_reasons()[-1] == kept


@pytest.mark.django_db
def test_a_retired_text_is_offered_no_more_and_its_code_goes_to_nobody_else(rita: User) -> None:
    kept = saved_reasons.save("The date is missing.", actor=rita.actor)
    saved_reasons.retire(kept, at=NOW)
    assert kept not in cases.saved_reasons()
    other = saved_reasons.save("The date is missing!", actor=rita.actor)
    assert other.code == "the-date-is-missing-2"
    assert saved_reasons.save("The date is missing.", actor=rita.actor) == kept
    assert kept in cases.saved_reasons()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", " \n", "x" * 501])
def test_an_empty_or_endless_text_is_not_kept(rita: User, text: str) -> None:
    with pytest.raises(NotAllowed):
        saved_reasons.save(text, actor=rita.actor)


@pytest.mark.django_db
def test_what_an_operator_changed_is_not_put_back_by_the_next_migration() -> None:
    SavedReason.objects.filter(code="unsigned").update(text="Sign it, please.")
    saved_reasons.keep(None)  # type: ignore[arg-type]
    assert SavedReason.objects.get(code="unsigned").text == "Sign it, please."


def test_evidence_that_changed_since_it_was_shown_is_named(grant: LicenceGrant) -> None:
    shown = cases.shown_evidence(records.evidence(grant)), cases.shown_sound(grant, cases.sounds(grant))
    assert cases.changed_since(grant, evidence_sha256=shown[0], sound_sha256=shown[1]) == ""
    assert "A new master" in cases.changed_since(grant, evidence_sha256=shown[0], sound_sha256="0" * 64)
    assert "evidence" in cases.changed_since(grant, evidence_sha256="0" * 64, sound_sha256=shown[1])


# -- the layers --------------------------------------------------------------------------------------------------------


def test_a_record_for_the_whole_catalogue_stands_in_the_layer_it_covers(label: Party) -> None:
    recording = catalog.make_recording(label=label, works=1)
    waiting = licensing.make_grant(recording.works.get(), submitted_for=label)
    wide = licensing.make_wide(label, submitted_for=label)
    heard = [Sound(recording, "", None, None)]
    shown = cases.layers(record_of(waiting), cases.grounds(heard, at=NOW))
    assert [[one.grant for one in layer.records] for layer in shown] == [[wide], [waiting]]


def test_another_labels_catalogue_is_no_part_of_the_case(label: Party) -> None:
    recording = catalog.make_recording(label=label, works=1)
    waiting = licensing.make_grant(recording.works.get(), submitted_for=label)
    licensing.make_wide(catalog.make_label("Other"), submitted_for=label)
    shown = cases.layers(record_of(waiting), cases.grounds([Sound(recording, "", None, None)], at=NOW))
    assert [[one.grant for one in layer.records] for layer in shown] == [[], [waiting]]
