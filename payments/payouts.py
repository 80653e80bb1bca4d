"""Paying out: plan, send, settle. Killed between any two steps and run again, it pays once.

* `plan` decides, under a lock on the payee, and keeps the decision as a row: whole minor units, the rest stays owed.
* `send` asks Stripe first what was ever sent under the payout's transfer group, and only then sends.
* `settle` posts the movement in the ledger, once, by the payout's number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F

from payments import accounts, gateway, ledger, payees
from payments.errors import PayoutError, StripeFailed
from payments.models import Account, Payee, Payout
from payments.money import Currency, Money, whole_minor

PLAN_LOCK = 0x7061796F  # one planner at a time, so that numbers run on and no balance is planned twice
State = Payout.State


@dataclass(frozen=True, slots=True)
class Due:
    """What a payee would be sent now, or why not: `hold` is empty where nothing speaks against it."""

    payee: Payee
    amount: Money
    owed_micros: int
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: what was due, what was paid, and what failed with its reason."""

    due: tuple[Due, ...]
    paid: tuple[Payout, ...]
    failed: tuple[tuple[Payout, str], ...]


def due(*, minimum_minor: int) -> list[Due]:
    """Every payee to whom something is owed, by name, with what would be sent and what holds it back."""
    # In this order: a payout that settles between the two reads still counts as under way. The other way round its
    # money would be seen as owed and the payout as done, and it would be planned a second time.
    under_way = set(Payout.objects.filter(state__in=[State.PLANNED, State.SENT]).values_list("payee_id", "currency"))
    rows = list(Account.objects.filter(kind=Account.Kind.PAYEE).select_related("payee").order_by("payee__name", "pk"))
    sums = ledger.balances(rows)
    found = []
    for account in rows:
        owed = sums[account.pk]
        if account.payee is None or owed <= 0:
            continue
        currency = Currency(account.currency)
        amount = Money(whole_minor(owed, currency), currency)
        busy = (account.payee_id, account.currency) in under_way
        found.append(Due(account.payee, amount, owed, _hold(account.payee, amount, minimum_minor, busy=busy)))
    return found


def _hold(payee: Payee, amount: Money, minimum_minor: int, *, busy: bool) -> str:
    if busy:
        return "a payout is under way"
    if amount.minor < max(minimum_minor, 1):
        return f"below the minimum of {Money(minimum_minor, amount.currency)}; it stays owed"
    return "" if payee.state == Payee.State.READY else payee.get_state_display()


def plan(*, minimum_minor: int, at: datetime) -> list[Payout]:
    """Decide what goes out now and keep each decision as a row; a payee with a payout under way gets no second one."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
        return [_planned(one, at) for one in due(minimum_minor=minimum_minor) if not one.hold]


def _planned(one: Due, at: datetime) -> Payout:
    day = f"PO-{at:%Y%m%d}"
    number = f"{day}-{Payout.objects.filter(number__startswith=f'{day}-').count() + 1:04}"
    return Payout.objects.create(
        payee=one.payee,
        number=number,
        amount_minor=one.amount.minor,
        currency=one.amount.currency.code,
        transfer_group=f"payout:{number}:{one.payee.public_id}",
        planned_at=at,
    )


def send(payout: Payout, *, at: datetime) -> Payout:
    """Have Stripe move the money, unless it has been moved before; returns the payout as SENT.

    Raises StripeFailed where the outcome is not known or Stripe says no for now: the payout stays planned and the next
    run asks again. Raises PayoutError where what Stripe holds under our group is not what we planned.
    """
    if payout.state != State.PLANNED:
        return payout
    facts = _found(payout) or _sent(payout)
    Payout.objects.filter(pk=payout.pk, state=State.PLANNED).update(
        state=State.SENT, stripe_transfer_id=facts.stripe_id, sent_at=at, error=""
    )
    payout.refresh_from_db()
    return payout


def _found(payout: Payout) -> gateway.TransferFacts | None:
    """What was sent under this group before; keys are forgotten after a day, this is not."""
    found = gateway.find_transfers(payout.transfer_group)
    if not found:
        return None
    facts = found[0]
    asked = (payout.amount_minor, payout.currency, payout.payee.stripe_account_id)
    if len(found) > 1 or (facts.amount_minor, facts.currency, facts.destination) != asked or facts.reversed_minor:
        raise PayoutError(f"{payout.number}: Stripe holds other transfers under its group; look at it by hand.")
    return facts


def _sent(payout: Payout) -> gateway.TransferFacts:
    payees.require_ready(payout.payee)
    try:
        return gateway.create_transfer(
            Money.of(payout.amount_minor, payout.currency),
            destination=payout.payee.stripe_account_id,
            transfer_group=payout.transfer_group,
            reference=payout.number,
            idempotency_key=f"{payout.transfer_group}:{payout.attempts}",
        )
    except StripeFailed as failure:
        again = F("attempts") + 1 if failure.saved else F("attempts")
        Payout.objects.filter(pk=payout.pk).update(error=str(failure)[:500], attempts=again)
        raise


def settle(payout: Payout, *, at: datetime) -> Payout:
    """Post what was sent, once, and mark the payout settled in the same transaction."""
    with transaction.atomic():
        row = Payout.objects.select_for_update().select_related("payee").get(pk=payout.pk)
        if row.state != State.SENT:
            return row
        micros = Money.of(row.amount_minor, row.currency).micros
        row.transfer = ledger.post(
            f"payout:{row.number}",
            kind="PAYOUT",
            legs=[
                ledger.debit(accounts.payee(row.payee, row.currency), micros),
                ledger.credit(accounts.stripe_balance(row.currency), micros),
            ],
            memo=row.stripe_transfer_id,
            at=at,
        )
        row.state = State.SETTLED
        row.settled_at = at
        row.save()
    return row


def finish(payouts: Iterable[Payout], *, at: datetime) -> Run:
    """Send and settle each; one that fails does not hold up the rest."""
    paid, failed = [], []
    for payout in payouts:
        try:
            paid.append(settle(send(payout, at=at), at=at))
        except (StripeFailed, PayoutError) as failure:
            failed.append((payout, str(failure)))
    return Run((), tuple(paid), tuple(failed))


def run(*, minimum_minor: int, at: datetime, dry_run: bool = False) -> Run:
    """Finish what an earlier run left, plan what is due now, pay it. A dry run only says what is due."""
    if dry_run:
        return Run(tuple(due(minimum_minor=minimum_minor)), (), ())
    for payee in Payee.objects.filter(state=Payee.State.ONBOARDING):
        payees.refresh_payee(payee)
    before = due(minimum_minor=minimum_minor)
    left = list(Payout.objects.filter(state__in=[State.PLANNED, State.SENT]).select_related("payee").order_by("pk"))
    finished = finish(left, at=at)
    fresh = finish(plan(minimum_minor=minimum_minor, at=at), at=at)
    return Run(tuple(before), finished.paid + fresh.paid, finished.failed + fresh.failed)
