"""What is said of AAC's quality is measured: the cheaper coder's error lies no nearer to what would be heard."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import hearing as benchmark
from benchmarks.transcoding import hearing
from tests.transcoding import sounds
from transcoding.formats import FORMATS


@pytest.fixture(scope="module")
def applause(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark.hard(tmp_path_factory.mktemp("hard"), seconds=3)[-1]


def below(source: Path, folder: Path, *options: str) -> float:
    made = sounds.convert(source, folder / "made.m4a", *options)
    return hearing.judge(hearing.samples(source), hearing.samples(made)).below


@pytest.mark.parametrize("code", ["AAC_256", "AAC_320"])
def test_many_bits_are_spent_no_worse_than_by_the_slow_coder(applause: Path, tmp_path: Path, code: str) -> None:
    each = FORMATS[code]
    slow = below(applause, tmp_path, *benchmark.SLOW, "-b:a", f"{each.kilobits}k")
    assert below(applause, tmp_path, *each.options) > slow


def test_the_control_hears_that_there_are_fewer(applause: Path, tmp_path: Path) -> None:
    many, few = (below(applause, tmp_path, *FORMATS[code].options) for code in ("AAC_256", "AAC_128"))
    assert many > few + 3


def test_what_lies_deep_below_a_tone_disturbs_nothing_and_a_hiss_does() -> None:
    at = np.arange(44100)[:, None] / 44100
    tone = 0.3 * np.sin(2 * np.pi * 440 * at)
    hiss = np.random.default_rng(1).normal(0, 0.01, tone.shape)
    assert hearing.judge(tone, tone + hiss / 1000).disturbed == 0
    assert hearing.judge(tone, tone + hiss).disturbed == 1
