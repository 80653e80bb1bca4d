"""What a delivered file and its label say about rights, handed in as licence records for the reviewer.

A statement in the tags makes a record for the recording; a declaration that the works are the performers' own makes one
for each work, on the same licence. A direct grant rests on the agreement. No statement, no record. Saying the same
thing twice makes nothing twice, and what was ended is not revived by delivering the file again.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from django.db import transaction

from catalog.models import Party, Recording, Work
from licensing import grants, instruments, licences
from licensing.models import Instrument, LicenceGrant, RightsHolder
from licensing.terms import Basis, EvidenceKind, Layer
from licensing.territories import TerritorySet
from store.forms import OWN_WORKS
from store.tagreading import FileTags


@dataclass(frozen=True)
class Declaration:
    """What the label says about all it hands in.

    `own_works`: works and recordings are the performers' own, and no writer is bound by an exclusive mandate to a
    society (`text`, in the words the label saw). `direct_grant`: the store may sell them by the `agreement` (a PDF);
    `uses`, `territories` and the days narrow that grant, and are the grant's usual ones where left out.
    """

    own_works: bool = False
    direct_grant: bool = False
    agreement: Path | bytes | None = None
    uses: tuple[str, ...] | None = None
    territories: TerritorySet | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    text: str = OWN_WORKS

    @cached_property
    def paper(self) -> bytes:
        """The agreement's bytes; none where nothing is attached."""
        if isinstance(self.agreement, Path):
            return self.agreement.read_bytes()
        return self.agreement or b""

    def as_json(self) -> dict[str, object]:
        """As it is kept with the delivery."""
        return {
            "own_works": self.own_works,
            "direct_grant": self.direct_grant,
            "text": self.text if self.own_works else "",
            "uses": list(self.uses) if self.uses else None,
            "territories": str(self.territories) if self.territories else "",
            "starts_on": self.starts_on,
            "ends_on": self.ends_on,
        }


@dataclass
class Desk:
    """Where one delivery's records are handed in: the holder, and its papers, each kept once per delivery."""

    label: Party
    declaration: Declaration
    actor: str

    @cached_property
    def holder(self) -> RightsHolder:
        return grants.ensure_holder(self.label)

    @cached_property
    def declared(self) -> Instrument:
        text = f"{self.declaration.text}\n\nDeclared for {self.label.name} by {self.actor}."
        return instruments.capture(EvidenceKind.DECLARATION, text=text, actor=self.actor)

    @cached_property
    def agreed(self) -> Instrument:
        return instruments.capture(
            EvidenceKind.AGREEMENT, data=self.declaration.paper, media_type="application/pdf", actor=self.actor
        )

    def keep_papers(self) -> None:
        """Keep what the declaration rests on, before any transaction."""
        _ = (self.agreed if self.declaration.direct_grant else None, self.word)

    def is_news(self, recording: Recording) -> bool:
        """Whether the agreement says something about the recording, or a work in it, that is not on file."""
        return bool(self._missing(recording, **self._agreement))

    @property
    def _agreement(self) -> dict[str, Any]:
        """By what a record on this very agreement is known again."""
        return {"basis": Basis.DIRECT, "evidence__sha256": hashlib.sha256(self.declaration.paper).hexdigest()}

    @property
    def word(self) -> list[Instrument]:
        """The label's word that the works are its own, where it gave it."""
        return [self.declared] if self.declaration.own_works else []

    def hand_in(self, recording: Recording, tags: FileTags, *, file_sha256: str, shown: str) -> list[LicenceGrant]:
        """The records that this file and the declaration give rise to, those not yet here. Raises LicensingError."""
        made: list[LicenceGrant] = []
        statement = licences.find_statement(tags.statements)
        if statement is not None:
            text = _statement_text(tags, file_sha256=file_sha256, shown=shown)
            made += self._from_statement(recording, statement, text=text, file_sha256=file_sha256)
        if self.declaration.direct_grant:
            made += self._from_agreement(recording)
        return made

    def _from_statement(
        self, recording: Recording, statement: licences.Statement, *, text: str, file_sha256: str
    ) -> list[LicenceGrant]:
        is_mark = statement.licence is not None and statement.licence.mark
        said: dict[str, Any] = {
            "basis": Basis.PD if is_mark else Basis.PUBLIC_LICENCE,
            "licence_url": statement.url,
            "licence_statement": statement.text,
        }
        if not self._missing(recording, **said):
            return []
        tagged = instruments.capture(
            EvidenceKind.TAG_STATEMENT, text=text, actor=self.actor, source_file_sha256=file_sha256
        )
        return self._record(recording, tagged, known=said, terms=said)

    def _from_agreement(self, recording: Recording) -> list[LicenceGrant]:
        if not self.is_news(recording):
            return []
        terms = {
            "basis": Basis.DIRECT,
            "uses": self.declaration.uses,
            "territories": self.declaration.territories,
            "starts_on": self.declaration.starts_on,
            "ends_on": self.declaration.ends_on,
        }
        return self._record(recording, self.agreed, known=self._agreement, terms=terms)

    def _record(
        self, recording: Recording, paper: Instrument, *, known: dict[str, Any], terms: dict[str, Any]
    ) -> list[LicenceGrant]:
        """A record for each layer that lacks one, on `paper`; on the label's word too where it is about a work.

        The label's row is locked, so that two deliveries of one folder at once make each record once. Papers are kept
        before: they may go to a storage far away.
        """
        word = self.word
        with transaction.atomic():
            Party.objects.select_for_update(no_key=True).get(pk=self.label.pk)
            return [
                grants.record_grant(
                    self.holder,
                    layer=Layer.WORK if isinstance(subject, Work) else Layer.RECORDING,
                    subject=subject,
                    evidence=[paper, *word] if isinstance(subject, Work) else [paper],
                    actor=self.actor,
                    submitted_for=self.label,
                    **terms,
                )
                for subject in self._missing(recording, **known)
            ]

    def _missing(self, recording: Recording, **said: Any) -> list[Recording | Work]:
        """The recording, and with `own_works` its works, as far as the holder never said this about them."""
        subjects: list[Recording | Work] = [recording]
        if self.declaration.own_works:
            subjects += recording.works.all()
        known = LicenceGrant.objects.filter(licensor=self.holder, **said)
        return [
            subject
            for subject in subjects
            if not known.filter(**{"work" if isinstance(subject, Work) else "recording": subject}).exists()
        ]


def _statement_text(tags: FileTags, *, file_sha256: str, shown: str) -> str:
    """What the reviewer reads: every tag about rights as it was written, whose names stand beside it, and the file."""
    lines = [f"{tag}: {text}" for tag, text in tags.statements]
    names = [("Title", tags.title), ("Artists", "; ".join(tags.artists)), ("Writers", "; ".join(writers(tags)))]
    lines += [f"{what}: {said}" for what, said in names if said]
    return "\n".join([*lines, f"File: {shown}", f"SHA-256: {file_sha256}"])


def writers(tags: FileTags) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*tags.composers, *tags.lyricists)))
