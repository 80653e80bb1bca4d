"""One licence record against one question: does it pass, and if not, where and why not. Pure.

Each test looks at one record alone; what several records come to together is for `rules`. A record passes in a country
when no test fails there. Tests that fail everywhere are `constant`, the others carry the mask of their countries.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from licensing import licences, tariffs
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
    Basis.CMO: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.SOCIETY_LICENCE}),
    Basis.STATUTORY: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.LICENCE_PAGE, EvidenceKind.DECLARATION}),
    Basis.PASS_THROUGH: frozenset({EvidenceKind.AGREEMENT, EvidenceKind.DECLARATION}),
    Basis.PUBLIC_LICENCE: frozenset(
        {EvidenceKind.TAG_STATEMENT, EvidenceKind.STATEMENT, EvidenceKind.LICENCE_PAGE, EvidenceKind.DECLARATION}
    ),
    Basis.PD: frozenset(
        {
            EvidenceKind.AGREEMENT,
            EvidenceKind.LICENCE_PAGE,
            EvidenceKind.DECLARATION,
            EvidenceKind.PUBLIC_DOMAIN_PROOF,
        }
    ),
    Basis.CC_PLUS: frozenset({EvidenceKind.AGREEMENT}),
}

# Countries where a label may license the work along with its recording, and where a statutory licence exists. Data of
# law, kept narrow: everywhere else somebody must show a licence.
PASS_THROUGH_COUNTRIES = BIT["US"]
STATUTORY_COUNTRIES = BIT["US"]

# Longest preview in seconds that a licence other than a public one is taken to cover.
PREVIEW_SECONDS_ANYWHERE = 90
PREVIEW_SECONDS_IN = {"CA": 30}

# How long past buyers may still fetch their copies where the agreement gives them notice and not for ever.
REDOWNLOAD_NOTICE = timedelta(days=30)

_KNOWN_STATES = frozenset(RecordState)
_NOT_BOUND = frozenset({CmoStatus.NOT_BOUND, CmoStatus.CARVED_OUT})


# Days, each with the mask of the countries where it is the first one on which something no longer holds.
Stops = tuple[tuple[date, int], ...]


class Judgement(NamedTuple):
    """One record's outcome. `fails` is the mask of the countries where any test fails.

    `next_change` is the next instant at which the record begins or ends somewhere it matters; None for never. `until`
    is the first local day on which it no longer holds; `stops` are earlier such days in some countries. `coming` are
    days on which it may begin to hold.
    """

    record: Record
    licence: Licence | None
    constant: tuple[Reason, ...]
    partial: tuple[tuple[Reason, int], ...]
    fails: int
    next_change: datetime | None
    until: date | None = None
    stops: Stops = ()
    coming: Stops = ()

    def reasons_at(self, bit: int) -> tuple[Reason, ...]:
        return self.constant + tuple(reason for reason, mask in self.partial if mask & bit)

    def count_at(self, bit: int) -> int:
        """How many tests the record fails in the country of `bit`: the fewer, the nearer it came."""
        return len(self.constant) + sum(1 for _reason, mask in self.partial if mask & bit)

    def until_at(self, bit: int) -> date | None:
        """The first local day in the country of `bit` on which the record may no longer hold; None for never."""
        until = self.until
        for day, mask in self.stops:
            if mask & bit and (until is None or day < until):
                until = day
        return until

    def failing(self, reason: Reason, mask: int) -> "Judgement":
        """The same record, failing for a further reason in the countries of `mask`."""
        return self._replace(partial=(*self.partial, (reason, mask)), fails=self.fails | mask)


def judge(record: Record, question: Question) -> Judgement:
    """Every test of one record. Never raises for what a row may hold: what is not understood fails."""
    faults: list[Fault] = []
    licence = _licence_of(record, faults)
    last_day = _last_day(record, question)
    _test_review(record, question, faults)
    _test_evidence(record, question, faults)
    _test_use(record, question, licence, faults)
    _test_basis(record, faults)
    if question.use == _SALE:
        _test_price(record, question, faults)
    _test_place(record, question, faults)
    until: date | None = None
    stops: Stops = ()
    next_change: datetime | None = None
    coming: Stops = ()
    if record.starts_on is not None or last_day is not None or tariffs.needed(record, question):
        reach = ALL
        for _, _, mask in faults:
            reach &= ~mask
        if last_day is not None:
            until = day_after(last_day)
        days = [(record.starts_on, ALL)] if record.starts_on else []
        _test_time(record, question, last_day, faults)
        if tariffs.needed(record, question):
            stops = _test_tariff(record, question, faults)
            days += tariffs.beginnings(record, question)
        if reach:
            coming = _coming(days, question.at, reach) if days else ()
            days += [(until, ALL)] if until else []
            next_change = _next_change([*days, *stops], question.at, reach)
    if not faults:
        return Judgement(record, licence, (), (), 0, next_change, until, stops, coming)
    constant = tuple(reason_of(record, code, detail) for code, detail, mask in faults if mask == ALL)
    partial = tuple((reason_of(record, code, detail), mask) for code, detail, mask in faults if 0 < mask < ALL)
    fails = ALL if constant else 0
    for _, mask in partial:
        fails |= mask
    return Judgement(record, licence, constant, partial, fails, next_change, until, stops, coming)


def reason_of(record: Record, code: str, detail: str) -> Reason:
    return Reason.of(
        code, layer=record.layer, record=record.id, share_holder=record.licensor_name or record.licensor, detail=detail
    )


# A code, what was seen, and the mask of the countries it is about. Each test adds to a list, because most find nothing.
Fault = tuple[str, str, int]

_SALE = Use.PERMANENT_DOWNLOAD.value
_REDOWNLOAD = Use.REDOWNLOAD.value
_PREVIEW = Use.PREVIEW.value
_PUBLIC = Licensee.PUBLIC.value
_PUBLIC_LICENCE = Basis.PUBLIC_LICENCE.value
_RECORDING = Layer.RECORDING.value
_SUBMITTED, _REFUSED, _REVOKED, _SUSPENDED = (
    RecordState.SUBMITTED.value, RecordState.REFUSED.value, RecordState.REVOKED.value, RecordState.SUSPENDED.value
)  # fmt: skip
_APPROVED = ReviewOutcome.APPROVED.value
_LICENSEES = frozenset(Licensee)
_BOUGHT = frozenset({Use.PERMANENT_DOWNLOAD, Use.FREE_DOWNLOAD})


def _outlives(record: Record, question: Question) -> bool:
    """Whether a past buyer may fetch her copy again although the record has ended."""
    return question.use == _REDOWNLOAD and (
        record.licensee == _PUBLIC or record.redownload_rule == RedownloadRule.ALWAYS
    )


def _fetchable(record: Record, question: Question) -> bool:
    """Whether past buyers may, or still may, fetch their copies although the record was revoked."""
    return _outlives(record, question) or (record.ended_at is not None and _in_notice(record, question))


def _in_notice(record: Record, question: Question) -> bool:
    """Whether the end of the record leaves past buyers a while to fetch their copies again."""
    return question.use == _REDOWNLOAD and record.redownload_rule == RedownloadRule.NOTICE_PERIOD


def _last_day(record: Record, question: Question) -> date | None:
    """The last local day on which the record holds for this use; None where no day ends it."""
    if record.ends_on is None and record.ended_at is None:
        return None
    if _outlives(record, question):
        return None
    if not _in_notice(record, question):
        return record.ends_on
    days = [record.ends_on] if record.ends_on else []
    if record.state == _REVOKED and record.ended_at:
        days.append(record.ended_at.astimezone(UTC).date())
    return min((_later(day) for day in days), default=None)


def _later(day: date) -> date:
    return day + REDOWNLOAD_NOTICE if day < date.max - REDOWNLOAD_NOTICE else date.max


def _test_review(record: Record, question: Question, faults: list[Fault]) -> None:
    approval = record.approval
    if record.state not in _KNOWN_STATES:
        faults.append(("NOT_REVIEWED", f"state {record.state!r} is not known", ALL))
    elif approval is None or record.state == _SUBMITTED:
        faults.append(("NOT_REVIEWED", "waiting for a reviewer", ALL))
    elif approval.outcome == ReviewOutcome.REFUSED or record.state == _REFUSED:
        faults.append(("NOT_REVIEWED", f"refused: {approval.reason}", ALL))
    elif approval.outcome != _APPROVED:
        faults.append(("NOT_REVIEWED", f"outcome {approval.outcome!r} is not known", ALL))
    elif approval.second_needed and not approval.seconded:
        faults.append(("NOT_REVIEWED", "waiting for a second reviewer", ALL))
    if approval is not None and not approval.independent:
        faults.append(("REVIEW_NOT_INDEPENDENT", approval.reviewer, ALL))
    if record.state == _REVOKED and (record.void_title or not _fetchable(record, question)):
        faults.append(("REVOKED", "the licensor never held the right" if record.void_title else "", ALL))
    if record.state == _SUSPENDED:
        faults.append(("SUSPENDED", "", ALL))


def _test_evidence(record: Record, question: Question, faults: list[Fault]) -> None:
    wanted = EVIDENCE_FOR_BASIS.get(record.basis, _NONE)
    if not record.evidence:
        faults.append(("EVIDENCE_MISSING", "nothing was handed in", ALL))
    elif wanted.isdisjoint([item.kind for item in record.evidence]):
        named = ", ".join(sorted(wanted)) or "a known basis"
        faults.append(("EVIDENCE_MISSING", f"{record.basis} needs {named}", ALL))
    for item in record.evidence:
        if item.current_sha256 != item.sha256:
            seen = "was changed" if item.current_sha256 else "is gone"
            faults.append(("EVIDENCE_ALTERED", f"{item.kind} {seen}", ALL))
            break
    approval = record.approval
    if approval is None or approval.outcome != _APPROVED:
        return
    if approval.evidence_sha256 != record.evidence_sha256:
        faults.append(("EVIDENCE_ALTERED", "not the evidence that was approved", ALL))
    if record.layer != _RECORDING:
        return
    if not question.sound_sha256 or not (approval.sound_sha256 or record.catalogue):
        faults.append(("EVIDENCE_ALTERED", "no accepted sound to compare with", ALL))
    elif approval.sound_sha256 != question.sound_sha256 and not record.catalogue:
        faults.append(("EVIDENCE_ALTERED", "not the sound that was approved", ALL))


_NONE: frozenset[str] = frozenset()


def _licence_of(record: Record, faults: list[Fault]) -> Licence | None:
    """The public licence of a record that rests on one; what is wrong about it joins the faults.

    Only the address that was settled on when the record was made can clear it: a statement that reads well by itself
    may have stood beside another that contradicts it.
    """
    if record.basis != _PUBLIC_LICENCE:
        return None
    stated = record.licence_statement or record.licence_url or "no licence is stated"
    try:
        licence = licences.parse(record.licence_url or record.licence_statement)
    except LicenceError as error:
        faults.append((error.code, stated, ALL))
        return None
    if not record.licence_url:
        faults.append(("LICENCE_UNKNOWN", stated, ALL))
        return None
    if licence.held:
        faults.append(("LICENCE_UNKNOWN", f"{licence.name}: {licence.held}", ALL))
    if licence.mark:
        faults.append(("LICENCE_UNKNOWN", f"{licence.name} is a label; show that it is in the public domain", ALL))
    return licence


def _test_use(record: Record, question: Question, licence: Licence | None, faults: list[Fault]) -> None:
    if not _use_granted(record, question):
        granted = ", ".join(sorted(record.uses & ALL_USES)) or "nothing"
        faults.append(("USE_NOT_GRANTED", f"granted: {granted}", ALL))
    if record.layer == Layer.WORK and record.basis == Basis.DDEX_DEAL:
        faults.append(("USE_NOT_GRANTED", "a DDEX deal never covers the work", ALL))
    if record.licensee not in _LICENSEES:
        faults.append(("USE_NOT_GRANTED", f"licensee {record.licensee!r} is not known", ALL))
    if licence and licence.nc and question.use != _REDOWNLOAD:
        if not question.free:
            faults.append(("NC_FORBIDS_SALE", licence.name, ALL))
        elif not record.free_consent:
            faults.append(("NC_FREE_NEEDS_CONSENT", licence.name, ALL))
    if question.edited:
        _test_edit(record, question, licence, faults)
    if record.drm_required:
        faults.append(("DRM_REQUIRED", "", ALL))


def _test_edit(record: Record, question: Question, licence: Licence | None, faults: list[Fault]) -> None:
    """A private licence of a preview covers the cut that a preview is. A public one with ND covers a part of the sound
    without fades where its text lets parts be shared, and elsewhere no cut at all."""
    if licence is not None and licence.nd and not (licence.parts and question.use == _PREVIEW):
        faults.append(("ND_FORBIDS_EDIT", licence.name, ALL))
    elif licence is None and not record.edits_allowed and question.use != _PREVIEW:
        faults.append(("ND_FORBIDS_EDIT", "the record allows no edits", ALL))


def _use_granted(record: Record, question: Question) -> bool:
    if not question.known_use:
        return False
    if question.use in record.uses:
        return True
    return bool(_BOUGHT & record.uses) and _outlives(record, question)


def _test_basis(record: Record, faults: list[Fault]) -> None:
    basis = record.basis
    if basis not in EVIDENCE_FOR_BASIS:
        faults.append(("USE_NOT_GRANTED", f"basis {basis!r} is not known", ALL))
    elif basis == _PUBLIC_LICENCE:
        if record.layer == Layer.WORK and record.cmo_status not in _NOT_BOUND:
            bound = record.cmo_status == CmoStatus.EXCLUSIVE
            seen = "an exclusive mandate is in force" if bound else "no answer on file"
            faults.append(("CMO_STATUS_UNKNOWN", seen, ALL))
    elif basis == Basis.CMO:
        _test_society(record, faults)
    elif basis == Basis.STATUTORY and (record.layer != Layer.WORK or not record.statutory_condition_met):
        faults.append(("STATUTORY_CONDITION", "", ALL))


def _test_society(record: Record, faults: list[Fault]) -> None:
    if record.layer != Layer.WORK:
        faults.append(("CMO_MANDATE_UNPROVEN", "a society for works licenses no sound recording", ALL))
    elif not record.cmo_mandate_proven:
        faults.append(("CMO_MANDATE_UNPROVEN", "", ALL))
    elif not record.cmo_in_repertoire:
        faults.append(("NOT_IN_REPERTOIRE", "", ALL))


def _test_price(record: Record, question: Question, faults: list[Fault]) -> None:
    if record.basis == _PUBLIC_LICENCE:
        return
    for_nothing = question.price_is_zero or (
        question.prices and min(minor for _currency, minor in question.prices) <= 0
    )
    if for_nothing and Use.FREE_DOWNLOAD not in record.uses:
        faults.append(("NO_PRICE", "a paid deal is offered for nothing", ALL))
    if question.prices is None or record.price_minimum_minor is None:
        return
    asked = dict(question.prices).get(record.price_currency)
    if asked is None:
        faults.append(("NO_PRICE", record.price_currency, ALL))
    elif asked < record.price_minimum_minor:
        under = f"{record.price_currency} {asked} under {record.price_minimum_minor}"
        faults.append(("PRICE_BELOW_MINIMUM", under, ALL))


def _test_place(record: Record, question: Question, faults: list[Fault]) -> None:
    unknown = record.territories.unknown
    if unknown:
        faults.append(("TERRITORY_UNKNOWN", ", ".join(unknown), ALL))
    outside = ALL & ~record.territories.mask
    if outside:
        faults.append(("TERRITORY_EXCLUDED", str(record.territories), outside))
    if record.basis == Basis.PASS_THROUGH:
        here = PASS_THROUGH_COUNTRIES if record.layer == Layer.WORK else 0
        faults.append(("PASS_THROUGH_NOT_VALID_HERE", "", ALL & ~here))
    elif record.basis == Basis.STATUTORY:
        faults.append(("STATUTORY_CONDITION", "no such licence in this country", ALL & ~STATUTORY_COUNTRIES))
    if question.use == _PREVIEW:
        faults += _preview_faults(record, question.preview_seconds)


def _preview_faults(record: Record, seconds: int | None) -> Iterator[Fault]:
    limit = record.preview_max_seconds
    if seconds is None:
        if limit is not None or record.licensee != _PUBLIC:
            yield "PREVIEW_TOO_LONG", "its length is not stated", ALL
        return
    if limit is not None and seconds > limit:
        yield "PREVIEW_TOO_LONG", f"{seconds} s, granted {limit} s", ALL
    if record.licensee == _PUBLIC:
        return
    if limit is None and seconds > PREVIEW_SECONDS_ANYWHERE:
        yield "PREVIEW_TOO_LONG", f"{seconds} s, no more than {PREVIEW_SECONDS_ANYWHERE} s", ALL
    for country, most in PREVIEW_SECONDS_IN.items():
        if seconds > most:
            yield "PREVIEW_TOO_LONG", f"{seconds} s, no more than {most} s here", BIT[country]


def _test_time(record: Record, question: Question, last_day: date | None, faults: list[Fault]) -> None:
    if record.starts_on is not None:
        begun = day_start(record.starts_on).begun_at(question.at)
        if begun != ALL:
            faults.append(("NOT_YET_STARTED", f"begins {record.starts_on}", ALL & ~begun))
    if last_day is not None:
        ended = day_start(day_after(last_day)).begun_at(question.at)
        if ended:
            faults.append(("TERM_EXPIRED", f"ended {last_day}", ended))


def _test_tariff(record: Record, question: Question, faults: list[Fault]) -> Stops:
    """Rates that are missing or unverified hold the sale where they are wanted; gives when those in force run out."""
    wanted = record.territories.mask & (STATUTORY_COUNTRIES if record.basis == Basis.STATUTORY else ALL)
    found = tariffs.in_force(record, question)
    missing = wanted & ~found.countries
    if missing:
        faults.append(("RATE_UNVERIFIED", record.tariff or "no tariff is named", missing))
    if question.use == _SALE and question.prices is not None:
        for currency, minimum, mask in found.minima:
            faults += _minimum_faults(dict(question.prices), currency, minimum, mask)
    return found.stops


def _minimum_faults(prices: dict[str, int], currency: str, minimum: int, mask: int) -> Iterator[Fault]:
    asked = prices.get(currency)
    if asked is None:
        yield "NO_PRICE", f"{currency}, in which the tariff sets a minimum", mask
    elif asked < minimum:
        yield "PRICE_BELOW_MINIMUM", f"{currency} {asked} under the tariff's {minimum}", mask


def _coming(days: list[tuple[date, int]], at: datetime, reach: int) -> Stops:
    """Those days that have not begun, with the countries where they have not."""
    ahead = [(day, mask & reach & ~day_start(day).begun_at(at)) for day, mask in days]
    return tuple([(day, mask) for day, mask in ahead if mask])


def _next_change(days: list[tuple[date, int]], at: datetime, reach: int) -> datetime | None:
    instants = [day_start(day).next_after(at, reach & mask) for day, mask in days]
    return min((instant for instant in instants if instant), default=None)
