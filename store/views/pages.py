"""Pages of prose, the formats this shop makes, and whether it is well."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from transcoding.formats import FORMATS, Format, estimate

HOUR = 3600


@dataclass(frozen=True)
class CompactDisc:
    """An hour of sound as a compact disc holds it: what sizes are compared by."""

    container: str = "wav"
    codec: str = "pcm"
    lossless: bool = True
    sample_rate: int = 44_100
    bit_depth: int = 16
    channels: int = 2
    samples: int = 44_100 * HOUR
    bytes: int = 44_100 * HOUR * 4


def _quality(made: Format) -> str:
    if made.lossless:
        return "Lossless: the master's own sound, rate and depth"
    if made.rates == (48_000,):
        return f"About {made.kilobits} kbit/s, always 48 kHz"
    limit = ", at most 48 kHz" if made.rates else ""
    return f"{'' if str(made.kilobits) in made.name else 'About '}{made.kilobits} kbit/s{limit}"


@require_safe
def formats(request: HttpRequest) -> HttpResponse:
    disc = CompactDisc()
    rows = [
        {
            "label": made.name,
            "extension": made.extension,
            "quality": _quality(made),
            "hour": estimate(made, disc),
            "made": "ahead of every sale" if made.ahead else "on first request, then kept",
        }
        for made in FORMATS.values()
        if not made.preview and made.extension
    ]
    return render(request, "pages/formats.html", {"formats": rows})


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/about.html")


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/terms.html")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/privacy.html")


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Whether this process can reach what it cannot work without. 200 or 503; names the part, never its address."""
    parts = {"database": True, "redis": True}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        parts["database"] = False
    try:
        cache.get("healthz")
    except (RedisError, OSError):
        parts["redis"] = False
    well = all(parts.values())
    words = {name: "ok" if up else "unreachable" for name, up in parts.items()}
    return JsonResponse({"ok": well, **words}, status=200 if well else 503)
