"""Every format from every kind of master, and a second decoder's word on it wherever one is installed."""

import re
import shutil
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories.transcoding import make_tags
from tests.transcoding import players, sounds
from tests.transcoding.test_tags import picture
from transcoding import encode, encoders, formats, sandbox, tags
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS, Format
from transcoding.previews import Passage
from transcoding.waveform import Digest

SECONDS = 0.4
KINDS = {
    "cd": Passage(44100, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "studio": Passage(48000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
    "hires": Passage(96000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
    "mono": Passage(44100, 1, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "half": Passage(22050, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "odd": Passage(37800, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "telephone": Passage(11025, 1, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16),
    "double": Passage(88200, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
    "most": Passage(192000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24),
}
FIVE = "five seconds"  # of a CD, in the first formats: long enough for the encoders that are not ffmpeg's
TAGS = make_tags()


class Made:
    """All named formats of one master as buyers get them, and what went in."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        *,
        seconds: float = SECONDS,
        shelves: Sequence[formats.Shelf] = tuple(formats.Shelf),
    ) -> None:
        like = KINDS[kind]
        self.source = sounds.write_wav(
            folder / "master.wav",
            seconds=seconds,
            rate=like.sample_rate,
            channels=like.channels,
            bits=like.bit_depth,
        )
        with wave.open(str(self.source)) as file:
            self.sound = replace(like, samples=file.getnframes())
        wanted = [each for each in formats.offered_for(self.sound) if each.shelf in shelves]
        self.paths = {each.code: folder / f"{each.code}.{each.extension}" for each in wanted}
        digest = encode.encode(self.source, self.sound, {self.paths[each.code]: each for each in wanted})
        self.sound_sha256 = digest.sha256
        for each in wanted:
            samples = formats.output_samples(each, self.sound)
            tags.write(self.paths[each.code], each, TAGS, picture(), samples=samples)

    def pcm(self, code: str, bits: int) -> np.ndarray:
        """What the store's own decoder hears, in fractions of full scale."""
        return decoded(self.paths[code], bits, self.sound.channels)


def decoded(path: Path, bits: int, channels: int) -> np.ndarray:
    raw = sounds.decode_raw(path, "-map", "0:a:0", "-c:a", f"pcm_s{bits}le", "-f", f"s{bits}le")
    return players.from_raw(raw, bits, channels)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    five = Made(tmp_path_factory.mktemp("five"), "cd", seconds=5, shelves=[formats.Shelf.FIRST])
    return {kind: Made(tmp_path_factory.mktemp(kind), kind) for kind in KINDS} | {FIVE: five}


@pytest.mark.parametrize("kind", [*KINDS, FIVE])
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


def second_decoders_word(path: Path, each: Format, sound: Passage) -> Digest:
    """The length and the hash of what a decoder hears that is not ffmpeg."""
    channels = players.channels(each, sound.channels)
    found = Digest(channels=channels, depth=formats.bits(each, sound) if each.lossless else 16)
    players.play(path, each, found)
    return found


@pytest.mark.parametrize("code", [code for code in formats.NAMED if FORMATS[code].codec in players.PLAYERS])
def test_a_second_decoder_hears_the_same(made: dict[str, Made], code: str) -> None:
    """Lossless: the master's own sound. Lossy: its length."""
    each, tried = FORMATS[code], 0
    for kind, one in made.items():
        if code not in one.paths:
            continue
        found = second_decoders_word(one.paths[code], each, one.sound)
        assert found.samples - formats.output_samples(each, one.sound) in players.more(each), kind
        if each.lossless and not each.bits:
            assert found.sha256 == one.sound_sha256, kind
        tried += 1
    assert tried


def ffmpegs_words(path: Path) -> str:
    """What ffmpeg knows of a file's tags, as it would hand them on; in Ogg they belong to the stream."""
    of = "0:s:a:0" if path.suffix in {".ogg", ".opus"} else "0"
    command = [sandbox.ffmpeg(), "-nostdin", "-loglevel", "error", "-i", str(path), "-map_metadata", of]
    done = subprocess.run([*command, "-f", "ffmetadata", "-"], check=True, capture_output=True, text=True)
    return re.sub(r"\\(.)", r"\1", done.stdout)  # which puts a stroke before some letters


@pytest.mark.parametrize("kind", ["cd", "hires"])
def test_tags_are_read_by_mutagen_and_by_ffmpeg_alike(made: dict[str, Made], kind: str) -> None:
    for code, path in made[kind].paths.items():
        assert tags.read(path, FORMATS[code]) == (tags.fields_of(TAGS, FORMATS[code]), picture()), code
        said = ffmpegs_words(path)
        for value in (TAGS.title, TAGS.artist_line, TAGS.album, TAGS.genre, TAGS.copyright):
            assert f"={value}\n" in said, (code, value)


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
    monkeypatch.setattr(encode, "_wma_silence", lambda *_: [])
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
def test_every_format_of_five_seconds(tmp_path: Path) -> None:
    """Above three, other encoders than ffmpeg have their turn."""
    one = Made(tmp_path, "hires", seconds=5)
    for code, path in one.paths.items():
        encode.verify(path, FORMATS[code], one.sound, sound_sha256=one.sound_sha256)


HOURS = 3
HOURS_LONG = {
    "lossless": ("FLAC", "ALAC", "WAV"),
    "lossy": ("MP3_V0", "OGG_Q6", "AAC_256", "OPUS_128"),
    "the rest": ("WV", "MP3_320", "WMA_192"),
}


@pytest.fixture(scope="module")
def three_hours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Passage]:
    """Six seconds of music in each minute, in 24/96: an RF64 of six gigabytes, in which encoders may hurry."""
    folder = tmp_path_factory.mktemp("hours")
    piece = sounds.write_wav(folder / "piece.wav", seconds=6, rate=96000, bits=24)
    minute = sounds.convert(piece, folder / "minute.wav", "-c:a", "pcm_s24le", "-af", f"apad=whole_len={60 * 96000}")
    times = ("-stream_loop", str(HOURS * 60 - 1))
    source = sounds.convert(minute, folder / "master.wav", "-c:a", "pcm_s24le", "-rf64", "auto", before=times)
    return source, replace(KINDS["hires"], samples=HOURS * 3600 * 96000)


@pytest.mark.long
@pytest.mark.parametrize("codes", HOURS_LONG.values(), ids=list(HOURS_LONG))
def test_three_hours_at_24_bit_and_96_khz(
    three_hours: tuple[Path, Passage], tmp_path: Path, codes: tuple[str, ...]
) -> None:
    """Encoded, tagged, proved, and heard by a second decoder where there is one."""
    source, sound = three_hours
    wanted = [FORMATS[code] for code in codes if not formats.refusal(FORMATS[code], sound)]
    paths = {each.code: tmp_path / f"{each.code}.{each.extension}" for each in wanted}
    digest = encode.encode(source, sound, {paths[each.code]: each for each in wanted})
    assert digest.samples == sound.samples
    for each in wanted:
        path = paths[each.code]
        tags.write(path, each, TAGS, picture(), samples=formats.output_samples(each, sound))
        encode.verify(path, each, sound, sound_sha256=digest.sha256)
        assert f"={TAGS.title}\n" in ffmpegs_words(path), each.code
        if each.codec in players.PLAYERS:
            found = second_decoders_word(path, each, sound)
            assert found.samples - formats.output_samples(each, sound) in players.more(each), each.code
            assert not each.lossless or found.sha256 == digest.sha256, each.code
        path.unlink()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AIFF", "it holds 2.0 GiB of sound at most, and this recording has 5.8"),
        ("APE", "it holds 2.0 GiB of sound at most, and this recording has 5.8"),
        ("TTA", "it holds 1.0 GiB of sound at most, and this recording has 5.8"),
        ("MPC_Q7", "it holds 2.0 GiB of sound at most, and this recording has 2.9"),
    ],
)
def test_three_hours_are_refused_where_a_file_cannot_hold_them_and_it_is_said_why(
    code: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "installed", lambda _: True)
    hours = replace(KINDS["hires"], samples=HOURS * 3600 * 96000)
    assert formats.refusal(FORMATS[code], hours) == why


@pytest.mark.long
def test_every_grade_there_is_can_be_made(tmp_path: Path) -> None:
    source = sounds.write_wav(tmp_path / "master.wav", seconds=1)
    sound = replace(KINDS["cd"], samples=44100)
    for each in formats.grades_for(sound):
        if not each.lossless:
            assert encoded(each, tmp_path, sound, source)
