"""Stripe Tax in place of our table (STRIPE_TAX): what is paid at Stripe bears the tax that Stripe reckoned.

Before paying, buyers are shown the table's tax, inside a price that stays. Once paid, Stripe's word is read again, line
by line; where it differs the parts of the line are worked out anew with the decisions and terms that the order froze,
and the letters and rate cards of its day, before anything is posted. An address in another country than the one ordered
from, lines that are not ours, or a tax that is not complete deliver nothing: people look at it. What credit pays,
wholly or in part, bears the table's.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from catalog.models import Track
from licensing.models import ClearanceDecision
from payments.models import Charge
from store import locations, pricing, tax
from store.errors import ChargeMismatch
from store.models import Code, Order, OrderLine, OrderLineTrack, Redemption
from store.quotes import Quote
from store.royalties import Terms


@dataclass(frozen=True)
class Retaxed:
    """A line's tax by Stripe, and what everybody gets then."""

    rate: int
    tax_minor: int
    split: list[dict[str, Any]]


def code_for(order: Order, *, at: datetime) -> str:
    """Stripe's code for what is sold where Stripe reckons the order's tax; empty where it bears what was agreed.

    Raises TaxRateMissing and TaxRateUnverified where neither Stripe nor the table can be relied on: also for an order
    that was placed by a table nobody vouched for while Stripe was to reckon its tax, and no longer is.
    """
    if order.reverse_charge:
        return ""
    if not settings.STRIPE_TAX or order.credit_minor:
        tax.vouched(order.country, at=at if settings.STRIPE_TAX else order.placed_at)
        return ""
    return settings.STRIPE_TAX_CODE


def reckoned(order: Order, charge: Charge) -> dict[int, Retaxed]:
    """The lines on which Stripe reckoned another tax than the order was placed with, by key, with their new parts.

    Raises ChargeMismatch, and what pricing raises, where that cannot be relied on.
    """
    if not charge.taxed_by_stripe:
        return {}
    if charge.tax is None:
        raise ChargeMismatch(f"{order.number}: Stripe was to reckon the tax, and has not.")
    country = str(charge.tax["country"])
    if not country or not locations.same(country, order.country):
        raise ChargeMismatch(
            f"{order.number} was ordered from {order.country}; Stripe taxed an address in {country or 'no country'}."
        )
    lines = list(order.lines.select_related("offer").order_by("position"))
    found = _match(order, lines, charge.tax["lines"])
    other = {line.pk: found[line.pk] for line in lines if line.amount_minor and found[line.pk] != _agreed(line)}
    return _anew(order, [line for line in lines if line.pk in other], other) if other else {}


def _agreed(line: OrderLine) -> tax.Charged:
    return tax.Charged(line.amount_minor, line.tax_rate, line.tax_minor)


def _match(order: Order, lines: list[OrderLine], told: list[dict[str, Any]]) -> dict[int, tax.Charged]:
    """Stripe's lines by ours: by name and amount, each once."""
    left = list(told)
    found = {}
    for line in lines:
        name = shown(line)[:250]
        mine = next((one for one in left if (one["name"], one["amount_minor"]) == (name, line.amount_minor)), None)
        if mine is None:
            raise ChargeMismatch(f"{order.number}: Stripe's page does not list “{line.title}” as it was ordered.")
        left.remove(mine)
        found[line.pk] = tax.Charged(line.amount_minor, int(mine["basis_points"]), int(mine["tax_minor"]))
    if left:
        raise ChargeMismatch(f"{order.number}: Stripe's page lists more than was ordered.")
    return found


def shown(line: OrderLine) -> str:
    """What Stripe's page calls a line."""
    return f"{line.title}, {line.artist}"


def _anew(order: Order, lines: list[OrderLine], charged: Mapping[int, tax.Charged]) -> dict[int, Retaxed]:
    """The parts of these lines as they would have been with that tax: by the decisions and terms the order froze.

    Whether they may still be delivered is settlement's to ask. A line without terms is older than them.
    """
    tracks: dict[int, list[Track]] = defaultdict(list)
    decisions: dict[tuple[str, int], ClearanceDecision] = {}
    rows = OrderLineTrack.objects.filter(line__in=lines).select_related(
        "line", "decision", "track__recording", "track__release"
    )
    for row in rows.order_by("line", "position"):
        tracks[row.line.offer_id].append(row.track)
        decisions[row.decision.use, row.track.recording_id] = row.decision
    agreed = pricing.Agreed(decisions, {line.offer_id: Terms.from_json(line.terms) for line in lines if line.terms})
    by_shop = Redemption.objects.filter(order=order, code__bearer=Code.Bearer.SHOP).exists()
    quotes = {
        line.offer_id: Quote(
            line.amount_minor + line.discount_minor - line.given_minor, line.given_minor, line.discount_minor,
            by_shop=by_shop and line.discount_minor > 0,
        )
        for line in lines
    }  # fmt: skip
    priced = pricing.price_all(
        [line.offer for line in lines], country=order.country, at=order.placed_at, quotes=quotes,
        taxed={line.offer_id: charged[line.pk] for line in lines}, agreed=agreed,
        tracks={key: tuple(found) for key, found in tracks.items()},
    )  # fmt: skip
    return {
        line.pk: Retaxed(each.tax_rate, each.tax_minor, each.split.to_json())
        for line, each in zip(lines, priced, strict=True)
    }


def apply(order: Order, taxed: Mapping[int, Retaxed]) -> None:
    """Keep Stripe's tax on an order that is not settled yet, and on its lines; in the transaction that settles it."""
    if not taxed:
        return
    row = Order.objects.select_for_update().get(pk=order.pk)
    if row.paid_at is not None:
        return
    for key, one in taxed.items():
        OrderLine.objects.filter(pk=key).update(tax_rate=one.rate, tax_minor=one.tax_minor, split=one.split)
    row.tax_minor = sum(row.lines.values_list("tax_minor", flat=True))
    row.save(update_fields=["tax_minor"])
