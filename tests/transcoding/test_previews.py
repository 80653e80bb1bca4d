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
from transcoding.previews import Passage

THREE_MINUTES = Passage(44100, 2, 180 * 44100)


def test_a_cut_is_thirty_seconds_of_the_loudest_passage_with_fades() -> None:
    cut = previews.plan_cut(THREE_MINUTES, loudest_second=61, seconds=30, fades=True)
    assert cut == previews.Cut(61_000, 30_000, 500, 1500)


def test_a_cut_never_runs_past_the_end() -> None:
    cut = previews.plan_cut(THREE_MINUTES, loudest_second=170, seconds=30, fades=True)
    assert cut.start_ms + cut.length_ms == 180_000


def test_a_cut_is_never_more_than_half_of_the_recording() -> None:
    short = replace(THREE_MINUTES, samples=20 * 44100)
    assert previews.plan_cut(short, loudest_second=0, seconds=30, fades=True).length_ms == 10_000


def test_where_changes_are_forbidden_there_are_no_fades() -> None:
    cut = previews.plan_cut(THREE_MINUTES, loudest_second=0, seconds=30, fades=False)
    assert (cut.fade_in_ms, cut.fade_out_ms) == (0, 0)


def loudness(path: Path) -> np.ndarray:
    sound = np.frombuffer(sounds.decode(path), dtype="<i2").reshape(-1, 2).astype(float)
    tenth = len(sound) // 10
    return np.array([np.abs(sound[at : at + tenth]).mean() for at in range(0, tenth * 10, tenth)])


@pytest.mark.django_db
@pytest.mark.parametrize(("fades", "faded"), [(True, True), (False, False)])
def test_fades_are_heard_in_the_file(tmp_path: Path, settings, fades: bool, faded: bool) -> None:  # noqa: FBT001
    settings.PREVIEW_SECONDS = 3
    tone = np.sin(np.arange(8 * 44100) / 20)[:, None] * np.array([[0.5, 0.4]])
    master = deliver(sounds.write_samples(tmp_path / "tone.wav", tone))
    row = renditions.plan_preview(master, tags=make_tags(), fades=fades, at=timezone.now())
    assert renditions.make_due(master.pk) == 1
    row.refresh_from_db()
    path = storage.path_of(row.storage_key)
    assert path is not None
    level = loudness(path)
    assert bool(level[0] < level[5] / 1.5 and level[-1] < level[5] / 3) is faded
    assert row.samples == 3 * 44100


@pytest.mark.django_db
def test_previews_are_made_in_both_kinds_from_a_studio_master(tmp_path: Path) -> None:
    master = deliver(sounds.write_wav(tmp_path / "studio.wav", rate=96000, bits=24, seconds=3))
    for code in ("PREVIEW_MP3", "PREVIEW_OPUS"):
        renditions.plan_preview(master, tags=make_tags(), fades=True, at=timezone.now(), format=FORMATS[code])
    assert renditions.make_due(master.pk) == 2
    assert set(Rendition.objects.values_list("samples", flat=True)) == {72_000}
    assert renditions.preview_of(master) is not None
