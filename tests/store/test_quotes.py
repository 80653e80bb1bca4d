"""The sum of a line, and which sums can be paid at all. Pure."""

import pytest

from payments.money import Currency, currencies
from store.errors import AmountRefused
from store.quotes import Quote, payable, quote


def named(minor: int | None, *, least: int = 300, or_more: bool = True, currency: str = "EUR") -> Quote:
    return quote(least, or_more=or_more, named_minor=minor, currency=currency)


def test_what_is_above_the_least_is_freely_given() -> None:
    assert named(500) == Quote(300, given_minor=200)


@pytest.mark.parametrize("minor", [None, 300])
def test_who_names_nothing_pays_the_least(minor: int | None) -> None:
    assert named(minor) == Quote(300)


def test_a_fixed_price_cannot_be_named() -> None:
    assert named(900, or_more=False) == Quote(300)


@pytest.mark.parametrize("minor", [299, 0, -1, 10**8])
def test_a_price_below_the_least_or_above_what_can_be_paid_is_refused(minor: int) -> None:
    with pytest.raises(AmountRefused):
        named(minor)


@pytest.mark.parametrize(("currency", "minor"), [("ISK", 30_050), ("UGX", 30_001), ("KWD", 1_001)])
def test_parts_that_a_currency_cannot_be_paid_in_are_refused(currency: str, minor: int) -> None:
    with pytest.raises(AmountRefused):
        named(minor, currency=currency)


@pytest.mark.parametrize("parts", [(-1, 0, 0), (0, -1, 0), (100, 0, -1), (100, 0, 101)])
def test_a_sum_that_is_no_price_does_not_exist(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no price"):
        Quote(*parts)


def test_nothing_at_all_needs_no_payment() -> None:
    payable(0, "EUR")


@pytest.mark.parametrize("total", [1, 49, 10**8])
def test_a_sum_that_no_card_payment_can_be_is_refused(total: int) -> None:
    with pytest.raises(AmountRefused):
        payable(total, "EUR")


@pytest.mark.parametrize("code", currencies())
def test_each_currency_has_a_least_and_a_most_that_can_be_charged(code: str) -> None:
    unit = Currency(code)
    assert 0 < unit.least_charge < unit.most_charge < 10**12
    assert unit.least_charge % unit.charge_step == unit.most_charge % unit.charge_step == 0
    payable(unit.least_charge, code)
    payable(unit.most_charge, code)


def test_all_that_stripe_charges_in_is_there() -> None:
    assert len(currencies()) >= 135
