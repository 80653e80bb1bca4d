"""Which thing at Stripe each of the shop's postings belongs to, for the daily comparison of the two books.

A posting whose word is not known here is reported as one that Stripe does not have: better a question than a gap.
"""

from collections.abc import Iterable, Sequence

from catalog import codes
from payments.models import Charge, Refund
from payments.reconcile import Posting, Traced
from store.models import OrderLine

SOLD = frozenset({"sale", "held"})


def trace(postings: Sequence[Posting]) -> dict[str, Traced]:
    """Sales and fees by their charge, refunds by their refund at Stripe. Three queries."""
    words = {one.reference: one.reference.partition(":") for one in postings}
    sold = {reference: rest for reference, (word, _, rest) in words.items() if word in SOLD}
    fees = {reference: rest for reference, (word, _, rest) in words.items() if word == "fee"}
    orders = _orders(sold.values())
    numbers = {*orders.values(), *fees.values()}
    charges = dict(
        Charge.objects.filter(reference__in=numbers)
        .exclude(stripe_charge_id="")
        .values_list("reference", "stripe_charge_id")
    )
    refunds = [reference for reference, (word, _, _) in words.items() if word == "refund"]
    found = {
        reference: Traced(charges[orders[line]]) for reference, line in sold.items() if orders.get(line) in charges
    }
    found |= {reference: Traced(charges[order], is_fee=True) for reference, order in fees.items() if order in charges}
    given_back = Refund.objects.filter(reference__in=refunds).exclude(stripe_refund_id="")
    found |= {reference: Traced(key) for reference, key in given_back.values_list("reference", "stripe_refund_id")}
    return found


def _orders(lines: Iterable[str]) -> dict[str, str]:
    """Each line's order by number."""
    keys = [line for line in lines if codes.is_public_id(line)]
    rows = OrderLine.objects.filter(public_id__in=keys).values_list("public_id", "order__number")
    return {str(public_id): number for public_id, number in rows}
