"""The bridge between rights and sound: licensing decides, and must be told which sound would be delivered.

Neither app below knows the other. A verdict names the hash of the current master's sound, so that a new master asks
for a new approval.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.utils import timezone

from licensing import clearance, dossiers, reclearing, rules
from licensing.affected import Affected
from licensing.clearance import Sale
from licensing.dossiers import Among
from licensing.models import ByteCheck, ClearanceDecision
from licensing.models.scrubbing import Place
from licensing.reclearing import Held
from licensing.terms import Use
from store.models import ReviewDue
from transcoding.models import Master

RIGHTS_CAUSES = (
    "grant", "review", "grant end", "notice", "notice end", "master", "ended by date", "share", "recording", "rate",
    "refused at the till",
)  # fmt: skip
DOWNLOAD = Use.PERMANENT_DOWNLOAD
FREE = Use.FREE_DOWNLOAD
PREVIEW = Use.PREVIEW


def masters_of(recordings: Iterable[int]) -> dict[int, Master]:
    """The current (latest accepted) master of each recording that has one with its bytes still whole. One query."""
    return {row.recording_id: row for row in _current_masters(recordings)}


def sounds_of(recordings: Iterable[int]) -> dict[int, str]:
    """The hash of the sound that would be delivered, for each recording that has an accepted master. One query."""
    return dict(_current_masters(recordings).values_list("recording_id", "sound_sha256"))


def _current_masters(recordings: Iterable[int]) -> QuerySet[Master]:
    altered = ByteCheck.objects.filter(place=Place.AUDIO, sha256=OuterRef("file_sha256"), altered_at__isnull=False)
    rows = Master.objects.filter(~Exists(altered), Among("recording_id", set(recordings)), state=Master.State.ACCEPTED)
    return rows.order_by("recording_id", "-accepted_at", "-pk").distinct("recording_id")


def latest_of_recordings(recordings: Iterable[int], *, use: str = DOWNLOAD) -> dict[int, ClearanceDecision]:
    """The decision in force for each recording that was ever decided. One query."""
    rows = ClearanceDecision.objects.filter(recording_id__in=set(recordings), use=use).annotate(held=_HELD)
    found = rows.order_by("recording_id", "-pk").distinct("recording_id")
    return {row.recording_id: row for row in found if row.recording_id is not None}


def latest_of_releases(releases: Iterable[int], *, use: str = DOWNLOAD) -> dict[int, ClearanceDecision]:
    """The decision in force for each release that was ever decided. One query."""
    rows = ClearanceDecision.objects.filter(release_id__in=set(releases), use=use).annotate(held=_HELD)
    found = rows.order_by("release_id", "-pk").distinct("release_id")
    return {row.release_id: row for row in found if row.release_id is not None}


_HELD = ExpressionWrapper(Q(hangs_on__overlap=Held()), output_field=BooleanField())


def holds(decision: ClearanceDecision, *, at: datetime, country: str = "") -> bool:
    """Whether a decision says yes at `at`: in `country`, or somewhere where none is given.

    A decision of `latest_of_…` that hangs on a catalogue which is being taken back says no.
    """
    if is_held(decision):
        return False
    if decision.good_until is None or at < decision.good_until:
        cleared = decision.cleared_countries
    elif decision.lasting_until is None or at < decision.lasting_until:
        cleared = decision.lasting_countries
    else:
        return False
    return country in cleared if country else bool(cleared)


def is_held(decision: ClearanceDecision) -> bool:
    """Whether a decision of `latest_of_…` hangs on a catalogue that is being taken back."""
    return bool(getattr(decision, "held", False))


def standing(*, at: datetime, country: str = "", decision: str = "decision") -> Q:
    """The condition that a row's decision says yes at `at`, in `country` where one is given: `holds`, for queries."""
    current = Q(**{f"{decision}__good_until": None}) | Q(**{f"{decision}__good_until__gt": at})
    lasts = Q(**{f"{decision}__lasting_until": None}) | Q(**{f"{decision}__lasting_until__gt": at})
    free = ~Q(**{f"{decision}__hangs_on__overlap": Held()})
    if not country:
        return (current | (lasts & ~Q(**{f"{decision}__lasting_countries": []}))) & free
    there = Q(**{f"{decision}__cleared_countries__names": country})  # what lasts is part of it
    return there & (current | (lasts & Q(**{f"{decision}__lasting_countries__names": country}))) & free


def refresh(recordings: Iterable[int] | QuerySet[Any], *, at: datetime, actor: str) -> None:
    """Decide again where a right changed since the last review, so that a sale never rests on yesterday's answer.

    `recordings` are keys, or a query of them. The marks stay for the review of the offers; without a mark this is one
    query.
    """
    asked = recordings if isinstance(recordings, QuerySet) else set(recordings)
    marked = ReviewDue.objects.filter(recording_id__in=asked, cause__in=RIGHTS_CAUSES)
    changed = sorted(set(marked.values_list("recording_id", flat=True)))
    if changed:
        decide(changed, at=at, actor=actor)


def decide(recordings: Collection[int], *, at: datetime, actor: str, uses: Sequence[Use] = reclearing.DECIDED) -> int:
    """Decide about these recordings, each with its current sound, and their releases; how many answers changed.

    Whether something may be given away is decided only where somebody wants to; from then on it is kept up to date.
    """
    keys = sorted(set(recordings))
    changed = 0
    for first in range(0, len(keys), reclearing.BATCH):
        batch = keys[first : first + reclearing.BATCH]
        hashes = dossiers.hashes_of(batch)
        with transaction.atomic():
            changed += reclearing.decide(batch, at=at, actor=actor, heard=sounds_of(batch), hashes=hashes, uses=uses)
    return changed


def refuse_unless_cleared_now(
    prices: Mapping[int, Any],
    releases: Collection[int],
    *,
    given: Collection[int] = (),
    country: str,
    at: datetime,
    hashes: Mapping[int, str],
) -> dict[int, list[str]]:
    """Ask the engine once more, in the transaction that sells, from what is on record at this very moment.

    `prices` are the amounts asked for each recording, as lists of (currency, minor units); those of `given` are given
    away for nothing; `hashes` of the evidence were taken before the transaction. Returns the codes for each recording
    that may not be sold in `country`. The locks are held until the transaction ends, so that no act can slip in between
    the answer and the sale.
    """
    every = sorted({*prices, *given})
    clearance.lock(Affected(tuple(every), tuple(sorted(releases))))
    at = max(at, timezone.now())  # an end that came in since the request began counts
    sounds = sounds_of(every)
    sales = [Sale(key, sounds.get(key, ""), each) for key, some in prices.items() for each in some]
    gifts = [Sale(key, sounds.get(key, "")) for key in given]
    refused = clearance.why_not_sold(gifts, country=country, at=at, hashes=hashes, use=FREE) if gifts else {}
    return refused | clearance.why_not_sold(sales, country=country, at=at, hashes=hashes, use=DOWNLOAD)


def below_minimum(prices: Mapping[int, Mapping[str, int]], *, at: datetime) -> set[tuple[int, str]]:
    """The (recording, currency) whose price a licence or tariff forbids everywhere; asked only where one has a minimum.

    Where it is forbidden in some countries only, the sale there is refused when it is made.
    """
    known = dossiers.load([key for key, each in prices.items() if each], at=at)
    bounded = {
        key: evidence
        for key, evidence in known.items()
        if any(record.price_minimum_minor is not None or record.rates for record in evidence.records)
    }
    sounds = sounds_of(bounded) if bounded else {}
    found: set[tuple[int, str]] = set()
    for key, evidence in bounded.items():
        asked = clearance.question(DOWNLOAD, at=at, sound_sha256=sounds.get(key, ""))
        if not rules.decide(asked, evidence).cleared:
            continue
        for currency in prices[key]:
            if not rules.decide(replace(asked, prices=tuple(sorted(prices[key].items()))), evidence).cleared:
                found.add((key, currency))
    return found
