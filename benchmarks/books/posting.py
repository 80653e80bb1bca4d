"""The six-leg sale, posted by our own ledger and by its yardsticks: plain psycopg, and hordak where it is installed."""

import importlib.util
import itertools
import os
import random
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.books.clients import Act, Clients, rounds
from benchmarks.figures import Figure, Progress

PAYEES = 5_000
CLIENTS = (1, 2, 8)
MICROS = (1_290_000, 210_000, 45_000, 162_000, 500_000, 373_000)  # cash; tax, fee, commission, two payees
RAW_GOAL, HORDAK_GOAL, SCALE_GOAL = 0.6, 5.0, 1.5

# The yardstick's tables: what a transfer and its entries need and not a column more, no trigger, no check.
RAW_TABLES = """
CREATE TABLE bench_transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reference uuid NOT NULL UNIQUE,
    posted_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE bench_entry (transfer_id bigint NOT NULL REFERENCES bench_transfer, position smallint NOT NULL,
    account_id bigint NOT NULL, micros bigint NOT NULL, PRIMARY KEY (transfer_id, position));
CREATE INDEX ON bench_entry (account_id);
GRANT ALL ON bench_transfer, bench_entry TO PUBLIC
"""
RAW_TRANSFER = "INSERT INTO bench_transfer (reference) VALUES (%s) RETURNING id"
RAW_ENTRIES = "INSERT INTO bench_entry VALUES " + ", ".join(["(%s, %s, %s, %s)"] * len(MICROS))  # noqa: S608 - marks


def lay_out() -> None:
    """Accounts of many payees and the yardstick's tables, in a database of its own."""
    from django.db import connection

    from payments import accounts
    from payments.models import Account, Payee

    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit"):
            cursor.execute("SELECT current_setting(%s)", [setting])
            if cursor.fetchone()[0] != "on":
                raise RuntimeError(f"{setting} is off: a sale would be counted that is not durable.")
        cursor.execute(RAW_TABLES)
    payees = Payee.objects.bulk_create(
        Payee(name=f"Payee {number}", country="DE", currency="EUR") for number in range(PAYEES)
    )
    Account.objects.bulk_create(
        Account(code=f"payee:{payee.public_id}:EUR", kind="PAYEE", currency="EUR", payee=payee) for payee in payees
    )
    for account in (accounts.stripe_balance, accounts.fees, accounts.commission):
        account("EUR")
    accounts.tax("DE", "EUR")


def ours(index: int) -> Act:
    """`ledger.post` of a sale in a transaction of its own, as a settlement calls it."""
    from django.db import transaction

    from payments import accounts, ledger
    from payments.models import Account

    dice = random.Random(index)
    payees = list(Account.objects.filter(kind="PAYEE")[: PAYEES * 2])
    stripe, tax = accounts.stripe_balance("EUR"), accounts.tax("DE", "EUR")
    fees, commission = accounts.fees("EUR"), accounts.commission("EUR")
    cash, *parts = MICROS

    def post() -> None:
        shared = [tax, fees, commission, *dice.sample(payees, 2)]
        legs = [ledger.debit(stripe, cash), *(ledger.credit(*leg) for leg in zip(shared, parts, strict=True))]
        with transaction.atomic():
            ledger.post(f"sale:{uuid.uuid4()}", kind="SALE", legs=legs, at=datetime.now(UTC))

    return post


def raw(index: int) -> Act:
    """Plain psycopg: a header and six rows in one durable transaction, with nothing that checks them."""
    import psycopg
    from django.db import connection

    dice = random.Random(index)
    wanted = connection.get_connection_params()
    place = {name: wanted[name] for name in ("dbname", "user", "password", "host", "port") if wanted.get(name)}
    plain = psycopg.connect(autocommit=True, **place)
    signed = (MICROS[0], *(-part for part in MICROS[1:]))

    def post() -> None:
        with plain.transaction():
            ((key,),) = plain.execute(RAW_TRANSFER, [uuid.uuid4()]).fetchall()
            accounts = [1, 2, 3, 4, *dice.sample(range(10, PAYEES), 2)]
            rows = [(key, n, *pair) for n, pair in enumerate(zip(accounts, signed, strict=True))]
            plain.execute(RAW_ENTRIES, list(itertools.chain.from_iterable(rows)))

    return post


def figures(say: Progress, workers: Clients, *, seconds: float, times: int) -> list[Figure]:
    """Rates with one, two and eight clients, each round beside the yardsticks."""
    say(f"posting with {', '.join(map(str, CLIENTS))} clients beside plain psycopg")

    def rate(act: str, number: int) -> float:
        return workers.rate(f"benchmarks.books.posting:{act}", number, seconds=seconds)

    plan = [(act, number) for number in CLIENTS for act in ("raw", "ours")]
    for act, _ in plan[:2]:
        rate(act, CLIENTS[-1])  # connections, caches, and pages that exist
    medians = rounds(times, [lambda act=act, number=number: rate(act, number) for act, number in plan])  # type: ignore[misc]
    found = dict(zip(plan, medians, strict=True))
    alone = found["ours", 1]
    answer = [
        Figure(
            f"ledger.post_{number}_clients", found["ours", number], "1/s", limit=found["raw", number],
            goal=RAW_GOAL if number == 1 else None, more_is_better=True,
        )
        for number in CLIENTS
    ]  # fmt: skip
    scaled = Figure("ledger.post_8_to_1", found["ours", 8], "1/s", alone, SCALE_GOAL, more_is_better=True)
    return [*answer, scaled, *_beside_hordak(say, alone, seconds=seconds)]


def _beside_hordak(say: Progress, alone: float, *, seconds: float) -> list[Figure]:
    if importlib.util.find_spec("hordak") is None:
        say("hordak is not installed: pip install django-hordak to have it measured too")
        return []
    say("hordak posting the same legs")
    from django.db import connection

    wanted = connection.get_connection_params()
    environment = {name: str(wanted.get(name) or "") for name in ("user", "password", "host", "port")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("peer.py")), str(connection.settings_dict["NAME"]), str(seconds)],
        env={**os.environ, **{f"PEER_{name.upper()}": value for name, value in environment.items()}},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    each, bulk = map(float, done.stdout.split())
    return [
        Figure("ledger.post_to_hordak", alone, "1/s", each, HORDAK_GOAL, more_is_better=True),
        Figure("ledger.post_to_hordak_bulk", alone, "1/s", bulk, more_is_better=True),
    ]
