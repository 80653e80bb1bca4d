"""Amounts that a buyer types."""

from collections.abc import Mapping

from store.forms import AmountField
from store.models import Offer


def named_price(sent: Mapping[str, str], offer: Offer) -> int | None:
    """The price that a buyer names, in minor units; None where there is none. Raises ValidationError, in words."""
    if not offer.or_more or not sent.get("named", "").strip():
        return None
    amount = AmountField(currency=offer.currency, zero=True).clean(sent["named"])
    return None if amount is None else amount.minor
