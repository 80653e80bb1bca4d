"""What is on sale. An offer is open while its recording or release is cleared, priced, and its files are ready.

`review_offers` is the one place that opens and closes offers: it asks licensing again, plans the files that are made
ahead, and brings the offers in line. It may run at any time, as often as wanted. Triggers leave a `ReviewDue` row for
whatever may change the answer, and `review_due` works those off.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from catalog.models import Recording, Release, Track
from licensing import reclearing
from licensing.models import ClearanceDecision
from licensing.reclearing import Held
from licensing.verdicts import Verdict
from store import clearing, previews, pricing, ratecards, tagging
from store.models import Offer, Price, ReviewDue, Shelf, WideReview
from transcoding import formats, renditions
from transcoding.models import Master, Rendition

DATES_BACK = timedelta(days=7)  # what turned earlier and is not on sale was asked about since, or nobody waits for it
WIDE_SLICE = 500
CLAIM_FOR = timedelta(minutes=1)  # a slice takes seconds; a killed worker's is taken up again soon
READY = Rendition.State.READY
SOLD_AS = (clearing.DOWNLOAD, clearing.FREE)


class Ask(NamedTuple):
    """What a label asks for one thing in one currency, in minor units."""

    minor: int
    or_more: bool

    @property
    def use(self) -> str:
        """What costs nothing is given away, and needs the leave to do that."""
        return clearing.DOWNLOAD if self.minor else clearing.FREE


Decisions = Mapping[str, ClearanceDecision | None]  # by use


@dataclass
class Reviewed:
    """What a review did."""

    recordings: list[int] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    planned: list[int] = field(default_factory=list)  # masters with new files to make


def open_now(offers: Iterable[Offer], *, country: str, at: datetime | None = None) -> list[Offer]:
    """Those of the offers that can be bought: open, and cleared now in `country`. One query."""
    offers = list(offers)
    rows = Offer.objects.filter(clearing.standing(at=at or timezone.now(), country=country), closed_at=None)
    standing = set(rows.filter(pk__in=[offer.pk for offer in offers]).values_list("pk", flat=True))
    return [offer for offer in offers if offer.pk in standing]


@dataclass(frozen=True)
class OnSale:
    """The open offers of one release in one currency: the whole of it, and its tracks by the track's key."""

    whole: Offer | None
    tracks: dict[int, Offer]


def on_sale(releases: Iterable[Release], *, currency: str, country: str = "") -> dict[int, OnSale]:
    """What is on sale of each release, in `country` where one is given. One query."""
    keys = [release.pk for release in releases]
    rows = Offer.objects.filter(
        Q(release_id__in=keys) | Q(track__release_id__in=keys),
        clearing.standing(at=timezone.now(), country=country),
        closed_at=None,
        currency=currency,
    ).select_related("decision", "track")
    wholes: dict[int, Offer] = {}
    tracks: dict[int, dict[int, Offer]] = defaultdict(dict)
    for offer in rows:
        if offer.track is None:
            wholes[offer.release_id or 0] = offer
        else:
            tracks[offer.track.release_id][offer.track.pk] = offer
    return {key: OnSale(wholes.get(key), tracks[key]) for key in keys}


def selling(releases: QuerySet[Release], *, currency: str, country: str = "") -> QuerySet[Release]:
    """Only those releases of which something is on sale now (in `country`, where one is given).

    One condition on the shelf, whose index knows the countries: a page costs the same however many tracks there are.
    """
    return releases.filter(Exists(_shelf(currency=currency, country=country).filter(release=OuterRef("pk"))))


def newest(
    count: int,
    *,
    currency: str,
    country: str = "",
    after: tuple[datetime, int] | None = None,
    among: Mapping[str, object] | None = None,
) -> QuerySet[Release]:
    """The `count` newest releases of which something is on sale now, behind `after` (moment and key) where it is given.

    The page is read off the shelf, which stands in its order; a release is looked up only where it is shown. `among`
    are conditions on the release.
    """
    places = _shelf(currency=currency, country=country).filter(**{f"release__{k}": v for k, v in (among or {}).items()})
    if after is not None:
        when, key = after
        # the first part alone is one that an index can answer
        places = places.filter(Q(created_at__lt=when) | Q(release_id__lt=key), created_at__lte=when)
    places = places.order_by("-created_at", "-release_id")[:count]
    return Release.objects.filter(pk__in=places.values("release_id")).order_by("-created_at", "-pk")


def _shelf(*, currency: str, country: str) -> QuerySet[Shelf]:
    """Where something is on sale now, in `country` where one is given."""
    now = timezone.now()
    current = Q(until=None) | Q(until__gt=now)
    lasts = Q(lasting_until=None) | Q(lasting_until__gt=now)
    shelf = Shelf.objects.filter(~Q(hangs_on__overlap=Held()), currency=currency)
    if not country:
        return shelf.filter(current | (lasts & Q(lasting__len__gt=0)))
    there = Q(named__names=country) & Q(countries__contains=[country])  # in this order: the first is the cheap one
    return shelf.filter(there, current | (lasts & Q(lasting__contains=[country])))


def set_price(
    subject: Release | Recording, *, currency: str, amount_minor: int, actor: str, or_more: bool = False
) -> Price:
    """Set what a release or recording shall cost; the next review brings the offers in line.

    Nought gives it away, where the licences allow that; `or_more` lets the buyer name a price from this one up.
    """
    about: dict[str, Any] = {"release" if isinstance(subject, Release) else "recording": subject}
    price, _ = Price.objects.update_or_create(
        **about,
        currency=currency,
        defaults={
            "amount_minor": amount_minor,
            "or_more": or_more,
            "by_list": False,
            "set_by": actor,
            "set_at": timezone.now(),
        },
    )
    return price


# -- Review ------------------------------------------------------------------------------------------------------------


def review_due(*, at: datetime, limit: int = 50, actor: str = "task:review_offers") -> Reviewed:
    """Work off marks: claim some recordings, review their offers, delete the marks that were seen.

    A worker that dies leaves its claim, which runs out; what is marked during the review stays for the next one.
    """
    with transaction.atomic():
        free = ReviewDue.objects.filter(Q(claimed_until=None) | Q(claimed_until__lte=at))
        first = list(free.order_by("pk").values_list("recording_id", flat=True)[: limit * 4])
        chosen = list(dict.fromkeys(first))[:limit]
        marks = list(
            free.filter(recording_id__in=chosen).select_for_update(skip_locked=True).values_list("pk", "recording_id")
        )
        ReviewDue.objects.filter(pk__in=[mark for mark, _ in marks]).update(claimed_until=at + CLAIM_FOR)
    if not marks:
        return Reviewed()
    reviewed = review_offers({recording for _, recording in marks}, at=at, actor=actor)
    ReviewDue.objects.filter(pk__in=[mark for mark, _ in marks]).delete()
    return reviewed


def mark_due(recordings: Iterable[int], *, cause: str) -> None:
    """Ask for a review by hand; what changes rights, files, tracks or prices is marked by triggers already."""
    ReviewDue.objects.bulk_create([ReviewDue(recording_id=key, cause=cause) for key in set(recordings)])


def follow_wide_reviews(*, at: datetime) -> int:
    """Mark the next recordings that have a price, where all of them, or a label's, must be looked at again.

    Only once few marks wait, so that what was withdrawn or fixed by hand goes first. Returns how many were marked.
    """
    if ReviewDue.objects.order_by("pk")[:WIDE_SLICE].count() >= WIDE_SLICE:
        return 0
    with transaction.atomic():
        rows = WideReview.objects.select_for_update(of=["self"], skip_locked=True).filter(due_at__lte=at)
        wide = rows.order_by("due_at", "pk").first()
        if wide is None:
            return 0
        single = Price.objects.filter(recording=OuterRef("pk"))
        whole = Price.objects.filter(release__tracks__recording=OuterRef("pk"))
        asked = Recording.objects.filter(Exists(single) | Exists(whole), pk__gt=wide.upto)
        if wide.label_id is not None:
            # A whole release is under its own label's contract, whosever recordings are on it.
            placed = Track.objects.filter(recording=OuterRef("pk"), release__label=wide.label_id)
            asked = asked.filter(Q(label=wide.label_id) | Exists(placed))
        keys = list(asked.order_by("pk").values_list("pk", flat=True)[:WIDE_SLICE])
        if keys:
            mark_due(keys, cause=wide.cause)
            WideReview.objects.filter(pk=wide.pk).update(upto=keys[-1])
        else:
            wide.delete()
    return len(keys)


def follow_dates(*, at: datetime, limit: int = 5000, actor: str = "task:dates") -> int:
    """Decide again what a date has changed: licences that ended or began somewhere, releases whose day has come.

    Countries that lose the right are off sale at that second by themselves, the others go on meanwhile; this brings
    the decisions after them, and with them the offers. Returns how many recordings were asked about.
    """
    turned = ClearanceDecision.objects.filter(good_until__lte=at, good_until__gt=at - DATES_BACK)
    newer = ClearanceDecision.objects.filter(use=OuterRef("use"), pk__gt=OuterRef("pk"))
    uses = [*reclearing.DECIDED, clearing.FREE]
    alone = turned.filter(~Exists(newer.filter(recording=OuterRef("recording_id"))), use__in=uses)
    whole = turned.filter(~Exists(newer.filter(release=OuterRef("release_id"))), use__in=[*SOLD_AS])
    ended = Offer.objects.filter(closed_at=None, decision__good_until__lte=at)
    keys = set(alone.filter(recording__isnull=False).order_by("pk").values_list("recording_id", flat=True)[:limit])
    keys |= set(ended.filter(track__isnull=False).values_list("track__recording_id", flat=True)[:limit])
    releases = set(whole.filter(release__isnull=False).order_by("pk").values_list("release_id", flat=True)[:limit])
    releases |= set(ended.filter(release__isnull=False).values_list("release_id", flat=True)[:limit])
    keys |= set(Track.objects.filter(release_id__in=releases).values_list("recording_id", flat=True))
    clearing.decide(keys, at=at, actor=actor)
    return len(keys)


def review_offers(recordings: Iterable[int] | None, *, at: datetime, actor: str) -> Reviewed:
    """Clear again, plan files, open and close offers for these recordings (all where None) and their releases."""
    asked = Recording.objects.all() if recordings is None else Recording.objects.filter(pk__in=set(recordings))
    result = Reviewed()
    keys = list(asked.order_by("pk").values_list("pk", flat=True))
    clearing.decide(keys, at=at, actor=actor)
    result.recordings += keys
    result.planned += previews.plan_for_review(keys, at=at)
    releases = Release.objects.filter(tracks__recording__in=asked).distinct().order_by("pk")
    for release in releases:
        _review_release(release, at=at, actor=actor, result=result)
    return result


def _review_release(release: Release, *, at: datetime, actor: str, result: Reviewed) -> None:
    clearing.decide(release.tracks.values_list("recording_id", flat=True), at=at, actor=actor)
    decision = clearing.latest_of_releases([release.pk])[release.pk]
    tracks = tagging.tracks_for_tags(release.tracks.values_list("pk", flat=True))
    recordings = [track.recording_id for track in tracks]
    masters = clearing.masters_of(recordings)
    decisions = clearing.latest_of_recordings(recordings)
    previewed = clearing.latest_of_recordings(recordings, use=clearing.PREVIEW)
    places = tagging.places_of([release.pk])
    prices = _prices(release, recordings)
    given, given_whole = _given_away(release, recordings, prices, at=at, actor=actor)
    wait = [key for key, found in decisions.items() if clearing.is_held(found)]
    if wait or clearing.is_held(
        decision
    ):  # a catalogue is being taken back: what its new decision comes to is not known yet
        _mark_later(wait or recordings, at=at)
        return
    asked = {key: {code: ask.minor for code, ask in prices[key].items() if ask.minor} for key in recordings}
    too_low = {
        *clearing.below_minimum(asked, at=at),
        *_below_royalties(release, tracks, decisions, decision, prices, at=at),
    }
    with transaction.atomic():
        if _hold(release) != {track.pk: track.recording_id for track in tracks}:
            return  # its tracks have just changed, and a trigger has marked it for another review
        stopped: dict[str, list[str]] = {use: [] for use in SOLD_AS}
        result.planned += previews.plan(tracks, masters, previewed, at=at)
        for track in tracks:
            key = track.recording_id
            allowed: Decisions = {clearing.DOWNLOAD: decisions.get(key), clearing.FREE: given.get(key)}
            halts = _halts(track, masters.get(key), allowed, place=places[release.pk, track.disc], at=at, result=result)
            for use, why in halts.items():
                stopped[use].append(why)
            wanted = {code: ask for code, ask in prices[key].items() if (key, code) not in too_low}
            _align({"track": track}, allowed, wanted, halts, at=at, result=result, low=prices[key].keys())
        allowed = {clearing.DOWNLOAD: decision, clearing.FREE: given_whole}
        halts = {
            use: _stops(allowed[use], None, at=at, whole=True) or next((why for why in stopped[use] if why), "")
            for use in SOLD_AS
        }
        wanted = {code: ask for code, ask in prices[None].items() if (None, code) not in too_low}
        _align({"release": release}, allowed, wanted, halts, at=at, result=result, low=prices[None].keys())


def _below_royalties(
    release: Release,
    tracks: Iterable[Track],
    decisions: Mapping[int, ClearanceDecision],
    whole: ClearanceDecision,
    prices: Mapping[int | None, Mapping[str, Ask]],
    *,
    at: datetime,
) -> set[tuple[int | None, str]]:
    """What costs less than its works are owed wherever it is cleared, by recording (None: the release) and currency.

    One query where no country that it is cleared for is left without a rate: the store's percentage always leaves
    something, so that only where each of them has one all may be refused.
    """
    rated = ratecards.countries([track.recording_id for track in tracks], use=clearing.DOWNLOAD)
    subjects: list[tuple[int | None, dict[str, Any]]] = [(None, {"release": release})]
    subjects += [(track.recording_id, {"track": track}) for track in tracks]
    found: set[tuple[int | None, str]] = set()
    for key, about in subjects:
        decision = whole if key is None else decisions.get(key)
        cleared = set(decision.cleared_countries) if decision else set()
        if not cleared or not cleared <= rated:
            continue
        for code, ask in prices[key].items() if key in prices else ():
            offer = Offer(**about, currency=code, amount_minor=ask.minor, or_more=ask.or_more)
            if ask.minor and len(pricing.where_refused(offer, cleared, at=at)) == len(cleared):
                found.add((key, code))
    return found


def _given_away(
    release: Release,
    recordings: Sequence[int],
    prices: Mapping[int | None, Mapping[str, Ask]],
    *,
    at: datetime,
    actor: str,
) -> tuple[Mapping[int, ClearanceDecision], ClearanceDecision | None]:
    """The leave to give tracks and release away; asked for only where one of them shall cost nothing."""
    if all(ask.minor for asks in prices.values() for ask in asks.values()):
        return {}, None
    clearing.decide(recordings, at=at, actor=actor, uses=[clearing.FREE])
    whole = clearing.latest_of_releases([release.pk], use=clearing.FREE)
    return clearing.latest_of_recordings(recordings, use=clearing.FREE), whole.get(release.pk)


def _halts(
    track: Track,
    master: Master | None,
    allowed: Decisions,
    *,
    place: tagging.Place,
    at: datetime,
    result: Reviewed,
) -> dict[str, str]:
    """Why a track cannot be sold, and why not given away; its files are planned as soon as one of them can be."""
    halts: dict[str, str] = {use: _stops(allowed[use], master, at=at) for use in SOLD_AS}
    open_use = next((use for use in SOLD_AS if not halts[use]), None)
    if open_use is None:
        return halts
    files = _files(track, master, allowed[open_use], place=place, at=at, result=result)
    return {use: why or files for use, why in halts.items()}


def _hold(release: Release) -> dict[int, int]:
    """Let nobody else review the release until the transaction ends; the recording of each of its tracks.

    Whoever turns a track has its row and then waits for the release (`store_close`), and an offer refers to its track:
    so tracks are held first here as well, or each would wait for the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, recording_id FROM catalog_track WHERE release_id = %s ORDER BY id FOR KEY SHARE", [release.pk]
        )
        recordings = dict(cursor.fetchall())
    Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    return recordings


def _mark_later(recordings: Iterable[int], *, at: datetime) -> None:
    ReviewDue.objects.bulk_create(
        ReviewDue(recording_id=key, cause="waits for its catalogue", claimed_until=at + CLAIM_FOR)
        for key in sorted(set(recordings))
    )


def _stops(decision: ClearanceDecision | None, master: Master | None, *, at: datetime, whole: bool = False) -> str:
    """Why it cannot be sold for want of leave or sound; empty where it can."""
    if not whole and master is None:
        return "NO_MASTER"
    if decision is None or clearing.holds(decision, at=at):
        return "" if decision else "NOT_CLEARED"
    reasons = [reason.code for group in Verdict.from_data(decision.verdict).refused for reason in group.reasons]
    return reasons[0] if reasons else "NOT_CLEARED"


def _files(
    track: Track,
    master: Master | None,
    decision: ClearanceDecision | None,
    *,
    place: tagging.Place,
    at: datetime,
    result: Reviewed,
) -> str:
    """Plan what is made ahead for a cleared track, and new tags for all that was made; says why it waits, or nothing
    where it can be sold: each file is ready, or one that says the same of its licence stands in while it is tagged."""
    if master is None or decision is None:
        return "NO_MASTER"
    tags = tagging.tagset(track, verdict=Verdict.from_data(decision.verdict), master=master, place=place)
    ahead = formats.ahead_for(master)
    made = renditions.plan(master, ahead, tags=tags, at=at, renew=True)
    if any(each.planned_at == at for each in made):
        result.planned.append(master.pk)
    needed = made[: len(ahead)]
    if any(each.state == Rendition.State.FAILED for each in needed):
        return "FILES_FAILED"
    waits = any(each.state != READY and renditions.stand_in(each) is None for each in needed)
    return "FILES_NOT_READY" if waits else ""


def _prices(release: Release, recordings: Sequence[int]) -> dict[int | None, dict[str, Ask]]:
    """Prices by recording (None: the release) and currency."""
    found: dict[int | None, dict[str, Ask]] = defaultdict(dict)
    for price in Price.objects.filter(Q(release=release) | Q(recording_id__in=recordings)):
        found[price.recording_id][price.currency] = Ask(price.amount_minor, price.or_more)
    return found


def _align(
    subject: dict[str, Any],
    allowed: Decisions,
    prices: Mapping[str, Ask],
    halts: Mapping[str, str],
    *,
    at: datetime,
    result: Reviewed,
    low: Iterable[str] = (),
) -> None:
    """Bring the offers of one subject in line: close what may not stand, open what may, follow the decisions.

    `low` are currencies with a price that, missing from `prices`, is under a licence's minimum.
    """
    standing = {offer.currency: offer for offer in Offer.objects.filter(**subject, closed_at=None)}
    may = {use for use, why in halts.items() if not why and allowed[use] is not None}
    wanted = {code: ask for code, ask in prices.items() if ask.use in may}
    if clearing.DOWNLOAD not in may:  # it may be given away, but not sold: nobody can give more for it
        wanted = {code: Ask(ask.minor, or_more=False) for code, ask in wanted.items()}
    for currency, offer in standing.items():
        ask = wanted.get(currency)
        if ask is None or ask != Ask(offer.amount_minor, offer.or_more):
            missing = "PRICE_BELOW_MINIMUM" if currency in low else "NO_PRICE"
            halt = halts[offer.use]
            reason = halt or ("PRICE_CHANGED" if ask else missing)
            Offer.objects.filter(pk=offer.pk).update(closed_at=at, closed_reason=reason)
            result.closed += 1
        elif (decision := allowed[ask.use]) is not None and offer.decision_id != decision.pk:
            Offer.objects.filter(pk=offer.pk).update(decision=decision)
    for currency, ask in wanted.items():
        offer = standing.get(currency)  # type: ignore[assignment]
        if offer is None or ask != Ask(offer.amount_minor, offer.or_more):
            Offer.objects.create(
                **subject,
                decision=allowed[ask.use],  # type: ignore[misc]  # what is wanted may be: there is a decision
                use=ask.use,
                currency=currency,
                amount_minor=ask.minor,
                or_more=ask.or_more,
                opened_at=at,
            )
            result.opened += 1
