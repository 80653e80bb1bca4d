"""What the sandbox remembers: objects, balances, saved replies, events and what is still to be delivered. SQLite.

One request is one transaction under one lock; a sandbox needs to be right, not fast.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payments.sandbox.errors import missing

Body = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL,
    hidden TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS transfers_by_group ON objects (kind, json_extract(body, '$.transfer_group'));
CREATE TABLE IF NOT EXISTS balances (currency TEXT PRIMARY KEY, available INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, asked TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    event TEXT PRIMARY KEY, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (done, due_at);
"""
API_VERSION = "2026-10-28.endive"


class State:
    """The sandbox's memory, in a file or, with no path, in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path or ":memory:"), check_same_thread=False, isolation_level=None)
        if path is not None:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or none of it, inside another one too."""
        with self._lock:
            nested = self._db.in_transaction
            self._db.execute("SAVEPOINT inner_block" if nested else "BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK TO inner_block" if nested else "ROLLBACK")
                if nested:
                    self._db.execute("RELEASE inner_block")
                raise
            self._db.execute("RELEASE inner_block" if nested else "COMMIT")

    def add(self, kind: str, prefix: str, body: Body, *, hidden: Body | None = None) -> Body:
        """Keep a new object of Stripe's `kind` under a fresh id; `hidden` is what the API never shows."""
        body = {"id": f"{prefix}_{secrets.token_hex(12)}", "object": kind, **body}
        with self._lock:
            self._db.execute(
                "INSERT INTO objects (id, kind, body, hidden) VALUES (?, ?, ?, ?)",
                [body["id"], kind, json.dumps(body), json.dumps(hidden or {})],
            )
        return body

    def get(self, kind: str, key: str) -> Body:
        with self._lock:
            row = self._db.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", [key, kind]).fetchone()
        if row is None:
            raise missing(kind, key)
        body: Body = json.loads(row[0])
        return body

    def hidden(self, key: str) -> Body:
        with self._lock:
            row = self._db.execute("SELECT hidden FROM objects WHERE id = ?", [key]).fetchone()
        body: Body = json.loads(row[0]) if row else {}
        return body

    def change(self, body: Body, **fields: Any) -> Body:
        body = body | fields
        with self._lock:
            self._db.execute("UPDATE objects SET body = ? WHERE id = ?", [json.dumps(body), body["id"]])
        return body

    def find(self, kind: str, *, where: Body, limit: int = 10, after: str = "") -> tuple[list[Body], bool]:
        """Newest first, as Stripe lists; and whether there are more."""
        sql, values = "SELECT body FROM objects WHERE kind = ?", [kind]
        for name, value in where.items():
            sql += f" AND json_extract(body, '$.{name}') = ?"
            values.append(value)
        if after:
            sql += " AND seq < (SELECT seq FROM objects WHERE id = ?)"
            values.append(after)
        with self._lock:
            rows = self._db.execute(f"{sql} ORDER BY seq DESC LIMIT {limit + 1}", values).fetchall()
        return [json.loads(row[0]) for row in rows[:limit]], len(rows) > limit

    def balance(self, currency: str) -> int:
        with self._lock:
            row = self._db.execute("SELECT available FROM balances WHERE currency = ?", [currency]).fetchone()
        return int(row[0]) if row else 0

    def balances(self) -> dict[str, int]:
        with self._lock:
            return dict(self._db.execute("SELECT currency, available FROM balances ORDER BY currency").fetchall())

    def move(self, currency: str, amount: int) -> None:
        with self._lock:
            self._db.execute(
                "INSERT INTO balances (currency, available) VALUES (?, ?) "
                "ON CONFLICT (currency) DO UPDATE SET available = available + excluded.available",
                [currency, amount],
            )

    def reply(self, key: str) -> tuple[str, int, str] | None:
        """What was asked and answered under an idempotency key."""
        with self._lock:
            row = self._db.execute("SELECT asked, status, body FROM replies WHERE key = ?", [key]).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def save_reply(self, key: str, *, asked: str, status: int, body: str) -> None:
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO replies (key, asked, status, body, made_at) VALUES (?, ?, ?, ?, ?)",
                [key, asked, status, body, time.time()],
            )

    def forget_replies(self, *, older_than: float) -> None:
        """Stripe forgets idempotency keys after a day."""
        with self._lock:
            self._db.execute("DELETE FROM replies WHERE made_at < ?", [time.time() - older_than])

    def emit(self, kind: str, subject: Body, *, account: str = "") -> Body:
        """Keep an event about an object and owe its webhook."""
        body: Body = {
            "api_version": API_VERSION,
            "created": int(time.time()),
            "data": {"object": subject},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        if account:
            body["account"] = account
        with self._lock:
            event = self.add("event", "evt", body)
            self._db.execute("INSERT INTO deliveries (event, due_at) VALUES (?, ?)", [event["id"], time.time()])
        return event

    def due(self, *, at: float, limit: int = 20) -> list[tuple[str, int]]:
        with self._lock:
            rows = self._db.execute(
                "SELECT event, attempts FROM deliveries WHERE done = 0 AND due_at <= ? ORDER BY due_at LIMIT ?",
                [at, limit],
            ).fetchall()
        return [(row[0], row[1]) for row in rows]

    def delivered(self, event: str) -> None:
        with self._lock:
            self._db.execute("UPDATE deliveries SET done = 1, attempts = attempts + 1 WHERE event = ?", [event])

    def postponed(self, event: str, *, until: float, give_up: bool) -> None:
        with self._lock:
            self._db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, due_at = ?, done = ? WHERE event = ?",
                [until, int(give_up), event],
            )

    def undelivered(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM deliveries WHERE done = 0").fetchone()[0])
