"""Which thing at Stripe each of the shop's postings belongs to, for the daily comparison of the two books.

A posting whose name is not known here is reported as one that Stripe does not have: better a question than a gap.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import F

from catalog import codes
from payments.models import Charge, Refund
from payments.reconcile import BACK, Posting, Traced
from store.models import Order, OrderLine

SOLD = frozenset({"sale", "held"})
BOUGHT = frozenset({"credit", "gift-card", "credit-applied"})
_CHARGEBACK = re.compile(r"(chargeback|reinstated):(?:[0-9a-f-]{36}:)?((?:du|dp)_\w+)(?::([a-z-]+))?")


def trace(postings: Sequence[Posting]) -> dict[str, Traced]:
    """Sales, credit and fees by their charge, what went back by its refund or chargeback. Four queries.

    What credit paid, and what went back into it, is taken off beside the sale or refund: the two are one fact, and
    where nothing was paid at Stripe it is nought.
    """
    words = {one.reference: one.reference.partition(":") for one in postings}
    sold = {reference: rest for reference, (word, _, rest) in words.items() if word in SOLD}
    orders = _orders(sold.values())
    numbers = {reference: orders[line] for reference, line in sold.items() if line in orders}
    numbers |= {reference: rest for reference, (word, _, rest) in words.items() if word in {*BOUGHT, "fee"}}
    rows = Charge.objects.filter(reference__in=set(numbers.values())).exclude(stripe_charge_id="")
    charges = dict(rows.values_list("reference", "stripe_charge_id"))
    by_credit = Order.objects.filter(number__in=set(numbers.values()), credit_minor=F("total_minor"))
    charges |= {number: f"credit:{number}" for number in by_credit.values_list("number", flat=True)}
    found = {
        reference: Traced(charges[number], is_fee=words[reference][0] == "fee")
        for reference, number in numbers.items()
        if number in charges
    }
    found |= _given_back(words)
    return found | {reference: traced for reference in words if (traced := _chargeback(reference))}


def _given_back(words: Mapping[str, tuple[str, str, str]]) -> dict[str, Traced]:
    """Refunds by their refund at Stripe, with what of each went into a wallet. One query."""
    beside = {rest: reference for reference, (word, _, rest) in words.items() if word == "credit-returned"}
    rows = Refund.objects.filter(reference__in={*words, *beside}).exclude(stripe_refund_id="")
    keys = dict(rows.values_list("reference", "stripe_refund_id"))
    keys = {refund: f"credit:{refund}" for refund in beside} | keys
    found = {refund: Traced(key) for refund, key in keys.items() if refund in words}
    return found | {reference: Traced(keys[refund]) for refund, reference in beside.items()}


def _chargeback(reference: str) -> Traced | None:
    """What a buyer's bank took, what it put back, and its fee, by the dispute that its posting names."""
    match = _CHARGEBACK.fullmatch(reference)
    if match is None:
        return None
    word, key, part = match.groups()
    back = word == "reinstated" or part in {"rest-reinstated", "fee-returned"}
    return Traced(key + (BACK if back else ""), is_fee=part in {"fee", "fee-returned"})


def _orders(lines: Iterable[str]) -> dict[str, str]:
    """Each line's order by number."""
    keys = [line for line in lines if codes.is_public_id(line)]
    rows = OrderLine.objects.filter(public_id__in=keys).values_list("public_id", "order__number")
    return {str(public_id): number for public_id, number in rows}
