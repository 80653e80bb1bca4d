"""The money of music in dispute: it waits under its subject, and goes to whoever the right turns out to be.

A dispute stops the sale at once; what still comes in are orders placed before it. Their buyers get the music, and the
part of the price that belongs to the disputed layer is credited to a suspense account of that recording and layer. When
no dispute is left, each part is released by a transfer of its own: as the dispute awarded it; as it was sold, where the
dispute came to nothing; after a clash of two claims, to whoever the decision in force names. A line that is refunded
takes its part along, released or not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db import transaction
from django.db.models import Q, Sum

from catalog.models import Party, Recording, Track
from licensing.models import ClearanceDecision, Notice, NoticeEnd, RightsHolder
from licensing.terms import NoticeKind
from licensing.verdicts import Verdict
from payments import accounts, debts, ledger
from payments.models import Account, Payee, Transfer
from payments.money import allocate
from store import clearing, directions, returns
from store.models import HeldShare, OrderLine
from store.royalties import Leg, letters_for

CODES = frozenset({"DISPUTED", "CONFLICTING_CLAIM"})
KIND = "DISPUTE_RELEASE"
Layers = dict[tuple[int, str], str]
Parts = list[tuple[Account, Fraction]]


def disputed(recordings: Iterable[int], *, country: str) -> Layers:
    """Which layers of which recordings are in dispute in a country, by the decisions in force; with the reason's code.

    One query.
    """
    return in_dispute(clearing.latest_of_recordings(recordings), country=country)


def in_dispute(latest: Mapping[int, ClearanceDecision], *, country: str) -> Layers:
    """The same from decisions at hand. Settlement has decided anew before, so that a dispute of a second ago counts."""
    found: Layers = {}
    for key, decision in latest.items():
        if country in decision.cleared_countries:
            continue  # there are no reasons where it is cleared
        for reason in Verdict.from_data(decision.verdict).reasons_in(country):
            if reason.code in CODES:
                found[key, reason.layer] = reason.code
    return found


def covers(held: Layers, leg: Leg) -> bool:
    """Whether a part of the price belongs to a layer in dispute."""
    return leg.recording is not None and (leg.recording, leg.kind) in held


def account_of(recording: int, layer: str, currency: str) -> Account:
    """Where the money of one layer of one recording waits while it is in dispute."""
    return accounts.suspense(f"disputed-{recording}-{layer}", currency)


def keep(line: OrderLine, legs: Sequence[Leg], held: Layers, *, currency: str, at: datetime) -> None:
    """Write down what of a line waits, and for what; in the transaction that posts it."""
    waiting = [leg for leg in legs if covers(held, leg)]
    notices = {leg.recording: _disputing(leg.recording or 0, leg.kind) for leg in waiting}
    sums: dict[tuple[int, str, int, int | None], int] = defaultdict(int)
    for leg in waiting:
        sums[leg.recording or 0, leg.kind, leg.holder or 0, leg.payee] += leg.micros
    HeldShare.objects.bulk_create(
        HeldShare(
            line=line,
            recording_id=recording,
            layer=layer,
            holder_id=holder,
            payee_id=payee,
            account=account_of(recording, layer, currency),
            micros=micros,
            notice=notices[recording],
            reason=held[recording, layer],
            held_at=at,
        )
        for (recording, layer, holder, payee), micros in sums.items()
    )


def release_ended(*, at: datetime, limit: int = 200) -> int:
    """Release what waits and is no longer in dispute; returns how many parts. Each in a transaction of its own."""
    waiting = HeldShare.objects.filter(released_at=None, line__state=OrderLine.State.PAID)
    by_country: dict[str, set[int]] = defaultdict(set)
    for recording, country in waiting.values_list("recording", "line__order__country").distinct():
        by_country[country].add(recording)
    still = {country: disputed(keys, country=country) for country, keys in by_country.items()}
    parts: dict[tuple[int, int, str], OrderLine] = {}
    for row in waiting.select_related("line__order").order_by("pk").iterator():
        if (row.recording_id, row.layer) not in still.get(row.line.order.country, {}):
            parts[row.line_id, row.recording_id, row.layer] = row.line
        if len(parts) >= limit:
            break
    return sum(_release(line, recording, layer, at=at) for (_, recording, layer), line in parts.items())


def undo(line: OrderLine, *, at: datetime) -> None:
    """The line is refunded: what was released comes back, what still waits waits no more. In the refund's transaction.

    The refund itself mirrors the sale, so that every account of both ends where it was. Where a part of the line went
    back before, the refund takes what is left from wherever it now stands, and no release is undone.
    """
    parts = line.chargebacks.exists() or line.line_refunds.exclude(state="FAILED").count() > 1
    released = HeldShare.objects.filter(line=line, released_at__isnull=False).exclude(release_reference="")
    for reference in () if parts else released.values_list("release_reference", flat=True).distinct():
        posted = Transfer.objects.filter(reference=reference, kind=KIND).first()
        if posted is not None:
            back = reference.replace("released:", "unreleased:", 1)
            debts.carry(ledger.reverse(posted, reference=back, at=at), at=at)
    HeldShare.objects.filter(line=line, released_at=None).update(
        released_at=at, release_reference=f"refund:{line.public_id}"
    )


@dataclass(frozen=True)
class Waiting:
    """What waits for one layer of one recording in one currency, and why."""

    recording: Recording
    layer: str
    currency: str
    micros: int
    lines: int
    since: datetime
    reason: str
    claimant: str


def of_label(label: Party) -> list[Waiting]:
    """What of a label's sales waits because of a dispute, the oldest first. One statement."""
    rows = HeldShare.objects.filter(released_at=None, line__label=label)
    return _waiting(rows.select_related("recording", "account", "notice").order_by("held_at", "pk"))


def of_notice(notice: Notice) -> list[Waiting]:
    """What waits because of this notice. One statement."""
    rows = HeldShare.objects.filter(released_at=None, notice=notice)
    return _waiting(rows.select_related("recording", "account", "notice").order_by("held_at", "pk"))


def _waiting(rows: Iterable[HeldShare]) -> list[Waiting]:
    found: dict[tuple[int, str, str], list[HeldShare]] = defaultdict(list)
    for row in rows:
        found[row.recording_id, row.layer, row.account.currency].append(row)
    return [
        Waiting(
            recording=parts[0].recording,
            layer=layer,
            currency=currency,
            micros=sum(part.micros for part in parts),
            lines=len({part.line_id for part in parts}),
            since=parts[0].held_at,
            reason=parts[0].reason,
            claimant=parts[0].notice.claimant if parts[0].notice else "",
        )
        for (_, layer, currency), parts in found.items()
    ]


def held_of(lines: Iterable[int]) -> frozenset[tuple[int, int, str, int]]:
    """`(line, recording, layer, payee)` of every part that did not go to its payee at the sale. One query."""
    rows = HeldShare.objects.filter(line__in=list(lines), payee__isnull=False)
    return frozenset(rows.values_list("line", "recording", "layer", "payee"))


def sums_of_label(label: Party) -> dict[str, int]:
    """Micros of a label's sales that wait because of a dispute, by currency. One query."""
    rows = HeldShare.objects.filter(released_at=None, line__label=label).values("account__currency")
    return {
        row["account__currency"]: row["sum"] for row in rows.annotate(sum=Sum("micros")).order_by("account__currency")
    }


def _release(line: OrderLine, recording: int, layer: str, *, at: datetime) -> int:
    with transaction.atomic(durable=True):
        state = OrderLine.objects.select_for_update().get(pk=line.pk).state
        rows = list(
            HeldShare.objects.filter(line=line, recording=recording, layer=layer, released_at=None).select_related(
                "account", "payee", "line__track"
            )
        )
        if not rows or state != OrderLine.State.PAID:
            return 0
        parts = _parts(rows, line.order.country, at=at)
        if not parts:
            return 0
        whole = min(sum(row.micros for row in rows), returns.standing(line).get(rows[0].account_id, 0))
        if not whole:  # all that waited has gone back to the buyer
            HeldShare.objects.filter(pk__in=[row.pk for row in rows]).update(
                released_at=at, release_reference=f"refund:{line.public_id}"
            )
            return 0
        sums: dict[int, Fraction] = defaultdict(Fraction)
        known = {account.pk: account for account, _ in parts}
        for account, share in parts:
            sums[account.pk] += share
        amounts = allocate(whole, sorted(sums.items()))
        reference = f"released:{line.public_id}:{recording}:{layer}"
        legs = [ledger.debit(rows[0].account, whole)]
        legs += [ledger.credit(known[key], micros) for key, micros in sorted(amounts.items()) if micros]
        ledger.post(reference, kind=KIND, legs=legs, at=at)
        HeldShare.objects.filter(pk__in=[row.pk for row in rows]).update(released_at=at, release_reference=reference)
    return 1


def _parts(rows: Sequence[HeldShare], country: str, *, at: datetime) -> Parts:
    """Whose it is now, as parts of one; nothing where nobody can say yet."""
    first, currency = rows[0], rows[0].account.currency
    ends = _ended(first)
    if not ends and first.reason == "CONFLICTING_CLAIM":
        return _by_decision(first, country, at=at)
    awards = [award for end in ends[:1] for award in end.awards.all()]
    parts: Parts = []
    for award in awards:
        share = Fraction(award.share_numerator, award.share_denominator)
        parts += _by_letters(award.holder, first, share, at=at)
    rest = 1 - sum((share for _, share in parts), Fraction(0))
    whole = sum(row.micros for row in rows)
    if rest:
        parts += [(_as_sold(row, currency), rest * Fraction(row.micros, whole)) for row in rows]
    return parts


def _ended(row: HeldShare) -> list[NoticeEnd]:
    """The ends of the disputes about this layer since the money came in, the latest first."""
    about = NoticeEnd.objects.filter(_about(row.recording_id, "notice__"), notice__kind=NoticeKind.DISPUTE)
    about = about.filter(at__gte=row.held_at)
    found = about.select_related("notice").prefetch_related("awards__holder").order_by("-at", "-pk")
    return [end for end in found if _is_about(end.notice, row.layer)]


def _by_decision(row: HeldShare, country: str, *, at: datetime) -> Parts:
    decision = clearing.latest_of_recordings([row.recording_id]).get(row.recording_id)
    if decision is None or not clearing.holds(decision, at=at, country=country):
        return []
    shares = [share for share in Verdict.from_data(decision.verdict).shares_in(country) if share.layer == row.layer]
    works = {share.subject for share in shares}
    holders = {str(one.public_id): one for one in RightsHolder.objects.filter(public_id__in={s.holder for s in shares})}
    parts: Parts = []
    for share in shares:
        parts += _by_letters(holders[share.holder], row, share.share / len(works), at=at)
    return parts


def _by_letters(holder: RightsHolder, row: HeldShare, share: Fraction, *, at: datetime) -> Parts:
    """A holder's part, where its letters of direction say; what no letter names waits under its name."""
    currency, line = row.account.currency, row.line
    release = line.release_id or (line.track.release_id if line.track else None)
    found = directions.in_force(
        [holder.pk], on=at.date(), recordings=[row.recording_id], releases=[release] if release else []
    )
    named = [letter for (_, layer), each in found.items() if layer == row.layer for letter in each]
    letters = letters_for(named, recording=row.recording_id, release=release)
    payees = Payee.objects.in_bulk([letter.payee for letter in letters])
    parts = [(accounts.payee(payees[letter.payee], currency), share * letter.share) for letter in letters]
    rest = 1 - sum((letter.share for letter in letters), Fraction(0))
    if rest:
        parts.append((accounts.suspense(f"holder-{holder.pk}", currency), share * rest))
    return parts


def _as_sold(row: HeldShare, currency: str) -> Account:
    if row.payee is not None:
        return accounts.payee(row.payee, currency)
    return accounts.suspense(f"holder-{row.holder_id}", currency)


def _disputing(recording: int, layer: str) -> Notice | None:
    """The dispute that stands about a layer of a recording, the first of several."""
    rows = Notice.objects.filter(_about(recording), kind=NoticeKind.DISPUTE, end=None).order_by("pk")
    return next((notice for notice in rows if _is_about(notice, layer)), None)


def _is_about(notice: Notice, layer: str) -> bool:
    named = "WORK" if notice.work_id else notice.layer
    return named in {"", layer}


def _about(recording: int, prefix: str = "") -> Q:
    """Notices that reach a recording: about itself, a work in it, a release it stands on, or a label of either."""
    row = Recording.objects.get(pk=recording)
    placed = Track.objects.filter(recording=row)
    return (
        Q(**{f"{prefix}recording": row})
        | Q(**{f"{prefix}work__in": row.works.values("pk")})
        | Q(**{f"{prefix}release__in": placed.values("release")})
        | Q(**{f"{prefix}label": row.label_id})
        | Q(**{f"{prefix}label__in": placed.values("release__label")})
    )
