"""Evidence, kept as it was captured and hashed again whenever it is relied on."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from django.core.files.base import ContentFile
from django.utils import timezone

from licensing.errors import EvidenceRefused
from licensing.models import ByteCheck, Instrument, evidence_storage
from licensing.models.scrubbing import Place
from licensing.terms import EvidenceKind

MOST_BYTES = 25 * 1024**2
_CHUNK = 1024**2


def capture(
    kind: EvidenceKind | str,
    *,
    data: bytes = b"",
    media_type: str = "text/plain",
    actor: str,
    source_file_sha256: str = "",
    text: str = "",
    name: str = "",
    at: datetime | None = None,
) -> Instrument:
    """Keep one piece of evidence: bytes in the evidence storage, or a text in the row where there are no bytes.

    `source_file_sha256` names the audio file that a tag statement was read from. Bytes are stored under their hash, so
    that one agreement for a hundred tracks lies there once. Raises EvidenceRefused for nothing, or for too much.
    """
    if kind not in {*EvidenceKind}:
        raise EvidenceRefused(f"{kind!r} is no kind of evidence. Choose one of {', '.join(EvidenceKind)}.")
    content = data or text.encode()
    if not content:
        raise EvidenceRefused("The evidence is empty. Attach the document, or give the statement's text.")
    if len(content) > MOST_BYTES:
        raise EvidenceRefused(f"The evidence is larger than {MOST_BYTES // 1024**2} MiB. Hand in a smaller scan.")
    sha256 = hashlib.sha256(content).hexdigest()
    return Instrument.objects.create(
        kind=str(kind),
        text=text,
        file=_store(data, sha256) if data else "",
        sha256=sha256,
        bytes=len(content),
        media_type=media_type,
        name=name[:200] or None,
        source_file_sha256=source_file_sha256,
        captured_at=at or timezone.now(),
        captured_by=actor,
    )


def _store(data: bytes, sha256: str) -> str:
    storage = evidence_storage()
    name = f"{sha256[:2]}/{sha256}"
    if storage.exists(name) and _hash_of(name) == sha256:
        return name
    return storage.save(name, ContentFile(data))


def current_sha256(instrument: Instrument) -> str:
    """The hash of what is kept now; "" where it is gone. It equals `instrument.sha256` while nobody touched it."""
    if not instrument.file:
        return hashlib.sha256(instrument.text.encode()).hexdigest()
    return _hash_of(instrument.file.name)


def current_hashes(instruments: Iterable[Instrument]) -> dict[int, str]:
    """`current_sha256` of each by primary key; bytes that several share are read once."""
    by_name: dict[str, str] = {}
    hashes: dict[int, str] = {}
    for instrument in instruments:
        name = instrument.file.name or ""
        if not name:
            hashes[instrument.pk] = current_sha256(instrument)
            continue
        if name not in by_name:
            by_name[name] = _hash_of(name)
        hashes[instrument.pk] = by_name[name]
    return hashes


def last_hashes(instruments: Iterable[Instrument]) -> dict[int, str]:
    """The hash of each by primary key as it was captured, or as it was last found where it is known to be altered."""
    rows = list(instruments)
    altered = ByteCheck.objects.filter(
        altered_at__isnull=False, place__in=[Place.EVIDENCE, Place.TEXT], sha256__in={row.sha256 for row in rows}
    )
    found = {(check.key, check.sha256): check.found_sha256 or "" for check in altered}
    return {row.pk: found.get((row.file.name or str(row.pk), row.sha256), row.sha256) for row in rows}


def _hash_of(name: str | None) -> str:
    digest = hashlib.sha256()
    try:
        with evidence_storage().open(name or "", "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()
