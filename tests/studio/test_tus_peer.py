"""Somebody else's client speaks with the studio over a real line, so that what we take for tus is tus."""

import hashlib
import random
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from resumable_upload import TusClient
from resumable_upload.exceptions import TusCommunicationError
from resumable_upload.url_storage import FileURLStorage

from store.models import User
from tests.studio.conftest import signed_in
from transcoding.models import Arrival

pytestmark = pytest.mark.django_db(transaction=True)
SONG = random.Random(6).randbytes(300_001)
PIECE = 100_000
Peer = Callable[..., TusClient]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "01 Tide.flac"
    path.write_bytes(SONG)
    return path


@pytest.fixture
def peer(bob: User, live_server: LiveServer) -> Peer:
    """A client of its own make, with the cookie and the form's token of a signed-in person."""
    client = signed_in(bob)
    client.get("/studio/bobs/deliver/")
    cookies = {name: client.cookies[name].value for name in ("sessionid", "csrftoken")}
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies["csrftoken"],
    }

    def made(**over: object) -> TusClient:
        how = {"chunk_size": PIECE, "headers": dict(headers), "retry_delay": 0.01} | over
        how["before_request"] = lambda _method, _url, said: said.update(headers)  # OPTIONS too needs a signed-in person
        return TusClient(f"{live_server.url}/studio/bobs/uploads/", **how)

    return made


def here() -> Arrival:
    return Arrival.objects.get()


def whole(arrival: Arrival) -> bool:
    return (arrival.state, arrival.sha256) == ("WHOLE", hashlib.sha256(SONG).hexdigest())


def refusal(ask: Callable[[], object]) -> int | None:
    """The status that a request is refused with; the peer leaves the answer open, so it is closed here."""
    with pytest.raises(TusCommunicationError) as refused:
        ask()
    if isinstance(answer := refused.value.__cause__, HTTPError):
        answer.close()
    return refused.value.status_code


@pytest.mark.parametrize("how", [{"checksum": "sha256"}, {"checksum": "sha1"}, {"override_patch_method": True}])
def test_a_peer_sends_a_file_whole(peer: Peer, song: Path, how: dict[str, object]) -> None:
    client = peer(**how)
    assert {"creation", "checksum", "termination"} <= set(client.get_server_info()["extensions"])
    url = client.upload_file(str(song))
    assert client.get_upload_info(url) | {"metadata": {}} == {
        "offset": len(SONG), "length": len(SONG), "complete": True, "metadata": {},
    }  # fmt: skip
    assert whole(here())
    assert here().path == song.name


def test_a_peer_goes_on_where_another_stopped(peer: Peer, song: Path) -> None:
    url = peer().upload_file(str(song), stop_at=PIECE)
    assert peer().get_upload_info(url)["offset"] == PIECE
    peer().resume_upload(str(song), url)
    assert whole(here())


def test_a_peer_goes_on_where_the_line_was_cut(peer: Peer, song: Path, live_server: LiveServer) -> None:
    """The cut comes in the midst of a piece; what had come of it counts, once the server noticed."""
    client = peer(max_retries=12)
    url = client._create_upload(len(SONG), {"filename": song.name})
    place = urlsplit(url)
    head = {
        "Host": place.netloc, "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Length": str(len(SONG)),
        "Content-Type": "application/offset+octet-stream", **client.get_headers(),
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(f"PATCH {place.path} HTTP/1.1\r\n{lines}\r\n".encode() + SONG[:123_456])
    client.resume_upload(str(song), url)
    assert whole(here())


def test_a_peer_that_lost_count_is_told_and_finds_its_way(peer: Peer, song: Path) -> None:
    with peer().create_uploader(str(song)) as behind:
        peer().resume_upload(str(song), behind.url)
        assert behind.offset == 0
        assert not behind.upload_chunk(), "409, and the peer asked how far the file is"
    assert whole(here())


def test_the_first_bytes_may_come_with_the_announcement(peer: Peer, song: Path) -> None:
    url = peer()._create_upload(len(SONG), {"filename": song.name}, initial_data=SONG[:50_000])
    assert here().received == 50_000
    peer().resume_upload(str(song), url)
    assert whole(here())


def test_a_peer_that_announced_too_little_is_refused(peer: Peer, song: Path) -> None:
    url = peer()._create_upload(100, {"filename": song.name})
    assert refusal(lambda: peer().resume_upload(str(song), url)) == 413
    assert here().received == 0


def test_a_peer_takes_its_file_back(peer: Peer, song: Path) -> None:
    url = peer().upload_file(str(song), stop_at=PIECE)
    peer().delete_upload(url)
    assert refusal(lambda: peer().get_upload_info(url)) == 404
    assert not Arrival.objects.exists()


def test_a_peer_begins_anew_what_nobody_went_on_with(peer: Peer, song: Path, tmp_path: Path) -> None:
    kept = FileURLStorage(str(tmp_path / "urls.json"))
    url = peer(url_storage=kept, store_url=True).upload_file(str(song), stop_at=PIECE)
    Arrival.objects.update(expires_at=timezone.now())
    assert refusal(lambda: peer().get_upload_info(url)) == 410
    peer(url_storage=kept, store_url=True).upload_file(str(song))
    assert whole(here())
    assert here().path == song.name, "the forgotten file stands in nobody's way"
