"""A business that paid tax while VIES was silent gets it back to the cent once VIES says yes; the papers agree."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from payments import accounts, audit, ledger
from payments.models import Transfer
from store import businesses, checkout, invoices, late_numbers, oss, refunds, settlement, tasks
from store.errors import RefundRefused, VatIdRefused
from store.exchange import Quarter
from store.models import Invoice, LineRefund, Order, VatCheck
from tests.factories import shelf
from tests.factories.store import make_user, sign_in
from tests.fakes import ViesFake, vies_fake  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "DE136695976"


@pytest.fixture
def bought(shop: Shop, vies_fake: ViesFake, settings: Any) -> Order:  # noqa: F811
    """Two albums with German tax inside, bought by a business while VIES was down; Stripe has not told its fee yet."""
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Bob's Shop", ["Gasse 2"]
    vies_fake.down = "MS_UNAVAILABLE"
    asked = businesses.check(shop.alice, vat_id=NUMBER, country="DE", company="Plattenladen", address="Weg 1",
                             at=timezone.now() - timedelta(hours=8))  # fmt: skip
    basket = shop.basket_of(shelf.shelve(), shelf.shelve("Second Sight"))
    order = checkout.place_order(
        basket, buyer=shop.alice, country="DE", evidence={}, consent=True, request_key="k", at=timezone.now(),
        vat_check=asked,
    )  # fmt: skip
    shop.pay(order)
    settlement.settle_order(order, at=timezone.now())
    invoices.write(at=timezone.now())
    vies_fake.down = ""
    order.refresh_from_db()
    return order


@pytest.fixture
def holders_bear(settings: Any) -> None:
    """Holders bear the payment fee, and of what is left a tenth is held back; used before `bought`."""
    settings.FEE_BORNE_BY, settings.RESERVE_PERCENT = "HOLDERS", "10"


def tax_owed() -> int:
    return ledger.balance(accounts.tax("DE", "EUR"))


def payees_owed(order: Order) -> int:
    holders = {leg["holder"] for line in order.lines.all() for leg in line.split if leg["holder"]}
    return sum(ledger.balance(accounts.suspense(f"holder-{holder}", "EUR")) for holder in holders)


def correct(order: Order) -> VatCheck:
    return late_numbers.ask_again(order, actor="user:9", at=timezone.now())


def test_a_late_yes_gives_back_the_tax_and_nothing_else(bought: Order, shop: Shop) -> None:
    before = payees_owed(bought)
    assert tax_owed() == bought.tax_minor * 10_000 > 0
    assert correct(bought).state == "VALID"
    assert tax_owed() == 0
    assert payees_owed(bought) == before
    assert sum(one["amount"] for one in shop.stripe.objects("refund")) == bought.tax_minor
    assert audit.verify().problem is None
    assert not late_numbers.waiting().exists()


@pytest.mark.usefixtures("holders_bear")
@pytest.mark.parametrize("fee", ["told before", "told after"])
def test_a_late_yes_takes_nothing_from_what_the_holders_bear(bought: Order, fee: str) -> None:
    if fee == "told after":
        correct(bought)
    settlement.check_order(bought, at=timezone.now())
    bought.refresh_from_db()
    assert bought.fee_posted_at is not None
    if fee == "told before":
        correct(bought)
    assert ledger.balance(accounts.fees("EUR")) == 0  # all of it is with the holders
    assert Transfer.objects.filter(kind="FEE_SHARE").count() == bought.lines.count()


@pytest.mark.usefixtures("holders_bear")
def test_of_a_line_that_went_back_whole_after_its_tax_nothing_is_taken(bought: Order) -> None:
    correct(bought)
    for line in bought.lines.all():
        refunds.refund_line(line, reason="does not play", at=timezone.now())
    settlement.check_order(bought, at=timezone.now())
    assert not Transfer.objects.filter(kind="FEE_SHARE").exists()


def test_its_papers_take_the_invoice_back_and_invoice_the_same_sale_without_tax(bought: Order) -> None:
    correct(bought)
    invoices.write(at=timezone.now())
    for line in bought.lines.all():
        note, again = Invoice.objects.filter(line=line).order_by("pk")
        assert (note.kind, note.total_minor, note.tax_minor) == ("CREDIT_NOTE", line.amount_minor, line.tax_minor)
        assert (again.kind, again.total_minor, again.tax_minor) == ("INVOICE", line.amount_minor - line.tax_minor, 0)
        assert (again.reverse_charge, again.corrects) == (True, note)
        assert "Reverse charge" in again.text
        assert NUMBER in again.text
    assert [paper.number for paper in Invoice.objects.filter(kind="INVOICE").order_by("pk")] == [1, 2, 3]


def test_the_quarterly_return_has_the_sale_no_more_and_agrees_with_the_ledger(bought: Order) -> None:
    quarter = Quarter.of(timezone.now())
    assert oss.report(quarter).to_pay == bought.tax_minor
    correct(bought)
    invoices.write(at=timezone.now())
    found = oss.report(quarter)
    assert found.is_whole
    assert (found.to_pay, [row.base for row in found.rows]) == (0, [0])
    (elsewhere,) = [one for one in found.elsewhere if one.base]
    assert elsewhere.base == (bought.total_minor - bought.tax_minor) * 10_000


def test_what_is_given_back_later_mirrors_what_stands(bought: Order) -> None:
    correct(bought)
    line = bought.lines.order_by("position").first()
    assert line is not None
    refunds.refund_line(line, reason="does not play", at=timezone.now())
    invoices.write(at=timezone.now())
    line.refresh_from_db()
    assert (line.state, line.returned_minor) == ("REFUNDED", line.amount_minor)
    last = Invoice.objects.filter(line=line).order_by("pk").last()
    assert last is not None
    assert (last.kind, last.tax_minor, last.tax_rate, last.reverse_charge) == ("CREDIT_NOTE", 0, 0, True)
    assert last.corrects is not None
    assert last.corrects.reverse_charge
    assert oss.report(Quarter.of(timezone.now())).is_whole
    assert audit.verify().problem is None


def test_twice_is_once(bought: Order) -> None:
    check = correct(bought)
    with pytest.raises(VatIdRefused):
        correct(bought)
    assert refunds.refund_tax(bought, check=check, actor="user:9", at=timezone.now()) == []
    assert LineRefund.objects.count() == bought.lines.count()


@pytest.mark.parametrize("answer", ["down", "unknown"])
def test_anything_but_a_yes_leaves_the_tax_where_it_is(bought: Order, vies_fake: ViesFake, answer: str) -> None:  # noqa: F811
    vies_fake.down = "MS_UNAVAILABLE" if answer == "down" else ""
    vies_fake.known.clear()
    owed = tax_owed()
    correct(bought)
    assert (tax_owed(), LineRefund.objects.count()) == (owed, 0)


def test_a_line_of_which_a_part_went_back_is_left_to_people(bought: Order) -> None:
    for line in bought.lines.all():
        refunds.refund_line(line, reason="a scratch", amount_minor=10, at=timezone.now())
    check = businesses.ask(bought.vat_check, at=timezone.now())  # type: ignore[arg-type]
    with pytest.raises(RefundRefused, match="by hand"):
        refunds.refund_tax(bought, check=check, actor="user:9", at=timezone.now())


def test_the_sweep_asks_by_itself_and_not_again_for_hours(bought: Order) -> None:
    assert list(late_numbers.due(at=timezone.now())) == [bought]
    tasks.ask_vies_again(bought.pk)
    assert not late_numbers.due(at=timezone.now()).exists()
    assert tax_owed() == 0


def test_who_was_asked_about_lately_or_refused_waits(bought: Order, vies_fake: ViesFake) -> None:  # noqa: F811
    vies_fake.down = "MS_UNAVAILABLE"
    correct(bought)
    now = timezone.now()
    assert not late_numbers.due(at=now).exists()
    assert late_numbers.due(at=now + timedelta(hours=7)).exists()
    vies_fake.down = ""
    vies_fake.known.clear()
    correct(bought)
    assert not late_numbers.due(at=now + timedelta(hours=14)).exists()


def test_finance_staff_ask_from_their_desk(bought: Order) -> None:
    fay = sign_in(make_user("Fay", is_finance=True))
    assert NUMBER in fay.get("/finance/tax/").text
    page = fay.post(f"/finance/tax/vies/{bought.number}/", follow=True).text
    assert "the tax goes back" in page
    assert tax_owed() == 0
    assert sign_in(make_user("Charlie")).post(f"/finance/tax/vies/{bought.number}/").status_code == 404


def test_the_database_gives_no_tax_back_without_a_valid_number(bought: Order) -> None:
    line = bought.lines.all()[0]
    fields: dict[str, Any] = {"line": line, "reference": f"refund:{line.public_id}:9", "amount_minor": line.tax_minor,
              "whole": False, "reason": "x", "actor": "x", "decided_at": timezone.now()}  # fmt: skip
    with pytest.raises(IntegrityError, match="without a valid VAT number"), transaction.atomic():
        LineRefund.objects.create(vat_check=bought.vat_check, **fields)
    with connection.cursor() as cursor:  # the control: its guard switched off
        cursor.execute("ALTER TABLE store_linerefund DISABLE TRIGGER store_linerefund_of_tax")
    try:
        LineRefund.objects.create(vat_check=bought.vat_check, **fields)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE store_linerefund ENABLE TRIGGER store_linerefund_of_tax")


def test_its_migration_has_no_way_back_once_tax_went_back(bought: Order) -> None:
    back = import_module("store.migrations.0027_late_numbers").Migration.operations[-1].reverse_sql
    with connection.cursor() as cursor:
        cursor.execute(back)  # the control: before that there is one
        correct(bought)
        with pytest.raises(DatabaseError, match="cannot be taken back"):
            cursor.execute(back)
