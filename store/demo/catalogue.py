"""The demo catalogue as a label would hand it over: FLAC masters with tags, and a sleeve.

Four pieces make the release *First Light*, licensed CC BY 4.0. Two more show a refusal: *Nine Windows* is CC BY-NC, so
it may not be sold, and *Unsigned Letter* carries no licence at all.
"""

import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mutagen.flac import FLAC, Picture

from store.demo import pieces
from store.demo.cover import EDGE, sleeve
from store.demo.instruments import Sound
from store.demo.score import Score, perform, to_integers
from transcoding import sandbox

ARTIST = "The Clearsong Ensemble"
LABEL = "Clearsong Recordings"
YEAR = "2026"
BY = "https://creativecommons.org/licenses/by/4.0/"
BY_NC = "https://creativecommons.org/licenses/by-nc/4.0/"
CD_BITS, STUDIO_BITS = 16, 24
FRONT_COVER = 3


@dataclass(frozen=True)
class Piece:
    """One file of the delivery: what is played, how it is kept, and what its tags say."""

    title: str
    write: Callable[[], Score]
    album: str
    number: int
    total: int
    bits: int
    rate: int
    licence: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.album}/{self.number:02d} {self.title}.flac"


PIECES = (
    Piece("Paper Lanterns", pieces.paper_lanterns, "First Light", 1, 4, CD_BITS, 44100, BY),
    Piece("Ferry Across", pieces.ferry_across, "First Light", 2, 4, STUDIO_BITS, 48000, BY),
    Piece("Slow Weather", pieces.slow_weather, "First Light", 3, 4, STUDIO_BITS, 48000, BY),
    Piece("Brass Clock", pieces.brass_clock, "First Light", 4, 4, CD_BITS, 44100, BY),
    Piece("Nine Windows", pieces.nine_windows, "Not for Sale", 1, 2, CD_BITS, 44100, BY_NC),
    Piece("Unsigned Letter", pieces.unsigned_letter, "Not for Sale", 2, 2, CD_BITS, 44100),
)


def write(folder: Path, *, on_piece: Callable[[Piece], None]) -> None:
    """Compose, perform and encode every piece that `folder` does not hold yet; `on_piece` hears of each."""
    with ThreadPoolExecutor(max_workers=2) as workers:  # numpy and ffmpeg both leave the interpreter free
        for piece in workers.map(lambda piece: _write_piece(piece, folder), PIECES):
            on_piece(piece)


def _write_piece(piece: Piece, folder: Path) -> Piece:
    target = folder / piece.file_name
    if target.exists():
        return piece
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as name:
        scratch = Path(name).resolve()
        sound = perform(piece.write(), rate=piece.rate)
        encode_flac(sound, scratch / "master.flac", bits=piece.bits, rate=piece.rate)
        tag(scratch / "master.flac", piece)
        (scratch / "master.flac").replace(target)
    return piece


def encode_flac(sound: Sound, path: Path, *, bits: int, rate: int) -> None:
    """Keep `sound`, of shape (frames, 2), as FLAC; `path` lies in a folder that may hold the WAV meanwhile."""
    source = path.with_suffix(".wav")
    with wave.open(str(source), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(_packed(to_integers(sound, bits=bits), bits))
    kept = ["-sample_fmt", "s32", "-bits_per_raw_sample", "24"] if bits == STUDIO_BITS else ["-sample_fmt", "s16"]
    arguments = ["-loglevel", "error", "-f", "wav", "-i", f"file:{source}", *kept]
    arguments += ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "flac", f"file:{path}"]
    sandbox.run(arguments, inputs=[source], output_dir=path.parent)
    source.unlink()


def _packed(whole: Sound, bits: int) -> bytes:
    """Little-endian samples of two or three bytes: a WAV has no four-byte form of 24 bits."""
    if bits == CD_BITS:
        return whole.astype("<i2").tobytes()
    four = whole.astype("<i4").reshape(-1).view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(four[:, :3]).tobytes()


def tag(path: Path, piece: Piece) -> None:
    """Write what the label says of a piece into its FLAC file."""
    tags = FLAC(path)
    tags.update(
        {
            "TITLE": piece.title,
            "ARTIST": ARTIST,
            "ALBUM": piece.album,
            "ALBUMARTIST": ARTIST,
            "COMPOSER": ARTIST,
            "TRACKNUMBER": str(piece.number),
            "TRACKTOTAL": str(piece.total),
            "DATE": YEAR,
            "GENRE": "Chamber",
            "ORGANIZATION": LABEL,
        }
    )
    if piece.licence:
        tags["LICENSE"] = piece.licence
        tags["COPYRIGHT"] = f"{YEAR} {ARTIST}. Licensed to the public under {piece.licence}"
    if piece.album == "First Light":
        picture = Picture()
        picture.type, picture.mime, picture.desc = FRONT_COVER, "image/jpeg", "Front cover"
        picture.width = picture.height = EDGE
        picture.data = sleeve(piece.album, ARTIST)
        tags.add_picture(picture)
    tags.save(padding=lambda _: 0)
