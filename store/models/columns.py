"""What several tables share: the bound of amounts, and the condition that one of several things is meant."""

from django.db.models import Q

MOST_MINOR = 10**12 - 1  # as payments.money; in micros a bigint holds it many times over


def one_of(*fields: str) -> Q:
    """Exactly one of the nullable fields is set."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition
