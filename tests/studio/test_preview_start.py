"""A label hears its own sound and says where the preview of a recording begins."""

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Recording
from store.models import ReviewDue
from tests.factories import shelf, transcoding
from transcoding.models import Master, PreviewStart

pytestmark = pytest.mark.django_db


def page_of(recording: Recording) -> str:
    return reverse("studio-recording", args=["bobs", recording.public_id])


def move(client: Client, recording: Recording, **data: str):
    return client.post(reverse("studio-recording-preview", args=["bobs", recording.public_id]), data)


@pytest.mark.parametrize(("told", "milliseconds"), [("1:05", 65_000), ("12,5", 12_500), ("0:00", 0), ("65", 65_000)])
def test_a_start_is_told_as_a_clock_says_it(
    at_bobs: Client, recording: Recording, told: str, milliseconds: int
) -> None:
    ReviewDue.objects.all().delete()
    assert move(at_bobs, recording, start=told)["Location"] == page_of(recording) + "#preview"
    assert PreviewStart.objects.get().milliseconds == milliseconds
    assert ReviewDue.objects.filter(recording=recording).exists()
    assert at_bobs.get(page_of(recording)).context["preview"].start_ms == milliseconds


@pytest.mark.parametrize("told", ["", "soon", "1:2:3", "-1", "3:00", "9999:00", "1e3", "٣"])
def test_what_is_no_place_in_the_recording_is_refused_beside_the_field(
    at_bobs: Client, recording: Recording, told: str
) -> None:
    answer = move(at_bobs, recording, start=told)
    assert answer.status_code == 422
    assert answer.context["start_form"].errors["start"]
    assert not PreviewStart.objects.exists()


def test_the_choice_can_be_given_up(at_bobs: Client, recording: Recording) -> None:
    move(at_bobs, recording, start="1:05")
    assert "Use the loudest passage" in at_bobs.get(page_of(recording)).text
    move(at_bobs, recording, start="1:05", loudest="1")
    assert not PreviewStart.objects.exists()


def test_the_page_says_why_no_preview_is_heard_yet(at_bobs: Client, recording: Recording) -> None:
    text = at_bobs.get(page_of(recording)).text
    assert "90 seconds from the beginning, the loudest passage" in text
    assert "It will be heard once it is cleared." in text


def test_without_a_sound_there_is_nothing_to_cut(at_bobs: Client, recording: Recording) -> None:
    other = transcoding.make_master(state=Master.State.EXAMINING, accepted_at=None).recording
    other.label = recording.label
    other.save()
    assert "Begin here" not in at_bobs.get(page_of(other)).text
    assert move(at_bobs, other, start="0:10").status_code == 404


def test_another_label_moves_nothing(at_charlies: Client, recording: Recording) -> None:
    assert move(at_charlies, recording, start="0:10").status_code == 404
    address = reverse("studio-recording-preview", args=["charlies", recording.public_id])
    assert at_charlies.post(address, {"start": "0:10"}).status_code == 404
    assert not PreviewStart.objects.exists()


def test_a_label_hears_its_own_master_and_nobody_elses(at_bobs: Client, at_charlies: Client, recording: Recording):
    made = shelf.make_rendition(Master.objects.get(recording=recording), "FLAC", b"the sound " * 10)
    master = shelf.make_master(recording, storage_key=made.storage_key, bytes=100)
    own = reverse("studio-own-sound", args=["bobs", master.public_id])
    answer = at_bobs.get(own, headers={"range": "bytes=4-8"})
    assert (answer.status_code, answer.getvalue()) == (206, b"sound")
    assert "no-store" in answer["Cache-Control"]
    assert at_charlies.get(own).status_code == 404
    assert at_charlies.get(own.replace("/bobs/", "/charlies/")).status_code == 404
