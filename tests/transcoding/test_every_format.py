"""Every format from every kind of master, and a second decoder's word on it wherever one is installed."""

import shutil
import subprocess
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.transcoding import sounds
from transcoding import encode, encoders, formats
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS, Format
from transcoding.previews import Passage

SECONDS = 0.4
KINDS = {
    "cd": Passage(44100, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "studio": Passage(48000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
    "hires": Passage(96000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
    "mono": Passage(44100, 1, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "half": Passage(22050, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "odd": Passage(37800, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
}


class Made:
    """All named formats of one master, encoded once, and what went in."""

    def __init__(self, folder: Path, kind: str, *, seconds: float = SECONDS) -> None:
        like = KINDS[kind]
        self.source = sounds.write_wav(
            folder / "master.wav", seconds=seconds, rate=like.sample_rate, channels=like.channels, bits=like.bit_depth
        )
        with wave.open(str(self.source)) as file:
            self.sound = replace(like, samples=file.getnframes())
        wanted = formats.offered_for(self.sound)
        self.paths = {each.code: folder / f"{each.code}.{each.extension}" for each in wanted}
        digest = encode.encode(self.source, self.sound, {self.paths[each.code]: each for each in wanted})
        self.sound_sha256 = digest.sha256

    def pcm(self, code: str, bits: int) -> np.ndarray:
        """What the store's own decoder hears, in fractions of full scale."""
        return decoded(self.paths[code], bits, self.sound.channels)


def decoded(path: Path, bits: int, channels: int) -> np.ndarray:
    raw = sounds.decode_raw(path, "-c:a", f"pcm_s{bits}le", "-f", f"s{bits}le")
    if bits == 16:
        return np.frombuffer(raw, "<i2").reshape(-1, channels) / 2**15
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1, channels) / 2**31


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return {kind: Made(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_proved_from_every_kind_of_master(made: dict[str, Made], kind: str) -> None:
    """Lossless: the master's own sound. Lossy: its length, to the sample where the rate is kept."""
    one = made[kind]
    for code, path in one.paths.items():
        encode.verify(path, FORMATS[code], one.sound, sound_sha256=one.sound_sha256)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lossy_file_sounds_like_its_master_and_begins_when_it_does(made: dict[str, Made], kind: str) -> None:
    one = made[kind]
    master = decoded(one.source, 16, one.sound.channels)[:, 0]
    for code, path in one.paths.items():
        each = FORMATS[code]
        if each.lossless or each.codec == "musepack":
            continue
        raw = sounds.decode_raw(path, "-ar", str(one.sound.sample_rate), "-c:a", "pcm_s16le", "-f", "s16le")
        heard = np.frombuffer(raw, "<i2").reshape(-1, one.sound.channels)[: len(master), 0] / 2**15
        both = min(len(heard), len(master))
        error = np.sqrt(np.mean((heard[:both] - master[:both]) ** 2) / np.mean(master**2))
        assert error < 0.25, (code, error)


SECOND = {
    "FLAC": ("flac", "-s", "-d", "-f", "-o", "{out}", "{file}"),
    "FLAC_16": ("flac", "-s", "-d", "-f", "-o", "{out}", "{file}"),
    "WV": ("wvunpack", "-q", "-y", "{file}", "-o", "{out}"),
    "WV_16": ("wvunpack", "-q", "-y", "{file}", "-o", "{out}"),
    "MP3_V0": ("mpg123", "-q", "-w", "{out}", "{file}"),
    "MP3_320": ("mpg123", "-q", "-w", "{out}", "{file}"),
    "OGG_Q6": ("oggdec", "-Q", "-o", "{out}", "{file}"),
    "OPUS_128": ("opusdec", "--quiet", "{file}", "{out}"),
    "MPC_Q7": ("mpcdec", "{file}", "{out}"),
}


@pytest.mark.parametrize("code", SECOND)
def test_a_second_decoder_hears_the_same_length(made: dict[str, Made], tmp_path: Path, code: str) -> None:
    program, *words = SECOND[code]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    tried = 0
    for one in made.values():
        if code not in one.paths:
            continue
        out = tmp_path / "out.wav"
        out.unlink(missing_ok=True)
        command = [program, *(word.format(file=one.paths[code], out=out) for word in words)]
        subprocess.run(command, check=True, capture_output=True)
        frame = one.sound.channels * (
            3 if FORMATS[code].lossless and formats.bits(FORMATS[code], one.sound) == 24 else 2
        )
        length = len(sounds.wav_data(out)) // frame
        off = encode.tolerance(FORMATS[code], one.sound)
        assert abs(length - formats.output_samples(FORMATS[code], one.sound)) <= off, one.sound
        if code in {"FLAC", "WV"}:
            assert sounds.wav_data(out) == sounds.wav_data(one.source)
        tried += 1
    assert tried


def test_flac_says_itself_that_it_is_whole(made: dict[str, Made]) -> None:
    if shutil.which("flac") is None:
        pytest.skip("flac is not installed")
    files = [str(path) for one in made.values() for code, path in one.paths.items() if code.startswith("FLAC")]
    subprocess.run(["flac", "-s", "-t", *files], check=True, capture_output=True)


# -- Fewer bits --------------------------------------------------------------------------------------------------------


def test_sixteen_bits_are_offered_only_where_there_are_more() -> None:
    cd = replace(KINDS["cd"], samples=44100)
    assert not any(each.bits for each in formats.offered_for(cd))
    assert any(each.bits for each in formats.offered_for(replace(cd, bit_depth=24)))


@pytest.mark.parametrize("code", ["FLAC_16", "ALAC_16", "WAV_16", "AIFF_16", "WV_16", "TTA_16"])
def test_all_files_of_sixteen_bits_hold_the_same_dithered_sound(made: dict[str, Made], code: str) -> None:
    one = made["studio"]
    assert (one.pcm(code, 16) == one.pcm("WAV_16", 16)).all()
    assert len(one.pcm(code, 16)) == one.sound.samples


def loudness_of_a_whisper(folder: Path) -> float:
    """How loud a tone below the sixteenth bit comes out of the reduction; one is as it went in."""
    at = np.arange(48000) / 48000
    tone = 0.4 / 2**15 * np.sin(2 * np.pi * 1000 * at)
    source = sounds.write_samples(folder / "whisper.wav", np.stack([tone, tone], axis=1), rate=48000, bits=24)
    path = folder / "whisper16.wav"
    encode.encode(source, replace(KINDS["studio"], samples=48000), {path: FORMATS["WAV_16"]})
    heard = decoded(path, 16, 2)[:, 0]
    return float(np.dot(heard, tone) / np.dot(tone, tone))


def test_a_tone_below_the_last_bit_comes_out_as_loud_as_it_was(tmp_path: Path) -> None:
    assert loudness_of_a_whisper(tmp_path) == pytest.approx(1, abs=0.1)


def test_the_control_without_dither_makes_another_sound_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "DITHER", "aresample=osf=s16:dither_method=none")
    assert loudness_of_a_whisper(tmp_path) > 1.4


# -- What a check would miss without ----------------------------------------------------------------------------------


def test_wma_loses_its_beginning_without_the_frame_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the silence around it: the file is too short, and is refused."""
    source = sounds.write_wav(tmp_path / "master.wav", seconds=0.5)
    sound = replace(KINDS["cd"], samples=22050)
    path = tmp_path / "made.wma"
    monkeypatch.setattr(encode, "_wma_words", lambda *_: [])
    encode.encode(source, sound, {path: FORMATS["WMA_192"]})
    with pytest.raises(RenditionWrong, match="instead of"):
        encode.verify(path, FORMATS["WMA_192"], sound, sound_sha256="")


def test_what_another_encoder_reads_is_not_left_behind(made: dict[str, Made]) -> None:
    for one in made.values():
        assert [path.name for path in one.source.parent.glob("*.wav.wav")] == []
        assert [path.name for path in one.source.parent.glob("*.mpc.wav")] == []


def test_a_plain_header_keeps_the_sound_where_it_is(tmp_path: Path) -> None:
    deep = sounds.write_wav(tmp_path / "deep.wav", seconds=0.1, rate=96000, bits=24)
    long = sounds.convert(deep, tmp_path / "long.wav", "-c:a", "pcm_s24le", "-fflags", "+bitexact")
    before = long.read_bytes()
    encoders.simplify(long)
    after = long.read_bytes()
    assert (before[20:22], after[20:22]) == (b"\xfe\xff", b"\x01\x00")
    assert (len(after), after[60:]) == (len(before), before[60:])
    with wave.open(str(long)) as file:
        assert (file.getsampwidth(), file.getframerate()) == (3, 96000)


@pytest.mark.parametrize("encoder", [encoders.MPCENC, encoders.JMAC], ids=lambda encoder: encoder.name)
def test_what_is_not_installed_is_not_offered_and_says_why(
    encoder: encoders.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "program", lambda _encoder: ())
    lacking = [code for code, why in formats.available().items() if encoder.packages in why]
    assert lacking
    assert not {each.code for each in formats.offered_for(replace(KINDS["cd"], samples=44100))} & set(lacking)


def encoded(each: Format, folder: Path, sound: Passage, source: Path) -> int:
    path = folder / f"{each.code}.{each.extension}"
    encode.encode(source, sound, {path: each})
    encode.verify(path, each, sound, sound_sha256="")
    return path.stat().st_size


@pytest.mark.long
@pytest.mark.parametrize("seconds", [5, 3 * 3600])
def test_every_format_of_a_short_and_of_a_very_long_master(tmp_path: Path, seconds: int) -> None:
    """One minute of music, over and over: three hours of 24/96, through every format that can hold them."""
    piece = sounds.write_wav(tmp_path / "piece.wav", seconds=min(60, seconds), rate=96000, bits=24)
    source = (
        sounds.convert(
            piece,
            tmp_path / "master.wav",
            "-c:a",
            "pcm_s24le",
            "-rf64",
            "auto",
            before=("-stream_loop", str(seconds // 60)),
        )
        if seconds > 60
        else piece
    )
    sound = replace(KINDS["hires"], samples=seconds * 96000)
    for each in formats.offered_for(sound):
        path = tmp_path / f"{each.code}.{each.extension}"
        digest = encode.encode(source, sound, {path: each})
        encode.verify(path, each, sound, sound_sha256=digest.sha256)
        path.unlink()


@pytest.mark.long
def test_every_grade_there_is_can_be_made(tmp_path: Path) -> None:
    source = sounds.write_wav(tmp_path / "master.wav", seconds=1)
    sound = replace(KINDS["cd"], samples=44100)
    for each in formats.grades_for(sound):
        if not each.lossless:
            assert encoded(each, tmp_path, sound, source)
