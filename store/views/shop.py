"""Browsing: home, the shelves, search, artists and labels."""

import base64
import binascii
import json
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from catalog import search as catalogue_search
from catalog.credits import artist_line
from catalog.models import CreditRole, Party, PartyKind, Release
from licensing.territories import is_country
from payments.money import currencies
from store import baskets
from store.kept import kept
from store.views.sleeves import TONES, newest, shown, sleeves
from store.views.visitor import COUNTRY_KEY, CURRENCY_KEY, basket_of, country_of, currency_of

PAGE = 36
ROW = 12
FACETS = 14
ROW_LABELS = 4
COUNTED = 1000  # what stands on a shelf is counted up to here; beyond, nobody reads a number, and each costs a row
COUNTS_FOR = 600  # seconds; numbers beside genres may be that old, what is listed never is


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """New releases, then the newest of the labels that have the most to show; their rows come in one query."""
    country = country_of(request)
    latest = list(newest(ROW, country))
    labels = Party.objects.filter(pk__in=_busiest_labels(country))
    ranked = (
        shown(country)
        .filter(label__in=labels)
        .annotate(place=Window(RowNumber(), partition_by=F("label"), order_by=[F("created_at").desc(), F("pk").desc()]))
        .filter(place__lte=6)
        .select_related("label")
        .with_credits()  # type: ignore[attr-defined]
    )
    issued = list(ranked)
    drawn = sleeves([*latest, *issued], country=country, currency=currency_of(request))
    rows: dict[int, dict[str, object]] = {}
    for release, sleeve in zip(issued, drawn[len(latest) :], strict=True):
        row = rows.setdefault(release.label_id, {"label": release.label, "sleeves": []})
        row["sleeves"].append(sleeve)  # type: ignore[attr-defined]
    return render(
        request,
        "shop/home.html",
        {"newest": drawn[: len(latest)], "rows": list(rows.values()), "genres": _genres(country)},
    )


def _busiest_labels(country: str) -> list[int]:
    return kept(f"labels:{country}", lambda: _labels_counted(country), seconds=COUNTS_FOR)


def _labels_counted(country: str) -> list[int]:
    counted = (
        shown(country).order_by().values("label").annotate(count=Count("pk")).filter(count__gte=2).order_by("-count")
    )
    return [row["label"] for row in counted[:ROW_LABELS]]


def _genres(country: str) -> list[dict[str, object]]:
    """The shop's genres with how many releases stand under each in this country, largest first."""
    return kept(f"genres:{country}", lambda: _genres_counted(country), seconds=COUNTS_FOR)


def _genres_counted(country: str) -> list[dict[str, object]]:
    counted = shown(country).exclude(genre="").order_by().values("genre").annotate(count=Count("pk"))
    return [{"genre": row["genre"], "count": row["count"]} for row in counted.order_by("-count", "genre")[:FACETS]]


def _cursor(release: Release) -> str:
    return base64.urlsafe_b64encode(json.dumps([release.created_at.isoformat(), release.pk]).encode()).decode()


def _place(cursor: str) -> tuple[datetime, int] | None:
    """The place on the shelf behind which to go on, so that page 900 costs what page 1 costs."""
    if not cursor:
        return None
    try:
        at, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        when, key = datetime.fromisoformat(at), int(key)
    except (ValueError, TypeError, binascii.Error) as error:
        raise Http404("There is no such page of the shelf.") from error
    if when.tzinfo is None:
        raise Http404("There is no such page of the shelf.")
    return when, key


@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """All that is on sale in the visitor's country, newest first, by genre and label where asked."""
    genre, label_slug, cursor = (request.GET.get(name, "") for name in ("genre", "label", "after"))
    country = country_of(request)
    label = get_object_or_404(Party, slug=label_slug) if label_slug else None
    among = {name: value for name, value in (("genre", genre), ("label", label)) if value}
    total = shown(country).filter(**among).order_by()[: COUNTED + 1].count()
    page = list(newest(PAGE + 1, country, after=_place(cursor), among=among))
    older = page[PAGE:]
    page = page[:PAGE]
    chosen = {name: value for name, value in (("genre", genre), ("label", label_slug)) if value}
    context = {
        "sleeves": sleeves(page, country=country, currency=currency_of(request)),
        "total": min(total, COUNTED),
        "more": total > COUNTED,
        "genre": genre,
        "label": label,
        "genres": _genres(country),
        "cursor": cursor,
        "first_page": f"?{urlencode(chosen)}",
        "next_page": f"?{urlencode({**chosen, 'after': _cursor(page[-1])})}" if older else "",
        "without_genre": f"?{urlencode({'label': label_slug})}" if label_slug else reverse("browse"),
        "label_part": f"&{urlencode({'label': label_slug})}" if label_slug else "",
    }
    return render(request, "shop/browse.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Found things by group; the same page answers while one types, of which the browser takes the results alone."""
    query = request.GET.get("q", "").strip()
    country = country_of(request)
    found = catalogue_search.search(query, limit=ROW, among=shown(country))
    context = {
        "query": found.query,
        "found": found,
        "sleeves": sleeves(found.releases, country=country, currency=currency_of(request)),
        "tracks": [
            {
                "title": track.title,
                "by": artist_line(track.recording),
                "release": track.release.title,
                "url": f"{reverse('release', args=[track.release.slug])}#track-{track.pk}",
                "cover": next((art.sha256 for art in track.release.artworks.all()), ""),
                "tone": track.release_id % TONES,
            }
            for track in found.tracks
        ],
    }
    return render(request, "shop/search.html", context)


@require_safe
def artist(request: HttpRequest, slug: str) -> HttpResponse:
    """A party's own releases, then those on which she is heard."""
    party = get_object_or_404(Party, slug=slug)
    mine = Q(credits__party=party, credits__role=CreditRole.MAIN_ARTIST)
    heard = Q(tracks__recording__credits__party=party)
    found = list(
        shown()
        .filter(
            Q(pk__in=Release.objects.filter(mine).values("pk")) | Q(pk__in=Release.objects.filter(heard).values("pk"))
        )
        .order_by(F("release_date").desc(nulls_last=True), "-pk")
        .with_credits()[:200]  # type: ignore[attr-defined]
    )
    if not found:
        if party.kind == PartyKind.ORGANISATION:
            return redirect("label", slug=slug)
        raise Http404("Nothing by this artist is on sale.")
    own = {release.pk for release in found if any(c.party_id == party.pk for c in release.credits.all())}
    drawn = sleeves(found, country=country_of(request), currency=currency_of(request))
    pairs = list(zip(found, drawn, strict=True))
    context = {
        "party": party,
        "own": [sleeve for release, sleeve in pairs if release.pk in own],
        "heard": [sleeve for release, sleeve in pairs if release.pk not in own],
    }
    return render(request, "shop/artist.html", context)


@require_safe
def label(request: HttpRequest, slug: str) -> HttpResponse:
    """What a label issues, newest first."""
    party = get_object_or_404(Party, slug=slug)
    found = shown().filter(label=party)
    page = found.order_by(F("release_date").desc(nulls_last=True), "-created_at", "-pk")[:PAGE]
    drawn = sleeves(page, country=country_of(request), currency=currency_of(request))
    if not drawn:
        raise Http404("Nothing of this label is on sale.")
    return render(request, "shop/label.html", {"party": party, "sleeves": drawn, "total": found.count()})


@require_POST
def country(request: HttpRequest) -> HttpResponse:
    """Remember where this visitor buys from, and go back to where they were."""
    chosen = request.POST.get("country", "").upper()
    if is_country(chosen):
        request.session[COUNTRY_KEY] = chosen
    return _back(request)


@require_POST
def currency(request: HttpRequest) -> HttpResponse:
    """Remember in which currency this visitor would like to see prices; the basket turns to it where it can."""
    chosen = request.POST.get("currency", "").upper()
    if chosen in currencies():
        request.session[CURRENCY_KEY] = chosen
        basket = basket_of(request)
        if basket is not None and basket.currency != chosen and not baskets.turn(basket, chosen):
            messages.info(request, f"Not all in your basket has a price in {chosen}: it stays in {basket.currency}.")
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = reverse("home")
    return redirect(back)
