"""Seconds per step of the main job for one album of ten tracks, through the whole store.

Limits, measured in the same run on the same files: copying and hashing the masters (delivery), decoding them with bare
ffmpeg (examination), one ffmpeg process per track and format, as the peers do it (renditions), and reading and hashing
the downloaded bytes (download). The other steps have no outside yardstick; their seconds stand alone.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import imageio_ffmpeg
import numpy as np

from benchmarks.figures import Figure, Progress, seconds
from store.demo import pieces
from store.demo.catalogue import BY, STUDIO_BITS, Piece, encode_flac, tag
from store.demo.score import perform

TRACKS = 10
FULL_SECONDS, QUICK_SECONDS = 240, 3
RATE = 48000
PEER_FORMATS = {
    "mp3": ["-c:a", "libmp3lame", "-q:a", "0"],
    "320.mp3": ["-c:a", "libmp3lame", "-b:a", "320k"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "6"],
    "flac": ["-c:a", "flac"],
}


def run(*, quick: bool, say: Progress) -> list[Figure]:
    with TemporaryDirectory(prefix="clearsong-bench-") as name:
        folder = Path(name)
        album, report = folder / "album", folder / "report.json"
        say("composing the album")
        masters = compose(album, length=QUICK_SECONDS if quick else FULL_SECONDS)
        say("running the main job")
        job = main_job(album, report)
        say("measuring the limits")
        limits = {
            "deliver": _copied(masters, folder),
            "examine": _side_by_side([_decoding(path) for path in masters]),
            "render": _side_by_side(
                [
                    _encoding(path, options, folder / f"{path.stem}.{suffix}")
                    for path in masters
                    for suffix, options in PEER_FORMATS.items()
                ]
            ),
            "download": _hashed(folder, sum(int(one["bytes"]) for one in job["downloads"])),
        }
    goals = {} if quick else {"render": 1.2}  # at the reduced size the waits between steps are most of the time
    return [
        Figure(f"main_job.{step}", taken, "s", limit=limits.get(step), goal=goals.get(step))
        for step, taken in job["seconds"].items()
    ]


def compose(album: Path, *, length: int) -> list[Path]:
    """Ten different masters of `length` seconds: one piece, begun at ten places."""
    album.mkdir()
    piece = perform(pieces.ferry_across(), rate=RATE)
    whole = np.tile(piece, (length * RATE // len(piece) + 2, 1))
    made = []
    for number in range(1, TRACKS + 1):
        start = len(piece) * number // (TRACKS + 1)
        path = album / f"{number:02d}.flac"
        encode_flac(whole[start : start + length * RATE], path, bits=STUDIO_BITS, rate=RATE)
        tag(path, Piece(f"Part {number}", pieces.ferry_across, "Ten Parts", number, TRACKS, STUDIO_BITS, RATE, BY))
        made.append(path)
    return made


def main_job(album: Path, report: Path) -> dict[str, Any]:
    """The report of `make demo` on the album, in a store of its own."""
    command = [sys.executable, "-m", "store.demo", "--folder", str(album), "--no-serve", "--report", str(report)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The main job ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return dict(json.loads(report.read_text(encoding="utf-8")))


def _copied(masters: list[Path], folder: Path) -> float:
    with seconds() as taken:
        for path in masters:
            shutil.copyfile(path, folder / "copy")
            _sha256(folder / "copy")
    return taken()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hashed(folder: Path, size: int) -> float:
    """Reading and hashing as many bytes as were downloaded."""
    path = folder / "bytes"
    with path.open("wb") as file:
        file.truncate(size)
    with seconds() as taken:
        _sha256(path)
    return taken()


def _decoding(path: Path) -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(path), "-f", "null", "-"]


def _encoding(path: Path, options: list[str], target: Path) -> list[str]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-i", str(path), "-vn"]
    return [*command, *options, str(target)]


def _side_by_side(commands: list[list[str]]) -> float:
    """Wall time of all commands, two at a time."""
    with seconds() as taken, ThreadPoolExecutor(max_workers=2) as workers:
        list(workers.map(lambda command: subprocess.run(command, check=True), commands))
    return taken()
