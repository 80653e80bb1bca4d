"""The hash chain over evidence: what was granted, reviewed, decided, demanded, and whatever else says it is followed.

A trigger writes the hash of each new row into an outbox, in the row's own transaction. One writer gives what waits its
place, in batches, just after commit, so that no act ever waits for the chain's tip. Change, remove, insert or reorder
what is in the chain and every later hash is another one; cut its end off or write it anew as a whole, and a head that
somebody else kept tells. `verify` trusts no trigger and no function of the database: whoever can replace those is one
of those it looks for.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.apps import AppConfig, apps
from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.backends.utils import CursorWrapper

from licensing.models import AuditEntry, AuditPending

GENESIS = "0" * 64
BATCH = 5_000
SLICE = 20_000
WRITER_LOCK = 0x61756469  # the advisory lock that makes the writer one
ALARM_AFTER = timedelta(minutes=1)

# Makes JSON of dates, numbers and bytes independent of who asks, and sees that no function stands in front of
# PostgreSQL's own. Large tables are read by slices, through their keys.
SESSION = """
SELECT set_config('search_path', 'pg_catalog, ' || quote_ident(ours), true)
FROM unnest(current_schemas(false)) AS ours WHERE ours <> 'pg_catalog' LIMIT 1;
SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1; SET LOCAL enable_seqscan = off
"""


class Entry(NamedTuple):
    """An entry as it was read, its time as its line writes it."""

    position: int
    table: str
    row_id: int
    row_sha256: str
    previous_sha256: str
    sha256: str
    time: str

    def __str__(self) -> str:
        return f"entry {self.position}, row {self.row_id} of {self.table}"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first row that does not fit: what it is, which one, and why."""

    where: str
    row: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found. `problem` is the first row that does not fit; `guards` are those that are off."""

    entries: int
    waiting: int
    head: str
    heads: int
    problem: Problem | None
    guards: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return self.problem is None and not self.guards


# ---- what is followed ----------------------------------------------------------------------------------------------


def followed() -> list[str]:
    """The tables in the chain: every append-only model of this app, and any other that says `audited = True`.

    Their rows need a whole number `id`; a column that such a table gets later must be nullable.
    """
    return sorted(model._meta.db_table for model in apps.get_models() if _is_followed(model))


def _is_followed(model: type[models.Model]) -> bool:
    evidence = model._meta.app_label == "licensing" and bool(getattr(model, "append_only", False))
    return bool(getattr(model, "audited", evidence))


def follow_all(
    sender: AppConfig,  # noqa: ARG001 - the signal's own signature
    *,
    using: str = DEFAULT_DB_ALIAS,
    **_signal: object,
) -> None:
    """Follow every table that is not followed yet; a `post_migrate` handler, so it sees all in their last form."""
    if using != DEFAULT_DB_ALIAS:
        return
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('licensing_audit_follow(text)') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute(
                "SELECT licensing_audit_follow(name) FROM unnest(%s::text[]) AS name "
                "WHERE to_regclass(name) IS NOT NULL",
                [followed()],
            )


# ---- sealing -------------------------------------------------------------------------------------------------------


def seal_new(*, at: datetime) -> int:
    """Seal every row that waits; returns how many. Another writer at work means nought, and it does the rest."""
    total = 0
    while True:
        sealed = _seal_batch(at)
        total += sealed
        if sealed < BATCH:
            return total


def _seal_batch(at: datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WRITER_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            "WITH taken AS (DELETE FROM licensing_auditpending WHERE id IN "
            "(SELECT id FROM licensing_auditpending ORDER BY id LIMIT %s) "
            "RETURNING id, table_name, row_id, row_sha256) "
            "SELECT table_name, row_id, row_sha256 FROM taken ORDER BY id",
            [BATCH],
        )
        waiting = cursor.fetchall()
        if waiting:
            _append(cursor, waiting, at)
        return len(waiting)


def _append(cursor: CursorWrapper, waiting: Sequence[tuple[str, int, str]], at: datetime) -> None:
    position, previous = head()
    first, links, time = position + 1, [previous], at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for row in waiting:
        position += 1
        links.append(entry_sha256(position, links[-1], row, time))
    tables, row_ids, row_hashes = (list(column) for column in zip(*waiting, strict=True))
    cursor.execute(
        "INSERT INTO licensing_auditentry "
        "(position, table_name, row_id, row_sha256, previous_sha256, sha256, sealed_at) "
        "SELECT %s + nth - 1, table_name, row_id, row_sha256, previous, own, %s FROM unnest("
        "%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY "
        "AS new(table_name, row_id, row_sha256, previous, own, nth)",
        [first, at, tables, row_ids, row_hashes, links[:-1], links[1:]],
    )


def entry_sha256(position: int, previous: str, row: tuple[str, int, str], time: str) -> str:
    """SHA-256 over one line of canonical JSON, so that anybody can compute it again from the published entries.

    `row` is its table, its id and its hash; `time` is UTC, `2026-11-21T12:00:00.000000Z`.
    """
    table, row_id, row_sha256 = row
    line = f'[{position},"{previous}",{_json(table)},{row_id},"{row_sha256}","{time}"]'
    return hashlib.sha256(line.encode()).hexdigest()


@lru_cache
def _json(table: str) -> str:
    return json.dumps(table, ensure_ascii=False)


def head() -> tuple[int, str]:
    """Position and hash of the last entry: publish it elsewhere, and even a chain rewritten whole is found out."""
    tip = AuditEntry.objects.order_by("-position").values_list("position", "sha256").first()
    return tip or (0, GENESIS)


def place_of(table: str, row_id: int) -> AuditEntry | None:
    """A row's place in the chain, or None while it waits."""
    return AuditEntry.objects.filter(table_name=table, row_id=row_id).first()


def waiting() -> int:
    return AuditPending.objects.count()


def overdue(*, at: datetime) -> int:
    """How many rows have waited for their place for more than a minute; above nought is an alarm."""
    return AuditPending.objects.filter(at__lt=at - ALARM_AFTER).count()


# ---- verifying -----------------------------------------------------------------------------------------------------


def verify(heads: Mapping[int, str] | None = None) -> Report:
    """Recompute the chain from its first entry, and the hash of every row in it, and name the first that does not fit.

    `heads` are published heads, hash by position. Without one that an intruder could not reach, a chain whose end was
    cut off, or that was written anew as a whole, looks like any other.
    """
    heads = heads or {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SESSION)
        cursor.execute("SELECT max(position) FROM licensing_auditentry")
        last = cursor.fetchone()[0] or 0
        tables = _present(cursor)
        problem = (
            next(_chain_problems(cursor, tables, last, heads), None)
            or next(_twice_problems(cursor), None)
            or next(_outside_problems(cursor, tables), None)
        )
        _, tip = head()
        return Report(last, waiting(), tip, len(heads), problem, tuple(_guard_problems(cursor)))


def _present(cursor: CursorWrapper) -> dict[str, str]:
    """The followed tables, and any other that the chain speaks of, each with the SQL of its rows' hash."""
    cursor.execute("SELECT DISTINCT table_name FROM licensing_auditentry")
    named = {name for (name,) in cursor.fetchall()} | set(followed())
    cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [sorted(named)])
    return {name: row_sha256(cursor, name) for (name,) in cursor.fetchall()}


def _chain_problems(
    cursor: CursorWrapper, tables: Mapping[str, str], last: int, heads: Mapping[int, str]
) -> Iterator[Problem]:
    expected, previous, kept = 1, GENESIS, 0
    for entry, row in _entries(cursor, tables, last):
        if entry.position != expected:
            yield Problem("chain", f"entry {expected}", f"it is missing: the next one is {entry.position}")
        yield from _link_problems(entry, previous)
        published = heads.get(entry.position)
        if published not in {None, entry.sha256}:
            since = f"entry {expected}" if kept + 1 == expected else f"entries {kept + 1} to {expected}"
            yield Problem("chain", since, f"the chain was written anew: another head was published at {expected}")
        if published:
            kept = entry.position
        if row:
            yield Problem("row", str(entry), row)
        expected, previous = entry.position + 1, entry.sha256
    for position in sorted(heads):
        if position > last:
            yield Problem("chain", f"entry {last + 1}", f"the end was cut off: a head was published at {position}")


def _link_problems(entry: Entry, previous: str) -> Iterator[Problem]:
    if entry.previous_sha256 != previous:
        yield Problem("chain", str(entry), "it does not follow the entry before it")
    row = entry.table, entry.row_id, entry.row_sha256
    if entry_sha256(entry.position, previous, row, entry.time) != entry.sha256:
        yield Problem("chain", str(entry), "it was changed or moved: its hash is not that of what it says")


def _entries(cursor: CursorWrapper, tables: Mapping[str, str], last: int) -> Iterator[tuple[Entry, str]]:
    """Every entry in order, with what is wrong with its row; in slices, so that memory stays small."""
    for start in range(0, last, SLICE):
        wrong = _wrong_rows(cursor, tables, start)
        cursor.execute(
            "SELECT position, table_name, row_id, row_sha256, previous_sha256, sha256, "
            'to_char(sealed_at, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') '
            "FROM licensing_auditentry WHERE position > %s AND position <= %s ORDER BY position",
            [start, start + SLICE],
        )
        for entry in map(Entry._make, cursor.fetchall()):
            yield entry, "the row is gone" if entry.table not in tables else wrong.get(entry.position, "")


def _wrong_rows(cursor: CursorWrapper, tables: Mapping[str, str], start: int) -> dict[int, str]:
    """By position, what is wrong with rows in a slice of the chain; their hashes are computed from the rows as they
    stand."""
    found: dict[int, str] = {}
    for table, digest in tables.items():
        cursor.execute(
            f"SELECT entry.position, kept.id IS NULL FROM licensing_auditentry AS entry "  # noqa: S608 - a model's table
            f'LEFT JOIN LATERAL (SELECT id, {digest} AS sha256 FROM "{table}" AS kept WHERE id = entry.row_id '
            "OFFSET 0) AS kept ON true WHERE entry.position > %s AND entry.position <= %s AND entry.table_name = %s "
            "AND kept.sha256 IS DISTINCT FROM entry.row_sha256",
            [start, start + SLICE, table],
        )
        for position, gone in cursor.fetchall():
            found[position] = "the row is gone" if gone else "the row is not as it was written"
    return found


def row_sha256(cursor: CursorWrapper, table: str, called: str = "kept") -> str:
    """SQL for the hash of a row as it stands: SHA-256 over its columns as JSON, sorted by name, without the null ones.

    Written out here once more, as the verifier's own word: the database's functions might have been replaced.
    """
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        'ORDER BY attname COLLATE "C"',
        [table],
    )
    columns = " || ".join(
        f"coalesce(',\"{name}\":' || to_json({called}.\"{name}\")::text, '')" for (name,) in cursor.fetchall()
    )
    return f"encode(sha256(convert_to('{{' || ltrim({columns}, ',') || '}}', 'UTF8')), 'hex')"


def _twice_problems(cursor: CursorWrapper) -> Iterator[Problem]:
    """Only where somebody took the constraint away: a row that has two places."""
    cursor.execute(
        "SELECT max(position), table_name, row_id FROM licensing_auditentry "
        "GROUP BY table_name, row_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    )
    for position, table, row_id in cursor.fetchall():
        yield Problem("chain", f"entry {position}, row {row_id} of {table}", "the row has a place already")


def _outside_problems(cursor: CursorWrapper, tables: Mapping[str, str]) -> Iterator[Problem]:
    """Rows that came in behind the trigger's back, and rows that were changed before they had their place."""
    for table, digest in tables.items():
        cursor.execute(
            f'SELECT kept.id, waits.row_sha256, {digest} FROM "{table}" AS kept '  # noqa: S608 - a model's table
            "LEFT JOIN licensing_auditpending AS waits ON waits.table_name = %s AND waits.row_id = kept.id "
            "WHERE NOT EXISTS (SELECT FROM licensing_auditentry AS entry "
            "WHERE entry.table_name = %s AND entry.row_id = kept.id) ORDER BY kept.id",
            [table, table],
        )
        for row_id, waits, now in cursor.fetchall():
            name = f"row {row_id} of {table}"
            if waits is None:
                yield Problem("row", name, "it is neither in the chain nor waiting for its place")
            if waits != now:
                yield Problem("row", name, "the row is not as it was written")
        cursor.execute(
            f"SELECT row_id FROM licensing_auditpending AS waits WHERE table_name = %s "  # noqa: S608
            f'AND NOT EXISTS (SELECT FROM "{table}" AS kept WHERE kept.id = waits.row_id) ORDER BY id LIMIT 1',
            [table],
        )
        for (row_id,) in cursor.fetchall():
            yield Problem("row", f"row {row_id} of {table}", "the row is gone before it had its place")


def _guard_problems(cursor: CursorWrapper) -> Iterator[Problem]:
    wanted = {(table, f"{table}_audited") for table in followed()}
    wanted |= {("licensing_auditentry", f"licensing_auditentry_{guard}") for guard in ("append_only", "continues")}
    cursor.execute(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE pg_table_is_visible(c.oid) AND t.tgenabled IN ('O', 'A') AND NOT t.tgisinternal"
    )
    live = set(cursor.fetchall())
    for table, name in sorted(wanted - live):
        yield Problem("guard", f"trigger {name} on {table}", "it is missing or switched off")
    for table, name in sorted((wanted & live) - {pair for pair in wanted if pair[0] == "licensing_auditentry"}):
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s AND pg_function_is_visible(oid)", [name])
        if cursor.fetchall() != [(_body(cursor, table),)]:
            yield Problem("guard", f"function {name}", "it is not as `licensing_audit_follow` writes it: migrate")


def _body(cursor: CursorWrapper, table: str) -> str:
    digest = row_sha256(cursor, table, "added")
    return (
        f"BEGIN INSERT INTO licensing_auditpending (table_name, row_id, row_sha256) SELECT '{table}', added.id, "  # noqa: S608
        f"{digest} FROM added ORDER BY added.id; RETURN NULL; END"
    )
