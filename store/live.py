"""How far recordings have come, for a page that asks again every other second: one statement for any number of them.

`of` says less than `catalogue.rows`, which names what is missing and whose turn it is: a page draws its rows anew from
there when a stage has changed, and between times only these cells.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from catalog.models import Recording
from licensing.models import ClearanceDecision
from licensing.terms import Use
from store.models import Delivery, Offer, Price
from store.records import Kind
from store.waiting import in_review
from transcoding.models import Finding, Master, Rendition

THOUSAND = 1000
PERCENT = 10  # thousandths
MOVING = {"UPLOADED", "EXAMINING", "CLEARING", "MAKING", "OPENING"}


@dataclass(frozen=True)
class Progress:
    """One recording: its stage, a word for it, and how much of the stage is done (None where nobody can know).

    `odd` counts what the examination found worth a look.
    """

    key: int
    stage: str
    kind: Kind
    word: str
    permille: int | None = None
    made: int = 0
    due: int = 0
    odd: int = 0

    @property
    def moving(self) -> bool:
        """Whether it goes on by itself, so that a page does well to ask again."""
        return self.stage in MOVING

    @property
    def percent(self) -> int:
        return (self.permille or 0) // PERCENT


class _Standing(NamedTuple):
    """`cleared` is None where nobody has asked yet."""

    cleared: bool | None
    waits: bool
    priced: bool
    sold: bool


def of(recordings: Iterable[int] | QuerySet[Any, Any]) -> list[Progress]:
    """Where each recording stands, in the order of their keys. One statement."""
    newest = Master.objects.filter(recording=OuterRef("pk")).order_by("-pk")
    for_sale = Rendition.objects.filter(master=OuterRef("newest")).exclude(purpose=Rendition.Purpose.REVIEW)
    of_newest = for_sale.order_by("format", "-pk").distinct("format")
    decided = ClearanceDecision.objects.filter(recording=OuterRef("pk"), use=Use.PERMANENT_DOWNLOAD).order_by("-pk")
    somewhere = ExpressionWrapper(~Q(cleared_countries=[]), output_field=BooleanField())
    odd = Finding.objects.filter(master=OuterRef("newest"), severity=Finding.Severity.WARNING).order_by()
    rows = Recording.objects.filter(pk__in=recordings).annotate(
        newest=Subquery(newest.values("pk")[:1]),
        sound=Subquery(newest.values(data=JSONObject(state="state", permille="permille", fence="fence"))[:1]),
        files=ArraySubquery(of_newest.values(data=JSONObject(state="state", permille="permille"))),
        odd=Subquery(odd.values("master").annotate(found=Count("pk")).values("found")),
        cleared=Subquery(decided.annotate(yes=somewhere).values("yes")[:1]),
        waits=in_review(),
        priced=Exists(Price.objects.filter(recording=OuterRef("pk"))),
        sold=Exists(Offer.objects.filter(track__recording=OuterRef("pk"), closed_at=None)),
    )
    found = rows.order_by("pk").values_list("pk", "sound", "files", "odd", "cleared", "waits", "priced", "sold")
    return [_progress(key, sound, files, odd or 0, _Standing(*at)) for key, sound, files, odd, *at in found]


def _progress(
    key: int, sound: dict[str, object] | None, files: Sequence[dict[str, object]], odd: int, at: _Standing
) -> Progress:
    if sound is None:
        return Progress(key, "NO_FILE", "refused", "No file")
    if sound["state"] == Master.State.REJECTED:
        return Progress(key, "REFUSED", "refused", "File refused")
    if sound["state"] == Master.State.EXAMINING and not sound["fence"]:
        return Progress(key, "UPLOADED", "waiting", "Uploaded")
    if sound["state"] == Master.State.EXAMINING:
        done = int(str(sound["permille"]))
        return Progress(key, "EXAMINING", "waiting", f"Examined {done // PERCENT}%", done)
    return _accepted(key, files, at, odd)


def _accepted(key: int, files: Sequence[dict[str, object]], at: _Standing, odd: int) -> Progress:
    """What was found fit: reviewed, cleared, made, sold. A refusal of rights is told before files that still go on."""
    states = [str(file["state"]) for file in files]
    made, due = states.count(Rendition.State.READY), len(states)
    stage, kind, word = _stage(at, failed=Rendition.State.FAILED in states, made=made, due=due)
    share = _share(files) if stage == "MAKING" else None
    return Progress(key, stage, kind, word, share, made, due, odd)


def _stage(at: _Standing, *, failed: bool, made: int, due: int) -> tuple[str, Kind, str]:  # noqa: PLR0911 - a line each
    if not at.cleared and at.waits:
        return "REVIEW", "waiting", "In review"
    if at.cleared is False:
        return "NOT_CLEARED", "refused", "Not cleared"
    if at.sold:
        return "SOLD", "cleared", "On sale"
    if failed:
        return "FAILED", "refused", "Format failed"
    if at.cleared is None or not due:
        return "CLEARING", "waiting", "Getting ready"
    if made < due:
        return "MAKING", "waiting", f"Formats {made} of {due} made"
    return ("OPENING" if at.priced else "NO_PRICE"), "waiting", f"{due} format{'s' if due != 1 else ''} made"


def _share(files: Sequence[dict[str, object]]) -> int:
    """Thousandths of all that is to be encoded; a file that waits counts nothing, a finished one all."""
    ready = Rendition.State.READY
    done = sum(THOUSAND if file["state"] == ready else int(str(file["permille"])) for file in files)
    return done // len(files)


def seen(rows: Iterable[Progress], *, besides: str = "") -> str:
    """What a page shows of stages, in few letters: when this changes, the page draws its rows anew."""
    return hashlib.sha256("".join([besides, *(f"{row.key}{row.stage}" for row in rows)]).encode()).hexdigest()[:12]


def taken(delivery: Delivery) -> str:
    """How far the taking of a delivery has come, besides the recordings in it: files are refused or known already."""
    return f"{delivery.ended_at is not None} {delivery.lines.count()} "


def shown(recordings: Iterable[int], *, delivery: Delivery | None = None) -> dict[str, Any]:
    """For a page's first drawing: each recording's cell by its key, what the page has seen, whether to ask again."""
    cells = of(recordings)
    going = delivery is not None and delivery.ended_at is None
    return {
        "cells": {cell.key: cell for cell in cells},
        "seen": seen(cells, besides=taken(delivery) if delivery else ""),
        "moving": going or any(cell.moving for cell in cells),
    }
