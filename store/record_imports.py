"""Tables of licence records (CSV): read, staged as what they would change, and applied all at once or not at all.

A line asks the same questions as the form (`record_forms`) and is refused in the same words, by line and column. A
line with a record's id changes that record by a new version; without one it hands in a new record, unless the very
same is on file. What is applied is what was shown: if something else would happen by then, it is shown again.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.files import File
from django.db import transaction
from django.utils import timezone

from catalog.codes import ISRC, ISWC
from catalog.errors import CodeError
from catalog.models import Party, Recording
from licensing.errors import LicensingError
from licensing.models import Instrument, LicenceGrant
from licensing.terms import EvidenceKind, Layer
from store import records, submissions
from store.errors import ImportRefused
from store.forms import TermsForm
from store.models import RecordImport
from store.record_fields import share_text
from store.record_forms import RecordForm, said_by
from store.submissions import Papers, Subject

MOST_LINES = 1000
MOST_BYTES = 2 * 1024**2
YES, NO = frozenset({"yes", "y", "true", "1", "x"}), frozenset({"", "no", "n", "false", "0"})
RISKY = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for a formula
ALL = {"all recordings": Layer.RECORDING, "all works": Layer.WORK}

# Column of the table, field of the form, and what it holds; the order is that of the template.
COLUMNS: dict[str, tuple[str, str]] = {
    "record": ("", "empty for a new record; the id of one to change"),
    "about": ("", "ISRC, ISWC, an id from the download, “all recordings” or “all works”"),
    "title": ("", "for you to read; it decides nothing"),
    "licensor": ("licensor", "who holds the right; empty: your label"),
    "licensor_ipi": ("licensor_ipi", "11 digits"),
    "basis": ("basis", "DIRECT, CMO, STATUTORY, PASS_THROUGH, PUBLIC_LICENCE, PD, CC_PLUS, DDEX_DEAL"),
    "agreement": ("agreement", "its number"),
    "licence": ("licence", "the public licence's address, with its version"),
    "uses": ("uses", "PERMANENT_DOWNLOAD FREE_DOWNLOAD PREVIEW STREAM REDOWNLOAD"),
    "countries": ("countries", "world; DE, AT; world except US, CA; EU"),
    "from": ("starts_on", "2026-01-31; empty: from the start"),
    "until": ("ends_on", "the last day, 2030-12-31; empty: no end"),
    "share": ("share", "100 %, 33.5 % or 1/3"),
    "exclusive": ("exclusive", "yes or no"),
    "price_minimum": ("price_minimum", "0.99"),
    "price_currency": ("price_currency", "EUR"),
    "redownload": ("redownload_rule", "ALWAYS, NOTICE_PERIOD or NEVER"),
    "preview_seconds": ("preview_max_seconds", "30"),
    "edits_allowed": ("edits_allowed", "yes or no"),
    "free_consent": ("free_consent", "yes or no"),
    "drm_required": ("drm_required", "yes or no"),
    "writers": ("cmo_status", "UNKNOWN, NOT_BOUND, CARVED_OUT or EXCLUSIVE"),
    "society": ("cmo_name", "its name"),
    "society_licence": ("cmo_licence_number", "the number of its licence"),
    "mandate_proven": ("cmo_mandate_proven", "yes or no"),
    "in_repertoire": ("cmo_in_repertoire", "yes or no"),
    "tariff": ("tariff", "its name"),
    "statutory_condition": ("statutory_condition_met", "yes or no"),
    "material": ("material", "empty, COVER, SAMPLE, REMIX or ARRANGEMENT"),
    "layer": ("layer", "for other people's music in it: RECORDING or WORK"),
    "evidence_kind": ("evidence_kind", "AGREEMENT, SOCIETY_LICENCE, CHAIN_OF_TITLE, LICENCE_PAGE …"),
    "evidence": ("papers", "names of the files handed in with the table, apart by ;"),
}
_BOOLEANS = frozenset(
    column for column, (name, _) in COLUMNS.items() if name in RecordForm.base_fields
    and RecordForm.base_fields[name].__class__.__name__ == "BooleanField"
)  # fmt: skip
_COLUMN_OF = {name: column for column, (name, _) in COLUMNS.items() if name} | {
    "where": "countries", "evidence_text": "evidence", "__all__": "",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What is wrong in one cell, and what to do; `column` is empty where it is about the whole line."""

    column: str
    message: str


@dataclass
class Line:
    """One line of the table and what it would do: `new`, `change`, `same` or `refused`."""

    number: int
    cells: dict[str, str]
    title: str = ""
    outcome: str = "refused"
    faults: list[Fault] = field(default_factory=list)
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    subject: Subject | None = field(default=None, repr=False)
    grant: LicenceGrant | None = field(default=None, repr=False)
    form: RecordForm | None = field(default=None, repr=False)

    def refuse(self, column: str, message: str) -> None:
        self.faults.append(Fault(column, message))


@dataclass
class Plan:
    """What a table would do, line by line."""

    lines: list[Line]

    @cached_property
    def counts(self) -> dict[str, int]:
        return {
            outcome: sum(line.outcome == outcome for line in self.lines)
            for outcome in ("new", "change", "same", "refused")
        }

    @property
    def may_apply(self) -> bool:
        return not self.counts["refused"] and bool(self.counts["new"] or self.counts["change"])

    @property
    def sha256(self) -> str:
        said = [
            [line.number, line.outcome, line.grant.version if line.grant else 0, line.changes,
             [[fault.column, fault.message] for fault in line.faults]]
            for line in self.lines
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


# Reading the table


def read_table(text: str) -> list[tuple[int, dict[str, str]]]:
    """The lines by number, each as cells by column. Raises ImportRefused where it is no such table."""
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        _check_head(head)
        found = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(head):
                raise ImportRefused(
                    f"Line {reader.line_num} has {len(cells)} cells and the first line {len(head)}. Put cells that "
                    "hold the separator into quotation marks."
                )
            found.append((reader.line_num, {name: _plain(cell) for name, cell in zip(head, cells, strict=False)}))
    except csv.Error as error:
        raise ImportRefused(f"Line {reader.line_num} cannot be read as CSV: {error}.") from None
    if not found:
        raise ImportRefused("The table has no line below its first. Fill in one line for each record.")
    if len(found) > MOST_LINES:
        raise ImportRefused(f"The table has {len(found):,} lines; hand in at most {MOST_LINES:,} at a time.")
    return found


def _check_head(head: Sequence[str]) -> None:
    unknown = [name for name in head if name not in COLUMNS]
    if unknown:
        raise ImportRefused(f"There is no column “{unknown[0][:40]}”. The columns are {', '.join(COLUMNS)}.")
    twice = [name for name in COLUMNS if head.count(name) > 1]
    if twice:
        raise ImportRefused(f"The column “{twice[0]}” stands there twice. Take one out.")
    missing = [name for name in ("about", "basis") if name not in head]
    if missing:
        raise ImportRefused(f"The column “{missing[0]}” is missing. Begin with the template.")


def _plain(cell: str) -> str:
    """A cell as it was meant: our own downloads put an apostrophe before what a spreadsheet would reckon with."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in RISKY else text


def decode(data: bytes) -> str:
    """The table's text. Raises ImportRefused for what is no text, or too much."""
    if len(data) > MOST_BYTES:
        raise ImportRefused(f"The table is larger than {MOST_BYTES // 1024**2} MB. Hand it in in parts.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ImportRefused("The table is not in UTF-8. Save it as “CSV UTF-8” and hand it in again.") from None


# Staging


def stage(label: Party, *, file_name: str, data: bytes, papers: "Iterable[File[bytes]]", actor: str) -> RecordImport:
    """Keep a table and the evidence that came with it. Nothing counts yet. Raises ImportRefused, EvidenceRefused."""
    text = decode(data)
    lines = read_table(text)
    files = {file.name or "": file for file in papers}
    wanted = {
        (name, cells.get("evidence_kind") or EvidenceKind.AGREEMENT.value)
        for _, cells in lines
        for name in _names(cells.get("evidence", ""))
    }
    kept = {
        f"{kind}:{name}": submissions.keep_file(files[name], kind=kind, actor=actor).pk
        for name, kind in sorted(wanted)
        if name in files and kind in {*EvidenceKind}
    }
    return RecordImport.objects.create(label=label, file_name=file_name[:200], text=text, papers=kept, actor=actor)


def _names(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(";") if name.strip()]


def show(staged: RecordImport) -> Plan:
    """What a staged table would do now; it is remembered, so that nothing else is applied."""
    made = plan(staged)
    RecordImport.objects.filter(pk=staged.pk, state=RecordImport.State.STAGED).update(plan_sha256=made.sha256)
    return made


def plan(staged: RecordImport) -> Plan:
    """What a staged table would do, in a fixed number of statements, whatever the number of its lines."""
    lines = [Line(number, cells) for number, cells in read_table(staged.text)]
    known = _Known.of(staged, lines)
    seen: dict[tuple[Any, ...], int] = {}
    for line in lines:
        known.find_subject(line)
        if line.subject is not None:
            line.title = line.subject.title
            _ask(line, known)
        if not line.faults:
            _compare(line, known)
            _refuse_twice(line, seen)
        if line.faults:
            line.outcome = "refused"
    return Plan(lines)


def _refuse_twice(line: Line, seen: dict[tuple[Any, ...], int]) -> None:
    key = (line.grant.record_id,) if line.grant else tuple(sorted(line.cells.items()))
    earlier = seen.setdefault(key, line.number)
    if earlier != line.number:
        line.refuse("record", f"Line {earlier} is about the same record. Take one of them out.")


@dataclass
class _Known:
    """All that the lines could name, read at once."""

    label: Party
    papers: dict[str, Instrument]
    subjects: dict[str, Subject]
    grants: dict[UUID, LicenceGrant]
    kinds: dict[int, set[str]]
    standing: dict[tuple[str, int, str], list[LicenceGrant]]

    @classmethod
    def of(cls, staged: RecordImport, lines: Sequence[Line]) -> "_Known":
        label = staged.label
        kept = Instrument.objects.in_bulk(list(staged.papers.values()))
        papers = {name: kept[key] for name, key in staged.papers.items() if key in kept}
        subjects = _subjects(label, lines)
        named = {key for line in lines if (key := _uuid(line.cells.get("record", "")))}
        mine = records.of_label(label).prefetch_related("evidence")
        grants = {grant.record_id: grant for grant in mine.filter(record_id__in=named)}
        standing: dict[tuple[str, int, str], list[LicenceGrant]] = {}
        rows = {subject.row.pk for subject in subjects.values()}
        at = timezone.now()
        live = records.in_groups(mine, "waiting", "approved", at=at)
        for column in ("recording", "work", "catalogue"):
            for grant in live.filter(**{f"{column}__in": rows}):
                about = (column, getattr(grant, f"{column}_id"), grant.layer)
                standing.setdefault(about, []).append(grant)
        kinds = {grant.pk: {one.kind for one in grant.evidence.all()} for grant in grants.values()}
        return cls(label, papers, subjects, grants, kinds, standing)

    def find_subject(self, line: Line) -> None:
        """What the line is about, and the record it changes."""
        about, record_id = line.cells.get("about", ""), line.cells.get("record", "")
        if record_id:
            grant = self.grants.get(_uuid(record_id) or UUID(int=0))
            if grant is None or not submissions.is_own(self.label, grant):
                line.refuse("record", f"There is no record “{record_id[:40]}” of yours. Leave it empty for a new one.")
                return
            line.grant, line.subject = grant, submissions.subject_of_grant(grant)
            return
        line.subject = self.subjects.get(about.casefold())
        if line.subject is None:
            line.refuse(
                "about",
                f"“{about[:60]}” is no recording or work of yours. Write its ISRC or ISWC, or the id that the download "
                "gives it, or “all recordings” or “all works”." if about
                else "Say what the record is about: an ISRC, an ISWC, “all recordings” or “all works”.",
            )  # fmt: skip


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _subjects(label: Party, lines: Sequence[Line]) -> dict[str, Subject]:
    """Everything that a line may be about, by what stands in the table."""
    wanted = {line.cells.get("about", "") for line in lines}
    codes, ids = {code for each in wanted if (code := _code(each))}, {key for each in wanted if (key := _uuid(each))}
    found = {words: Subject(label, layer.value) for words, layer in ALL.items()}
    recordings = Recording.objects.filter(label=label)
    works = submissions.works_of(label)
    for rows, layer, code in ((recordings, Layer.RECORDING, "isrc"), (works, Layer.WORK, "iswc")):
        for row in (rows.filter(**{f"{code}__in": codes}) | rows.filter(public_id__in=ids)).distinct():
            subject = Subject(row, layer.value)
            found[str(row.public_id)] = subject
            for each in wanted:
                if getattr(row, code) and _code(each) == getattr(row, code):
                    found[each.casefold()] = subject
    return found


def _code(text: str) -> str:
    for code in (ISRC, ISWC):
        try:
            return code.parse(text).text
        except CodeError:
            continue
    return ""


def _ask(line: Line, known: _Known) -> None:
    """Put the line to the form, and the form's refusals to the columns."""
    assert line.subject is not None  # noqa: S101 - found before
    kept = known.kinds.get(line.grant.pk, set()) if line.grant else set()
    kind = line.cells.get("evidence_kind") or EvidenceKind.AGREEMENT.value
    if line.cells.get("evidence") and kind not in {*EvidenceKind}:
        line.refuse("evidence_kind", f"“{kind[:40]}” is no kind of evidence. Choose one of {', '.join(EvidenceKind)}.")
        return
    for name in _names(line.cells.get("evidence", "")):
        if f"{kind}:{name}" in known.papers:
            kept = kept | {kind}
        else:
            line.refuse("evidence", f"No file “{name[:60]}” came with the table. Hand it in together with it.")
    initial = said_by(line.grant) if line.grant else {}
    granted = line.cells.get("licensor", "")
    if line.grant is not None and granted and granted.casefold() != initial["licensor"].casefold():
        line.refuse("licensor", "Who granted never changes in a record. End it, and hand in a new one.")
    line.form = RecordForm(_answers(line, initial), {}, initial=initial, kept=kept, layers=line.subject.layers)
    if not line.form.is_valid():
        named = {fault.column for fault in line.faults}
        for name, messages in line.form.errors.items():
            column = _COLUMN_OF.get(name, name)
            for message in messages if column not in named else ():
                line.refuse(column, str(message))


def _answers(line: Line, initial: dict[str, Any]) -> dict[str, Any]:
    """The line as a browser would have sent it; a column that is not in the table stays as it is."""
    usual = {name: each.initial for name, each in RecordForm.base_fields.items() if each.initial is not None}
    answers: dict[str, Any] = {**usual, **initial}
    for column, cell in line.cells.items():
        name = COLUMNS[column][0]
        if not name or name in {"papers", "countries", "uses"}:
            continue
        if column in _BOOLEANS:
            if cell.lower() not in YES | NO:
                line.refuse(column, f"“{cell[:20]}” is neither yes nor no.")
            answers[name] = cell.lower() in YES
        elif cell or line.grant is not None:
            answers[name] = cell.upper() if name in _TERMS else cell
    if line.cells.get("uses"):
        answers["uses"] = line.cells["uses"].upper().replace(",", " ").replace(";", " ").split()
    if "countries" in line.cells:
        answers |= _where(line.cells["countries"])
    return {name: "" if value is None else value for name, value in answers.items()}


_TERMS = frozenset({"basis", "redownload_rule", "cmo_status", "material", "layer", "evidence_kind", "price_currency"})


def _where(cell: str) -> dict[str, str]:
    """ "world", "world except US, CA" or "DE, AT" as the form asks for it."""
    words = cell.strip()
    low = words.lower()
    if low in {"", "world", "worldwide"}:
        return {"where": TermsForm.WORLD, "countries": ""}
    for head in ("world except", "worldwide except", "world but"):
        if low.startswith(head):
            return {"where": TermsForm.EXCEPT, "countries": words[len(head) :].strip(" :")}
    return {"where": TermsForm.ONLY, "countries": words.removeprefix("only ")}


def _compare(line: Line, known: _Known) -> None:
    """Whether the line is new, a change, or on file as it is."""
    form, subject = line.form, line.subject
    assert form is not None  # noqa: S101 - a line without faults was asked
    assert subject is not None  # noqa: S101 - the same
    brings = bool(_names(line.cells.get("evidence", "")))
    if line.grant is not None:
        columns = submissions.differences(line.grant, form)
        line.changes = _changes(line.grant, form, columns)
        line.outcome = "change" if columns or brings else "same"
        return
    layer = form.cleaned_data["layer"] if form.cleaned_data["material"] else subject.layer
    name = form.cleaned_data["licensor"].strip().casefold() or known.label.name.casefold()
    for grant in known.standing.get((subject.column, subject.row.pk, layer), []):
        if grant.licensor.party.name.casefold() == name and not submissions.differences(grant, form):
            line.outcome = "same"
            return
    line.outcome = "new"


def _changes(grant: LicenceGrant, form: RecordForm, columns: Sequence[str]) -> list[tuple[str, str, str]]:
    """What stands there and what the table says, column by column, as a table writes it."""
    before, after = cells_of(grant), _cells(form)
    names = {_COLUMN_OF.get(_FIELD_OF.get(column, column), column) for column in columns}
    return [(name, before.get(name, ""), after.get(name, "")) for name in COLUMNS if name in names]


_FIELD_OF = {
    "territories": "countries", "licence_url": "licence", "licence_statement": "licence",
    "price_minimum_minor": "price_minimum",
}  # fmt: skip


# Applying


def apply(staged: RecordImport, *, actor: str, at: datetime | None = None) -> int:
    """Do what was shown, all of it or nothing; how many records that made or changed. Raises ImportRefused."""
    with transaction.atomic():
        label = Party.objects.select_for_update(no_key=True).get(pk=staged.label_id)
        mine = RecordImport.objects.select_for_update(no_key=True).get(pk=staged.pk)
        if mine.state != RecordImport.State.STAGED:
            raise ImportRefused("This table was applied or dropped before. Hand it in again to use it once more.")
        made = plan(mine)
        if not made.may_apply:
            raise ImportRefused("Not every line can be taken. Correct the table and hand it in again.")
        if made.sha256 != mine.plan_sha256:
            raise ImportRefused("Your records changed since this was shown. Look at it again, then apply it.")
        papers = Instrument.objects.in_bulk(list(mine.papers.values()))
        done = sum(_do(line, mine, papers, label=label, actor=actor) for line in made.lines)
        RecordImport.objects.filter(pk=mine.pk).update(
            state=RecordImport.State.APPLIED, made=done, ended_at=at or timezone.now()
        )
    return done


def _do(line: Line, staged: RecordImport, papers: dict[int, Instrument], *, label: Party, actor: str) -> bool:
    if line.outcome == "same":
        return False
    assert line.form is not None  # noqa: S101 - a line without faults was asked
    assert line.subject is not None  # noqa: S101 - the same
    kind = line.cells.get("evidence_kind") or EvidenceKind.AGREEMENT.value
    with_it = [papers[staged.papers[f"{kind}:{name}"]] for name in _names(line.cells.get("evidence", ""))]
    said = Papers(line.form, label, actor).keep()  # texts: rows, and no file
    try:
        if line.grant is not None:
            submissions.renew(line.grant, line.form, [*with_it, *said], actor=actor)
        else:
            submissions.record(line.subject, line.form, [*with_it, *said], label=label, actor=actor)
    except LicensingError as refusal:
        raise ImportRefused(f"Line {line.number}: {refusal}") from refusal
    return True


def drop(staged: RecordImport, *, at: datetime | None = None) -> None:
    """Put a staged table away; nothing of it counts."""
    RecordImport.objects.filter(pk=staged.pk, state=RecordImport.State.STAGED).update(
        state=RecordImport.State.DROPPED, ended_at=at or timezone.now()
    )


# Writing tables


def template() -> list[list[str]]:
    """The first line of a table; what each column holds is for the page to say."""
    return [list(COLUMNS)]


def rows(label: Party) -> Iterator[list[str]]:
    """The label's own records that stand, as a table that can be changed and handed in again."""
    yield list(COLUMNS)
    live = records.in_groups(records.of_label(label), "waiting", "approved", at=timezone.now())
    for grant in live.order_by("pk").iterator(chunk_size=500):
        if submissions.is_own(label, grant):
            cells = cells_of(grant)
            yield [safe(cells.get(column, "")) for column in COLUMNS]


def cells_of(grant: LicenceGrant) -> dict[str, str]:
    """A record as a line of a table."""
    subject = submissions.subject_of_grant(grant)
    about = f"all {subject.kind}" if subject.column == "catalogue" else str(subject.row.public_id)
    said = said_by(grant)
    return {"record": str(grant.record_id), "about": about, "title": subject.title} | _written(said)


def _cells(form: RecordForm) -> dict[str, str]:
    data = form.cleaned_data
    where = {"ONLY": TermsForm.ONLY}.get(data["territory_mode"], TermsForm.EXCEPT)
    said = {**data, "where": where, "countries": ", ".join(data["territories"])}
    return _written({**said, "share": share_text(data["share"])})


def _written(said: dict[str, Any]) -> dict[str, str]:
    cells = {}
    for column, (name, _) in COLUMNS.items():
        value = said.get(name)
        if not name or name in {"papers", "evidence_kind"}:
            continue
        if column in _BOOLEANS:
            cells[column] = "yes" if value else "no"
        elif name == "uses":
            cells[column] = " ".join(sorted(value or ()))
        elif name == "countries":
            codes = value or ""
            cells[column] = codes if said["where"] == TermsForm.ONLY else f"world except {codes}" if codes else "world"
        else:
            cells[column] = "" if value is None else str(value)
    return cells


def safe(cell: str) -> str:
    """A cell that a spreadsheet takes for text, whatever it begins with."""
    return f"'{cell}" if cell[:1] in RISKY else cell
