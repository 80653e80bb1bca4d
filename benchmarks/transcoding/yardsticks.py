"""What the store is measured against: the bare encoders, one ffmpeg for each format, pydub, and beets.

All make the same ten formats from the same music. The bare encoders are told what the store tells its own; whoever
else converts is told a bit rate or a quality, as their users do, and takes the encoder's word for the rest. Of AAC that
is a file that is dearer and no better (docs/performance.md), elsewhere the same.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from benchmarks.transcoding.album import Master

Command = Callable[[Path, Path], list[str]]  # from what, to what


@dataclass(frozen=True)
class Wanted:
    """One of the ten formats: what the store calls it, its extension, how ffmpeg is told of it, and what the store says
    besides."""

    code: str
    extension: str
    options: tuple[str, ...]
    besides: tuple[str, ...] = ()
    lossless: bool = False


TEN = (
    Wanted("MP3_V0", "mp3", ("-c:a", "libmp3lame", "-q:a", "0")),
    Wanted("MP3_320", "mp3", ("-c:a", "libmp3lame", "-b:a", "320k")),
    Wanted("OGG_Q6", "ogg", ("-c:a", "libvorbis", "-q:a", "6")),
    Wanted("OPUS_128", "opus", ("-c:a", "libopus", "-b:a", "128k")),
    Wanted("AAC_256", "m4a", ("-c:a", "aac", "-b:a", "256k"),
           besides=("-aac_coder", "fast", "-cutoff", "18500", "-aac_pns", "0", "-aac_is", "0")),
    Wanted("FLAC", "flac", ("-c:a", "flac", "-compression_level", "5"), lossless=True),
    Wanted("ALAC", "m4a", ("-c:a", "alac"), lossless=True),
    Wanted("WAV", "wav", ("-c:a", "pcm_s16le"), lossless=True),
    Wanted("AIFF", "aiff", ("-c:a", "pcm_s16be"), lossless=True),
    Wanted("WMA_192", "wma", ("-c:a", "wmav2", "-b:a", "192k")),
)  # fmt: skip


def ffmpegs() -> dict[str, str]:
    """The wheel's, and the system's where there is one."""
    found = {"ffmpeg (wheel)": imageio_ffmpeg.get_ffmpeg_exe()}
    if system := shutil.which("ffmpeg"):
        found["ffmpeg (system)"] = system
    return found


def own_program(code: str) -> tuple[str, Command] | None:
    """The encoder's own program for a format, where it has one and it is installed. AAC and WMA have none that is free,
    and Musepack is made by its own."""
    family, _, grade = code.partition("_")
    start: dict[str, list[str]] = {
        "MP3": ["lame", "--quiet", f"-{grade}"] if grade[:1] == "V" else ["lame", "--quiet", "-b", grade],
        "OGG": ["oggenc", "-Q", f"-q{grade[1:]}", "-o"],
        "OPUS": ["opusenc", "--quiet", "--bitrate", grade],
        "FLAC": ["flac", "-s", "-f", "-5", "-o"],
        "WAV": ["cp"],
    }
    words = start.get(family)
    if words is None or not shutil.which(words[0]):
        return None
    if words[-1] == "-o":
        return words[0], lambda wav, to: [*words, str(to), str(wav)]
    return words[0], lambda wav, to: [*words, str(wav), str(to)]


def candidates(wanted: Wanted) -> dict[str, Command]:
    """Every bare encoder here that makes this format."""
    found = {name: _with_ffmpeg(program, wanted, *wanted.besides) for name, program in ffmpegs().items()}
    if own := own_program(wanted.code):
        found[own[0]] = own[1]
    return found


def _with_ffmpeg(program: str, wanted: Wanted, *besides: str) -> Command:
    start = [program, "-nostdin", "-v", "error", "-y", "-i"]
    return lambda source, to: [*start, str(source), "-vn", *wanted.options, *besides, str(to)]


def a_process_each(master: Master, folder: Path) -> list[list[str]]:
    """One ffmpeg for each format, from the master as delivered."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    return [_with_ffmpeg(program, each)(master.flac, target(folder, master, each)) for each in TEN]


def target(folder: Path, master: Master, wanted: Wanted) -> Path:
    return folder / f"{master.flac.stem}.{wanted.code}.{wanted.extension}"


def with_pydub(master: Master, folder: Path) -> list[list[str]]:
    """From the master as delivered, like everybody else; pydub asks ffprobe about it, which the wheel lacks. Without a
    system's, it gets the WAV, which it reads by itself."""
    source = master.flac if shutil.which("ffprobe") else master.wav
    return [[sys.executable, "-W", "ignore", "-m", "benchmarks.transcoding.pydub_export", str(source), str(folder)]]


BEETS = {each.code.lower(): each for each in TEN}


def beets() -> str | None:
    return shutil.which("beet")


def beets_library(master: Master, folder: Path) -> list[list[str]]:
    """Its own library with one track, not measured."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    home = folder / master.flac.stem
    home.mkdir(parents=True)
    formats = "".join(
        f"    {name}:\n      command: '{program} -nostdin -v error -i $source -y -vn {' '.join(each.options)} $dest'\n"
        f"      extension: {each.extension}\n"
        for name, each in BEETS.items()
    )
    (home / "config.yaml").write_text(
        f"directory: {home}/music\nlibrary: {home}/library.db\nplugins: [convert]\nimport: {{copy: no, write: no}}\n"
        f"convert:\n  never_convert_lossy_files: no\n  threads: 1\n  embed: no\n  formats:\n{formats}",
        encoding="utf-8",
    )
    return [[beets() or "beet", "-c", str(home / "config.yaml"), "import", "-A", "-q", "-s", str(master.flac)]]


def with_beets(master: Master, folder: Path) -> list[list[str]]:
    """beets converts into one format at a time."""
    home = folder / master.flac.stem
    start = [beets() or "beet", "-c", str(home / "config.yaml"), "convert", "-y", "-a"]
    return [[*start, "-f", name, "-d", str(home / name)] for name in BEETS]
