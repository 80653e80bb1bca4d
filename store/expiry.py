"""What goes off sale because a licence ends, and telling its label in time: 60, 14 and 2 days before, once each.

What a record's end costs is asked of the engine, not guessed from the date: where another record takes over, nothing is
lost and nobody is told. The switching off itself needs nobody: a decision says until when it holds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from catalog.models import Party, Recording
from licensing import affected, clearance, dossiers, rules
from licensing.models import ClearanceDecision, GrantEnd, LicenceGrant
from licensing.terms import EndKind, Use
from licensing.territories import codes_of, day_after, day_start, mask_of
from licensing.verdicts import COUNTRY_LIST, countries_from
from store import clearing, letters
from store.models import ExpiryLook, ExpiryWarning
from store.notice_desk import people_of
from store.templatetags.shop import countries_phrase

DAYS = (60, 14, 2)
AT_ONCE = 500  # recordings asked about together
LISTED = 40  # titles named in a letter


@dataclass(frozen=True)
class Loss:
    """A recording that goes off sale in some countries when a record ends."""

    recording: int
    title: str
    label: int
    countries: tuple[str, ...]


def due(*, at: datetime) -> list[tuple[LicenceGrant, int]]:
    """The records whose end is near enough to be told, with the warning that is due now. One query each.

    A record that is handed in short of its end gets the one warning that fits, not all that it missed.
    """
    today = at.date()
    found = []
    nearer = -1
    for days in sorted(DAYS):
        looked = ExpiryLook.objects.filter(grant=OuterRef("pk"), days=days)
        rows = _standing(at).filter(
            ~Exists(looked), ends_on__gt=today + timedelta(days=nearer), ends_on__lte=today + timedelta(days=days)
        )
        found += [(grant, days) for grant in rows]
        nearer = days
    return found


def warn(*, at: datetime, limit: int = 50) -> int:
    """Look at what ends soon and tell the labels; returns how many were told. Run as often as wanted."""
    return sum(_look(grant, days, at=at) for grant, days in due(at=at)[:limit])


def losses(grant: LicenceGrant, *, at: datetime) -> list[Loss]:
    """What goes off sale, and where, when the record ends: the engine is asked as if its last day were over."""
    if grant.ends_on is None:
        return []
    recordings = affected.by_grant(grant).recordings
    found: list[Loss] = []
    for place in range(0, len(recordings), AT_ONCE):
        found += _lost(grant, recordings[place : place + AT_ONCE], at=at)
    return found


def ends_soon(decision: ClearanceDecision, *, at: datetime, days: int = DAYS[0]) -> list[tuple[date, tuple[str, ...]]]:
    """The last days on which a decision clears something, within so many days, each with its countries."""
    found: dict[date, int] = defaultdict(int)
    same_list = decision.verdict["country_list"] == COUNTRY_LIST
    for group in decision.verdict["cleared"]:
        until = date.fromisoformat(group["until"]) if group["until"] else None
        if until is not None and at.date() < until <= (at + timedelta(days=days)).date() + timedelta(days=1):
            found[until - timedelta(days=1)] |= countries_from(group["countries"], same_list=same_list)
    return [(last, codes_of(mask)) for last, mask in sorted(found.items())]


def _standing(at: datetime) -> QuerySet[LicenceGrant]:
    """Newest versions that nobody revoked."""
    revoked = GrantEnd.objects.filter(grant__record_id=OuterRef("record_id"), kind=EndKind.REVOKED, at__lte=at)
    rows = LicenceGrant.objects.filter(~Exists(revoked), successor=None, ends_on__isnull=False)
    return rows.select_related("licensor__party", "recording", "work", "catalogue").order_by("ends_on", "pk")


def _lost(grant: LicenceGrant, recordings: Sequence[int], *, at: datetime) -> list[Loss]:
    decisions = clearing.latest_of_recordings(recordings)
    resting = {
        key: decision
        for key, decision in decisions.items()
        if decision.cleared_countries and str(grant.record_id) in _relied(decision)
    }
    after = _over_everywhere(grant.ends_on or at.date(), at)
    evidence = dossiers.load(list(resting), at=after)
    rows = Recording.objects.in_bulk(list(resting))
    found = []
    for key, decision in sorted(resting.items()):
        question = clearance.question(Use.PERMANENT_DOWNLOAD, at=after, sound_sha256=decision.sound_sha256)
        left = rules.decide(question, evidence[key]).cleared_mask
        lost = mask_of(decision.cleared_countries) & ~left
        if lost:
            found.append(Loss(key, rows[key].full_title, rows[key].label_id, codes_of(lost)))
    return found


def _relied(decision: ClearanceDecision) -> set[str]:
    return {record for group in decision.verdict["cleared"] for record in group["relied_on"]}


def _over_everywhere(last: date, at: datetime) -> datetime:
    """The first instant at which the day after `last` has begun in every country."""
    instants = day_start(day_after(last)).instants
    return max(at, instants[-1]) if instants else at


def _look(grant: LicenceGrant, days: int, *, at: datetime) -> int:
    lost = losses(grant, at=at)
    by_label: dict[int, list[Loss]] = defaultdict(list)
    for loss in lost:
        by_label[loss.label].append(loss)
    labels = Party.objects.in_bulk(by_label)
    with transaction.atomic():
        _, new = ExpiryLook.objects.get_or_create(grant=grant, days=days, defaults={"at": at})
        if not new:
            return 0
        for key, mine in sorted(by_label.items()):
            _tell(grant, labels[key], mine, days=days, at=at)
    return len(by_label)


def _tell(grant: LicenceGrant, label: Party, lost: Sequence[Loss], *, days: int, at: datetime) -> None:
    people = people_of([label])
    listed: list[dict[str, Any]] = [
        {"title": loss.title, "where": countries_phrase(loss.countries), "countries": list(loss.countries)}
        for loss in sorted(lost, key=lambda loss: loss.title)[:LISTED]
    ]
    ExpiryWarning.objects.create(
        grant=grant, label=label, days=days, recordings=len(lost), lost=listed, told=len(people), at=at
    )
    left = (grant.ends_on - at.date()).days if grant.ends_on else 0
    letters.owe(
        "expiry",
        about=f"{grant.pk}:{days}:{label.pk}",
        to=people,
        subject=f"A licence ends in {left} day{'' if left == 1 else 's'}: {_name(grant)}",
        at=at,
        template="expiry",
        label=label,
        grant=grant,
        name=_name(grant),
        left=left,
        lost=listed,
        count=len(lost),
        more=max(0, len(lost) - LISTED),
        link=f"{settings.SITE_URL}{reverse('studio-record', args=[label.slug, grant.record_id])}",
    )


def _name(grant: LicenceGrant) -> str:
    if grant.recording is not None:
        return f"“{grant.recording.full_title}”"
    if grant.work is not None:
        return f"the work “{grant.work.title}”"
    return f"everything of {grant.catalogue}"
