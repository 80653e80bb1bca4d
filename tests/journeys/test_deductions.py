"""What is taken off payees' parts of a sale: fee, advance, reserve; each by itself, and each put back by a refund."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from fractions import Fraction
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payments import accounts, audit, ledger
from payments.models import Account, Entry, Transfer
from payments.money import Money
from store import advances, credit, deductions, refunds, settlement, tasks
from store.errors import ContractRefused
from store.models import Advance, Order, OrderLine, Recoupment, Reserve
from tests.factories import shelf
from tests.factories.credit import make_credit
from tests.factories.payments import make_payee

EARNED = 1_139_000  # of 1.60 with 0.26 tax and 15 % commission, recording and work together


@pytest.fixture
def sold(shop, settings):
    """Sells one release whose holder has named one payee; gives the release, the payee and its holder."""
    release = shelf.shelve()
    holder = shelf.make_holder(release.label)
    return release, shelf.make_letter(holder).payee, holder


def balance(account):
    return ledger.balance(account)


def owed(payee):
    return balance(accounts.payee(payee, "EUR"))


def kept(payee):
    return balance(accounts.reserve(payee, "EUR"))


def give(holder, payee, minor=100, **over):
    label = make_payee(name="The label")
    how = {"given_on": timezone.now().date(), "agreement": "Record contract 4", "actor": "user:1", **over}
    return advances.give(
        holder.party, payee=payee, repaid_to=label, amount=Money.of(minor, "EUR"), at=timezone.now(), **how
    )


def refund(order, shop):
    line = order.lines.get()
    refunds.refund_line(line, reason="asked for", at=timezone.now())
    shop.deliver_webhooks()
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUNDED


def fee_told(order):
    settlement.check_order(Order.objects.get(pk=order.pk), at=timezone.now())
    order.refresh_from_db()
    assert order.fee_posted_at is not None


# -- The reserve -------------------------------------------------------------------------------------------------------


def test_without_a_reserve_nothing_is_held_back(shop, sold):
    shop.bought(sold[0])
    assert owed(sold[1]) == EARNED
    assert not Reserve.objects.exists()


def test_a_part_is_held_back_and_released_on_its_day(shop, sold, settings):
    settings.RESERVE_PERCENT, settings.RESERVE_DAYS = "10", 14
    order = shop.bought(sold[0])
    day = Reserve.objects.get().release_on
    assert (owed(sold[1]), kept(sold[1])) == (EARNED - 113_900, 113_900)
    assert day == order.paid_at.date() + timedelta(days=14)

    assert deductions.release_due(at=timezone.now() + timedelta(days=13)) == 0
    assert deductions.release_due(at=timezone.now() + timedelta(days=14)) == 1
    assert deductions.release_due(at=timezone.now() + timedelta(days=14)) == 0
    assert (owed(sold[1]), kept(sold[1])) == (EARNED, 0)


def test_a_worker_releases_reserves_whose_day_has_come(shop, sold, settings):
    settings.RESERVE_PERCENT, settings.RESERVE_DAYS = "10", 0
    shop.bought(sold[0])
    assert deductions.due(at=timezone.now()).count() == 1
    tasks.look_after_notices()
    assert not deductions.due(at=timezone.now()).exists()


def test_what_was_agreed_at_the_sale_holds_when_the_setting_changes(shop, sold, settings):
    settings.RESERVE_PERCENT = "10"
    order = shop.order(sold[0])
    settings.RESERVE_PERCENT = "50"
    shop.pay(order)
    shop.deliver_webhooks()
    assert kept(sold[1]) == 113_900


@pytest.mark.parametrize("released", [False, True], ids=["still held", "released before"])
def test_a_refund_takes_the_reserve_first_and_leaves_nothing_behind(shop, sold, settings, *, released):
    settings.RESERVE_PERCENT = "10"
    order = shop.bought(sold[0])
    if released:
        deductions.release_due(at=timezone.now() + timedelta(days=14))
    refund(order, shop)

    assert set(ledger.balances(Account.objects.exclude(kind__in=["FEES", "STRIPE_BALANCE"])).values()) == {0}
    assert not deductions.due(at=timezone.now() + timedelta(days=99)).exists()


def test_a_reserve_is_released_once_and_never_edited(shop, sold, settings):
    settings.RESERVE_PERCENT, settings.RESERVE_DAYS = "10", 0
    shop.bought(sold[0])
    deductions.release_due(at=timezone.now())
    for change in ({"micros": 1}, {"released_at": None, "release_reference": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Reserve.objects.update(**change)


# -- Advances ----------------------------------------------------------------------------------------------------------


def test_an_advance_stands_in_the_ledger_until_it_has_come_back(shop, sold):
    advance = give(sold[2], sold[1], 100)
    assert balance(accounts.recoupment(sold[1], "EUR")) == 1_000_000
    shop.bought(sold[0])

    assert balance(accounts.recoupment(sold[1], "EUR")) == 0
    assert balance(accounts.advances(advance.repaid_to, "EUR")) == 0
    assert owed(advance.repaid_to) == 1_000_000
    assert owed(sold[1]) == EARNED - 1_000_000
    assert audit.verify().problem is None


def test_no_more_is_kept_than_was_earned_and_a_part_only_where_agreed(shop, sold):
    half = give(sold[2], sold[1], 500, share=Fraction(1, 2))
    shop.bought(sold[0])
    assert owed(half.repaid_to) == EARNED // 2
    assert owed(sold[1]) == EARNED - EARNED // 2

    whole = give(sold[2], sold[1], 5000)
    shop.bought(sold[0], key="k2")
    assert owed(half.repaid_to) == 2 * (EARNED // 2)
    assert owed(whole.repaid_to) == EARNED - EARNED // 2
    assert owed(sold[1]) == EARNED - EARNED // 2


def test_an_advance_of_another_holder_is_not_kept(shop, sold):
    give(shelf.make_holder(shelf.shelve("Elsewhere").label), sold[1])
    shop.bought(sold[0])
    assert owed(sold[1]) == EARNED


def test_the_reserve_comes_after_the_advance(shop, sold, settings):
    settings.RESERVE_PERCENT = "10"
    give(sold[2], sold[1], 100)
    shop.bought(sold[0])
    assert (kept(sold[1]), owed(sold[1])) == (13_900, 125_100)


def test_a_refund_opens_the_advance_again(shop, sold):
    advance = give(sold[2], sold[1], 100)
    refund(shop.bought(sold[0]), shop)
    advance.refresh_from_db()

    assert advance.recouped_micros == 0
    assert balance(accounts.recoupment(sold[1], "EUR")) == 1_000_000
    assert (owed(sold[1]), owed(advance.repaid_to)) == (0, 0)
    assert Recoupment.objects.get().undone_at is not None


def test_what_came_back_is_always_what_the_ledger_says(shop, sold):
    advance = give(sold[2], sold[1], 200)
    for key in ("k1", "k2", "k3"):
        shop.bought(sold[0], key=key)
    advance.refresh_from_db()
    assert advance.recouped_micros == sum(row.micros for row in Recoupment.objects.all()) == 2_000_000
    assert balance(accounts.recoupment(sold[1], "EUR")) == advance.rest_micros == 0


@pytest.mark.parametrize("change", [{"recouped_micros": 1_000_001}, {"recouped_micros": -1}, {"amount_micros": 1}])
def test_the_database_never_lets_more_come_back_than_was_given(shop, sold, change):
    give(sold[2], sold[1], 100)
    with pytest.raises(IntegrityError), transaction.atomic():
        Advance.objects.update(**change)


@pytest.mark.parametrize("wrong", [{"agreement": " "}, {"share": Fraction(0)}, {"minor": 0}])
def test_what_is_no_advance_is_refused(shop, sold, wrong):
    with pytest.raises(ContractRefused):
        give(sold[2], sold[1], **wrong)
    with pytest.raises(ContractRefused):
        advances.give(
            sold[2].party, payee=sold[1], repaid_to=sold[1], amount=Money.of(1, "EUR"), given_on=timezone.now().date(),
            agreement="A", actor="user:1", at=timezone.now(),
        )  # fmt: skip


# -- The payment fee ---------------------------------------------------------------------------------------------------


def test_the_holders_bear_the_fee_once_it_is_known(shop, sold, settings):
    settings.FEE_BORNE_BY, settings.RESERVE_PERCENT = "HOLDERS", "10"
    order = shop.order(sold[0])
    shop.pay(order)
    settlement.settle_order(order, at=timezone.now())
    assert owed(sold[1]) == EARNED
    fee_told(order)

    fee = sum(Entry.objects.filter(transfer__kind="FEE", side="D").values_list("amount_micros", flat=True))
    assert fee > 0
    assert balance(accounts.fees("EUR")) == 0
    assert owed(sold[1]) + kept(sold[1]) == EARNED - fee
    assert kept(sold[1]) == (EARNED - fee) // 10


def test_the_store_bears_the_fee_by_its_own_setting(shop, sold):
    order = shop.bought(sold[0])
    fee_told(order)
    assert owed(sold[1]) == EARNED
    assert balance(accounts.fees("EUR")) > 0


def test_a_holder_without_a_letter_bears_the_fee_as_well(shop, settings):
    settings.FEE_BORNE_BY = "HOLDERS"
    release = shelf.shelve()
    order = shop.bought(release)
    fee_told(order)
    fee = sum(Entry.objects.filter(transfer__kind="FEE", side="D").values_list("amount_micros", flat=True))
    assert balance(accounts.suspense(f"holder-{shelf.make_holder(release.label).pk}", "EUR")) == EARNED - fee


def test_the_fee_of_a_refunded_line_is_the_stores_loss(shop, sold, settings):
    settings.FEE_BORNE_BY = "HOLDERS"
    order = shop.bought(sold[0])
    fee_told(order)
    refund(order, shop)

    assert owed(sold[1]) == 0
    fee = sum(Entry.objects.filter(transfer__kind="FEE", side="D").values_list("amount_micros", flat=True))
    assert balance(accounts.fees("EUR")) == fee


def test_telling_the_fee_twice_takes_it_once(shop, sold, settings):
    settings.FEE_BORNE_BY = "HOLDERS"
    order = shop.bought(sold[0])
    fee_told(order)
    before = Transfer.objects.count()
    fee_told(order)
    assert Transfer.objects.count() == before


# -- Together ----------------------------------------------------------------------------------------------------------


def test_the_receipt_tells_each_deduction_in_words(shop, sold, settings, client):
    settings.FEE_BORNE_BY, settings.RESERVE_PERCENT = "HOLDERS", "10"
    give(sold[2], sold[1], 50)
    order = shop.bought(sold[0])
    fee_told(order)
    client.force_login(shop.alice)
    answer = client.get(f"/orders/{order.public_id}")
    page = answer.content.decode()

    assert answer.context["got_total"] == 1_600_000
    got = {part.label: part.micros for part in answer.context["got"]}
    assert min(got.values()) > 0
    assert got["Clearsong"] == 201_000
    for words in ("Payment fee, borne by the holders", "Kept for an advance", "Held back until refunds are over"):
        assert words in page


def test_nothing_is_taken_where_nothing_was_agreed(shop, sold, django_assert_num_queries):
    order = shop.bought(sold[0])
    lines = list(order.lines.select_related("order"))
    with transaction.atomic(), django_assert_num_queries(1):
        deductions.take(order, lines, at=timezone.now())


@pytest.mark.parametrize("known", [False, True], ids=["fee not known yet", "fee known"])
def test_a_part_given_back_leaves_nothing_held_and_the_advance_open_again(shop, sold, settings, *, known):
    settings.FEE_BORNE_BY, settings.RESERVE_PERCENT = "HOLDERS", "10"
    advance = give(sold[2], sold[1], 50)
    order = shop.order(sold[0])
    shop.pay(order)
    order = settlement.settle_order(order, at=timezone.now())
    if known:
        fee_told(order)
    refunds.refund_line(order.lines.get(), reason="half", at=timezone.now(), amount_minor=80)
    shop.deliver_webhooks()
    fee_told(order)

    advance.refresh_from_db()
    assert advance.recouped_micros == 0
    assert kept(sold[1]) == 0
    assert owed(sold[1]) >= 0
    assert audit.verify().problem is None
    refund(order, shop)
    assert (owed(sold[1]), owed(advance.repaid_to), kept(sold[1])) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_sales_settled_at_once_never_recoup_more_than_was_given(shop, sold):
    advance = give(sold[2], sold[1], 150)
    lines = []
    for key in ("k1", "k2", "k3"):
        order = shop.order(sold[0], key=key)
        lines.append(order.lines.select_related("order").get())
    together = Barrier(len(lines))

    def settle(line):
        try:
            together.wait(timeout=20)
            with transaction.atomic():
                deductions.take(line.order, [line], at=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(len(lines)) as pool:
        list(pool.map(settle, lines))
    advance.refresh_from_db()
    assert advance.recouped_micros == 1_500_000 == sum(row.micros for row in Recoupment.objects.all())
    assert balance(accounts.recoupment(sold[1], "EUR")) == 0


def test_without_its_guard_an_advance_comes_back_twice(shop, sold):
    give(sold[2], sold[1], 100)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE store_advance DROP CONSTRAINT advance_never_recouped_above_given")
    Advance.objects.update(recouped_micros=2_000_000)


def test_where_credit_paid_there_is_no_fee_and_nothing_waits_for_one(shop, sold, settings):
    settings.FEE_BORNE_BY, settings.RESERVE_PERCENT = "HOLDERS", "10"
    make_credit(shop.alice)
    order = credit.use(shop.order(sold[0]), at=timezone.now())
    settlement.settle_order(order, at=timezone.now())
    assert kept(sold[1]) == EARNED // 10
    assert owed(sold[1]) == EARNED - EARNED // 10
