"""Evidence as pictures: what a reviewer looks at instead of opening a stranger's file.

A trigger owes the pictures the moment a file becomes evidence (`EvidencePages`, one row for each content); a worker
draws them in the fence (`store/render_pages.py`), and only pixels come back, which are encoded here. Page images are
kept under the hash of what they hold, and are never drawn in a request.
"""

import hashlib
import io
import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from licensing.models import Instrument, evidence_storage
from store import render_pages
from store.models import EvidencePage, EvidencePages
from transcoding import sandbox, scratch
from transcoding.errors import LimitReached, ProcessFailed

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=3)
WAIT = timedelta(seconds=20)
MOST_ATTEMPTS = 3
SCRIPT = Path(render_pages.__file__)
LIMITS = sandbox.Limits(
    wall_seconds=60, cpu_seconds=60, memory_bytes=1024**3,
    stdout_bytes=render_pages.MOST_PAGES * 3 * render_pages.MOST_PIXELS + 1024**2,
)  # fmt: skip

# What may be odd about a file, in the order in which a reviewer should hear of it.
NOTES = {
    "ALTERED": "The kept bytes are no longer those that were handed in, so nothing of them is shown.",
    "LOCKED": "The PDF is locked with a password, so its pages cannot be shown. Ask the label for a copy without one.",
    "BROKEN": "The file is damaged and cannot be drawn. Ask the label to hand it in again.",
    "EMPTY": "The PDF has no page. Ask the label for the right file.",
    "KIND": "Files of this kind are not drawn here. Download the attachment, and open it with care.",
    "LARGE": "A picture has too many pixels to be drawn. Ask the label for a smaller scan.",
    "TOO_MUCH": "Drawing the file took more time or memory than a file may have; the pages that were ready are shown.",
    "GAVE_UP": "The file could not be drawn in several tries. Download the attachment, and open it with care.",
    "PAGE": "At least one page is damaged and is left out.",
    "SCRIPTS": "The PDF carries scripts. None was run; a plain agreement has none.",
    "LAUNCH": "The PDF asks to start a program or open a file. Nothing was started.",
    "ATTACHMENTS": "Other files are packed inside the PDF. They were not opened and are not shown.",
    "MARKUP": "The file is a PDF and reads as a web page too. Only the PDF is shown; an agreement is never both.",
    "WORDS_ONLY": "This is a captured web page. Only its words are shown; nothing of it was loaded or run.",
    "LETTERS": "Some letters cannot be drawn here. Read them in the attachment.",
    "CUT": "The text is longer than what is shown. Download the attachment to read it all.",
}


@dataclass(frozen=True)
class Page:
    """One page as a picture, for an `<img>` of our own pages."""

    url: str
    width: int
    height: int
    number: int


@dataclass(frozen=True)
class Pages:
    """What can be seen of one piece of evidence, and in plain words what cannot. `note` may be empty."""

    images: list[Page] = field(default_factory=list)
    note: str = ""
    waits: bool = False


def pages_of(instrument: Instrument) -> Pages:
    """The pages of one piece of evidence. Two statements."""
    return pages_by_instrument([instrument])[instrument.pk]


def pages_by_instrument(instruments: Iterable[Instrument]) -> dict[int, Pages]:
    """`pages_of` each, by primary key; two statements whatever their number."""
    listed = list(instruments)
    wanted = {instrument.sha256 for instrument in listed if instrument.file}
    rows = EvidencePages.objects.filter(sha256__in=wanted).prefetch_related("pages") if wanted else ()
    drawn = {row.sha256: row for row in rows}
    return {
        instrument.pk: _shown(instrument, drawn.get(instrument.sha256)) if instrument.file else Pages()
        for instrument in listed
    }


def _shown(instrument: Instrument, row: EvidencePages | None) -> Pages:
    if row is None or row.state == EvidencePages.State.DUE:
        return Pages(note="The pages are being drawn; they are here within a minute.", waits=True)
    images = [
        Page(
            url=reverse("evidence-page", args=[instrument.public_id, page.number]),
            width=page.width,
            height=page.height,
            number=page.number,
        )
        for page in row.pages.all()
    ]
    return Pages(images, _words(row, len(images)))


def _words(row: EvidencePages, shown: int) -> str:
    said = [words for code, words in NOTES.items() if code in row.codes]
    if row.total > shown > 0:
        said.append(f"The file has {row.total:,} pages; {shown} are shown. Download the attachment to read the others.")
    return " ".join(said)


def image(instrument: Instrument, number: int) -> bytes | None:
    """One page's picture, if it still is what was drawn."""
    page = EvidencePage.objects.filter(pages__sha256=instrument.sha256, number=number).first()
    if page is None:
        return None
    try:
        with evidence_storage().open(_name(page.sha256), "rb") as file:
            data: bytes = file.read()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == page.sha256 else None


def _name(sha256: str) -> str:
    return f"pages/{sha256[:2]}/{sha256}.webp"


# Drawing


def owed(at: datetime) -> QuerySet[EvidencePages]:
    """What waits to be drawn and is in nobody's hands."""
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    return EvidencePages.objects.filter(free, state=EvidencePages.State.DUE, next_try_at__lte=at).order_by("pk")


def draw(key: int, *, at: datetime | None = None) -> bool:
    """Draw one row's pages, if it still waits; whether it did. A worker that comes back late changes nothing."""
    at = at or timezone.now()
    if not owed(at).filter(pk=key).update(fence=F("fence") + 1, attempts=F("attempts") + 1, claimed_until=at + LEASE):
        return False
    row = EvidencePages.objects.get(pk=key)
    drawing = _Drawing()
    data = _bytes_of(row.sha256)
    if data is None:
        drawing.codes.append("ALTERED")
    elif row.attempts > MOST_ATTEMPTS:
        drawing.codes.append("GAVE_UP")
    else:
        _draw(data, drawing)
    for page in drawing.pages:
        _keep(page)
    return _conclude(row, drawing)


def _bytes_of(sha256: str) -> bytes | None:
    """The evidence as it was captured; None where it is gone or was changed."""
    instrument = Instrument.objects.filter(sha256=sha256).exclude(file="").order_by("pk").first()
    if instrument is None:
        return None
    try:
        with evidence_storage().open(instrument.file.name or "", "rb") as file:
            data: bytes = file.read()
    except FileNotFoundError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _draw(data: bytes, drawing: "_Drawing") -> None:
    with scratch.folder("evidence") as folder:
        path = folder / "evidence"
        path.write_bytes(data)
        try:
            sandbox.run_script(SCRIPT, [str(path)], inputs=[path], limits=LIMITS, on_output=drawing.take)
        except LimitReached:
            drawing.codes.append("TOO_MUCH")
        except (ProcessFailed, _Nonsense) as error:
            log.warning("Evidence could not be drawn: %s", error)
            drawing.codes.append("BROKEN")


class _Nonsense(Exception):
    """The script in the fence sent something else than frames: it may have been taken over."""


@dataclass
class _Drawn:
    number: int
    width: int
    height: int
    data: bytes
    sha256: str


class _Drawing:
    """Reads the frames of `render_pages` as they come, and believes none of its numbers."""

    def __init__(self) -> None:
        self.pages: list[_Drawn] = []
        self.codes: list[str] = []
        self.total = 0
        self._rest = bytearray()

    def take(self, piece: bytes) -> None:
        self._rest += piece
        while len(self._rest) >= render_pages.HEADER.size:
            try:
                kind, number, width, height, length = render_pages.HEADER.unpack_from(self._rest)
            except struct.error as error:  # pragma: no cover - the length was looked at
                raise _Nonsense from error
            if length > 3 * render_pages.MOST_PIXELS:
                raise _Nonsense("A frame is longer than any page.")
            end = render_pages.HEADER.size + length
            if len(self._rest) < end:
                return
            payload = bytes(self._rest[render_pages.HEADER.size : end])
            del self._rest[:end]
            self._frame(kind, number, (width, height), payload)

    def _frame(self, kind: bytes, number: int, size: tuple[int, int], payload: bytes) -> None:
        if kind == b"T":
            self.total = number
        elif kind == b"N":
            code = payload.decode("ascii", "replace")
            if code in NOTES and code not in self.codes:
                self.codes.append(code)
        elif kind == b"P":
            self._page(number, size, payload)
        elif kind != b"E":
            raise _Nonsense(f"There is no frame {kind!r}.")

    def _page(self, number: int, size: tuple[int, int], pixels: bytes) -> None:
        known = {page.number for page in self.pages}
        if not 1 <= number <= render_pages.MOST_PAGES or number in known or not all(size):
            raise _Nonsense("A page is counted wrongly.")
        if len(pixels) != 3 * size[0] * size[1]:
            raise _Nonsense("A page has not the pixels it names.")
        encoded = io.BytesIO()
        Image.frombytes("RGB", size, pixels).save(encoded, "WEBP", quality=84, method=2)
        data = encoded.getvalue()
        self.pages.append(_Drawn(number, *size, data, hashlib.sha256(data).hexdigest()))


def _keep(page: _Drawn) -> None:
    storage = evidence_storage()
    if not storage.exists(_name(page.sha256)):
        storage.save(_name(page.sha256), ContentFile(page.data))


def _conclude(row: EvidencePages, drawing: _Drawing) -> bool:
    """Put the pages in place, if the row is still ours."""
    mine = EvidencePages.objects.filter(pk=row.pk, fence=row.fence, state=EvidencePages.State.DUE)
    made: dict[str, Any] = {"total": max(drawing.total, len(drawing.pages)), "codes": drawing.codes}
    with transaction.atomic():
        if not mine.update(state=EvidencePages.State.DRAWN, drawn_at=timezone.now(), claimed_until=None, **made):
            return False
        EvidencePage.objects.bulk_create(
            EvidencePage(
                pages=row, number=page.number, width=page.width, height=page.height, sha256=page.sha256,
                bytes=len(page.data),
            )
            for page in drawing.pages
        )  # fmt: skip
    return True
