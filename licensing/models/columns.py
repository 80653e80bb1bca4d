"""What several tables say the same way: closed lists of terms, and exactly one subject."""

from collections.abc import Iterable
from enum import StrEnum

from django.db.models import Q


def choices(terms: type[StrEnum]) -> list[tuple[str, str]]:
    return [(term.value, term.value.replace("_", " ").capitalize()) for term in terms]


def one_of(field: str, terms: Iterable[str], *, blank: bool = False) -> Q:
    return Q(**{f"{field}__in": [*(str(term) for term in terms), *([""] if blank else [])]})


def exactly_one(*fields: str) -> Q:
    """True where one of `fields` is set and the others are null."""
    condition = Q()
    for chosen in fields:
        condition |= Q(**{f"{field}__isnull": field != chosen for field in fields})
    return condition
