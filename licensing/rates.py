"""Rates of statutes and societies' tariffs: recorded with their source, and of no use until somebody has verified them.

A rate is never changed: the next one is a row with a later first day, and from that day on it alone counts, verified or
not. Either act decides anew about everything that is paid by the tariff.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from importlib.resources import files
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from catalog.models import Recording, Track
from licensing import affected, clearance, dossiers, tariffs
from licensing.affected import Affected
from licensing.errors import RateRefused
from licensing.models import LicenceGrant, Rate, RateVerification
from licensing.records import RateFact
from licensing.terms import ALL_USES, RateBase, RateMethod
from licensing.territories import is_country

MICROS = 1_000_000
_KEY = ("tariff", "territory", "use", "valid_from", "tracks_from")

# What a row must say before anybody can owe by it.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    RateMethod.FLAT: (("flat_micros",),),
    RateMethod.PER_MINUTE_OVER: (("per_minute_micros",), ("per_minute_over_seconds",)),
    RateMethod.PERCENT: (("percent_numerator",), ("base",)),
    RateMethod.GREATER_OF: (("flat_micros",), ("per_minute_micros", "percent_numerator")),
    RateMethod.GREATER_OF_WITH_MIN: (("percent_numerator",), ("base",), ("minimum_micros",)),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new, and how many were known already."""

    new: int
    known: int


def record_rate(*, actor: str, at: datetime | None = None, **fields: Any) -> Rate:
    """Keep one row of a tariff, unverified. Raises RateRefused."""
    _check(fields)
    at = at or timezone.now()
    try:
        with transaction.atomic():
            rate = Rate.objects.create(**fields, recorded_by=actor, recorded_at=at)
            _decide_again(rate.tariff, at=at, actor=actor)
    except IntegrityError as error:
        raise RateRefused(
            f"There is a rate of {fields['tariff']} for {fields['territory']} from {fields['valid_from']}. A rate is "
            "never changed: record the new one with its own first day."
        ) from error
    return rate


def verify_rate(
    rate: Rate, *, actor: str, on: date | None = None, note: str = "", at: datetime | None = None
) -> RateVerification:
    """Note that somebody compared the rate with its source; from that day on it counts. Raises RateRefused.

    Who recorded a rate cannot verify it, and what lacks an amount has nothing that could be compared.
    """
    at = at or timezone.now()
    on = on or at.date()
    if not actor:
        raise RateRefused("A rate is verified by somebody. Say who.")
    if actor == rate.recorded_by:
        raise RateRefused("You recorded this rate. Somebody else compares it with its source.")
    if on > at.date():
        raise RateRefused("The day of the comparison lies ahead. Give the day on which it was made.")
    lacking = missing(rate)
    if lacking:
        raise RateRefused(f"The row lacks {', '.join(lacking)}. Record a complete one and verify that.")
    hashes = dossiers.hashes_of(_paid_by(rate.tariff).recordings)
    with transaction.atomic():
        verification = RateVerification.objects.create(rate=rate, verified_by=actor, verified_on=on, note=note, at=at)
        _decide_again(rate.tariff, at=at, actor=actor, hashes=hashes)
    return verification


def missing(rate: Rate) -> list[str]:
    """The amounts that the row's method needs and the row lacks, by name."""
    return [
        " or ".join(names)
        for names in _NEEDED[rate.method]
        if not any(getattr(rate, name) not in {None, ""} for name in names)
    ]


def unverified() -> QuerySet[Rate]:
    """The rates that nobody has compared with their source yet."""
    return Rate.objects.filter(verifications=None)


def in_force(named: Iterable[str], *, territory: str, use: str, at: datetime) -> dict[str, tuple[Rate, ...] | None]:
    """The rows by which a copy sold in `territory` at that instant is paid, by tariff, one for each size of release.

    None where a row that has begun is not verified, or is over; a tariff without rows there is left out. One query.
    """
    verified = Min("verifications__verified_on", filter=Q(verifications__at__lte=at))
    rows: dict[str, dict[RateFact, Rate]] = defaultdict(dict)
    known = Rate.objects.filter(tariff__in=set(named), territory=territory, use=use)
    for rate in known.annotate(verified_on=verified).order_by("pk"):
        fact = RateFact(
            rate.territory, rate.use, rate.valid_from, rate.valid_to, rate.verified_on, rate.currency,
            rate.minimum_micros, rate.tracks_from,
        )  # fmt: skip
        rows[rate.tariff][fact] = rate
    found: dict[str, tuple[Rate, ...] | None] = {}
    for tariff, facts in rows.items():
        standing = tariffs.standing(facts, territory=territory, use=use, at=at)
        found[tariff] = None if standing is None else tuple(facts[fact] for fact in standing)
    return found


def _decide_again(tariff: str, *, at: datetime, actor: str, hashes: Mapping[int, str] | None = None) -> None:
    clearance.decide_again(_paid_by(tariff), at=at, actor=actor, hashes=hashes)


def _paid_by(tariff: str) -> Affected:
    """What is paid by the tariff; where that is too much for one request, it is owed by triggers."""
    paid = LicenceGrant.objects.filter(tariff=tariff, successor=None)
    narrow = paid.filter(catalogue=None)
    about = Q(pk__in=narrow.values("recording_id")) | Q(recording_works__work__in=narrow.values("work_id"))
    recordings = set(Recording.objects.filter(about).values_list("pk", flat=True)[: affected.AT_ONCE + 1])
    for grant in paid.exclude(catalogue=None):
        recordings.update(affected.by_grant(grant).recordings)
    if len(recordings) > affected.AT_ONCE:
        return Affected((), (), owed=True)
    releases = Track.objects.filter(recording__in=recordings).values_list("release_id", flat=True)
    return Affected(tuple(sorted(recordings)), tuple(sorted(set(releases))))


def _check(fields: dict[str, Any]) -> None:
    """What the database would refuse as well, in words."""
    if not is_country(fields["territory"]):
        raise RateRefused(f"{fields['territory']!r} is no country of ISO 3166-1. Use a two-letter code such as DE.")
    for name, terms in (("use", ALL_USES), ("method", frozenset(RateMethod))):
        if fields[name] not in terms:
            raise RateRefused(f"{fields[name]!r} is no {name}. Choose one of {', '.join(sorted(terms))}.")
    if fields.get("base") and fields["base"] not in {*RateBase}:
        raise RateRefused(f"{fields['base']!r} is no base of a percentage. Choose one of {', '.join(RateBase)}.")
    if fields.get("valid_to") and fields["valid_to"] < fields["valid_from"]:
        raise RateRefused("The rate ends before it begins. Correct the dates.")
    if fields.get("tracks_to") and fields["tracks_to"] < fields.get("tracks_from", 1):
        raise RateRefused("The rate is for fewer tracks at most than at least. Correct the numbers.")
    if not fields.get("source", "").strip() or not fields["tariff"].strip():
        raise RateRefused("A rate needs the name of its tariff and its source, so that somebody can verify it.")


# -- The list that comes with the store --------------------------------------------------------------------------------


def known_rates() -> list[dict[str, Any]]:
    """The rows of licensing/data/rates.csv, as `record_rate` takes them."""
    text = (files("licensing") / "data" / "rates.csv").read_text(encoding="utf-8")
    return list(read_rates(text))


def import_rates(rows: Iterable[dict[str, Any]], *, actor: str, at: datetime | None = None) -> Imported:
    """Record those rows that are not here yet, all or none. Raises RateRefused where one differs from what is here."""
    at = at or timezone.now()
    new, known, tariffs = 0, 0, set()
    with transaction.atomic():
        for fields in rows:
            _check(fields)
            here = Rate.objects.filter(**{name: fields[name] for name in _KEY}).first()
            if here is None:
                Rate.objects.create(**fields, recorded_by=actor, recorded_at=at)
                tariffs.add(fields["tariff"])
                new += 1
                continue
            other = [name for name, value in fields.items() if getattr(here, name) != value]
            if other:
                raise RateRefused(
                    f"{here} is recorded with another {', '.join(other)}. A rate is never changed: give the new one "
                    "its own first day."
                )
            known += 1
        for tariff in sorted(tariffs):
            _decide_again(tariff, at=at, actor=actor)
    return Imported(new, known)


def read_rates(text: str) -> Iterator[dict[str, Any]]:
    """Rows of a CSV with the columns of licensing/data/rates.csv; amounts in main units. Raises RateRefused."""
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            yield from_row(row)
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise RateRefused(
                f"Line {number} cannot be read ({error}). Write it as the lines of licensing/data/rates.csv are."
            ) from error


def from_row(row: dict[str, str]) -> dict[str, Any]:
    percent = Fraction(Decimal(row["percent"])) / 100 if row["percent"] else None
    return {
        "tariff": row["tariff"],
        "territory": row["territory"],
        "use": row["use"],
        "valid_from": date.fromisoformat(row["valid_from"]),
        "valid_to": date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        "method": row["method"],
        "percent_numerator": percent.numerator if percent is not None else None,
        "percent_denominator": percent.denominator if percent is not None else 1,
        "base": row["base"],
        "flat_micros": _micros(row["flat"]),
        "per_minute_micros": _micros(row["per_minute"]),
        "per_minute_over_seconds": int(row["over_seconds"]) if row["over_seconds"] else None,
        "minimum_micros": _micros(row["minimum"]),
        "tracks_from": int(row["tracks_from"] or 1),
        "tracks_to": int(row["tracks_to"]) if row["tracks_to"] else None,
        "currency": row["currency"],
        "payee_model": row["payee_model"],
        "source": row["source"],
    }


def _micros(amount: str) -> int | None:
    if not amount:
        return None
    micros = Decimal(amount) * MICROS
    if micros != int(micros) or micros < 0:
        raise ValueError(f"{amount} is no amount in whole millionths")
    return int(micros)
