"""A folder of its own for each piece of work, under the instance's home, that outlives no worker.

The folder's lock is held as long as its process lives, however that ends; a folder whose lock is free belongs to a
dead worker, and whoever comes next removes it. So `kill -9` leaves no orphan behind for longer than one sweep.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

LOCK = ".lock"


def root() -> Path:
    path = Path(settings.HOME) / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """An empty folder for this block."""
    path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root()))
    descriptor = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep() -> int:
    """Remove what dead workers left; how many folders that were. A folder not yet locked is left for the next time."""
    removed = 0
    for path in root().iterdir():
        try:
            descriptor = os.open(path / LOCK, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
        finally:
            os.close(descriptor)
    return removed
