"""Walking a folder that a stranger filled: what lies in it, in a fixed order, and what must not be opened. Pure.

Nothing outside the folder is ever read: links are followed only where they end inside it, and then the file they name
is taken in its own place. Pipes, sockets and devices are not opened at all.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.words import clean

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
SHOWN_LENGTH = 1000
CHUNK = 1024 * 1024
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the folder. `shown` is its path as it can be stored and printed; with a `code`, leave it alone."""

    path: Path
    shown: str
    bytes: int = 0
    code: str = ""
    message: str = ""

    @property
    def is_image(self) -> bool:
        return self.path.suffix.lower() in IMAGES


def walk(folder: Path) -> list[Entry]:
    """Every file below `folder`, in the order of `place`. Raises NotADirectoryError."""
    root = folder.resolve()
    if not root.is_dir():
        raise NotADirectoryError(str(folder))
    return sorted(_entries(root), key=lambda entry: place(entry.shown))


def place(shown: str) -> tuple[tuple[int, object], ...]:
    """A key that puts a folder's files before its folders, and sorts numbers in names as numbers."""
    *parents, name = shown.split("/")
    return (*((1, natural(parent)) for parent in parents), (0, natural(name)))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key under which "2" comes before "10", whatever the case."""
    parts = _DIGITS.split(text.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _entries(root: Path) -> Iterator[Entry]:
    for parent, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_litter(name)]
        for name in [*folders, *files]:
            path = Path(parent, name)
            if not _is_litter(name) and (name in files or path.is_symlink()):
                yield _entry(root, path)


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in LITTER


def _entry(root: Path, path: Path) -> Entry:
    shown = clean(str(path.relative_to(root)), limit=SHOWN_LENGTH)
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        if target.is_relative_to(root) and target.exists():
            return Entry(path, shown, code="LINK", message="A link; what it names is taken in its own place.")
        message = "A link that leads out of the folder; put the file itself here."
        return Entry(path, shown, code="LINK_OUTSIDE", message=message)
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return Entry(path, shown, code="NOT_A_FILE", message="Not a regular file; put a file here.")
    if status.st_size == 0:
        return Entry(path, shown, code="EMPTY", message="The file is empty; export or upload it again.")
    return Entry(path, shown, bytes=status.st_size)


def sha256_of(path: Path) -> str:
    """Piece by piece, whatever the size; refuses (OSError) a file that became a link since it was looked at."""
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
