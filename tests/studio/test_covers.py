"""A label puts another cover on its release; its files follow."""

import io

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from catalog import artwork
from catalog.models import Release
from store import clearing
from store.models import ReviewDue


def picture(width: int = 600, height: int = 600, colour: str = "teal", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind)
    return out.getvalue()


def post(client: Client, release: Release, data: bytes | None):
    fields = {} if data is None else {"cover": SimpleUploadedFile("cover.png", data)}
    return client.post(reverse("studio-release-cover", args=["bobs", release.public_id]), fields)


def test_the_new_cover_takes_the_old_ones_place(at_bobs: Client, release: Release) -> None:
    old = artwork.attach(release, picture(colour="black"))
    assert post(at_bobs, release, picture()).status_code == 302
    new = release.artworks.get()
    assert (new.pk, new.width) == (old.pk, 600)
    assert new.sha256 != old.sha256
    assert storages["artwork"].exists(str(old.file.name)), "what is being made with it still finds it"
    assert at_bobs.get(reverse("artwork", args=[new.sha256, 240])).status_code == 200


def test_a_release_without_one_gets_one(at_bobs: Client, release: Release) -> None:
    post(at_bobs, release, picture())
    assert release.artworks.count() == 1


def test_finished_files_are_owed_the_new_one(at_bobs: Client, release: Release) -> None:
    clearing.decide(release.tracks.values_list("recording_id", flat=True), at=timezone.now(), actor="test")
    ReviewDue.objects.all().delete()
    post(at_bobs, release, picture())
    assert ReviewDue.objects.filter(recording__in=release.recordings.all()).count() == 2


WRONG = {
    "no file": (None, "Choose a picture first."),
    "no picture": (b"%PDF-1.7 this is none", "no picture we can read"),
    "too small": (picture(499, 499), "500 or more a side"),
    "not square": (picture(1200, 600), "Crop it first"),
    "a bomb": (picture(8000, 8000), "50,000,000 in all are taken"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_will_not_do_is_said_and_changes_nothing(at_bobs: Client, release: Release, name: str) -> None:
    before = artwork.attach(release, picture(colour="black"))
    data, words = WRONG[name]
    answer = post(at_bobs, release, data)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert release.artworks.get().sha256 == before.sha256


def test_a_file_that_is_too_large_is_refused_by_its_size(at_bobs: Client, release: Release, monkeypatch) -> None:
    monkeypatch.setattr(artwork, "MAX_BYTES", 1000)
    assert "1,000 are taken" in post(at_bobs, release, picture() + bytes(1000)).content.decode()


def test_another_label_can_not(at_charlies: Client, release: Release) -> None:
    assert post(at_charlies, release, picture()).status_code == 404
    assert not release.artworks.exists()
