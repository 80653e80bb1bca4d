"""The laws of the engine: what must hold of every verdict, tried on questions and evidence put together at random.

`make test-long` tries each law on many thousand cases.
"""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from licensing.records import Evidence, Question, Record
from licensing.rules import decide, decide_release
from licensing.terms import Layer, RecordState, Use
from licensing.territories import ALL, BIT, COUNTRIES, TerritorySet, codes_of, day_begins
from licensing.verdicts import Reason, Verdict
from tests.licensing.cases import FEW, altered, dossiers, law, memberships, notices, one_of, questions, records
from tests.licensing.facts import NOW, RECORDING, SOUND, WORK, approved, draft, known


def newest(evidence: Evidence) -> Evidence:
    """The evidence with one version of each record only: which of two equals counts is not for order to say."""
    return replace(evidence, records=tuple({record.id: record for record in evidence.records}.values()))


@law(questions, dossiers)
def test_the_same_input_gives_the_same_bytes(question: Question, evidence: Evidence) -> None:
    evidence = newest(evidence)
    again = replace(
        evidence,
        records=tuple(reversed([replace(each, rates=tuple(reversed(each.rates))) for each in evidence.records])),
        memberships=tuple(reversed(evidence.memberships)),
    )
    first = decide(question, evidence).to_json()
    assert decide(question, evidence).to_json() == first
    if not same_first_day(evidence):
        assert decide(question, again).to_json() == first


def same_first_day(evidence: Evidence) -> bool:
    """Whether a tariff has two rows for one day, which the database refuses."""
    for record in evidence.records:
        keys = [(rate.territory, rate.use, rate.tracks_from, rate.valid_from) for rate in record.rates]
        if len(set(keys)) < len(keys):
            return True
    return False


@law(questions, dossiers)
def test_every_country_is_either_cleared_or_refused_with_a_reason(question: Question, evidence: Evidence) -> None:
    verdict = decide(question, evidence)
    seen = 0
    for countries in (*(one.countries for one in verdict.cleared), *(one.countries for one in verdict.refused)):
        assert countries
        assert not seen & countries
        seen |= countries
    assert seen == ALL
    assert all(group.reasons for group in verdict.refused)
    assert all(group.relied_on for group in verdict.cleared)


@law(questions, dossiers, records, memberships)
def test_a_record_about_something_else_changes_nothing(question, evidence, other, mandates) -> None:
    unrelated = replace(other, id="unrelated", subject="somebody else's")
    more = replace(
        evidence,
        records=(*evidence.records, unrelated),
        memberships=(*evidence.memberships, *(replace(each, work="somebody else's") for each in mandates)),
    )
    assert decide(question, more).to_json() == decide(question, evidence).to_json()


@law(questions, dossiers, records)
def test_a_record_that_nobody_approved_takes_no_yes_away_and_gives_none(question, evidence, other) -> None:
    waiting = replace(other, id="waiting", state=RecordState.SUBMITTED, approval=None, material="")
    more = replace(evidence, records=(*evidence.records, waiting))
    assert decide(question, more).cleared_mask == decide(question, evidence).cleared_mask


@law(questions, dossiers)
def test_what_rests_on_ended_records_never_clears(question: Question, evidence: Evidence) -> None:
    ended = replace(
        evidence,
        records=tuple(replace(record, ends_on=date(2026, 3, 1), starts_on=None) for record in evidence.records),
    )
    if question.use != Use.REDOWNLOAD:
        assert not decide(question, ended).cleared


@law(questions, dossiers, one_of([*range(1, 400)]))
def test_a_record_that_has_ended_never_clears_later(question: Question, evidence: Evidence, later: int) -> None:
    if question.use == Use.REDOWNLOAD:
        return
    over = [record for record in evidence.records if record.ends_on and record.ends_on < question.at.date()]
    verdict = decide(replace(question, at=question.at + timedelta(days=later)), evidence)
    relied = {each.record for each in verdict.records}
    still = {record.id for record in evidence.records if record not in over}
    assert not relied & {record.id for record in over} - still


@law(questions, dossiers)
def test_the_answer_stands_until_it_says(question: Question, evidence: Evidence) -> None:
    verdict = decide(question, evidence)
    horizon = verdict.good_until or question.at + timedelta(days=400)
    for later in (question.at + (horizon - question.at) / 2, horizon - timedelta(microseconds=1)):
        if later < horizon:
            assert decide(replace(question, at=later), evidence).cleared_mask == verdict.cleared_mask


@law(questions, dossiers, one_of(FEW))
def test_a_country_stays_cleared_until_the_day_it_says(question: Question, evidence: Evidence, country: str) -> None:
    verdict = decide(question, evidence)
    if not verdict.is_cleared(country):
        return
    until = verdict.cleared_until(country) or question.at + timedelta(days=30)
    just_before = until - timedelta(seconds=1)
    if just_before > question.at:
        assert decide(replace(question, at=just_before), evidence).is_cleared(country)


@law(questions, dossiers)
def test_cleared_shares_of_each_right_are_exactly_the_whole(question: Question, evidence: Evidence) -> None:
    evidence = newest(evidence)
    verdict = decide(question, evidence)
    material = {record.id for record in evidence.records if record.material}
    for group in verdict.cleared:
        country = next(code for code in COUNTRIES if BIT[code] & group.countries)
        held = [share for share in verdict.shares_in(country) if share.record not in material]
        assert all(type(share.share) is Fraction for share in held)
        for subject in (RECORDING, WORK):
            assert sum(share.share for share in held if share.subject == subject) == 1


@law(questions, dossiers)
def test_a_verdict_reads_back_equal(question: Question, evidence: Evidence) -> None:
    verdict = decide(question, evidence)
    assert Verdict.from_data(json.loads(verdict.to_json())) == verdict


ODD: dict[str, Any] = {
    "basis": "HANDSHAKE",
    "licensee": "FRIENDS",
    "state": "BLESSED",
    "layer": "LYRICS",
    "territories": TerritorySet("EVERYWHERE", frozenset()),
    "uses": frozenset({"SYNC"}),
}


@law(questions, dossiers, one_of(sorted(ODD)))
def test_what_nobody_knows_clears_nothing(question: Question, evidence: Evidence, field: str) -> None:
    odd = replace(evidence, records=tuple(replace(record, **{field: ODD[field]}) for record in evidence.records))
    assert not decide(question, odd).cleared


@law(questions, dossiers)
def test_an_unknown_use_is_never_cleared(question: Question, evidence: Evidence) -> None:
    odd = replace(evidence, records=tuple(replace(r, uses=frozenset({"SYNC"})) for r in evidence.records))
    assert not decide(replace(question, use="SYNC"), odd).cleared


@law(questions, dossiers, one_of(FEW))
def test_one_holders_records_clear_the_union_of_their_countries(question, evidence, country: str) -> None:
    """One record for a set of countries says the same as two of its holder for the parts of that set."""
    evidence = newest(evidence)
    parts: list[Record] = []
    for record in evidence.records:
        if record.territories.unknown:
            parts.append(record)
            continue
        here = record.territories & TerritorySet.only(country)
        rest = record.territories & TerritorySet.world(but=[country])
        parts += [replace(record, territories=here), replace(record, id=f"{record.id}.rest", territories=rest)]
    split = replace(evidence, records=tuple(parts))
    assert decide(question, split).cleared_mask == decide(question, evidence).cleared_mask


@law(questions, dossiers, notices)
def test_a_notice_never_clears_anything(question: Question, evidence: Evidence, more) -> None:
    less = decide(question, replace(evidence, notices=(*evidence.notices, *more))).cleared_mask
    assert less & ~decide(question, evidence).cleared_mask == 0


@law(questions, dossiers, memberships)
def test_a_mandate_only_takes_away_or_ends_an_overclaim(question: Question, evidence: Evidence, mandates) -> None:
    """Where a public licence stood beside a society's for the same share, its loss of force leaves one claim."""
    free = decide(question, replace(evidence, memberships=()))
    for bound in (evidence, replace(evidence, memberships=mandates)):
        gained = codes_of(decide(question, bound).cleared_mask & ~free.cleared_mask)
        assert all(set(free.codes_in(country)) <= {"SHARES_OVER_100", "CONFLICTING_CLAIM"} for country in gained)


@law(questions, dossiers)
def test_a_tariff_without_verified_rates_clears_no_paid_copy(question: Question, evidence: Evidence) -> None:
    unread = tuple(
        replace(record, tariff="T", rates=tuple(replace(rate, verified_on=None) for rate in record.rates))
        for record in evidence.records
    )
    if question.use not in {Use.PREVIEW, Use.REDOWNLOAD}:
        assert not decide(question, replace(evidence, records=unread)).cleared


@law(questions, dossiers)
def test_swapped_bytes_clear_nothing(question: Question, evidence: Evidence) -> None:
    swapped = replace(evidence, records=tuple(altered(record) for record in evidence.records))
    assert not decide(question, swapped).cleared
    bound = replace(evidence, records=tuple(replace(record, catalogue=False) for record in evidence.records))
    assert not decide(replace(question, sound_sha256="6" * 64), bound).cleared


@law(questions, dossiers, dossiers)
def test_a_release_is_cleared_just_where_all_its_tracks_are(question, one: Evidence, other: Evidence) -> None:
    tracks = [(title, decide(question, evidence)) for title, evidence in (("One", one), ("Two", other))]
    whole = decide_release("r", question, tracks)
    assert whole.cleared_mask == tracks[0][1].cleared_mask & tracks[1][1].cleared_mask
    assert all(reason.code == "RELEASE_INCOMPLETE" for group in whole.refused for reason in group.reasons)


@law(one_of(list(COUNTRIES)), one_of([*range(5600)]), one_of([-1, 0, 1]))
def test_a_term_is_half_open_to_the_second(country: str, day: int, second: int) -> None:
    last_day = date(2020, 1, 1) + timedelta(days=day)
    ends = day_begins(last_day + timedelta(days=1), country)
    assert ends is not None
    at: datetime = ends + timedelta(seconds=second)
    evidence = known(approved(draft(Layer.RECORDING, ends_on=last_day)), approved(draft(Layer.WORK)))
    assert decide(Question(Use.PERMANENT_DOWNLOAD, at, sound_sha256=SOUND), evidence).is_cleared(country) == (
        second < 0
    )


@law(questions, dossiers)
def test_a_complement_is_never_spelled_out(question: Question, evidence: Evidence) -> None:
    given = {record.id: record.territories for record in newest(evidence).records}
    for each in decide(question, newest(evidence)).records:
        assert each.territories == str(given[each.record])
        if given[each.record].mode == "WORLD_EXCEPT":
            assert each.territories.startswith("worldwide")


def test_a_law_that_does_not_hold_is_found_out_with_the_least_that_breaks_it():
    """The control of all laws here: the same builders find a case that breaks a false one."""
    broken_by: list[Evidence] = []

    @law(questions, dossiers)
    def nothing_is_ever_cleared(question: Question, evidence: Evidence) -> None:
        broken_by.append(evidence)
        assert not decide(question, evidence).cleared

    with pytest.raises(AssertionError):
        nothing_is_ever_cleared()
    assert {record.layer for record in broken_by[-1].records} == {"RECORDING", "WORK"}
    assert len(broken_by[-1].records) <= 4


def test_the_cases_are_not_all_refused_for_one_reason():
    """The control of the builders: many of their cases clear, and the others fail for most of the reasons there are."""
    luck = Random(1)
    cleared, seen = 0, set()
    for _ in range(3000):
        verdict = decide(questions(luck), dossiers(luck))
        cleared += bool(verdict.cleared)
        seen |= {reason.code for group in verdict.refused for reason in group.reasons if isinstance(reason, Reason)}
    assert cleared > 150
    assert len(seen) > 25, sorted(seen)
    assert NOW.tzinfo is not None
