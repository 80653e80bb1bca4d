"""What a payee owes us: money that went back to buyers after it had been paid out. Recouped, never billed.

A refund or chargeback mirrors the sale exactly, whatever the payee has left. Where that would leave less than nought of
what no payout has claimed, the missing part is carried to the payee's debt in the same transaction, by a transfer of
its own, so that no payee's balance is ever below nought. Payouts recoup it from later earnings.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from payments import accounts, ledger
from payments.models import Account, Entry, Payee, Payout, Transfer
from payments.money import Money

KIND, RECOUP = "DEBT", "DEBT_RECOUPED"
LOCK = 0x7061796F  # shared with the planning of payouts: no balance is planned away while a debt is worked out


def carry(transfer: Transfer, *, at: datetime) -> None:
    """Carry to debt what the debits of this transfer take from payees who have it no more; in its transaction."""
    debited = transfer.entries.filter(side=Entry.Side.DEBIT, account__kind=Account.Kind.PAYEE)
    rows = list(debited.select_related("account__payee").order_by("account"))
    if not rows:
        return
    _hold(rows)
    for account in dict.fromkeys(row.account for row in rows):
        if account.payee is not None:
            _carry(account, account.payee, transfer, at=at)


def _carry(account: Account, payee: Payee, transfer: Transfer, *, at: datetime) -> None:
    # In this order: a payout that settles between the two reads is then counted twice, which only makes the debt
    # larger than it need be; the other way round it would not be counted at all.
    claimed = _under_way(payee, account.currency)
    short = claimed - ledger.balance(account)
    if short <= 0:
        return
    taken = sum(entry.amount_micros for entry in transfer.entries.filter(account=account, side=Entry.Side.DEBIT))
    short = min(short, taken)
    ledger.post(
        f"debt:{transfer.reference}:{payee.public_id}",
        kind=KIND,
        legs=[ledger.debit(accounts.debt(payee, account.currency), short), ledger.credit(account, short)],
        at=at,
    )


def _hold(rows: Sequence[Entry]) -> None:
    """No payout of these payees is planned or settled while their debts are worked out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    payees = {row.account.payee_id for row in rows if row.account.payee_id}
    list(Payee.objects.select_for_update(no_key=True).filter(pk__in=payees).order_by("pk"))


def _under_way(payee: Payee, currency: str) -> int:
    """Micros that payouts have claimed and the ledger has not yet moved."""
    rows = Payout.objects.filter(
        payee=payee, currency=currency, state__in=[Payout.State.PLANNED, Payout.State.SENT]
    ).values_list("amount_minor", flat=True)
    return sum(Money.of(minor, currency).micros for minor in rows)


def settle_from(transfer: Transfer, *, at: datetime) -> None:
    """What this transfer brought payees goes to their debts first, as far as both reach; in its transaction."""
    credited = transfer.entries.filter(side=Entry.Side.CREDIT, account__kind=Account.Kind.PAYEE)
    rows = list(credited.select_related("account__payee").order_by("account"))
    if not rows:
        return
    _hold(rows)
    for row in rows:
        if row.account.payee is None:
            continue
        debt = accounts.debt(row.account.payee, row.currency)
        free = ledger.balance(row.account) - _under_way(row.account.payee, row.currency)
        part = min(ledger.balance(debt), free, row.amount_micros)
        if part > 0:
            legs = [ledger.debit(row.account, part), ledger.credit(debt, part)]
            ledger.post(f"recoup:{transfer.reference}:{row.account.payee.public_id}", kind=RECOUP, legs=legs, at=at)
