"""What was altered after its approval, as reviewers read it: which bytes, since when, and what rests on them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import CharField, Count, F, Q, Value, Window
from django.db.models.functions import Cast, Coalesce, NullIf, RowNumber

from licensing.models import ByteCheck, GrantEvidence
from licensing.models.scrubbing import Place
from licensing.terms import EvidenceKind
from transcoding.models import Master

NAMED = 5  # records that a line names; the others are counted


@dataclass(frozen=True)
class Resting:
    """Something that rests on altered bytes: a licence record, or (for a master, without `record_id`) a recording."""

    title: str
    record_id: UUID | None = None


@dataclass
class Altered:
    """One line of the list."""

    what: str
    sha256: str
    found_sha256: str
    since: datetime | None
    checked_at: datetime | None
    name: str = ""
    resting: list[Resting] = field(default_factory=list)
    more: int = 0


def read(checks: Iterable[ByteCheck]) -> list[Altered]:
    """A line for each, with the first few things that rest on it. Four queries, whatever their number."""
    rows = list(checks)
    lines = {
        row.pk: Altered(
            what="Master" if row.place == Place.AUDIO else "Evidence",
            sha256=row.sha256,
            found_sha256=row.found_sha256 or "",
            since=row.altered_at,
            checked_at=row.checked_at,
        )
        for row in rows
    }
    contents = {row.key: lines[row.pk] for row in rows if row.place != Place.AUDIO}
    texts = [int(row.key) for row in rows if row.place == Place.TEXT]
    _name_records(contents, texts)
    _name_recordings({row.sha256: lines[row.pk] for row in rows if row.place == Place.AUDIO})
    return list(lines.values())


def _name_records(contents: dict[str, Altered], texts: list[int]) -> None:
    if not contents:
        return
    content = Coalesce(
        NullIf(Cast("instrument__file", CharField()), Value("")),
        Cast("instrument_id", CharField()),
        output_field=CharField(),
    )
    about = Q(instrument__file__in=[key for key in contents if "/" in key]) | Q(instrument_id__in=texts)
    links = GrantEvidence.objects.filter(about, grant__successor=None).annotate(content=content)
    for key, number in links.values_list("content").annotate(number=Count("grant__record_id", distinct=True)):
        contents[key].more = max(0, number - NAMED)
    first = links.annotate(place=Window(RowNumber(), partition_by=F("content"), order_by=F("grant_id").desc()))
    for link in first.filter(place__lte=NAMED).select_related(
        "instrument", "grant__recording", "grant__work", "grant__catalogue"
    ):
        line, grant = contents[link.content], link.grant
        line.what = EvidenceKind(link.instrument.kind).replace("_", " ").capitalize()
        line.name = link.instrument.name or ""
        subject = grant.recording or grant.work or grant.catalogue
        line.resting.append(Resting(str(subject), grant.record_id))


def _name_recordings(masters: dict[str, Altered]) -> None:
    if not masters:
        return
    found: dict[str, list[str]] = defaultdict(list)
    rows = Master.objects.filter(file_sha256__in=list(masters), state=Master.State.ACCEPTED).order_by("pk")
    for sha256, title in rows.values_list("file_sha256", "recording__title"):
        found[sha256].append(title)
    for sha256, titles in found.items():
        masters[sha256].resting = [Resting(title) for title in titles[:NAMED]]
        masters[sha256].more = max(0, len(titles) - NAMED)
