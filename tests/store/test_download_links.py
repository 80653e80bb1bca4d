"""Links are made per click, end, and are checked against the purchase; anything else gets the same refusal."""

import json
from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone

from licensing import notices
from licensing.models import ClearanceDecision
from licensing.terms import NoticeKind
from store import archives, library
from store.errors import FormatUnknown, LinkRefused, NotOwned, NotReadyYet, Recalled
from store.models import Download, Offer, Order, OrderLine, OrderLineTrack
from tests.factories import shelf
from tests.factories.store import line_fields, make_user, order_fields
from transcoding.models import Rendition

pytestmark = pytest.mark.django_db


def sell(release, buyer):
    """A paid order of the whole release, as rows."""
    offer = Offer.objects.get(release=release)
    order = Order.objects.create(**order_fields(buyer, total_minor=offer.amount_minor))
    line = OrderLine.objects.create(**line_fields(order, offer))
    for position, track in enumerate(release.tracks.all(), 1):
        decision = ClearanceDecision.objects.filter(recording=track.recording, use="PERMANENT_DOWNLOAD").latest("pk")
        OrderLineTrack.objects.create(
            line=line, track=track, position=position, decision=decision, sound_sha256=decision.sound_sha256
        )
    OrderLine.objects.filter(pk=line.pk).update(state="PAID")
    Order.objects.filter(pk=order.pk).update(state="PAID", paid_at=timezone.now())
    return line


@pytest.fixture
def alice():
    return make_user("Alice")


@pytest.fixture
def line(alice):
    return sell(shelf.shelve(), alice)


@pytest.fixture
def now():
    return timezone.now()


def link(line, alice, now, **over):
    track = line.tracks.first().track_id
    return library.link(line, user=alice, **{"track": track, "format": "FLAC", "at": now, **over})


def test_a_link_fetches_the_bought_file(line, alice, now):
    found = library.resolve(link(line, alice, now), user=alice, at=now)

    assert found.rendition
    assert (found.format, found.media_type, found.line.pk) == ("FLAC", "audio/flac", line.pk)
    assert found.rendition.master.recording == line.tracks.first().track.recording
    assert Download.objects.get().uses == 1


@pytest.mark.parametrize("late", [60, 61, 3600])
def test_a_link_nobody_follows_ends_after_a_minute(line, alice, now, late):
    token = link(line, alice, now)
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now + timedelta(seconds=late))


def test_a_file_once_begun_is_resumed_for_an_hour_and_no_longer(line, alice, now):
    token = link(line, alice, now)
    for moment in (58, 61, 3598):
        library.resolve(token, user=alice, at=now + timedelta(seconds=moment))
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now + timedelta(seconds=3600))


def test_a_zip_once_begun_still_ends_after_a_minute(line, alice, now):
    token = link(line, alice, now, track=None)
    library.resolve(token, user=alice, at=now + timedelta(seconds=58))
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now + timedelta(seconds=60))


def test_a_link_from_the_future_is_refused(line, alice, now):
    token = link(line, alice, now)
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now - timedelta(minutes=5))


def test_every_single_altered_character_is_refused(line, alice, now):
    token = link(line, alice, now)
    for place, letter in enumerate(token):
        other = "A" if letter != "A" else "B"
        with pytest.raises(LinkRefused):
            library.resolve(token[:place] + other + token[place + 1 :], user=alice, at=now)


@pytest.mark.parametrize("token", ["", "x", ":", "a:b", "é", "\0", "a" * 10_000])
def test_what_is_no_token_is_refused(alice, now, token):
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now)


def test_a_link_of_another_buyer_is_refused(line, alice, now):
    with pytest.raises(LinkRefused):
        library.resolve(link(line, alice, now), user=make_user("Charlie"), at=now)


@pytest.mark.parametrize(
    "change", [{"format": "MP3_V0"}, {"purpose": "ZIP"}, {"track": None}, {"ends": 2**40}, {"user": 0}, {"line": 0}]
)
def test_a_well_signed_link_that_says_something_else_than_its_row_is_refused(line, alice, now, change):
    said = {**library._read(link(line, alice, now)), **change}
    forged = signing.Signer(salt=library.SALT).sign(signing.b64_encode(json.dumps(said).encode()).decode())
    with pytest.raises(LinkRefused):
        library.resolve(forged, user=alice, at=now)


def test_a_token_signed_for_another_purpose_is_refused(line, alice, now):
    said = link(line, alice, now).rpartition(":")[0]
    with pytest.raises(LinkRefused):
        library.resolve(signing.Signer(salt="store.other").sign(said), user=alice, at=now)


def test_a_refunded_line_fetches_nothing(line, alice, now):
    token = link(line, alice, now)
    OrderLine.objects.update(state="REFUND_DUE")
    with pytest.raises(LinkRefused):
        library.resolve(token, user=alice, at=now)
    with pytest.raises(NotOwned):
        link(line, alice, now)


def test_a_recalled_recording_is_refused_with_the_reason(line, alice, now):
    token = link(line, alice, now)
    notices.take_down(
        line.tracks.first().track.recording, kind=NoticeKind.RECALL, claimant="Charlie", statement="Void.",
        actor="user:staff", at=now,
    )  # fmt: skip
    with pytest.raises(Recalled):
        library.resolve(token, user=alice, at=now)


def test_a_strangers_purchase_is_as_good_as_none(line, now):
    with pytest.raises(NotOwned):
        link(line, make_user("Charlie"), now)


def test_a_track_that_was_not_bought_is_not_fetched(line, alice, now):
    with pytest.raises(NotOwned):
        link(line, alice, now, track=shelf.shelve("Another").tracks.get(number=1).pk)


def test_a_format_that_is_not_offered_is_refused(alice, now):
    lossy = sell(shelf.shelve(lossless=False), alice)
    with pytest.raises(FormatUnknown):
        link(lossy, alice, now, format="FLAC")


def test_a_format_on_demand_is_planned_and_its_state_told(line, alice, now):
    with pytest.raises(NotReadyYet):
        link(line, alice, now, format="OPUS_128")

    assert Rendition.objects.get(format="OPUS_128").state == "PLANNED"
    states = {each.format: each.state for each in library.files([line])[line.pk, line.tracks.first().track_id]}
    assert states["OPUS_128"] == "WAITING"
    assert states["FLAC"] == "READY"
    assert states["WAV"] == "ON_DEMAND"


def test_asking_again_plans_it_once(line, alice, now):
    for _ in range(3):
        with pytest.raises(NotReadyYet):
            link(line, alice, now, format="WAV")
    assert Rendition.objects.filter(format="WAV").count() == 1


def test_a_whole_line_is_one_zip_with_licence_and_credits(line, alice, now):
    found = library.resolve(link(line, alice, now, track=None), user=alice, at=now)
    names = [each.name.rpartition("/")[2] for each in archives.listing(line, "FLAC")]

    assert found.media_type == "application/zip"
    assert [name for name in names if name.endswith(".flac")] == names[:2]
    assert {"LICENSE.txt", "ATTRIBUTION.txt"} <= set(names)


def test_the_licence_text_names_each_files_licence_and_adds_no_term(line):
    text = archives.licence_text(line, library.contents(line, "FLAC"))
    assert text.count(shelf.BY_SA) == 4  # beside each file, and in the attribution of each
    assert "No further terms" in text


def test_the_licence_text_says_what_each_licence_asks(line):
    row = line.tracks.first()
    data = row.decision.verdict
    for duty in data["obligations"]["licences"]:
        duty["duties"] = ["NAME_AUTHOR", "SHARE_ALIKE"]
    files = [(row, rendition) for _, rendition in library.contents(line, "FLAC")][:1]
    text = archives.licence_text(line, files)
    assert text.count("    - Name the author") == 1
    assert text.count("    - License what you make of it under the same licence.") == 1


def test_a_new_master_does_not_change_what_was_bought(line, alice, now):
    bought = line.tracks.first()
    shelf.make_master(bought.track.recording, accepted_at=now)
    found = library.resolve(link(line, alice, now), user=alice, at=now)
    assert found.rendition
    assert found.rendition.master.sound_sha256 == bought.sound_sha256


def test_the_shelf_costs_the_same_for_one_purchase_and_for_five(alice, django_assert_num_queries):
    for number in range(5):
        sell(shelf.shelve(f"Album {number}"), alice)
    with django_assert_num_queries(8):
        lines = library.owned(alice)
        library.files(lines)
    assert len(lines) == 5
