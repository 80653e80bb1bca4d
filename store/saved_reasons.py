"""The words that reviewers say again and again. A first set comes with the store; reviewers add and retire.

A retired text is not deleted, so that its code is never given to other words.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.text import slugify

from store.errors import NotAllowed
from store.models import SavedReason

REFUSAL, QUESTION = SavedReason.Kind.REFUSAL, SavedReason.Kind.QUESTION
MOST_LETTERS = 500

FIRST: Mapping[str, tuple[SavedReason.Kind, str]] = {
    "licence": (REFUSAL, "The evidence does not name a licence we know, with its version."),
    "other-sound": (REFUSAL, "The statement is about another recording than the one delivered."),
    "not-theirs": (REFUSAL, "The evidence does not show that the licensor holds this right."),
    "unsigned": (REFUSAL, "The agreement is not signed by both sides."),
    "cover": (REFUSAL, "The work is somebody else's: the label's word does not cover it."),
    "terms": (REFUSAL, "The agreement does not cover the uses, countries or dates of the record."),
    "ask-page": (QUESTION, "A page is missing or cannot be read. Please send the whole document again."),
    "ask-writers": (QUESTION, "Who wrote this work, and is any of them a member of a collecting society?"),
    "ask-signer": (QUESTION, "Who signed this, and in whose name may they sign?"),
    "ask-source": (QUESTION, "Where and by whom was this recorded, and who paid for it?"),
}


def saved(kind: SavedReason.Kind | str = REFUSAL) -> list[SavedReason]:
    """The texts in use, in their order. One statement."""
    return list(SavedReason.objects.filter(kind=str(kind), retired_at=None))


def save(text: str, *, kind: SavedReason.Kind | str = REFUSAL, actor: str) -> SavedReason:
    """Keep a text for everybody's next time; the same text twice is one. Raises NotAllowed for none or too much."""
    said = " ".join(text.split())
    if not said or len(said) > MOST_LETTERS:
        raise NotAllowed(f"A saved text has one to {MOST_LETTERS} letters. Shorten it, or write it by hand.")
    known = SavedReason.objects.filter(kind=str(kind), text=said).first()
    if known is not None:
        SavedReason.objects.filter(pk=known.pk).update(retired_at=None)
        known.retired_at = None
        return known
    stem = slugify(said)[:30].strip("-") or "text"
    taken = set(SavedReason.objects.filter(code__startswith=stem).values_list("code", flat=True))
    code = next(code for code in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if code not in taken)
    return SavedReason.objects.create(code=code, kind=str(kind), text=said, saved_by=actor)


def retire(reason: SavedReason, *, at: datetime) -> None:
    SavedReason.objects.filter(pk=reason.pk).update(retired_at=at)


def keep(
    sender: AppConfig,  # noqa: ARG001 - the signal's own signature
    *,
    using: str = DEFAULT_DB_ALIAS,
    **_signal: Any,
) -> None:
    """The first set, where it is not there yet; a `post_migrate` handler, so the table may be still to come."""
    if using != DEFAULT_DB_ALIAS or SavedReason._meta.db_table not in connections[using].introspection.table_names():
        return
    SavedReason.objects.bulk_create(
        (
            SavedReason(code=code, kind=str(kind), text=text, position=10 * place)
            for place, (code, (kind, text)) in enumerate(FIRST.items(), start=1)
        ),
        ignore_conflicts=True,
    )
