"""Hearing finished files to their end, when there is nothing better to do.

A lossy file is published when all its frames were walked over and both ends decoded (`encode.verify`). What only a
whole decoding finds, a frame in good order with nonsense in it, is found here. Each file is owed one hearing: its row
is ready, has no hash of decoded sound, and was not heard. What is found wrong is nobody's file any more: it is made
anew, decoded whole before it is ready again, and given up with the reason if it comes out wrong again.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from transcoding import claims, encode, formats, looks, masters, renditions, scratch, storage
from transcoding.errors import DiskFailed, DiskFull, Killed, LimitReached, ProcessFailed, RenditionWrong, StorageFailed
from transcoding.models import Attempt, Rendition

log = logging.getLogger(__name__)
HOLD = timedelta(hours=1)  # a file that ends its worker is in nobody's way for so long
TIMES = 2  # that a decoder must fail at a file before it is believed
SECONDS = 20.0  # after which one run takes no other file
# Previews are decoded whole when they are made, and so is whatever has a hash of its decoded sound.
UNHEARD = Q(sound_sha256="", heard_at=None, purpose__in=[Rendition.Purpose.FULL, Rendition.Purpose.REVIEW])


class Wanted(Exception):
    """Other work came up: the file is heard another time."""


class Deaf(Exception):
    """This machine fails at what it did well when the file was made, and so can say nothing of it."""


def owed(at: datetime) -> QuerySet[Rendition]:
    """Finished files that nobody has heard to their end, those that waited longest first."""
    unheard = Rendition.objects.filter(UNHEARD, state=Rendition.State.READY)
    return unheard.filter(claims.waiting(at)).order_by("ready_at", "pk")


def catch_up(*, seconds: float = SECONDS) -> int:
    """Hear what is owed, one file after the other, for some seconds at most, and stop for any other work; how many were
    tried. While work never ends, still the first of them is, so that none waits for ever."""
    until, tried = time.monotonic() + seconds, 0
    while (not tried or (time.monotonic() < until and not _busy())) and (row := _claim(at=timezone.now())):
        try:
            hear(row, on_beat=_give_way if tried else None)
        except Wanted:
            Rendition.objects.filter(pk=row.pk, state=Rendition.State.READY).update(claimed_until=None)
            break
        tried += 1
    return tried


def _claim(*, at: datetime) -> Rendition | None:
    with transaction.atomic():
        row = owed(at).select_related("master").select_for_update(skip_locked=True, of=("self",)).first()
        if row is not None:
            Rendition.objects.filter(pk=row.pk).update(claimed_until=at + HOLD)
        return row


def _busy() -> bool:
    now = timezone.now()
    return renditions.owed(now).exists() or masters.owed(now).exists()


def _give_way() -> None:
    if _busy():
        raise Wanted


def hear(row: Rendition, *, on_beat: Callable[[], None] | None = None) -> None:
    """Decode one finished file to its end. A store or a machine that fails says nothing of the file: later, then."""
    try:
        with scratch.folder(f"hear-{row.pk}") as folder:
            path = storage.fetch_to(row.storage_key, folder / "kept", sha256=row.sha256)
            flaw = _flaw(row, path, on_beat=on_beat)
    except StorageFailed as error:
        log.warning("%s could not be heard: %s", row, error)
        looks.suspect(row.storage_key, at=timezone.now())
    except LimitReached as error:
        log.warning("%s could not be heard in time: %s", row, error)
    except (Deaf, DiskFailed, DiskFull, Killed, OSError) as error:
        log.warning("%s could not be heard: %s", row, error)
    else:
        if flaw is not None:
            disown(row, flaw, at=timezone.now())
            return
        heard = Rendition.objects.filter(pk=row.pk, sha256=row.sha256, state=Rendition.State.READY, fence=row.fence)
        heard.update(heard_at=timezone.now(), claimed_until=None)


def _flaw(row: Rendition, path: Path, *, on_beat: Callable[[], None] | None) -> str | None:
    """What is wrong with the file at `path`, in words; None where it is right.

    A decoder that cannot start, or falls over, ends as it does on a bad file. So it is believed only when it says so
    again, and this machine still hears both ends of the file, as when it was made. Raises Deaf where it does not.
    """
    master, each = row.master, formats.get(row.format)
    flaw = ""
    for _ in range(TIMES):
        try:
            with renditions.known_sound(), scratch.unspoilt(path, row.sha256):
                encode.verify(path, each, master, sound_sha256=master.sound_sha256, whole=True, on_beat=on_beat)
        except LimitReached:
            raise
        except (ProcessFailed, RenditionWrong) as error:
            flaw = str(error)
        else:
            return None
    if encode.at_sight(path, each, master) is None:
        raise Deaf(f"this machine does not even hear its ends any more. Look at its decoder and its fence: {flaw}")
    return flaw


def disown(row: Rendition, why: str, *, at: datetime) -> None:
    """Hand out this file no more, nor any that may have its sound with other tags; all are owed anew from the master.
    The bytes stay where they are, under a name that no row knows any more, and each row keeps a try that tells it."""
    kin = Rendition.objects.filter(UNHEARD, master=row.master_id, format=row.format, recipe=row.recipe)
    kin = kin.filter(state=Rendition.State.READY).select_for_update().order_by("pk")
    with transaction.atomic():
        while each := kin.first():  # looked for anew each time: a copy may be published while we wait for its original
            log.error("%s is wrong, and is made anew: %s", each, why)
            said = f"Heard to its end, {each.sha256} was found wrong: {why}"[:2000]
            each.fence += 1
            claim = claims.Claim(each, each.fence)
            claims.begin([claim], at=at)
            claim.end(Attempt.Outcome.FAILED, at=at, error=said)
            Rendition.objects.filter(pk=each.pk).update(
                **looks.OWED_ANEW, planned_at=at, error=said, fence=each.fence, disowned=F("disowned") + 1,
                storage_key="", sha256="", bytes=0, samples=0,
            )  # fmt: skip
