"""What the sandbox remembers: objects, balances, saved replies, events and what is still to be delivered. SQLite.

One request is one transaction under one lock; a sandbox needs to be right, not fast.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
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
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, asked TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    event TEXT PRIMARY KEY, attempts INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (done, due_at);
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), ahead REAL NOT NULL);
CREATE TABLE IF NOT EXISTS faults (seq INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, how TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account_balances (
    account TEXT NOT NULL, currency TEXT NOT NULL, available INTEGER NOT NULL, PRIMARY KEY (account, currency));
"""
API_VERSION = "2026-10-28.endive"
BOUNDS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


class State:
    """The sandbox's memory, in a file or, with no path, in memory alone."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._acting = threading.local()
        self._db = sqlite3.connect(str(path or ":memory:"), check_same_thread=False, isolation_level=None)
        if path is not None:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._take_over()

    def _take_over(self) -> None:
        """The platform's balance had a table of its own before connected accounts had balances."""
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'balances'").fetchone():
            self._db.execute("INSERT INTO account_balances SELECT '', currency, available FROM balances")
            self._db.execute("DROP TABLE balances")

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

    @property
    def acting_for(self) -> str:
        """The connected account that this thread's call is made for (`Stripe-Account`); empty for the platform."""
        return getattr(self._acting, "account", "")

    @acting_for.setter
    def acting_for(self, account: str) -> None:
        self._acting.account = account

    def now(self) -> float:
        """The sandbox's own time, in seconds: the machine's, and what the clock was moved ahead."""
        with self._lock:
            row = self._db.execute("SELECT ahead FROM clock").fetchone()
        return time.time() + (row[0] if row else 0)

    def move_clock(self, seconds: float) -> None:
        """Let time pass here and nowhere else: keys are forgotten, pages expire."""
        with self._lock:
            self._db.execute(
                "INSERT INTO clock (one, ahead) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET ahead = ahead + ?",
                [seconds, seconds],
            )

    def add(self, kind: str, prefix: str, body: Body, *, hidden: Body | None = None) -> Body:
        """Keep a new object of Stripe's `kind` under a fresh id; `hidden` is what the API never shows."""
        body = {"id": f"{prefix}_{secrets.token_hex(12)}", "object": kind, **body}
        if "created" in body:
            body["created"] = int(self.now())
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

    def hide(self, key: str, **fields: Any) -> None:
        """Keep more of what the API never shows."""
        with self._lock:
            self._db.execute("UPDATE objects SET hidden = ? WHERE id = ?", [json.dumps(self.hidden(key) | fields), key])

    def change(self, body: Body, **fields: Any) -> Body:
        body = body | fields
        with self._lock:
            self._db.execute("UPDATE objects SET body = ? WHERE id = ?", [json.dumps(body), body["id"]])
        return body

    def find(
        self,
        kind: str,
        *,
        where: Mapping[str, Sequence[str]],
        created: Mapping[str, int] | None = None,
        limit: int = 10,
        after: str = "",
    ) -> tuple[list[Body], bool]:
        """Newest first, as Stripe lists; and whether there are more. `where` gives the allowed values of fields."""
        sql, values = "SELECT body FROM objects WHERE kind = ?", [kind]
        for name, allowed in where.items():
            sql += f" AND json_extract(body, '$.{name}') IN ({', '.join('?' * len(allowed))})"
            values += allowed
        for name, bound in (created or {}).items():
            sql += f" AND json_extract(body, '$.created') {BOUNDS[name]} {int(bound)}"
        if after:
            sql += " AND seq < (SELECT seq FROM objects WHERE id = ?)"
            values.append(after)
        with self._lock:
            rows = self._db.execute(f"{sql} ORDER BY seq DESC LIMIT {limit + 1}", values).fetchall()
        return [json.loads(row[0]) for row in rows[:limit]], len(rows) > limit

    def balance(self, currency: str, *, account: str = "") -> int:
        """What a connected account, or the platform itself, has in a currency; minor units."""
        return self.balances(account=account).get(currency, 0)

    def balances(self, *, account: str = "") -> dict[str, int]:
        sql = "SELECT currency, available FROM account_balances WHERE account = ? ORDER BY currency"
        with self._lock:
            return dict(self._db.execute(sql, [account]).fetchall())

    def move(self, currency: str, amount: int, *, account: str = "") -> None:
        with self._lock:
            self._db.execute(
                "INSERT INTO account_balances (account, currency, available) VALUES (?, ?, ?) "
                "ON CONFLICT (account, currency) DO UPDATE SET available = available + excluded.available",
                [account, currency, amount],
            )

    def fail_next(self, path: str, how: str) -> None:
        """Have the next call of a path go wrong; kept over restarts, as all here."""
        with self._lock:
            self._db.execute("INSERT INTO faults (path, how) VALUES (?, ?)", [path, how])

    def fault(self, path: str) -> str:
        """The fault that was asked for this call, taken off the list; empty where there is none."""
        sql = "DELETE FROM faults WHERE seq = (SELECT min(seq) FROM faults WHERE path = ?) RETURNING how"
        with self._lock:
            row = self._db.execute(sql, [path]).fetchone()
        return row[0] if row else ""

    def faults(self, path: str) -> list[str]:
        """The faults that stand for a path and stay."""
        with self._lock:
            rows = self._db.execute("SELECT how FROM faults WHERE path = ? ORDER BY seq", [path]).fetchall()
        return [row[0] for row in rows]

    def fail_none(self) -> None:
        with self._lock:
            self._db.execute("DELETE FROM faults")

    def reply(self, key: str) -> tuple[str, int, str] | None:
        """What was asked and answered under an idempotency key."""
        with self._lock:
            row = self._db.execute("SELECT asked, status, body FROM replies WHERE key = ?", [key]).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def save_reply(self, key: str, *, asked: str, status: int, body: str) -> None:
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO replies (key, asked, status, body, made_at) VALUES (?, ?, ?, ?, ?)",
                [key, asked, status, body, self.now()],
            )

    def forget_replies(self, *, older_than: float) -> None:
        """Stripe forgets idempotency keys after a day."""
        with self._lock:
            self._db.execute("DELETE FROM replies WHERE made_at < ?", [self.now() - older_than])

    def emit(self, kind: str, subject: Body, *, account: str = "") -> Body:
        """Keep an event about an object and owe its webhook."""
        body: Body = {
            "api_version": API_VERSION,
            "created": int(self.now()),
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
            self._db.execute("INSERT INTO deliveries (event, due_at) VALUES (?, ?)", [event["id"], self.now()])
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
