"""Paying out: plan, send, settle. Killed between any two steps and run again, it pays once.

* `plan` decides, under a lock, and keeps the decision as a row. What a payee owes us is taken first, then the tax that
  a country wants withheld; of what is left, whole minor units go out and the rest stays owed.
* `send` asks Stripe first what was ever sent under the payout's transfer group, and only then sends.
* `settle` posts the movement in the ledger, once, by the payout's number.
* `mirror` follows what Stripe took back later.

Payouts that go by bank are planned here too; `payments.banking` takes them from there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery, Sum

from payments import accounts, gateway, ledger, payees, withholding
from payments.errors import PayoutError, StripeFailed
from payments.models import Account, BankChange, Payee, Payout, TaxForm, Withholding
from payments.money import Currency, Money, whole_minor

PLAN_LOCK = 0x7061796F  # one planner at a time, so that numbers run on and no balance is planned twice
State = Payout.State
UNDER_WAY = (State.PLANNED, State.SENT, State.EXPORTED)
Sources = Callable[[Sequence[Payee], Collection[str]], Mapping[tuple[int, str], Mapping[str, int]]]
"""What payees ever earned from buyers in some countries: micros by (payee key, currency) and country."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Tax to be withheld with a payout: on which basis, at which rate, why."""

    country: str
    basis_micros: int
    amount_micros: int
    rate: withholding.Rate


@dataclass(frozen=True, slots=True)
class Due:
    """What a payee would be sent now, or why not: `hold` is empty where nothing speaks against it.

    `owed_micros` is the balance before what it owes us (`recouped_micros`) and the tax (`withheld`) are taken.
    """

    payee: Payee
    amount: Money
    owed_micros: int
    hold: str = ""
    recouped_micros: int = 0
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: what was due, what was paid, and what failed with its reason."""

    due: tuple[Due, ...]
    paid: tuple[Payout, ...]
    failed: tuple[tuple[Payout, str], ...]


def minimum(payee: Payee, currency: str, *, otherwise: int | None = None) -> int:
    """The least that is sent, in minor units: the payee's own, else the one asked for, else the operator's."""
    if payee.minimum_minor is not None and currency == payee.currency:
        return payee.minimum_minor
    least = settings.PAYOUT_MINIMUMS.get(currency, settings.PAYOUT_MINIMUM_MINOR) if otherwise is None else otherwise
    return max(int(least), 1)


def due(
    *, minimum_minor: int | None = None, at: datetime, sources: Sources | None = None, of: Iterable[Payee] | None = None
) -> list[Due]:
    """Every payee to whom something is owed, by name, with what would be sent and what holds it back.

    A fixed number of queries. `of` asks about some payees only.
    """
    # In this order: a payout that settles between the two reads still counts as under way. The other way round its
    # money would be seen as owed and the payout as done, and it would be planned a second time.
    under_way = set(Payout.objects.filter(state__in=UNDER_WAY).values_list("payee_id", "currency"))
    rows = Account.objects.filter(kind__in=[Account.Kind.PAYEE, Account.Kind.DEBT], payee__isnull=False)
    if of is not None:
        rows = rows.filter(payee__in=list(of))
    changes = BankChange.objects.filter(payee=OuterRef("payee"), state=BankChange.State.WAITING)
    rows = rows.annotate(bank_waits_until=Subquery(changes.values("usable_from")))
    listed = list(rows.select_related("payee__bank").order_by("payee__name", "pk"))
    sums = ledger.balances(listed)
    debts = {(one.payee_id, one.currency): max(sums[one.pk], 0) for one in listed if one.kind == Account.Kind.DEBT}
    owed = [one for one in listed if one.kind == Account.Kind.PAYEE and sums[one.pk] > 0]
    taxes = _Taxes([one.payee for one in owed if one.payee], at=at, sources=sources)
    found = []
    for account in owed:
        assert account.payee is not None  # noqa: S101 - asked for above
        key = (account.payee.pk, account.currency)
        recouped = min(debts.get(key, 0), sums[account.pk])
        left = sums[account.pk] - recouped
        withheld = taxes.of(account.payee, account.currency, left)
        left -= sum(each.amount_micros for each in withheld)
        amount = Money(whole_minor(left, Currency(account.currency)), Currency(account.currency))
        least = minimum(account.payee, account.currency, otherwise=minimum_minor)
        until = account.bank_waits_until
        hold = _hold(account.payee, amount, least, busy=key in under_way, until=until)
        found.append(Due(account.payee, amount, sums[account.pk], hold, recouped, withheld))
    return found


def _hold(payee: Payee, amount: Money, least: int, *, busy: bool, until: datetime | None) -> str:
    if busy:
        return "a payout is under way"
    if until is not None:
        return f"a new bank account counts from {until:%Y-%m-%d}, or once it is confirmed"
    if amount.minor < least:
        return f"below the minimum of {Money(least, amount.currency)}; it stays owed"
    if payee.route == Payee.Route.SEPA:
        if not hasattr(payee, "bank"):
            return "has no bank details on record"
        return "" if amount.currency.code == "EUR" else "SEPA carries euros only"
    return "" if payee.state == Payee.State.READY else payee.get_state_display()


class _Taxes:
    """What countries want withheld from some payees: their forms, what they earned there, what was withheld before."""

    def __init__(self, about: Sequence[Payee], *, at: datetime, sources: Sources | None) -> None:
        self._on = at.date()
        self._rules = withholding.rules(settings.WITHHOLDING) if sources else {}
        self._earned: Mapping[tuple[int, str], Mapping[str, int]] = {}
        self._forms: dict[int, list[withholding.Form]] = {}
        self._before: dict[tuple[int, str, str], int] = {}
        if sources is None or not self._rules or not about:
            return
        self._earned = sources(about, self._rules.keys())
        for form in TaxForm.objects.filter(payee__in=about):
            read = withholding.Form(form.pk, form.kind, form.country, form.rate, form.valid_from, form.valid_to)
            self._forms.setdefault(form.payee_id, []).append(read)
        done = Withholding.objects.filter(payee__in=about).order_by()
        for payee, currency, country, basis in done.values_list("payee", "currency", "country").annotate(
            basis=Sum("basis_micros")
        ):
            self._before[payee, currency, country] = int(basis)

    def of(self, payee: Payee, currency: str, available: int) -> tuple[Withheld, ...]:
        found = []
        for country, earned in sorted(self._earned.get((payee.pk, currency), {}).items()):
            rate = withholding.rate(
                self._rules[country], residence=payee.country, forms=self._forms.get(payee.pk, ()), on=self._on
            )
            open_basis = earned - self._before.get((payee.pk, currency, country), 0)
            basis, amount = withholding.withheld(open_basis, rate=rate.rate, available_micros=available)
            if basis:
                found.append(Withheld(country, basis, amount, rate))
                available -= amount
        return tuple(found)


def plan(*, minimum_minor: int | None = None, at: datetime, sources: Sources | None = None) -> list[Payout]:
    """Decide what goes out now and keep each decision as a row; a payee with a payout under way gets no second one.

    What a payee owes us is taken from its balance whether or not the rest reaches the minimum.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
        found = due(minimum_minor=minimum_minor, at=at, sources=sources)
        for one in found:
            if one.recouped_micros:
                _recoup(one, at)
        return [_planned(one, at) for one in found if not one.hold]


def _recoup(one: Due, at: datetime) -> None:
    currency = one.amount.currency.code
    ledger.post(
        f"recoup:{one.payee.public_id}:{currency}:{at:%Y%m%dT%H%M%S%f}",
        kind="DEBT_RECOUPED",
        legs=[
            ledger.debit(accounts.payee(one.payee, currency), one.recouped_micros),
            ledger.credit(accounts.debt(one.payee, currency), one.recouped_micros),
        ],
        at=at,
    )


def _planned(one: Due, at: datetime) -> Payout:
    day = f"PO-{at:%Y%m%d}"
    number = f"{day}-{Payout.objects.filter(number__startswith=f'{day}-').count() + 1:04}"
    payout = Payout.objects.create(
        payee=one.payee,
        number=number,
        amount_minor=one.amount.minor,
        currency=one.amount.currency.code,
        route=one.payee.route,
        transfer_group=f"payout:{number}:{one.payee.public_id}",
        planned_at=at,
    )
    for each in one.withheld:
        _withhold(payout, each, at)
    return payout


def _withhold(payout: Payout, each: Withheld, at: datetime) -> None:
    """A transfer of its own to the country's account, and the row that says on what and why."""
    posted = None
    if each.amount_micros:
        posted = ledger.post(
            f"withheld:{payout.number}:{each.country}",
            kind="WITHHOLDING",
            legs=[
                ledger.debit(accounts.payee(payout.payee, payout.currency), each.amount_micros),
                ledger.credit(accounts.withholding(each.country, payout.currency), each.amount_micros),
            ],
            memo=f"{each.country}: {each.rate.reason}",
            at=at,
        )
    Withholding.objects.create(
        payee=payout.payee, payout=payout, country=each.country, currency=payout.currency,
        basis_micros=each.basis_micros, rate=each.rate.rate, amount_micros=each.amount_micros,
        reason=each.rate.reason[:100], form_id=each.rate.form, transfer=posted, at=at,
    )  # fmt: skip


def send(payout: Payout, *, at: datetime) -> Payout:
    """Have Stripe move the money, unless it has been moved before; returns the payout as SENT.

    Raises StripeFailed where the outcome is not known or Stripe says no for now: the payout stays planned and the next
    run asks again. Raises PayoutError where what Stripe holds under our group is not what we planned.
    """
    if payout.state != State.PLANNED or payout.route != Payee.Route.STRIPE:
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
    """Post what was sent, once, and mark the payout settled in the same transaction.

    Where a refund took from the balance since the payout was planned, what is missing becomes the payee's debt.
    """
    with transaction.atomic():
        row = Payout.objects.select_for_update().select_related("payee").get(pk=payout.pk)
        if row.state != State.SENT:
            return row
        row.transfer = ledger.post(
            f"payout:{row.number}",
            kind="PAYOUT",
            legs=[*owed_legs(row), ledger.credit(accounts.stripe_balance(row.currency), _micros(row))],
            memo=row.stripe_transfer_id,
            at=at,
        )
        row.state = State.SETTLED
        row.settled_at = at
        row.save()
    return row


def owed_legs(payout: Payout) -> list[ledger.Leg]:
    """What a payout takes from what is owed; beyond the balance, from the debt. In the caller's transaction."""
    Payee.objects.select_for_update(no_key=True).get(pk=payout.payee_id)  # its refunds wait until we are through
    account = accounts.payee(payout.payee, payout.currency)
    micros = _micros(payout)
    owed = min(max(ledger.balance(account), 0), micros)
    legs = [ledger.debit(account, owed)] if owed else []
    if owed < micros:
        legs.append(ledger.debit(accounts.debt(payout.payee, payout.currency), micros - owed))
    return legs


def _micros(payout: Payout) -> int:
    return Money.of(payout.amount_minor, payout.currency).micros


def mirror(payout: Payout, *, at: datetime) -> Payout:
    """Follow what Stripe took back of a transfer after it was sent: it is owed to the payee again. Safe to repeat.

    Raises StripeFailed.
    """
    if not payout.stripe_transfer_id:
        return payout
    payout = settle(payout, at=at)
    back = gateway.read_transfer(payout.stripe_transfer_id).reversed_minor
    with transaction.atomic():
        row = Payout.objects.select_for_update().select_related("payee").get(pk=payout.pk)
        more = back - row.reversed_minor
        if row.state != State.SETTLED or more <= 0:
            return row
        micros = Money.of(more, row.currency).micros
        ledger.post(
            f"payout-reversed:{row.number}:{back}",
            kind="PAYOUT_REVERSED",
            legs=[
                ledger.debit(accounts.stripe_balance(row.currency), micros),
                ledger.credit(accounts.payee(row.payee, row.currency), micros),
            ],
            memo=row.stripe_transfer_id,
            at=at,
        )
        row.reversed_minor = back
        if back == row.amount_minor:
            row.state = State.REVERSED
            row.error = "Stripe took it back; it is owed again."
        row.save()
    return row


def find_by_transfer(stripe_transfer_id: str) -> Payout | None:
    return Payout.objects.filter(stripe_transfer_id=stripe_transfer_id).first() if stripe_transfer_id else None


def finish(payouts: Iterable[Payout], *, at: datetime) -> Run:
    """Send and settle each; one that fails does not hold up the rest."""
    paid, failed = [], []
    for payout in payouts:
        try:
            done = settle(send(payout, at=at), at=at)
        except (StripeFailed, PayoutError) as failure:
            failed.append((payout, str(failure)))
            continue
        if done.state == State.SETTLED:
            paid.append(done)
    return Run((), tuple(paid), tuple(failed))


def run(
    *, minimum_minor: int | None = None, at: datetime, dry_run: bool = False, sources: Sources | None = None
) -> Run:
    """Finish what an earlier run left, plan what is due now, pay it. A dry run only says what is due."""
    if dry_run:
        return Run(tuple(due(minimum_minor=minimum_minor, at=at, sources=sources)), (), ())
    for payee in Payee.objects.filter(state=Payee.State.ONBOARDING):
        payees.refresh_payee(payee)
    before = due(minimum_minor=minimum_minor, at=at, sources=sources)
    left = Payout.objects.filter(state__in=[State.PLANNED, State.SENT]).select_related("payee").order_by("pk")
    finished = finish(list(left), at=at)
    fresh = finish(plan(minimum_minor=minimum_minor, at=at, sources=sources), at=at)
    return Run(tuple(before), finished.paid + fresh.paid, finished.failed + fresh.failed)
