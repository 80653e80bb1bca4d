"""A live album, cut wherever its tracks happen to end, plays as one piece: in all formats that can say where."""

import itertools
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from mutagen import mp4
from mutagen.ogg import OggPage

from tests.factories.transcoding import make_tags
from tests.transcoding import players, sounds
from transcoding import containers, encode, encoders, formats, padding, taggers, tags
from transcoding.encoders import FFMPEG, LAME
from transcoding.errors import RenditionWrong
from transcoding.formats import FORMATS
from transcoding.previews import Passage

CD = Passage(44100, 2, 0, container="wav", codec="pcm_s16le", lossless=True, bit_depth=16)
STUDIO = Passage(48000, 2, 0, container="wav", codec="pcm_s24le", lossless=True, bit_depth=24)
LENGTHS = (141_137, 150_001, 144_203)  # samples: no codec's frames end there, nor a whole thousandth of a second
FRAMES = (576, 960, 1024, 1152, 2048, 4096)
NEAR = 2048  # samples on either side of a seam within which a codec could spoil it
WINDOW = 128  # samples over which an error is weighed
LOUDER = 3.0  # times the worst error elsewhere may there be near a seam, since an encoder begins in the dark
CLAPS = 0.37  # seconds apart
BEGINNING = 1 << 15  # samples that are laid beside the master's to see whether they are late


@dataclass(frozen=True)
class Album:
    """One sound in three pieces, and each piece in every format."""

    parts: list[np.ndarray]
    files: dict[str, list[Path]]
    folder: Path

    @property
    def whole(self) -> np.ndarray:
        return np.concatenate(self.parts)


def concert(rate: int) -> np.ndarray:
    """Sweeps and a tone that never stop, and claps in between: wherever they are cut, a hole, a step or a shift is an
    error, and what a codec may do to a sudden sound it may do to a beginning."""
    at = np.arange(sum(LENGTHS)) / rate
    end = sum(LENGTHS) / rate
    claps = np.random.default_rng(4).normal(0, 0.2, (len(at), 2)) * np.exp(-60 * (at % CLAPS))[:, None]

    def sweep(low: float, high: float) -> np.ndarray:
        grows = np.log(high / low) / end
        return np.sin(2 * np.pi * low * (np.exp(grows * at) - 1) / grows)

    tone = np.sin(2 * np.pi * 441.7 * at)
    left = 0.35 * sweep(90, 7000) + 0.15 * sweep(6000, 1500) + 0.1 * tone
    right = 0.35 * sweep(5000, 120) + 0.15 * sweep(700, 8000) + 0.1 * tone
    return np.stack([left, right], axis=1) + claps * 0.5


def recorded(folder: Path, like: Passage, codes: list[str]) -> Album:
    whole = concert(like.sample_rate)
    edges = np.cumsum((0, *LENGTHS))
    parts: list[np.ndarray] = []
    files: dict[str, list[Path]] = {code: [] for code in codes}
    for number, (begin, end) in enumerate(itertools.pairwise(edges), 1):
        source = sounds.write_samples(
            folder / f"{number}.wav", whole[begin:end], rate=like.sample_rate, bits=like.bit_depth
        )
        parts.append(players.samples_of(source))
        sound = replace(like, samples=int(end - begin))
        paths = {code: folder / f"{number} {code}.{FORMATS[code].extension}" for code in codes}
        encode.encode(source, sound, {path: FORMATS[code] for code, path in paths.items()})
        for code, path in paths.items():
            tags.write(
                path, FORMATS[code], make_tags(number=number), None,
                samples=formats.output_samples(FORMATS[code], sound),
            )  # fmt: skip
            files[code].append(path)
    return Album(parts, files, folder)


def gapless(like: Passage) -> list[str]:
    """The named formats that can say where their sound ends: all but WMA."""
    offered = formats.offered_for(replace(like, samples=LENGTHS[0]))
    return [each.code for each in offered if not each.untrimmed]


def at_its_own_rate() -> list[str]:
    """What the concert at 44.1 kHz does not show: Opus, which knows but 48, and fewer bits."""
    return [code for code in gapless(STUDIO) if FORMATS[code].codec == "opus" or FORMATS[code].bits]


@pytest.fixture(scope="module")
def cd(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return recorded(tmp_path_factory.mktemp("cd"), CD, gapless(CD))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return recorded(tmp_path_factory.mktemp("studio"), STUDIO, at_its_own_rate())


def by_ffmpeg(path: Path, *before: str) -> np.ndarray:
    raw = sounds.convert(
        path, path.with_suffix(".heard"), "-c:a", "pcm_s16le", "-f", "s16le", before=before
    ).read_bytes()
    return players.from_raw(raw, 16, 2)


def late(heard: np.ndarray, master: np.ndarray) -> int:
    """How many samples later than the master's the sound begins, by where both are most alike."""
    one, other = heard[:BEGINNING, 0], master[:BEGINNING, 0]
    size = 2 * BEGINNING
    alike = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    found = int(np.argmax(alike))
    return found if found < BEGINNING else found - size


def weighed(error: np.ndarray) -> np.ndarray:
    """The loudness of an error, window by window."""
    whole = len(error) - len(error) % WINDOW
    return np.sqrt(np.mean(np.square(error[:whole]).reshape(-1, WINDOW * error.shape[1]), axis=1))


def seams_to_elsewhere(heard: np.ndarray, master: np.ndarray) -> float:
    """How many times as large the error is near the seams, at its worst, as anywhere else."""
    loud = weighed(heard - master)
    place = np.arange(len(loud)) * WINDOW
    near = np.zeros(len(loud), bool)
    for seam in np.cumsum(LENGTHS)[:-1]:
        near |= np.abs(place + WINDOW // 2 - seam) <= NEAR
    inner = (place > NEAR) & (place < len(master) - NEAR)
    floor = 2**-15  # where both are exact but for the last bit of 16
    return float(loud[near].max() / max(floor, loud[~near & inner].max()))


def faults(album: Album, heard: list[np.ndarray]) -> list[str]:
    """What keeps the pieces, played one after another, from being the concert."""
    found = []
    for number, (one, master) in enumerate(zip(heard, album.parts, strict=True), 1):
        if len(one) != len(master):
            found.append(f"track {number} has {len(one)} samples, not {len(master)}")
        if shift := late(one, master):
            found.append(f"track {number} is {shift} samples late")
    if not found and (times := seams_to_elsewhere(np.concatenate(heard), album.whole)) > LOUDER:
        found.append(f"the seams are {times:.1f} times as far off as the rest")
    return found


def test_the_tracks_end_within_a_frame_of_every_codec() -> None:
    assert not [(length, frame) for length in LENGTHS for frame in FRAMES if length % frame == 0]


def trimmed_by_ffmpeg(like: Passage) -> list[str]:
    """Musepack says its length in a header that ffmpeg does not keep to; its own decoder is asked below."""
    return [code for code in gapless(like) if FORMATS[code].codec != "musepack"]


@pytest.mark.parametrize("code", [code for code in trimmed_by_ffmpeg(CD) if FORMATS[code].codec != "opus"])
def test_a_concert_has_no_seams(cd: Album, code: str) -> None:
    assert faults(cd, [by_ffmpeg(path) for path in cd.files[code]]) == []


@pytest.mark.parametrize("code", at_its_own_rate())
def test_a_concert_at_48_khz_has_none_either(studio: Album, code: str) -> None:
    assert faults(studio, [by_ffmpeg(path) for path in studio.files[code]]) == []


SECOND = [code for code in gapless(CD) if FORMATS[code].codec in players.PLAYERS and FORMATS[code].codec != "aac"]


@pytest.mark.parametrize("code", SECOND)
def test_a_second_decoder_finds_no_seams(cd: Album, studio: Album, code: str) -> None:
    album = studio if FORMATS[code].codec == "opus" else cd
    assert faults(album, [players.heard(path, FORMATS[code]) for path in album.files[code]]) == []


@pytest.mark.parametrize("code", ["AAC_256", "AAC_192", "AAC_128"])
def test_a_second_decoder_that_keeps_the_last_frame_whole_finds_no_track_late(cd: Album, code: str) -> None:
    """faad drops the delay, and gives back what pads the last frame."""
    for path, part in zip(cd.files[code], cd.parts, strict=True):
        heard = players.heard(path, FORMATS[code])
        assert len(heard) - len(part) in players.more(FORMATS[code])
        assert late(heard, part) == 0


@pytest.mark.parametrize("code", ["OPUS_128", "OPUS_256"])
def test_resampled_tracks_are_no_sample_longer_than_they_must_be(cd: Album, code: str) -> None:
    """44.1 kHz become 48: each track may end within the next sample, and not one later."""
    for path, length in zip(cd.files[code], LENGTHS, strict=True):
        assert len(by_ffmpeg(path)) == -(-length * 480 // 441)


def test_what_other_programs_make_here_ffmpeg_makes_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `lame` and `oggenc` the same formats come out of ffmpeg, and are held to the same."""
    monkeypatch.setattr(encoders, "program", lambda _: ())
    codes = ["MP3_320", "MP3_128", "OGG_Q6"]
    assert {encode.maker(FORMATS[code], replace(CD, samples=LENGTHS[0]))[0] for code in codes} == {FFMPEG}
    album = recorded(tmp_path, CD, codes)
    for code in codes:
        assert faults(album, [by_ffmpeg(path) for path in album.files[code]]) == []


# -- Two places that tell the length of an m4a -------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """What the edit list of an m4a says, in units of `per_second`, and the rate of its sound."""

    per_second: int
    length: int
    begin: int
    rate: int


def edit_of(path: Path) -> Edit:
    with path.open("rb") as file:

        def words(at: int, form: str, *names: bytes) -> tuple[int, ...]:
            span = containers.inside(file, *names)
            assert span is not None
            file.seek(span[0] + at)
            return struct.unpack(form, file.read(struct.calcsize(form)))

        (per_second,) = words(12, ">I", b"moov", b"mvhd")
        (rate,) = words(12, ">I", b"moov", b"trak", b"mdia", b"mdhd")
        count, length, begin = words(4, ">IIi", b"moov", b"trak", b"edts", b"elst")
    assert count == 1
    return Edit(per_second, length, begin, rate)


def itunes_of(path: Path) -> tuple[int, int, int]:
    """Delay, padding and length in samples."""
    _, delay, padding, length, *_ = bytes(mp4.MP4(path).tags[taggers.GAPLESS][0]).decode("ascii").split()
    return int(delay, 16), int(padding, 16), int(length, 16)


AAC = [code for code in gapless(CD) if FORMATS[code].codec == "aac"]


@pytest.mark.parametrize("code", AAC)
def test_both_places_of_an_m4a_say_the_masters_length_to_the_sample(cd: Album, code: str) -> None:
    for path, length in zip(cd.files[code], LENGTHS, strict=True):
        edit, (delay, padding, told) = edit_of(path), itunes_of(path)
        assert (edit.per_second, edit.rate, edit.length, edit.begin) == (44100, 44100, length, delay)
        assert told == length
        assert (delay + padding + told) % 1024 == 0


def test_the_control_in_the_time_scale_of_older_encoders_is_rounded_to_a_thousandth(tmp_path: Path) -> None:
    source = sounds.write_wav(tmp_path / "master.wav", seconds=0.5003)
    words = ("-c:a", "aac", "-f", "ipod", "-movie_timescale", "1000")
    path = sounds.convert(source, tmp_path / "rounded.m4a", *words)
    edit = edit_of(path)
    assert edit.length * edit.rate / edit.per_second != 22063


@pytest.mark.parametrize("code", AAC)
def test_a_player_that_reads_only_itunes_words_hears_the_same(cd: Album, code: str) -> None:
    for path, master in zip(cd.files[code], cd.parts, strict=True):
        everything = by_ffmpeg(path, "-ignore_editlist", "1", "-flags2", "+skip_manual")
        delay, padding, length = itunes_of(path)
        assert len(everything) == delay + length + padding
        assert np.array_equal(everything[delay : delay + length], by_ffmpeg(path))
        assert late(everything[delay:], master) == 0


# -- The end of an MP3 -------------------------------------------------------------------------------------------------

ODD = [(44100, 28_820), (22050, 28_245), (11025, 29_396)]  # LAME pads these by more than a frame and its delay


def odd_one(folder: Path, rate: int, length: int, channels: int = 2) -> tuple[Path, Passage]:
    sound = replace(CD, sample_rate=rate, samples=length, channels=channels)
    source = sounds.write_wav(folder / "odd.wav", seconds=(length + 0.5) / rate, rate=rate, channels=channels)
    path = folder / "odd.mp3"
    encode.encode(source, sound, {path: FORMATS["MP3_V0"]})
    return path, sound


@pytest.mark.parametrize(("rate", "length"), ODD)
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_that_is_padded_by_more_than_a_frame_ends_with_its_sound(
    tmp_path: Path, rate: int, length: int, channels: int
) -> None:
    path, sound = odd_one(tmp_path, rate, length, channels)
    encode.verify(path, FORMATS["MP3_V0"], sound, sound_sha256="")
    assert len(players.heard(path, FORMATS["MP3_V0"], channels=channels)) == length


@pytest.mark.parametrize(("rate", "length"), ODD)
def test_the_control_as_ffmpeg_leaves_it_such_a_file_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, length: int
) -> None:
    monkeypatch.setattr(padding, "tell", lambda *_: None)
    path, sound = odd_one(tmp_path, rate, length)
    assert len(players.heard(path, FORMATS["MP3_V0"], channels=2)) > length
    with pytest.raises(RenditionWrong):  # for its length; at some rates ffmpeg leaves the header's checksum wrong, too
        encode.verify(path, FORMATS["MP3_V0"], sound, sound_sha256="")


@pytest.mark.parametrize("code", ["MP3_320", "MP3_128"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_lame_writes_itself_is_left_as_it_is(tmp_path: Path, code: str, channels: int) -> None:
    """So our words, checksum and all, are those that LAME would write."""
    source = sounds.write_wav(tmp_path / "long.wav", seconds=3.2, channels=channels)
    sound, path = replace(CD, samples=int(3.2 * 44100), channels=channels), tmp_path / "long.mp3"
    if encode.maker(FORMATS[code], sound)[0] != LAME:
        pytest.skip("lame is not installed (Debian: lame)")
    encode.encode(source, sound, {path: FORMATS[code]})
    before = path.read_bytes()
    data = bytearray(before)
    at = max(data.find(b"Xing"), data.find(b"Info"))
    data[at + 142 : at + 144] = data[at + 154 : at + 156] = bytes(2)
    data[at + 142] = before[at + 142] & 0xF0
    path.write_bytes(data)
    assert path.read_bytes() != before
    padding.tell(path, sound.samples)
    assert path.read_bytes() == before


# -- What is heard without ---------------------------------------------------------------------------------------------


def without_lame_tag(path: Path) -> None:
    """No delay and no padding in the words that LAME began to write behind Xing's."""
    data = bytearray(path.read_bytes())
    at = max(data.find(b"Xing"), data.find(b"Info"))
    data[at + 141 : at + 144] = bytes(3)
    path.write_bytes(data)


def without_edits(path: Path) -> None:
    tagged = mp4.MP4(path)
    del tagged.tags[taggers.GAPLESS]
    tagged.save()
    path.write_bytes(path.read_bytes().replace(b"edts", b"free", 1))


def without_preskip(path: Path) -> None:
    with path.open("r+b") as file:
        head = OggPage(file)
        head.packets = [head.packets[0][:10] + bytes(2) + head.packets[0][12:]]
        file.seek(0)
        file.write(head.write())


def without_last_place(path: Path) -> None:
    """As if the last page were full."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(data.rfind(b"OggS"))
        last = OggPage(file)
        last.position += 2048
        file.seek(last.offset)
        file.write(last.write())


WITHOUT: dict[str, Callable[[Path], None]] = {
    "MP3_V0": without_lame_tag,
    "MP3_320": without_lame_tag,
    "AAC_256": without_edits,
    "OGG_Q6": without_last_place,
    "OPUS_128": without_preskip,
}


@pytest.mark.parametrize("code", WITHOUT)
def test_the_control_without_its_words_a_file_is_too_long_or_late(
    cd: Album, studio: Album, tmp_path: Path, code: str
) -> None:
    album = studio if FORMATS[code].codec == "opus" else cd
    copies = [Path(shutil.copy(path, tmp_path)) for path in album.files[code]]
    for path in copies:
        WITHOUT[code](path)
    assert faults(album, [by_ffmpeg(path) for path in copies])


@pytest.mark.parametrize("code", sorted(WITHOUT.keys() & set(SECOND)))
def test_the_control_holds_for_a_second_decoder(cd: Album, studio: Album, tmp_path: Path, code: str) -> None:
    album = studio if FORMATS[code].codec == "opus" else cd
    copies = [Path(shutil.copy(path, tmp_path)) for path in album.files[code]]
    for path in copies:
        WITHOUT[code](path)
    assert faults(album, [players.heard(path, FORMATS[code]) for path in copies])


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("a hole", lambda parts: [*parts[:1], np.concatenate([np.zeros((40, 2)), parts[1][40:]]), *parts[2:]]),
        ("a sample too few", lambda parts: [parts[0][:-1], *parts[1:]]),
        ("one late", lambda parts: [*parts[:2], np.concatenate([parts[2][:1], parts[2][:-1]])]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_the_control_of_the_check_itself(cd: Album, what: str, spoil: Callable[[list], list]) -> None:
    heard = [by_ffmpeg(path) for path in cd.files["MP3_V0"]]
    assert faults(cd, heard) == []
    assert faults(cd, spoil(heard)), what


def test_a_corrected_title_keeps_the_seams(cd: Album, tmp_path: Path) -> None:
    """New tags are written into the finished file; where its sound ends must come along."""
    for code in ("MP3_V0", "AAC_256", "OGG_Q6", "FLAC", "WV"):
        copies = [Path(shutil.copy(path, tmp_path)) for path in cd.files[code]]
        for path, length in zip(copies, LENGTHS, strict=True):
            tags.write(path, FORMATS[code], make_tags(title="Corrected " * 300), None, samples=length)
        assert faults(cd, [by_ffmpeg(path) for path in copies]) == []
