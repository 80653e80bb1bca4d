"""The page of a master shows what was measured in it, and what each finding means, to the people of its label."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party
from tests.factories import catalog, transcoding
from tests.transcoding import sounds
from transcoding.models import Master


@pytest.fixture
def master(label: Party) -> Master:
    return transcoding.make_master(catalog.make_recording("Tide", label=label))


def page(client: Client, master: Master) -> str:
    return client.get(reverse("studio-sound", args=["bobs", master.public_id])).content.decode()


def test_figures_are_shown_with_what_they_mean(at_bobs: Client, master: Master) -> None:
    transcoding.make_analysis(master, loudness=-1432, true_peak=-40, cutoff_hz=16_000, true_depth=14)
    shown = page(at_bobs, master)
    for figure in ("−14.3 LUFS", "−0.4 dBTP", "16.0 kHz", "14 of 16"):
        assert figure in shown


@pytest.mark.parametrize(
    ("cutoff", "words"), [(22_050, "All that the file can hold."), (16_000, "could hold 22.1 kHz")]
)
def test_what_a_file_could_hold_is_told_against_what_it_holds(
    at_bobs: Client, master: Master, cutoff: int, words: str
) -> None:
    transcoding.make_analysis(master, cutoff_hz=cutoff)
    assert words in page(at_bobs, master)


def test_wave_loudness_and_spectrum_stand_over_one_time(at_bobs: Client, master: Master) -> None:
    transcoding.make_analysis(master, spectrum_key="spectra/aa/" + "a" * 64 + ".png")
    times = "<li>0:00</li><li>0:45</li><li>1:30</li><li>2:15</li><li>3:00</li>"
    assert page(at_bobs, master).count(times) == 3


def test_findings_are_shown_in_words(at_bobs: Client, master: Master) -> None:
    transcoding.make_finding(master, code="PADDED_BITS", message="Only 16 of its 24 bits ever move.")
    assert "Only 16 of its 24 bits ever move." in page(at_bobs, master)


def test_a_twin_of_ones_own_is_named(at_bobs: Client, label: Party, master: Master) -> None:
    twin = transcoding.make_master(catalog.make_recording("Tide, again", label=label))
    transcoding.make_likeness(master, twin, seconds=90)
    shown = page(at_bobs, master)
    assert "Tide, again" in shown
    assert "nearly the same sound for 90 seconds" in shown


def test_what_another_label_delivered_is_not_told_by_name(at_bobs: Client, master: Master) -> None:
    others = catalog.make_recording("Secret", label=catalog.make_label("Other"))
    transcoding.make_master(others, sound_sha256=master.sound_sha256)
    shown = page(at_bobs, master)
    assert "A recording of another label has the very same sound." in shown
    assert "Secret" not in shown


def test_a_foreign_label_finds_nothing(at_charlies: Client, master: Master) -> None:
    for name in ("studio-sound", "studio-spectrum"):
        for slug in ("bobs", "charlies"):
            assert at_charlies.get(reverse(name, args=[slug, master.public_id])).status_code == 404


def test_an_old_master_says_that_it_waits(at_bobs: Client, master: Master) -> None:
    assert "not been measured yet" in page(at_bobs, master)


def test_many_twins_cost_no_more_statements(
    at_bobs: Client, label: Party, master: Master, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    transcoding.make_analysis(master)
    transcoding.make_likeness(master, transcoding.make_master(catalog.make_recording("Twin", label=label)))
    page(at_bobs, master)  # what every page keeps for a while is kept from here on
    with django_assert_num_queries(12):
        page(at_bobs, master)
    for number in range(5):
        twin = transcoding.make_master(catalog.make_recording(f"Twin {number}", label=label))
        transcoding.make_likeness(master, twin)
    with django_assert_num_queries(12):
        page(at_bobs, master)


@pytest.mark.django_db(transaction=True)
def test_the_picture_of_a_delivered_sound_is_served(at_bobs: Client, label: Party, tmp_path: Path) -> None:
    recording = catalog.make_recording(label=label)
    master = transcoding.deliver(sounds.write_wav(tmp_path / "short.wav", seconds=1), recording)
    answer = at_bobs.get(reverse("studio-spectrum", args=["bobs", master.public_id]))
    assert answer["Content-Type"] == "image/png"
    assert answer.getvalue().startswith(b"\x89PNG")
    assert reverse("studio-spectrum", args=["bobs", master.public_id]) in page(at_bobs, master)
