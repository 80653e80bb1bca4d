"""A reviewer hears the whole recording before anybody else may, also where her browser cannot play what came in."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording
from licensing.models import LicenceGrant
from store import live, offers, previews
from tests.factories import catalog, licensing, shelf, transcoding
from tests.transcoding import sounds
from transcoding import renditions
from transcoding.models import Master, Rendition

SOUND = b"0123456789"
AIFF = {"container": "aiff", "codec": "pcm_s16be"}


@pytest.fixture
def mute(recording: Recording) -> Master:
    """The recording's newest master, in a kind that few browsers play."""
    return transcoding.make_master(recording, **AIFF)


def copies() -> list[Rendition]:
    return list(Rendition.objects.filter(purpose=Rendition.Purpose.REVIEW))


def review() -> offers.Reviewed:
    return offers.review_offers(None, at=timezone.now(), actor="test")


def make_copy(master: Master) -> Rendition:
    return shelf.make_rendition(master, "REVIEW", SOUND, purpose="REVIEW")


def address(grant: LicenceGrant, row: Master | Rendition) -> str:
    name = "review-sound" if isinstance(row, Master) else "review-copy"
    return reverse(name, args=[grant.record_id, row.public_id])


def page(client: Client, grant: LicenceGrant) -> str:
    return client.get(reverse("review-case", args=[grant.record_id])).text


def test_a_copy_is_owed_before_all_else_for_what_not_every_browser_plays(mute: Master) -> None:
    assert review().planned == [mute.pk]
    (copy,) = copies()
    assert (copy.master, copy.state, copy.priority) == (mute, "PLANNED", renditions.PREVIEW_FIRST)
    assert review().planned == []


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"container": "wav", "codec": "pcm_s24le"},
        {"container": "mov", "codec": "aac", "lossless": False, "bit_depth": 0},
    ],
)
def test_where_the_delivered_file_can_be_played_no_copy_is_made(recording: Recording, over: dict[str, object]) -> None:
    transcoding.make_master(recording, **over)
    review()
    assert copies() == []


def test_what_waits_for_nobody_needs_no_copy(label: Party) -> None:
    transcoding.make_master(catalog.make_recording(label=label), **AIFF)
    review()
    assert copies() == []


def test_a_record_on_the_work_alone_is_reason_enough(label: Party) -> None:
    recording = catalog.make_recording(label=label)
    transcoding.make_master(recording, **AIFF)
    licensing.make_grant(recording.works.get(), submitted_for=label)
    review()
    assert len(copies()) == 1


def test_the_copy_is_the_whole_recording_and_says_whose_it_is(label: Party, tmp_path: Path) -> None:
    path = sounds.convert(sounds.write_wav(tmp_path / "a.wav", seconds=3), tmp_path / "a.aiff")
    master = transcoding.deliver(path, catalog.make_recording(label=label))
    licensing.make_grant(master.recording, submitted_for=label)
    review()
    renditions.make_due(master.pk)
    (copy,) = copies()
    assert (copy.state, copy.samples) == ("READY", 3 * 44100)


def test_it_is_heard_before_any_approval_from_any_place_and_kept_by_nobody(
    at_ritas: Client, grant: LicenceGrant, mute: Master
) -> None:
    answer = at_ritas.get(address(grant, make_copy(mute)), headers={"range": "bytes=2-4"})
    assert (answer.status_code, answer.getvalue()) == (206, b"234")
    assert answer["Content-Type"] == "audio/mpeg"
    assert {"private", "no-store"} <= set(answer["Cache-Control"].split(", "))


def test_a_case_opens_its_own_sounds_only(at_ritas: Client, grant: LicenceGrant, mute: Master) -> None:
    theirs = transcoding.make_master(catalog.make_recording(label=catalog.make_label("Other")))
    for row in (theirs, make_copy(theirs)):
        assert at_ritas.get(address(grant, row)).status_code == 404
    assert at_ritas.head(address(grant, mute)).status_code == 200


def test_a_finished_file_for_buyers_is_no_copy(at_ritas: Client, grant: LicenceGrant, mute: Master) -> None:
    assert at_ritas.get(address(grant, shelf.make_rendition(mute, "FLAC", SOUND))).status_code == 404


@pytest.mark.django_db
def test_the_public_way_to_previews_leads_to_no_copy_whatever_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    release = shelf.shelve("First Light", tracks=1, preview=SOUND)
    master = Master.objects.get(recording__releases=release)
    preview = previews.heard([master.recording_id])[master.recording_id].mp3
    monkeypatch.setattr(previews, "may_be_heard", lambda _row, **_where: True)
    for row, status in ((preview, 200), (make_copy(master), 404)):
        assert Client().get(f"/preview/{row.public_id}.mp3").status_code == status
        assert Client().get(f"/peaks/{row.public_id}.json").status_code == status


def test_the_desk_says_that_a_copy_is_on_its_way_and_then_plays_it(
    at_ritas: Client, grant: LicenceGrant, mute: Master
) -> None:
    review()
    assert "A copy that all play is being made" in page(at_ritas, grant)
    Rendition.objects.all().delete()
    copy = make_copy(mute)
    shown = page(at_ritas, grant)
    assert address(grant, mute) in shown
    assert f'src="{address(grant, copy)}" type="audio/mpeg"' in shown
    assert "is being made" not in shown


def test_the_whole_copy_is_preferred_to_the_shops_preview(at_ritas: Client, grant: LicenceGrant, mute: Master) -> None:
    copy, preview = make_copy(mute), shelf.make_rendition(mute, "PREVIEW_MP3", SOUND)
    shown = page(at_ritas, grant)
    assert address(grant, copy) in shown
    assert address(grant, preview) not in shown


def test_a_label_is_not_told_of_the_copy_among_its_formats(recording: Recording, mute: Master) -> None:
    make_copy(mute)
    (row,) = live.of([recording.pk])
    assert (row.made, row.due) == (0, 0)
