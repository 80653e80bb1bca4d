"""One release: what one gets, what it costs here, who gets what of it, on what it rests. A fixed number of queries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from catalog import credits as sleeve_credits
from catalog.models import Credit, CreditRole, Release, Track, Work
from licensing import licences
from licensing.reasons import REASONS
from licensing.verdicts import Reliance, Verdict
from store import clearing, offers, previews, pricing
from store.errors import AmountRefused, NotOnSale, TaxRateMissing, TaxRateUnverified
from store.forms import in_words
from store.models import Offer, OrderLine
from store.previews import Preview
from store.royalties import HOLDERS
from store.templatetags.shop import countries_phrase, in_country, plain, seconds_words
from store.views.amounts import named_price
from store.views.formats import grades, offered, shelf
from store.views.sleeves import TONES, covers, open_in, shown, sleeves
from store.views.splits import before_paying, named, parts
from store.views.visitor import basket_of, country_of, currency_of, user_of
from transcoding import formats
from transcoding.models import Master, Rendition

MORE = 6
KINDS = {"ALBUM": "album", "SINGLE": "single", "EP": "EP"}
WHOLE_ONLY = (
    "The release is sold whole only where every track is cleared. What stands in the way is said beside each track."
)
LAYERS = (("RECORDING", "The recording"), ("WORK", "The composition"))


@dataclass(frozen=True, slots=True)
class Line:
    """A track as the page shows it. `why` is set where it is not sold in the visitor's country."""

    key: int
    number: int
    title: str
    by: str
    seconds: float
    preview: dict[str, str] | None
    offer: Offer | None
    owned: bool
    why: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What a release's clearance rests on, read once for all its tracks."""

    masters: Mapping[int, Master]
    verdicts: Mapping[int, Verdict]
    renditions: Mapping[int, Sequence[Rendition]]
    previews: Mapping[int, Preview]


def ground(tracks: Sequence[Track], *, country: str) -> Ground:
    keys = [track.recording_id for track in tracks]
    masters = clearing.masters_of(keys)
    decisions = clearing.latest_of_recordings(keys)
    made: dict[int, list[Rendition]] = defaultdict(list)
    owners = {master.pk: master.recording_id for master in masters.values()}
    ready = Rendition.objects.filter(purpose=Rendition.Purpose.FULL, state=Rendition.State.READY)
    for rendition in ready.filter(master__in=owners).order_by("ready_at"):
        made[owners[rendition.master_id]].append(rendition)
    verdicts = {key: Verdict.from_data(decision.verdict) for key, decision in decisions.items()}
    return Ground(masters, verdicts, made, previews.heard(keys, country=country))


@require_safe
def release(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Release.objects.select_related("label").with_credits().with_tracks(), slug=slug)
    tracks = list(found.tracks.all())
    if not offers.selling(Release.objects.filter(pk=found.pk), currency=settings.STORE_CURRENCY).exists():
        raise Http404("Nothing of this release is on sale.")
    country = country_of(request)
    under = ground(tracks, country=country)
    currency = currency_of(request)
    here = open_in(country, currency=currency).filter(Q(release=found) | Q(track__release=found))
    by_thing = {(offer.release_id, offer.track_id): offer for offer in here.select_related("decision")}
    whole = by_thing.get((found.pk, None))
    singles = {track: offer for (_, track), offer in by_thing.items() if track is not None}
    owned = _owned(request, found, tracks)
    cover = covers([found.pk]).get(found.pk, "")
    by = sleeve_credits.artist_line(found)
    lines = _lines(found, tracks, under, singles=singles, owned=owned, country=country, cover=cover, by=by)
    held = [track for track in tracks if track.recording_id in under.masters]
    masters = [under.masters[track.recording_id] for track in held]
    rows = _shelf(masters, under)
    context: dict[str, Any] = {
        "release": found,
        "by": by,
        "artists": sleeve_credits.artists(found),
        "cover": cover,
        "tone": found.pk % TONES,
        "kind": capfirst(KINDS[found.kind]),
        "kind_word": KINDS[found.kind],
        "gist": _gist(tracks, under),
        "offer": whole,
        "owned": found.pk in owned["releases"],
        "in_basket": whole is not None and _in_basket(request, whole),
        "singles": bool(singles),
        "why_not": [] if whole else _why_not(tracks, under, country, singles=bool(singles)),
        "discs": _discs(tracks, lines),
        "layers": _layers(tracks, under, country),
        "asks": _asks(tracks, under),
        "proofs": [
            {"title": track.title, "sound": under.masters[track.recording_id].sound_sha256}
            for track in tracks
            if track.recording_id in under.masters and track.recording_id in under.verdicts
        ],
        "formats": rows,
        "rest": sum(not row["first"] for row in rows),
        "sizes": _sizes(held, rows),
        "grades": len(grades(masters)),
        "credits": _credits(tracks),
        "lines": [pair for pair in (("©", found.c_line), ("℗", found.p_line), ("Barcode", found.gtin)) if pair[1]],
        "more": sleeves(
            shown().filter(label=found.label_id).exclude(pk=found.pk)[:MORE], country=country, currency=currency
        ),
        **_price(whole or next(iter(singles.values()), None), country, currency, request.GET),
    }
    return render(request, "shop/release.html", context)


def _price(offer: Offer | None, country: str, currency: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Who gets what of the offer, as it would be frozen if it were bought now from `country` at the price named."""
    if offer is None:
        return {}
    try:
        found, refused = _quoted_or_least(offer, country, asked)
    except (TaxRateMissing, TaxRateUnverified) as refusal:
        return {"tax_phrase": refusal.message}
    except NotOnSale as refusal:
        return {"offer": None, "why_not": [refusal.message]}
    (shown,) = before_paying([found])
    return {
        "split": parts(shown, currency=offer.currency, site_name=settings.SITE_NAME, names=named([shown])),
        "fee_about": 0 if found.terms.fee == HOLDERS else pricing.fees_about([found])[0],
        "split_total": found.split.micros,
        "split_currency": offer.currency,
        "elsewhere": offer.currency if offer.currency != currency else "",
        "wanted_currency": currency,
        "split_of": "the whole release" if offer.release_id else "one track",
        "split_given": found.quote.given_minor,
        "named": plain(found.amount_minor, offer.currency),
        "named_refused": refused,
        "tax_phrase": "with tax" if found.tax_minor else f"no tax for {in_country(country)}",
    }


def _quoted_or_least(offer: Offer, country: str, asked: Mapping[str, str]) -> tuple[pricing.Priced, str]:
    """The offer at the price named; where that cannot be, at the least, with why."""
    try:
        return _quoted(offer, country, asked), ""
    except (AmountRefused, ValidationError) as error:
        return _quoted(offer, country, {}), in_words(error)
    except NotOnSale:  # it may be given away here, but not sold
        least = _quoted(offer, country, {})
        return least, "This may be given away, but not sold: nobody can be paid for it."


def _quoted(offer: Offer, country: str, asked: Mapping[str, str]) -> pricing.Priced:
    quote = pricing.quote_of(offer, named_minor=named_price(asked, offer))
    return pricing.price(offer, country=country, at=timezone.now(), quote=quote)


def _gist(tracks: Sequence[Track], under: Ground) -> str:
    """One line that says what one gets: "10 tracks, 42 min, FLAC 24/96 and 8 more formats"."""
    masters = [under.masters[track.recording_id] for track in tracks if track.recording_id in under.masters]
    said = [f"{len(tracks)} track{'s' if len(tracks) != 1 else ''}"]
    seconds = sum(master.seconds for master in masters)
    if seconds:
        said.append(seconds_words(seconds))
    found = offered(masters)
    if found:
        best = found[0]
        master = masters[0]
        name = best.name if best.code != "ORIGINAL" else formats.label(best, master).partition(",")[0]
        if best.lossless:
            least = min(masters, key=lambda one: (one.bit_depth, one.sample_rate))
            name += f" {formats.depth(least)}/{least.sample_rate / 1000:g}"
        rest = len(found) - 1
        said.append(f"{name} and {rest} more format{'s' if rest != 1 else ''}" if rest else name)
    return ", ".join(said)


def _shelf(masters: Sequence[Master], under: Ground) -> list[dict[str, Any]]:
    made = {(one.master_id, one.format): one.bytes for several in under.renditions.values() for one in several}
    return shelf(masters, made)


def _sizes(tracks: Sequence[Track], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each track takes in each of the first formats; nothing where there is one track alone."""
    first = [row for row in rows if row["first"]]
    if len(tracks) < 2:  # noqa: PLR2004 - then the table above says it
        return []
    return [
        {"number": track.number, "title": track.title, "sizes": [row["sizes"][place] for row in first]}
        for place, track in enumerate(tracks)
    ]


def _lines(
    found: Release,
    tracks: Sequence[Track],
    under: Ground,
    *,
    singles: Mapping[int, Offer],
    owned: Mapping[str, set[int]],
    country: str,
    cover: str,
    by: str,
) -> list[Line]:
    lines = []
    for track in tracks:
        key = track.recording_id
        credited = sleeve_credits.artist_line(track.recording)
        verdict = under.verdicts.get(key)
        why = "" if verdict and verdict.is_cleared(country, at=timezone.now()) else why_not(verdict, country)
        master = under.masters.get(key)
        preview = under.previews.get(key)
        lines.append(
            Line(
                key=track.pk,
                number=track.number,
                title=track.title,
                by=credited if credited != by else "",
                seconds=master.seconds if master else 0.0,
                preview=preview_link(preview, title=track.title, by=credited, slug=found.slug, cover=cover)
                if preview
                else None,
                offer=singles.get(track.pk) if track.pk not in owned["tracks"] else None,
                owned=track.pk in owned["tracks"],
                why=why,
            )
        )
    return lines


def preview_link(preview: Preview, *, title: str, by: str, slug: str, cover: str) -> dict[str, str]:
    """What the player needs to know of a track."""
    return {
        "url": _address(preview.mp3),
        "opus": _address(preview.opus) if preview.opus else "",
        "peaks": reverse("peaks", args=[preview.mp3.public_id]),
        "title": title,
        "by": by,
        "page": reverse("release", args=[slug]),
        "cover": reverse("artwork", args=[cover, 96]) if cover else "",
    }


def _address(rendition: Rendition) -> str:
    return reverse("track-preview", args=[rendition.public_id, formats.get(rendition.format).extension])


def _discs(tracks: Sequence[Track], lines: Sequence[Line]) -> list[dict[str, Any]]:
    discs: dict[int, list[Line]] = {}
    for track, line in zip(tracks, lines, strict=True):
        discs.setdefault(track.disc, []).append(line)
    return [{"number": number, "tracks": rows} for number, rows in discs.items()]


def why_not(verdict: Verdict | None, country: str) -> str:
    """Why a recording is not sold in `country`, and where it is: whose turn it is stands in the reason's own words."""
    if verdict is None:
        return "Not for sale yet: its rights have not been examined."
    reasons = [REASONS[reason.code] for reason in verdict.reasons_in(country) if reason.code in REASONS]
    words = reasons[0].meaning if reasons else "It is not cleared at this moment."
    elsewhere = verdict.cleared_countries
    if elsewhere:
        return (
            f"Not sold in {in_country(country)}: {words[0].lower()}{words[1:]} Sold in {countries_phrase(elsewhere)}."
        )
    return f"Not sold: {words[0].lower()}{words[1:]}"


def _why_not(tracks: Sequence[Track], under: Ground, country: str, *, singles: bool) -> list[str]:
    if singles:
        return [WHOLE_ONLY]
    reasons = dict.fromkeys(why_not(under.verdicts.get(track.recording_id), country) for track in tracks)
    return list(reasons)[:2]


def _layers(tracks: Sequence[Track], under: Ground, country: str) -> list[dict[str, Any]]:
    """Both layers, each with the distinct grants that the tracks rest on in `country`."""
    grants: dict[str, dict[tuple[str, ...], list[str]]] = {layer: {} for layer, _ in LAYERS}
    for track in tracks:
        verdict = under.verdicts.get(track.recording_id)
        if verdict is None:
            continue
        wanted = {share.record for share in verdict.shares_in(country)}
        for record in verdict.records:
            if record.record in wanted and record.layer in grants:
                names = grants[record.layer].setdefault(grant_words(record), [])
                names.append(str(track.number))
    drawn = []
    for layer, name in LAYERS:
        rows = [
            dict(zip(GRANT_WORDS, key, strict=True)) | {"tracks": _which(numbers, tracks)}
            for key, numbers in grants[layer].items()
        ]
        drawn.append({"name": name, "grants": rows})
    return drawn


def _asks(tracks: Sequence[Track], under: Ground) -> list[str]:
    """What the public licences of these tracks ask of whoever passes a copy on, in sentences."""
    verdicts = [under.verdicts.get(track.recording_id) for track in tracks]
    duties = {duty: None for verdict in verdicts if verdict for duty in verdict.obligations.duties}
    return licences.in_words(duties)


GRANT_WORDS = ("licence", "url", "holder", "where", "until")


def grant_words(record: Reliance) -> tuple[str, str, str, str, str]:
    """A record in words: licence, its address, who granted it, where, until when."""
    name = "Direct agreement with the shop"
    if record.licence_url:
        try:
            name = licences.parse(record.licence_url).name
        except licences.LicenceError:
            name = record.licence_url
    until = f"until the end of {record.ends_on}" if record.ends_on else "without end"
    return name, record.licence_url, record.holder_name, record.territories, until


def _which(numbers: Sequence[str], tracks: Sequence[Track]) -> str:
    if len(set(numbers)) == len(tracks):
        return ""
    return f"track {numbers[0]}" if len(numbers) == 1 else f"tracks {', '.join(dict.fromkeys(numbers))}"


def _credits(tracks: Sequence[Track]) -> list[dict[str, str]]:
    """Who did what, over all tracks: each role with its people, in the order of the roles."""
    people: dict[str, dict[str, None]] = {}
    works = Work.objects.filter(recordings__in=[track.recording_id for track in tracks]).distinct()
    written = works.prefetch_related(Prefetch("credits", Credit.objects.select_related("party")))
    heard = [credit for track in tracks for credit in track.recording.credits.all()]
    for credit in [*heard, *(credit for work in written for credit in work.credits.all())]:
        people.setdefault(credit.role, {})[credit.name] = None
    return [
        {"role": role.label, "names": ", ".join(people[role])}
        for role in CreditRole
        if role in people and role != CreditRole.MAIN_ARTIST
    ]


def _owned(request: HttpRequest, found: Release, tracks: Sequence[Track]) -> dict[str, set[int]]:
    """What of this the visitor has bought already: buying it again would give nothing."""
    user = user_of(request)
    if user is None:
        return {"releases": set(), "tracks": set()}
    lines = OrderLine.objects.filter(order__owner=user, state=OrderLine.State.PAID)
    bought = list(lines.filter(Q(release=found) | Q(track__release=found)).values_list("release", "track"))
    releases = {release for release, _ in bought if release}
    singles = {track for _, track in bought if track}
    return {"releases": releases, "tracks": {track.pk for track in tracks} if releases else singles}


def _in_basket(request: HttpRequest, offer: Offer) -> bool:
    basket = basket_of(request)
    return basket is not None and basket.lines.filter(offer=offer).exists()
