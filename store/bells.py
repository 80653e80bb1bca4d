"""Ringing for the workers. The work owed is a row already; a bell that is lost costs a sweep's few seconds, no more."""

from typing import Any

from django.db import transaction

from store.celery import app


def ring(task: str, *arguments: Any) -> None:
    """Send for a worker once the transaction has committed. A broker that is away is no error of the caller's."""
    transaction.on_commit(lambda: app.send_task(task, arguments), robust=True)
