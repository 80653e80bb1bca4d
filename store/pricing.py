"""What an offer costs a buyer in one country, and who gets what of it.

The price page, the checkout and the order line all ask `price`: what is shown before paying is what is frozen and
posted. Commission and work royalty are the operator's settings of the day; shares come from the verdict that allows the
sale, payees from the letters of direction of the day. A fixed number of queries, whatever the number of offers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.conf import settings

from catalog.models import Track
from licensing.models import ClearanceDecision, RightsHolder
from licensing.verdicts import Share, Verdict
from payments.money import Currency
from store import clearing, directions, tax
from store.errors import NotOnSale
from store.models import Offer, Price
from store.royalties import Directions, Holding, Piece, Split, Terms, split


@dataclass(frozen=True)
class Priced:
    """One offer in one country: amounts in minor units, the split in millionths, and what each track rests on."""

    offer: Offer
    country: str
    amount_minor: int
    tax_rate: int
    tax_minor: int
    split: Split
    tracks: tuple[Track, ...]
    verdicts: Mapping[int, Verdict]
    decisions: Mapping[int, ClearanceDecision]


def terms() -> Terms:
    """The store's percentages in force now, exact."""
    return Terms(Fraction(settings.COMMISSION_PERCENT) / 100, Fraction(settings.WORK_ROYALTY_PERCENT) / 100)


def price(offer: Offer, *, country: str, at: datetime) -> Priced:
    """One offer as `price_all` prices it."""
    return price_all([offer], country=country, at=at)[0]


def price_all(offers: Sequence[Offer], *, country: str, at: datetime, reverse_charge: bool = False) -> list[Priced]:
    """Price each offer for a buyer in `country` at the instant `at`; with `reverse_charge` without the tax.

    Raises NotOnSale where a recording is not cleared there, and TaxRateMissing where the tax table has a hole.
    """
    facts = _load(offers, country=country, at=at, reverse_charge=reverse_charge)
    return [_priced(offer, facts) for offer in offers]


@dataclass(frozen=True)
class _Facts:
    """What all offers of one question share, loaded once."""

    country: str
    rate: int
    reverse_charge: bool
    tracks: Mapping[int, tuple[Track, ...]]
    decisions: Mapping[int, ClearanceDecision]
    verdicts: Mapping[int, Verdict]
    holdings: Mapping[int, Sequence[Share]]
    holders: Mapping[str, int]
    letters: Directions
    weights: Mapping[tuple[int, str], int]


def _load(offers: Sequence[Offer], *, country: str, at: datetime, reverse_charge: bool) -> _Facts:
    tracks = tracks_of(offers)
    recordings = {track.recording_id for found in tracks.values() for track in found}
    decisions = clearing.latest_of_recordings(recordings)
    verdicts = {key: Verdict.from_data(decision.verdict) for key, decision in decisions.items()}
    holdings: dict[int, Sequence[Share]] = {}
    for offer in offers:
        for track in tracks[offer.pk]:
            decision = decisions.get(track.recording_id)
            if decision is None or not clearing.holds(decision, at=at, country=country):
                raise NotOnSale(f"“{track.title}” is not for sale in this country.", offer=str(offer.public_id))
            holdings[track.recording_id] = verdicts[track.recording_id].shares_in(country)
    holders = _holder_keys(share.holder for shares in holdings.values() for share in shares)
    letters = directions.in_force(holders.values(), on=at.date())
    rate = tax.rate(country, at=at)
    weights = _weights(recordings)
    return _Facts(country, rate, reverse_charge, tracks, decisions, verdicts, holdings, holders, letters, weights)


def tracks_of(offers: Iterable[Offer]) -> dict[int, tuple[Track, ...]]:
    """The tracks that come with each offer, in playing order, with their recordings and credits. Few queries."""
    offers = list(offers)
    releases = [offer.release_id for offer in offers if offer.release_id]
    singles = [offer.track_id for offer in offers if offer.track_id]
    of_release: dict[int, list[Track]] = defaultdict(list)
    single: dict[int, Track] = {}
    rows = Track.objects.filter(release_id__in=releases) | Track.objects.filter(pk__in=singles)
    rows = rows.select_related("recording", "release").prefetch_related("recording__credits__party")
    for track in rows.order_by("release_id", "disc", "number"):
        of_release[track.release_id].append(track)
        single[track.pk] = track
    return {
        offer.pk: tuple(of_release[offer.release_id]) if offer.release_id else (single[offer.track_id],)  # type: ignore[index]
        for offer in offers
    }


def _priced(offer: Offer, facts: _Facts) -> Priced:
    tracks = facts.tracks[offer.pk]
    parts = [facts.weights.get((track.recording_id, offer.currency), 0) for track in tracks]
    if not all(parts):  # a track without a price of its own: all count the same
        parts = [1] * len(tracks)
    taxed = tax.charged(offer.amount_minor, facts.rate, currency=offer.currency, reverse_charge=facts.reverse_charge)
    scale = Currency(offer.currency).micros_per_minor
    shares = split(
        taxed.amount_minor * scale,
        tax_micros=taxed.tax_minor * scale,
        country=facts.country,
        pieces=[_piece(track, part, facts) for track, part in zip(tracks, parts, strict=True)],
        directions=facts.letters,
        terms=terms(),
    )
    mine = {track.recording_id for track in tracks}
    return Priced(
        offer,
        facts.country,
        taxed.amount_minor,
        taxed.rate,
        taxed.tax_minor,
        shares,
        tracks,
        {key: facts.verdicts[key] for key in mine},
        {key: facts.decisions[key] for key in mine},
    )


def _piece(track: Track, weight: int, facts: _Facts) -> Piece:
    """A recording with its holders per layer. Several works count the same; records of one holder are added up."""
    shares = facts.holdings[track.recording_id]
    works = {share.subject for share in shares if share.layer == "WORK"}
    sums: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    names: dict[str, str] = {}
    for share in shares:
        part = share.share / len(works) if share.layer == "WORK" else share.share
        sums[share.layer, share.holder] += part
        names[share.holder] = share.holder_name
    layers: dict[str, tuple[Holding, ...]] = {
        layer: tuple(
            Holding(facts.holders[holder], names[holder], part)
            for (found, holder), part in sums.items()
            if found == layer
        )
        for layer in ("RECORDING", "WORK")
    }
    return Piece(track.recording_id, track.title, weight, layers["RECORDING"], layers["WORK"])


def asked_for(
    offers: Iterable[Offer], tracks: Mapping[int, Sequence[Track]]
) -> dict[int, list[tuple[tuple[str, int], ...]]]:
    """What is asked for each recording, once for every offer it comes with: minor units by currency.

    Of a release each track's part counts, in proportion to the tracks' own prices. The other currencies are those of
    the recording's prices, because a minimum may be agreed in any of them.
    """
    weights = _weights({track.recording_id for each in tracks.values() for track in each})
    found: dict[int, list[tuple[tuple[str, int], ...]]] = defaultdict(list)
    for offer in offers:
        parts = [weights.get((track.recording_id, offer.currency), 0) for track in tracks[offer.pk]]
        if not all(parts):
            parts = [1] * len(parts)
        for track, part in zip(tracks[offer.pk], parts, strict=True):
            key = track.recording_id
            prices = {currency: minor for (recording, currency), minor in weights.items() if recording == key}
            prices[offer.currency] = offer.amount_minor * part // sum(parts)
            found[key].append(tuple(sorted(prices.items())))
    return found


def _holder_keys(public_ids: Iterable[str]) -> dict[str, int]:
    rows = RightsHolder.objects.filter(public_id__in=set(public_ids)).values_list("public_id", "pk")
    return {str(public_id): key for public_id, key in rows}


def _weights(recordings: Iterable[int]) -> dict[tuple[int, str], int]:
    rows = Price.objects.filter(recording_id__in=recordings).values_list("recording_id", "currency", "amount_minor")
    return {(recording, currency): minor for recording, currency, minor in rows if recording is not None}
