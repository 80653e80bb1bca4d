"""What an offer costs a buyer in one country, and who gets what of it.

The price page, the checkout and the order line all ask `price`: what is shown before paying is what is frozen and
posted. The commission is the contract's with the label or the operator's setting, the works are paid by the rate cards
of the day; shares come from the verdict that allows the sale, payees from the letters of direction of the day. A fixed
number of queries, whatever the number of offers.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from django.conf import settings

from catalog.models import Recording, Release, Track
from licensing.models import ClearanceDecision, RightsHolder
from licensing.verdicts import Share, Verdict
from payments.money import Currency, Money, allocate
from store import clearing, codes, commissions, directions, discounts, ratecards, tax
from store.errors import CodeRefused, NotOnSale, PriceTooLow, RateMissing, StoreError
from store.models import Code, Offer, Price
from store.quotes import Quote, quote
from store.ratecards import Cards
from store.royalties import Directions, Holding, Piece, Split, Terms, WorkRate, WorkTooDear, split

Quotes = Mapping[int, Quote]
Taxed = Mapping[int, tax.Charged]
Decisions = Mapping[tuple[str, int], ClearanceDecision]  # by use and recording
Tracks = Mapping[int, tuple[Track, ...]]


@dataclass(frozen=True)
class Priced:
    """One offer in one country: amounts in minor units, the split in millionths, and what each track rests on."""

    offer: Offer
    quote: Quote
    country: str
    amount_minor: int
    tax_rate: int
    tax_minor: int
    split: Split
    tracks: tuple[Track, ...]
    verdicts: Mapping[int, Verdict]
    decisions: Mapping[int, ClearanceDecision]
    terms: Terms

    @property
    def label(self) -> int:
        """The label that sells: of the release, or of the recording where a track is sold by itself."""
        return label_of(self.offer, self.tracks)


@dataclass(frozen=True)
class Agreed:
    """What an order froze: the decisions it rests on, and the terms of its offers by their keys."""

    decisions: Decisions
    terms: Mapping[int, Terms]


def label_of(offer: Offer, tracks: Sequence[Track]) -> int:
    return offer.release.label_id if offer.release else tracks[0].recording.label_id


def terms_of(commission: Fraction) -> Terms:
    """The operator's settings of the day, with this commission."""
    return Terms(
        commission,
        Fraction(settings.WORK_ROYALTY_PERCENT) / 100,
        fee=settings.FEE_BORNE_BY,
        reserve=Fraction(settings.RESERVE_PERCENT) / 100,
        reserve_days=settings.RESERVE_DAYS,
    )


def fees_about(priced: Sequence[Priced]) -> list[int]:
    """What paying for all of this together costs about, in minor units, by line: said before paying, never posted."""
    total = sum(each.amount_minor for each in priced)
    if not total:
        return [0] * len(priced)
    currency = priced[0].offer.currency
    fixed = settings.PAYMENT_FEE_MINOR if currency == settings.STORE_CURRENCY else 0
    fee = round(Fraction(settings.PAYMENT_FEE_PERCENT) / 100 * total) + fixed
    shares = allocate(fee, [(place, each.amount_minor) for place, each in enumerate(priced)])
    return [shares[place] for place in range(len(priced))]


def quote_of(offer: Offer, *, named_minor: int | None = None) -> Quote:
    """What an offer costs a buyer who named this price. Raises AmountRefused."""
    return quote(offer.amount_minor, or_more=offer.or_more, named_minor=named_minor, currency=offer.currency)


def price(offer: Offer, *, country: str, at: datetime, quote: Quote | None = None) -> Priced:
    """One offer as `price_all` prices it."""
    return price_all([offer], country=country, at=at, quotes={offer.pk: quote} if quote else {})[0]


def price_all(
    offers: Sequence[Offer],
    *,
    country: str,
    at: datetime,
    quotes: Quotes = MappingProxyType({}),
    reverse_charge: bool = False,
    tracks: Tracks | None = None,
    taxed: Taxed = MappingProxyType({}),
    agreed: Agreed | None = None,
) -> list[Priced]:
    """Price each offer for a buyer in `country` at the instant `at`; `quotes`, by the offer's key, are what she named.

    `tracks` are those of the offers where the caller has read them. With `reverse_charge` without the tax; `taxed` is
    what somebody else reckoned for an offer, by its key. What was `agreed` counts instead of what is decided and asked
    now, be it still on sale or not. Raises NotOnSale where a recording is not cleared there, and TaxRateMissing where
    the tax table has a hole.
    """
    asked = {offer.pk: quotes.get(offer.pk) or quote_of(offer) for offer in offers}
    known = tracks_of(offers) if tracks is None else tracks
    facts = _load(offers, asked, known, country=country, at=at, reverse_charge=reverse_charge, agreed=agreed)
    return [_priced(offer, asked[offer.pk], facts, taxed.get(offer.pk)) for offer in offers]


@dataclass(frozen=True)
class _Facts:
    """What all offers of one question share, loaded once. Decisions and verdicts are by use and recording."""

    country: str
    rate: int
    reverse_charge: bool
    tracks: Tracks
    decisions: Decisions
    verdicts: Mapping[tuple[str, int], Verdict]
    holdings: Mapping[tuple[str, int], Sequence[Share]]
    holders: Mapping[str, int]
    letters: Directions
    weights: Mapping[tuple[int, str], int]
    cards: Mapping[str, Cards]
    commissions: Mapping[int, Fraction]
    seconds: Mapping[int, int]
    terms: Mapping[int, Terms]


def use_of(quote: Quote) -> str:
    """What is sold needs the leave to sell; what costs nothing, the leave to give it away."""
    return clearing.FREE if quote.is_free else clearing.DOWNLOAD


def _load(
    offers: Sequence[Offer],
    quotes: Quotes,
    tracks: Tracks,
    *,
    country: str,
    at: datetime,
    reverse_charge: bool,
    agreed: Agreed | None,
) -> _Facts:
    uses: dict[str, set[int]] = defaultdict(set)
    for offer in offers:
        uses[use_of(quotes[offer.pk])] |= {track.recording_id for track in tracks[offer.pk]}
    decisions = agreed.decisions if agreed else _latest(uses)
    verdicts = {key: Verdict.from_data(decision.verdict) for key, decision in decisions.items()}
    holdings: dict[tuple[str, int], Sequence[Share]] = {}
    for offer in offers:
        for track in tracks[offer.pk]:
            key = use_of(quotes[offer.pk]), track.recording_id
            decision = decisions.get(key)
            if decision is None or not (agreed or clearing.holds(decision, at=at, country=country)):
                raise NotOnSale(f"“{track.title}” is not for sale in this country.", offer=str(offer.public_id))
            holdings[key] = verdicts[key].shares_in(country)
    holders = _holder_keys(share.holder for shares in holdings.values() for share in shares)
    recordings = {key for keys in uses.values() for key in keys}
    releases = {track.release_id for found in tracks.values() for track in found}
    letters = directions.in_force(holders.values(), on=at.date(), recordings=recordings, releases=releases)
    cards = {
        use: ratecards.in_force(
            (each for key in keys for each in verdicts[use, key].records), country=country, use=use, at=at
        )
        for use, keys in uses.items()
    }
    labels = {label_of(offer, tracks[offer.pk]) for offer in offers}
    return _Facts(
        country,
        tax.rate(country, at=at),
        reverse_charge,
        tracks,
        decisions,
        verdicts,
        holdings,
        holders,
        letters,
        _weights(recordings),
        cards,
        commissions.in_force(labels, on=at.date()),
        _seconds(recordings) if any(each.by_the_minute for each in cards.values()) else {},
        agreed.terms if agreed else {},
    )


def _latest(uses: Mapping[str, set[int]]) -> Decisions:
    """The decisions in force for these recordings, by the use they are wanted for. One query for each use."""
    return {
        (use, key): decision
        for use, keys in uses.items()
        for key, decision in clearing.latest_of_recordings(keys, use=use).items()
    }


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


def charged(quote: Quote, rate: int, *, currency: str, reverse_charge: bool) -> tax.Charged:
    """What is paid, and the tax in it. What is freely given holds tax only where the operator says so."""
    untaxed = 0 if settings.TAX_ON_TIPS else quote.given_minor
    priced = quote.amount_minor - untaxed
    found = tax.charged(priced, rate, currency=currency, reverse_charge=reverse_charge)
    return replace(found, amount_minor=found.amount_minor + untaxed)


def with_code(
    code: Code,
    offers: Sequence[Offer],
    quotes: Quotes,
    *,
    country: str,
    at: datetime,
    reverse_charge: bool = False,
    tracks: Tracks | None = None,
) -> dict[int, Quote]:
    """The quotes with what a code takes off, of a code of the shop at most what its commission bears.

    Raises CodeRefused, and what `price_all` raises.
    """
    lowered = codes.take_off(code, offers, quotes)
    if code.bearer != Code.Bearer.SHOP:
        return lowered
    chosen = [offer for offer in offers if lowered[offer.pk].discount_minor]
    rate = tax.rate(country, at=at)
    said: Any = {"country": country, "at": at, "reverse_charge": reverse_charge, "tracks": tracks}
    for full in price_all(chosen, quotes=quotes, **said):
        wanted, currency = lowered[full.offer.pk], full.offer.currency

        def net(off: int, wanted: Quote = wanted, currency: str = currency) -> int:
            less = replace(wanted, discount_minor=off)
            paid = charged(less, rate, currency=currency, reverse_charge=reverse_charge)
            return paid.amount_minor - paid.tax_minor

        off = discounts.most_borne(full.split, wanted.discount_minor, net=net, currency=Currency(currency))
        lowered[full.offer.pk] = replace(wanted, discount_minor=off)
    if not any(quote.discount_minor for quote in lowered.values()):
        raise CodeRefused("The shop has no share of this that it could take anything off.")
    return lowered


def _priced(offer: Offer, quote: Quote, facts: _Facts, reckoned: tax.Charged | None = None) -> Priced:
    tracks = facts.tracks[offer.pk]
    use = use_of(quote)
    parts = [facts.weights.get((track.recording_id, offer.currency), 0) for track in tracks]
    if not all(parts):  # a track without a price of its own: all count the same
        parts = [1] * len(tracks)
    asked: Any = {"currency": offer.currency, "reverse_charge": facts.reverse_charge}
    taxed = reckoned or charged(quote, facts.rate, **asked)
    rate = reckoned.rate if reckoned else facts.rate
    terms = facts.terms.get(offer.pk) or terms_of(facts.commissions[label_of(offer, tracks)])
    if quote.by_shop:  # the holders have their parts of the full price
        full = _split(offer, charged(quote.without_discount(), rate, **asked), terms, parts, facts, use=use)
        scale = Currency(offer.currency).micros_per_minor
        shares = discounts.borne_by_shop(full, micros=taxed.amount_minor * scale, tax_micros=taxed.tax_minor * scale)
    else:
        shares = _split(offer, taxed, terms, parts, facts, use=use)
    mine = {track.recording_id for track in tracks}
    return Priced(
        offer,
        quote,
        facts.country,
        taxed.amount_minor,
        taxed.rate,
        taxed.tax_minor,
        shares,
        tracks,
        {key: facts.verdicts[use, key] for key in mine},
        {key: facts.decisions[use, key] for key in mine},
        terms,
    )


def _split(offer: Offer, taxed: tax.Charged, terms: Terms, parts: Sequence[int], facts: _Facts, *, use: str) -> Split:
    currency, tracks = Currency(offer.currency), facts.tracks[offer.pk]
    pieces = [
        _piece(track, part, facts, use=use, tracks=len(tracks), currency=offer.currency)
        for track, part in zip(tracks, parts, strict=True)
    ]
    try:
        return split(
            taxed.amount_minor * currency.micros_per_minor,
            tax_micros=taxed.tax_minor * currency.micros_per_minor,
            country=facts.country,
            pieces=pieces,
            directions=facts.letters,
            terms=terms,
        )
    except WorkTooDear as error:
        short = Money(-(-error.short // currency.micros_per_minor), currency)
        raise PriceTooLow(
            f"Not sold in {facts.country} at this price: after the store's commission, what the writers are owed there "
            f"is {short.decimal} {currency} more than is left of it without tax.",
            offer=str(offer.public_id),
        ) from error


def _piece(track: Track, weight: int, facts: _Facts, *, use: str, tracks: int, currency: str) -> Piece:
    """A recording with its holders per layer. Several works count the same; records paid alike are added up."""
    shares = facts.holdings[use, track.recording_id]
    versions = {each.record: each.version for each in facts.verdicts[use, track.recording_id].records}
    works = {share.subject for share in shares if share.layer == "WORK"}
    sums: dict[tuple[str, str, WorkRate | None], Fraction] = defaultdict(Fraction)
    names: dict[str, str] = {}
    for share in shares:
        part, rate = share.share, None
        if share.layer == "WORK":
            part /= len(works)
            rate = facts.cards[use].rate((share.record, versions[share.record]), tracks=tracks, currency=currency)
        sums[share.layer, share.holder, rate] += part
        names[share.holder] = share.holder_name
    layers: dict[str, tuple[Holding, ...]] = {
        layer: tuple(
            Holding(facts.holders[holder], names[holder], part, rate)
            for (found, holder, rate), part in sums.items()
            if found == layer
        )
        for layer in ("RECORDING", "WORK")
    }
    return Piece(
        track.recording_id,
        track.title,
        weight,
        layers["RECORDING"],
        layers["WORK"],
        track.release_id,
        facts.seconds.get(track.recording_id, 0),
    )


def asked_for(
    offers: Iterable[Offer], tracks: Mapping[int, Sequence[Track]], quotes: Quotes
) -> dict[int, list[tuple[tuple[str, int], ...]]]:
    """What is asked for each recording that is sold, once for every offer it comes with: minor units by currency.

    Of a release each track's part counts, in proportion to the tracks' own prices. The other currencies are those of
    the recording's prices, because a minimum may be agreed in any of them. What is given away is not asked about here.
    """
    weights = _weights({track.recording_id for each in tracks.values() for track in each})
    found: dict[int, list[tuple[tuple[str, int], ...]]] = defaultdict(list)
    for offer in offers:
        if quotes[offer.pk].is_free:
            continue
        parts = [weights.get((track.recording_id, offer.currency), 0) for track in tracks[offer.pk]]
        if not all(parts):
            parts = [1] * len(parts)
        for track, part in zip(tracks[offer.pk], parts, strict=True):
            key = track.recording_id
            prices = {code: minor for (recording, code), minor in weights.items() if recording == key and minor}
            prices[offer.currency] = quotes[offer.pk].amount_minor * part // sum(parts)
            found[key].append(tuple(sorted(prices.items())))
    return found


def _holder_keys(public_ids: Iterable[str]) -> dict[str, int]:
    rows = RightsHolder.objects.filter(public_id__in=set(public_ids)).values_list("public_id", "pk")
    return {str(public_id): key for public_id, key in rows}


def refusals(subject: Release | Recording, amount: Money, *, at: datetime) -> list[str]:
    """Where something would not be sold at this price for what its works are owed, in words, country by country."""
    if isinstance(subject, Release):
        decision = clearing.latest_of_releases([subject.pk]).get(subject.pk)
        about: dict[str, Any] = {"release": subject}
        recordings = list(subject.tracks.values_list("recording_id", flat=True))
    else:
        decision = clearing.latest_of_recordings([subject.pk]).get(subject.pk)
        about, recordings = {"track": subject.tracks.order_by("pk").first()}, [subject.pk]
    rated = ratecards.countries(recordings, use=clearing.DOWNLOAD)
    cleared = rated.intersection(decision.cleared_countries) if decision else rated
    if decision is None or not cleared or not amount.minor or None in about.values():
        return []
    offer = Offer(**about, currency=amount.currency.code, amount_minor=amount.minor)
    return list(where_refused(offer, cleared, at=at).values())


def where_refused(offer: Offer, countries: Iterable[str], *, at: datetime) -> dict[str, str]:
    """In which of these countries an offer is not sold for what its works are owed, and why, in words."""
    found = {}
    for country in sorted(countries):
        try:
            price(offer, country=country, at=at)
        except (PriceTooLow, RateMissing) as refusal:
            found[country] = refusal.message
        except StoreError:
            continue  # another reason, which is told elsewhere
    return found


def _seconds(recordings: Iterable[int]) -> dict[int, int]:
    """How long each recording is, a begun second as a whole one: a rate by the minute counts begun minutes."""
    return {key: math.ceil(master.seconds) for key, master in clearing.masters_of(recordings).items()}


def _weights(recordings: Iterable[int]) -> dict[tuple[int, str], int]:
    rows = Price.objects.filter(recording_id__in=recordings).values_list("recording_id", "currency", "amount_minor")
    return {(recording, currency): minor for recording, currency, minor in rows if recording is not None}
