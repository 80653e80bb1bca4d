"""The waterfall: exact, ordered, the same for a page, a line and the ledger."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.royalties import Direction, Directions, Holding, Piece, Split, SplitError, Terms, split

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
    result = split(1_290_000, tax_micros=210_000, country="DE", pieces=[piece()], directions=ARTISTS, terms=TERMS)

    assert paid(result, kind="TAX") == 210_000
    assert paid(result, kind="COMMISSION") == 162_000
    assert paid(result, payee=13) == 97_200
    assert [paid(result, payee=payee) for payee in (10, 11, 12)] == [492_480, 218_880, 109_440]


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


shares = st.lists(st.integers(1, 1000), min_size=1, max_size=7)


@given(st.integers(1, 10**15), st.integers(0, 10**6), shares, shares, st.integers(1, 12))
def test_every_split_sums_to_the_price(gross, tax, recording_shares, work_shares, pieces):
    def holders(parts):
        return tuple(Holding(n, f"holder {n}", Fraction(part, sum(parts))) for n, part in enumerate(parts))

    result = split(
        gross, tax_micros=min(tax, gross), country="DE", directions=ARTISTS, terms=TERMS,
        pieces=[piece(n, n, holders(recording_shares), holders(work_shares)) for n in range(1, pieces + 1)],
    )  # fmt: skip
    assert sum(leg.micros for leg in result.legs) == gross
    assert all(leg.micros > 0 for leg in result.legs)
