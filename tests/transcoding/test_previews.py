"""A preview is a real passage, faded, and never the whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from tests.factories.transcoding import deliver, make_tags
from tests.transcoding import sounds
from transcoding import previews, renditions, storage
from transcoding.formats import FORMATS
from transcoding.models import Rendition
from transcoding.previews import Cut, Passage

THREE_MINUTES = Passage(44100, 2, 180 * 44100)


def test_a_cut_begins_where_it_is_told_and_fades() -> None:
    cut = previews.plan_cut(THREE_MINUTES, start_ms=61_250, seconds=30, fades=True)
    assert cut == Cut(61_250, 30_000, 500, 1500)


def test_a_cut_never_runs_past_the_end() -> None:
    cut = previews.plan_cut(THREE_MINUTES, start_ms=170_000, seconds=30, fades=True)
    assert cut.start_ms + cut.length_ms == 180_000


def test_a_cut_is_never_more_than_half_of_the_recording() -> None:
    short = replace(THREE_MINUTES, samples=20 * 44100)
    assert previews.plan_cut(short, start_ms=0, seconds=30, fades=True).length_ms == 10_000


def test_where_changes_are_forbidden_there_are_no_fades() -> None:
    cut = previews.plan_cut(THREE_MINUTES, start_ms=0, seconds=30, fades=False)
    assert (cut.fade_in_ms, cut.fade_out_ms) == (0, 0)


@pytest.mark.parametrize(
    ("cut", "fades", "stands"),
    [
        (Cut(61_000, 30_000, 500, 1500), True, True),
        (Cut(61_000, 30_000, 500, 1500), False, False),  # a licence with ND came to hold
        (Cut(61_000, 30_000, 0, 0), False, True),
        (Cut(61_000, 30_000, 0, 0), True, True),
        (Cut(60_000, 30_000, 500, 1500), True, False),  # the label has moved the start
        (Cut(61_000, 31_000, 500, 1500), True, False),  # longer than what is allowed
        (Cut(61_000, 20_000, 500, 1500), True, True),
    ],
)
def test_a_cut_that_would_not_be_planned_now_stands_for_nothing(cut: Cut, fades: bool, stands: bool) -> None:  # noqa: FBT001
    assert previews.fits(cut, THREE_MINUTES, start_ms=61_000, seconds=30, fades=fades) is stands


def test_a_cut_pushed_back_from_the_end_stands_for_its_start() -> None:
    cut = previews.plan_cut(THREE_MINUTES, start_ms=170_000, seconds=30, fades=True)
    assert previews.fits(cut, THREE_MINUTES, start_ms=170_000, seconds=90, fades=True)


def loudness(path: Path) -> np.ndarray:
    sound = np.frombuffer(sounds.decode(path), dtype="<i2").reshape(-1, 2).astype(float)
    tenth = len(sound) // 10
    return np.array([np.abs(sound[at : at + tenth]).mean() for at in range(0, tenth * 10, tenth)])


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a tone that rises second by second to its sixth and falls again."""
    seconds = np.repeat([0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.3, 0.2], 44100)
    tone = (np.sin(np.arange(len(seconds)) / 20) * seconds)[:, None] * np.array([[1, 0.8]])
    return sounds.write_samples(tmp_path_factory.mktemp("steps") / "steps.wav", tone)


@pytest.mark.django_db
def test_fades_are_heard_in_the_file_and_only_where_they_may_be(tmp_path: Path, settings) -> None:
    settings.PREVIEW_SECONDS = 3
    tone = np.sin(np.arange(8 * 44100) / 20)[:, None] * np.array([[0.5, 0.4]])
    master = deliver(sounds.write_samples(tmp_path / "tone.wav", tone))
    rows = {
        fades: renditions.plan_preview(master, tags=make_tags(), fades=fades, at=timezone.now())
        for fades in (True, False)
    }
    assert renditions.make_due(master.pk) == 2
    for fades, row in rows.items():
        row.refresh_from_db()
        path = storage.path_of(row.storage_key)
        assert path is not None
        level = loudness(path)
        assert bool(level[0] < level[5] / 1.5 and level[-1] < level[5] / 3) is fades
        assert row.samples == 3 * 44100


@pytest.mark.django_db
def test_the_passage_is_the_one_that_was_asked_for_and_its_wave_is_kept(steps: Path) -> None:
    master = deliver(steps)
    row = renditions.plan_preview(master, tags=make_tags(), fades=False, start_ms=3000, seconds=2, at=timezone.now())
    renditions.make_due(master.pk)
    row.refresh_from_db()
    assert len(row.peaks) == previews.PEAKS
    assert (row.peaks[60], row.peaks[180]) == pytest.approx((500, 700), abs=20)


@pytest.mark.django_db
def test_previews_are_made_in_both_kinds_from_a_studio_master(tmp_path: Path) -> None:
    master = deliver(sounds.write_wav(tmp_path / "studio.wav", rate=96000, bits=24, seconds=3))
    for code in ("PREVIEW_MP3", "PREVIEW_OPUS"):
        renditions.plan_preview(master, tags=make_tags(), fades=True, at=timezone.now(), format=FORMATS[code])
    assert renditions.make_due(master.pk) == 2
    assert set(Rendition.objects.values_list("samples", flat=True)) == {72_000}
    assert set(Rendition.objects.values_list("state", flat=True)) == {Rendition.State.READY}
