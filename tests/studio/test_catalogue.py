"""Each track says whether it is on sale and, if not, what is missing and where that is mended."""

from datetime import UTC, datetime

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording, Release
from licensing import reviews
from licensing.models import LicenceGrant
from store import catalogue, clearing, offers
from store.models import Offer, Price, ReviewDue
from tests.factories import catalog, licensing, shelf, transcoding
from transcoding.models import Finding, Master, Rendition

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def _row(recording: Recording) -> catalogue.Row:
    return catalogue.rows([Recording.objects.with_credits().get(pk=recording.pk)], currency="EUR")[0]


def _codes(recording: Recording) -> list[str]:
    return [missing.code for missing in _row(recording).missing]


def _on_a_release(label: Party) -> Recording:
    return catalog.make_release(label=label, tracks=1).recordings.get()


def test_a_recording_without_a_file_asks_for_one(label: Party) -> None:
    missing = _row(catalog.make_recording(label=label)).missing
    assert [(one.code, one.fix, one.whose) for one in missing] == [("NO_FILE", "deliver", "Your turn.")]


def test_a_file_that_is_being_examined_says_so(label: Party) -> None:
    recording = catalog.make_recording(label=label)
    transcoding.make_master(recording, state=Master.State.EXAMINING, accepted_at=None)
    assert _codes(recording)[0] == "EXAMINING"


def test_a_rejected_file_says_why_in_the_words_of_the_examination(label: Party) -> None:
    recording = catalog.make_recording(label=label)
    master = transcoding.make_master(recording, state=Master.State.REJECTED, accepted_at=None)
    transcoding.make_finding(master, severity=Finding.Severity.FATAL, message="The file is cut off.")
    assert [one.text for one in _row(recording).missing] == ["The file is cut off."]


def test_a_record_in_review_is_a_reviewers_turn(recording: Recording) -> None:
    offers.review_offers([recording.pk], at=NOW, actor="test")
    waiting = _row(recording).missing[0]
    assert (waiting.code, waiting.kind, waiting.whose) == ("NOT_REVIEWED", "waiting", "A reviewer's turn.")
    assert waiting.text == "Sound recording and work: a reviewer looks at the evidence."


def test_a_refused_record_says_the_reviewers_reason(recording: Recording) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    reviews.refuse(grant, reviewer=licensing.RITA, reason="The agreement is not signed.", at=NOW)
    offers.review_offers([recording.pk], at=NOW, actor="test")
    texts = [one.text for one in _row(recording).missing]
    assert "Sound recording: a reviewer refused it: The agreement is not signed." in texts


def test_a_work_without_licence_leads_to_a_declaration(label: Party) -> None:
    recording = _on_a_release(label)
    master = transcoding.make_master(recording)
    licensing.make_approved(recording, sound=master.sound_sha256)
    offers.review_offers([recording.pk], at=NOW, actor="test")
    assert next((one.code, one.fix) for one in _row(recording).missing) == ("NO_WORK_LICENCE", "declare")


def test_a_cleared_recording_without_a_price_asks_for_one(label: Party) -> None:
    recording = _on_a_release(label)
    master = transcoding.make_master(recording)
    licensing.make_cleared(recording, sound=master.sound_sha256)
    offers.review_offers([recording.pk], at=NOW, actor="test")
    assert _codes(recording)[0] == "NO_PRICE_SET"


def test_files_that_are_being_made_are_counted(label: Party) -> None:
    recording = _on_a_release(label)
    master = transcoding.make_master(recording)
    licensing.make_cleared(recording, sound=master.sound_sha256)
    offers.set_price(recording, currency="EUR", amount_minor=100, actor="user:1")
    offers.review_offers([recording.pk], at=NOW, actor="test")
    assert [one.text for one in _row(recording).missing] == ["Formats: 0 of 6 made."]


def test_of_two_files_of_one_format_the_newest_counts(label: Party) -> None:
    master = transcoding.make_master(_on_a_release(label))
    transcoding.make_rendition(master, "FLAC")
    other = transcoding.make_tags(title="Corrected").signature(cut=None)
    transcoding.make_rendition(
        master, "FLAC", tag_signature=other, state=Rendition.State.PLANNED, ready_at=None, sha256="", storage_key=""
    )
    row = _row(master.recording)
    assert (row.formats_made, row.formats_due) == (0, 1)


def test_what_is_on_sale_lacks_nothing(label: Party) -> None:
    release = shelf.shelve(label=label, tracks=1)
    row = _row(release.tracks.get().recording)
    assert (row.kind, row.word, list(row.missing)) == ("cleared", "On sale", [])


def test_the_catalogue_costs_the_same_for_many_tracks(
    at_bobs: Client, label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        shelf.shelve(f"Release {number}", label=label, tracks=8, refused=1)
    at_bobs.get("/studio/bobs/catalogue/")
    with django_assert_max_num_queries(40):
        assert "Release 3, part 8" in at_bobs.get("/studio/bobs/catalogue/").text


def test_a_chip_shows_only_what_is_not_on_sale(at_bobs: Client, label: Party) -> None:
    shelf.shelve("Whole", label=label)
    shelf.shelve("Partial", label=label, refused=1)
    page = at_bobs.get("/studio/bobs/catalogue/?show=shut").text
    assert "Partial" in page
    assert "Whole" not in page


def test_a_track_is_found_by_its_isrc(at_bobs: Client, label: Party) -> None:
    shelf.shelve("Other", label=label)
    release = shelf.shelve("Wanted", label=label)
    release.recordings.filter(title__endswith="1").update(isrc="DEA012400003")
    page = at_bobs.get("/studio/bobs/catalogue/?q=DE-A01-24-00003").text
    assert "Wanted" in page
    assert "Other" not in page


def test_a_new_price_is_set_and_the_offers_are_looked_at(at_bobs: Client, recording: Recording) -> None:
    ReviewDue.objects.all().delete()
    at_bobs.post(reverse("studio-recording-price", args=["bobs", recording.public_id]), {"amount": "1.50"})
    assert Price.objects.get(recording=recording).amount_minor == 150
    assert ReviewDue.objects.filter(recording=recording).exists()


def test_a_wrong_price_is_said_and_changes_nothing(at_bobs: Client, recording: Recording) -> None:
    url = reverse("studio-recording-price", args=["bobs", recording.public_id])
    answer = at_bobs.post(url, {"amount": "-1"})
    assert answer.status_code == 422
    assert not Price.objects.exists()


def test_a_release_has_a_price_of_its_own(at_bobs: Client, release: Release) -> None:
    at_bobs.post(reverse("studio-release-price", args=["bobs", release.public_id]), {"amount": "8"})
    assert Price.objects.get(release=release).amount_minor == 800


def test_a_corrected_title_is_looked_at_again_and_keeps_its_address(at_bobs: Client, release: Release) -> None:
    clearing.decide(release.tracks.values_list("recording_id", flat=True), at=timezone.now(), actor="test")
    ReviewDue.objects.all().delete()
    slug = release.slug
    at_bobs.post(reverse("studio-release-title", args=["bobs", release.public_id]), {"title": "Last Light"})
    release.refresh_from_db()
    assert (release.title, release.slug) == ("Last Light", slug)
    assert ReviewDue.objects.filter(recording__in=release.recordings.all()).count() == 2


def test_a_recording_gets_its_title_and_version(at_bobs: Client, recording: Recording) -> None:
    url = reverse("studio-recording-title", args=["bobs", recording.public_id])
    at_bobs.post(url, {"title": "Piece One", "version_title": "Live"})
    recording.refresh_from_db()
    assert recording.full_title == "Piece One (Live)"


def test_the_page_of_a_recording_shows_records_sound_and_what_is_missing(at_bobs: Client, recording: Recording) -> None:
    offers.review_offers([recording.pk], at=timezone.now(), actor="test")
    page = at_bobs.get(reverse("studio-recording", args=["bobs", recording.public_id])).text
    assert "CC BY 4.0" in page
    assert "44100 Hz" in page
    assert "a reviewer looks at the evidence" in page


def test_a_title_of_two_hundred_characters_and_markup_is_only_text(at_bobs: Client, release: Release) -> None:
    release.title = "<script>alert(1)</script>" + "x" * 180
    release.save()
    page = at_bobs.get("/studio/bobs/catalogue/").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page


def test_an_offer_of_anybody_else_is_not_counted(at_bobs: Client, label: Party) -> None:
    shelf.shelve("Foreign", label=catalog.make_label("Other"))
    assert Offer.objects.exists()
    assert "Your releases will be here" in at_bobs.get("/studio/bobs/catalogue/").text
