"""What the engine is asked and what it is shown, as plain values. Pure: no database, no clock.

Terms come as text, as they stand in the rows, because a row may hold a term that this release does not know; the rules
turn such a term into a refusal. Identities are public ids, so that a stored verdict can be read by anybody.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache

from licensing.terms import ALL_USES, Use
from licensing.territories import TerritorySet

WHOLE = Fraction(1)


def evidence_hash(hashes: Iterable[str]) -> str:
    """One SHA-256 over the SHA-256 of every piece of evidence, whatever their order; what an approval is bound to."""
    return _hash_of(tuple(sorted(hashes)))


@lru_cache(maxsize=16384)
def _hash_of(hashes: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(hashes).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """May we put one recording to one use, from the instant `at` on?

    `sound_sha256` names the sound that would be delivered; empty where no master is accepted. `prices` are minor units
    by currency, or None where the price is not part of the question. `edited` says that more than a transcode of the
    master would be delivered: a cut, a fade, another mix.
    """

    use: str
    at: datetime
    sound_sha256: str = ""
    price_is_zero: bool = False
    prices: tuple[tuple[str, int], ...] | None = None
    preview_seconds: int | None = None
    edited: bool = False
    carries_attribution: bool = True

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("A question needs an instant with its zone; clearance differs by the hour.")

    @property
    def known_use(self) -> bool:
        return self.use in ALL_USES

    @property
    def free(self) -> bool:
        return self.price_is_zero or self.use in {Use.FREE_DOWNLOAD, Use.PREVIEW}


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One piece of evidence: the hash it was captured with, and the hash of what lies in the store now ("" if gone)."""

    kind: str
    sha256: str
    current_sha256: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The latest review of a record, and what it was bound to."""

    outcome: str
    reviewer: str
    independent: bool
    evidence_sha256: str
    sound_sha256: str
    reason: str = ""
    second_needed: bool = False
    seconded: bool = False


@dataclass(frozen=True, slots=True)
class RateFact:
    """A row of a tariff that a record is paid by; `verified_on` is None where nobody compared it with its source.

    A later `valid_from` replaces the row before it for the same country, use and number of tracks.
    """

    territory: str
    use: str
    valid_from: date
    valid_to: date | None
    verified_on: date | None
    currency: str = ""
    minimum_micros: int | None = None
    tracks_from: int = 1


@dataclass(frozen=True, slots=True)
class MembershipFact:
    """A writer or publisher of a work who gave the mechanical right to a society: where and when.

    `member` is the public id of the rights holder where the party is one, else of the party. `share` is what the member
    controls of the mechanical right; where nobody knows, it is taken to be all of it.
    """

    work: str
    member: str
    society: str
    territories: TerritorySet
    joined_on: date | None = None
    left_on: date | None = None
    online_excluded: bool = False
    share: Fraction = WHOLE


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one licence record. `share` is the part of the layer that its licensor controls, exact.

    `catalogue` marks a record that was given for a whole catalogue, and so is not bound to the sound of one recording.
    `tariff` names the rates by which it is paid; `rates` are that tariff's rows. `ended_at` is when it was revoked.
    """

    id: str
    version: int
    layer: str
    subject: str
    licensor: str
    licensor_name: str
    licensee: str
    basis: str
    uses: frozenset[str]
    territories: TerritorySet
    state: str
    evidence: tuple[EvidenceItem, ...] = ()
    approval: Approval | None = None
    share: Fraction = WHOLE
    licence_url: str = ""
    licence_statement: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    exclusive: bool = False
    material: str = ""
    drm_required: bool = False
    edits_allowed: bool = False
    preview_max_seconds: int | None = None
    redownload_rule: str = "ALWAYS"
    free_consent: bool = False
    price_minimum_minor: int | None = None
    price_currency: str = ""
    cmo_status: str = "UNKNOWN"
    cmo_mandate_proven: bool = False
    cmo_in_repertoire: bool = False
    statutory_condition_met: bool = False
    tariff: str = ""
    void_title: bool = False
    ended_at: datetime | None = None
    catalogue: bool = False
    rates: tuple[RateFact, ...] = ()

    @property
    def evidence_sha256(self) -> str:
        return evidence_hash([item.sha256 for item in self.evidence])


@dataclass(frozen=True, slots=True)
class NoticeFact:
    """A notice that holds. `layer` and `subject` narrow a dispute; empty means everything of this recording."""

    id: str
    kind: str
    claimant: str
    layer: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one recording when the question is asked.

    `works` are the works heard in it; none known means that none is cleared. `materials` are the marks for other
    people's music (COVER, SAMPLE, REMIX, ARRANGEMENT). `embargoed_until` is the first day on which it may be sold.
    `identifier_conflict` says that another owner claims its identifier, which blocks; `identifier_warning` that the
    identifier is odd, which does not.
    """

    recording: str
    works: tuple[str, ...]
    records: tuple[Record, ...]
    title: str
    creators: tuple[str, ...]
    notices: tuple[NoticeFact, ...] = ()
    materials: frozenset[str] = field(default_factory=frozenset)
    embargoed_until: date | None = None
    identifier_conflict: str = ""
    identifier_warning: str = ""
    memberships: tuple[MembershipFact, ...] = ()
