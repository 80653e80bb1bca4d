"""What a code takes off, to the last step of the currency, and that the holders never bear a code of the shop. Pure."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from payments.money import Currency
from store import discounts, tax
from store.royalties import Leg, Split, SplitError

EUR = Currency("EUR")
RATE = 1900


@pytest.mark.parametrize(
    ("price", "percent", "code", "off"),
    [(160, 10, "EUR", 16), (99, 50, "EUR", 50), (1, 50, "EUR", 1), (250, 33, "JPY", 83), (1_050, 10, "KWD", 110),
     (16_400, 10, "ISK", 1_600), (160, 100, "EUR", 160), (0, 50, "EUR", 0)],
)  # fmt: skip
def test_per_cent_are_rounded_half_up_to_what_can_be_paid(price: int, percent: int, code: str, off: int) -> None:
    assert discounts.percent_off({1: price}, percent, Currency(code)) == {1: off}


def test_an_amount_is_parted_as_the_prices_are_and_none_of_it_is_lost() -> None:
    assert discounts.amount_off({1: 300, 2: 100, 3: 100}, 100, EUR) == {1: 60, 2: 20, 3: 20}
    assert sum(discounts.amount_off({1: 333, 2: 333, 3: 333}, 100, EUR).values()) == 100


@pytest.mark.parametrize("prices", [{1: 30, 2: 20}, {1: 50}, {1: 0, 2: 50}])
def test_an_amount_takes_no_more_off_than_there_is(prices: dict[int, int]) -> None:
    assert discounts.amount_off(prices, 100, EUR) == prices


@given(prices=some.lists(some.integers(0, 10**6), min_size=1, max_size=8), off=some.integers(1, 10**6))
def test_no_price_falls_below_nought_and_no_step_is_lost(prices: list[int], off: int) -> None:
    asked = dict(enumerate(prices))
    found = discounts.amount_off(asked, off, EUR)
    assert all(0 <= found[key] <= asked[key] for key in asked)
    assert sum(found.values()) == min(off, sum(prices))


def split_of(price: int, commission: Fraction) -> Split:
    inside = tax.tax_inside(price, RATE) * 10_000
    net = price * 10_000 - inside
    shop = int(net * commission)
    work = int(net * Fraction(1, 10))
    legs = (
        Leg("TAX", "DE", inside),
        Leg("COMMISSION", "store", shop),
        Leg("WORK", "Ana", work, recording=1, holder=1),
        Leg("RECORDING", "Bob", net - shop - work, recording=1, holder=2),
    )
    return Split(price * 10_000, tuple(leg for leg in legs if leg.micros))


def borne(price: int, wanted: int, commission: Fraction) -> tuple[int, Split, Split]:
    full = split_of(price, commission)

    def net(off: int) -> int:
        return price - off - tax.tax_inside(price - off, RATE)

    off = discounts.most_borne(full, wanted, net=net, currency=EUR)
    left = price - off
    micros = left * 10_000, tax.tax_inside(left, RATE) * 10_000
    return off, full, discounts.borne_by_shop(full, micros=micros[0], tax_micros=micros[1])


@given(
    price=some.integers(1, 10**6),
    wanted=some.integers(0, 10**6),
    commission=some.fractions(min_value=0, max_value=Fraction(1, 2), max_denominator=100),
)
def test_a_code_of_the_shop_leaves_the_holders_what_they_had(price: int, wanted: int, commission: Fraction) -> None:
    off, full, lowered = borne(price, min(wanted, price), commission)
    assert 0 <= off <= min(wanted, price)
    assert [leg for leg in lowered.legs if leg.holder] == [leg for leg in full.legs if leg.holder]
    assert lowered.micros == (price - off) * 10_000


def test_the_shop_bears_as_much_as_its_commission_and_no_cent_more() -> None:
    off, _, lowered = borne(1000, 1000, Fraction(15, 100))
    assert off == 150  # 8.40 without tax, less 85 per cent of it, and the tax on what is left
    assert sum(leg.micros for leg in lowered.legs if leg.kind == "COMMISSION") < 10_000


def test_a_discount_that_the_commission_cannot_bear_does_not_exist() -> None:
    with pytest.raises(SplitError):
        discounts.borne_by_shop(split_of(1000, Fraction(15, 100)), micros=1_000_000, tax_micros=0)
