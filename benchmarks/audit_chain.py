"""The audit chain at a million rows: what a row's hash costs its writer, sealing, verifying, and 32 writers at once.

Limits, measured in the same run on the same rows: inserting them without the trigger (writing), hashing as many lines
of that length and nothing else (sealing), and letting PostgreSQL read and hash each row once (verifying). The store's
own goal for verifying a million rows, a minute, stands beside.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from benchmarks.figures import Figure, Progress, seconds
from licensing import audit

ROWS, QUICK_ROWS = 1_000_000, 10_000
WRITERS, ACTS, QUICK_ACTS = 32, 50, 10
GOAL_SECONDS = 60.0

# Six in ten are evidence with a text of a few hundred letters, four in ten decisions with a verdict of two kilobytes.
INSTRUMENTS = """
INSERT INTO licensing_instrument
    (public_id, kind, text, file, sha256, bytes, media_type, source_file_sha256, captured_at, captured_by)
SELECT gen_random_uuid(), 'TAG_STATEMENT', repeat('LICENSE of number ' || n || '. ', 8), '',
       encode(sha256(n::text::bytea), 'hex'), 200, 'text/plain', '', now(), 'bench'
FROM generate_series(1, %s) AS n
"""
DECISIONS = """
INSERT INTO licensing_clearancedecision
    (public_id, recording_id, use, at, engine, cleared_countries, verdict, verdict_sha256, answer_sha256, sound_sha256,
     actor{more})
SELECT gen_random_uuid(), %s, 'PERMANENT_DOWNLOAD', now(), 'bench', 'AT CH DE',
       json_build_object('number', n, 'records', (SELECT jsonb_agg(jsonb_build_object(
           'record', gen_random_uuid(), 'layer', 'WORK', 'starts_on', NULL, 'share', 8)) FROM generate_series(1, 16))),
       encode(sha256(n::text::bytea), 'hex'), encode(sha256(n::text::bytea), 'hex'), '', 'bench'{values}
FROM generate_series(1, %s) AS n
"""


def run(*, quick: bool, say: Progress) -> list[Figure]:
    return figures(quick, say)


def figures(quick: bool, report_progress: Progress) -> list[Figure]:  # noqa: FBT001 - one of two sizes
    rows = QUICK_ROWS if quick else ROWS
    report_progress("making a database of its own")
    with own_database():
        recording = _recording()
        report_progress(f"writing {rows:,} rows without and with the trigger")
        bare, written = _written(recording, rows)
        report_progress("sealing them")
        with seconds() as sealing:
            sealed = audit.seal_new(at=timezone.now())
        hashing = _hashed(sealed)
        report_progress("verifying the chain")
        with seconds() as reading:
            _read_and_hash()
        with seconds() as verifying:
            report = audit.verify({sealed: audit.head()[1]})
        if not report.ok or report.entries != sealed:
            raise RuntimeError(f"The chain does not verify: {report}")
        report_progress(f"{WRITERS} writers at once")
        acts = WRITERS * (QUICK_ACTS if quick else ACTS)
        appended, taken = _writers(QUICK_ACTS if quick else ACTS)
        whole = audit.verify()
    goal = None if quick else 1.0
    return [
        Figure("audit_chain.write", written, "s", limit=bare),
        Figure("audit_chain.seal", sealing(), "s", limit=hashing),
        Figure("audit_chain.verify", verifying(), "s", limit=reading()),
        Figure(f"audit_chain.verify_{rows}_rows", verifying(), "s", limit=GOAL_SECONDS, goal=goal),
        Figure("audit_chain.writers", acts / taken, "acts/s"),
        Figure("audit_chain.writers_in_one_chain", appended if whole.ok else 0, "rows", acts, 1.0, more_is_better=True),
    ]


@contextmanager
def own_database() -> Iterator[None]:
    """A database beside the store's, as its owner, gone afterwards."""
    options = connection.settings_dict["OPTIONS"]
    as_application = options.pop("options", None)
    name = connection.settings_dict["NAME"]
    connection.close()
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(str(name), verbosity=0)
        if as_application:
            options["options"] = as_application


def _recording() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_filled("catalog_party", name="Bench", slug="bench", kind="ORGANISATION"))
        (party,) = cursor.fetchone()
        cursor.execute(_filled("catalog_recording", title="Bench", label_id=party))
        return int(cursor.fetchone()[0])


def _filled(table: str, **values: str | int) -> str:
    """An insert that gives every column of the table that must have a value one that fits its type."""
    plain = {
        "uuid": "gen_random_uuid()", "timestamp with time zone": "now()", "boolean": "false", "bigint": "0",
        "integer": "0", "jsonb": "'{}'", "ARRAY": "'{}'", "tsvector": "''",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
            "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'",
            [table],
        )
        given = {name: plain.get(kind, "''") for name, kind in cursor.fetchall()}
    given |= {name: str(value) if isinstance(value, int) else f"'{value}'" for name, value in values.items()}
    return f"INSERT INTO {table} ({', '.join(given)}) VALUES ({', '.join(given.values())}) RETURNING id"  # noqa: S608


def _insert(recording: int, rows: int) -> None:
    """Columns that a decision got since take what an empty one would have."""
    with connection.cursor() as cursor:
        cursor.execute(INSTRUMENTS, [rows * 6 // 10])
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'licensing_clearancedecision' "
            "AND column_name = 'relied_catalogues'"
        )
        more = cursor.fetchone() is not None
        filled = DECISIONS.format(more=", relied_catalogues" if more else "", values=", '{}'" if more else "")
        cursor.execute(filled, [recording, rows * 4 // 10])


def _written(recording: int, rows: int) -> tuple[float, float]:
    """Seconds without and with the trigger; the rows without are taken away again."""
    tables = ["licensing_instrument", "licensing_clearancedecision"]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_audited")
        with seconds() as bare:
            _insert(recording, rows)
        cursor.execute("TRUNCATE licensing_instrument, licensing_clearancedecision CASCADE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_audited")
    with seconds() as written:
        _insert(recording, rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return bare(), written()


def _hashed(rows: int) -> float:
    line = b"x" * 230
    with seconds() as taken:
        for _ in range(rows):
            hashlib.sha256(line).hexdigest()
    return taken()


def _read_and_hash() -> None:
    with connection.cursor() as cursor:
        for table in ("licensing_instrument", "licensing_clearancedecision"):
            cursor.execute(
                "SELECT count(sha256(convert_to(to_jsonb(kept)::text, 'UTF8'))) "  # noqa: S608 - one of two
                f"FROM {table} AS kept"
            )


def _writers(acts: int) -> tuple[int, float]:
    """Each of 32 threads writes a row and tries to seal, again and again; how many rows got a place, and how long."""
    before, _ = audit.head()
    with seconds() as taken:
        _side_by_side([threading.Thread(target=_write, args=(acts,)) for _ in range(WRITERS)])
        audit.seal_new(at=timezone.now())
    return audit.head()[0] - before, taken()


def _side_by_side(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write(acts: int) -> None:
    try:
        for _ in range(acts):
            with connection.cursor() as cursor:
                cursor.execute(INSTRUMENTS, [1])
            audit.seal_new(at=timezone.now())
    finally:
        connection.close()
