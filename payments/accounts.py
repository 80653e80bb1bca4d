"""The chart of accounts. Every function gives the account, making it on first use; an account never changes."""

from collections.abc import Callable, Iterable
from uuid import UUID

from payments.models import Account, Payee
from payments.money import Currency

Kind = Account.Kind


def payee(payee: Payee, currency: str) -> Account:
    """What we owe the payee in this currency."""
    return _account(f"payee:{payee.public_id}:{currency}", Kind.PAYEE, currency, payee=payee)


def reserve(payee: Payee, currency: str) -> Account:
    """What is held back of a payee's money until the refund window ends."""
    return _account(f"reserve:{payee.public_id}:{currency}", Kind.RESERVE, currency, payee=payee)


def debt(payee: Payee, currency: str) -> Account:
    """What a payee owes us, recouped from later earnings and never billed by itself."""
    return _account(f"debt:{payee.public_id}:{currency}", Kind.DEBT, currency, payee=payee)


def recoupment(payee: Payee, currency: str) -> Account:
    """What was advanced to a payee and is still to be kept from its earnings."""
    return _account(f"recoupment:{payee.public_id}:{currency}", Kind.RECOUPMENT, currency, payee=payee)


def advances(payee: Payee, currency: str) -> Account:
    """What a payee advanced to others and is still to get back out of their earnings."""
    return _account(f"advances:{payee.public_id}:{currency}", Kind.ADVANCES, currency, payee=payee)


def suspense(subject: str, currency: str) -> Account:
    """What is owed for a subject whose payee is not known or in dispute."""
    return _account(f"suspense:{subject}:{currency}", Kind.SUSPENSE, currency, subject=subject)


def tax(country: str, currency: str) -> Account:
    return _account(f"tax:{country}:{currency}", Kind.TAX, currency, subject=country)


def commission(currency: str) -> Account:
    return _account(f"commission:{currency}", Kind.COMMISSION, currency)


def fees(currency: str) -> Account:
    return _account(f"fees:{currency}", Kind.FEES, currency)


def losses(currency: str) -> Account:
    """What banks took back beyond what a buyer had paid and not yet got back; the store bears it."""
    return _account(f"losses:{currency}", Kind.LOSSES, currency)


def stripe_balance(currency: str) -> Account:
    return _account(f"stripe:{currency}", Kind.STRIPE_BALANCE, currency)


def wallet(public_id: UUID, currency: str) -> Account:
    """What a buyer has paid ahead; `public_id` is the wallet's, so that the ledger holds no person's name."""
    return _account(f"credit:{public_id}:{currency}", Kind.BUYER_CREDIT, currency)


def gift_cards(currency: str) -> Account:
    """What was paid for gift cards that nobody has redeemed."""
    return _account(f"gift-cards:{currency}", Kind.GIFT_CARDS, currency)


def fx_difference(currency: str) -> Account:
    return _account(f"fx:{currency}", Kind.FX_DIFFERENCE, currency)


def withholding(country: str, currency: str) -> Account:
    """Tax withheld from payees for a country, until the operator pays it there."""
    return _account(f"withholding:{country}:{currency}", Kind.WITHHOLDING, currency, subject=country)


def clearing(route: str, currency: str) -> Account:
    """Payouts in a bank's hands: no longer owed to the payee, not yet gone from our bank."""
    return _account(f"clearing:{route}:{currency}", Kind.CLEARING, currency, subject=route)


def bank(currency: str) -> Account:
    return _account(f"bank:{currency}", Kind.BANK, currency)


class Chart:
    """The accounts of one currency that a posting needs; what is missing among `known` is made on first use.

    Nothing is remembered from one chart to the next: an account made in a transaction that is rolled back would be
    remembered for ever.
    """

    def __init__(self, currency: str, *, known: Iterable[Account]) -> None:
        self.currency = currency
        self._known = {row.code: row for row in known}
        self._of_payees = {row.payee_id: row for row in self._known.values() if row.kind == Kind.PAYEE}

    def stripe_balance(self) -> Account:
        return self._kept(f"stripe:{self.currency}", lambda: stripe_balance(self.currency))

    def commission(self) -> Account:
        return self._kept(f"commission:{self.currency}", lambda: commission(self.currency))

    def tax(self, country: str) -> Account:
        return self._kept(f"tax:{country}:{self.currency}", lambda: tax(country, self.currency))

    def holder(self, holder: int) -> Account:
        """Where a rights holder's money waits that no letter of direction says anything about."""
        subject = f"holder-{holder}"
        return self._kept(f"suspense:{subject}:{self.currency}", lambda: suspense(subject, self.currency))

    def payee(self, key: int) -> Account:
        if key not in self._of_payees:
            self._of_payees[key] = payee(Payee.objects.get(pk=key), self.currency)
        return self._of_payees[key]

    def _kept(self, code: str, make: Callable[[], Account]) -> Account:
        if code not in self._known:
            self._known[code] = make()
        return self._known[code]


def _account(code: str, kind: str, currency: str, *, payee: Payee | None = None, subject: str = "") -> Account:
    known = Account.objects.filter(code=code).first()
    if known is not None:
        return known
    Currency(currency)  # refuses what is none
    # Two sales may meet here: whoever comes second finds the first one's row.
    row = Account(code=code, kind=kind, currency=currency, payee=payee, subject=subject)
    Account.objects.bulk_create([row], ignore_conflicts=True)
    return Account.objects.get(code=code)
