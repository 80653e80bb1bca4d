"""Whether one connection waits for another: for tests of two at once, without a clock."""

from django.db import connection


def until_somebody_waits(*kinds: str) -> None:
    """Until a lock of one of these kinds is waited for, such as on a row that this transaction holds; PostgreSQL says
    so."""
    with connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = ANY(%s) AND NOT granted", [list(kinds)])
            if cursor.fetchone():
                return
    raise AssertionError("nobody waits")
