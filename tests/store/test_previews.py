"""The preview that is heard is the one that may be: its length by licence and country, its start by the label."""

from typing import Any

import pytest
from django.utils import timezone

from licensing.licences import parse
from licensing.terms import EvidenceKind
from store import offers, previews
from store.errors import StartOutside
from store.models import ReviewDue
from tests.factories import catalog, licensing, transcoding
from tests.store.conftest import make_ready
from transcoding import previews as cuts
from transcoding.models import Master, PreviewStart, Rendition

pytestmark = pytest.mark.django_db


def shelve(seconds: int = 200, **terms: object) -> Master:
    """A cleared recording whose previews are planned and made, loudest at one minute."""
    label = catalog.make_label()
    recording = catalog.make_recording(label=label)
    catalog.make_track(catalog.make_release(label=label), recording, number=1)
    master = transcoding.make_master(recording, samples=seconds * 44100, loudest_second=60)
    licensing.make_cleared(recording, sound=master.sound_sha256, **terms)
    review()
    return master


def direct(**terms: Any) -> Master:
    """The same on the label's own grant to the store."""
    paper = licensing.make_evidence(EvidenceKind.AGREEMENT, text="We agree.")
    return shelve(basis="DIRECT", licence_url="", evidence=[paper], **terms)


def review() -> None:
    offers.review_offers(None, at=timezone.now(), actor="test")
    make_ready()


def made() -> set[tuple[str, int, int]]:
    rows = Rendition.objects.filter(purpose=Rendition.Purpose.PREVIEW).values_list("format", "cut")
    return {(code, cut["start_ms"] // 1000, cut["length_ms"] // 1000) for code, cut in rows if cut}


def heard(master: Master, country: str = "DE") -> tuple[int, int] | None:
    """Start and length in seconds of what is played."""
    found = previews.heard([master.recording_id], country=country).get(master.recording_id)
    if found is None:
        return None
    assert found.opus is not None
    assert found.mp3.cut
    assert found.opus.cut == found.mp3.cut
    return found.mp3.cut["start_ms"] // 1000, found.mp3.cut["length_ms"] // 1000


def test_a_preview_is_cut_in_both_kinds_from_the_loudest_passage() -> None:
    assert heard(shelve()) == (60, 90)
    assert made() == {("PREVIEW_MP3", 60, 90), ("PREVIEW_OPUS", 60, 90)}


def test_the_shop_may_want_shorter_ones(settings) -> None:
    settings.PREVIEW_SECONDS = 40
    assert heard(shelve()) == (60, 40)


def test_each_country_hears_as_much_as_licence_and_law_leave_it() -> None:
    master = direct(preview_max_seconds=75)
    assert heard(master, "DE") == (60, 75)
    assert heard(master, "CA") == (60, 30)


def test_the_longer_cut_does_not_exist_where_only_the_shorter_may_be_heard() -> None:
    master = direct()
    longer = previews.heard([master.recording_id], country="DE")[master.recording_id]
    assert longer.opus
    assert previews.may_be_heard(longer.mp3, country="DE")
    assert previews.may_be_heard(longer.opus, country="DE")
    assert not previews.may_be_heard(longer.mp3, country="CA")
    assert not previews.may_be_heard(longer.opus, country="CA")


def test_under_nd_a_part_is_heard_as_it_is_without_fades() -> None:
    master = shelve(licence_url=parse("CC BY-ND 4.0").url)
    found = previews.heard([master.recording_id], country="DE")[master.recording_id]
    assert found.mp3.cut
    assert (found.mp3.cut["fade_in_ms"], found.mp3.cut["fade_out_ms"]) == (0, 0)


def test_a_faded_cut_is_silent_under_nd() -> None:
    faded, bare = cuts.Cut(60_000, 90_000, 500, 1500), cuts.Cut(60_000, 90_000, 0, 0)
    master = shelve(licence_url=parse("CC BY-ND 4.0").url)
    (mp3,) = Rendition.objects.filter(format="PREVIEW_MP3")
    assert mp3.cut == bare.to_json()
    mp3.cut = faded.to_json()
    assert not previews.best([mp3], master, start_ms=60_000, seconds=90, fades=False)
    assert previews.best([mp3], master, start_ms=60_000, seconds=90, fades=True)


def test_a_moved_start_silences_the_old_cut_at_once_and_makes_a_new_one() -> None:
    master = shelve()
    old = previews.heard([master.recording_id])[master.recording_id].mp3
    ReviewDue.objects.all().delete()
    previews.set_start(master, milliseconds=12_500, actor="user:1")
    assert heard(master) is None
    assert not previews.may_be_heard(old, country="DE")
    assert ReviewDue.objects.filter(recording_id=master.recording_id).exists()
    review()
    assert heard(master) == (12, 90)


def test_without_the_look_at_the_start_the_old_cut_would_go_on(monkeypatch) -> None:
    master = shelve()
    previews.set_start(master, milliseconds=12_500, actor="user:1")
    monkeypatch.setattr(cuts, "fits", lambda *_args, **_terms: True)
    assert heard(master) == (60, 90)


def test_the_loudest_passage_comes_back_when_the_choice_is_given_up() -> None:
    master = shelve()
    previews.set_start(master, milliseconds=12_500, actor="user:1")
    previews.set_start(master, milliseconds=None, actor="user:1")
    assert heard(master) == (60, 90)


@pytest.mark.parametrize("milliseconds", [-1, 200_000])
def test_a_preview_cannot_begin_outside_the_recording(milliseconds: int) -> None:
    master = shelve()
    with pytest.raises(StartOutside):
        previews.set_start(master, milliseconds=milliseconds, actor="user:1")
    assert not PreviewStart.objects.exists()


def test_a_wave_is_the_cuts_own_or_the_masters_part() -> None:
    master = shelve()
    row = previews.heard([master.recording_id])[master.recording_id].mp3
    assert len(previews.wave(row)) == 90  # of the 200 that a master of 200 s has
    row.peaks = [7, 8]
    assert previews.wave(row) == [7, 8]


def test_many_recordings_cost_the_same_queries(django_assert_num_queries) -> None:
    few, more = [shelve().recording_id], [shelve().recording_id for _ in range(2)]
    for keys in (few, few + more):
        with django_assert_num_queries(5):
            assert len(previews.heard(keys, country="DE")) == len(keys)
