"""Who is looking, from where, and with which basket."""

import secrets
from functools import cache

from babel.numbers import get_territory_currencies
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from licensing.territories import is_country
from payments.money import currencies
from store import baskets, businesses
from store.models import Basket, User, VatCheck

FALLBACK_COUNTRY = "DE"
COUNTRY_KEY = "country"
CURRENCY_KEY = "currency"
BUSINESS_KEY = "vat_check"
BASKET_KEY = "basket"  # in the session's data, so that it outlives the new session key that signing in brings


def user_of(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def signed_in(request: HttpRequest) -> User:
    """The person behind a request that `login_required` let through."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


def country_of(request: HttpRequest) -> str:
    """Where this visitor buys from: what they chose, else their account's country, else their browser's, else ours."""
    chosen = str(request.session.get(COUNTRY_KEY, ""))
    if is_country(chosen):
        return chosen
    user = user_of(request)
    if user is not None and is_country(user.country):
        return user.country
    return language_country(request) or FALLBACK_COUNTRY


def language_country(request: HttpRequest) -> str:
    """The country in the first of the browser's languages that names one: "de-AT,de;q=0.9" → "AT"."""
    for part in request.headers.get("Accept-Language", "").split(","):
        tag = part.partition(";")[0].strip()
        code = tag.rpartition("-")[2].upper()
        if "-" in tag and is_country(code):
            return code
    return ""


def network_country(request: HttpRequest) -> str:
    """The country the connection comes from, where the operator's own proxy says so in COUNTRY_HEADER."""
    said = request.headers.get(settings.COUNTRY_HEADER, "").upper() if settings.COUNTRY_HEADER else ""
    return said if is_country(said) else ""


def buy_for(request: HttpRequest, business: VatCheck | None) -> None:
    """Remember the business that this visitor buys for; None for herself."""
    request.session[BUSINESS_KEY] = business.pk if business else None


def buying_for(request: HttpRequest, country: str) -> VatCheck | None:
    """The business bought for, as long as its VAT number was asked about within a day and for this country."""
    key = request.session.get(BUSINESS_KEY)
    found = VatCheck.objects.filter(pk=key).first() if isinstance(key, int) else None
    if found is None or not businesses.holds(found, buyer=signed_in(request), country=country, at=timezone.now()):
        return None
    return found


def currency_of(request: HttpRequest) -> str:
    """In which currency this visitor would like to see prices: what they chose, else their country's, else the shop's.

    What the label asks nothing for in it is shown in the shop's own (`settings.STORE_CURRENCY`): nothing is converted.
    """
    chosen = str(request.session.get(CURRENCY_KEY, ""))
    if chosen in _chargeable():
        return chosen
    used = get_territory_currencies(country_of(request))
    return used[0] if used and used[0] in _chargeable() else str(settings.STORE_CURRENCY)


@cache
def _chargeable() -> frozenset[str]:
    return frozenset(currencies())


def basket_of(request: HttpRequest) -> Basket | None:
    """The visitor's basket, if there is one. What was gathered before signing in joins the person's own."""
    user = user_of(request)
    loose = request.session.get(BASKET_KEY)
    if user is None:
        return baskets.find(user=None, session_key=loose)
    if loose:
        del request.session[BASKET_KEY]
        return baskets.adopt(loose, user=user)
    return baskets.find(user=user, session_key=None)


def open_basket(request: HttpRequest) -> Basket:
    """The visitor's basket, made where there is none yet."""
    found = basket_of(request)
    if found is not None:
        return found
    user = user_of(request)
    if user is None:
        request.session[BASKET_KEY] = secrets.token_urlsafe(24)
    return baskets.open_basket(user=user, session_key=request.session.get(BASKET_KEY), currency=currency_of(request))
