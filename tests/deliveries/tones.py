"""Short tones as files, tagged as a label might have done it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mutagen
from mutagen import id3, mp4

CODECS = {
    "flac": ["-c:a", "flac"],
    "wav": ["-c:a", "pcm_s16le"],
    "aiff": ["-c:a", "pcm_s16be"],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus"],
    "mp3": ["-c:a", "libmp3lame"],
    "m4a": ["-c:a", "alac"],
    "wv": ["-c:a", "wavpack"],
}
_ID3 = {"title": id3.TIT2, "artist": id3.TPE1, "album": id3.TALB, "albumartist": id3.TPE2, "tracknumber": id3.TRCK,
        "date": id3.TDRC, "isrc": id3.TSRC, "copyright": id3.TCOP, "composer": id3.TCOM}  # fmt: skip
_MP4 = {"title": "\xa9nam", "artist": "\xa9ART", "album": "\xa9alb", "albumartist": "aART", "date": "\xa9day",
        "copyright": "cprt", "composer": "\xa9wrt"}  # fmt: skip


class Tones:
    """Tones by pitch and format; each is encoded once and copied from then on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, path: Path, *, hertz: int = 440, kind: str = "", **tags: Any) -> Path:
        """A file at `path` of the kind its ending names, unless `kind` says another."""
        kind = kind or path.suffix[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f"draft.{kind}"
        shutil.copy(self._made(hertz, kind), draft)
        write_tags(draft, kind, **tags)
        shutil.move(draft, path)
        return path

    def _made(self, hertz: int, kind: str) -> Path:
        path = self._folder / f"{hertz}.{kind}"
        if not path.exists():
            tone = ["-f", "lavfi", "-i", f"sine=frequency={hertz}:duration=0.4:sample_rate=44100"]
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *tone, "-map_metadata", "-1", *CODECS[kind]]
            subprocess.run([*command, str(path)], check=True, timeout=60)
        return path


def write_tags(path: Path, kind: str, **tags: Any) -> None:
    """Tags by Vorbis' names, each kind in its own way; `picture` is the bytes of a front cover (FLAC and MP3)."""
    if not tags:
        return
    picture = tags.pop("picture", None)
    audio = mutagen.File(path)
    if audio.tags is None:
        audio.add_tags()
    for name, value in tags.items():
        _write(audio, kind, name, value)
    if picture is not None and kind == "flac":
        front = mutagen.flac.Picture()
        front.type, front.mime, front.data = 3, "image/png", picture
        audio.add_picture(front)
    elif picture is not None:
        audio.tags.add(id3.APIC(type=3, mime="image/png", data=picture))
    audio.save()


def _write(audio: Any, kind: str, name: str, value: Any) -> None:
    texts = value if isinstance(value, list) else [str(value)]
    if kind in {"flac", "ogg", "opus"}:
        audio[name] = texts
    elif kind == "wv":
        audio[{"tracknumber": "Track", "albumartist": "Album Artist", "date": "Year"}.get(name, name)] = texts
    elif kind == "m4a" and name == "tracknumber":
        audio["trkn"] = [(int(texts[0]), 0)]
    elif kind == "m4a":
        free = [mp4.MP4FreeForm(text.encode()) for text in texts]
        audio[_MP4.get(name, f"----:com.apple.iTunes:{name.upper()}")] = texts if name in _MP4 else free
    elif name == "license":
        audio.tags.add(id3.WCOP(url=texts[0]))
    elif name in _ID3:
        audio.tags.add(_ID3[name](encoding=3, text=texts))
    else:
        audio.tags.add(id3.TXXX(encoding=3, desc=name.upper(), text=texts))
