"""What `manage.py check --deploy` says of a public store that is not ready to take money."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name for it

from store import businesses, locations
from store.errors import StoreError


@register(Tags.compatibility)
def ready_for_invoices(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Where real money is taken, invoices must name who takes it; until they can, they wait."""
    named = settings.SELLER_NAME and settings.SELLER_ADDRESS and settings.SELLER_COUNTRY
    if named or settings.STRIPE_API_BASE or not settings.STRIPE_SECRET_KEY:
        return []
    return [
        Warning(
            "No invoice is written: the settings do not say who sells.",
            hint="Set SELLER_NAME, SELLER_ADDRESS and SELLER_COUNTRY; those that are owed are written then.",
            id="store.W005",
        )
    ]


@register(Tags.compatibility)
def own_vat_number(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """The number that stands on every invoice, and in whose name VIES is asked."""
    if not settings.SELLER_VAT_ID or settings.SELLER_COUNTRY not in locations.UNION:
        return []
    try:
        businesses.read(settings.SELLER_VAT_ID, country=settings.SELLER_COUNTRY)
    except StoreError:
        return [Error("SELLER_VAT_ID is no VAT number of SELLER_COUNTRY.", id="store.E002")]
    return []


@register(Tags.security, deploy=True)
def ready_for_buyers(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:  # noqa: ARG001
    """The stand-ins of an embedded store are for one's own machine."""
    found: list[CheckMessage] = []
    if not settings.SECURE_SITE:
        found.append(Warning("SITE_URL is not https: sessions and sign-ins travel in the open.", id="store.W001"))
    if not settings.STRIPE_SECRET_KEY or settings.STRIPE_API_BASE:
        found.append(
            Warning(
                "No Stripe key: the sandbox takes the place of real payments.",
                hint="Set STRIPE_SECRET_KEY.",
                id="store.W002",
            )
        )
    if settings.STRIPE_SECRET_KEY and not settings.STRIPE_WEBHOOK_SECRETS:
        found.append(
            Warning("Stripe's webhooks cannot be believed.", hint="Set STRIPE_WEBHOOK_SECRETS.", id="store.W003")
        )
    if not settings.REVIEW_SECOND_FACTOR:
        found.append(
            Error(
                "Reviewers decide with a password alone.",
                hint="Leave REVIEW_SECOND_FACTOR on; only a store of one's own machine may do without.",
                id="store.E001",
            )
        )
    if not settings.EMAIL_HOST:
        found.append(Warning("Mail is written to files and not sent.", hint="Set EMAIL_HOST.", id="store.W004"))
    return found
