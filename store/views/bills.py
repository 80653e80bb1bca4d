"""What is in a basket, as it would be ordered from one country: the basket's page and the checkout show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils.text import capfirst

from catalog.credits import artist_line
from catalog.models import Recording, Release
from store import baskets, businesses, codes, offers, pricing, tax
from store.checkout import STORE_LICENCE, buyer_licence, sum_of
from store.errors import CodeRefused, NotOnSale, StoreError, TaxRateMissing, TaxRateUnverified
from store.models import Basket, Code, Offer, VatCheck
from store.quotes import Quote
from store.templatetags.shop import in_country, percent, plain
from store.views.release import KINDS
from store.views.sleeves import TONES, covers
from store.views.splits import Part, before_paying, named, parts

LICENCE_WORDS = {STORE_LICENCE: "the shop's own buyer's licence: yours to keep, on all your devices"}


@dataclass(frozen=True, slots=True)
class Goods:
    """One thing in the basket, as it is listed. `why` is set where it cannot be bought now."""

    offer: UUID
    title: str
    by: str
    kind: str
    label: str
    url: str
    cover: str
    tone: int
    amount_minor: int
    licence: str = ""
    licence_url: str = ""
    split: Sequence[Part] = ()
    split_total: int = 0
    why: str = ""
    named: str = ""  # the price as its field says it, where the buyer names it
    least_minor: int = 0
    given_minor: int = 0
    discount_minor: int = 0
    now: Offer | None = None  # what has come in its place at another price

    @property
    def before_minor(self) -> int:
        """The price before the code, where tax is inside it."""
        return self.least_minor + self.given_minor


@dataclass(frozen=True, slots=True)
class Bill:
    """A basket as it would be ordered from one country."""

    lines: Sequence[Goods]
    gone: Sequence[Goods]
    currency: str
    total_minor: int
    tax_minor: int
    tax_rate: int
    business: VatCheck | None = None
    code: Code | None = None
    code_refused: str = ""  # why the code on the basket takes nothing off

    def context(self, country: str) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "gone": self.gone,
            "labels": len({line.label for line in self.lines}),
            "currency": self.currency,
            "total_minor": self.total_minor,
            "tax_minor": self.tax_minor,
            "net_minor": self.total_minor - self.tax_minor,
            "given_minor": sum(line.given_minor for line in self.lines),
            "discount_minor": sum(line.discount_minor for line in self.lines),
            "before_minor": sum(line.before_minor for line in self.lines),
            "code": self.code,
            "code_refused": self.code_refused,
            "seen": sum_of(self.currency, self.total_minor, self.tax_minor),
            "tax_word": f"VAT inside, {percent(self.tax_rate)}" if self.tax_rate else "Tax",
            "country_phrase": business_phrase(self.business)
            if self.business is not None and businesses.reverses(self.business)
            else country_phrase(country, self.tax_rate),
            "business": self.business,
            "buying_from": country,
        }


def country_phrase(country: str, rate: int) -> str:
    """The country and its consequence, in plain words."""
    name = in_country(country)
    if rate:
        return f"You are buying from {name}: {percent(rate)} VAT is inside the price."
    return f"You are buying from {name}: we collect no tax there, and the price stays the same."


def business_phrase(business: VatCheck) -> str:
    """What it means that a business of another member state buys."""
    return (
        f"You are buying for {business.company}, {business.vat_id}: the price is without VAT, "
        "which your business accounts for itself (reverse charge)."
    )


def licence_words(code: str) -> str:
    return LICENCE_WORDS.get(code, code)


def bill_of(basket: Basket | None, country: str, at: datetime, business: VatCheck | None = None) -> Bill:
    reverse_charge = businesses.reverses(business)
    try:
        rate = 0 if reverse_charge else tax.rate(country, at=at)
    except (TaxRateMissing, TaxRateUnverified):  # then nothing is sold there, and the lines below say so
        rate = 0
    if basket is None:
        return Bill((), (), settings.STORE_CURRENCY, 0, 0, rate)
    rows = list(basket.lines.select_related("offer__decision", "offer__release__label", "offer__track__recording"))
    chosen = [line.offer for line in rows]
    quotes = {line.offer_id: pricing.quote_of(line.offer, named_minor=line.named_minor) for line in rows}
    tracks = pricing.tracks_of(chosen)
    listed = _listed(chosen, tracks)
    lines: list[Goods] = []
    gone: list[Goods] = []
    open_now = offers.open_now(chosen, country=country, at=at)
    said = {"country": country, "at": at, "reverse_charge": reverse_charge, "tracks": tracks}
    priced, refused = _priced(basket, open_now, quotes, said)
    known = {each.offer.pk: each for each in priced}
    shown = {each.offer.pk: split for each, split in zip(priced, before_paying(priced), strict=True)}
    names = named(shown.values())
    successors = baskets.successors([offer for offer in chosen if offer.pk not in known])
    for offer in chosen:
        row = listed[offer.pk]
        each = known.get(offer.pk)
        if each is None:
            why = f"Not sold in {in_country(country)}" if offer.is_open else "No longer on sale"
            now = successors.get(offer.pk)
            gone.append(Goods(**row, why="Its price has changed" if now else why, now=now))
            continue
        code, url = buyer_licence(each.verdicts.values())
        drawn = parts(shown[offer.pk], currency=offer.currency, site_name=settings.SITE_NAME, names=names)
        asked = each.quote
        row |= {
            "amount_minor": each.amount_minor,
            "given_minor": asked.given_minor,
            "discount_minor": asked.discount_minor,
            "named": plain(asked.without_discount().amount_minor, offer.currency) if offer.or_more else "",
        }
        lines.append(
            Goods(
                **row,
                licence=licence_words(code),
                licence_url=url,
                split=drawn,
                split_total=each.split.micros,
            )
        )
    return Bill(
        lines,
        gone,
        basket.currency,
        sum(each.amount_minor for each in priced),
        sum(each.tax_minor for each in priced),
        rate,
        business,
        basket.code,
        refused,
    )


def _priced(
    basket: Basket, open_now: Sequence[Offer], quotes: Mapping[int, Quote], said: dict[str, Any]
) -> tuple[list[pricing.Priced], str]:
    """What can be bought at its price, with what the basket's code takes off; and why that takes nothing off."""
    refused = ""
    if basket.code is not None and open_now:
        try:
            codes.check(basket.code, buyer=basket.user, at=said["at"])
            lowered = pricing.with_code(basket.code, open_now, quotes, **said)
            return pricing.price_all(open_now, quotes=lowered, **said), ""
        except CodeRefused as refusal:
            refused = refusal.message
        except NotOnSale:
            refused = "This code would give away what its licences only allow to be sold."
    try:
        return pricing.price_all(open_now, quotes=quotes, **said), refused
    except StoreError:  # one of them went off sale between the two looks: price them one by one
        return [each for offer in open_now for each in _price_or_not(offer, quotes=quotes, **said)], refused


def _price_or_not(offer: Offer, **said: Any) -> list[pricing.Priced]:
    try:
        return pricing.price_all([offer], **said)
    except StoreError:
        return []


def _listed(chosen: Sequence[Offer], tracks: pricing.Tracks) -> dict[int, dict[str, Any]]:
    """What each offer is called and where it stands, by the offer's key; a fixed number of queries."""
    keys = {offer.release_id or tracks[offer.pk][0].release_id for offer in chosen}
    releases = {
        release.pk: release for release in Release.objects.filter(pk__in=keys).select_related("label").with_credits()
    }
    singles = [tracks[offer.pk][0].recording_id for offer in chosen if offer.track_id]
    heard = {recording.pk: recording for recording in Recording.objects.filter(pk__in=singles).with_credits()}
    fronts = covers(keys)
    found = {}
    for offer in chosen:
        first = tracks[offer.pk][0]
        release = releases[offer.release_id or first.release_id]
        whole = offer.release_id is not None
        count = len(tracks[offer.pk])
        found[offer.pk] = {
            "offer": offer.public_id,
            "title": release.title if whole else first.title,
            "by": artist_line(release if whole else heard[first.recording_id]),
            "kind": capfirst(f"{KINDS[release.kind]}, {count} track{'s' if count != 1 else ''}")
            if whole
            else f"Track from {release.title}",
            "label": release.label.name,
            "url": reverse("release", args=[release.slug]),
            "cover": fronts.get(release.pk, ""),
            "tone": release.pk % TONES,
            "amount_minor": offer.amount_minor,
            "least_minor": offer.amount_minor,
        }
    return found
