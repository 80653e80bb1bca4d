"""What several tables share: the bound of amounts, and the condition that one of several things is meant."""

from django.db.models import F, Q
from django.db.models.lookups import Exact

from payments.money import Currency, currencies

MOST_MINOR = 10**12 - 1  # as payments.money; in micros a bigint holds it many times over


def one_of(*fields: str) -> Q:
    """Exactly one of the nullable fields is set."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition


def chargeable(field: str = "amount_minor") -> Q:
    """The currency is one that can be charged, and the amount is of its steps: none is below the least coin."""
    steps: dict[int, list[str]] = {}
    for code in currencies():
        steps.setdefault(Currency(code).charge_step, []).append(code)
    condition = Q()
    for step, codes in sorted(steps.items()):
        whole = Q(currency__in=codes)
        condition |= whole & Q(Exact(F(field) % step, 0)) if step > 1 else whole
    return condition
