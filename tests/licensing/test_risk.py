"""Points with named reasons: they order the queue and ask for a second reviewer, and a fact more never lowers them."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import risk
from licensing.risk import Facts, Policy, RiskReason

POLICY = Policy(two_above_risk=60, two_above_minor=50_000)
FLAGS = [field.name for field in fields(Facts) if field.name not in {"countries", "value_minor"}]
SOME = st.builds(
    Facts, **dict.fromkeys(FLAGS, st.booleans()), countries=st.integers(0, 249), value_minor=st.integers(0, 10**6)
)


def test_every_reason_has_points_and_words() -> None:
    assert set(risk.POINTS) == set(risk.WORDS) == {*RiskReason}
    assert all(points > 0 for points in risk.POINTS.values())


def test_the_reviewers_page_lists_them_as_they_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reviewers.md").read_text(encoding="utf-8")
    listed = [f"| {risk.WORDS[reason]} | {points} |" for reason, points in risk.POINTS.items()]
    assert "\n".join(listed) in page


@pytest.mark.parametrize("flag", FLAGS)
def test_each_fact_is_named(flag: str) -> None:
    found = risk.assess(Facts(**{flag: True}), POLICY)
    assert [reason.value.lower() for reason in found.reasons] == [flag]
    assert found.points == risk.POINTS[found.reasons[0]]


def test_a_plain_record_has_no_risk() -> None:
    assert risk.assess(Facts(countries=1, value_minor=100), POLICY) == risk.Risk(0, (), second_needed=False)


def test_fifty_countries_are_many() -> None:
    assert not risk.assess(Facts(countries=49), POLICY).reasons
    assert risk.assess(Facts(countries=50), POLICY).reasons == (RiskReason.MANY_COUNTRIES,)


def test_the_heaviest_reason_comes_first() -> None:
    found = risk.assess(Facts(non_commercial=True, open_claim=True, new_label=True), POLICY)
    assert found.reasons == (RiskReason.OPEN_CLAIM, RiskReason.NEW_LABEL, RiskReason.NON_COMMERCIAL)


def test_two_reviewers_are_needed_above_the_risk_and_not_at_it() -> None:
    at = Facts(open_claim=True, countries=249)
    assert risk.assess(at, POLICY).points == 60
    assert not risk.assess(at, POLICY).second_needed
    assert risk.assess(replace(at, non_commercial=True), POLICY).second_needed


def test_two_reviewers_are_needed_above_the_value_and_not_at_it() -> None:
    assert not risk.assess(Facts(value_minor=50_000), POLICY).second_needed
    above = risk.assess(Facts(value_minor=50_001), POLICY)
    assert above.second_needed
    assert above.reasons == (RiskReason.HIGH_VALUE,)


@given(SOME, st.sampled_from(FLAGS))
def test_a_fact_more_never_lowers_the_risk(facts: Facts, flag: str) -> None:
    less, more = (risk.assess(replace(facts, **{flag: known}), POLICY) for known in (False, True))
    assert more.points >= less.points
    assert more.second_needed or not less.second_needed


def test_a_reason_of_a_later_release_stands_as_it_is() -> None:
    assert risk.words(["SAME_SOUND", "SINGS_FLAT"]) == [risk.WORDS[RiskReason.SAME_SOUND], "SINGS_FLAT"]
