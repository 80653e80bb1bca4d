"""The demo's own processes: web server, Celery workers, beat. One that dies is started again, whoever killed it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.3
STOP_SECONDS = 15


def commands(port: int) -> dict[str, list[str]]:
    """What runs, by name. CPU-bound work has a worker of its own, so that no settlement waits behind an encoder."""
    python = sys.executable
    celery = [python, "-m", "celery", "-A", "store", "worker", "--without-gossip", "--without-mingle", "-l", "info"]
    beat = [python, "-m", "celery", "-A", "store", "beat", "--pidfile=", "-l", "info"]
    return {
        "web": [
            python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--blocking-threads", "8", "--no-ws", "store.wsgi:application",
        ],
        "worker-cpu": [*celery, "-Q", "cpu", "-n", "cpu@%h", "-c", str(os.cpu_count() or 2)],
        "worker-io": [*celery, "-Q", "io", "-n", "io@%h", "-c", "2"],
        "beat": [*beat, "-s", str(settings.HOME / "run" / "beat-schedule")],
    }  # fmt: skip


@dataclass
class _Child:
    name: str
    command: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        parent = os.getpid()

        def prepare() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the demo's alone: it ends its children in order
                preexec_fn=prepare,  # noqa: PLW1509 - one system call
            )

    def tend(self) -> bool:
        """Start it again if it died; whether it had."""
        if self.process is None or self.process.poll() is None:
            return False
        self._signal(signal.SIGKILL)  # its pool may have outlived it
        self.start()
        return True

    def ask_to_stop(self) -> None:
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Keeper:
    """Starts the processes and keeps them up; `restarts` counts by name how often one had to be started again."""

    def __init__(self, port: int) -> None:
        logs = settings.HOME / "log"
        logs.mkdir(parents=True, exist_ok=True)
        self._children = [_Child(name, command, logs / f"{name}.log") for name, command in commands(port).items()]
        self._over = threading.Event()
        self.restarts: dict[str, int] = {}

    def _keep(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for child in self._children:
                if child.tend():
                    self.restarts[child.name] = self.restarts.get(child.name, 0) + 1

    @contextlib.contextmanager
    def running(self) -> Iterator["Keeper"]:
        # PDEATHSIG counts the thread that forked: restarts by the keeper's thread die with it, which is right only
        # because that thread ends after every child has been stopped.
        watch = threading.Thread(target=self._keep, name="keeper")
        try:
            for child in self._children:
                child.start()
            watch.start()
            yield self
        finally:
            self._over.set()
            if watch.ident is not None:
                watch.join()
            for child in self._children:
                child.ask_to_stop()
            for child in self._children:
                child.stop()
