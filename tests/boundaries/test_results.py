"""Nobody asks the queue what became of a piece of work: it may forget, and the rows know."""

import ast
from pathlib import Path

import pytest
from celery.backends.base import DisabledBackend

from store.celery import app
from tests.boundaries.test_imports import APPS, ROOT, imported, modules

SENDS = {"delay", "apply_async", "send_task"}


def kept(code: str) -> list[int]:
    """Lines where what sending for a worker answers is kept or looked at."""
    tree = ast.parse(code)
    dropped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    dropped |= {id(node.body) for node in ast.walk(tree) if isinstance(node, ast.Lambda)}  # what runs after a commit
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [call.lineno for call in calls if getattr(call.func, "attr", "") in SENDS and id(call) not in dropped]


def test_workers_send_no_results() -> None:
    assert app.conf.task_ignore_result
    assert isinstance(app.backend, DisabledBackend)


@pytest.mark.parametrize("path", list(modules(*APPS)), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_reads_a_result(path: Path) -> None:
    assert not {name for name in imported(path) if name.startswith("celery.result") or name.endswith("AsyncResult")}
    assert kept(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("code", ["x = a.delay(1)", "if a.delay().ready(): pass", "return_(a.apply_async().get())"])
def test_a_result_that_is_read_is_found(code: str) -> None:
    assert kept(code) == [1]
