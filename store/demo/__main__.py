"""`python -m store.demo`: what must stand before Django reads its settings, then `manage.py demo`.

That is the home (a folder of recordings gets a store of its own, fresh each time), the address, the embedded servers,
the tables and the static files.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from store import embedded

PORT = 8000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-serve", action="store_true")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-own-works", action="store_true")
    options = parser.parse_args()
    if options.folder and not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder.")
    port = options.port or (PORT if _is_free(PORT) or not options.no_serve else _any_free())
    if not _is_free(port):
        parser.error(f"Port {port} is taken. Name another: make demo PORT=8080")
    if options.folder:
        os.environ["CLEARSONG_HOME"] = str(_fresh_home(embedded.home() / "folders"))
    os.environ["SITE_URL"] = f"http://127.0.0.1:{port}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")
    with embedded.services():
        done, now = embedded.home() / "run" / "prepared", _version()
        if not done.exists() or done.read_text(encoding="utf-8") != now:
            _prepare(["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"])
            done.write_text(now, encoding="utf-8")
        return _django(options, port)


def _version() -> str:
    """What the tables and the static files were last made from, so that a second start need not make them again."""
    made_from = [embedded.BASE_DIR / "requirements.lock"]
    for pattern in ("*/migrations/*.py", "store/static/**/*"):
        made_from += sorted(embedded.BASE_DIR.glob(pattern))
    facts = [f"{path} {path.stat().st_mtime_ns}" for path in made_from if path.is_file()]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _prepare(*commands: list[str]) -> None:
    """Run what `manage.py` must do first, side by side; each ends the demo where it fails, having said why."""
    running = [subprocess.Popen([sys.executable, "manage.py", *one], cwd=embedded.BASE_DIR) for one in commands]
    statuses = [process.wait() for process in running]  # of all: none may outlive the demo
    if any(statuses):
        sys.exit(1)


def _django(options: argparse.Namespace, port: int) -> int:
    from django.core.management import execute_from_command_line

    command = ["manage.py", "demo", "--port", str(port)]
    command += ["--folder", str(options.folder.resolve())] if options.folder else []
    command += ["--report", str(options.report.resolve())] if options.report else []
    command += ["--no-serve"] if options.no_serve else []
    command += ["--no-own-works"] if options.no_own_works else []
    execute_from_command_line(command)
    return 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _fresh_home(folder: Path) -> Path:
    """A new home; those of earlier runs that nobody uses any more are cleared away."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if not any(_is_locked(old / "run" / name) for name in ("users.lock", "supervisor.lock")):
            shutil.rmtree(old, ignore_errors=True)
    home = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    home.mkdir()
    return home


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell says it of a program that Ctrl-C ended
