"""A throwaway PostgreSQL and Valkey for one run of the suite, unless the caller named servers of their own.

Loaded as a plugin before pytest-django reads the settings; xdist's workers inherit the addresses.
"""

import atexit
import contextlib
import os
import shutil
import tempfile

_stack = contextlib.ExitStack()


def _start() -> None:
    home = tempfile.mkdtemp(prefix="clearsong-tests-")
    os.chmod(home, 0o755)  # noqa: S103 - PostgreSQL runs as nobody where the tests run as root
    os.environ["CLEARSONG_HOME"] = home
    os.environ["CLEARSONG_THROWAWAY"] = "yes"
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    from store import embedded

    _stack.enter_context(embedded.services())
    atexit.register(_stack.close)


if "PYTEST_XDIST_WORKER" not in os.environ and "CLEARSONG_THROWAWAY" not in os.environ:
    _start()
