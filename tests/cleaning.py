"""The database between two tests that commit: emptied of what a test wrote, or filled again with what one laid out.

Django's own way empties every table by TRUNCATE and then does all that follows a migration once more, some two seconds
for one test. Here only the tables that changed are touched, and rows that migrations left come back as they were. Rows
move under `session_replication_role = replica`, past every trigger, which only a superuser may ask for; as anybody else
the tests fall back to Django's way.
"""

# ruff: noqa: S608 - the names put into statements are those of our own tables

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

Rows = dict[str, bytes]  # by table, as COPY writes them


@dataclass(frozen=True)
class Pristine:
    """The database as the migrations left it: which tables there are, and the rows of those that hold any."""

    tables: tuple[str, ...]
    rows: Rows
    questions: dict[str, str]  # by table, the query that names it where it differs

    @classmethod
    def read(cls) -> "Pristine":
        tables = tuple(sorted(connection.introspection.django_table_names(only_existing=True, include_views=False)))
        with connection.cursor() as cursor:
            held = copied(cursor, _named(cursor, (_filled(table) for table in tables)))
            digests = dict(_digests(cursor, held))
        questions = {
            table: f"SELECT '{table}' WHERE {_digest(table)} IS DISTINCT FROM '{digests[table]}'"
            if table in held
            else _filled(table)
            for table in tables
        }
        return cls(tables, held, questions)

    def changed(self, cursor: CursorWrapper) -> list[str]:
        """The tables that differ now."""
        return _named(cursor, self.questions.values())

    def restore(self) -> list[str]:
        """Make it so again; returns the tables that had changed."""
        with connection.cursor() as cursor:
            dirty = self.changed(cursor)
            if dirty:
                with _past_triggers(cursor):
                    cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in dirty))
                    _write(cursor, {table: self.rows[table] for table in dirty if table in self.rows})
        return dirty


_pristine: list[Pristine] = []


def possible() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def ready() -> bool:
    """Whether a clean database was remembered, so that these functions work here."""
    return bool(_pristine)


def remember() -> None:
    """Take the database as it is now for a clean one."""
    _pristine[:] = [Pristine.read()]


def clean() -> list[str]:
    """Leave nothing of what was committed since; returns the tables that had changed."""
    return _pristine[0].restore()


def take() -> Rows:
    """Every row that was committed since; tables that held rows before are left out;
    nothing where they could not be put back."""
    if not _pristine:
        return {}
    pristine = _pristine[0]
    with connection.cursor() as cursor:
        return copied(cursor, [table for table in pristine.changed(cursor) if table not in pristine.rows])


def put(rows: Rows) -> None:
    """Write taken rows back, as if whoever laid them out had done it all again; committed, where no test's own
    transaction is around it."""
    with connection.cursor() as cursor, _past_triggers(cursor):
        _write(cursor, rows)


def held() -> dict[str, str]:
    """The tables that differ from a clean database, each with a hash of its rows."""
    with connection.cursor() as cursor:
        return dict(_digests(cursor, _pristine[0].changed(cursor)))


def added_to(before: dict[str, str]) -> Rows | None:
    """The rows of the tables that were clean when `held` said `before`; None where anything else has changed since."""
    pristine, now = _pristine[0], held()
    if {table: now.get(table) for table in before} != before:
        return None
    with connection.cursor() as cursor:
        found = copied(cursor, sorted(now.keys() - before.keys()))
    for table in found.keys() & pristine.rows.keys():
        here, left = found[table].splitlines(keepends=True), pristine.rows[table].splitlines(keepends=True)
        if not set(left) <= set(here):
            return None
        found[table] = b"".join(line for line in here if line not in set(left))
    return found


def bare_of(rows: Rows) -> bool:
    """Whether these rows may be put: their tables are clean, and we work with the rights to do it."""
    with connection.cursor() as cursor:
        differing = " UNION ALL ".join(_pristine[0].questions[table] for table in rows)
        cursor.execute(f"SELECT current_setting('is_superuser')::boolean AND NOT EXISTS ({differing})")
        return bool(cursor.fetchone()[0])


def copied(cursor: CursorWrapper, tables: Iterable[str]) -> Rows:
    found = {}
    for table in tables:
        with cursor.copy(f'COPY "{table}" TO STDOUT') as rows:
            found[table] = b"".join(bytes(block) for block in rows)
    return found


def _write(cursor: CursorWrapper, rows: Rows) -> None:
    for table, data in rows.items():
        with cursor.copy(f'COPY "{table}" FROM STDIN') as lines:
            lines.write(data)


@contextmanager
def _past_triggers(cursor: CursorWrapper) -> Iterator[None]:
    """One transaction, or a part of one, that no trigger sees."""
    with transaction.atomic():
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def _filled(table: str) -> str:
    return f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")"


def _digest(table: str) -> str:
    return f"(SELECT md5(string_agg(one::text, '' ORDER BY one::text)) FROM \"{table}\" AS one)"


def _named(cursor: CursorWrapper, questions: Iterable[str]) -> list[str]:
    cursor.execute(" UNION ALL ".join(questions))
    return [table for (table,) in cursor.fetchall()]


def _digests(cursor: CursorWrapper, tables: Iterable[str]) -> Iterable[tuple[str, str]]:
    for table in tables:
        cursor.execute(f"SELECT {_digest(table)}")
        yield table, cursor.fetchone()[0]
