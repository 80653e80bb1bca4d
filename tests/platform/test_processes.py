"""The commands of the compose file, run for real: each part comes up, and its own check finds it well."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from store import health, supervisor
from tests.platform.homes import ROOT, until

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WORKERS = ("worker-cpu", "worker-io")
BIN = Path(sys.executable).parent


def image_command() -> list[str]:
    (line,) = (line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD "))
    command: list[str] = yaml.safe_load(line.removeprefix("CMD "))
    return command


@contextlib.contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process and its children, which have all ended when the block has."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()  # it alone, as Docker does: a child that is just starting and is told so by itself may hang
        try:
            process.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.usefixtures("db")
def test_the_web_comes_up_and_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command, port = image_command(), str(supervisor.free_port(0))
    command[command.index("--port") + 1] = port
    command[command.index("--host") + 1] = "127.0.0.1"
    monkeypatch.setenv("PORT", port)
    with running(command, tmp_path / "log"):
        until(lambda: not health.web())


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("kind", WORKERS)
def test_a_worker_comes_up_and_is_well(kind: str, tmp_path: Path) -> None:
    with running(SERVICES[kind]["command"], tmp_path / "log") as worker:
        until(lambda: worker.poll() is not None or not health.worker())
        assert worker.poll() is None, (tmp_path / "log").read_text()


def test_beat_comes_up_and_is_well(settings, tmp_path: Path) -> None:
    command = [*SERVICES["beat"]["command"], "--schedule", str(tmp_path / "celerybeat-schedule")]
    settings.CELERY_BEAT_SCHEDULE_FILENAME = str(tmp_path / "celerybeat-schedule")
    with running(command, tmp_path / "log") as beat:
        until(lambda: beat.poll() is not None or not health.beat())
        assert beat.poll() is None, (tmp_path / "log").read_text()


def test_a_web_without_its_database_is_ill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command, port = image_command(), str(supervisor.free_port(0))
    command[command.index("--port") + 1] = port
    monkeypatch.setenv("PORT", port)
    with running(command, tmp_path / "log", DATABASE_URL="postgresql:///gone?host=/nowhere", DATABASE_POOL="0"):
        until(lambda: "503" in health.web())


@pytest.mark.parametrize("kind", WORKERS)
def test_two_workers_on_one_machine_are_told_apart(kind: str) -> None:
    """Each container has a host name of its own, and the check asks for the worker of that name."""
    assert "-n" not in SERVICES[kind]["command"]
    assert "hostname" not in SERVICES[kind]
    assert socket.gethostname() in health.worker()
