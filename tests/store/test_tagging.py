"""Tags say what is true: facts, licence, proof; and they are the same every time."""

import pytest

from licensing.verdicts import Verdict
from store import clearing, tagging
from tests.factories import catalog, shelf
from transcoding.models import Analysis, Master
from transcoding.tags import Level

pytestmark = pytest.mark.django_db


def tags_of(release, number=1):
    track = next(
        each for each in tagging.tracks_for_tags(release.tracks.values_list("pk", flat=True)) if each.number == number
    )
    decision = clearing.latest_of_recordings([track.recording_id])[track.recording_id]
    master = clearing.masters_of([track.recording_id])[track.recording_id]
    place = tagging.places_of([release.pk])[release.pk, 1]
    return tagging.tagset(track, verdict=Verdict.from_data(decision.verdict), master=master, place=place)


def test_a_file_names_its_music_its_licence_and_its_proof(settings):
    settings.SITE_URL = "https://shop.example"
    tags = tags_of(shelf.shelve("First Light"))

    assert (tags.title, tags.artist_line, tags.album, tags.number, tags.total) == (
        "First Light, part 1", "Ana Lind", "First Light", 1, 2,
    )  # fmt: skip
    assert tags.licence_url == shelf.BY_SA
    assert tags.proof_url.startswith("https://shop.example/proof/")
    assert f"Licensed to the public under {shelf.BY_SA} verify at {tags.proof_url}" in tags.copyright


def test_the_copyright_line_begins_with_a_year_and_a_blank():
    release = shelf.shelve()
    recording = release.tracks.get(number=1).recording
    recording.p_line = "℗ 2019 Ana Lind"
    recording.save()
    assert tags_of(release).copyright.startswith("2019 Ana Lind. Licensed")


def test_a_lossy_source_is_said():
    assert tags_of(shelf.shelve(lossless=False)).source_note == "made from a lossy source"
    assert tags_of(shelf.shelve()).source_note == ""


def test_the_same_facts_give_the_same_signature():
    release = shelf.shelve()
    assert tags_of(release).signature() == tags_of(release).signature()
    assert tags_of(release).signature() != tags_of(release, 2).signature()


def test_gains_come_from_what_was_measured_and_the_album_is_one_programme():
    release = shelf.shelve(tracks=3)
    assert (tags_of(release).level, tags_of(release).album_level) == (None, None)
    for master, loudness, peak in zip(
        Master.objects.order_by("pk"), (-1200, -1200, -4000), (-100, 20, -900), strict=True
    ):
        Analysis.objects.create(master=master, recipe=1, loudness=loudness, true_peak=peak)

    assert tags_of(release, 3).level == Level(-4000, -900)
    assert tags_of(release, 3).album_level == Level(-1200, 20)  # so quiet a track is gated out, as EBU R 128 has it


def test_names_with_an_article_are_filed_without_it():
    tags = tags_of(shelf.shelve("The Harbour", artist=catalog.make_party("The Aerials", sort_name="Aerials, The")))
    assert (tags.artist_sort, tags.album_sort) == ("Aerials, The", "Harbour, The")


def test_one_recording_on_two_releases_has_tags_for_each_place():
    assert tags_of(shelf.shelve()).place != tags_of(shelf.shelve()).place
