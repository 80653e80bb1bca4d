"""The waterfall: exact, ordered, the same for a page, a line and the ledger."""

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from store.royalties import (
    Direction,
    Directions,
    Holding,
    Piece,
    Split,
    SplitError,
    Terms,
    WorkRate,
    WorkTooDear,
    split,
)

TERMS = Terms(Fraction(15, 100), Fraction(9, 100))
WHOLE = Fraction(1)


def piece(recording=1, weight=1, recording_holders=None, work_holders=None):
    return Piece(
        recording,
        f"Piece {recording}",
        weight,
        tuple(recording_holders or [Holding(1, "Label", WHOLE)]),
        tuple(work_holders or [Holding(2, "Writer", WHOLE)]),
    )


def paid(result, **wanted):
    legs = (leg for leg in result.legs if all(getattr(leg, name) == value for name, value in wanted.items()))
    return sum(leg.micros for leg in legs)


ARTISTS: Directions = {
    (1, "RECORDING"): [
        Direction(10, Fraction(6, 10)),
        Direction(11, Fraction(80, 300)),
        Direction(12, Fraction(40, 300)),
    ],
    (2, "WORK"): [Direction(13, WHOLE)],
}


def test_the_reference_example_comes_out_to_the_last_millionth():
    """1.29 EUR in Germany; the fee is off the recordings: tax, fee, commission, work, label, artist A, artist B."""
    card = WorkRate(Fraction(9, 100), flat=90_000)
    pieces = [piece(work_holders=[Holding(2, "Writer", WHOLE, card)])]
    result = split(1_290_000, tax_micros=210_000, country="DE", pieces=pieces, directions=ARTISTS, terms=TERMS)
    posted = result.bearing(65_000)

    assert [(leg.kind, leg.micros) for leg in posted.legs if leg.kind not in {"RECORDING", "WORK"}] == [
        ("TAX", 210_000),
        ("FEE", 65_000),
        ("COMMISSION", 162_000),
    ]
    assert paid(posted, payee=13) == 97_200
    assert [paid(posted, payee=payee) for payee in (10, 11, 12)] == [453_480, 201_547, 100_773]


def test_a_fee_is_borne_in_proportion_and_never_beyond_what_the_recordings_get():
    result = split(1_290_000, tax_micros=210_000, country="DE", pieces=[piece()], directions=ARTISTS, terms=TERMS)

    assert paid(result.bearing(10**9), kind="RECORDING") == 0
    assert paid(result.bearing(10**9), kind="FEE") == paid(result, kind="RECORDING")
    assert result.bearing(0) == result


def test_a_fee_of_a_refund_mirrors_that_of_the_sale():
    result = split(1_290_000, tax_micros=210_000, country="DE", pieces=[piece()], directions=ARTISTS, terms=TERMS)
    assert (-result).bearing(65_001) == -result.bearing(65_001)


def test_a_share_without_a_letter_waits_in_suspense_under_its_holder():
    result = split(1_000_000, tax_micros=0, country="US", pieces=[piece()], directions={}, terms=TERMS)

    assert [(leg.holder, leg.micros) for leg in result.legs if leg.in_suspense] == [(1, 760_000), (2, 90_000)]


def test_a_letter_for_a_part_leaves_the_rest_in_suspense():
    letters: Directions = {(1, "RECORDING"): [Direction(10, Fraction(1, 4))]}
    result = split(1_000_000, tax_micros=0, country="US", pieces=[piece()], directions=letters, terms=TERMS)

    assert paid(result, payee=10) == 190_000
    assert paid(result, kind="RECORDING", payee=None) == 570_000


def test_recordings_of_a_release_share_by_weight():
    pieces = [piece(1, weight=300), piece(2, weight=100)]
    result = split(8_000_000, tax_micros=0, country="US", pieces=pieces, directions=ARTISTS, terms=TERMS)

    assert paid(result, recording=1) == 3 * paid(result, recording=2)


def test_a_refund_mirrors_the_sale_leg_by_leg():
    pieces = [piece(number) for number in range(1, 8)]
    sold = split(990_000, tax_micros=160_000, country="DE", pieces=pieces, directions=ARTISTS, terms=TERMS)
    back = split(-990_000, tax_micros=-160_000, country="DE", pieces=pieces, directions=ARTISTS, terms=TERMS)

    assert [leg.micros for leg in back.legs] == [-leg.micros for leg in sold.legs]


@pytest.mark.parametrize(
    ("rate", "net", "seconds", "micros"),
    [
        (WorkRate(Fraction(1, 10)), 1_000_000, 200, 100_000),
        (WorkRate(flat=91_000), 1_000_000, 200, 91_000),
        (WorkRate(Fraction(8, 100), flat=90_000), 1_000_000, 200, 90_000),
        (WorkRate(Fraction(8, 100), flat=90_000), 2_000_000, 200, 160_000),
        (WorkRate(flat=131_000, per_minute=25_200, over_seconds=300), 990_000, 300, 131_000),
        (WorkRate(flat=131_000, per_minute=25_200, over_seconds=300), 990_000, 301, 151_200),
        (WorkRate(per_minute=10_000), 990_000, 121, 30_000),
    ],
    ids=["percent", "flat", "the flat is greater", "the percentage is greater", "five minutes", "begun sixth", "begun"],
)
def test_a_rate_card_pays_the_greatest_of_what_it_names(rate, net, seconds, micros):
    assert rate.of(Fraction(net), seconds) == micros


def test_each_holder_of_a_work_is_paid_by_the_rate_of_its_own_licence():
    half = Fraction(1, 2)
    holders = [Holding(2, "Writer", half, WorkRate(flat=200_000)), Holding(3, "Friend", half)]
    result = split(
        1_000_000, tax_micros=0, country="US", pieces=[piece(work_holders=holders)], directions={}, terms=TERMS
    )
    assert (paid(result, holder=2), paid(result, holder=3)) == (100_000, 45_000)
    assert {leg.rate for leg in result.legs if leg.kind == "WORK"} == {"", "store"}


def test_works_that_ask_for_more_than_the_price_leaves_are_refused():
    dear = [piece(work_holders=[Holding(2, "Writer", WHOLE, WorkRate(flat=900_000))])]
    with pytest.raises(WorkTooDear) as refusal:
        split(1_000_000, tax_micros=0, country="US", pieces=dear, directions={}, terms=TERMS)
    assert refusal.value.short == 50_000


def test_a_letter_about_a_recording_counts_before_one_about_the_release_and_that_before_the_general_ones():
    letters: Directions = {
        (1, "RECORDING"): [
            Direction(10, WHOLE), Direction(11, WHOLE, release=7), Direction(12, WHOLE, recording=1),
            Direction(13, WHOLE, release=8),
        ]
    }  # fmt: skip
    pieces = [replace(piece(1), release=7), replace(piece(2), release=7), replace(piece(3), release=9)]
    result = split(3_000_000, tax_micros=0, country="US", pieces=pieces, directions=letters, terms=TERMS)

    assert {leg.recording: leg.payee for leg in result.legs if leg.kind == "RECORDING"} == {1: 12, 2: 11, 3: 10}


def test_after_700_sales_of_a_cent_each_of_seven_holders_has_its_hundred():
    """A cent is 10,000 millionths, so that what rounding leaves is never a cent to anybody."""
    seventh = [Holding(number, f"holder {number}", Fraction(1, 7)) for number in range(1, 8)]
    free = Terms(Fraction(0), Fraction(0))
    sold = split(
        10_000, tax_micros=0, country="US", pieces=[piece(recording_holders=seventh)], directions={}, terms=free
    )
    cents = [Fraction(700 * paid(sold, holder=number, kind="RECORDING"), 10_000) for number in range(1, 8)]

    assert sum(cents) == 700
    assert all(abs(each - 100) < 1 for each in cents)


def test_shares_that_are_not_the_whole_are_refused():
    with pytest.raises(SplitError):
        split(
            100, tax_micros=0, country="US", directions={}, terms=TERMS,
            pieces=[piece(recording_holders=[Holding(1, "Label", Fraction(99, 100))])],
        )  # fmt: skip


def test_percentages_above_the_whole_are_refused():
    with pytest.raises(SplitError):
        Terms(Fraction(60, 100), Fraction(50, 100))


def test_a_split_that_does_not_sum_refuses_to_exist():
    result = split(100, tax_micros=0, country="US", pieces=[piece()], directions={}, terms=TERMS)
    with pytest.raises(SplitError):
        Split(101, result.legs)


def test_a_split_read_back_is_the_same():
    result = split(1_290_000, tax_micros=210_000, country="DE", pieces=[piece()], directions=ARTISTS, terms=TERMS)
    assert Split.from_json(result.to_json()) == result


def holders(luck, rate=None):
    parts = [luck.randint(1, 1000) for _ in range(luck.choice([1, 2, 3, 7, 40]))]
    return tuple(Holding(n, f"holder {n}", Fraction(part, sum(parts)), rate) for n, part in enumerate(parts))


def some_rate(luck):
    percent = Fraction(luck.randint(0, 60), luck.choice([100, 300, 700]))
    rate = WorkRate(percent, luck.randint(0, 200_000), luck.randint(0, 30_000), luck.choice([0, 300]))
    return luck.choice([None, rate])


def keeps_the_sum(seed):
    """A price, its tax and up to forty holders of a layer: every sum is exact, and a mirror cancels leg by leg."""
    luck = Random(seed)
    gross = luck.choice([1, 2, 3, 99, luck.randint(1, 10**9)]) * luck.choice([1, 10_000])
    tax = gross * luck.choice([0, 19, 25]) // 125
    asked: dict[str, Any] = {"country": "DE", "directions": ARTISTS, "terms": TERMS, "pieces": [
        piece(n, luck.randint(1, 999), holders(luck), holders(luck, some_rate(luck)))
        for n in range(1, luck.choice([1, 1, 2, 5]) + 1)
    ]}  # fmt: skip
    try:
        result = split(gross, tax_micros=tax, **asked)
    except WorkTooDear:
        return  # the rates were drawn too high for this price
    borne = result.bearing(luck.randint(0, gross))
    for each in (result, borne):
        assert sum(leg.micros for leg in each.legs) == gross
        assert all(leg.micros > 0 for leg in each.legs)
    assert split(-gross, tax_micros=-tax, **asked) == -result
    assert (-result).bearing(gross // 7) == -result.bearing(gross // 7)


@given(st.integers())
def test_every_split_sums_to_the_price_and_its_mirror_cancels_it_leg_by_leg(seed):
    keeps_the_sum(seed)


@pytest.mark.long
@settings(max_examples=200_000, phases=[Phase.generate])
@given(st.integers())
def test_two_hundred_thousand_splits_sum_to_the_price(seed):
    keeps_the_sum(seed)
