"""The wheel-borne PostgreSQL and Valkey, and the Stripe sandbox, for an instance whose operator named none of them.

One supervisor per home (`store.supervisor`) is the direct parent of the servers. Every process that uses them holds a
shared lock on `run/users.lock` for as long as it lives, however it dies; when the supervisor gets that lock for itself,
nobody is left, and it shuts the servers down. All that is known about them is in files and locks under `run/`:

- `launch.lock`      held while one user starts the supervisor, so that two never do
- `supervisor.lock`  held by the supervisor
- `ready.lock`       held by the supervisor while every server answers
- `NAME.lock`        held by each server and its children, so that no second one ever opens the same files
- `services.json`    which servers run, and where · `web.json`  where the web answers · `services.log`
"""

import contextlib
import fcntl
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
START_SECONDS = 90
LOG_TAIL_LINES = 15
EMBEDDED = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "sandbox": "STRIPE_SECRET_KEY"}
EXPORTED = ["DATABASE_URL", "REDIS_URL", "STRIPE_API_BASE", "SANDBOX_SECRET_KEY", "SANDBOX_WEBHOOK_SECRET"]


class ServicesFailed(RuntimeError):
    """An embedded server did not come up; the message says why, as far as its log knows."""


def home() -> Path:
    """Where this instance keeps everything it writes."""
    return Path(os.environ.get("CLEARSONG_HOME") or BASE_DIR / "var").resolve()


def throwaway() -> bool:
    """Whether this home lives for one run of the tests, so that nothing in it need survive the machine."""
    return bool(os.environ.get("CLEARSONG_THROWAWAY"))


def wanted() -> set[str]:
    """The servers this process needs from us: those whose address the operator did not set.

    A child of a process that uses ours inherits the addresses; it needs the servers just as much. A child that was
    given another home forgets them.
    """
    inherited, _, of_home = os.environ.get("CLEARSONG_EMBEDDED", "").partition("@")
    if inherited and of_home != str(home()):
        for variable in [*EXPORTED, "CLEARSONG_EMBEDDED"]:
            os.environ.pop(variable, None)
        inherited = ""
    names = {server for server, variable in EMBEDDED.items() if server in inherited.split() or not _set(variable)}
    return names - {"sandbox"} if throwaway() else names


def _set(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))


@contextlib.contextmanager
def services() -> Iterator[None]:
    """Hold the embedded servers up while the block runs; does nothing where the operator's own are configured.

    Inside, the database exists and accepts connections, and the environment holds every address.
    Raises ServicesFailed with the end of the log when a server does not come up.
    """
    names = wanted()
    if not names:
        yield
        return
    run = home() / "run"
    try:
        run.mkdir(parents=True, exist_ok=True)
        users = (run / "users.lock").open("a")
    except PermissionError as error:
        raise ServicesFailed(
            f"{home()} belongs to another user of this machine ({error}). Set CLEARSONG_HOME to a folder of your own."
        ) from error
    with users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if not is_held(run / "ready.lock"):
            _start(run)
        missing = names - set(state()["names"])
        if missing:
            raise ServicesFailed(
                f"The servers of {home()} run without {', '.join(sorted(missing))}, as whoever started them asked. "
                "Stop everything that uses this home, then try again."
            )
        for name, value in environment(names).items():
            os.environ.setdefault(name, value)
        os.environ["CLEARSONG_EMBEDDED"] = f"{' '.join(sorted(names))}@{home()}"
        yield


def state() -> dict[str, Any]:
    """What the supervisor wrote down: `names` of the servers it runs, their `sockets` folder, the `sandbox_port`."""
    try:
        found: dict[str, Any] = json.loads((home() / "run" / "services.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"names": [], "sockets": "", "sandbox_port": 0}
    return found


def environment(names: set[str]) -> dict[str, str]:
    """The addresses and keys of the embedded servers, as the settings read them."""
    values: dict[str, str] = {}
    sockets = state()["sockets"]
    if "postgres" in names:
        values["DATABASE_URL"] = f"postgresql://clearsong@/clearsong?host={sockets}"
    if "valkey" in names:
        values["REDIS_URL"] = f"unix://{sockets}/valkey.sock?db=0"
    if "sandbox" in names:
        values |= {
            "STRIPE_API_BASE": f"http://127.0.0.1:{state()['sandbox_port']}",
            "SANDBOX_SECRET_KEY": kept_secret("sandbox_secret_key", prefix="sk_test_"),
            "SANDBOX_WEBHOOK_SECRET": kept_secret("sandbox_webhook_secret", prefix="whsec_"),
        }
    return values


def announce_web(port: int, host: str = "127.0.0.1") -> None:
    """Tell the sandbox where webhooks go, on behalf of whoever serves the web now; it may change from run to run."""
    run = home() / "run"
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / "web.json", {"webhook_url": f"http://{host}:{port}/stripe/webhook"})


def write_json(path: Path, value: object) -> None:
    """Replace a small file at once, so that no reader sees half of it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value), encoding="utf-8")
    fresh.replace(path)


def kept_secret(name: str, *, prefix: str = "", make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    """A secret made on first use and kept in this home, readable by its owner alone."""
    path = home() / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{name}-") as fresh:  # mode 0600
            fresh.write(prefix + make())
            fresh.flush()
            with contextlib.suppress(FileExistsError):  # another process was quicker: its secret counts
                os.link(fresh.name, path)
    return path.read_text(encoding="utf-8").strip()


def is_held(path: Path) -> bool:
    """Whether another process holds this lock alone. Askers share it, so that none takes another for its holder."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _start(run: Path) -> None:
    """Bring the supervisor up and wait for it, one user at a time."""
    with (run / "launch.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if is_held(run / "ready.lock"):
            return
        said = _launch(run)
        if said != "ready":
            raise ServicesFailed(
                f"The embedded servers did not start ({said or 'their supervisor ended'}). "
                f"The end of {run / 'services.log'}:\n{_log_tail(run)}"
            )


def _launch(run: Path) -> str:
    """Start a detached supervisor, or join one that is busy starting; returns the last word it sends us."""
    hear, say = os.pipe()
    try:
        with (run / "services.log").open("a") as log:
            subprocess.run(
                [sys.executable, "-m", "store.supervisor", str(say)],
                cwd=BASE_DIR,
                env={**os.environ, "CLEARSONG_HOME": str(home())},
                pass_fds=[say],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,  # it says in the pipe what went wrong
            )
    finally:
        os.close(say)
    with os.fdopen(hear) as pipe:
        if not select.select([pipe], [], [], START_SECONDS)[0]:
            return f"not ready after {START_SECONDS} seconds"
        return pipe.read().strip()


def _log_tail(run: Path) -> str:
    lines = (run / "services.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])
