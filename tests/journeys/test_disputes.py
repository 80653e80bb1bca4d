"""Money of what is in dispute waits under its subject, and goes to whoever the right turns out to be."""

from fractions import Fraction

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from licensing.models import Notice
from payments import accounts, ledger, statements
from payments.models import Account, Payee, Transfer
from store import disputes, earnings, notice_desk, owed, refunds, reports
from store.models import HeldShare, LetterOfDirection
from tests.factories import catalog, onsale, shelf
from tests.journeys.conftest import later

# One euro from Germany: 16 cents of tax inside, 15 % commission and 10 % work royalty of the other 84.
RECORDING, WORK = 630_000, 84_000


@pytest.fixture
def release(db):
    return onsale.put_on_sale()


@pytest.fixture
def bob(release):
    """Who is paid on the label's behalf, for both layers."""
    return shelf.make_letter(shelf.make_holder(release.label), "Bob").payee


def dispute(release, layer="RECORDING"):
    return notice_desk.enter(
        release.recordings.get(), kind="DISPUTE", layer=layer, claimant="Carla", contact="carla@example.org",
        statement="It is mine.", actor="user:rita", at=timezone.now(),
    )  # fmt: skip


def ordered_then_disputed(shop, release, layer="RECORDING"):
    order = shop.order(release)
    shop.pay(order)
    notice = dispute(release, layer)
    shop.deliver_webhooks()
    return order.lines.get(), notice


def lift(notice, **over):
    fields = {"reason": "Decided.", "outcome": "DECIDED", "actor": "user:rita", "at": timezone.now(), **over}
    return notice_desk.lift(notice, **fields)


def held(release, layer="RECORDING"):
    return ledger.balance(disputes.account_of(release.recordings.get().pk, layer, "EUR"))


def balance(payee):
    return ledger.balance(accounts.payee(payee, "EUR"))


def test_an_order_placed_before_is_delivered_and_its_disputed_part_waits(shop, release, bob):
    line, _ = ordered_then_disputed(shop, release)
    assert line.state == "PAID"
    assert held(release) == RECORDING
    assert balance(bob) == WORK


def test_a_dispute_of_the_work_holds_the_works_part_alone(shop, release, bob):
    ordered_then_disputed(shop, release, "WORK")
    assert held(release, "WORK") == WORK
    assert balance(bob) == RECORDING


def test_nothing_is_released_while_the_dispute_stands(shop, release, bob):
    ordered_then_disputed(shop, release)
    assert disputes.release_ended(at=timezone.now()) == 0


def test_a_dispute_that_came_to_nothing_pays_as_it_was_sold(shop, release, bob):
    _, notice = ordered_then_disputed(shop, release)
    lift(notice, outcome="UNFOUNDED")
    assert disputes.release_ended(at=timezone.now()) == 1
    assert disputes.release_ended(at=timezone.now()) == 0
    assert held(release) == 0
    assert balance(bob) == RECORDING + WORK


def test_the_proven_party_is_paid_by_its_letters(shop, release, bob):
    _, notice = ordered_then_disputed(shop, release)
    holder = shelf.make_holder(catalog.make_party("Carla"))
    carla = shelf.make_letter(holder, "Carla").payee
    lift(notice, awards={holder: Fraction(1)})
    disputes.release_ended(at=timezone.now())
    assert (balance(carla), balance(bob)) == (RECORDING, WORK)


def test_an_awarded_part_leaves_the_rest_as_it_was(shop, release, bob):
    _, notice = ordered_then_disputed(shop, release)
    holder = shelf.make_holder(catalog.make_party("Carla"))
    lift(notice, awards={holder: Fraction(1, 3)})
    disputes.release_ended(at=timezone.now())
    assert ledger.balance(accounts.suspense(f"holder-{holder.pk}", "EUR")) == RECORDING // 3
    assert balance(bob) == RECORDING - RECORDING // 3 + WORK


def test_two_disputes_must_both_end(shop, release, bob):
    _, first = ordered_then_disputed(shop, release)
    second = dispute(release)
    lift(first)
    assert disputes.release_ended(at=timezone.now()) == 0
    lift(second)
    assert disputes.release_ended(at=timezone.now()) == 1


@pytest.mark.parametrize("released", [True, False])
def test_a_refund_takes_its_part_along_released_or_not(shop, release, bob, released):
    line, notice = ordered_then_disputed(shop, release)
    if released:
        lift(notice)
        disputes.release_ended(at=timezone.now())
    refunds.refund_line(line, reason="asked for", at=timezone.now())
    shop.deliver_webhooks()
    kinds = Account.objects.exclude(kind__in=["FEES", "STRIPE_BALANCE"])
    assert set(ledger.balances(kinds).values()) == {0}
    lift(notice) if not released else None
    assert disputes.release_ended(at=later(days=1)) == 0


def test_the_payees_statement_is_the_ledgers_through_hold_release_and_refund(shop, release, bob):
    line, notice = ordered_then_disputed(shop, release)
    period = {"since": later(days=-1), "until": later(days=1)}
    for act in (
        lambda: None,
        lambda: lift(notice),
        lambda: disputes.release_ended(at=timezone.now()),
        lambda: (refunds.refund_line(line, reason="x", at=timezone.now()), shop.deliver_webhooks()),
    ):
        act()
        lines = reports.statement_lines(bob, **period)
        assert reports.totals(lines) == {"EUR": balance(bob)}
        told = statements.statement(bob, currency="EUR", describe=reports.describe, **period)
        assert told.closing_micros == balance(bob)
        assert {one.what for one in told.lines} == {"First Light, Ana Lind"}
        account = accounts.payee(bob, "EUR").pk
        assert sum(row[-1] for row in earnings.lines_of([account], **period)[account]) == balance(bob)


def test_the_label_sees_what_waits_and_why(shop, release, bob):
    ordered_then_disputed(shop, release)
    (row,) = disputes.of_label(release.label)
    assert (row.micros, row.claimant, row.lines) == (RECORDING, "Carla", 1)
    assert owed.suspended(release.label) == []


def test_an_undisputed_sale_holds_nothing(shop, release, bob):
    shop.bought(release)
    assert not HeldShare.objects.exists()
    assert balance(bob) == RECORDING + WORK


def test_what_was_held_is_never_rewritten(shop, release, bob):
    ordered_then_disputed(shop, release)
    for change in (lambda rows: rows.update(micros=1), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(HeldShare.objects.all())


def test_what_is_released_is_one_transfer_a_line_and_layer(shop, release, bob):
    line, notice = ordered_then_disputed(shop, release, "")
    lift(notice)
    assert disputes.release_ended(at=timezone.now()) == 2
    key = release.recordings.get().pk
    names = Transfer.objects.filter(kind=disputes.KIND).values_list("reference", flat=True)
    assert sorted(names) == [f"released:{line.public_id}:{key}:{layer}" for layer in ("RECORDING", "WORK")]
    assert Notice.objects.get() == notice
    assert Payee.objects.count() == LetterOfDirection.objects.count() == 1


def test_a_dispute_needs_no_more_than_the_applications_rights(as_application, shop, release, bob):
    line, notice = ordered_then_disputed(shop, release)
    notice_desk.counter(
        notice, name="Bob", contact="bob@example.org", statement="Mine.", actor="user:bob", at=timezone.now()
    )
    lift(notice)
    assert disputes.release_ended(at=timezone.now()) == 1
    refunds.refund_line(line, reason="x", at=timezone.now())
