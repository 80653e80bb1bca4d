"""A buyer gets the file of the place that was bought, with today's title and the licence of the sale; and is told."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from store import corrections, library, offers
from store.errors import NotReadyYet
from store.models import OrderLine, User
from tests.factories import catalog, shelf
from tests.factories.store import make_user, sign_in
from transcoding import renditions
from transcoding.models import Master, Rendition

pytestmark = pytest.mark.django_db
READY, PLANNED = Rendition.State.READY, Rendition.State.PLANNED
OWED: dict[str, Any] = {"state": PLANNED, "storage_key": "", "sha256": "", "bytes": 0, "ready_at": None}


@pytest.fixture
def alice() -> User:
    return make_user("Alice")


@pytest.fixture
def line(alice: User) -> OrderLine:
    return shelf.sell(shelf.whole(shelf.shelve("First Light", tracks=2)), buyer=alice).lines.get()


def master_of(line: OrderLine, number: int = 1) -> Master:
    return Master.objects.get(recording__tracks__release=line.release, recording__tracks__number=number)


def corrected(line: OrderLine, code: str = "FLAC", **over: Any) -> Rendition:
    """The first track's file in this format, with other tags."""
    master = master_of(line)
    owed = over.pop("owed", {})
    return shelf.make_rendition(master, code, tags=shelf.tags_of(master, **over), **owed)


def got(line: OrderLine, alice: User, code: str = "FLAC", *, whole: bool = False) -> Rendition:
    """The first track's file as the buyer fetches it now."""
    now = timezone.now()
    track = line.tracks.get(position=1).track_id
    token = library.link(line, user=alice, track=None if whole else track, format=code, at=now)
    found = library.resolve(token, user=alice, at=now)
    return library.contents(line, code)[0][1] if whole else found.rendition or pytest.fail("a zip")


def test_a_recording_on_two_releases_comes_with_the_tags_of_the_one_that_was_bought(
    line: OrderLine, alice: User
) -> None:
    shelf_copy = got(line, alice)
    other = catalog.make_release("Collected", label=line.label)
    catalog.make_track(other, master_of(line).recording, number=7)
    theirs = corrected(line, place=f"{other.public_id}/{master_of(line).recording.public_id}", album="Collected")
    assert got(line, alice) == shelf_copy != theirs
    assert library.contents(line, "FLAC")[0][1] == shelf_copy


def test_the_control_without_regard_to_the_place(line: OrderLine, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = corrected(line, place="elsewhere")
    monkeypatch.setattr(renditions, "kin_of", lambda _tags: ())
    monkeypatch.setattr(library, "_kin", lambda _row: ())
    assert got(line, alice) == theirs


def test_a_file_of_another_place_alone_is_tagged_for_this_one_first(line: OrderLine, alice: User) -> None:
    corrected(line, "WAV", place="elsewhere")
    with pytest.raises(NotReadyYet):
        got(line, alice, "WAV")
    owed = Rendition.objects.get(format="WAV", state=PLANNED)
    assert owed.tags["place"] == f"{line.release.public_id}/{master_of(line).recording.public_id}"


def test_while_a_corrected_file_is_made_the_one_before_is_given(line: OrderLine, alice: User) -> None:
    before = got(line, alice)
    owed = corrected(line, title="Corrected", owed=OWED)
    assert got(line, alice) == before
    Rendition.objects.filter(pk=owed.pk).update(
        state=READY, sha256="c" * 64, storage_key="k", bytes=9, ready_at=timezone.now()
    )
    assert got(line, alice) == owed
    assert got(line, alice, whole=True) == owed


def test_a_file_under_another_licence_is_not_what_was_bought(line: OrderLine, alice: User) -> None:
    before = got(line, alice)
    corrected(line, licence_url="https://creativecommons.org/licenses/by-nc/4.0/")
    assert got(line, alice) == before


def test_a_format_made_long_after_the_sale_has_todays_title(line: OrderLine, alice: User) -> None:
    corrections.retitle_recording(master_of(line).recording, title="Right")
    with pytest.raises(NotReadyYet):
        got(line, alice, "WAV")
    owed = Rendition.objects.get(format="WAV", state=PLANNED)
    assert (owed.tags["title"], owed.tags["licence_url"]) == ("Right", shelf.BY_SA)


def test_a_review_after_a_correction_tags_what_buyers_had_asked_for_as_well(line: OrderLine) -> None:
    corrected(line, "WAV")
    corrections.retitle_recording(master_of(line).recording, title="Right")
    while offers.review_due(at=timezone.now()).recordings:
        pass
    owed = Rendition.objects.filter(master=master_of(line), state=PLANNED, purpose="FULL", tags__title="Right")
    assert {"WAV", "FLAC", "MP3_V0"} <= set(owed.values_list("format", flat=True))


def test_another_id3_is_written_into_what_is_there_by_a_command(line: OrderLine, settings: LazySettings) -> None:
    offers.mark_due([master_of(line).recording_id], cause="test")
    while offers.review_due(at=timezone.now()).recordings:
        pass
    Rendition.objects.filter(state=PLANNED).update(
        state=READY, sha256="d" * 64, bytes=9, samples=9, storage_key="k", ready_at=timezone.now()
    )
    settings.ID3_VERSION = 3
    call_command("retag", stdout=StringIO())
    while offers.review_due(at=timezone.now()).recordings:
        pass
    owed = Rendition.objects.filter(master=master_of(line), state=PLANNED, purpose="FULL")
    assert set(owed.values_list("format", flat=True)) == {"MP3_V0", "MP3_320"}


# -- What buyers are told ----------------------------------------------------------------------------------------------


def told(line: OrderLine) -> dict[int, tuple[str, ...]]:
    """What was corrected since, by the position of the track."""
    found = corrections.since_fetched([line])
    positions = {row.track_id: row.position for row in line.tracks.all()}
    return {positions[track]: said.what for (_, track), said in found.items()}


@pytest.mark.parametrize("whole", [False, True], ids=["a file", "a zip"])
def test_who_fetched_a_file_is_told_that_it_was_corrected_until_they_fetch_it_again(
    line: OrderLine, alice: User, *, whole: bool
) -> None:
    got(line, alice, whole=whole)
    assert told(line) == {}
    new = corrected(line, title="Right", album="First Night", attribution="“Right” by Ana")
    Rendition.objects.filter(pk=new.pk).update(ready_at=timezone.now())
    assert told(line) == {1: ("title", "release title")}
    assert got(line, alice, whole=whole) == new
    assert told(line) == {}


def test_who_never_fetched_it_is_told_nothing(line: OrderLine, alice: User) -> None:
    now = timezone.now()
    library.link(line, user=alice, track=line.tracks.get(position=1).track_id, format="FLAC", at=now)  # not followed
    corrected(line, title="Right")
    assert told(line) == {}


def test_a_correction_that_is_not_made_yet_is_not_told(line: OrderLine, alice: User) -> None:
    got(line, alice)
    corrected(line, title="Right", owed=OWED)
    assert told(line) == {}


def test_equal_bytes_are_no_correction(line: OrderLine, alice: User) -> None:
    before = got(line, alice)
    corrected(line, title="Right", owed={"sha256": before.sha256})
    assert told(line) == {}


def test_a_file_that_was_lost_and_made_again_is_no_correction(line: OrderLine, alice: User) -> None:
    old = got(line, alice, whole=True)
    Rendition.objects.filter(pk=old.pk).update(planned_at=timezone.now() + timedelta(seconds=5))
    assert told(line) == {}


def test_the_library_says_since_when_and_what(line: OrderLine, alice: User) -> None:
    at_alices: Client = sign_in(alice)
    got(line, alice, whole=True)
    assert "Fetch it again" not in at_alices.get("/library/").text
    new = corrected(line, title="Right")
    day = timezone.now() + timedelta(seconds=1)
    Rendition.objects.filter(pk=new.pk).update(tags_at=day, ready_at=day)
    page = at_alices.get("/library/")
    assert f"Corrected on {day:%-d %B %Y}: title. Fetch it again." in page.text
    (row,) = page.context["rows"]
    assert [bool(track["corrected"]) for track in row["tracks"]] == [True, False]
