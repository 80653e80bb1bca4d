"""What buyers are told of formats before they pay, and how they choose among many."""

import pytest
from django.test import Client

from store import library
from store.errors import FormatUnknown
from store.models import User
from store.views.formats import steps_of
from tests.factories import shelf
from tests.factories.shelf import NOW
from transcoding import encoders, formats
from transcoding.formats import FORMATS, Family
from transcoding.models import Master, Rendition

pytestmark = pytest.mark.django_db


def test_the_page_shows_every_member_of_the_table_and_what_is_not_made_here(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "program", lambda _encoder: ())
    page = visitor.get("/formats")
    rows = {row["code"]: row for row in page.context["formats"]}
    assert set(rows) == {code for code in formats.NAMED if code != "ORIGINAL"}
    assert (rows["APE"]["made"], rows["WV"]["made"]) == ("not here", "when asked for")
    assert "libjmac-java" in page.content.decode()


def test_the_grades_between_are_told_in_words() -> None:
    assert steps_of(Family.OPUS) == "64 to 256 kbit/s in steps of 8"
    assert steps_of(Family.MP3) == "V0 to V6, and 96 to 320 kbit/s"
    assert steps_of(Family.FLAC) == ""


def test_a_release_tells_the_size_of_all_and_of_each_track(visitor: Client) -> None:
    release = shelf.shelve(tracks=2)
    page = visitor.get(f"/release/{release.slug}").context
    flac = page["formats"][0]
    assert flac["bytes"] == sum(size for size, _ in flac["sizes"])
    assert [row["sizes"][0] for row in page["sizes"]] == flac["sizes"]
    assert [row["first"] for row in page["formats"]].count(True) == 9


def test_any_grade_may_be_chosen_in_the_library_and_is_made_on_request(at_alices: Client, alice: User) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve(tracks=1)), buyer=alice)
    (row,) = at_alices.get("/library/?format=OPUS_144").context["rows"]
    assert (row["format"], row["state"]) == ("OPUS_144", "ON_DEMAND")
    at_alices.post("/download", {"line": order.lines.get().public_id, "format": "OPUS_144", "next": "/library/"})
    assert Rendition.objects.get(format="OPUS_144").priority == 10
    (row,) = at_alices.get("/library/?format=OPUS_144").context["rows"]
    assert row["state"] == "WAITING"


def test_what_was_made_stays_to_be_had_after_its_encoder_has_gone(
    at_alices: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shelf.sell(shelf.whole(shelf.shelve(tracks=1)), buyer=alice)
    shelf.make_rendition(Master.objects.get(), "MPC_Q7")
    monkeypatch.setattr(encoders, "program", lambda _encoder: ())
    (line,) = at_alices.get(f"/orders/{order.public_id}").context["lines"]
    assert {each.code: each.state for each in line["formats"]}["MPC_Q7"] == "READY"


@pytest.mark.parametrize("code", ["MP3_V9", "PREVIEW_MP3", "ORIGINAL", "FLAC_16", "x"])
def test_what_is_no_format_of_this_recording_is_refused(alice: User, code: str) -> None:
    """16 bits of a 16-bit master among them, and the preview that lies ready beside the files."""
    order = shelf.sell(shelf.whole(shelf.shelve(tracks=1)), buyer=alice)
    with pytest.raises(FormatUnknown):
        library.link(order.lines.get(), user=alice, track=None, format=code, at=NOW)


def test_the_library_lists_every_grade_once(at_alices: Client, alice: User) -> None:
    shelf.sell(shelf.whole(shelf.shelve()), buyer=alice)
    page = at_alices.get("/library/").content.decode()
    for code, each in FORMATS.items():
        assert page.count(f'<option value="{code}"') == (0 if each.preview else 1), code
