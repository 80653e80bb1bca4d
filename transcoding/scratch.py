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

from transcoding import storage
from transcoding.errors import DiskFailed, MasterRefused, ProcessFailed, RenditionWrong

LOCK = ".lock"


def root() -> Path:
    path = Path(settings.HOME) / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """An empty folder for this block."""
    with _gate():
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root()))
        descriptor = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


@contextlib.contextmanager
def unspoilt(path: Path, sha256: str) -> Iterator[None]:
    """What goes wrong with a file in this block is the file's own failure only if it still is what it was. Raises
    DiskFailed where the disk lost or changed it meanwhile."""
    try:
        yield
    except (MasterRefused, ProcessFailed, RenditionWrong) as error:
        try:
            same = storage.sha256_of(path) == sha256
        except OSError:
            same = False
        if not same:
            raise DiskFailed(
                f"The disk changed {path.name} while it was read. Look at this machine's disks."
            ) from error
        raise


@contextlib.contextmanager
def _gate() -> Iterator[None]:
    """One at a time makes a folder or sweeps, so that a folder without a lock is a dead worker's too."""
    descriptor = os.open(root().with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sweep() -> int:
    """Remove what dead workers left; how many folders that were."""
    with _gate():
        left = [path for path in root().iterdir() if not _is_held(path)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
