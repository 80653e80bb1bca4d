"""What operators are told is what the rows say."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from store import metrics
from tests.factories.transcoding import make_finding, make_master, make_rendition
from tests.ops.conftest import NOW, ago, owed, tried, waiting_master
from transcoding.models import Attempt, Finding

pytestmark = pytest.mark.django_db


def backlog(code: str) -> metrics.Backlog:
    return next(one for one in metrics.backlogs(at=NOW) if one.code == code)


def test_owed_files_are_counted_by_who_waits_for_them() -> None:
    owed(priority=0)
    owed(priority=10, format="MP3_V0", minutes=3)
    owed(priority=10, format="ALAC", minutes=2)
    owed(priority=20)
    assert [backlog(code).waiting for code in ("preview", "buyer", "ahead")] == [1, 2, 1]
    assert backlog("buyer").oldest == ago(minutes=3)
    assert backlog("buyer").age(NOW) == 180


def test_a_row_in_hands_does_not_wait_and_one_that_failed_rests() -> None:
    owed(state="MAKING", claimed_until=ago(seconds=-20))
    owed(claimed_until=ago(seconds=-20), attempts=1)
    owed(state="MAKING", claimed_until=ago(seconds=1))
    ahead = backlog("ahead")
    assert (ahead.waiting, ahead.at_work, ahead.resting) == (1, 1, 1)


def test_a_master_in_hands_is_told_from_one_that_rests_before_its_next_try() -> None:
    working, resting = (waiting_master(claimed_until=ago(seconds=-20)) for _ in range(2))
    waiting_master()
    Attempt.objects.create(master=working, fence=1, started_at=ago(seconds=5))
    Attempt.objects.create(
        master=resting, fence=1, started_at=ago(seconds=9), ended_at=ago(seconds=5), outcome="FAILED"
    )
    found = backlog("examination")
    assert (found.waiting, found.at_work, found.resting) == (1, 1, 1)


def test_what_is_made_is_owed_no_more() -> None:
    make_rendition()
    make_master()
    assert {one.owed for one in metrics.backlogs(at=NOW)} == {0}


def test_a_files_speed_is_its_sound_over_its_share_of_the_batch() -> None:
    master = make_master()  # three minutes
    for code in ("FLAC", "MP3_V0"):
        tried(make_rendition(master, code), seconds=12)
    tried(make_rendition(make_master(), "FLAC"), seconds=3)
    flac, mp3 = metrics.work(at=NOW).speeds
    assert (flac.code, flac.files, flac.sound_seconds, flac.busy_seconds) == ("FLAC", 2, 360, 9)
    assert (flac.realtime, mp3.realtime) == (40, 30)
    assert metrics.work(at=NOW).realtime == pytest.approx(540 / 15)


def test_formats_are_summed_up_by_kind_where_most_was_made_first() -> None:
    for code in ("WAV", "MP3_V0", "MP3_320"):
        tried(make_rendition(format=code), seconds=6)
    mp3, wav = metrics.work(at=NOW).families
    assert (mp3.name, mp3.files, mp3.realtime, wav.name, wav.files) == ("MP3", 2, 30, "WAV", 1)


def test_a_preview_counts_with_the_length_of_its_cut() -> None:
    tried(make_rendition(format="PREVIEW_MP3"), seconds=2)
    assert metrics.work(at=NOW).speeds[0].sound_seconds == 30


def test_tries_of_the_day_before_are_not_counted() -> None:
    tried(make_rendition(), seconds=3, minutes=25 * 60)
    assert metrics.work(at=NOW).files == 0


def test_only_the_newest_tries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes in (30, 20, 10):
        tried(make_rendition(), seconds=3, minutes=minutes)
    monkeypatch.setattr(metrics, "TRIES", 2)
    assert metrics.work(at=NOW).files == 2
    assert metrics.work(at=NOW).since == ago(minutes=20)


def test_failed_tries_are_told_apart_by_their_reason() -> None:
    for number, error in enumerate(("The disk is full.", "The disk is full.", "It ends too soon."), start=1):
        tried(owed(), seconds=1, minutes=number, outcome="FAILED", error=error)
    assert [(one.words, one.count) for one in metrics.work(at=NOW).failed] == [
        ("The disk is full.", 2), ("It ends too soon.", 1),
    ]  # fmt: skip


def test_failed_tries_name_the_workers_that_they_failed_on() -> None:
    """Of many machines one may have the bad disk."""
    for number, worker in enumerate(("cpu@two", "cpu@one", "cpu@two", ""), start=1):
        tried(owed(), seconds=1, minutes=number, outcome="FAILED", error="The disk failed.", worker=worker)
    (reason,) = metrics.work(at=NOW).failed
    assert (reason.count, reason.workers) == (4, ("cpu@one", "cpu@two"))


def test_a_try_without_an_end_was_cut_short_once_its_claim_is_long_over() -> None:
    tried(owed(), seconds=1, minutes=1, ended_at=None, outcome="")
    assert metrics.work(at=NOW).cut_short == 0
    tried(owed(), seconds=1, minutes=5, ended_at=None, outcome="")
    assert metrics.work(at=NOW).cut_short == 1


def test_files_given_up_are_counted_by_reason() -> None:
    owed(state="FAILED", error="It decodes to another sound.")
    (reason,) = metrics.given_up()
    assert (reason.words, reason.count) == ("It decodes to another sound.", 1)


def test_refused_deliveries_are_counted_by_finding() -> None:
    master = waiting_master(state="REJECTED")
    make_finding(master, code="TRUNCATED", severity=Finding.Severity.FATAL)
    make_finding(master, code="MONO")
    assert [(one.words, one.count) for one in metrics.refused(at=NOW)] == [("TRUNCATED", 1)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"priority": 10, "minutes": 6}, "waits longer than 5 minutes"),
        ({"priority": 0, "minutes": 16}, "waits longer than 15 minutes"),
        ({"priority": 20, "minutes": 25 * 60}, "waits longer than 24 hours"),
        ({"claimed_until": ago(minutes=3), "state": "MAKING"}, "left by its worker, and nobody took it up"),
        ({"fence": 4}, "taken 4 times and never finished"),
    ],
)
def test_a_file_that_should_have_moved_is_listed_with_why(row: dict[str, Any], why: str) -> None:
    owed(**row)
    assert [one.why for one in metrics.stuck(at=NOW)] == [why]


@pytest.mark.parametrize("row", [{"priority": 10, "minutes": 4}, {"priority": 20, "minutes": 600}, {"fence": 3}])
def test_a_file_whose_time_has_not_come_is_not(row: dict[str, Any]) -> None:
    owed(**row)
    assert metrics.stuck(at=NOW) == []


def test_a_master_that_nobody_examines_is_listed() -> None:
    waiting_master(minutes=20)
    waiting_master(minutes=2)
    assert [(one.kind, one.why) for one in metrics.stuck(at=NOW)] == [("master", "waits longer than 15 minutes")]


@pytest.mark.parametrize(
    ("ask", "index"),
    [(metrics.given_up, "rendition_given_up"), (lambda: metrics.refused(at=NOW), "finding_fatal")],
    ids=["given up", "refused"],
)
def test_what_went_wrong_is_found_without_reading_what_went_well(ask: Callable[[], object], index: str) -> None:
    with CaptureQueriesContext(connection) as said:
        ask()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {said[0]['sql']}")
        assert index in "\n".join(line for (line,) in cursor.fetchall())
