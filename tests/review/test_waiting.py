"""The queue as data: the riskiest first, then the oldest; filters, counts, and a clock that stands while the label has
the word. However much waits, it costs the same number of statements."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Party
from licensing import grants, notices, questions, reviews
from licensing.models import LicenceGrant, Review, ReviewCase
from licensing.risk import RiskReason
from store import cases, records, waiting
from store.models import Delivery, DeliveryLine, Price, User
from store.records import Record
from tests.factories import catalog, licensing, transcoding
from tests.factories.licensing import NOW, RITA
from tests.factories.store import make_user

HOUR = timedelta(hours=1)


def hand_in(label: Party, title: str = "Tide", *, at: datetime = NOW, **over: Any) -> LicenceGrant:
    return licensing.make_grant(catalog.make_recording(title, label=label), submitted_for=label, at=at, **over)


def assess(at: datetime = NOW) -> None:
    while waiting.assess_waiting(at=at) == waiting.AT_ONCE:
        pass


def reasons(grant: LicenceGrant) -> list[str]:
    return list(ReviewCase.objects.get(grant=grant).reasons)


@pytest.fixture
def known(label: Party) -> Party:
    """A label of which something has been approved."""
    licensing.make_approved(catalog.make_recording(label=label), submitted_for=label)
    return label


def test_the_riskiest_comes_first_and_then_the_oldest(known: Party) -> None:
    plain = hand_in(known, at=NOW)
    older = hand_in(known, at=NOW - HOUR)
    unclear = hand_in(known, licence_url="", licence_statement="royalty free")
    assess()
    assert list(cases.queue()) == [unclear, older, plain]


def test_a_case_says_why_it_is_risky(known: Party) -> None:
    recording = catalog.make_recording(label=known, is_cover=True)
    nc = "https://creativecommons.org/licenses/by-nc/4.0/"
    grant = licensing.make_grant(recording, submitted_for=known, licence_url=nc)
    assess()
    assert reasons(grant) == [RiskReason.OTHERS_MUSIC, RiskReason.NON_COMMERCIAL, RiskReason.MANY_COUNTRIES]


def test_a_label_is_new_until_something_of_it_is_approved(label: Party) -> None:
    grant = hand_in(label)
    assess()
    assert RiskReason.NEW_LABEL in reasons(grant)
    licensing.make_approved(catalog.make_recording(label=label), submitted_for=label)
    cases.assess([grant], at=NOW)
    assert RiskReason.NEW_LABEL not in reasons(grant)


def test_a_society_and_a_whole_catalogue_are_named(known: Party) -> None:
    society = hand_in(known, basis="CMO", licence_url="")
    assess()
    assert RiskReason.SOCIETY in reasons(society)


def test_the_same_sound_elsewhere_raises_the_risk_of_both(known: Party) -> None:
    mine, twin = hand_in(known), hand_in(catalog.make_label("Other"))
    master = transcoding.make_master(mine.recording)
    transcoding.make_master(twin.recording, sound_sha256=master.sound_sha256)
    assess()
    assert all(RiskReason.SAME_SOUND in reasons(grant) for grant in (mine, twin))


def test_nearly_the_same_sound_of_another_label_raises_the_risk_of_both(known: Party) -> None:
    other = catalog.make_label("Other")
    licensing.make_approved(catalog.make_recording(label=other), submitted_for=other)
    mine, theirs, own = hand_in(known, "Tide"), hand_in(other, "Lifted"), hand_in(known, "Remix")
    masters = [transcoding.make_master(grant.recording) for grant in (mine, theirs, own)]
    transcoding.make_likeness(masters[0], masters[1])
    transcoding.make_likeness(masters[0], masters[2])
    assess()
    assert [RiskReason.SAME_SOUND in reasons(grant) for grant in (mine, theirs, own)] == [True, True, False]


def test_another_label_using_the_isrc_raises_the_risk(known: Party) -> None:
    recording = catalog.make_recording(label=known, isrc="DEA122600001")
    grant = licensing.make_grant(recording, submitted_for=known)
    delivery = _delivery(catalog.make_label("Other"))
    message = "ISRC DE-A12-26-00001 already names a recording of another label."
    DeliveryLine.objects.create(
        delivery=delivery, path="x.flac", outcome="REFUSED", code="ISRC_OF_ANOTHER_LABEL", message=message
    )
    assess()
    assert RiskReason.SAME_CODE in reasons(grant)
    assert [(one.label, one.why) for one in cases.rivals(_record(grant))] == [
        ("Other", "Delivered under the same ISRC")
    ]


def _delivery(label: Party) -> Delivery:
    return Delivery.objects.create(label=label, folder_name="x", actor="user:eve")


def _record(grant: LicenceGrant) -> Record:
    return records.read(records.newest().filter(record_id=grant.record_id))[0]


def test_an_open_claim_raises_the_risk_until_it_is_lifted(known: Party) -> None:
    grant = hand_in(known)
    assert grant.recording is not None
    notice = notices.take_down(
        grant.recording,
        kind="DISPUTE",
        layer="RECORDING",
        claimant="Eve",
        statement="Mine.",
        actor="t",
        at=NOW,
    )
    assess()
    assert RiskReason.OPEN_CLAIM in reasons(grant)
    notices.lift(notice, reason="Withdrawn.", actor="t", at=NOW)
    cases.assess([grant], at=NOW + HOUR)
    assert RiskReason.OPEN_CLAIM not in reasons(grant)


def test_two_licensors_of_the_whole_collide_and_two_halves_do_not(known: Party) -> None:
    work = catalog.make_recording(label=known, works=1).works.get()
    one, other = (
        licensing.make_grant(
            work, holder=licensing.make_holder(catalog.make_party(name)), submitted_for=known, share=Fraction(1, 2)
        )
        for name in ("Ana", "Ben")
    )
    assess()
    assert RiskReason.RIVAL_CLAIM not in reasons(one)
    whole = licensing.make_grant(work, holder=licensing.make_holder(catalog.make_party("Eve")), submitted_for=known)
    cases.assess([one, other, whole], at=NOW)
    assert all(RiskReason.RIVAL_CLAIM in reasons(grant) for grant in (one, other, whole))


def test_what_is_worth_much_needs_two(known: Party, settings: Any) -> None:
    settings.REVIEW_TWO_ABOVE_MINOR = 1000
    grant = hand_in(known)
    Price.objects.create(recording=grant.recording, currency="EUR", amount_minor=1000)
    cases.assess([grant], at=NOW)
    assert not ReviewCase.objects.get(grant=grant).second_needed
    Price.objects.filter(recording=grant.recording).update(amount_minor=1001)
    cases.assess([grant], at=NOW)
    case = ReviewCase.objects.get(grant=grant)
    assert (case.second_needed, case.value_minor) == (True, 1001)
    assert RiskReason.HIGH_VALUE in reasons(grant)


def test_a_risk_is_worked_out_once_and_again_when_it_is_old(known: Party) -> None:
    hand_in(known)
    assert waiting.assess_waiting(at=NOW) == 1
    assert waiting.assess_waiting(at=NOW) == 0
    assert waiting.assess_waiting(at=NOW + waiting.STALE + HOUR) == 1


@pytest.fixture
def four(known: Party) -> dict[str, LicenceGrant]:
    """Four that wait: plain, asked, for a second reviewer, and late."""
    found = {name: hand_in(known, name, at=NOW - HOUR) for name in ("plain", "asked", "second")}
    found["late"] = hand_in(catalog.make_label("Other", slug="other"), "late", at=NOW - 30 * HOUR)
    questions.ask(found["asked"], reviewer=RITA, text="Who?", at=NOW)
    assess()
    ReviewCase.objects.filter(grant=found["second"]).update(second_needed=True)
    Review.objects.create(
        grant=found["second"], outcome="APPROVED", reviewer="user:sam", evidence_sha256="0" * 64, second_needed=True,
        at=NOW,
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"plain", "asked", "second", "late"}),
        ({"label": "other"}, {"late"}),
        ({"state": "new"}, {"plain", "late"}),
        ({"state": "asked"}, {"asked"}),
        ({"state": "second"}, {"second"}),
        ({"state": "late"}, {"late"}),
        ({"risk": "NEW_LABEL"}, {"late"}),
        ({"layer": "WORK"}, set()),
        ({"basis": "PUBLIC_LICENCE", "label": "bobs"}, {"plain", "asked", "second"}),
        ({"state": "nobody"}, set()),
        ({"risk": "x' OR 1=1"}, set()),
    ],
)
def test_filters_narrow_the_queue(four: dict[str, LicenceGrant], filters: dict[str, str], expected: set[str]) -> None:
    found = {grant.pk for grant in cases.queue(cases.Filters(**filters), at=NOW)}
    assert found == {four[name].pk for name in expected}


def test_the_counts_say_what_each_filter_would_find(four: dict[str, LicenceGrant]) -> None:
    options = cases.options(at=NOW)
    for name, key in (
        ("labels", "label"),
        ("bases", "basis"),
        ("layers", "layer"),
        ("risks", "risk"),
        ("states", "state"),
    ):
        assert options[name]
        for one in options[name]:
            wanted = cases.Filters(**{key: str(one.get("slug") or one["code"])})
            assert cases.queue(wanted, at=NOW).count() == one["count"], (name, one)


def test_a_row_says_what_the_reviewer_needs_to_choose(four: dict[str, LicenceGrant], rita: User) -> None:
    rows = {row.record.subject_title: row for row in cases.read_queue(cases.queue(at=NOW), reviewer=rita, at=NOW)}
    assert {name for name, row in rows.items() if row.asked} == {"asked"}
    assert {name for name, row in rows.items() if row.second} == {"second"}
    assert {name: row.sla for name, row in rows.items()} == {
        "plain": "in time", "asked": "in time", "second": "in time", "late": "late",
    }  # fmt: skip
    assert rows["plain"].age == HOUR
    assert rows["plain"].due_at == NOW + 23 * HOUR
    assert rows["late"].risk == 30
    assert "nothing of this label has been approved yet" in rows["late"].risk_reasons


def test_the_first_of_two_sees_that_another_must_follow(four: dict[str, LicenceGrant]) -> None:
    sam = make_user("Sam", is_reviewer=True)
    ReviewCase.objects.filter(grant=four["plain"]).update(second_needed=True)
    Review.objects.create(
        grant=four["plain"],
        outcome="APPROVED",
        reviewer=sam.actor,
        evidence_sha256="0" * 64,
        second_needed=True,
        at=NOW,
    )
    rows = {row.record.subject_title: row for row in cases.read_queue(cases.queue(at=NOW), reviewer=sam, at=NOW)}
    assert (rows["plain"].mine, rows["second"].mine) == (True, False)
    assert "second reviewer" in cases.why_not(rows["plain"].record, sam)


def test_the_clock_stands_while_the_label_has_the_word(known: Party) -> None:
    grant = hand_in(known, at=NOW)
    asked = questions.ask(grant, reviewer=RITA, text="Who?", at=NOW + 2 * HOUR)
    also = questions.ask(grant, reviewer=RITA, text="Where?", at=NOW + 3 * HOUR)

    def age(hours: int) -> timedelta:
        found: Any = cases.queue(at=NOW + hours * HOUR).get()
        return found.waited

    assert age(10) == 2 * HOUR
    questions.answer(asked, text="He.", actor="user:bob", at=NOW + 12 * HOUR)
    assert age(20) == 2 * HOUR
    questions.answer(also, text="There.", actor="user:bob", at=NOW + 22 * HOUR)
    assert age(25) == 5 * HOUR


@pytest.mark.parametrize(("hours", "word"), [(0, "in time"), (18, "in time"), (19, "due"), (24, "due"), (25, "late")])
def test_a_record_is_due_in_the_last_quarter_and_late_after_it(hours: int, word: str) -> None:
    assert waiting.clock(hours * HOUR, asked=False) == word
    assert waiting.clock(hours * HOUR, asked=True) == "in time"


def test_the_next_case_follows_in_the_same_order_and_begins_anew_at_the_end(known: Party) -> None:
    first, middle, last = (hand_in(known, at=NOW + hours * HOUR) for hours in range(3))
    assess()
    listed = list(cases.queue())
    assert [grant.pk for grant in listed] == [first.pk, middle.pk, last.pk]
    for grant, following in zip(listed, [middle, last, None], strict=True):
        reviews.refuse(grant, reviewer=RITA, reason="No.", at=NOW)
        after = cases.following(grant, cases.Filters())
        assert (after and after.pk) == (following and following.pk)


def test_what_is_ended_or_replaced_waits_no_more(known: Party) -> None:
    ended, replaced = hand_in(known), hand_in(known)
    grants.end_grant(ended, reason="Withdrawn.", actor="user:bob", at=NOW)
    newer = grants.new_version(replaced, actor="user:bob", at=NOW)
    assert list(cases.queue()) == [newer]
    assert grants.new_version(ended, actor="user:bob", at=NOW)
    assert list(cases.queue()) == [newer]


def test_without_the_trigger_no_case_opens(known: Party) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER licensing_case_opens ON licensing_licencegrant")
    hand_in(known)
    assert not cases.queue().exists()


def test_many_waiting_cost_no_more_statements_than_few(known: Party, rita: User) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            waiting.assess_waiting(at=NOW)
            cases.read_queue(cases.queue()[:50], reviewer=rita)
            cases.options()
            cases.waiting_since()
        return len(seen)

    for _ in range(3):
        hand_in(known)
    few = statements()
    for _ in range(30):
        hand_in(known)
    assert statements() == few
    assert few <= 40
