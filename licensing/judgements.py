"""One licence record against one question: does it pass, and if not, where and why not. Pure.

Each test looks at one record alone; what several records come to together is for `rules`. A record passes in a country
when no test fails there. Tests that fail everywhere are `constant`, the others carry the mask of their countries.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from licensing import licences
from licensing.licences import Licence, LicenceError
from licensing.records import Question, Record
from licensing.terms import (
    ALL_USES,
    Basis,
    CmoStatus,
    EvidenceKind,
    Layer,
    Licensee,
    RecordState,
    RedownloadRule,
    ReviewOutcome,
    Use,
)
from licensing.territories import ALL, BIT, day_after, day_start
from licensing.verdicts import Reason

# The kinds of evidence, one of which a record on this basis needs (rights.md §a: "evidence that proves it"). A public
# domain mark in a tag proves nothing; a public licence needs the words in which it was given.
EVIDENCE_FOR_BASIS: dict[str, frozenset[str]] = {
    Basis.DIRECT: frozenset({EvidenceKind.AGREEMENT}),
    Basis.DDEX_DEAL: frozenset({EvidenceKind.AGREEMENT}),
    Basis.CMO: frozenset({EvidenceKind.AGREEMENT}),
    Basis.STATUTORY: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.LICENCE_PAGE, EvidenceKind.DECLARATION}),
    Basis.PASS_THROUGH: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.DECLARATION}),
    Basis.PUBLIC_LICENCE: frozenset({EvidenceKind.TAG_STATEMENT, EvidenceKind.LICENCE_PAGE, EvidenceKind.DECLARATION}),
    Basis.PD: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.LICENCE_PAGE, EvidenceKind.DECLARATION}),
    Basis.CC_PLUS: frozenset({EvidenceKind.AGREEMENT}),
}

# Countries where a label may license the work along with its recording, and where a statutory licence exists. Data of
# law, kept narrow: everywhere else somebody must show a licence.
PASS_THROUGH_COUNTRIES = BIT["US"]
STATUTORY_COUNTRIES = BIT["US"]

# Longest preview in seconds that a licence other than a public one is taken to cover.
PREVIEW_SECONDS_ANYWHERE = 90
PREVIEW_SECONDS_IN = {"CA": 30}

_KNOWN_STATES = frozenset(RecordState)
_NOT_BOUND = frozenset({CmoStatus.NOT_BOUND, CmoStatus.CARVED_OUT})


@dataclass(frozen=True, slots=True)
class Judgement:
    """One record's outcome. `fails` is the mask of the countries where any test fails.

    `next_change` is the next instant at which the record begins or ends somewhere it matters; None for never.
    """

    record: Record
    licence: Licence | None
    constant: tuple[Reason, ...]
    partial: tuple[tuple[Reason, int], ...]
    fails: int
    next_change: datetime | None

    def reasons_at(self, bit: int) -> tuple[Reason, ...]:
        return self.constant + tuple(reason for reason, mask in self.partial if mask & bit)

    def count_at(self, bit: int) -> int:
        """How many tests the record fails in the country of `bit`: the fewer, the nearer it came."""
        return len(self.constant) + sum(1 for _reason, mask in self.partial if mask & bit)


def judge(record: Record, question: Question) -> Judgement:
    """Every test of one record. Never raises for what a row may hold: what is not understood fails."""
    licence, licence_faults = _licence_of(record)
    constant: list[Reason] = []
    partial: list[tuple[Reason, int]] = []
    tests = (
        _review_faults(record, question),
        _evidence_faults(record, question),
        iter(licence_faults),
        _use_faults(record, question, licence),
        _basis_faults(record, question),
        _price_faults(record, question),
    )
    for test in tests:
        for code, detail in test:
            constant.append(_reason(record, code, detail))
    where_not = 0
    for code, detail, mask in _place_faults(record, question):
        if mask == ALL:
            constant.append(_reason(record, code, detail))
        elif mask:
            partial.append((_reason(record, code, detail), mask))
        where_not |= mask
    next_change = None if constant else _next_change(record, question, ALL & ~where_not)
    for code, detail, mask in _time_faults(record, question):
        if mask == ALL:
            constant.append(_reason(record, code, detail))
        elif mask:
            partial.append((_reason(record, code, detail), mask))
    fails = ALL if constant else 0
    for _, mask in partial:
        fails |= mask
    return Judgement(record, licence, tuple(constant), tuple(partial), fails, next_change)


def _reason(record: Record, code: str, detail: str) -> Reason:
    return Reason.of(
        code, layer=record.layer, record=record.id, share_holder=record.licensor_name or record.licensor, detail=detail
    )


Fault = tuple[str, str]
PlacedFault = tuple[str, str, int]


def _outlives(record: Record, question: Question) -> bool:
    """Whether a past buyer may fetch her copy again although the record has ended."""
    return question.use == Use.REDOWNLOAD and (
        record.licensee == Licensee.PUBLIC or record.redownload_rule == RedownloadRule.ALWAYS
    )


def _review_faults(record: Record, question: Question) -> Iterator[Fault]:
    approval = record.approval
    if record.state not in _KNOWN_STATES:
        yield "NOT_REVIEWED", f"state {record.state!r} is not known"
    elif approval is None or record.state == RecordState.SUBMITTED:
        yield "NOT_REVIEWED", "waiting for a reviewer"
    elif approval.outcome == ReviewOutcome.REFUSED or record.state == RecordState.REFUSED:
        yield "NOT_REVIEWED", f"refused: {approval.reason}"
    elif approval.outcome != ReviewOutcome.APPROVED:
        yield "NOT_REVIEWED", f"outcome {approval.outcome!r} is not known"
    if approval is not None and not approval.independent:
        yield "REVIEW_NOT_INDEPENDENT", approval.reviewer
    if record.state == RecordState.REVOKED and (record.void_title or not _outlives(record, question)):
        yield "REVOKED", "the licensor never held the right" if record.void_title else ""
    if record.state == RecordState.SUSPENDED:
        yield "SUSPENDED", ""


def _evidence_faults(record: Record, question: Question) -> Iterator[Fault]:
    wanted = EVIDENCE_FOR_BASIS.get(record.basis)
    kinds = {item.kind for item in record.evidence}
    if not kinds:
        yield "EVIDENCE_MISSING", "nothing was handed in"
    elif wanted is None or not kinds & wanted:
        named = ", ".join(sorted(str(kind) for kind in wanted or ()))
        yield "EVIDENCE_MISSING", f"{record.basis} needs {named or 'a known basis'}"
    changed = [item for item in record.evidence if item.current_sha256 != item.sha256]
    if changed:
        yield "EVIDENCE_ALTERED", f"{changed[0].kind} {'is gone' if not changed[0].current_sha256 else 'was changed'}"
    approval = record.approval
    if approval is None or approval.outcome != ReviewOutcome.APPROVED:
        return
    if approval.evidence_sha256 != record.evidence_sha256:
        yield "EVIDENCE_ALTERED", "not the evidence that was approved"
    if record.layer == Layer.RECORDING and not (approval.sound_sha256 and question.sound_sha256):
        yield "EVIDENCE_ALTERED", "no accepted sound to compare with"
    elif record.layer == Layer.RECORDING and approval.sound_sha256 != question.sound_sha256:
        yield "EVIDENCE_ALTERED", "not the sound that was approved"


def _licence_of(record: Record) -> tuple[Licence | None, list[Fault]]:
    """The public licence of a record that rests on one, with what is wrong about it."""
    if record.basis != Basis.PUBLIC_LICENCE:
        return None, []
    try:
        licence = licences.parse(record.licence_url or record.licence_statement)
    except LicenceError as error:
        return None, [(error.code, record.licence_statement or record.licence_url or "no licence is stated")]
    if licence.held:
        return licence, [("LICENCE_UNKNOWN", f"{licence.name}: {licence.held}")]
    if licence.mark:
        return licence, [("LICENCE_UNKNOWN", f"{licence.name} is a label; show that it is in the public domain")]
    return licence, []


def _use_faults(record: Record, question: Question, licence: Licence | None) -> Iterator[Fault]:
    if not _use_granted(record, question):
        yield "USE_NOT_GRANTED", f"granted: {', '.join(sorted(record.uses & ALL_USES)) or 'nothing'}"
    if record.layer == Layer.WORK and record.basis == Basis.DDEX_DEAL:
        yield "USE_NOT_GRANTED", "a DDEX deal never covers the work"
    if record.licensee not in {Licensee.STORE, Licensee.PUBLIC}:
        yield "USE_NOT_GRANTED", f"licensee {record.licensee!r} is not known"
    if licence and licence.nc and question.use != Use.REDOWNLOAD:
        if not question.free:
            yield "NC_FORBIDS_SALE", licence.name
        elif not record.free_consent:
            yield "NC_FREE_NEEDS_CONSENT", licence.name
    if question.edited and not record.edits_allowed and (licence is None or licence.nd):
        forbids = question.use != Use.PREVIEW or licence is not None
        if forbids:
            yield "ND_FORBIDS_EDIT", licence.name if licence else "the record allows no edits"
    if record.drm_required:
        yield "DRM_REQUIRED", ""


def _use_granted(record: Record, question: Question) -> bool:
    if not question.known_use:
        return False
    if question.use in record.uses:
        return True
    bought = {Use.PERMANENT_DOWNLOAD, Use.FREE_DOWNLOAD} & record.uses
    return bool(bought) and _outlives(record, question)


def _basis_faults(record: Record, question: Question) -> Iterator[Fault]:
    if record.basis not in EVIDENCE_FOR_BASIS:
        yield "USE_NOT_GRANTED", f"basis {record.basis!r} is not known"
    if record.layer == Layer.WORK and record.basis == Basis.PUBLIC_LICENCE and record.cmo_status not in _NOT_BOUND:
        bound = record.cmo_status == CmoStatus.EXCLUSIVE
        yield "CMO_STATUS_UNKNOWN", "an exclusive mandate is in force" if bound else "no answer on file"
    if record.basis == Basis.CMO:
        if record.layer != Layer.WORK:
            yield "CMO_MANDATE_UNPROVEN", "a society for works licenses no sound recording"
        elif not record.cmo_mandate_proven:
            yield "CMO_MANDATE_UNPROVEN", ""
        elif not record.cmo_in_repertoire:
            yield "NOT_IN_REPERTOIRE", ""
    if record.basis == Basis.STATUTORY:
        if record.layer != Layer.WORK or not record.statutory_condition_met:
            yield "STATUTORY_CONDITION", ""
        if record.rate_verified_on is None or record.rate_verified_on > question.at.astimezone(UTC).date():
            yield "RATE_UNVERIFIED", ""


def _price_faults(record: Record, question: Question) -> Iterator[Fault]:
    if record.basis == Basis.PUBLIC_LICENCE or question.use != Use.PERMANENT_DOWNLOAD:
        return
    if question.price_is_zero and Use.FREE_DOWNLOAD not in record.uses:
        yield "NO_PRICE", "a paid deal is offered for nothing"
    if question.prices is None or record.price_minimum_minor is None:
        return
    asked = dict(question.prices).get(record.price_currency)
    if asked is None:
        yield "NO_PRICE", record.price_currency
    elif asked < record.price_minimum_minor:
        yield "PRICE_BELOW_MINIMUM", f"{record.price_currency} {asked} under {record.price_minimum_minor}"


def _place_faults(record: Record, question: Question) -> Iterator[PlacedFault]:
    unknown = record.territories.unknown
    if unknown:
        yield "TERRITORY_UNKNOWN", ", ".join(unknown), ALL
    yield "TERRITORY_EXCLUDED", str(record.territories), ALL & ~record.territories.mask
    if record.basis == Basis.PASS_THROUGH:
        here = PASS_THROUGH_COUNTRIES if record.layer == Layer.WORK else 0
        yield "PASS_THROUGH_NOT_VALID_HERE", "", ALL & ~here
    if record.basis == Basis.STATUTORY:
        yield "STATUTORY_CONDITION", "no such licence in this country", ALL & ~STATUTORY_COUNTRIES
    if question.use == Use.PREVIEW and question.preview_seconds is not None:
        yield from _preview_faults(record, question.preview_seconds)


def _preview_faults(record: Record, seconds: int) -> Iterator[PlacedFault]:
    limit = record.preview_max_seconds
    if limit is not None and seconds > limit:
        yield "PREVIEW_TOO_LONG", f"{seconds} s, granted {limit} s", ALL
    if record.licensee == Licensee.PUBLIC:
        return
    if limit is None and seconds > PREVIEW_SECONDS_ANYWHERE:
        yield "PREVIEW_TOO_LONG", f"{seconds} s, no more than {PREVIEW_SECONDS_ANYWHERE} s", ALL
    for country, most in PREVIEW_SECONDS_IN.items():
        if seconds > most:
            yield "PREVIEW_TOO_LONG", f"{seconds} s, no more than {most} s here", BIT[country]


def _time_faults(record: Record, question: Question) -> Iterator[PlacedFault]:
    if record.starts_on is not None:
        begun = day_start(record.starts_on).begun_at(question.at)
        yield "NOT_YET_STARTED", f"begins {record.starts_on}", ALL & ~begun
    if record.ends_on is not None and not _outlives(record, question):
        ended = day_start(day_after(record.ends_on)).begun_at(question.at)
        yield "TERM_EXPIRED", f"ended {record.ends_on}", ended


def _next_change(record: Record, question: Question, reach: int) -> datetime | None:
    days = [record.starts_on, day_after(record.ends_on) if record.ends_on else None]
    instants = [day_start(day).next_after(question.at, reach) for day in days if day]
    return min((instant for instant in instants if instant), default=None)
