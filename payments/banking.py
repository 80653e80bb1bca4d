"""Payouts that go by bank: planned, exported in a file, confirmed or refused by staff who read the bank's statement.

The file is made in the transaction that takes its payouts off what is owed and into clearing, so that each payout is in
one file or in none, however often this is run or killed. Bank details are read here and, while a new account waits,
by the finance desk; no ledger row, no
memo and no log holds them.
"""

import hashlib
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from stdnum import iban as ibans

from payments import accounts, ledger, pain001, payees, payouts
from payments.errors import BankRefused
from payments.models import BankChange, BankDetails, Payee, Payout, PayoutBatch
from payments.money import Money

State = Payout.State
ROUTE = "sepa"
FORGOTTEN = "no longer: paid through Stripe again"


def payer() -> pain001.Party:
    """The operator's own account. Raises BankRefused where the settings name none."""
    if not (settings.BANK_HOLDER and ibans.is_valid(settings.BANK_IBAN)):
        raise BankRefused("Set BANK_HOLDER and BANK_IBAN: the file must say which account pays.")
    return pain001.Party(settings.BANK_HOLDER, ibans.compact(settings.BANK_IBAN), settings.BANK_BIC)


def waiting() -> list[Payout]:
    """Planned payouts that wait for a file; none to a payee whose account is about to change. One query."""
    rows = Payout.objects.filter(state=State.PLANNED, route=Payee.Route.SEPA, payee__bank__isnull=False)
    rows = rows.exclude(payee__in=BankChange.objects.filter(state=BankChange.State.WAITING).values("payee"))
    return list(rows.select_related("payee").order_by("pk"))


def export(*, by: str, at: datetime) -> PayoutBatch:
    """One file of all planned payouts that go by bank. Raises BankRefused where none waits, or we name no account."""
    ours = payer()
    with transaction.atomic():
        _hold_plans()  # files are numbered one after the other
        keys = [payout.pk for payout in waiting()]
        rows = list(Payout.objects.select_for_update().filter(pk__in=keys, state=State.PLANNED).order_by("pk"))
        if not rows:
            raise BankRefused("No payout waits for the bank.")
        details = {one.payee_id: one for one in BankDetails.objects.filter(payee__in=[row.payee_id for row in rows])}
        number = f"SB-{at:%Y%m%d}-{PayoutBatch.objects.filter(number__startswith=f'SB-{at:%Y%m%d}-').count() + 1:04}"
        payments = [_payment(row, details[row.payee_id]) for row in rows]
        file = pain001.document(number, payer=ours, payments=payments, made_at=at, on=at.date() + timedelta(days=1))
        batch = PayoutBatch.objects.create(
            number=number, currency="EUR", payments=len(rows), control_sum_minor=sum(row.amount_minor for row in rows),
            document=file.decode(), sha256=hashlib.sha256(file).hexdigest(), made_at=at, made_by=by,
        )  # fmt: skip
        for row in rows:
            _clear(row, batch, at)
    return batch


def forget_account(payee: Payee, *, by: str, at: datetime) -> None:
    """Take a payee's account away: what goes out from now on goes through Stripe. Twice is once.

    An account that was given and waits ends with it, or it would lead payouts back to the bank. Raises BankRefused
    while a planned payout waits for a file: without an account it would wait for ever, and so would all that follow.
    """
    with transaction.atomic():
        _hold_plans()  # nobody plans a payout by bank meanwhile
        payees.hold(payee)
        planned = Payout.objects.filter(payee=payee, route=Payee.Route.SEPA, state=State.PLANNED).first()
        if planned is not None:
            raise BankRefused(
                f"Payout {planned.number} waits for the bank's file. Answer for a new account if one waits, make the "
                "file, and then forget the account."
            )
        payees.end_waiting(payee, reason=FORGOTTEN, by=by, at=at)
        details = BankDetails.objects.filter(payee=payee).first()
        if details is not None:
            BankChange.objects.create(
                payee=payee, holder=details.holder, ends=details.iban[-4:], given_by=details.given_by,
                given_at=details.given_at, usable_from=details.given_at, state=BankChange.State.REFUSED,
                reason=FORGOTTEN, answered_by=by, answered_at=at,
            )  # fmt: skip
            details.delete()
        Payee.objects.filter(pk=payee.pk).update(route=Payee.Route.STRIPE)
    payee.refresh_from_db()


def _hold_plans() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [payouts.PLAN_LOCK])


def _payment(payout: Payout, details: BankDetails) -> pain001.Payment:
    to = pain001.Party(details.holder, details.iban, details.bic)
    return pain001.Payment(payout.number, payout.amount_minor, to, f"Royalties, payout {payout.number}")


def _clear(payout: Payout, batch: PayoutBatch, at: datetime) -> None:
    micros = Money.of(payout.amount_minor, payout.currency).micros
    payout.transfer = ledger.post(
        f"payout:{payout.number}",
        kind="PAYOUT",
        legs=[*payouts.owed_legs(payout), ledger.credit(accounts.clearing(ROUTE, payout.currency), micros)],
        memo=f"by bank, file {batch.number}",
        at=at,
    )
    payout.state = State.EXPORTED
    payout.batch = batch
    payout.sent_at = at
    payout.save()


def confirm(payout: Payout, *, on: date, by: str, at: datetime) -> Payout:
    """The bank carried it out on that day. Twice is once. Raises BankRefused for what is in no file, or a wrong day."""
    if on > at.date():
        raise BankRefused("The bank's day cannot lie ahead; take it from its statement.")
    with transaction.atomic():
        row = _exported(payout, State.SETTLED)
        if row.state == State.SETTLED:
            return row
        if row.batch is not None and on < row.batch.made_at.date():
            raise BankRefused("The bank's day cannot lie before the file was made.")
        micros = Money.of(row.amount_minor, row.currency).micros
        ledger.post(
            f"payout-confirmed:{row.number}",
            kind="PAYOUT_CONFIRMED",
            legs=[
                ledger.debit(accounts.clearing(ROUTE, row.currency), micros),
                ledger.credit(accounts.bank(row.currency), micros),
            ],
            memo=f"carried out {on.isoformat()}, {by}",
            at=at,
        )
        row.state = State.SETTLED
        row.settled_at = datetime.combine(on, at.timetz())
        row.save()
        _close(row.batch, at)
    return row


def refuse(payout: Payout, *, reason: str, by: str, at: datetime) -> Payout:
    """The bank did not carry it out: it is owed again. Twice is once. Raises BankRefused without a reason."""
    if not reason.strip():
        raise BankRefused("Say why the bank did not carry it out.")
    with transaction.atomic():
        row = _exported(payout, State.FAILED)
        if row.state == State.FAILED:
            return row
        micros = Money.of(row.amount_minor, row.currency).micros
        ledger.post(
            f"payout-refused:{row.number}",
            kind="PAYOUT_REVERSED",
            legs=[
                ledger.debit(accounts.clearing(ROUTE, row.currency), micros),
                ledger.credit(accounts.payee(row.payee, row.currency), micros),
            ],
            memo=f"refused by the bank, {by}",
            at=at,
        )
        row.state = State.FAILED
        row.error = reason.strip()[:500]
        row.save()
        _close(row.batch, at)
    return row


def _exported(payout: Payout, done: State) -> Payout:
    row = Payout.objects.select_for_update(of=["self"]).select_related("payee", "batch").get(pk=payout.pk)
    if row.route != Payee.Route.SEPA or row.state not in {State.EXPORTED, done}:
        raise BankRefused(f"{row.number} is {row.get_state_display()}; only what is in a file can be answered for.")
    return row


def _close(batch: PayoutBatch | None, at: datetime) -> None:
    """Once all of a file is answered for, nobody needs the numbers in it any more."""
    if batch is not None and not batch.payouts.filter(state=State.EXPORTED).exists():
        PayoutBatch.objects.filter(pk=batch.pk).update(document="", closed_at=at)
