"""Tags say what is true: facts, licence, proof; and they are the same every time."""

import pytest

from licensing.verdicts import Verdict
from store import clearing, tagging
from tests.factories import shelf

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
