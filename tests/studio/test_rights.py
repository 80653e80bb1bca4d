"""The label sees every record that concerns it, ends its own, and declares new grants."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party, Recording, Release
from licensing import grants, instruments, reviews
from licensing.models import GrantEnd, Instrument, LicenceGrant
from licensing.terms import EvidenceKind
from store import records
from tests.factories import catalog, licensing

DECLARE = "/studio/bobs/rights/declare/"


def _pdf(data: bytes = b"%PDF-1.4 agreement") -> SimpleUploadedFile:
    return SimpleUploadedFile("agreement.pdf", data, "application/pdf")


def _state(grant: LicenceGrant) -> str:
    return records.read(records.newest().filter(record_id=grant.record_id))[0].state


def test_every_record_of_the_label_is_listed(at_bobs: Client, release: Release) -> None:
    assert at_bobs.get("/studio/bobs/rights/").text.count("CC BY 4.0") == 4


def test_a_record_of_another_label_is_not(at_bobs: Client, label: Party) -> None:
    licensing.make_grant(catalog.make_recording("Foreign"))
    assert "Foreign" not in at_bobs.get("/studio/bobs/rights/").text


def test_the_list_costs_the_same_for_many_records(
    at_bobs: Client, label: Party, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        licensing.make_grant(catalog.make_recording(label=label), submitted_for=label)
    with django_assert_max_num_queries(20):
        at_bobs.get("/studio/bobs/rights/")


def test_a_record_shows_its_evidence_terms_and_history(at_bobs: Client, recording: Recording) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    page = at_bobs.get(reverse("studio-record", args=["bobs", grant.record_id])).text
    assert "LICENSE=https://creativecommons.org/licenses/by/4.0/" in page
    assert "Hash holds" in page
    assert "worldwide" in page
    assert "Handed in" in page


def test_a_refusal_is_read_by_the_label(at_bobs: Client, recording: Recording) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    reviews.refuse(grant, reviewer=licensing.RITA, reason="The agreement is unsigned.", at=timezone.now())
    assert "The agreement is unsigned." in at_bobs.get(reverse("studio-record", args=["bobs", grant.record_id])).text


def test_an_ended_grant_stays_on_record_with_its_reason(at_bobs: Client, recording: Recording) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    url = reverse("studio-record-end", args=["bobs", grant.record_id])
    at_bobs.post(url, {"reason": "Sold the rights.", "sure": "on"})
    assert GrantEnd.objects.get(grant=grant).reason == "Sold the rights."
    assert _state(grant) == "REVOKED"


@pytest.mark.parametrize("body", [{"reason": "Sold."}, {"sure": "on"}, {}])
def test_a_grant_is_not_ended_by_accident(at_bobs: Client, recording: Recording, body: dict[str, str]) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    assert at_bobs.post(reverse("studio-record-end", args=["bobs", grant.record_id]), body).status_code == 422
    assert not GrantEnd.objects.exists()


def test_a_grant_is_ended_once(at_bobs: Client, recording: Recording) -> None:
    grant = LicenceGrant.objects.get(recording=recording)
    url = reverse("studio-record-end", args=["bobs", grant.record_id])
    answers = [at_bobs.post(url, {"reason": "Sold.", "sure": "on"}).status_code for _ in range(2)]
    assert answers == [302, 422]


def test_a_direct_grant_makes_a_record_per_recording_and_own_work(at_bobs: Client, release: Release) -> None:
    keys = [recording.pk for recording in release.recordings.all()]
    at_bobs.post(DECLARE, {"recordings": keys, "own_works": "on", "agreement": _pdf(), "ends_on": "2030-12-31"})
    made = LicenceGrant.objects.filter(basis="DIRECT")
    assert sorted(grant.layer for grant in made) == ["RECORDING", "RECORDING", "WORK", "WORK"]
    assert {str(grant.ends_on) for grant in made} == {"2030-12-31"}
    assert {_state(grant) for grant in made} == {"SUBMITTED"}


def test_without_the_word_on_the_works_they_have_no_record(at_bobs: Client, recording: Recording) -> None:
    at_bobs.post(DECLARE, {"recordings": [recording.pk], "agreement": _pdf()})
    assert [grant.layer for grant in LicenceGrant.objects.filter(basis="DIRECT")] == ["RECORDING"]


def test_the_same_grant_twice_is_recorded_once(at_bobs: Client, recording: Recording) -> None:
    for _ in range(2):
        at_bobs.post(DECLARE, {"recordings": [recording.pk], "agreement": _pdf()})
    assert LicenceGrant.objects.filter(basis="DIRECT").count() == 1


def test_what_was_granted_before_is_not_kept_as_evidence_again(at_bobs: Client, recording: Recording) -> None:
    for _ in range(2):
        at_bobs.post(DECLARE, {"recordings": [recording.pk], "agreement": _pdf()})
    assert Instrument.objects.filter(kind=EvidenceKind.AGREEMENT).count() == 1


def test_the_agreement_is_kept_outside_any_transaction(
    at_bobs: Client, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may go to a storage far away. The test's own transaction is one level; a second would be ours."""
    depths: list[int] = []

    def keep(*_: object) -> str:
        depths.append(len(connection.savepoint_ids))
        return "aa/nothing"

    monkeypatch.setattr(instruments, "_store", keep)
    at_bobs.post(DECLARE, {"recordings": [recording.pk], "agreement": _pdf()})
    assert depths == [0]


def test_a_foreign_recording_cannot_be_granted(at_charlies: Client, recording: Recording) -> None:
    answer = at_charlies.post("/studio/charlies/rights/declare/", {"recordings": [recording.pk], "agreement": _pdf()})
    assert answer.status_code == 422
    assert not LicenceGrant.objects.filter(basis="DIRECT").exists()


def test_nothing_is_granted_without_an_agreement(at_bobs: Client, recording: Recording) -> None:
    assert at_bobs.post(DECLARE, {"recordings": [recording.pk]}).status_code == 422


def test_the_link_of_a_track_chooses_its_recording(at_bobs: Client, recording: Recording) -> None:
    page = at_bobs.get(f"{DECLARE}?recording={recording.public_id}").text
    assert f'value="{recording.pk}" checked' in page


def test_an_agreement_comes_down_as_a_file_in_which_nothing_runs(at_bobs: Client, label: Party) -> None:
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="", data=b"%PDF-1.4 x", media_type="application/pdf")
    licensing.make_grant(catalog.make_recording(label=label), evidence=[paper], submitted_for=label)
    answer = at_bobs.get(reverse("studio-evidence", args=["bobs", paper.public_id]))
    assert answer.getvalue() == b"%PDF-1.4 x"
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")


def test_a_later_version_takes_the_place_of_the_one_before(label: Party) -> None:
    grant = licensing.make_approved(catalog.make_recording(label=label), submitted_for=label)
    grants.new_version(grant, actor="user:bob", licence_statement="changed")
    assert _state(grant) == "SUBMITTED"
