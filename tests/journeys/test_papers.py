"""From the sale to the invoice, from the refund to the credit note, with what the ledger holds."""

from typing import Any

import pytest
from django.utils import timezone

from payments import accounts, ledger
from store import businesses, checkout, invoices, oss, refunds
from store.exchange import Quarter
from store.models import Invoice, InvoiceDue, OrderLine
from tests.factories import shelf
from tests.fakes import ViesFake, vies_fake  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sale_that_is_given_back_leaves_both_papers_and_no_tax(shop: Shop) -> None:
    order = shop.bought(shelf.shelve())
    invoices.write(at=timezone.now())
    first = Invoice.objects.get()
    assert (first.total_minor, first.tax_minor) == (order.total_minor, order.tax_minor)
    assert ledger.balance(accounts.tax("DE", "EUR")) == first.tax_micros
    refunds.refund_line(order.lines.get(), reason="asked", at=timezone.now())
    invoices.write(at=timezone.now())
    note = Invoice.objects.get(kind="CREDIT_NOTE")
    assert (note.corrects, note.total_minor, note.tax_micros) == (first, order.total_minor, first.tax_micros)
    assert ledger.balance(accounts.tax("DE", "EUR")) == 0


def test_a_business_abroad_gets_an_invoice_with_a_reverse_charge(shop: Shop, vies_fake: ViesFake) -> None:  # noqa: F811
    at = timezone.now()
    basket = shop.basket_of(shelf.shelve())
    check = businesses.check(
        shop.alice, vat_id="DE136695976", country="DE", company="Plattenladen", address="Weg 1\nBerlin", at=at
    )
    how: dict[str, Any] = {"buyer": shop.alice, "country": "DE", "evidence": {}, "consent": True}
    order = checkout.place_order(basket, request_key="b1", at=at, vat_check=check, **how)
    shop.pay(order)
    shop.deliver_webhooks()
    invoices.write(at=timezone.now())
    paper = Invoice.objects.get(order=order)
    assert (paper.total_minor, paper.tax_minor, paper.tax_rate, paper.base_micros) == (134, 0, 0, 1_340_000)
    for said in (invoices.REVERSE_CHARGE, "Plattenladen", "DE136695976", "Weg 1", "ATU13585627"):
        assert said in paper.text
    assert ledger.balance(accounts.tax("DE", "EUR")) == 0


def test_parts_that_go_back_leave_papers_that_sum_to_the_sale_and_to_the_ledger(shop: Shop) -> None:
    line = shop.bought(shelf.shelve()).lines.get()
    for part in (53, 53, 54):
        refunds.refund_line(OrderLine.objects.get(pk=line.pk), reason="asked", at=timezone.now(), amount_minor=part)
        invoices.write(at=timezone.now())
        assert oss.report(Quarter.of(timezone.now())).differences == ()
    notes = list(Invoice.objects.filter(kind="CREDIT_NOTE"))
    assert [note.total_minor for note in notes] == [53, 53, 54]
    assert sum(note.tax_minor for note in notes) == line.tax_minor == 26
    assert ledger.balance(accounts.tax("DE", "EUR")) == 0


@pytest.mark.parametrize("won", [True, False])
def test_what_a_bank_takes_back_makes_a_credit_note_and_what_it_returns_takes_it_back(shop: Shop, won: bool) -> None:  # noqa: FBT001
    order = shop.bought(shelf.shelve())
    key = shop.charge_back(order)
    shop.deliver_webhooks()
    banks = shop.stripe.sandbox.chargebacks
    (banks.win if won else banks.lose)(key)
    shop.deliver_webhooks()
    invoices.write(at=timezone.now())
    names = list(Invoice.objects.order_by("pk").values_list("kind", flat=True))
    assert names == ["INVOICE", "CREDIT_NOTE", *(["INVOICE"] if won else [])]
    assert not oss.report(Quarter.of(timezone.now())).differences
    assert not InvoiceDue.objects.exists()
