"""Breaks the connection to the database at a chosen moment, as a killed server or a cut cable would.

A moment is a statement before it is sent, a COMMIT before it is sent, or a COMMIT whose reply is lost: then all is kept
and nobody knows. What the code under test does with the error is its own affair; afterwards the connection is anew.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection


class Moments:
    """Counts the moments of what runs inside, and breaks the connection at number `at`, counted from 1; 0: at none."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.count = 0
        self.broke_at = ""

    def _due(self) -> bool:
        self.count += 1
        return self.count == self.at

    def _break(self, what: str) -> None:
        self.broke_at = what
        if connection.connection is not None:
            connection.connection.close()
        raise OperationalError(f"the connection broke at moment {self.at}: {what[:200]}")

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's own form
        if self._due():
            self._break(str(sql))
        return execute(sql, params, many, context)

    @contextmanager
    def breaking(self) -> Iterator[None]:
        """The block runs on a connection that breaks; the error is swallowed, as the death of a process would be."""
        backend: Any = connection  # its own COMMIT goes past every wrapper of statements
        commit = backend._commit

        def broken_commit() -> None:
            if self._due():
                self._break("COMMIT, which never went out")
            commit()
            if self._due():
                self._break("COMMIT, whose reply was lost")

        backend._commit = broken_commit
        try:
            with connection.execute_wrapper(self.statement):
                yield
        except OperationalError:
            if not self.broke_at:
                raise
        finally:
            del backend._commit
            if self.broke_at:
                connection.close()
                connection.needs_rollback = False
