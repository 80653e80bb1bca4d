"""What examination finds out about honest files."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories.transcoding import deliver
from tests.transcoding import sounds
from transcoding import masters, probe, storage
from transcoding.models import Master, Upload

pytestmark = pytest.mark.django_db

LOSSLESS = ["plain.wav", "plain.flac", "plain.aiff", "plain.m4a", "plain.wv"]
LOSSY = ["aac.m4a", "plain.ogg", "plain.opus", "plain.mp3"]


def findings(master: Master) -> set[str]:
    return set(master.findings.values_list("code", flat=True))


@pytest.mark.parametrize("name", LOSSLESS)
def test_one_sound_has_one_hash_in_every_lossless_container(audio: Path, name: str) -> None:
    master = deliver(audio / name)
    assert master.state == Master.State.ACCEPTED
    assert master.sound_sha256 == hashlib.sha256(sounds.decode(audio / "plain.wav")).hexdigest()
    assert (master.lossless, master.bit_depth, master.sample_rate, master.channels) == (True, 16, 44100, 2)
    assert master.samples == 88200


@pytest.mark.parametrize("name", ["deep.wav", "deep.flac"])
def test_24_bits_are_hashed_as_24_bits(audio: Path, name: str) -> None:
    master = deliver(audio / name)
    pcm = (audio / "deep.wav").read_bytes()[-96000 * 2 * 3 :]
    assert (master.bit_depth, master.sound_sha256) == (24, hashlib.sha256(pcm).hexdigest())


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_master_is_accepted_and_marked(audio: Path, name: str) -> None:
    master = deliver(audio / name)
    assert (master.state, master.lossless, master.bit_depth) == (Master.State.ACCEPTED, False, 0)
    assert "LOSSY_MASTER" in findings(master)
    assert master.samples in {88200, 96000}


def test_the_name_of_a_file_is_not_believed(audio: Path, tmp_path: Path) -> None:
    misnamed = tmp_path / "song.mp3"
    misnamed.write_bytes((audio / "plain.flac").read_bytes())
    assert deliver(misnamed).codec == "flac"


def test_the_wave_for_the_player_swells_where_the_sound_does(audio: Path) -> None:
    peaks = deliver(audio / "plain.flac").peaks
    assert len(peaks) == 200
    assert max(peaks[90:110]) > 450
    assert max(peaks[:5]) < 100


def test_the_loudest_passage_is_found(tmp_path: Path, settings) -> None:
    settings.PREVIEW_SECONDS = 2
    sound = np.full((8 * 44100, 2), 0.01)
    sound[5 * 44100 : 7 * 44100] = 0.5
    sounds.write_samples(tmp_path / "late.wav", sound)
    assert deliver(tmp_path / "late.wav").loudest_second == 5


def test_clipping_silence_and_twin_channels_are_said(tmp_path: Path) -> None:
    loud = np.sin(np.arange(44100) / 20)[:, None] * np.ones((1, 2)) * 3
    silent = np.zeros((44100, 2))
    sounds.write_samples(tmp_path / "loud.wav", loud)
    sounds.write_samples(tmp_path / "silent.wav", silent)
    assert findings(deliver(tmp_path / "loud.wav")) == {"CLIPPED", "LOUD", "SAME_CHANNELS"}
    assert "SILENT" in findings(deliver(tmp_path / "silent.wav"))


def test_mono_is_said(tmp_path: Path) -> None:
    master = deliver(sounds.write_wav(tmp_path / "mono.wav", channels=1, seconds=1))
    assert (master.channels, findings(master)) == (1, {"MONO"})


def test_a_good_master_has_nothing_to_be_said_about(audio: Path) -> None:
    assert findings(deliver(audio / "plain.flac")) == set()


def test_the_same_bytes_for_the_same_recording_are_the_same_master(audio: Path) -> None:
    first = deliver(audio / "plain.flac")
    again = deliver(audio / "plain.flac", first.recording, examine=False)
    assert again == first
    assert Upload.objects.get(pk=Upload.objects.latest("pk").pk).state == Upload.State.RELEASED


def test_quarantine_is_empty_after_the_verdict(audio: Path, settings) -> None:
    master = deliver(audio / "plain.flac")
    assert master.storage_key == storage.master_key(master.file_sha256)
    assert list((settings.AUDIO_ROOT / "quarantine").iterdir()) == []
    assert master.upload.state == Upload.State.RELEASED


def test_the_kept_bytes_are_the_delivered_bytes(audio: Path, tmp_path: Path) -> None:
    master = deliver(audio / "plain.ogg")
    assert masters.copy_to(master, tmp_path / "back").read_bytes() == (audio / "plain.ogg").read_bytes()


def test_the_current_master_is_the_latest_accepted(audio: Path) -> None:
    first = deliver(audio / "plain.flac")
    assert masters.current(first.recording) == first
    second = deliver(audio / "plain.wav", first.recording)
    assert masters.current(first.recording) == second


def test_a_machine_too_busy_for_an_honest_file_refuses_nothing_but_tries_again(audio: Path, monkeypatch) -> None:
    at_once = replace(probe.pcm_limits(2, rate=44100, channels=2, depth=16), wall_seconds=-1)
    monkeypatch.setattr(probe, "pcm_limits", lambda *_seconds, **_sound: at_once)
    master = deliver(audio / "plain.wav")
    assert (master.state, master.attempts) == (Master.State.EXAMINING, 1)
    assert not findings(master)


@pytest.mark.long
def test_no_short_sound_stops_the_examination_for_ever(tmp_path: Path) -> None:
    """Where one of several outputs holds its samples back until the end, ffmpeg 9 waits for itself in one run of a few
    hundred."""
    source = sounds.convert(sounds.write_wav(tmp_path / "tone.wav", seconds=1.3), tmp_path / "tone.m4a", "-c:a", "alac")

    def examined(number: int) -> float:
        folder = tmp_path / str(number)
        folder.mkdir()
        begun = time.monotonic()
        probe.examine(source, max_seconds=60, window_seconds=30, folder=folder)
        return time.monotonic() - begun

    with ThreadPoolExecutor(max_workers=6) as several:
        assert max(several.map(examined, range(1500))) < 60
