"""The tariffs that are known, unverified; and the day on which a grant's rate was verified, which the rates say now."""

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from typing import Any

from django.db import migrations

BY = "migration:0004_rates"


def known() -> list[dict[str, Any]]:
    with (files("licensing") / "data" / "rates.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def micros(amount: str) -> int | None:
    return int(Decimal(amount) * 1_000_000) if amount else None


def whole(number: str) -> int | None:
    return int(number) if number else None


def day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def load(apps: Any, _schema_editor: Any) -> None:
    rate = apps.get_model("licensing", "Rate")
    now = datetime.now(UTC)
    for row in known():
        percent = Fraction(Decimal(row["percent"])) / 100 if row["percent"] else None
        rate.objects.create(
            tariff=row["tariff"],
            territory=row["territory"],
            use=row["use"],
            valid_from=day(row["valid_from"]),
            valid_to=day(row["valid_to"]),
            method=row["method"],
            percent_numerator=percent.numerator if percent is not None else None,
            percent_denominator=percent.denominator if percent is not None else 1,
            base=row["base"],
            flat_micros=micros(row["flat"]),
            per_minute_micros=micros(row["per_minute"]),
            per_minute_over_seconds=whole(row["over_seconds"]),
            minimum_micros=micros(row["minimum"]),
            tracks_from=whole(row["tracks_from"]) or 1,
            tracks_to=whole(row["tracks_to"]),
            currency=row["currency"],
            payee_model=row["payee_model"],
            source=row["source"],
            recorded_by=BY,
            recorded_at=now,
        )


class Migration(migrations.Migration):
    dependencies = [("licensing", "0003_whole_catalogues")]

    operations: list[Any] = [
        migrations.RemoveField(model_name="licencegrant", name="rate_verified_on"),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
