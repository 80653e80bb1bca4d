"""A delivery from the studio: its files arrive in pieces, the label hands them in, a worker takes them.

Nothing is read, hashed or filed while a browser waits. What is owed is the parcel's row; the delivery's row is there
from the moment of handing in, so that its page can say that it waits. A worker that dies leaves a parcel whose claim
runs out, and the next one finishes the same delivery: nothing is taken twice.
"""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.core.cache import cache
from django.core.files import File
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from catalog.words import clean
from licensing.territories import TerritorySet
from payments.money import Money
from store import bells, deliveries
from store.delivered_rights import Declaration
from store.intake import REFUSED
from store.models import Delivery, DeliveryLine
from transcoding import scratch, storage, uploads
from transcoding.errors import LateWorker, StorageFailed, TranscodingError
from transcoding.models import Arrival, Parcel

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)  # renewed with each line
AGAIN = timedelta(seconds=30)
MAX_CLAIMS = 4
GHOSTS_EVERY = 3600  # seconds; it lists the storage


def hand_in(parcel: Parcel, asked: dict[str, Any], *, at: datetime) -> Delivery:
    """Close the parcel and open its delivery; `asked` is what the form said. Raises TranscodingError."""
    paper: File[bytes] | None = asked["agreement"]
    if paper is not None:
        _keep_paper(parcel, paper)
    declared = declaration(asked, agreement=None)
    folder_name, _ = _root(parcel.arrivals.values_list("path", flat=True))
    with transaction.atomic():
        uploads.hand_in(parcel, order=_order(asked), at=at)
        delivery = Delivery.objects.create(
            public_id=parcel.public_id,
            label=parcel.label,
            folder_name=clean(folder_name) or "Files",
            actor=parcel.actor,
            declaration=declared.as_json(),
            started_at=at,
        )
        bells.ring("store.tasks.take_parcel", parcel.pk)
    return delivery


def declaration(asked: dict[str, Any], *, agreement: Path | bytes | None) -> Declaration:
    """What a form of the studio declares."""
    return Declaration(
        own_works=asked["own_works"],
        direct_grant=asked.get("direct_grant", True),
        agreement=agreement,
        territories=TerritorySet.parse(asked["territory_mode"], tuple(asked["territories"])),
        starts_on=asked["starts_on"],
        ends_on=asked["ends_on"],
    )


def _keep_paper(parcel: Parcel, paper: "File[bytes]") -> None:
    """The agreement waits in quarantine, beside the files."""
    with scratch.folder("paper") as folder:
        path = folder / "agreement"
        with path.open("wb") as kept:
            for chunk in paper.chunks():
                kept.write(chunk)
        storage.delete(_paper_key(parcel))  # of an earlier try
        storage.put_file(_paper_key(parcel), path)


def _paper_key(parcel: Parcel) -> str:
    return storage.quarantine_key(parcel.public_id)


def _order(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked, as the parcel's row keeps it."""
    days = {name: asked[name].isoformat() if asked[name] else "" for name in ("starts_on", "ends_on")}
    prices = {
        name: [asked[name].minor, str(asked[name].currency)] if asked[name] else None
        for name in ("price", "release_price")
    }
    return {
        "own_works": asked["own_works"],
        "direct_grant": asked["direct_grant"],
        "agreement": asked["agreement"] is not None,
        "territory_mode": asked["territory_mode"],
        "territories": list(asked["territories"]),
        **days,
        **prices,
    }


def _root(paths: Iterable[str]) -> tuple[str, str]:
    """The folder's name, and what all paths begin with: one folder above everything, where there is one."""
    parts = [PurePosixPath(path).parts for path in paths]
    roots = {each[0] for each in parts}
    if len(roots) == 1 and all(len(each) > 1 for each in parts):
        return next(iter(roots)), next(iter(roots))
    return "Files", ""


def told(arrival: Arrival) -> dict[str, object]:
    """How far a file has come, as a browser asks it, and where it goes on."""
    return {
        "path": arrival.path,
        "length": arrival.length,
        "received": arrival.received,
        "whole": arrival.state == Arrival.State.WHOLE,
        "url": reverse("studio-upload", args=[arrival.parcel.label.slug, arrival.public_id]),
    }


# -- The worker --------------------------------------------------------------------------------------------------------


def take(parcel_id: int, *, at: datetime) -> Delivery | None:
    """Take a parcel that is owed; None where another worker has it, or nothing is owed."""
    parcel = uploads.claim(parcel_id, at=at, lease=LEASE)
    if parcel is None:
        return None
    delivery = Delivery.objects.get(public_id=parcel.public_id)
    if parcel.fence > MAX_CLAIMS:
        _give_up(parcel, delivery, "Every try to read this delivery was cut short.")
        return delivery
    try:
        with scratch.folder(f"parcel-{parcel.pk}") as folder:
            _deliver(parcel, delivery, folder)
    except LateWorker:
        return None
    except (TranscodingError, OSError) as error:
        log.warning("%s waits: %s", parcel, error)
        if isinstance(error, StorageFailed) and not error.retry:
            _give_up(parcel, delivery, f"The files cannot be read back: {error}")
        else:
            uploads.renew(parcel, at=timezone.now(), lease=AGAIN)
        return delivery
    _conclude(parcel, Parcel.State.TAKEN)
    return delivery


def _deliver(parcel: Parcel, delivery: Delivery, folder: Path) -> None:
    _, root = _root(parcel.arrivals.values_list("path", flat=True))
    files = folder / "files"
    files.mkdir()
    uploads.lay_out(parcel, files)
    order: dict[str, Any] = parcel.order
    days: dict[str, date | None] = {name: parse_date(order[name]) for name in ("starts_on", "ends_on")}
    agreement = storage.fetch_to(_paper_key(parcel), folder / "agreement") if order["agreement"] else None
    prices = {name: Money(*order[name]) if order[name] else None for name in ("price", "release_price")}

    def keep_on(_line: DeliveryLine) -> None:
        if not uploads.renew(parcel, at=timezone.now(), lease=LEASE):
            raise LateWorker(f"{parcel} passed to another worker.")

    deliveries.deliver(
        files / root,
        label=parcel.label,
        actor=parcel.actor,
        declaration=declaration(order | days, agreement=agreement),
        price=prices["price"],
        release_price=prices["release_price"],
        on_line=keep_on,
        delivery=delivery,
    )


def _give_up(parcel: Parcel, delivery: Delivery, why: str) -> None:
    """Say so where the label looks; its files are gone from quarantine, and delivering them again is the cure."""
    DeliveryLine.objects.create(
        delivery=delivery,
        path=delivery.folder_name,
        outcome=REFUSED,
        code="GIVEN_UP",
        message=f"{why} Deliver these files again; what was taken before is not taken twice.",
    )
    Delivery.objects.filter(pk=delivery.pk).update(ended_at=timezone.now())
    _conclude(parcel, Parcel.State.FAILED, error=why)


def _conclude(parcel: Parcel, state: Parcel.State, *, error: str = "") -> None:
    try:
        uploads.conclude(parcel, state=state, error=error)
        if parcel.order["agreement"]:
            storage.delete(_paper_key(parcel))
    except StorageFailed:
        log.warning("Quarantine of %s could not be emptied; the sweep will.", parcel)


def tidy(*, at: datetime) -> None:
    """Forget what nobody went on with, and empty quarantine behind workers that were killed."""
    uploads.expire(at=at)
    if cache.add("uploads:ghosts", 1, timeout=GHOSTS_EVERY):
        uploads.forget_ghosts(at=at)
    for parcel in uploads.uncleared()[:100]:
        uploads.clear(parcel)
