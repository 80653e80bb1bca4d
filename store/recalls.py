"""Music that should never have been sold: a recall, or a title that was void from the start.

Fetching it again stops at once, its buyers are told, and each is owed a refund: a line that holds nothing else is given
back by itself; for a track of an album a case is opened, because what a part is worth is for people to say.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from catalog.codes import is_public_id
from licensing import notices
from licensing.models import GrantEnd
from licensing.terms import EndKind
from licensing.verdicts import Verdict
from store import letters
from store.errors import RefundRefused
from store.models import Order, OrderLine, OrderLineTrack, RefundCase

RECALLED = "recalled: the rights were void"


def void(rows: Sequence[OrderLineTrack], *, at: datetime) -> dict[int, str]:
    """Why each of these bought tracks (by key, with its decision loaded) may not be had again; only those with a why.

    A record that turns out void takes along what was sold on it, and nothing else: what rested on another stays.
    """
    recordings = {row.track.recording_id for row in rows}
    struck = notices.recalled(recordings, at=at) if _any_recall(at) else frozenset()
    found = {row.pk: "it was recalled" for row in rows if row.track.recording_id in struck}
    relied = {row.pk: relied_on(row) for row in rows if row.pk not in found}
    ended = void_records({record for records in relied.values() for record in records}, at=at)
    for key, records in relied.items():
        if ended & records:
            found[key] = "whoever licensed it never held the right"
    return found


def relied_on(row: OrderLineTrack) -> frozenset[str]:
    """The records that the sale of a track rested on, in the buyer's country or any."""
    verdict = Verdict.from_data(row.decision.verdict)
    return frozenset(record for group in verdict.cleared for record in group.relied_on)


def void_records(records: Iterable[str], *, at: datetime) -> frozenset[str]:
    """Those of these records that were revoked because their licensor never held the right. One query."""
    wanted = [record for record in records if is_public_id(record)]  # not all verdicts were written here
    if not wanted:
        return frozenset()
    rows = GrantEnd.objects.filter(
        grant__record_id__in=wanted, kind=EndKind.REVOKED, void_title=True, at__lte=at
    ).values_list("grant__record_id", flat=True)
    return frozenset(str(record) for record in rows)


def refund_void(recordings: Iterable[int], *, at: datetime) -> int:
    """Open a case for every paid line with a void track of these recordings; returns how many lines became due.

    Who got it for nothing is owed nothing: the files stop, and the library says why.

    Run as often as wanted: a case is opened once. The sweep then asks Stripe for the money.
    """
    keys = set(recordings)
    if not _any_recall(at) and not GrantEnd.objects.filter(void_title=True, at__lte=at).exists():
        return 0
    sold = OrderLineTrack.objects.filter(
        line__state=OrderLine.State.PAID, line__amount_minor__gt=0, track__recording__in=keys
    )
    rows = list(sold.select_related("track", "decision", "line__order").order_by("line__order", "line", "position"))
    why = void(rows, at=at)
    by_line: dict[int, list[OrderLineTrack]] = defaultdict(list)
    for row in rows:
        if row.pk in why:
            by_line[row.line_id].append(row)
    return sum(_open(struck[0].line, struck, why[struck[0].pk], at=at) for struck in by_line.values())


def settle(case: RefundCase, *, actor: str, at: datetime, whole: bool, note: str = "") -> RefundCase:
    """The desk decides an open case: give the `whole` line back, or close it with a note of what was agreed.

    The refund itself is then owed by the line's state. Raises RefundRefused.
    """
    if not whole and not note.strip():
        raise RefundRefused("Say what was agreed with the buyer; the note is kept with the case.")
    with transaction.atomic():
        line = OrderLine.objects.select_related("order").get(pk=case.line_id)
        Order.objects.select_for_update().get(pk=line.order_id)
        mine = RefundCase.objects.filter(pk=case.pk, state=RefundCase.State.OPEN).update(
            state=RefundCase.State.REFUND if whole else RefundCase.State.SETTLED,
            closed_at=at,
            closed_by=actor,
            note=note.strip(),
        )
        if not mine:
            raise RefundRefused("This case was decided before.")
        if whole:
            _due(line)
            RefundCase.objects.filter(line=line, state=RefundCase.State.OPEN).update(
                state=RefundCase.State.REFUND, closed_at=at, closed_by=actor
            )
    case.refresh_from_db()
    return case


def open_cases() -> list[RefundCase]:
    """The cases that wait for the desk, the oldest first. One query."""
    rows = RefundCase.objects.filter(state=RefundCase.State.OPEN)
    return list(rows.select_related("line__order", "track__recording").order_by("pk"))


def _any_recall(at: datetime) -> bool:
    return notices.standing(at=at).filter(kind="RECALL").exists()


def _open(line: OrderLine, struck: Sequence[OrderLineTrack], cause: str, *, at: datetime) -> int:
    whole = line.tracks.count() == len(struck)
    with transaction.atomic():
        Order.objects.select_for_update().get(pk=line.order_id)
        if OrderLine.objects.get(pk=line.pk).state != OrderLine.State.PAID:
            return 0
        new = [row for row in struck if not RefundCase.objects.filter(line=line, track_id=row.track_id).exists()]
        RefundCase.objects.bulk_create(
            RefundCase(
                line=line,
                track_id=row.track_id,
                cause=cause,
                opened_at=at,
                **({"state": RefundCase.State.REFUND, "closed_at": at, "closed_by": "task:refunds"} if whole else {}),
            )
            for row in new
        )
        if whole:
            _due(line)
            RefundCase.objects.filter(line=line, state=RefundCase.State.OPEN).update(
                state=RefundCase.State.REFUND, closed_at=at, closed_by="task:refunds"
            )
        else:
            Order.objects.filter(pk=line.order_id, alert="").update(
                alert=f"A track of “{line.title}” was recalled; we look at what is owed to you."[:300]
            )
        if new:
            _tell(line, new, cause, whole=whole, at=at)
    return int(whole)


def _due(line: OrderLine) -> None:
    OrderLine.objects.filter(pk=line.pk, state=OrderLine.State.PAID).update(
        state=OrderLine.State.REFUND_DUE, state_reason=RECALLED
    )


def _tell(line: OrderLine, struck: Sequence[OrderLineTrack], cause: str, *, whole: bool, at: datetime) -> None:
    letters.owe(
        "recall",
        about=f"{line.public_id}:{struck[0].track_id}",
        to=[line.order.email],
        subject=f"“{line.title}” was recalled",
        at=at,
        template="recall",
        line=line,
        whole=whole,
        cause=cause,
        titles=[row.track.title for row in struck],
        link=f"{settings.SITE_URL}{reverse('order', args=[line.order.public_id])}",
    )
