"""The queue: the oldest first, with counts and filters, in a fixed number of statements."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Party
from licensing import grants, reviews
from licensing.models import LicenceGrant
from tests.factories import catalog, licensing, transcoding
from transcoding.models import Finding


def _hand_in(label: Party, title: str, *, days: int = 0, **over: Any) -> LicenceGrant:
    recording = catalog.make_recording(title, label=label)
    at = timezone.now() - timedelta(days=days)
    return licensing.make_grant(recording, submitted_for=label, at=at, **over)


def test_the_oldest_comes_first(at_ritas: Client, label: Party) -> None:
    _hand_in(label, "Newer", days=1)
    _hand_in(label, "Older", days=5)
    page = at_ritas.get("/review/").text
    assert page.index("Older") < page.index("Newer")
    assert "2 records wait, the oldest for 5" in page


def test_what_is_decided_or_ended_waits_no_more(at_ritas: Client, label: Party) -> None:
    reviews.refuse(_hand_in(label, "Refused"), reviewer=licensing.RITA, reason="no", at=timezone.now())
    grants.end_grant(_hand_in(label, "Withdrawn"), reason="no", actor="user:bob")
    page = at_ritas.get("/review/").text
    assert "Refused" not in page
    assert "Withdrawn" not in page
    assert "The desk is empty" in page


def test_filters_narrow_and_say_their_counts(at_ritas: Client, label: Party) -> None:
    _hand_in(label, "Ours")
    _hand_in(catalog.make_label("Other", slug="other"), "Theirs")
    page = at_ritas.get("/review/?label=bobs").text
    assert "Ours" in page
    assert "Theirs" not in page
    assert "Other (1)" in page


@pytest.mark.parametrize("query", ["label=nobody", "basis=CMO", "layer=WORK", "basis=x&layer=y", "page=99"])
def test_a_filter_that_fits_nothing_is_no_fault(at_ritas: Client, label: Party, query: str) -> None:
    _hand_in(label, "Ours")
    assert at_ritas.get(f"/review/?{query}").status_code == 200


def test_things_to_look_at_are_counted(at_ritas: Client, label: Party) -> None:
    grant = _hand_in(label, "Odd", licence_url="", licence_statement="royalty free")
    master = transcoding.make_master(grant.recording)
    transcoding.make_finding(master, severity=Finding.Severity.WARNING)
    transcoding.make_finding(master, code="NOTE", severity=Finding.Severity.NOTE)
    assert "2 things to look at" in at_ritas.get("/review/").text


def test_a_record_of_her_own_label_is_marked(at_charlies: Client, label: Party) -> None:
    _hand_in(label, "Ours")
    assert "your label: another decides" in at_charlies.get("/review/").text


def test_the_queue_costs_the_same_for_many_records(at_ritas: Client, label: Party) -> None:
    counts = []
    for size in (2, 20):
        for number in range(size):
            _hand_in(label, f"Piece {size} {number}")
        at_ritas.get("/review/")
        with CaptureQueriesContext(connection) as seen:
            at_ritas.get("/review/")
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert counts[0] <= 25
