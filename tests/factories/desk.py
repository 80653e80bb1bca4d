"""A reviewers' desk with work on it: cases of every sort, with sound, papers, claims and a talk with the label."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from itertools import cycle
from math import sin
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.utils import timezone
from PIL import Image, ImageDraw, ImageFont

from catalog.models import Party, Recording
from licensing.models import Instrument, LicenceGrant
from licensing.terms import Basis, CmoStatus, EvidenceKind, Material
from licensing.territories import TerritorySet
from store import cases, evidence_pages
from tests.factories import catalog, licensing, transcoding
from transcoding import storage
from transcoding.models import Finding, Master

TITLES = (
    "Tide", "Low Water", "The Ferryman's Account", "Salt", "Nine Bells", "Lamp Oil", "Kelp", "Windward", "A Small Boat",
    "Harbour Lights", "Undertow", "Fog Signal", "Slack", "The Pilot's Daughter", "Groyne", "Spring Tide", "Neap",
    "Cormorant", "Ballast", "Home by Dark", "Ebb",
)  # fmt: skip
ARTISTS = ("Ana Lind", "The Breakwater Choir", "Mads Holm", "Trio Kaj")


@dataclass(frozen=True)
class Desk:
    """What lies on it: one grant for each case, and the papers of the agreement that several share."""

    label: Party
    grants: list[LicenceGrant]
    agreement: Instrument

    def titled(self, title: str, layer: str = "RECORDING") -> LicenceGrant:
        return next(
            grant for grant in self.grants if grant.layer == layer and (grant.recording or grant.work).title == title
        )


def paper(*pages: str) -> Instrument:
    """An agreement of plain pages, kept as a PDF and drawn as its reviewers see it."""
    drawn = []
    for number, text in enumerate(pages, start=1):
        sheet = Image.new("L", (1240, 1754), 255)
        pen = ImageDraw.Draw(sheet)
        pen.text((140, 150), text.partition("\n")[0], fill=0, font=ImageFont.load_default(54))
        pen.multiline_text((140, 300), text.partition("\n")[2], fill=20, font=ImageFont.load_default(30), spacing=18)
        pen.text((600, 1640), str(number), fill=90, font=ImageFont.load_default(26))
        drawn.append(sheet)
    out = io.BytesIO()
    drawn[0].save(out, "PDF", save_all=True, append_images=drawn[1:], resolution=150)
    instrument = licensing.make_evidence(
        EvidenceKind.AGREEMENT, text="", data=out.getvalue(), media_type="application/pdf", at=timezone.now()
    )
    for row in evidence_pages.owed(timezone.now() + timedelta(days=1)):
        evidence_pages.draw(row.pk, at=timezone.now() + timedelta(days=1))
    return instrument


AGREEMENT = (
    """Licence agreement HR-2024-07

between Harbour Records, Ghent, and Clearsong


1. Harbour Records owns the sound recordings listed in Annex 1
   and grants Clearsong the right to sell them as permanent downloads,
   to let buyers download them again, and to offer previews of up
   to sixty seconds.

2. The grant holds in the countries named beside each recording,
   from 1 January 2026 until it is ended in writing.

3. It is not exclusive.

4. Harbour Records warrants that no other party holds these rights.
""",
    """Annex 1

Tide, Ana Lind
Low Water, The Breakwater Choir
Fog Signal, Trio Kaj
The Pilot's Daughter, The Breakwater Choir



Ghent, 4 December 2025


M. Verhaeghe                              R. Adler
Harbour Records                           Clearsong
""",
)


def lay_out(*, sound: bytes = b"", pages: bool = True) -> Desk:
    """Twenty recordings and the works in them: forty cases, each waiting a little longer than the one before."""
    label = catalog.make_label("Harbour Records", slug="harbour")
    agreement = paper(*AGREEMENT) if pages else licensing.make_evidence(EvidenceKind.AGREEMENT, text=AGREEMENT[0])
    artists = cycle([catalog.make_party(name) for name in ARTISTS])
    kinds = cycle(_KINDS)
    grants: list[LicenceGrant] = []
    for place, title in enumerate(TITLES[:20]):
        recording = catalog.make_recording(title, label=label, artist=next(artists), isrc=f"BEH2126{place + 1:05}")
        _master(recording, place, sound)
        at = timezone.now() - timedelta(hours=30 - place)
        grants += next(kinds)(recording, label, agreement, at)
    cases.assess(grants, at=timezone.now())
    return Desk(label, grants, agreement)


def _master(recording: Recording, place: int, sound: bytes) -> Master:
    peaks = [
        round(1000 * abs(sin(n / 9 + place)) * (0.35 + 0.65 * abs(sin(n / 61 + place / 3)))) + 20 for n in range(200)
    ]
    over: dict[str, Any] = {"peaks": peaks}
    data = sound and sound + bytes([place])  # two masters are never the same file
    if data:
        over |= {"container": "wav", "codec": "pcm_s16le", "bytes": len(data), "samples": 30 * 44100}
        over["file_sha256"] = sha256(data).hexdigest()
    master = transcoding.make_master(recording, **over)
    if data:
        with NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            storage.put_file(master.storage_key, Path(file.name))
    return master


Kind = Callable[[Recording, Party, Instrument, datetime], list[LicenceGrant]]


def _free(recording: Recording, label: Party, agreement: Instrument, at: datetime) -> list[LicenceGrant]:
    """A Creative Commons licence in the file's tags, and the label's word for the work."""
    holder = licensing.make_holder(label)
    return [
        licensing.make_grant(subject, holder=holder, submitted_for=label, at=at)
        for subject in (recording, recording.works.get())
    ]


def _agreed(recording: Recording, label: Party, agreement: Instrument, at: datetime) -> list[LicenceGrant]:
    """A direct grant for the recording by the label's agreement, only in some countries."""
    holder = licensing.make_holder(label)
    some = TerritorySet.only("DE", "AT", "CH", "FR", "BE", "NL", "LU", "IT", "ES", "PT", "DK", "SE", "NO", "FI", "IS")
    terms: dict[str, Any] = {
        "basis": Basis.DIRECT,
        "licence_url": "",
        "agreement": "HR-2024-07",
    }
    return [
        licensing.make_grant(
            recording, holder=holder, evidence=[agreement], territories=some, submitted_for=label, at=at, **terms
        ),
        licensing.make_grant(recording.works.get(), holder=holder, submitted_for=label, at=at),
    ]


def _society(recording: Recording, label: Party, agreement: Instrument, at: datetime) -> list[LicenceGrant]:
    """The work through a society, half of it."""
    holder = licensing.make_holder(label)
    society = licensing.make_holder(catalog.make_party("GEMA"))
    paper_ = licensing.make_evidence(EvidenceKind.AGREEMENT, text=f"Licence 2026-114 for {recording.title}, all uses.")
    return [
        licensing.make_grant(recording, holder=holder, submitted_for=label, at=at),
        licensing.make_grant(
            recording.works.get(), holder=society, evidence=[paper_], basis=Basis.CMO, licence_url="",
            cmo_status=CmoStatus.EXCLUSIVE, cmo_name="GEMA", cmo_licence_number="2026-114", cmo_in_repertoire=True,
            share=Fraction(1, 2), territories=TerritorySet.only("DE", "AT"), submitted_for=label, at=at,
        ),
    ]  # fmt: skip


def _odd(recording: Recording, label: Party, agreement: Instrument, at: datetime) -> list[LicenceGrant]:
    """A licence without its version, a warning of the examination, and a work that is a cover."""
    holder = licensing.make_holder(label)
    transcoding.make_finding(
        Master.objects.get(recording=recording), code="CLIPPED", severity=Finding.Severity.WARNING,
        message="Clipped in 14 places.",
    )  # fmt: skip
    tags = licensing.make_evidence(text=f"COMMENT={recording.title}, CC BY, no rights reserved")
    return [
        licensing.make_grant(
            recording, holder=holder, evidence=[tags], licence_url="", licence_statement="CC BY",
            submitted_for=label, at=at,
        ),
        licensing.make_grant(
            recording.works.get(), holder=holder, evidence=[], submitted_for=label, material=Material.COVER, at=at
        ),
    ]  # fmt: skip


_KINDS: tuple[Kind, ...] = (_agreed, _free, _society, _free, _odd)
