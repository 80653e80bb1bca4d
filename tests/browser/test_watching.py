"""Pages that watch work go on: cells that move, bars that fill, what operators see; and a master's page."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page, expect

from store import access, attendance
from tests.browser import look
from tests.factories import catalog, shelf, transcoding
from tests.factories.store import make_user
from transcoding.models import Attempt, Finding, Master, Rendition

OpenPage = Callable[..., Page]


def test_a_watched_row_tells_how_far_it_is_and_then_what_became_of_it(open_page: OpenPage) -> None:
    label = catalog.make_label("Bob's Records", slug="bobs")
    access.join(bob := make_user("Bob"), label, role="OWNER")
    recording = catalog.make_recording("Piece", label=label)
    release = catalog.make_release("First Light", label=label)
    catalog.make_track(release, recording, number=1)
    master = transcoding.make_master(
        recording, state=Master.State.EXAMINING, accepted_at=None, fence=1, permille=120, sound_sha256=""
    )
    page = open_page(user=bob)
    page.goto(f"/studio/bobs/releases/{release.public_id}/")
    cell = page.locator(f"#live-{recording.pk}")
    expect(cell).to_contain_text("Examined 12%")
    Master.objects.filter(pk=master.pk).update(permille=870)
    expect(cell).to_contain_text("Examined 87%")
    transcoding.make_finding(master, severity=Finding.Severity.FATAL, message="The file is cut off.")
    Master.objects.filter(pk=master.pk).update(state=Master.State.REJECTED)
    expect(page.get_by_text("The file is cut off.")).to_be_visible()  # the whole row was drawn anew
    expect(page.locator("#live")).to_have_count(0)  # and nobody asks any more


def test_the_place_on_the_wave_and_the_clock_are_one(open_page: OpenPage) -> None:
    release = shelf.shelve("First Light", tracks=1)
    access.join(bob := make_user("Bob"), release.label, role="OWNER")
    recording = release.recordings.get()
    page = open_page(user=bob)
    page.goto(f"/studio/{release.label.slug}/recordings/{recording.public_id}/")
    place = page.get_by_role("slider", name="Where the preview begins, in seconds")
    expect(place).to_have_value("30")
    place.press("ArrowRight")
    expect(page.get_by_label("Begins at")).to_have_value("0:31")
    page.get_by_role("button", name="Begin here").click()
    expect(page.get_by_text("where you let it begin")).to_be_visible(timeout=20_000)


def test_a_buyer_watches_each_of_ten_tracks_and_then_has_them(open_page: OpenPage) -> None:
    release = shelf.shelve("First Light", tracks=10)
    alice = make_user("Alice")
    shelf.sell(shelf.whole(release), buyer=alice)
    page = open_page(user=alice)
    page.goto("/library/?format=WAV")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("Being made, 0 of 10").wait_for()
    owed = Rendition.objects.filter(format="WAV").order_by("master")
    assert set(owed.values_list("state", "priority")) == {("PLANNED", 10)}
    first, second, third = owed[:3]
    Rendition.objects.filter(pk=first.pk).update(state="MAKING", permille=620)
    page.get_by_text("10 tracks", exact=True).click()
    bars = page.locator("#library .files progress")
    expect(bars.nth(0)).to_be_visible()
    expect(bars.nth(0)).to_have_attribute("value", "620")
    expect(bars.nth(1)).to_have_attribute("value", "0")
    expect(page.get_by_role("progressbar", name="Being made, 0 of 10")).to_have_attribute("value", "62")
    done = {"bytes": 9, "samples": 9, "sample_rate": 44100, "storage_key": "renditions/aa/x.wav", "sha256": "a" * 64}
    ready = {"state": "READY", "ready_at": timezone.now(), **done}
    Rendition.objects.filter(pk__in=[second.pk, third.pk]).update(**ready)
    expect(page.get_by_text("Being made, 2 of 10")).to_be_visible()
    expect(bars).to_have_count(8)
    expect(bars.nth(0)).to_be_visible()  # what one has opened stays open
    owed.exclude(state="READY").update(**ready)
    expect(page.get_by_role("button", name="All,")).to_be_visible()


def test_operators_see_what_waits_what_failed_and_who_works(open_page: OpenPage) -> None:
    ada = make_user("Ada", is_staff=True)
    at = timezone.now()
    owed = transcoding.make_rendition(
        format="WAV", state="PLANNED", priority=10, ready_at=None, planned_at=at - timedelta(hours=1),
        storage_key="", sha256="",
    )  # fmt: skip
    made = transcoding.make_rendition(format="FLAC")
    for row, outcome, error in ((made, "DONE", ""), (owed, "FAILED", "The disk is full.")):
        Attempt.objects.create(
            master=row.master, rendition=row, fence=1, started_at=at - timedelta(minutes=2),
            ended_at=at - timedelta(minutes=1), outcome=outcome, error=error,
        )  # fmt: skip
    attendance.sign_in("cpu@harbour", ("cpu",), at=at)
    page = open_page(user=ada)
    page.goto("/ops/")
    for words in ("Files a buyer waits for", "too long", "The disk is full.", "cpu@harbour", "3.0"):
        expect(page.get_by_text(words).first).to_be_visible()
    assert look.faults(page, closely=["phone"]) == []


def test_a_masters_page_has_no_barrier_and_fits_every_window(open_page: OpenPage) -> None:
    label = catalog.make_label("Bob's Records", slug="bobs")
    access.join(bob := make_user("Bob"), label, role="OWNER")
    master = transcoding.make_master(catalog.make_recording("Tide", label=label))
    transcoding.make_analysis(master)
    transcoding.make_finding(master, severity=Finding.Severity.WARNING, message="Clipped in 14 places.")
    page = open_page(user=bob)
    page.goto(f"/studio/bobs/masters/{master.public_id}/")
    expect(page.get_by_role("img", name="Loudness over time")).to_be_visible()
    assert look.faults(page, closely=["phone"]) == []
