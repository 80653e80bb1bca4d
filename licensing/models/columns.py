"""What several tables say the same way: closed lists of terms, and exactly one subject."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from licensing.territories import COUNTRIES
from licensing.verdicts import canonical

if TYPE_CHECKING:
    _CountriesField = models.Field[Collection[str], list[str]]
    _Lookup = models.Lookup[Any]
else:
    _CountriesField, _Lookup = models.Field, models.Lookup

_KNOWN = frozenset(COUNTRIES)


def is_sha256(field: str) -> Q:
    """True of 64 hexadecimal digits; a regular expression would cost a row a tenth of its time."""
    rest = Func(F(field), Value("0123456789abcdef"), Value(""), function="translate", output_field=models.TextField())
    return Q(Exact(Length(F(field)), 64)) & Q(Exact(rest, Value("")))


class CanonicalJSONField(models.JSONField):
    """JSON kept as the very bytes that are hashed: `json` keeps the text it is given, `jsonb` writes it anew."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - Django's own signature
        return "json"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002
        return value if value is None or hasattr(value, "resolve_expression") else canonical(value).decode()

    def from_db_value(self, value: Any, *_asked: object) -> Any:
        """The driver has read it already."""
        return value


class CountriesField(_CountriesField):
    """Countries, kept as one text of codes with blanks between: an array of 249 of them costs a row half its time.

    `names` asks whether a country is among them.
    """

    def get_internal_type(self) -> str:
        return "TextField"

    def from_db_value(self, value: str | None, *_asked: object) -> list[str] | None:
        return None if value is None else value.split()

    def to_python(self, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else " ".join(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))


@CountriesField.register_lookup
class Names(_Lookup):
    """Whether the countries name this one. No text but a country's code is ever found among them."""

    lookup_name = "names"

    def get_prep_lookup(self) -> str:
        return f"%{self.rhs}%" if self.rhs in _KNOWN else "?"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """One plain operator, which PostgreSQL takes for as cheap as any and so asks in the order it is written."""
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        return f"{left} LIKE {right}", (*left_values, *right_values)


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
