"""Pages of prose, and whether the shop is well."""

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError


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
