"""A shop in a home of its own, as in production: granian, workers, beat, PostgreSQL, Valkey, and the sandbox over HTTP.

`python -m benchmarks.till.stage` runs in a process of its own, because its home is another than that of whoever asks.
It reads what to do from standard input as JSON and writes what it measured to standard output.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.transcoding.meter import descendants
from store import embedded

PORT = 8431
PEOPLE, RELEASES = 2000, 20
WORKERS, THREADS, BELLS = 2, 16, 4  # as in the Dockerfile and docker-compose.yml
WARM_UP = 5.0
AT_ONCE = 16  # shoppers when they come as fast as they are served
CROWD = 120  # when they come at a steady rate: more than wait at any moment, unless the shop falls behind
KEPT = 0.9  # of the fastest, so that what waits does not grow without end
UP_SECONDS, DRAIN_SECONDS = 60, 300
TICKS = os.sysconf("SC_CLK_TCK")


def commands() -> dict[str, list[str]]:
    """The processes of a shop, as production starts them."""
    granian = ["granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(PORT), "--no-ws"]
    granian += ["--workers", str(WORKERS), "--blocking-threads", str(THREADS), "store.wsgi:application"]
    celery = ["celery", "-A", "store", "worker", "--without-gossip", "--without-mingle", "-l", "warning"]
    found = {
        "web": granian,
        "worker-io": [*celery, "-Q", "io", "-n", "io@%h", "-c", str(BELLS)],
        "worker-cpu": [*celery, "-Q", "cpu", "-n", "cpu@%h", "-c", "1"],
        "beat": ["celery", "-A", "store", "beat", "--pidfile=", "-l", "warning"],
    }
    return {name: [sys.executable, "-m", *command] for name, command in found.items()}


@contextmanager
def running() -> Iterator[dict[str, int]]:
    """All processes of the shop, by name."""
    logs = embedded.home() / "log"
    logs.mkdir()
    started = {}
    try:
        for name, command in commands().items():
            with (logs / f"{name}.log").open("ab") as log:
                started[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _wait_for_the_web()
        yield {name: process.pid for name, process in started.items()} | _servers()
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait()


def _wait_for_the_web() -> None:
    import urllib.request

    ends = time.monotonic() + UP_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=5):
                return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.3)


def _servers() -> dict[str, int]:
    """The embedded servers of this home: children of its supervisor, not of ours."""
    words = {"postgres": "/postgres", "valkey": "/valkey-server", "sandbox": "payments.sandbox"}
    mark = f"CLEARSONG_HOME={embedded.home()}"
    for process in Path("/proc").glob("[0-9]*"):
        if "store.supervisor" in _read(process / "cmdline") and mark in _read(process / "environ").split("\0"):
            children = {pid: _read(Path(f"/proc/{pid}/cmdline")) for pid in descendants(int(process.name))}
            return {name: next(pid for pid, said in children.items() if word in said) for name, word in words.items()}
    raise RuntimeError(f"Nobody keeps the servers of {embedded.home()} up.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended meanwhile, or is another user's
        return ""


def spent(pid: int) -> float:
    """Seconds of processor that a process, its descendants, and those of them that have ended took so far."""
    ticks = 0
    for one in [pid, *descendants(pid)]:
        stat = _read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(map(int, stat[11:15]))  # user and system, its own and those of children it waited for
    return ticks / TICKS


def stock() -> tuple[list[str], list[dict[str, str]]]:
    """Releases with files that can be fetched, and people who are signed in: their sessions."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from store.models import User
    from tests.factories import shelf

    goods = []
    for number in range(RELEASES):
        release = shelf.shelve(f"Measured {number}", files=True, preview=b"preview %d" % number)
        shelf.make_letter(shelf.make_holder(release.label))
        goods.append({"slug": release.slug, "offer": str(shelf.single(release).public_id)})
    people = User.objects.bulk_create(
        User(email=f"shopper{number}@example.org", name=f"Shopper {number}") for number in range(PEOPLE)
    )
    sessions = []
    for person in people:
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(person.pk), person.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session.create()
        sessions.append(str(session.session_key))
    return sessions, goods


def shopping(asked: dict[str, Any], pids: dict[str, int]) -> dict[str, Any]:
    """What the shoppers saw, and the processor seconds of every part meanwhile, theirs included."""
    before = {name: spent(pid) for name, pid in pids.items()}
    crowd = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.till.shoppers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    begun, own = time.monotonic(), os.times()
    said, _ = crowd.communicate(json.dumps(asked))
    taken, after = time.monotonic() - begun, os.times()
    if crowd.returncode:
        raise RuntimeError("The shoppers failed; their own words stand above.")
    seen: dict[str, Any] = json.loads(said)
    seen["seconds"] = taken
    seen["cpu"] = {name: spent(pid) - before[name] for name, pid in pids.items()}
    seen["cpu"]["shoppers"] = after.children_user + after.children_system - own.children_user - own.children_system
    return seen


def drain() -> dict[str, float]:
    """Wait until nothing is owed any more; how many seconds that took, and what there is."""
    from payments.models import StripeEvent
    from store.models import Certificate, Order, OrderLine

    begun = time.monotonic()
    while time.monotonic() < begun + DRAIN_SECONDS:
        waits = StripeEvent.objects.filter(state="RECEIVED").exists()
        if not waits and not Order.objects.filter(state="PAID", fee_posted_at=None).exists():
            break
        time.sleep(0.5)
    return {
        "drained": time.monotonic() - begun,
        "orders": Order.objects.count(),
        "settled": Order.objects.filter(state="PAID").count(),
        "without fee": Order.objects.filter(state="PAID", fee_posted_at=None).count(),
        "lines": OrderLine.objects.count(),
        "certificates": Certificate.objects.count(),
        "events": StripeEvent.objects.count(),
        "handled": StripeEvent.objects.filter(state="HANDLED").count(),
    }


def perform(asked: dict[str, float]) -> dict[str, Any]:
    """Shoppers as fast as they are served, then for `seconds` at a steady rate: the wanted one, or what can be kept."""
    import django

    for command in (["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=embedded.BASE_DIR, check=True, stdout=sys.stderr)
    django.setup()
    sessions, goods = stock()
    embedded.announce_web(PORT)
    shop = {"site": f"http://127.0.0.1:{PORT}", "sessions": sessions, "goods": goods}
    with running() as pids:
        shopping(shop | {"rate": 0, "seconds": WARM_UP, "at_once": AT_ONCE}, pids)
        fastest = shopping(shop | {"rate": 0, "seconds": asked["fastest_seconds"], "at_once": AT_ONCE}, pids)
        rate = min(asked["rate"], KEPT * len(fastest["done_at"]) / fastest["seconds"])
        steady = shopping(shop | {"rate": rate, "seconds": asked["seconds"], "at_once": CROWD}, pids)
        found = {"fastest": fastest, "steady": steady, "rate": rate, **drain()}
    begun = time.monotonic()
    verified = subprocess.run(
        [sys.executable, "manage.py", "ledger", "verify"], cwd=embedded.BASE_DIR, check=False, stdout=sys.stderr
    )
    return found | {"verify": time.monotonic() - begun, "verified": verified.returncode == 0}


def main() -> None:
    with embedded.services():
        found = perform(json.load(sys.stdin))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
