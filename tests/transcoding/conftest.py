from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.transcoding import sounds


@pytest.fixture(scope="session")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two-second files in every container that is taken."""
    folder = tmp_path_factory.mktemp("audio")
    plain = sounds.write_wav(folder / "plain.wav")
    deep = sounds.write_wav(folder / "deep.wav", rate=48000, bits=24)
    sounds.convert(plain, folder / "plain.flac")
    sounds.convert(deep, folder / "deep.flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24")
    sounds.convert(plain, folder / "plain.aiff")
    sounds.convert(plain, folder / "plain.m4a", "-c:a", "alac")
    sounds.convert(plain, folder / "aac.m4a", "-c:a", "aac")
    sounds.convert(plain, folder / "plain.ogg", "-c:a", "libvorbis", "-q:a", "5")
    sounds.convert(plain, folder / "plain.opus", "-c:a", "libopus")
    sounds.convert(plain, folder / "plain.mp3", "-c:a", "libmp3lame", "-q:a", "2")
    sounds.convert(plain, folder / "plain.wv")
    return folder


@pytest.fixture(autouse=True)
def audio_home(settings: LazySettings, tmp_path: Path) -> Path:
    """Every test has a store of its own."""
    settings.HOME = tmp_path / "home"
    settings.AUDIO_ROOT = settings.HOME / "audio"
    return tmp_path
