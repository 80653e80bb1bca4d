"""Files that arrive in pieces, however long it takes and often the line breaks; then a parcel of them is handed in.

The rules of the tus protocol without its words (the view has those): a piece begins where the kept bytes end, one
writer at a time, and never more than was announced. Bytes are hashed as they stream; what was kept by another process
is read back and hashed once when the file is whole. The server takes the bytes itself, also for a bucket, because only
so are size, quota and hash its own findings, and a browser needs to reach no other host: what passes through becomes
parts of a multipart upload at once, and neither this machine's disk nor its memory ever holds a whole file.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from catalog.models import Party
from transcoding import claims, storage
from transcoding.errors import (
    QuotaReached,
    StorageCorrupt,
    StorageFailed,
    UploadBusy,
    UploadDamaged,
    UploadExpired,
    UploadMisplaced,
    UploadRefused,
)
from transcoding.models import Arrival, Master, Parcel

log = logging.getLogger(__name__)

KEPT = timedelta(days=1)  # after the last byte of a file that is not handed in
LEASE = timedelta(seconds=20)
KEEP_EVERY = 8 * 1024 * 1024  # bytes a broken line may cost
CHUNK = 256 * 1024
PATH_LENGTH, NAME_LENGTH = 500, 200
REMEMBERED = 256

Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Checksum:
    """What one piece must hash to."""

    algorithm: str
    digest: bytes


# -- The parcel --------------------------------------------------------------------------------------------------------


def parcel_of(label: Party, *, actor: str) -> Parcel:
    """The parcel this person gathers for this label; a new one where there is none."""
    parcel, _ = Parcel.objects.get_or_create(label=label, actor=actor, state=Parcel.State.OPEN)
    return parcel


def arrivals_of(label: Party) -> QuerySet[Arrival]:
    """What is on its way for a label and not handed in yet."""
    return Arrival.objects.filter(parcel__label=label, parcel__state=Parcel.State.OPEN).order_by("pk")


@dataclass(frozen=True)
class Room:
    """How much a label has here, and how much it may have; `most_kept` is nought where there is no limit."""

    on_the_way: int
    kept: int
    most_on_the_way: int
    most_kept: int

    @property
    def used(self) -> int:
        return self.on_the_way + self.kept

    @property
    def left(self) -> int:
        """The bytes that may still be announced."""
        rooms = [self.most_on_the_way - self.on_the_way]
        rooms += [self.most_kept - self.used] if self.most_kept else []
        return max(0, min(rooms))

    def hold(self, length: int) -> None:
        """Raises QuotaReached where `length` more bytes do not fit."""
        if self.most_kept and self.used + length > self.most_kept:
            left = size_words(max(0, self.most_kept - self.used))
            raise QuotaReached(
                f"{size_words(length)} do not fit: {left} of your label's {size_words(self.most_kept)} are left. "
                "Ask the shop for more room."
            )
        if self.on_the_way + length > self.most_on_the_way:
            here = f"{size_words(self.on_the_way)} are" if self.on_the_way else f"this file has {size_words(length)}"
            raise QuotaReached(
                f"At most {size_words(self.most_on_the_way)} may be on their way at a time, and {here}. "
                + ("Hand in what is here, then go on." if self.on_the_way else "Ask the shop for more room.")
            )


def room_of(label: Party) -> Room:
    """What a label has announced and no catalogue holds yet, and the masters that are kept for it.

    Asked in this order a file that becomes a master meanwhile counts twice, and never not at all.
    """
    on_the_way = Arrival.objects.filter(parcel__label=label).aggregate(sum=Sum("length"))["sum"]
    masters = Master.objects.filter(recording__label=label).exclude(state=Master.State.REJECTED)
    kept = masters.aggregate(sum=Sum("bytes"))["sum"]
    return Room(int(on_the_way or 0), int(kept or 0), settings.UPLOAD_QUOTA_BYTES, settings.LABEL_QUOTA_BYTES)


def size_words(count: int) -> str:
    """Bytes as a person reads them, in decimal units as disks are sold."""
    for unit, worth in (("GB", 1000**3), ("MB", 1000**2), ("kB", 1000)):
        if count >= worth:
            return f"{count / worth:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def announce(parcel: Parcel, *, path: str, length: int, sha256: str = "") -> Arrival:
    """Make room for a file of `length` bytes at `path` of the parcel. Raises UploadRefused, QuotaReached."""
    if length > settings.MASTER_MAX_BYTES:
        most = size_words(settings.MASTER_MAX_BYTES)
        raise UploadRefused(f"The file is larger than {most}, the most a file may have here; split the recording.")
    _drop_expired(Arrival.objects.filter(parcel__label=parcel.label_id), at=timezone.now())
    with transaction.atomic():
        Party.objects.select_for_update(no_key=True).get(pk=parcel.label_id)  # the quota is the label's
        held = Parcel.objects.select_for_update().get(pk=parcel.pk)
        if held.state != Parcel.State.OPEN:
            raise UploadMisplaced("This delivery was handed in already; reload the page to begin another.")
        if held.arrivals.count() >= settings.UPLOAD_MAX_FILES:
            raise QuotaReached(
                f"One delivery holds at most {settings.UPLOAD_MAX_FILES} files; hand these in first, then the rest."
            )
        room_of(held.label).hold(length)
        arrival = Arrival(
            parcel=held, path=path[:PATH_LENGTH], length=length, promised_sha256=sha256,
            expires_at=timezone.now() + KEPT,
        )  # fmt: skip
        arrival.path = _free_place(held, arrival.path)
        arrival.save()
    if length == 0:
        return settle(arrival)
    return arrival


def plain_path(told: str, name: str) -> str:
    """Where a file lies in the folder it came from: as the sender said, if that is a plain path to the same name."""
    path = PurePosixPath(told)
    plain = path.name == name and not path.is_absolute() and ".." not in path.parts and len(told) <= PATH_LENGTH
    return str(PurePosixPath(*(_shortened(part) for part in (path if plain else PurePosixPath(name)).parts)))


def _shortened(name: str) -> str:
    """A name that file systems take: at most 200 bytes, its ending kept; nothing in it that no text may hold."""
    name = "".join("_" if letter in "/\0" or not letter.isprintable() else letter for letter in name)
    name = name.encode("utf-8", "replace").decode()
    stem, dot, ending = name.rpartition(".")
    ending = f"{dot}{ending}" if stem and len(ending) <= 10 else ""  # noqa: PLR2004 - longer is no ending
    stem = name.removesuffix(ending) if ending else name
    room = NAME_LENGTH - len(ending.encode())
    return (stem.encode()[:room].decode("utf-8", "ignore") + ending) if name not in {"", ".", ".."} else "unnamed"


def _free_place(parcel: Parcel, path: str) -> str:
    """`path`, or where another file has it already, the same name in a numbered folder."""
    taken = set(parcel.arrivals.values_list("path", flat=True))
    place, number = path, 1
    while any(_collide(place, other) for other in taken):
        number += 1
        place = f"{number}/{PurePosixPath(path).name}"
    return place


def _collide(one: str, other: str) -> bool:
    """Whether two paths cannot lie in one folder: the same, or one of them a folder and a file at once."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


# -- Pieces ------------------------------------------------------------------------------------------------------------


class _Hashers:
    """Hashes of files that are on their way through this process, so that they need not be read again.

    A hash is good for the writer that comes right after the one that left it, and for nobody else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[int, int, Any]] = OrderedDict()

    def take(self, arrival: Arrival) -> Any:
        with self._lock:
            fence, received, hasher = self._kept.pop(arrival.pk, (0, -1, None))
        if not arrival.received:
            return hashlib.sha256()
        return hasher if (fence, received) == (arrival.fence - 1, arrival.received) else None

    def leave(self, arrival: Arrival, hasher: Any) -> None:
        with self._lock:
            self._kept[arrival.pk] = arrival.fence, arrival.received, hasher
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)


_hashers = _Hashers()


def append(arrival: Arrival, *, offset: int, length: int, read: Read, checksum: Checksum | None = None) -> Arrival:
    """Keep a piece of `length` bytes from `offset` on; what came of one that broke off counts, up to the last byte.

    A piece with a checksum counts as a whole or not at all. Raises UploadMisplaced where the kept bytes end elsewhere,
    UploadBusy while another writer is at it, UploadRefused for more than was announced, UploadDamaged, UploadExpired.
    Where the storage lost what was kept (StorageCorrupt), the file is taken back, so that it can begin anew.
    """
    arrival = _claim(arrival, offset=offset, length=length)
    hasher = _hashers.take(arrival)
    try:
        with storage.writer(_key(arrival), arrival.pieces, arrival.received) as writer:
            hasher = _Piece(arrival, writer, hasher, checksum).take(read, length)
    except StorageCorrupt:
        _remove(arrival)
        raise
    except BaseException as error:
        _release(arrival)
        if isinstance(error, UploadDamaged) and hasher is not None:
            _hashers.leave(arrival, hasher)  # the piece counts for nothing, and is in no hash
        raise
    if arrival.received == arrival.length:
        return _finish(arrival, hasher)
    _release(arrival)
    if hasher is not None:
        _hashers.leave(arrival, hasher)
    return arrival


@dataclass
class _Piece:
    """One piece while it streams in."""

    arrival: Arrival
    writer: storage.Writer
    hasher: Any
    checksum: Checksum | None

    def take(self, read: Read, length: int) -> Any:
        """Write what comes and keep it; the hash of the file so far, None where this process does not know it."""
        hasher = self.hasher.copy() if self.hasher is not None else None
        check = hashlib.new(self.checksum.algorithm, usedforsecurity=False) if self.checksum else None
        came = since = 0
        while came < length and (data := read(min(CHUNK, length - came))):
            _beat(self.arrival)
            self.writer.write(data)
            if hasher is not None:
                hasher.update(data)
            if check is not None:
                check.update(data)
            came += len(data)
            since += len(data)
            if check is None and since >= KEEP_EVERY:
                _keep(self.arrival, self.writer, since)
                since = 0
        if check is not None and self.checksum is not None:
            if came < length:
                return self.hasher  # nobody is there to be told; the piece comes again
            if check.digest() != self.checksum.digest:
                raise UploadDamaged("This piece was altered on its way; send it again.")
        if since:
            _keep(self.arrival, self.writer, since)
        return hasher


def _claim(arrival: Arrival, *, offset: int, length: int) -> Arrival:
    """Become the only writer, for as long as bytes come."""
    now = timezone.now()
    with transaction.atomic():
        found = Arrival.objects.select_for_update().select_related("parcel").get(pk=arrival.pk)
        if found.claimed_until is not None and found.claimed_until > now:
            raise UploadBusy("Another upload of this very file is under way; wait for it, or try again in a minute.")
        if found.parcel.state != Parcel.State.OPEN:
            raise UploadMisplaced("This file was handed in already.")
        hold_unexpired(found, at=now)
        if offset != found.received:
            raise UploadMisplaced(f"{found.received} bytes of it are here; go on from there, not from {offset}.")
        if length > found.length - found.received:
            raise UploadRefused(f"The file was announced with {found.length} bytes; this would make it longer.")
        if found.claimed_until is not None:
            found.fence += 1  # its writer went away without a word: what it hashed is not believed
        found.fence += 1
        found.claimed_until = now + LEASE
        found.save(update_fields=["fence", "claimed_until"])
    return found


def hold_unexpired(arrival: Arrival, *, at: datetime) -> None:
    """Raises UploadExpired for a file that the next sweep forgets: nobody shall send bytes to it any more."""
    if arrival.expires_at <= at:
        raise UploadExpired(
            "Nobody went on with this file for a day, and it was forgotten. Send it from the beginning."
        )


def _mine(arrival: Arrival) -> QuerySet[Arrival]:
    return Arrival.objects.filter(pk=arrival.pk, fence=arrival.fence, state=Arrival.State.ARRIVING)


def _beat(arrival: Arrival) -> None:
    """Renew the claim in good time; before any byte is written, so that a writer who slept long writes none."""
    now = timezone.now()
    if arrival.claimed_until is not None and now < arrival.claimed_until - LEASE / 2:
        return
    if not _mine(arrival).update(claimed_until=now + LEASE):
        raise UploadBusy("Another upload of this very file took over.")
    arrival.claimed_until = now + LEASE


def _keep(arrival: Arrival, writer: storage.Writer, count: int) -> None:
    """What was written counts from now on: first for certain in the storage, then in the row."""
    pieces, now = writer.keep(), timezone.now()
    values: dict[str, Any] = {
        "received": arrival.received + count, "pieces": pieces, "claimed_until": now + LEASE, "expires_at": now + KEPT,
    }  # fmt: skip
    if not _mine(arrival).update(**values):
        raise UploadBusy("Another upload of this very file took over.")
    for name, value in values.items():
        setattr(arrival, name, value)


def _release(arrival: Arrival) -> None:
    _mine(arrival).update(claimed_until=None)
    arrival.claimed_until = None


def settle(arrival: Arrival) -> Arrival:
    """Finish a file whose bytes are all here but whose last writer was killed; anything else stays as it is."""
    if arrival.state == Arrival.State.WHOLE or arrival.received != arrival.length:
        return arrival
    try:
        arrival = _claim(arrival, offset=arrival.length, length=0)
    except UploadBusy:
        return arrival
    return _finish(arrival, _hashers.take(arrival))


def _finish(arrival: Arrival, hasher: Any) -> Arrival:
    """All bytes are here: give them their place, and hold their hash against what was promised."""
    key = _key(arrival)
    try:
        storage.join(key, arrival.pieces, arrival.length)
        sha256 = hasher.hexdigest() if hasher is not None else _read_back(arrival)
    except StorageCorrupt:
        _remove(arrival)
        raise
    except BaseException:
        _release(arrival)
        raise
    if arrival.promised_sha256 and sha256 != arrival.promised_sha256:
        _remove(arrival)
        raise UploadDamaged(f"“{arrival.path}” is not the file that was announced; upload it again.")
    won = _mine(arrival).update(state=Arrival.State.WHOLE, sha256=sha256, pieces={}, claimed_until=None)
    if not won:
        raise UploadBusy("Another upload of this very file took over.")
    arrival.refresh_from_db()
    return arrival


def _read_back(arrival: Arrival) -> str:
    hasher = hashlib.sha256()
    for piece in storage.open_range(_key(arrival), 0, arrival.length):
        hasher.update(piece)
        _beat(arrival)
    return hasher.hexdigest()


def _key(arrival: Arrival) -> str:
    return storage.quarantine_key(arrival.public_id)


# -- Taking back -------------------------------------------------------------------------------------------------------


def drop(arrival: Arrival) -> None:
    """Take a file back before it is handed in. Raises UploadBusy, UploadMisplaced."""
    now = timezone.now()
    mine = Arrival.objects.filter(claims.waiting(now), pk=arrival.pk, parcel__state=Parcel.State.OPEN)
    if not mine.update(fence=F("fence") + 2, claimed_until=now + LEASE):
        raise UploadBusy("It is being written, or was handed in already.")
    arrival.refresh_from_db()
    _remove(arrival)


def _remove(arrival: Arrival) -> None:
    """The bytes first, then the row: a row without bytes is found again, bytes without a row are billed for ever."""
    storage.discard(_key(arrival), arrival.pieces)
    Arrival.objects.filter(pk=arrival.pk, fence=arrival.fence).delete()


def expire(*, at: datetime, limit: int = 100) -> int:
    """Forget files that nobody went on with for a day, and what the storage holds of files nobody knows."""
    removed = _drop_expired(Arrival.objects.all(), at=at, limit=limit)
    empty = ~Exists(Arrival.objects.filter(parcel=OuterRef("pk")))
    Parcel.objects.filter(empty, state=Parcel.State.OPEN, created_at__lte=at - KEPT).delete()
    return removed


def _drop_expired(arrivals: QuerySet[Arrival], *, at: datetime, limit: int = 100) -> int:
    gone = arrivals.filter(claims.waiting(at), parcel__state=Parcel.State.OPEN, expires_at__lte=at)
    removed = 0
    for arrival in gone[:limit]:
        try:
            drop(arrival)
        except (UploadBusy, StorageFailed) as error:
            log.warning("%s could not be taken back: %s", arrival, error)
            continue
        removed += 1
    return removed


def forget_ghosts(*, at: datetime) -> int:
    """Take back unfinished files of the storage that have no row, as a killed process may leave them."""
    old = [(key, pieces) for key, pieces, written in storage.drafts() if written < at - KEPT]
    known = {_key(one): one.pieces for one in Arrival.objects.filter(state=Arrival.State.ARRIVING)}
    ghosts = [
        (key, pieces)
        for key, pieces in old
        if key not in known or any(known[key].get(name) != value for name, value in pieces.items())
    ]
    for key, pieces in ghosts:
        storage.discard_draft(key, pieces)
    return len(ghosts)


# -- Handing in --------------------------------------------------------------------------------------------------------


def hand_in(parcel: Parcel, *, order: dict[str, Any], at: datetime) -> Parcel:
    """Close the parcel, with what is asked. Must be called in a transaction. Raises UploadMisplaced, UploadRefused."""
    held = Parcel.objects.select_for_update().get(pk=parcel.pk)
    if held.state != Parcel.State.OPEN:
        raise UploadMisplaced("This delivery was handed in already.")
    states = list(held.arrivals.values_list("state", flat=True))
    missing = sum(state != Arrival.State.WHOLE for state in states)
    if missing or not states:
        still = "1 file is" if missing == 1 else f"{missing} files are"
        raise UploadRefused(f"{still} still on the way; wait, or remove what shall not go." if missing else "No file.")
    held.state, held.order, held.handed_in_at = Parcel.State.HANDED_IN, order, at
    held.save(update_fields=["state", "order", "handed_in_at"])
    return held


def owed(at: datetime) -> QuerySet[Parcel]:
    """Parcels that wait to be taken and that nobody is taking."""
    return Parcel.objects.filter(claims.waiting(at), state=Parcel.State.HANDED_IN).order_by("handed_in_at")


def claim(parcel_id: int, *, at: datetime, lease: timedelta) -> Parcel | None:
    """Take a parcel in hand for a while; None where another worker has it, or nothing is owed."""
    if not owed(at).filter(pk=parcel_id).update(fence=F("fence") + 1, claimed_until=at + lease):
        return None
    return Parcel.objects.select_related("label").get(pk=parcel_id)


def renew(parcel: Parcel, *, at: datetime, lease: timedelta) -> bool:
    """Whether the parcel is still in our hands."""
    mine = Parcel.objects.filter(pk=parcel.pk, fence=parcel.fence, state=Parcel.State.HANDED_IN)
    return bool(mine.update(claimed_until=at + lease))


def lay_out(parcel: Parcel, folder: Path) -> None:
    """The folder that the files came from, for reading only; each is checked against its hash."""
    for arrival in parcel.arrivals.order_by("pk"):
        path = folder / arrival.path
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.fetch_to(_key(arrival), path, sha256=arrival.sha256)


def conclude(parcel: Parcel, *, state: Parcel.State, error: str = "") -> None:
    """It is taken, or given up; its files leave quarantine (masters have places of their own)."""
    mine = Parcel.objects.filter(pk=parcel.pk, fence=parcel.fence, state=Parcel.State.HANDED_IN)
    if mine.update(state=state, claimed_until=None, error=error[:2000]):
        clear(parcel)


def clear(parcel: Parcel) -> None:
    """Empty quarantine of a parcel that is over."""
    for arrival in parcel.arrivals.order_by("pk"):
        _remove(arrival)


def uncleared() -> QuerySet[Parcel]:
    """Parcels that are over but whose files are still here, because a worker was killed in between."""
    over = Q(state__in=[Parcel.State.TAKEN, Parcel.State.FAILED])
    return Parcel.objects.filter(over, Exists(Arrival.objects.filter(parcel=OuterRef("pk"))))


def take_file(parcel: Parcel, path: Path, *, place: str) -> Arrival:
    """A file that came in one piece by a form without script: announced and kept as if it had come in pieces."""
    arrival = announce(parcel, path=place, length=path.stat().st_size)
    if arrival.state == Arrival.State.WHOLE:
        return arrival
    with path.open("rb") as file:
        return append(arrival, offset=0, length=arrival.length, read=file.read)
