"""`python -m benchmarks.transcoding.pydub_export WAV FOLDER`: the ten formats as pydub's users make them."""

import sys
from pathlib import Path

import imageio_ffmpeg
from pydub import AudioSegment

from benchmarks.transcoding.yardsticks import TEN

_NAMES = {"m4a": "ipod", "wma": "asf"}  # what ffmpeg calls these containers

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
for each in TEN:
    sound = AudioSegment.from_file(str(source))
    sound.export(
        str(folder / f"{source.stem}.{each.code}.{each.extension}"),
        format=_NAMES.get(each.extension, each.extension),
        parameters=list(each.options) if each.code != "WAV" else None,
    )
