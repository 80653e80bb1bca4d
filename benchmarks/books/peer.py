"""django-hordak posting the same six legs, in a process of its own: its tables want settings of their own.

`python peer.py DATABASE SECONDS` prints transfers a second with a leg created at a time, and with all in bulk.
"""

import importlib
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

PAYEES = 200
AMOUNTS = ("1.29", "0.21", "0.045", "0.162", "0.50", "0.373")


def main(database: str, seconds: float) -> None:
    import django
    from django.conf import settings

    place = {name: os.environ[f"PEER_{name}"] for name in ("USER", "PASSWORD", "HOST", "PORT")}
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": database, **place}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        HORDAK_DECIMAL_PLACES=6,
        DEFAULT_CURRENCY="EUR",
        CURRENCIES=["EUR"],
        HORDAK_CURRENCIES=["EUR"],
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "DROP SCHEMA IF EXISTS bench_peer CASCADE; CREATE SCHEMA bench_peer; SET search_path = bench_peer"
        )
    call_command("migrate", verbosity=0)
    each, bulk = _acts()
    sys.stdout.write(f"{_rate(each, seconds)} {_rate(bulk, seconds)}\n")


def _acts() -> tuple[Callable[[], None], Callable[[], None]]:
    from django.db import transaction

    models: Any = importlib.import_module("hordak.models")
    money: Any = importlib.import_module("moneyed").Money
    make = models.Account.objects.create
    types = models.AccountType if hasattr(models, "AccountType") else models.Account.TYPES
    cash = make(name="cash", type=types.asset, currencies=["EUR"])
    rest = [make(name=f"account {n}", type=types.income, currencies=["EUR"]) for n in range(PAYEES)]
    dice = random.Random(7)
    first, *others = [money(amount, "EUR") for amount in AMOUNTS]

    def legs(row: Any) -> list[Any]:
        shared = [*rest[:3], *dice.sample(rest[3:], 2)]
        owed = [models.Leg(transaction=row, account=a, credit=m) for a, m in zip(shared, others, strict=True)]
        return [models.Leg(transaction=row, account=cash, debit=first), *owed]

    def each() -> None:
        with transaction.atomic():
            for leg in legs(models.Transaction.objects.create()):
                leg.save()

    def bulk() -> None:
        with transaction.atomic():
            models.Leg.objects.bulk_create(legs(models.Transaction.objects.create()))

    return each, bulk


def _rate(act: Callable[[], None], seconds: float) -> float:
    for _ in range(5):
        act()
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        act()
        done += 1
    return done / (time.perf_counter() - begun)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
