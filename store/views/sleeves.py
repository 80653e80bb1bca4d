"""Releases as sleeves: cover, title, artists, and the price in the visitor's country. A fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Case, QuerySet, When
from django.urls import reverse
from django.utils import timezone

from catalog.credits import artist_line
from catalog.models import Artwork, Release
from store import clearing, offers
from store.models import Offer

TONES = 5  # of blank sleeves


@dataclass(frozen=True, slots=True)
class Sleeve:
    """A release in a row of covers. `price_minor` is None where it is not sold whole in the visitor's country."""

    title: str
    by: str
    url: str
    cover: str  # hash of the artwork; empty for a blank sleeve
    tone: int
    price_minor: int | None
    currency: str
    or_more: bool


def open_in(country: str, *, currency: str = "", at: datetime | None = None) -> QuerySet[Offer]:
    """Open offers whose decision says yes for `country` at this moment: in the shop's own currency, and in `currency`.

    Those in `currency` come last, so that whoever takes the last for each thing has the one to show.
    """
    wanted = {currency or settings.STORE_CURRENCY, settings.STORE_CURRENCY}
    found = Offer.objects.filter(closed_at=None, currency__in=wanted)
    found = found.filter(clearing.standing(at=at or timezone.now(), country=country))
    return found.order_by(Case(When(currency=currency, then=1), default=0), "pk")


def shown(country: str = "") -> QuerySet[Release]:
    """Releases of which at least something is on sale, in `country` where one is given.

    Those of which nothing is on sale anywhere have no public page.
    """
    return offers.selling(Release.objects.all(), currency=settings.STORE_CURRENCY, country=country)


def newest(
    count: int, country: str, *, after: tuple[datetime, int] | None = None, among: Mapping[str, object] | None = None
) -> QuerySet[Release]:
    """The newest of what is `shown`, with their credits, as a page of the shelf (`offers.newest`)."""
    page = offers.newest(count, currency=settings.STORE_CURRENCY, country=country, after=after, among=among)
    return page.with_credits()  # type: ignore[attr-defined, no-any-return]


def covers(releases: Iterable[int]) -> dict[int, str]:
    """The hash of each release's front cover."""
    rows = Artwork.objects.filter(release__in=releases).order_by("release", "position").distinct("release")
    return dict(rows.values_list("release", "sha256"))


def sleeves(releases: QuerySet[Release] | Sequence[Release], *, country: str, currency: str = "") -> list[Sleeve]:
    """Three queries beside the one for the releases; give a list whose credits are prefetched to spare one."""
    if isinstance(releases, QuerySet):
        releases = list(releases.with_credits())  # type: ignore[attr-defined]
    keys = [release.pk for release in releases]
    prices = {offer.release_id: offer for offer in open_in(country, currency=currency).filter(release__in=keys)}
    fronts = covers(keys)
    return [
        Sleeve(
            title=release.title,
            by=artist_line(release),
            url=reverse("release", args=[release.slug]),
            cover=fronts.get(release.pk, ""),
            tone=release.pk % TONES,
            price_minor=offer.amount_minor if offer else None,
            currency=offer.currency if offer else "",
            or_more=offer.or_more if offer else False,
        )
        for release in releases
        for offer in [prices.get(release.pk)]
    ]
