"""Books of a month that nobody sold: lines, certificates, transfers and entries as a settlement leaves them, by SQL.

Triggers rest meanwhile. A column that a table got since takes what an empty row would have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SINCE, UNTIL = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
NOW = UNTIL + timedelta(hours=6)

# A sale of 1.00 EUR: tax, commission, work, and two payees of the recording; each payee has as many recordings.
SPLIT = """jsonb_build_array(
    jsonb_build_object('kind', 'TAX', 'label', 'DE', 'micros', 159664, 'recording', null, 'payee', null),
    jsonb_build_object('kind', 'COMMISSION', 'label', 'store', 'micros', 126050, 'recording', null, 'payee', null),
    jsonb_build_object('kind', 'WORK', 'label', 'w', 'micros', 84034, 'recording', {first}, 'payee', {third}),
    jsonb_build_object('kind', 'RECORDING', 'label', 'a', 'micros', 378151, 'recording', {first}, 'payee', {first}),
    jsonb_build_object('kind', 'RECORDING', 'label', 'b', 'micros', 252101, 'recording', {first}, 'payee', {second})
)"""
PLACES = {
    "first": "(1 + (n::bigint * 7919) % {payees})",
    "second": "(1 + (n::bigint * 7919 + 1) % {payees})",
    "third": "(1 + (n::bigint * 7919 + 2) % {payees})",
}
MOMENT = f"timestamptz '{SINCE.isoformat()}' + (n::double precision / {{sales}}) * interval '30 days' * 0.9999"


@dataclass(frozen=True)
class Size:
    """Sales of the month, how many of them there are when balances are asked for, and payees."""

    sales: int
    at_first: int
    payees: int


FULL = Size(sales=1_000_000, at_first=416_667, payees=25_000)
QUICK = Size(sales=4_000, at_first=2_000, payees=500)


def people(size: Size) -> None:
    """Payees with their accounts, and a recording for each."""
    _bare("store_order", "store_orderline", "store_certificate", "licensing_clearancedecision", "catalog_recording")
    one, count = "generate_series(1, 1) AS n", f"generate_series(1, {size.payees}) AS n"
    rows = {
        "catalog_party": (one, {"id": "n", "name": "'Bench'", "slug": "'bench'", "kind": "'ORGANISATION'"}),
        "catalog_recording": (count, {"id": "n", "title": "'Part ' || n", "label_id": "1"}),
        "licensing_clearancedecision": (
            one,
            {"id": "n", "recording_id": "1", "use": "'PERMANENT_DOWNLOAD'", "verdict": "'{}'"},
        ),
        "payments_payee": (
            count, {"id": "n", "name": "'Payee ' || n", "country": "'DE'", "currency": "'EUR'", "state": "'READY'"}
        ),
        "payments_account": (
            f"generate_series(1, {size.payees + 3}) AS n",
            {
                "id": "n",
                "code": f"CASE WHEN n <= {size.payees} THEN 'payee:' || md5(n::text)::uuid || ':EUR' "
                f"ELSE (ARRAY['stripe:EUR', 'tax:DE:EUR', 'commission:EUR'])[n - {size.payees}] END",
                "kind": f"CASE WHEN n <= {size.payees} THEN 'PAYEE' "
                f"ELSE (ARRAY['STRIPE_BALANCE', 'TAX', 'COMMISSION'])[n - {size.payees}] END",
                "currency": "'EUR'",
                "payee_id": f"CASE WHEN n <= {size.payees} THEN n END",
            },
        ),
    }  # fmt: skip
    for table, (source, given) in rows.items():
        insert(table, source, given)


def sales(size: Size, first: int, last: int) -> None:
    """These sales, each with its order, line, certificate, transfer and six entries."""
    count = f"generate_series({first}, {last}) AS n"
    at = MOMENT.format(sales=size.sales)
    places = {name: sql.format(payees=size.payees) for name, sql in PLACES.items()}
    line, transfer = "md5('line' || n)::uuid", "md5('transfer' || n)::uuid"
    sha = "encode(sha256(('certificate' || n)::bytea), 'hex')"
    insert("store_order", count, {
        "id": "n", "number": "'B' || n", "currency": "'EUR'", "country": "'DE'", "total_minor": "100",
        "tax_minor": "16", "state": "'PAID'", "placed_at": at, "paid_at": at, "request_key": "'B' || n",
    })  # fmt: skip
    insert("store_orderline", count, {
        "id": "n", "public_id": line, "order_id": "n", "position": "1", "title": "'Part'", "decision_id": "1",
        "amount_minor": "100", "tax_minor": "16", "tax_rate": "1900", "state": "'PAID'",
        "split": SPLIT.format(**places),
    })  # fmt: skip
    insert("store_certificate", count, {
        "order_line_id": "n", "document": "'{\"version\": 1}'", "sha256": sha, "issued_at": at,
    })  # fmt: skip
    insert("payments_transfer", count, {
        "id": transfer, "reference": f"'sale:' || {line}", "kind": "'SALE'", "document_sha256": sha, "legs": "6",
        "posted_at": at,
    })  # fmt: skip
    insert("payments_unsealedtransfer", count, {"transfer_id": transfer, "posted_at": at})
    legs = [
        (str(size.payees + 1), "D", 1_000_000), (str(size.payees + 2), "C", 159_664),
        (str(size.payees + 3), "C", 126_050), (places["third"], "C", 84_034), (places["first"], "C", 378_151),
        (places["second"], "C", 252_101),
    ]  # fmt: skip
    for position, (account, side, micros) in enumerate(legs, start=1):
        insert("payments_entry", count, {
            "transfer_id": transfer, "position": str(position), "account_id": account, "side": f"'{side}'",
            "amount_micros": str(micros), "currency": "'EUR'", "posted_at": at,
        })  # fmt: skip


def insert(table: str, source: str, given: Mapping[str, str]) -> None:
    """Rows of `source`, which names them `n`: `given` columns as SQL, others that must have a value an empty one."""
    from django.db import connection

    empty = {
        "uuid": "gen_random_uuid()", "timestamp with time zone": "now()", "boolean": "false", "date": "current_date",
        "bigint": "0", "integer": "0", "smallint": "0", "jsonb": "'{}'", "ARRAY": "'{}'", "tsvector": "''",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
            "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'",
            [table],
        )
        columns = {name: empty.get(kind, "''") for name, kind in cursor.fetchall()} | dict(given)
        cursor.execute("SET session_replication_role = replica")
        names, values = ", ".join(columns), ", ".join(columns.values())
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}")  # noqa: S608 - our own words
        cursor.execute("SET session_replication_role = DEFAULT")


def _bare(*tables: str) -> None:
    """Take the checks off tables around the ledger, in this database of our own: what is made up there says little."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


def settle_down() -> None:
    """Statistics and visibility, as housekeeping leaves them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
