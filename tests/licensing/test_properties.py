"""What must hold of every verdict, tried on records put together at random."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from licensing.records import Evidence, Question, Record
from licensing.rules import decide
from licensing.terms import Basis, Layer, Licensee, Material, RecordState, Use
from licensing.territories import COUNTRIES, TerritorySet, day_begins
from licensing.verdicts import Verdict
from tests.licensing.facts import NOW, RECORDING, SOUND, WORK, approved, draft, known

FEW = ["DE", "US", "NZ", "JP", "KI", "BR"]
days = st.none() | st.dates(NOW.date() - timedelta(days=3), NOW.date() + timedelta(days=3))
shares = st.sampled_from([Fraction(1), Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(2, 3), Fraction(1, 7)])
territories = st.one_of(
    st.just(TerritorySet.world()),
    st.frozensets(st.sampled_from(FEW), min_size=1).map(lambda codes: TerritorySet.only(*codes)),
    st.frozensets(st.sampled_from([*FEW, "XX"])).map(lambda codes: TerritorySet.world(but=codes)),
)
URLS = ["CC BY 4.0", "CC BY-NC 3.0", "CC BY-ND 2.0", "CC BY", "royalty free", "CC0 1.0"]


@st.composite
def records(draw, layer=None):
    layer = layer or draw(st.sampled_from(list(Layer)))
    basis = draw(st.sampled_from(list(Basis)))
    record = draft(
        layer,
        basis,
        id=draw(st.sampled_from("abcdefgh")) + layer[0] + basis,
        licensor=draw(st.sampled_from(["bob", "eve", "kim"])),
        share=draw(shares),
        territories=draw(territories),
        starts_on=draw(days),
        ends_on=draw(days),
        exclusive=draw(st.booleans()),
        licence_url=draw(st.sampled_from(URLS)),
        licensee=draw(st.sampled_from([Licensee.STORE, Licensee.PUBLIC, "SOMEBODY"])),
        cmo_status=draw(st.sampled_from(["NOT_BOUND", "UNKNOWN", "NEW"])),
        statutory_condition_met=draw(st.booleans()),
        drm_required=draw(st.integers(0, 9)) == 0,
    )
    if draw(st.integers(0, 5)):
        record = approved(record, independent=draw(st.integers(0, 9)) > 0)
    return replace(record, state=draw(st.sampled_from([record.state] * 6 + [RecordState.REVOKED, "ODD"])))


questions = st.builds(
    Question,
    use=st.sampled_from([*Use, "SYNC"]),
    at=st.integers(-72, 72).map(lambda hours: NOW + timedelta(hours=hours)),
    sound_sha256=st.sampled_from([SOUND, SOUND, SOUND, ""]),
    price_is_zero=st.booleans(),
    edited=st.booleans(),
)
dossiers = st.builds(
    lambda found, marks: known(*found, materials=marks),
    st.lists(records(), max_size=8),
    st.frozensets(st.sampled_from(list(Material)), max_size=1),
)


@given(questions, dossiers)
def test_the_same_input_gives_the_same_bytes(question: Question, evidence: Evidence) -> None:
    again = replace(evidence, records=tuple(reversed(evidence.records)))
    different_versions = len({record.id for record in evidence.records}) == len(evidence.records)
    assert decide(question, evidence).to_json() == decide(question, evidence).to_json()
    if different_versions:
        assert decide(question, again).to_json() == decide(question, evidence).to_json()


@given(questions, dossiers)
def test_every_country_is_either_cleared_or_refused_with_a_reason(question: Question, evidence: Evidence) -> None:
    verdict = decide(question, evidence)
    for country in COUNTRIES:
        assert verdict.is_cleared(country) != bool(verdict.reasons_in(country))


@given(questions, dossiers, records())
def test_a_record_about_something_else_changes_nothing(question: Question, evidence: Evidence, other: Record) -> None:
    unrelated = replace(other, id="unrelated", subject="somebody else's")
    more = replace(evidence, records=(*evidence.records, unrelated))
    assert decide(question, more).to_json() == decide(question, evidence).to_json()


@given(questions, dossiers, st.sampled_from(FEW))
def test_what_rests_on_ended_records_never_clears_later(question: Question, evidence: Evidence, country: str) -> None:
    ended = replace(
        evidence,
        records=tuple(replace(record, ends_on=date(2026, 3, 1), starts_on=None) for record in evidence.records),
    )
    if question.use != Use.REDOWNLOAD:
        assert not decide(question, ended).is_cleared(country)


@given(questions, dossiers, st.sampled_from(FEW))
def test_the_answer_stands_until_it_says(question: Question, evidence: Evidence, country: str) -> None:
    verdict = decide(question, evidence)
    horizon = verdict.good_until or question.at + timedelta(days=400)
    for later in (question.at + (horizon - question.at) / 2, horizon - timedelta(microseconds=1)):
        if later < horizon:
            assert decide(replace(question, at=later), evidence).is_cleared(country) == verdict.is_cleared(country)


@given(questions, dossiers, st.sampled_from(FEW))
def test_a_country_stays_cleared_until_the_day_it_says(question: Question, evidence: Evidence, country: str) -> None:
    verdict = decide(question, evidence)
    if not verdict.is_cleared(country):
        return
    until = verdict.cleared_until(country) or question.at + timedelta(days=30)
    just_before = until - timedelta(seconds=1)
    if just_before > question.at:
        assert decide(replace(question, at=just_before), evidence).is_cleared(country)


@given(questions, dossiers, st.sampled_from(FEW))
def test_cleared_shares_of_each_right_are_exactly_the_whole(
    question: Question, evidence: Evidence, country: str
) -> None:
    verdict = decide(question, evidence)
    held = [share for share in verdict.shares_in(country) if share.record[0] in "abcdefgh"]
    if verdict.is_cleared(country) and not evidence.materials:
        for subject in (RECORDING, WORK):
            assert sum(share.share for share in held if share.subject == subject) == 1


@given(questions, dossiers)
def test_a_verdict_reads_back_equal(question: Question, evidence: Evidence) -> None:
    verdict = decide(question, evidence)
    assert Verdict.from_data(json.loads(verdict.to_json())) == verdict


@given(dossiers)
def test_an_unknown_use_is_never_cleared(evidence: Evidence) -> None:
    odd = replace(evidence, records=tuple(replace(r, uses=frozenset({"SYNC"})) for r in evidence.records))
    assert decide(Question("SYNC", NOW, sound_sha256=SOUND), odd).cleared == ()


@given(st.sampled_from(FEW), st.sampled_from(FEW), st.booleans())
def test_one_holders_records_clear_the_union_of_their_countries(one: str, other: str, with_work: bool) -> None:  # noqa: FBT001
    masters = [
        approved(draft(Layer.RECORDING, id=f"m{code}", territories=TerritorySet.only(code))) for code in (one, other)
    ]
    works = [approved(draft(Layer.WORK))] if with_work else []
    verdict = decide(Question(Use.PERMANENT_DOWNLOAD, NOW, sound_sha256=SOUND), known(*masters, *works))
    assert set(verdict.cleared_countries) == ({one, other} if with_work else set())


@given(st.sampled_from(COUNTRIES), st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.sampled_from([-1, 0, 1]))
def test_a_term_is_half_open_to_the_second(country: str, last_day: date, second: int) -> None:
    ends = day_begins(last_day + timedelta(days=1), country)
    assert ends is not None
    at: datetime = ends + timedelta(seconds=second)
    evidence = known(approved(draft(Layer.RECORDING, ends_on=last_day)), approved(draft(Layer.WORK)))
    assert decide(Question(Use.PERMANENT_DOWNLOAD, at, sound_sha256=SOUND), evidence).is_cleared(country) == (
        second < 0
    )
