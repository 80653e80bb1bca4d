"""A throwaway PostgreSQL and Valkey for one run of the suite, unless the caller named servers of their own.

Loaded as a plugin before pytest-django reads the settings; xdist's workers inherit the addresses, and each has a
Redis database of its own. When the run ends, however it does, the supervisor stops the servers and removes the home.
"""

import atexit
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

# Whoever forbids bytecode would have the suite compile itself anew in each of some hundred processes: pytest keeps what
# it makes of the assertions in no other way.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

STOP_SECONDS = 20
_stack = contextlib.ExitStack()


def _start() -> None:
    home = Path(tempfile.mkdtemp(prefix="clearsong-tests-"))
    os.environ["CLEARSONG_HOME"] = str(home)
    os.environ["CLEARSONG_THROWAWAY"] = "yes"
    from store import embedded

    _stack.enter_context(embedded.services())
    atexit.register(_stop, home)


def _stop(home: Path) -> None:
    """Let go of the servers and wait until they have ended and their files are gone."""
    _stack.close()
    deadline = time.monotonic() + STOP_SECONDS
    while home.exists() and "CLEARSONG_EMBEDDED" in os.environ and time.monotonic() < deadline:
        time.sleep(0.05)


def _own_redis_database(worker: str) -> None:
    """Workers of xdist share the server, but neither its cache nor its queues: gw0 has databases 2 and 3, and so on."""
    number = 2 * (int(worker.removeprefix("gw")) % 7) + 2
    address, _, _ = os.environ["REDIS_URL"].partition("?")
    if address.startswith("unix://"):
        os.environ["REDIS_URL"] = f"{address}?db={number}"


if "PYTEST_XDIST_WORKER" in os.environ:
    _own_redis_database(os.environ["PYTEST_XDIST_WORKER"])
elif "CLEARSONG_THROWAWAY" not in os.environ:
    _start()
