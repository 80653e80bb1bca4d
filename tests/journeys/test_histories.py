"""Whatever happens to a shop, the books end right: random histories, each from a seed, and the laws they all keep.

HISTORIES=first:last chooses other seeds than the suite's few; the long run tries a thousand. A seed that fails says how
to run it again.
"""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from payments import accounts, audit, ledger, months, reconcile, wallets
from payments.models import Account, Charge, Chargeback, Discrepancy, Statement, Transfer, Wallet
from payments.money import Money
from store import books, credit, month_end, settlement, traces
from store.models import CreditPurchase, LineChargeback, LineRefund, Order, OrderLine
from tests.fakes import StripeFake
from tests.journeys.histories import History, still_owed

pytestmark = pytest.mark.django_db(transaction=True)
FEW, MANY = range(1, 6), range(1, 1001)
ACTS, MORE_ACTS = 12, 50
CENT = 10_000  # millionths


def seeds(otherwise: range) -> range:
    first, _, last = os.environ.get("HISTORIES", "").partition(":")
    return range(int(first), int(last or first) + 1) if first else otherwise


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[History]:
    """Time as the history tells it, for whoever asks Django."""
    running: list[History] = []
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + (running[0].ahead if running else timedelta()))
    return running


def live(seed: int, stripe: StripeFake, clock: list[History], *, acts: int = ACTS) -> History:
    history = History(seed, stripe)
    clock.append(history)
    try:
        history.live(acts)
        history.settle_down()
        laws(history)
    except BaseException as error:
        which = "-k few" if acts == ACTS else "-p tests.long -m long"
        error.add_note(f"Again: HISTORIES={seed} python -m pytest {which} {__file__}\n" + "\n".join(history.story))
        raise
    return history


@pytest.mark.parametrize("seed", seeds(FEW))
def test_a_few_histories_end_with_right_books(seed: int, stripe_sandbox: StripeFake, clock: list[History]) -> None:
    live(seed, stripe_sandbox, clock)


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(MANY))
def test_a_thousand_histories_end_with_right_books(seed: int, stripe_sandbox: StripeFake, clock: list[History]) -> None:
    live(seed, stripe_sandbox, clock, acts=MORE_ACTS)


def a_coin_appears_at_stripe(history: History) -> None:
    history.stripe.fund(1)


def somebody_is_given_credit(history: History) -> None:
    wallet = wallets.open_wallet(credit.owner(history.people[0]), "EUR")
    with transaction.atomic():
        wallets.put(
            wallet, Money.of(1, "EUR"), source=accounts.commission("EUR"), reference="planted", kind="PLANTED",
            at=timezone.now(),
        )  # fmt: skip


def a_line_says_more_went_back(history: History) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        OrderLine.objects.update(returned_minor=1)


def a_sale_is_posted_again(history: History) -> None:
    sale = Transfer.objects.filter(kind="SALE").earliest("posted_at")
    with transaction.atomic():
        legs = [ledger.Leg(entry.account, entry.side, entry.amount_micros) for entry in sale.entries.all()]
        ledger.post(f"{sale.reference}:again", kind="SALE", legs=legs, at=timezone.now())


@pytest.mark.parametrize(
    "fault", [a_coin_appears_at_stripe, somebody_is_given_credit, a_line_says_more_went_back, a_sale_is_posted_again]
)
def test_a_planted_fault_breaks_a_law(
    fault: Callable[[History], None], stripe_sandbox: StripeFake, clock: list[History]
) -> None:
    """The control."""
    history = live(6, stripe_sandbox, clock, acts=4)
    fault(history)
    with pytest.raises(AssertionError):
        laws(history)


# -- The laws ----------------------------------------------------------------------------------------------------------


def laws(history: History) -> None:
    assert still_owed() == {}
    everything_balances()
    stripe_holds_what_the_ledger_says(history.stripe)
    nobody_owes_through_a_wallet()
    buyers_have_what_they_paid_for(history.stripe)
    every_line_is_where_its_money_is()
    every_day_reconciles()
    every_statement_equals_the_ledger()
    everything_verifies()


def everything_balances() -> None:
    assert sum(audit.trial_balance().values()) == 0


def stripe_holds_what_the_ledger_says(stripe: StripeFake) -> None:
    assert ledger.balance(accounts.stripe_balance("EUR")) == stripe.sandbox.state.balance("eur") * CENT


def nobody_owes_through_a_wallet() -> None:
    for wallet in Wallet.objects.all():
        assert wallets.balance(wallet.owner, wallet.currency).minor >= 0
    for account in Account.objects.filter(kind=Account.Kind.PAYEE):
        assert ledger.balance(account) >= 0, account.code


def buyers_have_what_they_paid_for(stripe: StripeFake) -> None:
    """What came from buyers and did not go back is what they hold: music, credit, cards, and what waits for them. Asked
    of Stripe and of the shop's rows; the ledger has no part in it."""
    paid = sum(one["amount"] for one in stripe.objects("charge") if one["paid"])
    back = sum(one["amount"] for one in stripe.objects("refund") if one["status"] != "failed")
    taken = sum(row.withdrawn_minor - row.reinstated_minor for row in Chargeback.objects.all())
    mirrored = LineChargeback.objects.exclude(state="PUT_BACK").aggregate(sum=Sum("amount_minor"))["sum"] or 0
    lines = OrderLine.objects.filter(order__paid_at__isnull=False)
    music = sum(line.amount_minor - line.returned_minor for line in lines)
    held = sum(wallets.balance(row.owner, row.currency).minor for row in Wallet.objects.all())
    cards = CreditPurchase.objects.filter(state="PAID", gift_card__redeemed_at=None, gift_card__called_back_at=None)
    on_cards = cards.filter(gift_card__isnull=False).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    waiting = Order.objects.filter(paid_at=None).aggregate(sum=Sum("credit_minor"))["sum"] or 0
    lost = taken - mirrored  # what the bank took of what had gone back already
    unmatched = sum(charge.amount_minor for charge in _paid_and_not_settled())
    assert paid - back - taken == music + held + on_cards + waiting - lost + unmatched


def _paid_and_not_settled() -> list[Charge]:
    """Payments that came after their order was given up with its credit: an alert, and a person, see to each."""
    numbers = set(Order.objects.filter(paid_at=None).values_list("number", flat=True))
    return list(Charge.objects.filter(state=Charge.State.PAID, reference__in=numbers))


def every_line_is_where_its_money_is() -> None:
    """Of each line the ledger holds what the rows say stands; and its state says the same."""
    for line in OrderLine.objects.select_related("order"):
        sold = Transfer.objects.filter(reference=settlement.sale_reference(line)).first()
        assert (sold is not None) == (line.order.paid_at is not None and line.amount_minor > 0), line
        decided = sum(row.amount_minor for row in LineRefund.objects.filter(line=line, state="DONE"))
        taken = sum(row.amount_minor for row in LineChargeback.objects.filter(line=line).exclude(state="PUT_BACK"))
        assert decided + taken == line.returned_minor <= line.amount_minor, line
        assert line.state == _state_of(line, decided, taken), line


def _state_of(line: OrderLine, decided: int, taken: int) -> str:
    running = Chargeback.objects.filter(charge__reference=line.order.number, state="OPEN").exists()
    refunded_whole = LineRefund.objects.filter(line=line, whole=True, state="DONE").exists()
    if line.order.paid_at is None:
        return OrderLine.State.PLACED
    if refunded_whole:
        return OrderLine.State.REFUNDED
    if LineRefund.objects.filter(line=line, whole=True, state="FAILED").exists():
        return OrderLine.State.REFUND_DUE
    if running:
        return OrderLine.State.CHARGEBACK
    if line.amount_minor and decided + taken == line.amount_minor:
        return OrderLine.State.CHARGED_BACK
    return OrderLine.State.PAID


def every_day_reconciles() -> None:
    now = timezone.now()
    while (day := reconcile.owed(at=now)) is not None:
        reconcile.reconcile(day, at=now, trace=traces.trace)
    assert list(Discrepancy.objects.values_list("about", flat=True)) == []


def every_statement_equals_the_ledger() -> None:
    """Whoever was ever paid is told all of it; a statement that differs from the ledger would be refused."""
    since, _ = months.month_of(Transfer.objects.earliest("posted_at").posted_at)
    until = timezone.now()
    assert month_end.close(since, until, at=until).refused == ()
    for told in Statement.objects.select_related("payee"):
        account = accounts.payee(told.payee, told.currency)
        assert told.closing_micros == ledger.balance(account)


def everything_verifies() -> None:
    assert audit.verify().problem is None
    assert books.verify() is None
