"""Look again, every night, at files that can be made again: renditions, and covers as we keep them.

A rendition whose bytes are altered or gone is owed again, from its master, and only the very bytes that buyers have
will do. A cover is named, because nobody can draw it. What approvals rest on, masters and evidence, is looked after by
licensing's own rows.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from catalog.models import Artwork
from transcoding import storage
from transcoding.errors import StorageFailed
from transcoding.models import ByteLook, Rendition

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=10)
CLAIM_FOR = timedelta(minutes=15)
SLICE = 20
WATCH_AT_ONCE = 5000
URGENCY = 15  # after what somebody waits for, before what is only made ahead of time
CHUNK = 1024 * 1024
OWED_ANEW = {"state": Rendition.State.PLANNED, "priority": URGENCY, "attempts": 0, "claimed_until": None,
             "rung_at": None, "permille": 0}  # fmt: skip


@dataclass
class Looked:
    """What a slice came to: files looked at, newly found wrong, and found whole again."""

    looked_at: int = 0
    altered: int = 0
    mended: int = 0


def watch() -> None:
    """Look after files that nobody looks after yet, some thousands at once."""
    made = Rendition.objects.filter(state=Rendition.State.READY, storage_key__startswith="renditions/")
    _watch(ByteLook.Place.RENDITION, made, "storage_key")
    _watch(ByteLook.Place.ARTWORK, Artwork.objects.all(), "file")


def _watch(place: ByteLook.Place, rows: QuerySet[Rendition] | QuerySet[Artwork], key: str) -> None:
    known = ByteLook.objects.filter(place=place, key=OuterRef(key))
    fresh: Iterable[tuple[str, str]] = rows.filter(~Exists(known)).order_by("-pk").values_list(key, "sha256")
    looks = [ByteLook(place=place, key=each, sha256=sha256) for each, sha256 in fresh[:WATCH_AT_ONCE]]  # type: ignore[index]
    ByteLook.objects.bulk_create(looks, ignore_conflicts=True)


def wrong() -> QuerySet[ByteLook]:
    """All that is known to be altered or gone, the latest first."""
    return ByteLook.objects.filter(wrong_since__isnull=False).order_by("-wrong_since", "-pk")


def scrub(*, at: datetime, limit: int = SLICE) -> Looked:
    """Hash some of what is due, that which waited longest first; what is wrong is owed again, or named."""
    done = Looked()
    for look in _claim(at=at, limit=limit):
        before = look.wrong_since
        whole = _conclude(look, at=at)
        if whole is None:
            continue
        done.looked_at += 1
        done.mended += whole and before is not None
        done.altered += not whole and before is None
    return done


def suspect(key: str, *, at: datetime) -> bool:
    """Look at once at a rendition's file that was found wrong while it was used. True where it is wrong indeed; it is
    owed again then, and nobody uses it any more."""
    kept = Rendition.objects.filter(storage_key=key, state=Rendition.State.READY).first()
    if kept is None:
        return True  # somebody else found it and has it made again
    look, _ = ByteLook.objects.get_or_create(
        place=ByteLook.Place.RENDITION, key=key, defaults={"sha256": kept.sha256, "due_at": at}
    )
    return _conclude(look, at=at) is False and not Rendition.objects.filter(
        storage_key=key, state=Rendition.State.READY
    ).exists()  # fmt: skip


def _conclude(look: ByteLook, *, at: datetime) -> bool | None:
    """Hash what is kept and write down what was found; what is wrong is owed again, or named. None where the store does
    not answer: later, then."""
    found = _found(look)
    if found is None:
        ByteLook.objects.filter(pk=look.pk).update(due_at=at + AGAIN)
        return None
    whole = found == look.sha256
    if not whole:
        log.error("%s %s is not what was made: %s.", look.get_place_display(), look.key, found or "nothing there")
        _owe(look, at=at)
    look.wrong_since = None if whole else look.wrong_since or at
    look.found_sha256, look.checked_at = found, at
    look.due_at = at + (timedelta(days=settings.SCRUB_DAYS) if whole else AGAIN)
    look.save(update_fields=["wrong_since", "found_sha256", "checked_at", "due_at"])
    return whole


def _claim(*, at: datetime, limit: int) -> list[ByteLook]:
    with transaction.atomic():
        free = ByteLook.objects.filter(due_at__lte=at).order_by("due_at", "pk").select_for_update(skip_locked=True)
        keys = list(free.values_list("pk", flat=True)[:limit])
        ByteLook.objects.filter(pk__in=keys).update(due_at=at + CLAIM_FOR)
    return list(ByteLook.objects.filter(pk__in=keys).order_by("pk"))


def _owe(look: ByteLook, *, at: datetime) -> None:
    """Make room under the key, and let every rendition that is kept there be made again."""
    if look.place != ByteLook.Place.RENDITION:
        return
    try:
        if not storage.remove_altered(look.key):
            return
    except StorageFailed as error:
        log.warning("%s could not be set aside: %s", look.key, error)
        return
    lost = Rendition.objects.filter(storage_key=look.key, state=Rendition.State.READY)
    lost.update(**OWED_ANEW, planned_at=at, error="")


def _found(look: ByteLook) -> str | None:
    """The hash of what is kept now; "" for nothing there, None where the store does not answer."""
    digest = hashlib.sha256()
    try:
        if look.place == ByteLook.Place.ARTWORK:
            with storages["artwork"].open(look.key) as file:
                while piece := file.read(CHUNK):
                    digest.update(piece)
        else:
            for piece in storage.open_range(look.key, 0, storage.size(look.key)):
                digest.update(piece)
    except FileNotFoundError:
        return ""
    except StorageFailed as error:
        return "" if isinstance(error.__cause__, FileNotFoundError) else None
    except Exception:  # whatever a storage raises that does not answer, the others of the slice are still looked at
        log.exception("%s could not be read.", look.key)
        return None
    return digest.hexdigest()
