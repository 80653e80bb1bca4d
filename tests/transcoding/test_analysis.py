"""What is measured in a master is true, said in words, and found again where somebody else delivers the same sound."""

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection

from tests.factories import catalog, transcoding
from tests.factories.transcoding import deliver
from tests.transcoding import sounds
from transcoding import analysis, fingerprint, loudness, masters, probe, sandbox, storage, tasks
from transcoding.errors import ProcessFailed
from transcoding.loudness import TruePeak
from transcoding.models import Analysis, Fingerprint, Likeness, Master
from transcoding.probe import Examined
from transcoding.spectrum import Spectrum

RATE = 44100


def noise(seconds: float, *, rate: int = RATE, seed: int = 1, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, (int(seconds * rate), 2))


def tune(seconds: float, *, seed: int) -> np.ndarray:
    """Notes over a little noise: enough for a fingerprint."""
    random = np.random.default_rng(seed)
    sound = noise(seconds, seed=seed, level=0.002)
    for start in range(0, len(sound), RATE // 4):
        tone = 110 * 2 ** (random.integers(0, 36) / 12)
        at = np.arange(min(RATE // 2, len(sound) - start)) / RATE
        note = sum(np.sin(2 * np.pi * tone * part * at) / part for part in range(1, 6)) * np.exp(-4 * at)
        sound[start : start + len(at)] += 0.15 * note[:, None]
    return sound


def examine(path: Path, tmp_path: Path) -> Examined:
    folder = tmp_path / f"measures of {path.stem}, it's [all]; \\ so: there"  # filters must not trip over a name
    folder.mkdir()
    return probe.examine(path, max_seconds=60, window_seconds=30, folder=folder)


def found(path: Path, tmp_path: Path) -> dict[str, str]:
    return {each.code: each.message for each in examine(path, tmp_path).findings}


# -- Loudness and peaks ------------------------------------------------------------------------------------------------


def test_loudness_is_what_ffmpeg_itself_sums_up(tmp_path: Path) -> None:
    swelling = tune(8, seed=3) * np.linspace(0.05, 1, 8 * RATE)[:, None]
    path = sounds.write_samples(tmp_path / "swell.wav", swelling)
    command = [sandbox.ffmpeg(), "-nostdin", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    summary = subprocess.run(command, check=True, capture_output=True).stderr.decode().rpartition("Summary:")[2]
    told = {key: float(value) for key, value in re.findall(r"(I|LRA|Peak): +(-?[\d.]+) ", summary)}
    measured = examine(path, tmp_path)
    assert measured.loudness.integrated == pytest.approx(told["I"] * 100, abs=11)
    assert measured.loudness.range == pytest.approx(told["LRA"] * 100, abs=50)
    assert measured.heard.true_peak == pytest.approx(told["Peak"] * 100, abs=15)
    curve = measured.loudness.curve
    assert -500 < curve[0] < curve[len(curve) // 2] < curve[-1]


def test_a_peak_between_the_samples_is_found() -> None:
    at = np.arange(RATE)
    swell = np.minimum(1, np.minimum(at, at[::-1]) / 5000)  # a sudden start would overshoot by itself
    wave = (0.9 * swell * np.sin(np.pi / 2 * at + np.pi / 4)).astype(np.float32)[None, :]
    peak = TruePeak(1)
    for start in range(0, RATE, 5000):
        peak(wave[:, start : start + 5000])
    assert np.abs(wave).max() == pytest.approx(0.9 * math.sqrt(0.5), abs=1e-4)  # what a look at the samples would say
    assert peak.highest == pytest.approx(0.9, abs=0.01)


def test_one_channel_is_as_loud_as_the_same_on_two(tmp_path: Path) -> None:
    mono = noise(1)[:, :1]
    one = sounds.write_samples(tmp_path / "one.wav", mono)
    two = sounds.write_samples(tmp_path / "two.wav", np.repeat(mono, 2, axis=1))
    first, second = examine(one, tmp_path).loudness.integrated, examine(two, tmp_path).loudness.integrated
    assert first == pytest.approx(second, abs=2)


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    measured = examine(sounds.write_samples(tmp_path / "still.wav", np.zeros((RATE, 2))), tmp_path)
    assert (measured.loudness.integrated, measured.heard.true_peak, measured.heard.true_depth) == (None, None, 0)
    assert [each.code for each in measured.findings] == ["SILENT"]


# -- Where it comes from -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write_samples(tmp_path_factory.mktemp("honest") / "honest.wav", noise(2))


LOSSY = {
    "MP3 128": ("lossy.mp3", "-b:a", "128k"),
    "MP3 320": ("lossy.mp3", "-b:a", "320k"),
    "MP3 V0": ("lossy.mp3", "-q:a", "0"),
    "AAC 128": ("lossy.m4a", "-c:a", "aac", "-b:a", "128k"),
    "AAC 256": ("lossy.m4a", "-c:a", "aac", "-b:a", "256k"),
    "Opus 192": ("lossy.opus", "-c:a", "libopus", "-b:a", "192k"),
    "Vorbis q4": ("lossy.ogg", "-c:a", "libvorbis", "-q:a", "4"),
    "Vorbis q6": ("lossy.ogg", "-c:a", "libvorbis", "-q:a", "6"),
}


@pytest.mark.parametrize("kind", ["MP3 128", "MP3 320", "AAC 128", "Opus 192", "Vorbis q4"])
def test_a_lossless_file_made_from_a_lossy_one_is_told_by_its_edge(honest: Path, tmp_path: Path, kind: str) -> None:
    name, *options = LOSSY[kind]
    lossy = sounds.convert(honest, tmp_path / name, *options)
    again = sounds.convert(lossy, tmp_path / "again.flac", "-ar", str(RATE), "-sample_fmt", "s16")
    assert "LOSSY_ANCESTRY" in found(again, tmp_path)


@pytest.mark.parametrize("kind", ["MP3 V0", "AAC 256", "Vorbis q6"])
def test_what_cuts_nothing_off_is_not_told_as_labels_are_warned(honest: Path, tmp_path: Path, kind: str) -> None:
    name, *options = LOSSY[kind]
    lossy = sounds.convert(honest, tmp_path / name, *options)
    again = sounds.convert(lossy, tmp_path / "again.flac", "-ar", str(RATE), "-sample_fmt", "s16")
    assert "LOSSY_ANCESTRY" not in found(again, tmp_path)


def test_an_upsampled_file_is_told_by_what_is_missing(honest: Path, tmp_path: Path) -> None:
    resampled = "aresample=96000:filter_size=128:cutoff=0.98"
    more = sounds.convert(honest, tmp_path / "more.wav", "-af", resampled, "-c:a", "pcm_s24le")
    assert "44.1 kHz" in found(more, tmp_path)["UPSAMPLED"]


def test_a_padded_file_is_told_by_the_bits_that_stand_still(honest: Path, tmp_path: Path) -> None:
    padded = sounds.convert(honest, tmp_path / "padded.wav", "-c:a", "pcm_s24le")
    measured = examine(padded, tmp_path)
    assert (measured.facts.bit_depth, measured.heard.true_depth) == (24, 16)
    assert "PADDED_BITS" in {each.code for each in measured.findings}


def test_an_honest_file_is_suspected_of_nothing(honest: Path, tmp_path: Path) -> None:
    assert found(honest, tmp_path) == {}


@pytest.mark.parametrize("tone", [440, 5000, 7900, 15_500])
def test_few_tones_are_no_cliff(tone: int) -> None:
    at = np.arange(4 * RATE) / RATE
    wave = 0.4 * np.sin(2 * np.pi * tone * at) * (np.floor(at * 4) % 2 * 0.9 + 0.1)
    spectrum = Spectrum(RATE)
    spectrum(np.stack([wave, wave]).astype(np.float32))
    assert spectrum.edge().cliff == 0


def test_what_only_fades_is_no_cliff() -> None:
    brown = np.cumsum(noise(4), axis=0)
    spectrum = Spectrum(RATE)
    spectrum((brown / np.abs(brown).max()).T.astype(np.float32))
    assert spectrum.edge().cliff == 0


def test_the_picture_stays_small_however_long_the_sound_is() -> None:
    spectrum = Spectrum(8000)
    piece = noise(1, rate=8000).T.astype(np.float32)
    for _ in range(300):
        spectrum(piece)
    picture = spectrum.picture()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000
    assert len(spectrum._columns) <= 1200


# -- Channels and lengths ----------------------------------------------------------------------------------------------


def test_channels_that_are_missing_turned_over_or_off_centre_are_said(tmp_path: Path) -> None:
    left = noise(1)[:, :1]
    turned = sounds.write_samples(tmp_path / "turned.wav", np.hstack([left, -left]))
    missing = sounds.write_samples(tmp_path / "missing.wav", np.hstack([left, left * 0]))
    beside = sounds.write_samples(tmp_path / "beside.wav", noise(1) + np.array([0.05, -0.05]))  # the sum is nought
    assert set(found(turned, tmp_path)) == {"INVERTED_CHANNEL"}
    assert set(found(missing, tmp_path)) == {"MISSING_CHANNEL"}
    assert set(found(beside, tmp_path)) == {"DC_OFFSET"}


def test_long_silences_and_odd_lengths_are_said(tmp_path: Path) -> None:
    piece, still = noise(1, rate=8000), np.zeros
    gaps = np.vstack([still((4 * 8000, 2)), piece, still((21 * 8000, 2)), piece, still((11 * 8000, 2))])
    path = sounds.write_samples(tmp_path / "gaps.wav", gaps, rate=8000)
    assert set(found(path, tmp_path)) == {"SILENCE_BEFORE", "SILENCE_WITHIN", "SILENCE_AFTER"}
    blink = sounds.write_samples(tmp_path / "blink.wav", noise(0.5))
    assert set(found(blink, tmp_path)) == {"SHORT"}


@pytest.mark.django_db
def test_no_finding_stops_a_sale_by_itself(tmp_path: Path) -> None:
    left = np.clip(noise(0.5, level=2)[:, :1], -1, 1)
    master = deliver(sounds.write_samples(tmp_path / "worst.wav", np.hstack([left, -left])))
    assert set(master.findings.values_list("code", flat=True)) == {"CLIPPED", "LOUD", "INVERTED_CHANNEL", "SHORT"}
    assert master.state == Master.State.ACCEPTED


# -- Fingerprints ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a tune, the same through a codec, quieter and later, and another tune."""
    folder = tmp_path_factory.mktemp("tunes")
    mine = sounds.write_samples(folder / "mine.wav", tune(8, seed=1))
    sounds.convert(mine, folder / "theirs.mp3", "-b:a", "128k", "-af", "adelay=370:all=1,volume=-5dB")
    sounds.write_samples(folder / "stranger.wav", tune(8, seed=2))
    return folder


def described(path: Path, style: str) -> bytes:
    command = [sandbox.ffmpeg(), "-nostdin", "-loglevel", "error", "-i", str(path), "-f", "chromaprint"]
    return subprocess.run([*command, "-fp_format", style, "-"], check=True, capture_output=True).stdout


def test_a_fingerprint_is_unpacked_to_the_very_values(tunes: Path) -> None:
    packed, raw = described(tunes / "mine.wav", "base64"), described(tunes / "mine.wav", "raw")
    assert fingerprint.decode(packed.decode()).tolist() == np.frombuffer(raw, dtype="<u4").tolist()


@pytest.mark.parametrize("text", ["", "AQ", "not base64 at all!", "AQAAAAAAAAAA", "AQAD_wAB"])
def test_what_is_no_fingerprint_has_no_values(text: str) -> None:
    assert len(fingerprint.decode(text)) == 0


def test_through_a_codec_later_and_quieter_it_is_alike_and_a_stranger_is_not(tunes: Path) -> None:
    mine, theirs, stranger = (
        fingerprint.decode(described(tunes / name, "base64").decode())
        for name in ("mine.wav", "theirs.mp3", "stranger.wav")
    )
    assert fingerprint.compare(mine, theirs).seconds > 3
    assert fingerprint.compare(mine, stranger).seconds == 0
    assert len(set(fingerprint.marks(mine)) & set(fingerprint.marks(theirs))) >= fingerprint.LEAST_MARKS


def test_silence_is_like_nothing() -> None:
    still = np.full(900, 627964279, dtype=np.uint32)
    assert fingerprint.marks(still) == []
    assert fingerprint.compare(still, still).seconds == 0


# -- Kept --------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_delivered_master_is_measured_with_one_decode(tunes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    plain = sandbox.run
    probe.knows_fingerprints(sandbox.ffmpeg())

    def counted(*args: Any, **more: Any) -> sandbox.Result:
        runs.append(args)
        return plain(*args, **more)

    monkeypatch.setattr(sandbox, "run", counted)
    master = deliver(tunes / "mine.wav")
    kept = Analysis.objects.get(master=master)
    assert len(runs) == 2  # the header, and everything else
    assert (kept.recipe, kept.true_depth) == (analysis.RECIPE, 16)
    assert -3000 < (kept.loudness or 0) < -1000
    assert b"".join(storage.read_whole(kept.spectrum_key, storage.size(kept.spectrum_key))).startswith(b"\x89PNG")
    assert not analysis.owed().exists()


@pytest.mark.django_db
def test_the_same_sound_in_other_bytes_is_found_when_it_is_delivered(tunes: Path) -> None:
    first = deliver(tunes / "mine.wav")
    deliver(tunes / "stranger.wav")
    assert not Likeness.objects.exists()
    second = deliver(tunes / "theirs.mp3")
    likeness = Likeness.objects.get()
    assert (likeness.one, likeness.other) == (first, second)
    assert likeness.seconds >= 3
    assert [key for key, _ in analysis.twins([first.pk])[first.pk]] == [second.pk]


@pytest.mark.django_db
def test_another_master_of_one_recording_is_no_twin_of_itself(tunes: Path) -> None:
    first = deliver(tunes / "mine.wav")
    deliver(tunes / "theirs.mp3", first.recording)
    assert not Likeness.objects.exists()
    assert analysis.twins([first.pk]) == {first.pk: []}


@pytest.mark.django_db
def test_the_very_same_sound_is_a_twin_without_a_fingerprint() -> None:
    first = transcoding.make_master()
    second = transcoding.make_master(sound_sha256=first.sound_sha256)
    assert analysis.twins([first.pk])[first.pk] == [(second.pk, None)]


@pytest.mark.django_db
def test_candidates_come_out_of_the_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        asked: dict[str, Any] = {
            "marks": [1, 2],
            "master": 1,
            "most": 9,
            "least": 2,
            "each": 9,
            "recording": 1,
            "sound": "",
        }
        cursor.execute(f"EXPLAIN {analysis._CANDIDATES}", asked)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "fingerprint_marks" in plan


def marked(*marks: int) -> Master:
    master = transcoding.make_master()
    transcoding.make_analysis(master)
    Fingerprint.objects.create(master=master, marks=list(marks))
    return master


@pytest.mark.django_db
def test_what_everybody_has_in_common_hides_no_twin_and_is_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "OF_EACH_MARK", 3)
    for _ in range(8):
        marked(1, 2)
    twin = marked(1, 2, 50, 51, 52)
    found = [key for key, _ in analysis._candidates(marked(1, 2, 50, 51, 52), [1, 2, 50, 51, 52])]
    assert found[0] == twin.pk
    assert len(found) == 4


@pytest.mark.django_db
def test_masters_of_an_older_release_are_measured_by_the_sweep(tunes: Path) -> None:
    master = deliver(tunes / "mine.wav")
    before = Analysis.objects.get(master=master)
    Analysis.objects.update(recipe=0, loudness=None, fingerprint="")
    Fingerprint.objects.all().delete()
    assert analysis.owed().get() == master
    tasks.measure_masters()
    after = Analysis.objects.get(master=master)
    assert (after.loudness, after.fingerprint) == (before.loudness, before.fingerprint)
    assert Fingerprint.objects.get(master=master).compared_at is not None
    assert not analysis.owed().exists()


@pytest.mark.django_db
def test_a_master_that_cannot_be_measured_any_more_is_not_tried_for_ever(
    audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = deliver(audio / "plain.flac")
    Analysis.objects.all().delete()

    def broken(*_args: object, **_more: object) -> None:
        raise ProcessFailed("segmentation fault")

    monkeypatch.setattr(probe, "examine", broken)
    assert analysis.catch_up() == 1
    assert analysis.catch_up() == 0
    assert masters.current(master.recording) == master


@pytest.mark.django_db
def test_a_good_file_is_not_refused_because_measuring_fails(audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "weighing", lambda *_files: "no_such_filter")
    master = deliver(audio / "plain.flac")
    kept = Analysis.objects.get(master=master)
    assert master.state == Master.State.ACCEPTED
    assert (kept.loudness, kept.fingerprint, kept.true_depth) == (None, "", 16)


@pytest.mark.django_db
def test_an_ffmpeg_without_chromaprint_measures_the_rest(audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "knows_fingerprints", lambda _program: False)
    master = deliver(audio / "plain.flac")
    kept = Analysis.objects.get(master=master)
    assert (kept.fingerprint, kept.loudness is not None) == ("", True)
    assert Fingerprint.objects.get(master=master).marks == []


def test_a_short_curve_holds_every_value_and_a_long_one_is_condensed() -> None:
    assert loudness.curve(np.array([-20.0, -23.0])) == (-200, -230)
    assert len(loudness.curve(np.full(100_000, -20.0))) == loudness.CURVE


@pytest.mark.django_db
def test_a_rejected_file_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "text.flac"
    path.write_text("words")
    assert deliver(path, catalog.make_recording()).state == Master.State.REJECTED
    assert not Analysis.objects.exists()
