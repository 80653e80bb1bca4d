"""From a basket to an order: price, tax, split, licence and decision are frozen, then the buyer is sent to pay.

An order is placed at most once per request key. Nothing here waits for a network while a transaction is open.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from catalog.credits import artist_line
from licensing import dossiers, territories
from licensing.verdicts import Verdict
from payments import charges
from payments.models import Charge
from payments.money import Money
from store import baskets, businesses, clearing, codes, gifts, locations, offers, pricing, settlement, stripe_tax
from store.errors import (
    BasketEmpty,
    BasketMixed,
    CodeRefused,
    ConsentMissing,
    CountryUnknown,
    LocationUnclear,
    NotOnSale,
    OrderStateError,
    PriceChanged,
    RequestConflict,
    VatIdRefused,
)
from store.gifts import Wish
from store.models import Basket, Code, Offer, Order, OrderLine, OrderLineTrack, User, VatCheck
from store.numbers import new_number
from store.pricing import Priced
from store.quotes import Quote, payable
from store.settlement import TO_PAY

STORE_LICENCE = "CLEARSONG-BUYER-1"
EACH_ITS_OWN = "EACH-TRACK-ITS-OWN"
FIRST_CHECK = timedelta(seconds=60)


def place_order(
    basket: Basket,
    *,
    buyer: User,
    country: str,
    evidence: Mapping[str, str],
    consent: bool,
    request_key: str,
    at: datetime,
    vat_check: VatCheck | None = None,
    seen: str = "",
    gift: Wish | None = None,
) -> Order:
    """Freeze the basket as an order for a buyer in `country`; `evidence` says how the country is known, `vat_check`
    whether a business buys, which may leave the tax out of the price.

    The same request key with the same basket, prices, buyer and country gives the first order again; with anything else
    it is refused. Refused, with nothing kept, where an offer is not open, not cleared in the country, or its rights
    changed while the buyer looked: the engine is asked again inside the transaction. With `seen`, the sum that she was
    shown (`sum_of`), it is refused at any other sum. A `gift` belongs to whoever claims it. The basket stays until the
    order is paid. What costs nothing at all is owed at once: `settlement.settle_order` delivers it, and the sweep calls
    that too.
    """
    if not territories.is_country(country):
        raise CountryUnknown("Choose the country you live in.")
    if not consent:
        raise ConsentMissing("Downloads begin at once: please agree that the right of withdrawal ends with it.")
    _refuse_unless_located(country, evidence)
    if vat_check is not None and not businesses.holds(vat_check, buyer=buyer, country=country, at=at):
        raise VatIdRefused("Please give the VAT number again: it was asked about for another day or country.")
    chosen, quotes = _chosen(basket)
    if gift is not None:
        gift.check(at=at)
    asked = _request_sha256(
        chosen, quotes, buyer=buyer, country=country, vat_check=vat_check, code=basket.code, gift=gift
    )
    earlier = _earlier(request_key, asked)
    if earlier is not None:
        return earlier
    code = basket.code
    if code is not None:
        quotes = _with_code(code, chosen, quotes, buyer=buyer, country=country, vat_check=vat_check, at=at)
    payable(sum(quote.amount_minor for quote in quotes.values()), chosen[0].currency)
    tracks = pricing.tracks_of(chosen)
    recordings = {row.recording_id for rows in tracks.values() for row in rows}
    clearing.refresh(recordings, at=at, actor="task:checkout")
    hashes = dossiers.hashes_of(recordings)
    try:
        with transaction.atomic(durable=True):
            _ask_again(chosen, tracks, quotes, country=country, at=at, hashes=hashes)
            return _place(
                chosen,
                quotes,
                tracks,
                buyer=buyer,
                country=country,
                evidence=evidence,
                vat_check=vat_check,
                request_key=request_key,
                asked=asked,
                seen=seen,
                code=code,
                gift=gift,
                at=at,
            )
    except NoLongerCleared as error:
        offers.mark_due(error.recordings, cause="refused at the till")
        raise NotOnSale("Something in the basket is not for sale in your country.", offer=error.offer) from error
    except IntegrityError as error:
        again = _earlier(request_key, asked)  # the same request, come in twice at the same moment
        if again is None:
            raise NotOnSale("Something in the basket has just gone off sale. Please look at it again.") from error
        return again


def _chosen(basket: Basket) -> tuple[list[Offer], dict[int, Quote]]:
    """What is in the basket, and at which price each; raises what makes it no order."""
    rows = basket.lines.select_related("offer__decision", "offer__release")
    rows = rows.prefetch_related("offer__release__credits__party")
    lines = list(rows.order_by("added_at", "pk"))
    chosen = [line.offer for line in lines]
    if not chosen:
        raise BasketEmpty("The basket is empty.")
    if len({offer.currency for offer in chosen}) > 1:
        raise BasketMixed("The basket holds prices in several currencies; order one currency at a time.")
    return chosen, {line.offer_id: pricing.quote_of(line.offer, named_minor=line.named_minor) for line in lines}


def _with_code(
    code: Code,
    chosen: Sequence[Offer],
    quotes: Mapping[int, Quote],
    *,
    buyer: User,
    country: str,
    vat_check: VatCheck | None,
    at: datetime,
) -> dict[int, Quote]:
    """What the code takes off, and nothing else of this buyer's that holds it. What it gives away is decided about."""
    _let_go(code, buyer, at=at)
    code.refresh_from_db()
    codes.check(code, buyer=buyer, at=at)
    reverse_charge = businesses.reverses(vat_check)
    found = pricing.with_code(code, chosen, quotes, country=country, at=at, reverse_charge=reverse_charge)
    baskets.decide_given(chosen, found, at=at)
    return found


def _let_go(code: Code, buyer: User, *, at: datetime) -> None:
    """An order of the buyer's own that she went away from gives the code back, once it can be paid no longer."""
    held = codes.held_by(code, buyer)
    if held is None or held.order.state not in TO_PAY:
        return
    if cancel(held.order, at=at).state != Order.State.CANCELLED:
        raise CodeRefused("An order of yours with this code waits for its payment. You find it among your orders.")


def sum_of(currency: str, total_minor: int, tax_minor: int) -> str:
    """A sum as the checkout page carries it, to say afterwards what the buyer saw."""
    return f"{currency}:{total_minor}:{tax_minor}"


def start_payment(order: Order, *, at: datetime) -> str:
    """Ask Stripe for its payment page for a placed order and return the address; asking again gives the same page.

    What the buyer's credit pays is not asked for (`credit.use`). From now on a sweep asks Stripe about the order, in
    case its webhook never comes.
    """
    if order.state not in TO_PAY:
        raise OrderStateError(f"Order {order.number} is {order.get_state_display().lower()}; there is nothing to pay.")
    back = f"{settings.SITE_URL}{reverse('checkout-return', args=[order.public_id])}"
    charge = charges.start_charge(
        reference=order.number,
        amount=Money.of(order.due_minor, order.currency),
        lines=_charged(order),
        success_url=back,
        cancel_url=f"{settings.SITE_URL}{reverse('basket')}",
        email=order.email,
        tax_code=stripe_tax.code_for(order, at=at),
    )
    Order.objects.filter(pk=order.pk, state__in=TO_PAY).update(next_check_at=at + FIRST_CHECK)
    return charge.stripe_session_url


def _charged(order: Order) -> list[charges.Line]:
    """What Stripe's page lists: the titles, or one sum where credit pays a part."""
    if order.credit_minor:
        return [charges.Line(f"Order {order.number}, less your credit", order.due_minor)]
    return [charges.Line(stripe_tax.shown(one), one.amount_minor) for one in order.lines.order_by("position")]


def cancel(order: Order, *, at: datetime) -> Order:
    """Give up an order that was not paid, once nobody can pay it any more; its credit is back in the wallet.

    One that was paid meanwhile is returned as it stands. Raises StripeFailed where that is not known.
    """
    charge = Charge.objects.filter(reference=order.number).first()
    if charge is not None and charge.stripe_session_id and charges.cancel_charge(charge).state != Charge.State.FAILED:
        return Order.objects.get(pk=order.pk)
    return settlement.give_up(order, at=at)


def _refuse_unless_located(country: str, evidence: Mapping[str, str]) -> None:
    """A connection from elsewhere is asked about once more: she who confirms where she lives may buy."""
    network = evidence.get("network", "")
    wanted = settings.LOCATION_PROOFS
    if locations.must_be_asked_again(country, network=network, wanted=wanted) and not evidence.get("confirmed"):
        raise LocationUnclear(
            "Your connection comes from another country than the one you buy from. Please confirm where you live."
        )


def _request_sha256(
    chosen: Sequence[Offer],
    quotes: Mapping[int, Quote],
    *,
    buyer: User,
    country: str,
    vat_check: VatCheck | None,
    code: Code | None,
    gift: Wish | None,
) -> str:
    asked = [buyer.pk, country, sorted([str(offer.public_id), quotes[offer.pk].amount_minor] for offer in chosen)]
    if code is not None:
        asked.append(code.text)
    if gift is not None:
        asked.append(gift.as_list())
    if vat_check is not None:
        asked.append(str(vat_check.public_id))
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _earlier(request_key: str, asked: str) -> Order | None:
    order = Order.objects.filter(request_key=request_key).first()
    if order is not None and order.request_sha256 != asked:
        raise RequestConflict("The basket changed since this page was opened. Please look at it again.")
    return order


class NoLongerCleared(Exception):
    """The engine says no to what the decisions on record still allow: their offers must be looked at."""

    def __init__(self, recordings: Iterable[int], offer: str) -> None:
        super().__init__(f"recordings {sorted(recordings)}")
        self.recordings = tuple(recordings)
        self.offer = offer


def _ask_again(
    chosen: Sequence[Offer],
    tracks: pricing.Tracks,
    quotes: Mapping[int, Quote],
    *,
    country: str,
    at: datetime,
    hashes: Mapping[int, str],
) -> None:
    """Nothing is sold on an old answer: the engine is asked again inside the transaction, at the prices asked."""
    refused = clearing.refuse_unless_cleared_now(
        pricing.asked_for(chosen, tracks, quotes),
        [offer.release_id for offer in chosen if offer.release_id],
        given={row.recording_id for offer in chosen if quotes[offer.pk].is_free for row in tracks[offer.pk]},
        country=country,
        at=at,
        hashes=hashes,
    )
    for offer in chosen:
        if refused.keys() & {track.recording_id for track in tracks[offer.pk]}:
            raise NoLongerCleared(refused, str(offer.public_id))


def _place(
    chosen: Sequence[Offer],
    quotes: Mapping[int, Quote],
    tracks: pricing.Tracks,
    *,
    buyer: User,
    country: str,
    evidence: Mapping[str, str],
    vat_check: VatCheck | None,
    request_key: str,
    asked: str,
    seen: str,
    code: Code | None,
    gift: Wish | None,
    at: datetime,
) -> Order:
    _rest_on_latest(chosen, quotes, tracks, country=country, at=at)
    reverse_charge = businesses.reverses(vat_check)
    priced = pricing.price_all(
        chosen, country=country, at=at, quotes=quotes, reverse_charge=reverse_charge, tracks=tracks
    )
    total, tax = sum(each.amount_minor for each in priced), sum(each.tax_minor for each in priced)
    if seen and seen != sum_of(chosen[0].currency, total, tax):
        raise PriceChanged("A price or tax changed while you looked. This is what it costs now; nothing was ordered.")
    order = Order.objects.create(
        number=new_number("CS", at),
        buyer=buyer,
        is_gift=gift is not None,
        email=buyer.email,
        country=country,
        country_evidence=dict(evidence),
        vat_check=vat_check,
        reverse_charge=reverse_charge,
        currency=chosen[0].currency,
        total_minor=total,
        tax_minor=tax,
        request_key=request_key,
        request_sha256=asked,
        placed_at=at,
        consent_at=at,
        next_check_at=None if total else at,
    )
    _freeze_lines(order, priced)
    if code is not None:
        codes.redeem(code, order, at=at)
    if gift is not None:
        gifts.keep(order, gift, at=at)
    return order


def _rest_on_latest(
    chosen: Sequence[Offer],
    quotes: Mapping[int, Quote],
    tracks: pricing.Tracks,
    *,
    country: str,
    at: datetime,
) -> None:
    """Let each offer rest on the decision in force for what is done with it: sold, or given away."""
    for use in (clearing.DOWNLOAD, clearing.FREE):
        mine = [offer for offer in chosen if pricing.use_of(quotes[offer.pk]) == use]
        if not mine:
            continue
        singles = [tracks[offer.pk][0].recording_id for offer in mine if offer.release_id is None]
        of_tracks = clearing.latest_of_recordings(singles, use=use)
        of_releases = clearing.latest_of_releases([offer.release_id for offer in mine if offer.release_id], use=use)
        for offer in mine:
            key = offer.release_id
            latest = of_releases.get(key) if key else of_tracks.get(tracks[offer.pk][0].recording_id)
            if latest is None or not offer.is_open or not clearing.holds(latest, at=at, country=country):
                raise NotOnSale("Something in the basket is not for sale in your country.", offer=str(offer.public_id))
            offer.decision = latest


def _freeze_lines(order: Order, priced: Sequence[Priced]) -> None:
    lines = OrderLine.objects.bulk_create(_line(order, position, each) for position, each in enumerate(priced, start=1))
    OrderLineTrack.objects.bulk_create(
        OrderLineTrack(
            line=line,
            track=track,
            position=position,
            decision=each.decisions[track.recording_id],
            sound_sha256=each.decisions[track.recording_id].sound_sha256,
        )
        for line, each in zip(lines, priced, strict=True)
        for position, track in enumerate(each.tracks, start=1)
    )


def _line(order: Order, position: int, priced: Priced) -> OrderLine:
    offer = priced.offer
    subject = offer.release or priced.tracks[0]
    licence, address = buyer_licence(priced.verdicts.values())
    credited = offer.release or priced.tracks[0].recording
    return OrderLine(
        order=order,
        position=position,
        offer=offer,
        release_id=offer.release_id,
        track_id=offer.track_id,
        label_id=priced.label,
        title=subject.title,
        artist=artist_line(credited),
        decision=offer.decision,
        amount_minor=priced.amount_minor,
        given_minor=min(priced.quote.given_minor, priced.amount_minor),
        discount_minor=priced.quote.discount_minor,
        tax_rate=priced.tax_rate,
        tax_minor=priced.tax_minor,
        split=priced.split.to_json(),
        terms=priced.terms.to_json(),
        buyer_licence_code=licence,
        buyer_licence_url=address,
    )


def buyer_licence(verdicts: Iterable[Verdict]) -> tuple[str, str]:
    """What the buyer may do: the public licence where all sounds share one, else the store's own buyer's licence.

    Where tracks differ, each file and the zip's LICENSE.txt name their own; no term of the store is laid on top.
    """
    found = {verdict.obligations.buyer_licence for verdict in verdicts}
    terms = f"{settings.SITE_URL}{reverse('terms')}"
    if found == {("", "")}:
        return STORE_LICENCE, terms
    return found.pop() if len(found) == 1 else (EACH_ITS_OWN, terms)
