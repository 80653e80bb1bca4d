"""Money is whole numbers: nothing is lost in a split, and no amount is read that was not clearly written."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.errors import CurrencyError, SplitError
from payments.money import MICROS, Currency, Money, allocate, decimal_to_minor, to_micros, whole_minor

weights = st.lists(st.fractions(min_value=0, max_value=1, max_denominator=10_000), min_size=1, max_size=40).filter(any)


def numbered(parts: list[Fraction]) -> list[tuple[int, Fraction]]:
    return list(enumerate(parts))


def test_the_worked_example_is_exact() -> None:
    """1.29 EUR in Germany: 19 % tax inside, fee 0.065, 15 % commission of net, work max(9 %, 0.09), three shares."""
    gross = to_micros(Money.parse("EUR:1.29"))
    tax = 210_000
    net = gross - tax
    commission = net * 15 // 100
    work = max(net * 9 // 100, 90_000)
    master = net - 65_000 - commission - work
    assert (net, commission, work, master) == (1_080_000, 162_000, 97_200, 755_800)
    shares = [("label", Fraction(60, 100)), ("artist a", Fraction(80, 300)), ("artist b", Fraction(40, 300))]
    assert allocate(master, shares) == {"label": 453_480, "artist a": 201_547, "artist b": 100_773}


@given(st.integers(-(10**15), 10**15), weights)
def test_a_split_loses_nothing(total: int, parts: list[Fraction]) -> None:
    assert sum(allocate(total, numbered(parts)).values()) == total


@given(st.integers(0, 10**15), weights)
def test_a_negative_split_mirrors_the_positive_one(total: int, parts: list[Fraction]) -> None:
    positive = allocate(total, numbered(parts))
    assert allocate(-total, numbered(parts)) == {key: -part for key, part in positive.items()}


@given(st.integers(0, 10**15), weights)
def test_no_share_is_more_than_one_unit_from_its_exact_part(total: int, parts: list[Fraction]) -> None:
    for key, part in allocate(total, numbered(parts)).items():
        assert abs(part - total * parts[key] / sum(parts)) < 1


@given(st.integers(0, 10**9), weights)
def test_the_order_in_which_parties_are_named_does_not_matter(total: int, parts: list[Fraction]) -> None:
    assert allocate(total, numbered(parts)[::-1]) == allocate(total, numbered(parts))


def test_ties_go_to_the_smaller_key() -> None:
    assert allocate(2, [("c", 1), ("a", 1), ("b", 1)]) == {"a": 1, "b": 1, "c": 0}


def test_one_cent_over_seven_holders_leaves_each_its_seventh() -> None:
    cent = Money.parse("EUR:0.01").micros
    earned = [700 * part for part in allocate(cent, [(i, 1) for i in range(7)]).values()]
    assert sum(earned) == 7 * MICROS
    assert all(abs(part - MICROS) <= 700 for part in earned)


@pytest.mark.parametrize("bad", [[], [("a", 0)], [("a", -1), ("b", 2)], [("a", 1), ("a", 1)]])
def test_weights_that_divide_nothing_are_refused(bad: list[tuple[str, int]]) -> None:
    with pytest.raises(SplitError):
        allocate(100, bad)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("EUR:1.00", 100), ("EUR:0.9", 90), ("JPY:100", 100), ("KWD:1.230", 1230), ("ISK:5", 500), ("HUF:1.50", 150)],
)
def test_an_amount_is_read_in_the_currencys_own_minor_units(text: str, minor: int) -> None:
    assert Money.parse(text).minor == minor


@pytest.mark.parametrize(
    "text",
    ["EUR:-1", "EUR:1E+2", "EUR:１２", "EUR:٣", "EUR:1_000", "EUR:NaN", "EUR:Infinity", "EUR:1e400", "EUR:1,5",
     "EUR:1.001", "EUR:" + "9" * 40, "JPY:1.5", "ISK:5.01", "KWD:1.234", "XXX:1", "eur:1",
     "1.00", "EUR:", "EUR:1.00\n"],
)  # fmt: skip
def test_what_is_not_clearly_an_amount_is_refused(text: str) -> None:
    with pytest.raises(CurrencyError):
        Money.parse(text)


@pytest.mark.parametrize("minor", [1.0, True, "1", 10**12])
def test_money_is_a_bounded_whole_number(minor: object) -> None:
    with pytest.raises(CurrencyError):
        Money(minor, Currency("EUR"))  # type: ignore[arg-type]


def test_two_currencies_do_not_add_or_compare() -> None:
    with pytest.raises(CurrencyError):
        Money.parse("EUR:1") + Money.parse("USD:1")
    with pytest.raises(CurrencyError):
        assert Money.parse("EUR:1") < Money.parse("USD:1")


@given(st.sampled_from(["EUR", "JPY", "KWD", "ISK", "UGX", "HUF", "TWD"]), st.integers(0, 10**9))
def test_an_amount_written_and_read_is_itself(code: str, number: int) -> None:
    currency = Currency(code)
    amount = Money(number * currency.charge_step, currency)
    assert Money.parse(str(amount)) == amount
    assert decimal_to_minor(str(amount.decimal), currency) == amount.minor


@pytest.mark.parametrize(
    ("micros", "code", "minor"),
    [(1_999_999, "EUR", 199), (9_999, "EUR", 0), (-5, "EUR", 0), (1_999_999, "JPY", 1), (1_239_999, "KWD", 1230),
     (199_990_000, "HUF", 19_900), (5_990_000, "ISK", 500)],
)  # fmt: skip
def test_what_is_sent_is_rounded_down_and_the_rest_stays_owed(micros: int, code: str, minor: int) -> None:
    assert whole_minor(micros, Currency(code)) == minor
