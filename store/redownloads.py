"""How long a past buyer may fetch again what rested on a record that has since ended.

A public licence is the buyer's own and goes on. Otherwise the agreement's rule of the day of the sale counts: for ever;
for a notice period after the end; or not beyond it. A newer record that allows fetching again takes the limit away.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from catalog.codes import is_public_id
from catalog.models import Recording
from licensing import clearance
from licensing.models import GrantEnd, LicenceGrant
from licensing.terms import EndKind, Licensee, RedownloadRule, Use
from licensing.territories import day_after, day_begins
from licensing.verdicts import Reliance, Verdict
from store.models import OrderLineTrack


@dataclass(frozen=True, slots=True)
class Limit:
    """Until when a bought track may be fetched, and the record whose end says so."""

    until: datetime
    record: str


def limits(rows: Sequence[OrderLineTrack], *, country: str, at: datetime) -> dict[int, Limit]:
    """The limit of each bought track (by key, with its decision loaded) whose record has ended under such a rule.

    Few queries where nothing is limited; the engine is asked only for what is.
    """
    relied = {row.pk: _limiting(row) for row in rows}
    records = {(one.record, one.version) for each in relied.values() for one in each}
    ends = _ends(records, country=country, at=at)
    found: dict[int, Limit] = {}
    for row in rows:
        mine = [Limit(ends[one.record], one.record) for one in relied[row.pk] if one.record in ends]
        if mine and not _allowed_anew(row.track.recording, row.sound_sha256, country=country, at=at):
            found[row.pk] = min(mine, key=lambda limit: limit.until)
    return found


def _limiting(row: OrderLineTrack) -> list[Reliance]:
    """The records a sale rested on whose end may matter: those given to this store alone."""
    verdict = Verdict.from_data(row.decision.verdict)
    wanted = {record for group in verdict.cleared for record in group.relied_on}
    return [one for one in verdict.records if one.record in wanted and one.licensee != Licensee.PUBLIC]


def _ends(records: Iterable[tuple[str, int]], *, country: str, at: datetime) -> dict[str, datetime]:
    """Until when what rested on these records may be fetched, of those that have ended under a limiting rule."""
    sold = Q()
    for record, version in sorted(each for each in records if is_public_id(each[0])):
        sold |= Q(record_id=record, version=version)
    if not sold:
        return {}
    rules = LicenceGrant.objects.filter(sold).exclude(redownload_rule=RedownloadRule.ALWAYS)
    limited = {str(grant.record_id): grant.redownload_rule for grant in rules}
    if not limited:
        return {}
    newest = LicenceGrant.objects.filter(record_id__in=limited, successor=None)
    last_days = {str(grant.record_id): grant.ends_on for grant in newest}
    revoked = GrantEnd.objects.filter(grant__record_id__in=limited, kind=EndKind.REVOKED, at__lte=at)
    revoked_at = {str(end.grant.record_id): end.at for end in revoked.select_related("grant")}
    found: dict[str, datetime] = {}
    for record, rule in limited.items():
        last = last_days.get(record)
        instants = [revoked_at.get(record), day_begins(day_after(last), country) if last else None]
        ended = min((instant for instant in instants if instant and instant <= at), default=None)
        if ended is not None:
            found[record] = ended + (notice_period() if rule == RedownloadRule.NOTICE_PERIOD else timedelta())
    return found


def notice_period() -> timedelta:
    return timedelta(days=settings.REDOWNLOAD_NOTICE_DAYS)


def _allowed_anew(recording: Recording, sound: str, *, country: str, at: datetime) -> bool:
    verdict = clearance.ask(recording, use=Use.REDOWNLOAD, at=at, sound_sha256=sound)
    return verdict.is_cleared(country, at=at)
