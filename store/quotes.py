"""What one thing costs one buyer: the price that is asked, what she gives freely, what a code takes off. Pure.

Amounts are whole minor units of one currency.
"""

from dataclasses import dataclass

from payments.money import Currency, Money
from store.errors import AmountRefused


@dataclass(frozen=True)
class Quote:
    """The sum of a line. `by_shop`: the shop bears what is taken off, out of its own share; else the label does."""

    list_minor: int
    given_minor: int = 0
    discount_minor: int = 0
    by_shop: bool = False

    def __post_init__(self) -> None:
        if min(self.list_minor, self.given_minor, self.discount_minor) < 0 or self.discount_minor > self.list_minor:
            raise ValueError(f"{self} is no price")

    @property
    def amount_minor(self) -> int:
        return self.list_minor + self.given_minor - self.discount_minor

    def without_discount(self) -> "Quote":
        return Quote(self.list_minor, self.given_minor)

    @property
    def is_free(self) -> bool:
        return self.amount_minor == 0


def quote(least_minor: int, *, or_more: bool, named_minor: int | None, currency: str) -> Quote:
    """The price of a thing for which the buyer named hers (None: she did not). Raises AmountRefused."""
    if named_minor is None or named_minor == least_minor or not or_more:
        return Quote(least_minor)
    unit = Currency(currency)
    if named_minor < least_minor:
        raise AmountRefused("The price you name is below the least that is asked. Name that much or more.")
    if named_minor % unit.charge_step:
        raise AmountRefused(f"That amount has parts that {unit} cannot be paid in.")
    if named_minor > unit.most_charge:
        raise AmountRefused("That is more than can be paid at once. Name a smaller price.")
    return Quote(least_minor, given_minor=named_minor - least_minor)


def askable(amount: Money) -> None:
    """Refuse as a price what nobody could pay alone: AmountRefused, with the least in words. Nought gives away."""
    unit = amount.currency
    if 0 < amount.minor < unit.least_charge:
        least = Money(unit.least_charge, unit).decimal
        raise AmountRefused(f"A payment in {unit} is at least {least}. Ask that or more, or 0 to give it away.")
    if amount.minor > unit.most_charge:
        raise AmountRefused(f"A payment in {unit} is at most {Money(unit.most_charge, unit).decimal}.")


def payable(total_minor: int, currency: str) -> None:
    """Refuse a sum that no card payment can be: raises AmountRefused. Nothing at all is no payment, and fine."""
    unit = Currency(currency)
    if 0 < total_minor < unit.least_charge:
        raise AmountRefused(
            "This is less than can be paid at once. Add something to the basket, or name a higher price.",
            least_minor=unit.least_charge,
        )
    if total_minor > unit.most_charge:
        raise AmountRefused("This is more than can be paid at once. Take something out and order it separately.")
