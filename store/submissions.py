"""Licence records as labels hand them in: a new one, a change of one, and the evidence that comes along.

Evidence is kept before any row is written: it may go to a storage far away. What a label handed in, or granted itself,
it may change; a record of somebody else about its music it may only read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.core.files import File
from django.db import transaction
from django.db.models import Q

from catalog import parties
from catalog.models import Party, Recording, Work
from licensing import grants, instruments
from licensing.models import Instrument, LicenceGrant
from licensing.terms import CmoStatus, EvidenceKind, Layer
from licensing.territories import TerritorySet
from store import render_pages
from store.errors import RecordRefused
from store.record_forms import CMO_WORDS, RecordForm


@dataclass(frozen=True)
class Subject:
    """What a record is about: one recording, one work, or the label's whole catalogue in one layer."""

    row: Recording | Work | Party
    layer: str

    @property
    def kind(self) -> str:
        if isinstance(self.row, Party):
            return "recordings" if self.layer == Layer.RECORDING else "works"
        return "recording" if isinstance(self.row, Recording) else "work"

    @property
    def title(self) -> str:
        if isinstance(self.row, Party):
            return f"All {self.kind} of {self.row}"
        return self.row.full_title if isinstance(self.row, Recording) else self.row.title

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    @property
    def column(self) -> str:
        return "catalogue" if isinstance(self.row, Party) else self.kind


def subject_of(label: Party, kind: str, public_id: UUID | str) -> Subject | None:
    """The label's own recording, work or catalogue of that address; None for anything else."""
    if kind in {"recordings", "works"}:
        layer = Layer.RECORDING if kind == "recordings" else Layer.WORK
        return Subject(label, layer.value) if str(label.public_id) == str(public_id) else None
    if kind == "recording":
        recording = Recording.objects.filter(label=label, public_id=public_id).first()
        return Subject(recording, Layer.RECORDING.value) if recording else None
    work = works_of(label).filter(public_id=public_id).first() if kind == "work" else None
    return Subject(work, Layer.WORK.value) if work else None


def works_of(label: Party) -> Any:
    """The works that are heard in the label's recordings, or in which it has a share."""
    return Work.objects.filter(
        Q(pk__in=Work.objects.filter(recordings__label=label).values("pk"))
        | Q(pk__in=Work.objects.filter(shares__party=label).values("pk"))
    )


def subject_of_grant(grant: LicenceGrant) -> Subject:
    row = grant.recording or grant.work or grant.catalogue
    assert row is not None  # noqa: S101 - the constraint `grant_one_subject`
    return Subject(row, grant.layer)


def is_own(label: Party, grant: LicenceGrant) -> bool:
    """Whether the label may change or end a record: it handed it in, or it is the one who granted."""
    return label.pk in {grant.submitted_for_id, grant.licensor.party_id}


# Evidence


@dataclass
class Papers:
    """The evidence that comes with one form, kept on the first call and once."""

    form: RecordForm
    label: Party
    actor: str
    _kept: list[Instrument] | None = field(default=None, repr=False)

    def keep(self) -> list[Instrument]:
        if self._kept is None:
            self._kept = list(self._capture())
        return self._kept

    def _capture(self) -> Iterable[Instrument]:
        data = self.form.cleaned_data
        kind = data["evidence_kind"] or EvidenceKind.AGREEMENT
        for file in data["papers"]:
            yield keep_file(file, kind=kind, actor=self.actor)
        if data["evidence_text"].strip():
            yield instruments.capture(kind, text=data["evidence_text"].strip(), actor=self.actor)
        stated = data["licence"].strip()
        if stated and stated != self.form.initial.get("licence"):
            text = f"{stated}\n\nStated for {self.label.name} by {self.actor}. The address was not fetched."
            yield instruments.capture(EvidenceKind.STATEMENT, text=text, actor=self.actor)
        status = data["cmo_status"]
        if status in {CmoStatus.NOT_BOUND, CmoStatus.CARVED_OUT} and status != self.form.initial.get("cmo_status"):
            text = f"{CMO_WORDS[CmoStatus(status)]}.\n\nDeclared for {self.label.name} by {self.actor}."
            yield instruments.capture(EvidenceKind.DECLARATION, text=text, actor=self.actor)


def keep_file(file: "File[bytes]", *, kind: str, actor: str) -> Instrument:
    """One uploaded file as evidence, of the type that its first bytes say."""
    file.seek(0)
    data = file.read()
    media_type = render_pages.kind_of(data[:8192]) or "application/octet-stream"
    return instruments.capture(kind, data=data, media_type=media_type, name=file.name or "", actor=actor)


# Acts


def hand_in(subject: Subject, form: RecordForm, *, label: Party, actor: str) -> LicenceGrant:
    """Record what the form says. Raises LicensingError."""
    papers = Papers(form, label, actor).keep()
    with transaction.atomic():
        return record(subject, form, papers, label=label, actor=actor)


def record(subject: Subject, form: RecordForm, papers: list[Instrument], *, label: Party, actor: str) -> LicenceGrant:
    """The row of one record, on papers that are kept already. Raises LicensingError."""
    data, terms = form.cleaned_data, form.terms()
    layer = data["layer"] if terms["material"] else subject.layer
    holder = grants.ensure_holder(licensor_of(label, data["licensor"], data["licensor_ipi"]))
    about = {"catalogue": subject.row} if isinstance(subject.row, Party) else {"subject": subject.row}
    return grants.record_grant(
        holder, layer=layer, evidence=papers, actor=actor, submitted_for=label, territories=places(data),
        share=data["share"], **about, **terms,
    )  # fmt: skip


def change(grant: LicenceGrant, form: RecordForm, *, label: Party, actor: str) -> LicenceGrant:
    """The same record with what the form says now, on its old evidence and the new.

    The earlier version stops counting at once; the new one waits for a reviewer. Raises RecordRefused, LicensingError.
    """
    if not is_own(label, grant):
        raise RecordRefused("This record was handed in by somebody else. Ask them, or hand in one of your own.")
    if not differences(grant, form) and not _brings_papers(form):
        raise RecordRefused("Nothing is different from the record as it stands.")
    papers = Papers(form, label, actor).keep()
    return renew(grant, form, papers, actor=actor)


def renew(grant: LicenceGrant, form: RecordForm, papers: list[Instrument], *, actor: str) -> LicenceGrant:
    """The next version of a record, on papers that are kept already."""
    return grants.new_version(
        grant, actor=actor, evidence=[*grant.evidence.order_by("pk"), *papers],
        territories_set=places(form.cleaned_data), share=form.cleaned_data["share"], **form.terms(),
    )  # fmt: skip


def _brings_papers(form: RecordForm) -> bool:
    return bool(form.cleaned_data["papers"] or form.cleaned_data["evidence_text"].strip())


def differences(grant: LicenceGrant, form: RecordForm) -> list[str]:
    """The columns in which the form differs from the record as it stands."""
    data, where = form.cleaned_data, places(form.cleaned_data)
    terms = {name: value for name, value in form.terms().items() if name != "territories_as_given"}
    found = [name for name, value in terms.items() if value != _plain(name, getattr(grant, name))]
    if (where.mode, sorted(where.codes)) != (grant.territory_mode, sorted(grant.territories)):
        found.append("territories")
    if data["share"] != Fraction(grant.share_numerator, grant.share_denominator):
        found.append("share")
    return found


def _plain(name: str, value: Any) -> Any:
    return sorted(value) if name == "uses" else value


def places(data: dict[str, Any]) -> TerritorySet:
    return TerritorySet.parse(data["territory_mode"], data["territories"])


def licensor_of(label: Party, name: str, ipi: str) -> Party:
    """The party that grants: the label itself, whoever has that IPI, a society we know, or a name in its catalogue."""
    wanted = name.strip()
    if not wanted or wanted.casefold() == label.name.casefold():
        return label
    if ipi:
        known = Party.objects.filter(ipi=ipi).order_by("pk").first()
        if known is not None:
            return known
    society = Party.objects.filter(name__iexact=wanted, members__isnull=False).order_by("pk").first()
    earlier = Party.objects.filter(
        name__iexact=wanted,
        pk__in=LicenceGrant.objects.filter(submitted_for=label).values("licensor__party"),
    )
    found = society or earlier.order_by("pk").first() or parties.artist_of(label, wanted, kind="ORGANISATION")
    if ipi and not found.ipi and found != society:
        found.ipi = ipi
        found.save(update_fields=["ipi"])
    return found
