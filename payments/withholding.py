"""How much tax is withheld from a payee's royalties, and why. Pure.

A country's rule names the rate for payees who live elsewhere and, where it withholds from its own residents too,
theirs. It reaches only what was earned from buyers in that country. A form on record lowers the rate from its first to
its last day; one that is missing, not yet valid or over means the full rate, because nobody else can say otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

WHOLE = 10**6
"""Rates are in millionths: 300,000 is 30 percent."""
KINDS = {"US": frozenset({"W-8BEN", "W-9"})}
OTHER_KINDS = frozenset({"EU"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What a country takes at its source: `abroad` of payees elsewhere, `at_home` of its own without a form."""

    country: str
    abroad: int
    at_home: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it was given: which, for which country's tax, the rate it claims, and the days it holds for."""

    key: int
    kind: str
    country: str
    rate: int
    valid_from: date
    valid_to: date


@dataclass(frozen=True, slots=True)
class Rate:
    """The rate in millionths, the form it rests on where there is one, and the reason in words."""

    rate: int
    reason: str
    form: int | None = None


def rules(listed: Mapping[str, tuple[int, int]]) -> dict[str, Rule]:
    """Rules by country, from the operator's setting."""
    return {country: Rule(country, abroad, at_home) for country, (abroad, at_home) in listed.items()}


def rate(rule: Rule, *, residence: str, forms: Iterable[Form], on: date) -> Rate:
    """Which rate holds for a payee on a day. `forms` are all it ever gave, the latest first."""
    full = rule.at_home if residence == rule.country else rule.abroad
    if not full:
        return Rate(0, f"{rule.country} withholds nothing from its residents")
    fitting = [form for form in forms if form.country == rule.country and _fits(form, rule, residence)]
    for form in fitting:
        if form.valid_from <= on <= form.valid_to:
            return Rate(min(form.rate, full), f"{form.kind} valid until {form.valid_to}", form.key)
    if fitting and fitting[0].valid_to < on:
        return Rate(full, f"{fitting[0].kind} ended on {fitting[0].valid_to}")
    return Rate(full, "no form is on record")


def _fits(form: Form, rule: Rule, residence: str) -> bool:
    """A W-9 speaks for residents of the United States alone, a W-8BEN for everybody else."""
    if form.kind == "W-9":
        return residence == "US"
    if form.kind == "W-8BEN":
        return residence != "US"
    return form.kind in KINDS.get(rule.country, OTHER_KINDS)


def withheld(basis_micros: int, *, rate: int, available_micros: int) -> tuple[int, int]:
    """`(basis, amount)` of what can be withheld now: never more than is there; the rest of the basis waits."""
    if basis_micros <= 0 or available_micros <= 0:
        return 0, 0
    amount = int(Fraction(basis_micros * rate, WHOLE))
    if amount <= available_micros:
        return basis_micros, amount
    basis = int(Fraction(available_micros * WHOLE, rate))
    return basis, available_micros
