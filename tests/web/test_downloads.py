"""Bytes over HTTP: bought files that resume, zips whose length is known, previews, and who may have them."""

import io
import zipfile
from typing import Any

import pytest
from django.test import Client

from store.models import Order, User
from tests.factories import shelf
from transcoding.models import Rendition

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(alice: User) -> Order:
    return shelf.sell(shelf.whole(shelf.shelve("First Light", files=True)), buyer=alice)


def start(client: Client, order: Order, *, track: object = "", code: str = "FLAC") -> Any:
    line = order.lines.get()
    return client.post("/download", {"line": line.public_id, "format": code, "track": track})


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.fixture
def link(at_alices: Client, order: Order) -> str:
    track = order.lines.get().tracks.first()
    assert track is not None
    return str(start(at_alices, order, track=track.track_id)["Location"])


def test_a_bought_file_comes_whole_with_its_name(at_alices: Client, link: str) -> None:
    answer = at_alices.get(link)
    assert body(answer) == b"FLAC First Light 1 " * 40
    assert answer["Content-Length"] == str(19 * 40)
    assert answer["Content-Disposition"] == 'attachment; filename="01 Ana Lind - First Light, part 1.flac"'
    assert answer["Content-Type"] == "audio/flac"
    assert answer["Accept-Ranges"] == "bytes"


def test_a_broken_download_goes_on_where_it_stopped(at_alices: Client, link: str) -> None:
    whole = at_alices.get(link)
    tag, data = whole["ETag"], body(whole)
    rest = at_alices.get(link, headers={"range": "bytes=100-", "if-range": tag})
    assert rest.status_code == 206
    assert rest["Content-Range"] == f"bytes 100-{len(data) - 1}/{len(data)}"
    assert body(rest) == data[100:]


def test_a_part_of_another_file_is_never_joined_to_this_one(at_alices: Client, link: str) -> None:
    answer = at_alices.get(link, headers={"range": "bytes=100-", "if-range": '"something else"'})
    assert answer.status_code == 200
    assert len(body(answer)) == 19 * 40


def test_a_range_beyond_the_end_is_refused_with_the_size(at_alices: Client, link: str) -> None:
    answer = at_alices.get(link, headers={"range": "bytes=99999-"})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{19 * 40}")


def test_what_the_browser_has_is_not_sent_again(at_alices: Client, link: str) -> None:
    tag = at_alices.head(link)["ETag"]
    assert at_alices.get(link, headers={"if-none-match": tag}).status_code == 304


def test_asking_for_the_head_sends_no_bytes(at_alices: Client, link: str) -> None:
    answer = at_alices.head(link)
    assert (answer.status_code, answer.content, answer["Content-Length"]) == (200, b"", str(19 * 40))


def test_a_release_comes_as_one_zip_of_known_length(at_alices: Client, order: Order) -> None:
    answer = at_alices.get(start(at_alices, order)["Location"])
    data = body(answer)
    assert answer["Content-Length"] == str(len(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert sum(name.endswith(".flac") for name in names) == 2
    assert any(name.endswith("LICENSE.txt") for name in names)


def test_a_link_is_for_its_buyer_alone(at_charlies: Client, visitor: Client, link: str) -> None:
    assert at_charlies.get(link).status_code == 404
    assert visitor.get(link).status_code == 302


def test_a_stranger_cannot_start_a_download(at_charlies: Client, order: Order) -> None:
    assert start(at_charlies, order).status_code == 404


def test_an_altered_link_says_where_to_start_again(at_alices: Client, link: str) -> None:
    answer = at_alices.get(link[:-1] + ("a" if link[-1] != "a" else "b"))
    assert answer.status_code == 404
    assert "Start the download again" in answer.content.decode()


def test_a_format_that_is_not_made_yet_is_put_in_order(at_alices: Client, order: Order) -> None:
    answer = start(at_alices, order, code="WAV")
    assert answer["Location"] == "/library/"
    assert "being made" in at_alices.get("/library/?format=WAV").content.decode()
    assert at_alices.get("/library/").context["rows"][0]["state"] == "WAITING"


@pytest.mark.parametrize("code", ["", "EXE", "PREVIEW_MP3"])
def test_an_unknown_format_is_not_found(at_alices: Client, order: Order, code: str) -> None:
    assert start(at_alices, order, code=code).status_code == 404


def test_a_preview_can_be_sought_in(visitor: Client) -> None:
    release = shelf.shelve(tracks=1, preview=b"sound " * 100)
    page = visitor.get(f"/release/{release.slug}")
    preview = page.context["discs"][0]["tracks"][0].preview
    answer = visitor.get(preview["url"], headers={"range": "bytes=6-10"})
    assert (answer.status_code, answer["Content-Type"], body(answer)) == (206, "audio/mpeg", b"sound")
    assert "Content-Disposition" not in answer
    assert visitor.get(preview["peaks"]).json()["peaks"]


def test_a_preview_is_silent_where_it_is_not_cleared(visitor: Client) -> None:
    release = shelf.shelve(tracks=1, countries=["DE"], preview=b"sound " * 100)
    url = visitor.get(f"/release/{release.slug}").context["discs"][0]["tracks"][0].preview["url"]
    visitor.post("/country", {"country": "FR"})
    assert visitor.get(url).status_code == 404


def test_a_whole_file_is_no_preview(visitor: Client) -> None:
    shelf.shelve(tracks=1, files=True)
    full = Rendition.objects.get(format="FLAC")
    assert visitor.get(f"/preview/{full.public_id}.flac").status_code == 404
