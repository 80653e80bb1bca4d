"""Money that buyers paid ahead: what comes into a wallet, what is taken from it, and never more than it holds.

A wallet is an account of the ledger, so its balance is a sum of entries. Whoever takes from it waits for whoever is
taking; the database refuses an entry that would leave it below nought, whichever way it comes (migration of this
table).
"""

import uuid
from datetime import datetime

from django.db import connection, transaction

from payments import accounts, ledger
from payments.errors import CreditTooLow
from payments.models import Account, Transfer, Wallet
from payments.money import Currency, Money


def open_wallet(owner: str, currency: str) -> Wallet:
    """The owner's wallet in this currency, made on first use."""
    known = find(owner, currency)
    if known is not None:
        return known
    public_id = uuid.uuid4()
    with transaction.atomic():
        row = Wallet(public_id=public_id, owner=owner, currency=currency, account=accounts.wallet(public_id, currency))
        Wallet.objects.bulk_create([row], ignore_conflicts=True)  # two first uses may meet: one wallet stays
    return Wallet.objects.select_related("account").get(owner=owner, currency=currency)


def find(owner: str, currency: str) -> Wallet | None:
    return Wallet.objects.select_related("account").filter(owner=owner, currency=currency).first()


def balance(owner: str, currency: str) -> Money:
    """What the owner can spend; nought where there is no wallet."""
    wallet = find(owner, currency)
    micros = ledger.balance(wallet.account) if wallet else 0
    scale = Currency(currency)
    return Money(micros // scale.micros_per_minor, scale)


def put(wallet: Wallet, amount: Money, *, source: Account, reference: str, kind: str, at: datetime) -> Transfer:
    """Credit the wallet out of `source`, in the caller's transaction, once for each reference."""
    legs = [ledger.debit(source, amount.micros), ledger.credit(wallet.account, amount.micros)]
    return ledger.post(reference, kind=kind, legs=legs, at=at)


def take(wallet: Wallet, amount: Money, *, to: Account, reference: str, kind: str, at: datetime) -> Transfer:
    """Move `amount` out of the wallet, in the caller's transaction, once for each reference.

    Raises CreditTooLow where it holds less; two that take at once come one after the other.
    """
    held = locked_balance(wallet)
    known = Transfer.objects.filter(reference=reference).exists()
    if not known and held < amount:
        raise CreditTooLow(f"There is {held} of credit, and {amount} is to be taken. Use less, or add credit first.")
    legs = [ledger.debit(wallet.account, amount.micros), ledger.credit(to, amount.micros)]
    return ledger.post(reference, kind=kind, legs=legs, at=at)


def locked_balance(wallet: Wallet) -> Money:
    """What the wallet holds, and keeps holding until the caller's transaction ends.

    Locked by its name, as the database's own guard does: nobody may change a wallet's row, so nobody can lock that.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('wallet', %s))", [wallet.account_id])
    currency = Currency(wallet.currency)
    return Money(ledger.balance(wallet.account) // currency.micros_per_minor, currency)
