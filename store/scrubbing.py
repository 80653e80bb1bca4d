"""Look again at all bytes that approvals rest on, evidence and masters, and tell the reviewers what was altered. Then
look at what can be made again (`transcoding.looks`).

Licensing looks after its evidence; the masters' bytes are hashed here, because only the store may know rights and
files at once. A master whose bytes are no longer those that were examined counts as none (`clearing.masters_of`), so
that what was approved by its sound is not sold.
"""

import hashlib
import time
from collections.abc import Iterable
from datetime import datetime

from django.core.cache import cache
from django.db.models import Exists, OuterRef
from django.urls import reverse

from licensing import scrubbing
from licensing.models import ByteCheck
from licensing.models.scrubbing import Place
from licensing.scrubbing import Scrubbed
from store import clearing, letters, offers
from store.models import User
from transcoding import looks, storage
from transcoding.errors import StorageFailed
from transcoding.models import Master

SECONDS = 10  # of hashing at one ring
LEAST = 3  # of these for what can be made again, however much else is due
MASTERS = 4  # a slice: tens of megabytes each
WATCH_AT_ONCE, WATCH_EVERY = 5000, 600


def scrub(*, at: datetime, seconds: float = SECONDS) -> Scrubbed:
    """Work off what is due for about `seconds`, evidence first; then tell the reviewers what is newly altered."""
    if cache.add("scrub:watch", 1, timeout=WATCH_EVERY):
        watch_masters()
        looks.watch()
    done, end = Scrubbed(), time.monotonic() + seconds
    for slice_ in (scrubbing.scrub, scrub_masters):
        while (found := slice_(at=at)).looked_at:
            done.looked_at += found.looked_at
            done.altered += found.altered
            done.mended += found.mended
            if time.monotonic() > end:
                break
    if done.altered:
        tell(at=at)
    end = max(end, time.monotonic() + LEAST)
    while looks.scrub(at=at).looked_at and time.monotonic() < end:
        pass
    return done


def watch_masters() -> None:
    """Look after accepted masters that nobody looks after yet, some thousands at once."""
    watched = ByteCheck.objects.filter(place=Place.AUDIO, key=OuterRef("storage_key"), sha256=OuterRef("file_sha256"))
    fresh = Master.objects.filter(~Exists(watched), state=Master.State.ACCEPTED).order_by("-pk")
    scrubbing.watch(Place.AUDIO, fresh.values_list("storage_key", "file_sha256")[:WATCH_AT_ONCE])


def scrub_masters(*, at: datetime, limit: int = MASTERS) -> Scrubbed:
    """Hash some masters that are due. Where one is altered, or whole again, its recordings are decided anew."""
    done = Scrubbed()
    for check in scrubbing.claim(Place.AUDIO, at=at, limit=limit):
        if scrubbing.conclude(check, _found(check.key), at=at, done=done, also=_mark):
            clearing.decide(recordings_of([check]), at=at, actor=scrubbing.ACTOR)
    return done


def recordings_of(checks: Iterable[ByteCheck]) -> list[int]:
    """The recordings whose master is kept as one of these bytes."""
    hashes = [check.sha256 for check in checks if check.place == Place.AUDIO]
    rows = Master.objects.filter(file_sha256__in=hashes, state=Master.State.ACCEPTED)
    return sorted(set(rows.values_list("recording_id", flat=True)))


def tell(*, at: datetime) -> None:
    """Write to the reviewers that something was altered; once an hour, because the page names all of it."""
    letters.owe(
        "altered",
        about=f"{at:%Y-%m-%d %H}",
        to=User.objects.filter(is_reviewer=True, is_active=True).values_list("email", flat=True),
        subject="Approved bytes were altered",
        at=at,
        template="altered",
        count=scrubbing.altered().count(),
        path=reverse("review-altered"),
    )


def _mark(check: ByteCheck) -> None:
    offers.mark_due(recordings_of([check]), cause="master")  # whoever is killed before deciding leaves this


def _found(key: str) -> str | None:
    digest = hashlib.sha256()
    try:
        for piece in storage.open_range(key, 0, storage.size(key)):
            digest.update(piece)
    except StorageFailed as error:
        return "" if isinstance(error.__cause__, FileNotFoundError) else None
    return digest.hexdigest()
