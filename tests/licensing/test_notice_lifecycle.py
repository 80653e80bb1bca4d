"""From the demand to the restore: who may answer, which clock runs, what brings things back; and nothing is lost."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from licensing import notices
from licensing.errors import NoticeRefused
from licensing.models import Notice, NoticeEnd, NoticeStep
from licensing.notice_rules import business_day, clock_ends
from licensing.terms import NoticeKind
from tests.factories import catalog, licensing

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)  # a Tuesday
SAID: dict[str, Any] = {"claimant": "Carla", "statement": "It is mine.", "actor": "user:rita", "at": AT}
ANSWER: dict[str, Any] = {
    "name": "Bob",
    "contact": "bob@example.org",
    "statement": "I recorded it in 2019.",
    "actor": "user:bob",
}


@pytest.fixture
def recording():
    return catalog.make_recording("Tide")


@pytest.fixture
def notice(recording):
    return notices.take_down(recording, **SAID)


def counter(notice, **over):
    return notices.counter(notice, **{**ANSWER, "at": AT, **over})


def days(number):
    return AT + timedelta(days=number)


# -- Clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "count", "last"),
    [
        (date(2026, 3, 10), 10, date(2026, 3, 24)),
        (date(2026, 3, 13), 1, date(2026, 3, 16)),  # a Friday
        (date(2026, 3, 14), 1, date(2026, 3, 16)),  # a Saturday counts for nothing
        (date(2026, 3, 10), 14, date(2026, 3, 30)),
    ],
)
def test_weekends_are_no_business_days(start, count, last):
    assert business_day(start, count) == last


def test_holidays_are_no_business_days():
    assert business_day(date(2026, 12, 23), 2, holidays={date(2026, 12, 25)}) == date(2026, 12, 28)


def test_a_clock_ends_with_its_last_day():
    assert clock_ends(AT, 10) == datetime(2026, 3, 25, tzinfo=UTC)


# -- Answers -----------------------------------------------------------------------------------------------------------


def test_the_label_is_told_until_when_it_may_answer(notice):
    assert notice.deadline == datetime(2026, 3, 25, tzinfo=UTC)


def test_a_counter_notice_starts_the_clock_and_lifts_nothing(notice):
    step = counter(notice, days=12)
    assert step.deadline == datetime(2026, 3, 27, tzinfo=UTC)
    assert notices.standing(at=days(30)).get() == notice


@pytest.mark.parametrize("number", [9, 15])
def test_a_clock_shorter_or_longer_than_the_policy_is_refused(notice, number):
    with pytest.raises(NoticeRefused):
        counter(notice, days=number)


@pytest.mark.parametrize("kind", [NoticeKind.LEGAL_HOLD, NoticeKind.RECALL])
def test_an_order_and_a_recall_are_not_answered(recording, kind):
    with pytest.raises(NoticeRefused):
        counter(notices.take_down(recording, kind=kind, **SAID))


def test_a_notice_is_countered_once(notice):
    counter(notice)
    with pytest.raises(NoticeRefused):
        counter(notice)


def test_a_counter_notice_says_how_to_be_reached(notice):
    with pytest.raises(NoticeRefused):
        counter(notice, contact=" ")


def test_only_a_counter_notice_is_contested(notice):
    with pytest.raises(NoticeRefused):
        notices.contest(notice, name="Carla", statement="No.", actor="x", at=AT)


def test_a_withdrawal_moves_nothing_by_itself(notice):
    notices.say(notice, side="CLAIMANT", name="Carla", statement="Sorry.", withdraws=True, actor="x", at=AT)
    assert notices.standing(at=days(1)).exists()


# -- What brings it back -----------------------------------------------------------------------------------------------


def test_the_clock_brings_a_takedown_back_where_policy_says_so(notice):
    counter(notice, by_itself=True)
    assert notices.restore_due(at=datetime(2026, 3, 24, 23, 59, 59, tzinfo=UTC), actor="task:restore") == []
    (end,) = notices.restore_due(at=datetime(2026, 3, 25, tzinfo=UTC), actor="task:restore")
    assert (end.notice, end.outcome, end.actor) == (notice, "COUNTERED", "task:restore")
    assert notices.restore_due(at=days(30), actor="task:restore") == []


def test_without_that_policy_a_reviewer_is_waited_for(notice):
    counter(notice)
    assert notices.restore_due(at=days(30), actor="task:restore") == []
    assert notices.clocks_over(at=days(30)).get() == notice


def test_a_dispute_never_comes_back_by_the_clock(recording):
    dispute = notices.take_down(recording, kind="DISPUTE", **SAID)
    assert counter(dispute, by_itself=True).restores_by_itself is False
    assert notices.restore_due(at=days(30), actor="task:restore") == []


def test_a_contested_notice_does_not_come_back_by_the_clock(notice):
    counter(notice, by_itself=True)
    notices.contest(notice, name="Carla", statement="We went to court.", actor="x", at=days(1))
    assert notices.restore_due(at=days(30), actor="task:restore") == []


def test_an_order_ends_on_paper_only(recording):
    hold = notices.take_down(recording, kind="LEGAL_HOLD", **SAID)
    with pytest.raises(NoticeRefused):
        notices.lift(hold, reason="They said so.", actor="user:rita", at=AT)
    notices.lift(hold, reason="Lifted.", actor="user:rita", at=AT, instrument=licensing.make_evidence())


def test_only_a_dispute_awards_a_share(notice):
    with pytest.raises(NoticeRefused):
        notices.lift(notice, reason="R", actor="t", at=AT, awards={licensing.make_holder(): Fraction(1)})


def test_no_more_than_the_whole_is_awarded(recording):
    dispute = notices.take_down(recording, kind="DISPUTE", **SAID)
    two = {licensing.make_holder(): Fraction(2, 3), licensing.make_holder(): Fraction(1, 2)}
    with pytest.raises(NoticeRefused):
        notices.lift(dispute, reason="R", actor="t", at=AT, awards=two)


# -- History -----------------------------------------------------------------------------------------------------------


def test_a_repeated_demand_points_to_the_one_before(recording, notice):
    notices.lift(notice, reason="R", actor="t", at=days(1))
    again = notices.take_down(recording, **{**SAID, "at": days(2)})
    assert again.answers == notice


def test_nothing_joins_a_case_that_has_ended(notice):
    notices.lift(notice, reason="R", actor="t", at=days(1))
    with pytest.raises(NoticeRefused):
        counter(notice, at=days(2))
    with pytest.raises(IntegrityError, match="has ended"), transaction.atomic():
        NoticeStep.objects.create(
            notice=notice, kind="STATEMENT", side="DESK", name="x", statement="x", actor="x", at=AT
        )


def test_without_its_trigger_something_could_join(notice):
    notices.lift(notice, reason="R", actor="t", at=days(1))
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER licensing_noticestep_open ON licensing_noticestep")
    NoticeStep.objects.create(notice=notice, kind="STATEMENT", side="DESK", name="x", statement="x", actor="x", at=AT)


def through_counter_and_repeat(recording):
    """A notice, answered, restored by the clock, and demanded again: C7."""
    first = notices.take_down(recording, **SAID)
    counter(first, by_itself=True)
    notices.restore_due(at=days(30), actor="task:restore")
    second = notices.take_down(recording, **{**SAID, "at": days(31)})
    counter(second, at=days(32))
    notices.contest(second, name="Carla", statement="See the contract.", actor="x", at=days(33))
    notices.lift(second, reason="Settled.", actor="t", at=days(40))
    notices.take_down(recording, **{**SAID, "at": days(50)})


def test_the_whole_history_is_kept_through_counter_notice_restore_and_repeat(recording):
    through_counter_and_repeat(recording)
    told = [
        (case.kind, [step.kind for step in case.steps.all()], getattr(case, "end", None) and case.end.outcome)
        for case in notices.with_history(notices.about(recording))
    ]
    assert told == [
        ("TAKEDOWN", ["COUNTER"], "COUNTERED"),
        ("TAKEDOWN", ["COUNTER", "CONTEST"], "SETTLED"),
        ("TAKEDOWN", [], None),
    ]


@pytest.mark.parametrize("model", [Notice, NoticeStep, NoticeEnd])
def test_no_word_of_it_can_be_changed_or_deleted(recording, model):
    through_counter_and_repeat(recording)
    for change in (lambda rows: rows.update(actor="nobody"), lambda rows: rows._raw_delete("default")):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            change(model.objects.all())


@pytest.mark.parametrize("model", [NoticeStep, NoticeEnd])
def test_without_its_trigger_a_word_could_be_changed(recording, model):
    through_counter_and_repeat(recording)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    assert model.objects.update(actor="nobody")
