"""Three hours at 24 bit and 96 kHz through the store: what the longest masters cost in memory, and how fast they pass.

What no container holds in full (AIFF ends at 4 GiB) the store does not offer; the rest of the ten formats is made.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

from benchmarks.figures import Figure, Progress
from benchmarks.transcoding import meter
from benchmarks.transcoding.crew import crew, recording
from benchmarks.transcoding.meter import MIB
from benchmarks.transcoding.yardsticks import TEN
from store.demo import pieces
from store.demo.catalogue import STUDIO_BITS, encode_flac
from store.demo.score import perform

RATE = 96_000
FULL_SECONDS, QUICK_SECONDS = 3 * 3600, 20
ENCODER_MIB, WORKER_MIB = 100, 300
CODES = [each.code for each in TEN if each.code != "AIFF"]


def run(*, quick: bool, say: Progress) -> list[Figure]:
    seconds = QUICK_SECONDS if quick else FULL_SECONDS
    with TemporaryDirectory(prefix="clearsong-bench-") as name, crew() as hands:
        folder = Path(name)
        say("playing one piece again and again")
        path = _loop(folder, seconds)
        title = "The long one"
        say("examining it")
        (delivered,), _ = hands.do({"do": "deliver", "path": str(path), "title": title, "recording": recording(title)})
        say("making its formats")
        (made,), wall = hands.do(
            {"do": "make", "master": delivered.answer, "title": title, "codes": CODES, "cover": hands.cover}
        )
    both = (delivered, made)
    return [
        Figure("long_master.encoder_memory", max(each.encoder for each in both) / MIB, "MiB", ENCODER_MIB, 1.0),
        Figure("long_master.worker_memory", max(each.worker for each in both) / MIB, "MiB", WORKER_MIB, 1.0),
        Figure("long_master.examined", seconds / delivered.wall, "x"),
        Figure("long_master.made", seconds / wall, "x"),
        Figure("long_master.cpu", delivered.cpu + made.cpu, "cpu s"),
    ]


def _loop(folder: Path, seconds: int) -> Path:
    piece, path = folder / "piece.flac", folder / "long.flac"
    encode_flac(perform(pieces.slow_weather(), rate=RATE), piece, bits=STUDIO_BITS, rate=RATE)
    looped = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-stream_loop", "-1", "-i", str(piece)]
    meter.run([*looped, "-t", str(seconds), "-c:a", "flac", "-compression_level", "1", str(path)])
    return path
