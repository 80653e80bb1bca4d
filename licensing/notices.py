"""Takedowns, disputes, holds and recalls: who demands what and why, in force with the next request, lifted by a row."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from catalog.models import Party, Recording, Release, Work
from licensing import affected, clearance, dossiers
from licensing.errors import NoticeRefused
from licensing.models import Instrument, Notice, NoticeEnd
from licensing.terms import Layer, NoticeKind

Subject = Recording | Work | Release | Party


def take_down(
    subject: Subject,
    *,
    claimant: str,
    statement: str,
    actor: str,
    at: datetime,
    kind: NoticeKind | str = NoticeKind.TAKEDOWN,
    contact: str = "",
    layer: Layer | str = "",
    instrument: Instrument | None = None,
    answers: Notice | None = None,
    deadline: datetime | None = None,
) -> Notice:
    """Record a notice about a recording, work, release or label, and the refusals that follow from it.

    Both in one transaction: whatever was cleared is refused from the moment the notice is there. A dispute stops the
    `layer` it names, or both. Files and past buyers' copies stay, except after a recall. Raises NoticeRefused.
    """
    if kind not in {*NoticeKind} or layer not in {"", *Layer}:
        raise NoticeRefused(f"{kind!r} about {layer!r} is no notice. Choose one of {', '.join(NoticeKind)}.")
    if not claimant.strip() or not statement.strip():
        raise NoticeRefused("Say who demands it and why; whoever answers the notice needs both.")
    with transaction.atomic():
        found = affected.by_subject(subject)
        clearance.lock(found)
        notice = Notice.objects.create(
            **{_field(subject): subject},
            kind=str(kind),
            layer=str(layer),
            claimant=claimant,
            contact=contact,
            statement=statement,
            instrument=instrument,
            answers=answers,
            deadline=deadline,
            actor=actor,
            at=at,
        )
        clearance.decide_again(found, at=at, actor=actor)
    return notice


def lift(notice: Notice, *, reason: str, actor: str, at: datetime) -> NoticeEnd:
    """End a notice; what it held back is decided anew at once. Raises NoticeRefused where it has ended before."""
    if not reason.strip():
        raise NoticeRefused("Say why the notice is lifted.")
    with transaction.atomic():
        found = affected.by_subject(_subject(notice))
        clearance.lock(found)
        if NoticeEnd.objects.filter(notice=notice).exists():
            raise NoticeRefused("The notice was lifted before. A new demand is a new notice.")
        end = NoticeEnd.objects.create(notice=notice, reason=reason, actor=actor, at=at)
        clearance.decide_again(found, at=at, actor=actor)
    return end


def recalled(recordings: Collection[int], *, at: datetime) -> frozenset[int]:
    """Those of these recordings that past buyers may not fetch again."""
    found = dossiers.load(recordings, at=at)
    keys = {evidence.recording: pk for pk, evidence in found.items()}
    return frozenset(
        keys[evidence.recording]
        for evidence in found.values()
        if any(notice.kind == NoticeKind.RECALL for notice in evidence.notices)
    )


def _field(subject: Subject) -> str:
    names: dict[type, str] = {Recording: "recording", Work: "work", Release: "release", Party: "label"}
    return names[type(subject)]


def _subject(notice: Notice) -> Subject:
    for subject in (notice.recording, notice.work, notice.release, notice.label):
        if subject is not None:
            return subject
    raise NoticeRefused("The notice is about nothing.")
