"""Look again at what approvals rest on, whether or not anybody decides anything.

A decision hashes its evidence when it is made; bytes that are swapped afterwards would be believed until something else
asks for a new one. So every content has a row that says when it is due (`ByteCheck`), a worker hashes those that have
waited longest, and where the bytes are no longer what was approved, or are again, what rests on them is decided anew.
Whoever is killed on the way has lost nothing: a claimed row is due again when the claim has run out, and the row says
that its bytes are altered only after all that rests on them was decided.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from catalog.models import RecordingWork
from licensing import affected, dossiers, reclearing
from licensing.models import ByteCheck, GrantEvidence, Instrument, LicenceGrant, Reclearance, evidence_storage
from licensing.models.scrubbing import Place

log = logging.getLogger(__name__)

EVERY = {
    Place.EVIDENCE: timedelta(days=1),
    Place.TEXT: timedelta(days=7),
    Place.AUDIO: timedelta(days=settings.SCRUB_DAYS),
}
AGAIN = timedelta(minutes=10)  # what was altered or unreadable is looked at soon: it may have been restored
CLAIM_FOR = timedelta(minutes=15)
SLICE = 20
ACTOR = "task:scrub"
_CHUNK = 1024**2

Follow = Callable[[ByteCheck], None]


@dataclass
class Scrubbed:
    """What a slice came to: contents looked at, newly altered, and found whole again."""

    looked_at: int = 0
    altered: int = 0
    mended: int = 0


def watch(place: Place, contents: Iterable[tuple[str, str]]) -> None:
    """Look after other bytes as well: pairs of a storage key and the SHA-256 that was approved."""
    rows = [ByteCheck(place=place, key=key, sha256=sha256) for key, sha256 in contents]
    ByteCheck.objects.bulk_create(rows, ignore_conflicts=True)


def altered() -> QuerySet[ByteCheck]:
    """All that is known to be altered or gone, the latest first."""
    return ByteCheck.objects.filter(altered_at__isnull=False).order_by("-altered_at", "-pk")


def due(*places: Place, at: datetime) -> QuerySet[ByteCheck]:
    """What should be looked at by now, that which waited longest first."""
    return ByteCheck.objects.filter(place__in=places, next_check_at__lte=at).order_by("next_check_at", "pk")


def scrub(*, at: datetime, limit: int = SLICE) -> Scrubbed:
    """Hash a slice of the evidence that is due, and have decided anew what rests on bytes that changed."""
    done = Scrubbed()
    for check in claim(Place.EVIDENCE, Place.TEXT, at=at, limit=limit):
        conclude(check, _found(check), at=at, done=done, before=lambda one: _decide_again(one, at=at), also=_owe_wide)
    return done


def claim(*places: Place, at: datetime, limit: int) -> list[ByteCheck]:
    """Take some of what is due, so that no other worker hashes the same."""
    with transaction.atomic():
        free = due(*places, at=at).select_for_update(skip_locked=True)
        keys = list(free.values_list("pk", flat=True)[:limit])
        ByteCheck.objects.filter(pk__in=keys).update(next_check_at=at + CLAIM_FOR)
    return list(ByteCheck.objects.filter(pk__in=keys).order_by("pk"))


def conclude(
    check: ByteCheck,
    found: str | None,
    *,
    at: datetime,
    done: Scrubbed,
    before: Follow | None = None,
    also: Follow | None = None,
) -> bool:
    """Keep what was found ("" for nothing there, None where it could not be read now); whether that is news.

    On news `before` acts ahead of the row's change, and `also` in the same transaction.
    """
    if found is None:
        log.warning("%s %s could not be read.", check.get_place_display(), check.key)
        ByteCheck.objects.filter(pk=check.pk).update(next_check_at=at + AGAIN)
        return False
    whole = found == check.sha256
    news = whole == (check.altered_at is not None)
    if news and before:
        before(check)
    check.altered_at = None if whole else check.altered_at or at
    check.found_sha256, check.checked_at = found, at
    check.next_check_at = at + (EVERY[Place(check.place)] if whole else AGAIN)
    with transaction.atomic():
        check.save(update_fields=["altered_at", "found_sha256", "checked_at", "next_check_at"])
        if news and also:
            also(check)
    done.looked_at += 1
    if news and whole:
        done.mended += 1
    elif news:
        done.altered += 1
        log.error("%s %s is not what was approved: %s.", check.get_place_display(), check.key, found or "nothing there")
    return news


def instruments_of(check: ByteCheck) -> QuerySet[Instrument]:
    """The evidence that is kept as these bytes."""
    if check.place == Place.TEXT:
        return Instrument.objects.filter(pk=int(check.key))
    return Instrument.objects.filter(file=check.key, sha256=check.sha256).exclude(file="")


def grants_on(check: ByteCheck) -> QuerySet[LicenceGrant]:
    """The newest versions that rest on these bytes."""
    links = GrantEvidence.objects.filter(instrument__in=instruments_of(check))
    return LicenceGrant.objects.filter(pk__in=links.values("grant"), successor=None)


def _found(check: ByteCheck) -> str | None:
    if check.place == Place.TEXT:
        text = Instrument.objects.filter(pk=int(check.key)).values_list("text", flat=True).first()
        return hashlib.sha256(text.encode()).hexdigest() if text else ""
    digest = hashlib.sha256()
    try:
        with evidence_storage().open(check.key, "rb") as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
    except FileNotFoundError:
        return ""
    except Exception:  # whatever a storage raises that does not answer, the others of the slice are still looked at
        log.exception("%s could not be read.", check.key)
        return None
    return digest.hexdigest()


def _decide_again(check: ByteCheck, *, at: datetime) -> None:
    """Decide about every recording that rests on these bytes by a record of its own, some hundred at a time."""
    grants = grants_on(check)
    keys = set(grants.filter(recording__isnull=False).values_list("recording_id", flat=True))
    works = grants.filter(work__isnull=False).values("work_id")
    keys |= set(RecordingWork.objects.filter(work__in=works).values_list("recording_id", flat=True))
    ordered = sorted(key for key in keys if key is not None)
    for first in range(0, len(ordered), affected.AT_ONCE):
        batch = ordered[first : first + affected.AT_ONCE]
        hashes = dossiers.hashes_of(batch)
        with transaction.atomic():
            reclearing.decide(batch, at=at, actor=ACTOR, hashes=hashes)


def _owe_wide(check: ByteCheck) -> None:
    """What rests on these bytes as a whole catalogue is owed, and off sale meanwhile where they were altered."""
    wide = grants_on(check).filter(catalogue__isnull=False)
    Reclearance.objects.bulk_create(
        Reclearance(grant=grant, cause="evidence", closes=check.altered_at is not None) for grant in wide
    )
