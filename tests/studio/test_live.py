"""A track's row tells how far it is, truly, and a page that watches it costs one statement."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Party, Recording, Release
from licensing.models import ReviewCase
from store import live
from tests.factories import catalog, shelf, transcoding
from tests.factories.store import make_decision
from transcoding.models import Finding, Master

pytestmark = pytest.mark.django_db
EXAMINED: dict[str, Any] = {"state": Master.State.EXAMINING, "accepted_at": None, "sound_sha256": ""}
OWED: dict[str, Any] = {"state": "PLANNED", "storage_key": "", "sha256": "", "bytes": 0, "ready_at": None}


def stand(recording: Recording) -> live.Progress:
    (found,) = live.of([recording.pk])
    return found


@pytest.fixture
def bare(label: Party) -> Recording:
    """A recording without a file or a right."""
    recording = catalog.make_recording(label=label)
    catalog.make_track(catalog.make_release(label=label), recording, number=1)
    return recording


def clear(recording: Recording) -> None:
    make_decision(recording, countries=["DE"])


def test_nothing_is_here_before_a_file_came(bare: Recording) -> None:
    assert (stand(bare).stage, stand(bare).moving) == ("NO_FILE", False)


def test_a_file_waits_then_is_examined_as_far_as_it_was_heard(bare: Recording) -> None:
    master = transcoding.make_master(bare, **EXAMINED)
    assert stand(bare).word == "Uploaded"
    Master.objects.filter(pk=master.pk).update(fence=1, permille=437)
    assert (stand(bare).word, stand(bare).permille) == ("Examined 43%", 437)


def test_what_waits_for_a_reviewer_says_so_and_does_not_move(recording: Recording) -> None:
    assert ReviewCase.objects.exists()
    assert (stand(recording).word, stand(recording).moving) == ("In review", False)


def test_formats_are_counted_and_measured_by_what_is_encoded(bare: Recording) -> None:
    master = transcoding.make_master(bare)
    clear(bare)
    transcoding.make_rendition(master, "FLAC")
    transcoding.make_rendition(master, "MP3_V0", **OWED | {"state": "MAKING", "permille": 500})
    transcoding.make_rendition(master, "WAV", **OWED)
    found = stand(bare)
    assert (found.word, found.permille, found.moving) == ("Formats 1 of 3 made", 500, True)


def test_only_the_newest_file_of_a_format_counts(bare: Recording) -> None:
    master = transcoding.make_master(bare)
    clear(bare)
    transcoding.make_rendition(master, "FLAC", **OWED | {"state": "FAILED"})
    transcoding.make_rendition(master, "FLAC", tag_signature="b" * 64)
    assert stand(bare).word == "1 format made"


def test_a_refused_right_is_told_before_files(bare: Recording) -> None:
    master = transcoding.make_master(bare)
    make_decision(bare, countries=[])
    transcoding.make_rendition(master, "FLAC", **OWED)
    assert (stand(bare).stage, stand(bare).moving) == ("NOT_CLEARED", False)


def test_findings_worth_a_look_are_counted(bare: Recording) -> None:
    master = transcoding.make_master(bare)
    transcoding.make_finding(master, code="CLIPPED", severity=Finding.Severity.WARNING)
    transcoding.make_finding(master, code="MONO")
    assert stand(bare).odd == 1


def test_what_is_sold_is_on_sale() -> None:
    release = shelf.shelve(tracks=1)
    assert stand(release.tracks.get().recording).word == "On sale"


def test_any_number_of_tracks_is_one_statement(release: Release, django_assert_num_queries: Any) -> None:
    keys = list(release.recordings.values_list("pk", flat=True))
    with django_assert_num_queries(1):
        assert [one.key for one in live.of(keys)] == sorted(keys)


@pytest.fixture
def moving(release: Release) -> str:
    """The address at which the page of a release with new sound, which is being examined, asks again."""
    for recording in release.recordings.all():
        transcoding.make_master(recording, fence=1, permille=120, **EXAMINED)
    return reverse("studio-release-live", args=["bobs", release.public_id])


def test_a_page_asks_again_only_while_something_moves(at_bobs: Client, release: Release, moving: str) -> None:
    page = reverse("studio-release", args=["bobs", release.public_id])
    assert f'hx-get="{moving}?seen=' in at_bobs.get(page).text
    Master.objects.filter(state=Master.State.EXAMINING).update(state=Master.State.REJECTED)
    assert 'id="live"' not in at_bobs.get(page).text


def test_the_rows_are_drawn_anew_only_when_a_stage_has_changed(at_bobs: Client, release: Release, moving: str) -> None:
    seen = at_bobs.get(reverse("studio-release", args=["bobs", release.public_id])).context["seen"]
    Master.objects.filter(state=Master.State.EXAMINING).update(permille=560)
    still = at_bobs.get(moving, {"seen": seen})
    assert "HX-Trigger" not in still.headers
    assert "Examined 56%" in still.text
    Master.objects.filter(state=Master.State.EXAMINING).update(state=Master.State.REJECTED)
    assert at_bobs.get(moving, {"seen": seen}).headers["HX-Trigger"] == '{"moved": {}}'


def test_watching_costs_no_more_for_more_tracks(
    at_bobs: Client, release: Release, moving: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(6):  # session, user, labels, label, release: then all cells in one
        at_bobs.get(moving)


def test_a_stranger_watches_nothing(at_charlies: Client, at_alices: Client, moving: str) -> None:
    assert at_charlies.get(moving).status_code == 404
    assert at_charlies.get(moving.replace("/bobs/", "/charlies/")).status_code == 404
    assert at_alices.get(moving).status_code == 404
