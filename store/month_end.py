"""The end of a month: statements are issued to all payees, and each is told by mail that hers is there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from payments import months
from payments.models import Statement
from store import earnings, letters
from store.models import Letter
from store.statement_sheets import EARNED_AT, Told
from store.templatetags.shop import micros as in_words


def close_due(*, at: datetime) -> months.Run | None:
    """Close the oldest month that is over and not closed; None where none is. Safe to run again at any moment."""
    owed = months.owed(at=at)
    if owed is None:
        return None
    return close(*owed, at=at)


def close(since: datetime, until: datetime, *, at: datetime) -> months.Run:
    """Issue a period's statements with what each sale was, and owe a letter with each."""
    return months.close_period(since, until, at=at, detail=earnings.DETAIL, tell=_owe_letters)


def _owe_letters(issued: Sequence[Statement]) -> None:
    """In the transaction that issues; the sweep sends them. One statement for all."""
    rows = [_letter(statement) for statement in issued if statement.payee.email]
    Letter.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)


def _letter(statement: Statement) -> Letter:
    told = Told(statement)
    lines = [(word, in_words(micros, statement.currency)) for word, micros in told.summary if micros]
    said: dict[str, Any] = {
        "payee": statement.payee, "number": statement.number, "month": f"{statement.since:%B %Y}", "lines": lines,
        "titles": len({line[EARNED_AT["title"]] for line in told.lines}),
        "site_name": settings.SITE_NAME, "site_url": settings.SITE_URL,
    }  # fmt: skip
    return Letter(
        kind="statement",
        about=statement.number,
        recipient=statement.payee.email.lower(),
        subject=letters.one_line(f"Your statement for {said['month']}")[:200],
        body=render_to_string("emails/statement.txt", said).strip() + "\n",
        owed_at=statement.issued_at,
    )
