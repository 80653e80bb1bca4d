"""What every page knows: the shop's name, the country one buys from, what lies in the basket, and the desks one has."""

from functools import lru_cache, partial
from typing import Any

from babel import Locale
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from licensing.territories import COUNTRIES
from store import baskets
from store.kept import kept
from store.models import Membership, Shelf
from store.templatetags.shop import currency_name, locale
from store.views.visitor import basket_of, country_of, currency_of, user_of


@lru_cache(maxsize=32)
def _countries(language: Locale) -> list[tuple[str, str]]:
    return sorted(((code, language.territories.get(code, code)) for code in COUNTRIES), key=lambda pair: pair[1])


def countries() -> list[tuple[str, str]]:
    """Every country with its name in the reader's language, by name."""
    return _countries(locale())


@lru_cache(maxsize=32)
def _options(language: Locale) -> SafeString:
    return format_html_join("", '<option value="{}">{}</option>', _countries(language))


def _country_options(request: HttpRequest) -> SafeString:
    """The options of a choice of countries, the visitor's chosen. All of some 250 stand on every page, so they are
    drawn once for each language: the template would take longer over them than over the page."""
    mine = f'value="{country_of(request)}"'
    return SafeString(_options(locale()).replace(mine, f"{mine} selected", 1))


def _desks(request: HttpRequest) -> list[dict[str, object]]:
    """The places beyond the shop that this person may enter."""
    user = user_of(request)
    if user is None:
        return []
    found = []
    if Membership.objects.filter(user=user).exists():
        found.append(("Studio", reverse("studio"), True))
    if user.is_reviewer:
        found.append(("Review", reverse("review"), True))
    if user.is_finance:
        found.append(("Finance", reverse("finance"), True))
    if user.is_staff:
        found.append(("Operations", reverse("ops"), True))
        found.append(("Admin", reverse("admin:index"), False))  # pages of another hand: never swapped into ours
    return [{"word": word, "url": url, "ours": ours, "here": request.path.startswith(url)} for word, url, ours in found]


def _currencies(wanted: str) -> list[tuple[str, str]]:
    """What one can see prices in: the shop's currency, those that labels ask prices in, and the one wanted."""
    sold = kept("currencies", lambda: list(Shelf.objects.values_list("currency", flat=True).distinct()), seconds=600)
    return [(code, currency_name(code)) for code in sorted({settings.STORE_CURRENCY, wanted, *sold})]


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "site_name": settings.SITE_NAME,
        "site_url": settings.SITE_URL,
        "country": SimpleLazyObject(lambda: country_of(request)),
        "country_options": partial(_country_options, request),
        "currency_wanted": SimpleLazyObject(lambda: currency_of(request)),
        "currencies_sold": SimpleLazyObject(lambda: _currencies(currency_of(request))),
        "basket_count": SimpleLazyObject(lambda: baskets.count(basket_of(request))),
        "desks": SimpleLazyObject(lambda: _desks(request)),
    }
