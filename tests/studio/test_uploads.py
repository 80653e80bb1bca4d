"""The studio speaks tus: what a browser, or any client of that protocol, may and may not do."""

import base64
import hashlib
import io
import random
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Party, Recording
from store import parcels
from store.models import Delivery, User
from tests.deliveries.tones import Tones
from transcoding import uploads
from transcoding.models import Arrival, Master, Parcel

URL = "/studio/bobs/uploads/"
DELIVER = "/studio/bobs/deliver/"
SONG = random.Random(5).randbytes(100_001)


def b64(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def ask(client: Client, method: str, url: str, data: bytes = b"", **headers: Any) -> Any:
    said = {"Tus-Resumable": "1.0.0"} | {name.replace("_", "-"): str(value) for name, value in headers.items()}
    kind = "application/offset+octet-stream" if method == "PATCH" else ""
    kept = {name: value for name, value in said.items() if value}
    return client.generic(method, url, data, content_type=said.pop("Content-Type", kind), headers=kept)


def announce(client: Client, data: bytes = SONG, path: str = "Shore/01.flac", **more: Any) -> str:
    said = f"filename {b64(Path(path).name)},relativePath {b64(path)}"
    answer = ask(client, "POST", URL, Upload_Length=len(data), Upload_Metadata=said, **more)
    assert answer.status_code == 201, answer.text
    return str(answer["Location"])


def send(client: Client, data: bytes, path: str) -> str:
    url = announce(client, data, path)
    assert ask(client, "PATCH", url, data, Upload_Offset=0).status_code == 204
    return url


def test_a_file_comes_in_pieces(at_bobs: Client) -> None:
    url = announce(at_bobs)
    answer = ask(at_bobs, "PATCH", url, SONG[:60_000], Upload_Offset=0)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "60000")
    looked = ask(at_bobs, "HEAD", url)
    assert (looked.status_code, looked["Upload-Offset"], looked["Upload-Length"]) == (200, "60000", "100001")
    assert "no-store" in looked["Cache-Control"]
    assert looked["Upload-Expires"].endswith("GMT")
    assert ask(at_bobs, "PATCH", url, SONG[60_000:], Upload_Offset=60_000)["Upload-Offset"] == "100001"
    assert Arrival.objects.get().sha256 == hashlib.sha256(SONG).hexdigest()


def test_what_is_spoken_here_is_told(at_bobs: Client) -> None:
    answer = at_bobs.options(URL)
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "expiration", "checksum", "termination",
    }  # fmt: skip
    assert "sha1" in answer["Tus-Checksum-Algorithm"]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Tus_Resumable": "0.2.2", "Upload_Length": 5}, 412),
        ("POST", {"Tus_Resumable": "", "Upload_Length": 5}, 412),
        ("POST", {}, 400),
        ("POST", {"Upload_Length": -1}, 400),
        ("POST", {"Upload_Length": "many"}, 400),
        ("POST", {"Upload_Length": 10**14}, 413),
        ("POST", {"Upload_Length": 5, "Upload_Metadata": "filename !!!"}, 400),
        ("POST", {"Upload_Length": 5, "Upload_Metadata": f"sha256 {b64('short')}"}, 400),
        ("PUT", {}, 405),
    ],
)
def test_what_is_no_announcement_is_refused(at_bobs: Client, method: str, headers: dict[str, Any], status: int) -> None:
    assert ask(at_bobs, method, URL, **headers).status_code == status
    assert not Arrival.objects.exists()


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"x", {"Upload_Offset": 7}, 409),
        (b"x", {}, 400),
        (b"x", {"Upload_Offset": 0, "Content-Type": "audio/flac"}, 415),
        (SONG + b"x", {"Upload_Offset": 0}, 413),
        (b"x", {"Upload_Offset": 0, "Upload_Checksum": "crc32 AAAA"}, 400),
        (b"x", {"Upload_Offset": 0, "Upload_Checksum": "sha256 AAAA"}, 400),
        (b"x", {"Upload_Offset": 0, "Upload_Checksum": f"sha256 {b64(hashlib.sha256(b'y').digest())}"}, 460),
        (b"x", {"Upload_Offset": 0, "Tus_Resumable": "2.0.0"}, 412),
    ],
)
def test_what_is_no_piece_is_refused_and_counts_for_nothing(
    at_bobs: Client, data: bytes, headers: dict[str, Any], status: int
) -> None:
    url = announce(at_bobs)
    assert ask(at_bobs, "PATCH", url, data, **headers).status_code == status
    assert Arrival.objects.get().received == 0


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_piece_with_its_checksum_is_taken(at_bobs: Client, name: str) -> None:
    told = f"{name} {b64(hashlib.new(name, SONG).digest())}"
    assert ask(at_bobs, "PATCH", announce(at_bobs), SONG, Upload_Offset=0, Upload_Checksum=told).status_code == 204


def test_a_line_that_breaks_leaves_what_came(at_bobs: Client) -> None:
    class Line(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if data := super().read(size):
                return data
            raise ConnectionResetError

    url = announce(at_bobs)
    broken = {
        "REQUEST_METHOD": "PATCH", "PATH_INFO": url, "CONTENT_TYPE": "application/offset+octet-stream",
        "CONTENT_LENGTH": str(len(SONG)), "HTTP_UPLOAD_OFFSET": "0", "HTTP_TUS_RESUMABLE": "1.0.0",
        "wsgi.input": Line(SONG[:70_000]),
    }  # fmt: skip
    at_bobs.request(**broken)
    assert ask(at_bobs, "HEAD", url)["Upload-Offset"] == "70000"
    assert ask(at_bobs, "PATCH", url, SONG[70_000:], Upload_Offset=70_000).status_code == 204


def test_a_method_behind_another_one_counts(at_bobs: Client) -> None:
    url = announce(at_bobs)
    answer = at_bobs.post(
        url, SONG, content_type="application/offset+octet-stream",
        headers={"X-HTTP-Method-Override": "PATCH", "Tus-Resumable": "1.0.0", "Upload-Offset": "0"},
    )  # fmt: skip
    assert answer.status_code == 204


def test_a_file_that_was_removed_is_gone(at_bobs: Client) -> None:
    url = announce(at_bobs)
    assert ask(at_bobs, "DELETE", url).status_code == 204
    assert ask(at_bobs, "HEAD", url).status_code == 404


def test_an_open_parcel_is_told_to_whoever_comes_back(at_bobs: Client, at_eves: Client) -> None:
    url = announce(at_bobs)
    ask(at_bobs, "PATCH", url, SONG[:40_000], Upload_Offset=0)
    (told,) = at_bobs.get(URL).json()["files"]
    assert told == {"path": "Shore/01.flac", "length": 100_001, "received": 40_000, "whole": False, "url": url}
    assert at_eves.get(URL).json() == {"files": []}
    page = at_bobs.get(DELIVER)
    assert "39 %" in page.text
    assert url in page.text


def test_a_foreign_file_does_not_exist(at_bobs: Client, at_charlies: Client, at_alices: Client) -> None:
    url = announce(at_bobs)
    for foreign in (url, url.replace("bobs", "charlies")):
        for method in ("HEAD", "PATCH", "DELETE"):
            assert ask(at_charlies, method, foreign, b"x", Upload_Offset=0).status_code == 404
    assert ask(at_alices, "POST", URL, Upload_Length=5).status_code == 404
    assert Arrival.objects.get().received == 0


def test_a_forged_request_is_refused(bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert ask(client, "POST", URL, Upload_Length=5).status_code == 403


def test_a_label_over_its_quota_is_told(at_bobs: Client, settings: LazySettings) -> None:
    settings.UPLOAD_QUOTA_BYTES = 10
    answer = ask(at_bobs, "POST", URL, Upload_Length=11)
    assert answer.status_code == 413
    assert "on their way" in answer.text


# -- Handing in --------------------------------------------------------------------------------------------------------


@pytest.fixture
def flac(tones: Tones, tmp_path: Path) -> bytes:
    return tones.put(tmp_path / "01.flac", title="Tide", artist="Ana", album="Shore", tracknumber="1").read_bytes()


def test_a_parcel_is_handed_in_at_once_and_taken_by_a_worker(
    at_bobs: Client, label: Party, flac: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as request:
        request.setattr("store.deliveries.deliver", lambda *_a, **_k: pytest.fail("it ran in the request"))
        send(at_bobs, flac, "Shore/01.flac")
        answer = at_bobs.post(DELIVER, {"own_works": "on", "price": "1,20"})
    delivery = Delivery.objects.get()
    assert answer["Location"] == reverse("studio-delivery", args=["bobs", delivery.public_id])
    assert (delivery.folder_name, delivery.ended_at) == ("Shore", None)
    assert "wait to be read" in at_bobs.get(answer["Location"]).text

    parcels.take(Parcel.objects.get().pk, at=timezone.now())
    assert Recording.objects.get().title == "Tide"
    assert Master.objects.get().file_sha256 == hashlib.sha256(flac).hexdigest()
    assert [line.path for line in delivery.lines.all()] == ["01.flac"]
    assert (Parcel.objects.get().state, Arrival.objects.count()) == ("TAKEN", 0)


def test_a_worker_that_is_killed_leaves_a_delivery_that_the_next_one_finishes(
    at_bobs: Client, label: Party, flac: bytes, tones: Tones, tmp_path: Path
) -> None:
    other = tones.put(tmp_path / "02.flac", hertz=330, title="Ebb", artist="Ana", album="Shore", tracknumber="2")
    send(at_bobs, flac, "Shore/01.flac")
    send(at_bobs, other.read_bytes(), "Shore/02.flac")
    at_bobs.post(DELIVER, {"own_works": "on"})
    parcel = Parcel.objects.get()
    written = []

    def kill(*_args: object, **_how: object) -> bool:
        written.append(1)
        if len(written) == 1:
            raise SystemExit
        return True

    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(uploads, "renew", kill)
        with pytest.raises(SystemExit):
            parcels.take(parcel.pk, at=timezone.now())
    assert parcels.take(parcel.pk, at=timezone.now()) is None, "the claim of the dead still holds"

    parcels.take(parcel.pk, at=timezone.now() + parcels.LEASE * 2)
    lines = list(Delivery.objects.get().lines.values_list("path", "outcome"))
    assert lines == [("01.flac", "WARNED"), ("02.flac", "WARNED")]
    assert Master.objects.count() == 2


def test_a_parcel_that_kills_every_worker_is_given_up_with_a_word(at_bobs: Client, flac: bytes) -> None:
    send(at_bobs, flac, "01.flac")
    at_bobs.post(DELIVER, {})
    Parcel.objects.update(fence=parcels.MAX_CLAIMS)
    parcels.take(Parcel.objects.get().pk, at=timezone.now())
    assert Delivery.objects.get().lines.get().code == "GIVEN_UP"
    assert not Arrival.objects.exists()


def test_nothing_is_handed_in_while_a_file_is_on_its_way(at_bobs: Client) -> None:
    announce(at_bobs)
    answer = at_bobs.post(DELIVER, {})
    assert answer.status_code == 422
    assert "1 file is still on the way" in answer.text
    assert not Delivery.objects.exists()


def test_quarantine_is_emptied_behind_a_killed_worker(
    at_bobs: Client, flac: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(at_bobs, flac, "01.flac")
    at_bobs.post(DELIVER, {})
    with monkeypatch.context() as killed:
        killed.setattr(uploads, "clear", lambda _parcel: None)
        parcels.take(Parcel.objects.get().pk, at=timezone.now())
    assert Arrival.objects.exists()
    parcels.tidy(at=timezone.now())
    assert not Arrival.objects.exists()
