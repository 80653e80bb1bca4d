"""The main job, as a label, a reviewer and a shopper do it in their browsers; only the clock and the money are ours.

Everything runs: delivery, examination and encoding by ffmpeg, review, clearance, offers, Stripe's sandbox, its
signed webhook, settlement, download, certificate. A worker's turn is taken between the steps, in this thread.
"""

import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mutagen
import pytest
from django.conf import settings as site
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from payments import chain
from payments.models import StripeEvent
from store import access, parcels, signing, tasks
from store.models import Order, User
from tests.browser.conftest import also_allowed
from tests.deliveries.tones import write_tags
from tests.factories import catalog
from tests.factories.store import make_user
from tests.fakes import StripeFake, stripe_sandbox  # noqa: F401 - a fixture
from transcoding import masters, renditions
from transcoding.models import Master, Parcel, Rendition

BY = "https://creativecommons.org/licenses/by/4.0/"


def worker() -> None:
    """A worker's and beat's turn: all that is owed, until nothing is."""
    for _ in range(4):
        for master in Master.objects.filter(state=Master.State.EXAMINING):
            masters.examine(master.pk)
        tasks.review_offers()
        for key in Rendition.objects.filter(state="PLANNED").values_list("master_id", flat=True).distinct():
            renditions.make_due(key)
        for event in StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).order_by("pk"):
            tasks.handle_stripe_event(event.pk)
    chain.seal_new(at=timezone.now())


@pytest.fixture
def tide(tmp_path: Path) -> Path:
    """Eight seconds of a swelling tone, tagged as a label would."""
    path = tmp_path / "01 Tide.flac"
    sound = ["-f", "lavfi", "-i", "sine=frequency=220:duration=8:sample_rate=44100", "-af", "tremolo=f=0.5:d=0.8"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *sound, "-c:a", "flac", str(path)]
    subprocess.run(command, check=True, timeout=60)
    write_tags(path, "flac", title="Tide", artist="Ana Lind", album="Shore", tracknumber="1", license=BY)
    return path


@pytest.fixture
def cast(transactional_db: None) -> dict[str, User]:
    people = {"Alice": make_user("Alice"), "Bob": make_user("Bob"), "Rita": make_user("Rita", is_reviewer=True)}
    access.join(people["Bob"], catalog.make_label("Harbour Records", slug="harbour"), role="OWNER")
    return people


@pytest.fixture
def shop(settings: Any, live_server: LiveServer, stripe_sandbox: StripeFake) -> StripeFake:  # noqa: F811
    """The shop knows its own address and where Stripe's pages are, as its environment would tell it."""
    settings.SITE_URL = live_server.url
    policy = site.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {**policy, "form-action": ["'self'", stripe_sandbox.address]}}
    also_allowed.append(stripe_sandbox.address)
    return stripe_sandbox


def deliver(page: Page, file: Path) -> None:
    page.goto("/studio/harbour/deliver/")
    page.locator("#id_files").set_input_files(file)
    page.get_by_label(re.compile("own", re.IGNORECASE)).first.check()
    page.locator("[name=price]").fill("1.50")
    expect(page.locator("[data-chosen]")).to_contain_text("1 file here")
    page.get_by_role("button", name="Deliver").click()
    expect(page.get_by_text("wait to be read")).to_be_visible()
    for parcel in Parcel.objects.all():
        parcels.take(parcel.pk, at=timezone.now())
    expect(page.get_by_role("main").get_by_text("Tide").first).to_be_visible()


def approve_all(page: Page) -> None:
    for _ in range(2):  # the recording, then the composition
        page.goto("/review/")
        page.get_by_role("main").get_by_role("link", name="Tide").first.click()
        page.get_by_role("button", name="Approve").click()
        page.wait_for_load_state("networkidle")
    page.goto("/review/")
    expect(page.get_by_role("main").get_by_role("link", name="Tide")).to_have_count(0)


def buy(page: Page) -> None:
    page.goto("/search?q=shore")
    page.get_by_role("main").get_by_role("link", name="Shore").first.click()
    page.get_by_role("button", name="Play a preview of Tide").click()
    expect(page.locator("#player [data-part=whole]")).not_to_have_text("0:00")
    page.get_by_role("button", name=re.compile("^Buy the")).click()
    page.get_by_role("link", name="Go to the checkout").click()
    page.get_by_role("checkbox", name="Start the download at once").check()
    page.get_by_role("button", name=re.compile("^Pay")).click()


def test_a_labels_recording_becomes_a_file_in_a_shoppers_hand_with_its_proof(
    open_page: Callable[..., Page], shop: StripeFake, cast: dict[str, User], tide: Path, tmp_path: Path
) -> None:
    deliver(open_page(user=cast["Bob"]), tide)
    worker()
    approve_all(open_page(user=cast["Rita"]))
    worker()

    page = open_page(user=cast["Alice"])
    buy(page)
    expect(page).to_have_url(re.compile(re.escape(shop.address)))
    page.get_by_role("button", name=re.compile("pay", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile("/orders/"))
    for one in shop.webhooks():
        headers = {"stripe-signature": one.signature}
        Client().post("/stripe/webhook", one.body, content_type="application/json", headers=headers)
    worker()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("It is yours")
    assert Order.objects.get().state == Order.State.PAID

    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download.*FLAC")).first.click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.suffix == ".flac"
    tags = mutagen.File(saved).tags
    assert (tags["title"], tags["artist"]) == (["Tide"], ["Ana Lind"])

    page.get_by_role("link", name="Certificate").first.click()
    expect(page.get_by_text("Verified here, by your browser")).to_be_visible()
    expect(page.get_by_text("sealed at place")).to_be_visible()
    certificate = Order.objects.get().lines.get().certificate
    with urllib.request.urlopen(f"{page.url}.json", timeout=20) as document:  # noqa: S310 - the live server
        signed = signing.read(document.read())
    assert signed.sha256 == certificate.sha256
