"""A folder of recordings gets a store of its own; those that nobody uses any more are cleared away."""

import fcntl
from pathlib import Path

from store.demo.__main__ import _fresh_home


def left_behind(folder: Path, name: str) -> Path:
    home = folder / name
    (home / "run").mkdir(parents=True)
    (home / "run" / "users.lock").touch()
    return home


def test_each_run_has_a_new_home_and_old_ones_go(tmp_path: Path) -> None:
    old = left_behind(tmp_path, "old")
    fresh = _fresh_home(tmp_path)
    assert fresh.is_dir()
    assert not old.exists()


def test_a_home_in_use_is_left_alone(tmp_path: Path) -> None:
    used = left_behind(tmp_path, "used")
    with (used / "run" / "users.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        _fresh_home(tmp_path)
    assert used.exists()
