"""Tags say what is true: facts, licence, proof; and they are the same every time."""

import uuid

import pytest

from catalog.models import Party, Recording, Release, Track, Work
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


def test_a_file_names_the_works_as_registered_their_writers_and_the_language():
    release = shelf.shelve(language="deu")
    recording = release.tracks.get(number=1).recording
    work = recording.works.get()
    Work.objects.filter(pk=work.pk).update(title="Nachtlied, op. 7", iswc="T0345246801")
    for role in ("COMPOSER", "LYRICIST", "ARRANGER"):
        catalog.make_credit(catalog.make_party(role.title()), work=work, role=role)
    tags = tags_of(release)
    assert (tags.composers, tags.lyricists, tags.arrangers) == (("Composer",), ("Lyricist",), ("Arranger",))
    assert (tags.works, tags.iswcs, tags.language) == (("Nachtlied, op. 7",), ("T0345246801",), "deu")


def test_a_work_without_an_iswc_has_no_better_title_than_the_recording():
    assert tags_of(shelf.shelve()).works == ()


def test_a_file_carries_the_musicbrainz_ids_that_are_known():
    release = shelf.shelve()
    ids = [uuid.UUID(int=number) for number in range(7)]
    recording = release.tracks.get(number=1).recording
    for rows, known in (
        (Recording.objects.filter(pk=recording.pk), ids[1]),
        (Track.objects.filter(recording=recording), ids[2]),
        (Party.objects.filter(credits__recording=recording), ids[4]),
        (recording.works.all(), ids[5]),
    ):
        rows.update(musicbrainz_id=known)
    Release.objects.update(musicbrainz_id=ids[3], musicbrainz_group_id=ids[6])
    tags = tags_of(release)
    assert (tags.musicbrainz_recording, tags.musicbrainz_track) == (str(ids[1]), str(ids[2]))
    assert (tags.musicbrainz_release, tags.musicbrainz_release_group) == (str(ids[3]), str(ids[6]))
    assert (tags.musicbrainz_artists, tags.musicbrainz_album_artists) == ((str(ids[4]),), (str(ids[4]),))
    assert tags.musicbrainz_works == (str(ids[5]),)


@pytest.mark.parametrize("version", [3, 4])
def test_the_operator_chooses_the_id3_of_all_files(settings, version):
    settings.ID3_VERSION = version
    assert tags_of(shelf.shelve()).id3 == version
