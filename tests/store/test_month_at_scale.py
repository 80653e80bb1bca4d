"""A month of a hundred thousand sales and 2,500 payees is told whole, and how long it took is printed.

Rows are copied by SQL with the triggers resting; the statements are checked against the ledger as ever.
"""

import json
import time
from datetime import UTC, datetime

import pytest
from django.db import connection

from payments import accounts, months
from payments.models import Account, Statement
from store import month_end
from store.models import Letter, OrderLine
from tests.factories.payments import make_payee
from tests.factories.store import make_order

SALES, PAYEES = 100_000, 2_500
SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def clone(table: str, key: int, count: int, **over: str) -> None:
    """`count` copies of a row, numbered by `g`, with some columns written anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
        kept = [name for name in names if name != "id" or "id" in over]
        chosen = ", ".join(over.get(name, f'row."{name}"') for name in kept)
        listed = ", ".join(f'"{name}"' for name in kept)
        cursor.execute(
            f"INSERT INTO {table} ({listed}) SELECT {chosen} "  # noqa: S608 - names of our own
            f"FROM {table} row, generate_series(1, {count}) g WHERE row.id = %s",
            [key],
        )


def lay_out() -> None:
    """Sales of one album, each split over two payees, both layers, spread over the month."""
    order = make_order(total_minor=100, tax_minor=0, line={"tax_minor": 0})
    line = order.lines.get()
    first = make_payee(name="P")
    stripe, commission = accounts.stripe_balance("EUR").pk, accounts.commission("EUR").pk
    owed = accounts.payee(first, "EUR")
    payee = f"(1000001 + (g * 7) % {PAYEES})"
    other = f"(1000001 + (g * 31 + 13) % {PAYEES})"
    moment = "timestamptz '2026-10-01 UTC' + g * interval '20 seconds'"
    sold = "FROM store_orderline, LATERAL (SELECT id - 1000000 AS g) n WHERE id > 1000000"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        clone("payments_payee", first.pk, PAYEES, public_id="gen_random_uuid()", name="'P' || g", id="1000000 + g")
        clone("payments_account", owed.pk, PAYEES, code="'payee:' || g", id="1000000 + g", payee_id="1000000 + g")
        clone("store_order", order.pk, SALES, id="1000000 + g", public_id="gen_random_uuid()", number="'S' || g",
              request_key="'S' || g")  # fmt: skip
        clone("store_orderline", line.pk, SALES, id="1000000 + g", order_id="1000000 + g", state="'PAID'",
              public_id="gen_random_uuid()", tax_minor="0", split=_split(line, payee, other))  # fmt: skip
        cursor.execute(
            "INSERT INTO payments_transfer "
            "(id, reference, kind, request_sha256, document_sha256, memo, legs, posted_at, xid) "
            f"SELECT public_id, 'sale:' || public_id, 'SALE', '', '', '', 4, {moment}, 0 {sold}"
        )
        legs = ((stripe, "D", 1_000_000), (commission, "C", 150_000), (payee, "C", 750_000), (other, "C", 100_000))
        for position, (account, side, micros) in enumerate(legs, start=1):
            cursor.execute(
                "INSERT INTO payments_entry "
                "(transfer_id, position, account_id, side, amount_micros, currency, posted_at) "
                f"SELECT public_id, {position}, {account}, '{side}', {micros}, 'EUR', {moment} {sold}"
            )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ANALYZE")


def _split(line: OrderLine, payee: str, other: str) -> str:
    """As the split of a line is frozen: the recording to one payee, the work to another."""
    assert line.track is not None
    leg = {"label": "x", "title": "x", "recording": line.track.recording_id, "holder": 1}
    split = json.dumps([
        {**leg, "kind": "COMMISSION", "recording": None, "micros": 150_000, "payee": None},
        {**leg, "kind": "RECORDING", "micros": 750_000, "payee": -1},
        {**leg, "kind": "WORK", "micros": 100_000, "payee": -2},
    ])  # fmt: skip
    return f"replace(replace('{split}', '-1', {payee}::text), '-2', {other}::text)::jsonb".replace("%", "%%")


@pytest.mark.long
@pytest.mark.django_db
def test_a_month_of_a_hundred_thousand_sales_is_told_whole() -> None:
    lay_out()
    assert OrderLine.objects.count() > SALES
    begun = time.monotonic()
    run = month_end.close(SINCE, UNTIL, at=UNTIL)
    took = time.monotonic() - begun
    print(f"{run.issued} statements over {SALES} sales in {took:.1f} s")  # noqa: T201 - what was measured
    assert run.refused == ()
    assert run.issued == Account.objects.filter(kind="PAYEE", pk__gt=1_000_000).count() == PAYEES
    assert Letter.objects.filter(kind="statement").count() == PAYEES
    told = sum(one["earned_micros"] for one in Statement.objects.values_list("document", flat=True))
    assert told == SALES * 850_000
    assert months.close_period(SINCE, UNTIL, at=UNTIL).issued == 0
