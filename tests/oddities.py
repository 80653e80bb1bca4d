"""The hundred odd files that mutagen, the library that reads our tags, tests itself with; fetched, not kept here.

Its source archive comes by pip into the cache folder, once; without a network, tests that ask for them skip.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

import pytest

VERSION = "1.48.1"
SHA256 = "8f95637ab9f6f305cec6bd1294e197debe207998e3e068596563c74f86b0a173"


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clearsong-tests"


def _archive() -> Path:
    path = _folder() / f"mutagen-{VERSION}.tar.gz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        asked = ["download", "--quiet", "--no-binary", ":all:", "--no-deps", "--dest", str(path.parent)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", *asked, f"mutagen=={VERSION}"], check=False, capture_output=True
        )
        if done.returncode or not path.exists():
            pytest.skip(f"pip could not fetch the source of mutagen {VERSION}; once it could, it is kept")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


@cache
def odd_files() -> dict[str, bytes]:
    """Bytes by name: cut headers, broken tags, empty files, formats nobody sells."""
    with tarfile.open(_archive()) as archive:
        kept = [one for one in archive if one.isfile() and "/tests/data/" in one.name]
        return {Path(one.name).name: archive.extractfile(one).read() for one in kept}
