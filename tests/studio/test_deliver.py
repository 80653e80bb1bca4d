"""The upload page does what the command does, also for a browser without script. A worker takes what was handed in."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording, Release
from licensing.models import Instrument, LicenceGrant
from store import parcels
from store.models import Delivery, DeliveryLine, Price, User
from tests.deliveries.tones import Tones
from transcoding.models import Master, Parcel

URL = "/studio/bobs/deliver/"
BY = "https://creativecommons.org/licenses/by/4.0/"
PDF = b"%PDF-1.4 agreement"


@pytest.fixture
def flac(tones: Tones, tmp_path: Path) -> Path:
    return tones.put(tmp_path / "01 Tide.flac", title="Tide", artist="Ana", album="Shore", tracknumber="1", license=BY)


def _file(path: Path, name: str = "") -> io.BytesIO:
    data = io.BytesIO(path.read_bytes())
    data.name = name or path.name
    return data


def hand_in(client: Client, data: dict[str, Any]) -> Any:
    """Press the button, and let a worker do its part."""
    answer = client.post(URL, data)
    for parcel in Parcel.objects.filter(state=Parcel.State.HANDED_IN):
        parcels.take(parcel.pk, at=timezone.now())
    return answer


def test_a_delivered_file_is_in_the_catalogue(at_bobs: Client, label: Party, flac: Path) -> None:
    answer = hand_in(at_bobs, {"files": [_file(flac)], "own_works": "on", "price": "1,20"})
    delivery = Delivery.objects.get()
    assert answer["Location"] == reverse("studio-delivery", args=["bobs", delivery.public_id])
    recording = Recording.objects.get()
    assert (recording.title, recording.label) == ("Tide", label)
    assert Price.objects.get(recording=recording).amount_minor == 120
    assert {grant.layer for grant in LicenceGrant.objects.all()} == {"RECORDING", "WORK"}


def test_the_bytes_that_arrive_are_the_bytes_that_are_kept(at_bobs: Client, flac: Path) -> None:
    hand_in(at_bobs, {"files": [_file(flac)]})
    assert Master.objects.get().bytes == flac.stat().st_size


def test_the_second_delivery_of_the_same_file_changes_nothing(at_bobs: Client, flac: Path) -> None:
    for _ in range(2):
        hand_in(at_bobs, {"files": [_file(flac)], "own_works": "on"})
    assert (Recording.objects.count(), Master.objects.count(), LicenceGrant.objects.count()) == (1, 1, 2)
    assert [line.outcome for line in DeliveryLine.objects.order_by("pk")][-1] == "ALREADY_HERE"


def test_a_folder_keeps_its_name_and_places(at_bobs: Client, flac: Path) -> None:
    hand_in(at_bobs, {"files": [_file(flac)], "paths": ["Shore/CD1/01 Tide.flac"]})
    assert Delivery.objects.get().folder_name == "Shore"
    assert DeliveryLine.objects.get().path == "CD1/01 Tide.flac"


def test_without_the_declaration_only_the_recording_has_a_record(at_bobs: Client, flac: Path) -> None:
    hand_in(at_bobs, {"files": [_file(flac)]})
    assert [grant.layer for grant in LicenceGrant.objects.all()] == ["RECORDING"]


def test_a_direct_grant_rests_on_its_agreement_and_countries(at_bobs: Client, flac: Path) -> None:
    hand_in(at_bobs, {
        "files": [_file(flac)], "direct_grant": "on", "where": "ONLY", "countries": "de, at",
        "agreement": SimpleUploadedFile("a.pdf", PDF, "application/pdf"),
    })  # fmt: skip
    grant = LicenceGrant.objects.get(basis="DIRECT")
    assert (grant.territory_mode, grant.territories) == ("ONLY", ["AT", "DE"])
    assert grant.evidence.get().media_type == "application/pdf"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Choose the files"),
        ({"direct_grant": "on"}, "attach it as PDF"),
        ({"price": "1.005"}, "2 decimals"),
        ({"price": "free"}, "Write an amount"),
        ({"price": "0"}, "above nought"),
        ({"where": "ONLY"}, "Name the countries"),
        ({"where": "ONLY", "countries": "DE ZZ"}, "ZZ"),
        ({"starts_on": "2026-02-01", "ends_on": "2026-01-01"}, "before the first"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_taken(at_bobs: Client, flac: Path, given: dict, said: str) -> None:
    files = {"files": [_file(flac)]} if given else {}
    answer = at_bobs.post(URL, files | given)
    assert answer.status_code == 422
    assert said in answer.text
    assert not Delivery.objects.exists()


def test_an_agreement_that_is_no_pdf_is_refused(at_bobs: Client, flac: Path) -> None:
    page = SimpleUploadedFile("a.pdf", b"<html><script>alert(1)</script>", "application/pdf")
    answer = at_bobs.post(URL, {"files": [_file(flac)], "direct_grant": "on", "agreement": page})
    assert answer.status_code == 422
    assert not Instrument.objects.exists()


def test_a_forged_form_is_refused(bob: User, flac: Path) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post(URL, {"files": [_file(flac)]}).status_code == 403
    assert not Release.objects.exists()


def test_each_file_has_a_line_that_says_what_became_of_it(at_bobs: Client, flac: Path, tmp_path: Path) -> None:
    broken = tmp_path / "02 Broken.flac"
    broken.write_bytes(b"fLaC" + bytes(200))
    hand_in(at_bobs, {"files": [_file(flac), _file(broken)], "own_works": "on"})
    page = at_bobs.get(reverse("studio-delivery", args=["bobs", Delivery.objects.get().public_id]))
    assert "1 recording here; 1 being examined" in page.text
    assert "1 file refused" in page.text
    assert 'hx-trigger="every 2s"' in page.text
