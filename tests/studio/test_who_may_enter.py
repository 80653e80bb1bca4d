"""A label's desk exists for its own people alone."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Recording, Release
from licensing.models import LicenceGrant
from store.models import Delivery, Membership, RecordImport

PAGES = [
    "studio-label", "studio-deliver", "studio-uploads", "studio-catalogue", "studio-rights", "studio-declare",
    "studio-money",
    "studio-sales", "studio-statement", "studio-statement-csv", "studio-payees", "studio-settings",
    "studio-record-subject", "studio-record-imports", "studio-records-csv", "studio-records-template",
]  # fmt: skip
THINGS = [
    "studio-delivery", "studio-recording", "studio-release", "studio-record", "studio-record-change", "studio-work",
    "studio-record-import", "studio-evidence",
]  # fmt: skip
ACTS = [
    "studio-recording-price", "studio-recording-title", "studio-release-price", "studio-release-title",
    "studio-release-cover", "studio-record-end", "studio-connect", "studio-work-society",
]  # fmt: skip


def _keys(release: Release, recording: Recording) -> dict[str, uuid.UUID]:
    grant = LicenceGrant.objects.get(recording=recording)
    delivery = Delivery.objects.create(label=release.label, folder_name="Folder", actor="user:1")
    table = RecordImport.objects.create(label=release.label, text="about,basis\nx,DIRECT\n", actor="user:1")
    return {
        "studio-delivery": delivery.public_id,
        "studio-recording": recording.public_id,
        "studio-release": release.public_id,
        "studio-record": grant.record_id,
        "studio-record-change": grant.record_id,
        "studio-record-import": table.public_id,
        "studio-work": recording.works.get().public_id,
        "studio-work-society": recording.works.get().public_id,
        "studio-recording-price": recording.public_id,
        "studio-recording-title": recording.public_id,
        "studio-release-price": release.public_id,
        "studio-release-title": release.public_id,
        "studio-release-cover": release.public_id,
        "studio-record-end": grant.record_id,
    }


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_is_asked_to_sign_in(client: Client, release: Release, name: str) -> None:
    answer = client.get(reverse(name, args=["bobs"]))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")


@pytest.mark.parametrize("name", PAGES)
def test_a_shopper_finds_no_label(at_alices: Client, release: Release, name: str) -> None:
    assert at_alices.get(reverse(name, args=["bobs"])).status_code == 404


@pytest.mark.parametrize("name", PAGES)
def test_another_label_finds_nothing(at_charlies: Client, release: Release, name: str) -> None:
    assert at_charlies.get(reverse(name, args=["bobs"])).status_code == 404


@pytest.mark.parametrize("name", [name for name in PAGES if name not in {"studio-label", "studio-statement-csv"}])
def test_its_own_people_enter(at_eves: Client, release: Release, name: str) -> None:
    assert at_eves.get(reverse(name, args=["bobs"])).status_code == 200


@pytest.mark.parametrize("name", THINGS)
def test_a_foreign_thing_is_not_found_under_ones_own_label(
    at_charlies: Client, release: Release, recording: Recording, name: str
) -> None:
    key = _keys(release, recording).get(name, LicenceGrant.objects.first().evidence.first().public_id)
    assert at_charlies.get(reverse(name, args=["charlies", key])).status_code == 404


@pytest.mark.parametrize("name", THINGS[:-1])
def test_the_same_thing_is_found_by_its_label(
    at_bobs: Client, release: Release, recording: Recording, name: str
) -> None:
    assert at_bobs.get(reverse(name, args=["bobs", _keys(release, recording)[name]])).status_code == 200


@pytest.mark.parametrize("name", ACTS)
def test_nothing_foreign_can_be_changed(at_charlies: Client, release: Release, recording: Recording, name: str) -> None:
    key = _keys(release, recording).get(name, uuid.uuid4())
    body = {"amount": "9.00", "title": "Mine now", "reason": "mine", "sure": "on"}
    for slug in ("bobs", "charlies"):
        assert at_charlies.post(reverse(name, args=[slug, key]), body).status_code == 404


@pytest.mark.parametrize("name", ACTS)
def test_a_change_needs_a_post(at_bobs: Client, release: Release, recording: Recording, name: str) -> None:
    key = _keys(release, recording).get(name, uuid.uuid4())
    assert at_bobs.get(reverse(name, args=["bobs", key])).status_code == 405


def test_somebody_who_left_finds_nothing_any_more(at_eves: Client, release: Release) -> None:
    Membership.objects.filter(user__email__startswith="eve").delete()
    assert at_eves.get(reverse("studio-catalogue", args=["bobs"])).status_code == 404


def test_the_studio_leads_to_the_only_label(at_bobs: Client) -> None:
    assert at_bobs.get(reverse("studio"))["Location"] == reverse("studio-catalogue", args=["bobs"])


def test_the_studio_tells_a_shopper_what_it_is(at_alices: Client) -> None:
    assert "do not act for a label yet" in at_alices.get(reverse("studio")).text
