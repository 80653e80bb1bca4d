"""How near a lossy file comes to its master: the ratio of signal to distortion, by ffmpeg's `asdr`.

It is no measure of hearing. Between two files of one codec at one size it shows which encoder threw more away.
"""

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg

_SDR = re.compile(r"SDR ch\d+: (-?[\d.]+|inf) dB")


def decibels(path: Path, master: Path, *, rate: int) -> float:
    """Mean over the channels. `rate` is that of the file at `path`; the master is brought to it."""
    graph = f"[0:a]aresample={rate},aformat=sample_fmts=dblp[a];[1:a]aformat=sample_fmts=dblp[b];[a][b]asdr"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-i", str(master), "-i", str(path)]
    done = subprocess.run(
        [*command, "-filter_complex", graph, "-f", "null", "-"], capture_output=True, text=True, check=True
    )
    found = [float(value) for value in _SDR.findall(done.stderr)]
    if not found:
        raise RuntimeError(f"No ratio in what ffmpeg said: {done.stderr[-500:]}")
    return sum(found) / len(found)
