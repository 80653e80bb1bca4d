"""What was sold with an order, as its settlement needs it: read by one call, under the order's lock.

Asked for piece by piece it is a dozen statements, each planned anew while the lock is held. The functions of migration
0025 read the same rows by plans that PostgreSQL keeps; here they become what the rest of the shop knows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from catalog import models as catalog
from catalog.credits import sleeve
from licensing.models import ClearanceDecision
from licensing.terms import Use
from payments import accounts
from payments.models import Account
from store.models import Order, OrderLine

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Track:
    """One track that came with a line, with what its certificate says of it.

    `decision` is the key of the decision that cleared it, whose `verdict` is plain data; `decision_ref` and
    `recording_ref` are public ids.
    """

    recording: int
    decision: int
    title: str
    artist: str
    isrc: str
    recording_ref: str
    sound_sha256: str
    decision_ref: str
    verdict_sha256: str
    verdict: Mapping[str, Any]


Tracks = dict[int, list[Track]]  # by line


@dataclass(frozen=True)
class Sold:
    """An order under its lock. Of one in a state that was asked to be left alone there is nothing but the order.

    `decided` has the decision in force for each recording that was decided anew since it was sold; `advanced` says
    whether any payee of the lines has an advance open.
    """

    order: Order
    lines: list[OrderLine] = field(default_factory=list)
    tracks: Tracks = field(default_factory=dict)
    decided: dict[int, ClearanceDecision] = field(default_factory=dict)
    chart: accounts.Chart | None = None
    advanced: bool = False


def lock(order: Order, *, unless: Collection[str]) -> Sold:
    """Lock the order until the transaction ends and read what was sold, unless it is in one of these states."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT store_sold(%s, %s::text[], %s)", [order.pk, list(unless), Use.PERMANENT_DOWNLOAD.value])
        found = cursor.fetchone()[0]
    sold = _row(Order, found["order"])
    if "lines" not in found:
        return Sold(sold)
    decided = [_row(ClearanceDecision, each) for each in found["decided"]]
    return Sold(
        sold,
        lines=[_line(each, sold) for each in found["lines"] or ()],
        tracks=_by_line(found["tracks"]),
        decided={each.recording_id: each for each in decided if each.recording_id is not None},
        chart=accounts.Chart(sold.currency, known=[_row(Account, each) for each in found["accounts"] or ()]),
        advanced=found["advanced"],
    )


def tracks_of(lines: Iterable[OrderLine]) -> Tracks:
    """The tracks that came with each line. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(one) FROM store_tracks_sold(%s) AS one", [[line.pk for line in lines]])
        return _by_line(row for (row,) in cursor.fetchall())


def _by_line(rows: Iterable[dict[str, Any]]) -> Tracks:
    found: Tracks = defaultdict(list)
    for row in rows:
        found[row["line_id"]].append(_track(row))
    return found


def _track(found: Mapping[str, Any]) -> Track:
    track, recording = _row(catalog.Track, found["track"]), _row(catalog.Recording, found["recording"])
    track.recording = recording
    return Track(
        recording=found["recording_id"],
        decision=found["decision_id"],
        title=track.title,
        artist=sleeve(found["credits"]),
        isrc=recording.isrc or "",
        recording_ref=str(recording.public_id),
        sound_sha256=found["sound_sha256"],
        decision_ref=found["decision_ref"],
        verdict_sha256=found["verdict_sha256"],
        verdict=found["verdict"],
    )


def _line(found: Mapping[str, Any], order: Order) -> OrderLine:
    line = _row(OrderLine, found["line"])
    line.order, line.decision = order, _row(ClearanceDecision, found["decision"])
    return line


def _row(model: type[Row], found: Mapping[str, Any]) -> Row:
    """A row out of JSON; columns that were not asked for are read when somebody looks at them."""
    fields = {one.attname: one for one in model._meta.concrete_fields if one.column in found}
    values = [one.to_python(found[str(one.column)]) for one in fields.values()]
    return model.from_db(connection.alias, list(fields), values)
