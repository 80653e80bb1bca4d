"""Masters and renditions as rows; the audio ones carry real bytes, see tests/transcoding/sounds.py."""

import hashlib
import itertools
import uuid
from pathlib import Path
from typing import Any

from django.utils import timezone

from catalog.models import Recording
from tests.factories.catalog import make_recording
from transcoding import formats, masters
from transcoding.models import Analysis, Finding, Likeness, Master, Rendition, Upload
from transcoding.tags import TagSet

_count = itertools.count(1)


def _sha256() -> str:
    return hashlib.sha256(f"sound {next(_count)} {uuid.uuid4()}".encode()).hexdigest()


def make_upload(**over: Any) -> Upload:
    number = next(_count)
    fields = {"filename": f"track {number}.flac", "actor": "user:1", "storage_key": f"quarantine/{uuid.uuid4()}"}
    return Upload.objects.create(**(fields | over))


def make_master(recording: Recording | None = None, **over: Any) -> Master:
    """An accepted 16-bit stereo FLAC of three minutes, as a row only: there are no bytes behind it."""
    file_sha256 = over.pop("file_sha256", _sha256())
    fields = {
        "recording": recording or make_recording(),
        "upload": over.pop("upload", None) or make_upload(state=Upload.State.RELEASED),
        "storage_key": f"masters/{file_sha256[:2]}/{file_sha256}",
        "file_sha256": file_sha256,
        "sound_sha256": _sha256(),
        "container": "flac",
        "codec": "flac",
        "lossless": True,
        "sample_rate": 44100,
        "bit_depth": 16,
        "channels": 2,
        "samples": 180 * 44100,
        "bytes": 20_000_000,
        "peaks": [500] * 200,
        "state": Master.State.ACCEPTED,
        "accepted_at": timezone.now(),
    }
    return Master.objects.create(**(fields | over))


def make_lossy_master(recording: Recording | None = None, **over: Any) -> Master:
    """An accepted Ogg Vorbis master, as a row only."""
    fields = {"container": "ogg", "codec": "vorbis", "lossless": False, "bit_depth": 0, "bytes": 4_000_000}
    return make_master(recording, **(fields | over))


def make_finding(master: Master, **over: Any) -> Finding:
    fields = {"code": "MONO", "severity": Finding.Severity.NOTE, "message": "Mono."}
    return Finding.objects.create(master=master, **(fields | over))


def make_analysis(master: Master, **over: Any) -> Analysis:
    """What a healthy master measures, as a row only."""
    fields = {
        "recipe": 1,
        "loudness": -1400,
        "loudness_range": 650,
        "true_peak": -100,
        "curve": [-180, -140, -120, -150],
        "cutoff_hz": 21_000,
        "true_depth": 16,
    }
    return Analysis.objects.create(master=master, **(fields | over))


def make_likeness(one: Master, other: Master, **over: Any) -> Likeness:
    first, second = sorted((one, other), key=lambda master: master.pk)
    return Likeness.objects.create(one=first, other=second, **({"seconds": 60, "permille": 950} | over))


def make_rendition(master: Master | None = None, format: str = "FLAC", **over: Any) -> Rendition:  # noqa: A002
    """A finished rendition, as a row only."""
    sha256 = _sha256()
    tagset = make_tags()
    preview = format.startswith("PREVIEW")
    cut = {"start_ms": 0, "length_ms": 30_000, "fade_in_ms": 500, "fade_out_ms": 1500} if preview else None
    fields = {
        "master": master or make_master(),
        "format": format,
        "purpose": Rendition.Purpose.PREVIEW if preview else Rendition.Purpose.FULL,
        "recipe": formats.get(format).recipe,
        "tag_signature": tagset.signature(cut=cut),
        "tags": tagset.to_json(),
        "cut": cut,
        "state": Rendition.State.READY,
        "storage_key": f"renditions/{sha256[:2]}/{sha256}.bin",
        "sha256": sha256,
        "bytes": 12_345_678,
        "samples": 180 * 44100,
        "sample_rate": 44100,
        "ready_at": timezone.now(),
    }
    return Rendition.objects.create(**(fields | over))


def make_tags(**over: Any) -> TagSet:
    fields: dict[str, Any] = {
        "title": "Nachtlied",
        "artist_line": "Ada feat. Björn",
        "artists": ("Ada", "Björn"),
        "album": "Élan",
        "album_artist": "Ada",
        "number": 3,
        "total": 12,
        "disc": 1,
        "discs": 2,
        "date": "2024-05-06",
        "isrc": "DEA012400003",
        "barcode": "4006381333931",
        "genre": "Ambient",
        "label": "Kleinklang",
        "composers": ("Ada Beispiel", "Björn Muster"),
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "licence_name": "CC BY 4.0",
        "copyright": "2024 Ada. Licensed to the public under https://creativecommons.org/licenses/by/4.0/",
        "proof_url": "http://127.0.0.1:8000/proof/" + "a" * 64,
        "attribution": "Nachtlied by Ada feat. Björn, CC BY 4.0",
    }
    return TagSet(**(fields | over))


def deliver(path: Path, recording: Recording | None = None, *, examine: bool = True) -> Master:
    """Real bytes through the real door: uploaded and, unless told otherwise, examined."""
    upload = masters.start_upload(path.name, actor="user:1")
    master = masters.finish_upload(upload, path=path, recording=recording or make_recording())
    if examine:
        masters.examine(master.pk)
        master.refresh_from_db()
    return master
