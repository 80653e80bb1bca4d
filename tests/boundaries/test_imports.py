"""What import-linter cannot see: who may speak to the world, and what the top level holds."""

import ast
import functools
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("store", "payments", "licensing", "transcoding", "catalog")
LOWER = ("payments", "licensing", "transcoding", "catalog")

# Modules whose import gives a power, and the only files that may have it.
ONLY_IN = {
    "stripe": ("payments/gateway.py", "payments/sandbox/"),
    "boto3": ("transcoding/storage.py",),
    "botocore": ("transcoding/storage.py",),
    "subprocess": (
        "transcoding/sandbox.py",
        "store/embedded.py",
        "store/supervisor.py",
        "store/management/commands/demo.py",
        "store/demo/",
    ),
    "multiprocessing": (),
    "pydub": ("transcoding/",),
    "mutagen": ("transcoding/", "store/tagreading.py", "store/demo/"),
    "pypdfium2": ("store/render_pages.py",),  # which runs in the fence
    "requests": ("payments/gateway.py", "store/vies.py"),  # Stripe's own transport; the look-up of VAT numbers
    "httpx": (),
}

# Pure modules: they decide, and can be read, tested and trusted without a database.
PURE = {
    "catalog": ("codes",),
    "licensing": ("territories", "terms", "licences", "rules", "reasons", "risk", "notice_rules", "excerpts"),
    "transcoding": ("formats", "encoders"),
    "payments": ("money",),
    "store": ("royalties", "locations"),
}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All that a file says; many tests ask the same files."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Every module named in an import anywhere in the file, late ones included."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def roots(path: Path) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imported(path))


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_only_its_one_door_uses(library: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in modules(*APPS) if library in roots(path)]
    assert [name for name in found if not name.startswith(ONLY_IN[library])] == []


@pytest.mark.parametrize("app", sorted(PURE))
def test_pure_modules_import_no_django_and_no_models(app: str) -> None:
    for name in PURE[app]:
        path = ROOT / app / f"{name}.py"
        if path.exists():
            impure = {found for found in imported(path) if found.startswith(("django", "celery")) or ".models" in found}
            assert not impure, f"{app}/{name}.py imports {impure}"


@pytest.mark.parametrize("app", LOWER)
def test_lower_apps_know_no_pages_and_no_users(app: str) -> None:
    barred = (
        "django.http",
        "django.shortcuts",
        "django.template",
        "django.urls",
        "django.views",
        "django.contrib.auth",
    )
    for path in modules(app):
        if path.name != "admin.py" and "sandbox" not in path.parts:
            found = {name for name in imported(path) if name.startswith(barred)}
            assert not found, f"{path.relative_to(ROOT)} imports {found}"


@pytest.mark.parametrize("app", LOWER)
def test_lower_apps_name_nothing_of_the_store(app: str) -> None:
    """Nor by a string: a task's name, a dotted path, a model's label."""
    for path in modules(app):
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith("store."), f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"


def test_settings_are_read_through_django() -> None:
    for path in modules(*LOWER):
        assert not any(name.startswith("store") for name in imported(path)), path


def test_processes_are_started_nowhere_else() -> None:
    doors = ONLY_IN["subprocess"]
    for path in modules(*APPS):
        name = str(path.relative_to(ROOT))
        if name.startswith(doors):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                assert not node.attr.startswith(("system", "popen", "exec", "spawn", "posix_spawn", "fork")), name


def test_the_top_level_holds_what_the_contract_names() -> None:
    """import-linter does not notice a new package; this does."""
    listed = subprocess.run(["git", "ls-files", "*/__init__.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    packages = {line.partition("/")[0] for line in listed.stdout.splitlines() if line.count("/") == 1}
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    assert packages <= {*contract, "tests", "benchmarks"}
    assert sorted(contract) == sorted(APPS)
