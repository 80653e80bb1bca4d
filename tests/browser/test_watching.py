"""A page that watches a release being examined: its cells move, then its rows; and the place where a preview begins."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from store import access
from tests.factories import catalog, shelf, transcoding
from tests.factories.store import make_user
from transcoding.models import Finding, Master

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
