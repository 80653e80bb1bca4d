"""With STRIPE_TAX what is posted, invoiced and shared out rests on Stripe's word, or nothing is delivered."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from payments import accounts, audit, charges, gateway, ledger
from payments.models import Charge
from store import baskets, checkout, credit, invoices, offers, refunds, settlement
from store.errors import ChargeMismatch, TaxRateUnverified
from store.models import Invoice, Order, OrderLine
from tests.factories import onsale, shelf
from tests.journeys.conftest import Shop
from tests.journeys.test_takedown import end_rights

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _stripe_reckons(settings: Any) -> None:
    settings.STRIPE_TAX = True
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"


def pay(shop: Shop, order: Order, *, living_in: str | None = None) -> Order:
    page = checkout.start_payment(order, at=timezone.now())
    if living_in is not None:
        shop.stripe.sandbox.api.live_in(Charge.objects.get(reference=order.number).stripe_session_id, living_in)
    shop.stripe.pay(page)
    return settlement.settle_order(order, at=timezone.now())


def tax_account(country: str = "DE") -> int:
    return ledger.balance(accounts.tax(country, "EUR"))


def shown_otherwise(monkeypatch: pytest.MonkeyPatch, percent: int) -> None:
    """What the table says before paying is not what Stripe will say."""
    monkeypatch.setattr("store.tax.rate", lambda _country, *, at: percent * 100)  # noqa: ARG005


def test_the_page_asks_stripe_to_reckon_the_tax_inside_the_price(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    checkout.start_payment(order, at=timezone.now())
    (session,) = shop.stripe.objects("checkout.session")
    assert session["automatic_tax"]["enabled"]
    assert session["amount_total"] == order.total_minor


def test_where_stripe_says_the_same_the_order_stands_as_it_was(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    before = list(order.lines.values_list("tax_minor", "split"))
    order = pay(shop, order)
    assert (order.state, list(order.lines.values_list("tax_minor", "split"))) == ("PAID", before)
    assert Charge.objects.filter(tax__status="complete").exists()
    assert tax_account() == order.tax_minor * 10_000


def test_where_stripe_says_otherwise_its_tax_is_posted_shared_out_and_invoiced(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        shown_otherwise(patched, 7)
        order = shop.order(shelf.shelve(), shelf.shelve("Second Sight"))
        shown = order.tax_minor
    order = pay(shop, order)
    assert order.tax_minor > shown
    assert tax_account() == order.tax_minor * 10_000
    for line in order.lines.all():
        assert line.tax_rate == 1900
        legs = {kind: sum(leg["micros"] for leg in line.split if leg["kind"] == kind) for kind in ("TAX", "COMMISSION")}
        assert legs["TAX"] == line.tax_minor * 10_000
        assert abs(legs["COMMISSION"] - (line.amount_minor - line.tax_minor) * 1_500) <= 1  # 15 % of the real net
        assert sum(leg["micros"] for leg in line.split) == line.amount_minor * 10_000
    invoices.write(at=timezone.now())
    assert Invoice.objects.get().tax_minor == order.tax_minor
    assert audit.verify().problem is None


@pytest.mark.parametrize(("code", "state"), [("TAKEN_DOWN", "REFUND_DUE"), ("TERM_EXPIRED", "PAID")])
def test_what_was_decided_after_ordering_stops_no_other_line(
    shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch, code: str, state: str
) -> None:
    lost, other = shelf.shelve(), shelf.shelve("Second Sight")
    with monkeypatch.context() as patched:
        shown_otherwise(patched, 7)
        order = shop.order(lost, other)
    holders = {leg["holder"] for line in order.lines.all() for leg in line.split}
    end_rights(lost, code)
    settings.COMMISSION_PERCENT = "30"  # what is agreed later does not count either
    order = pay(shop, order)
    assert (order.lines.get(release=lost).state, order.lines.get(release=other).state) == (state, "PAID")
    for line in order.lines.all():
        kept = sum(leg["micros"] for leg in line.split if leg["kind"] == "COMMISSION")
        assert (line.tax_rate, line.tax_minor > 0) == (1900, True)
        assert abs(kept - (line.amount_minor - line.tax_minor) * 1_500) <= 1
    assert {leg["holder"] for line in order.lines.all() for leg in line.split} == holders
    assert audit.verify().problem is None


def test_an_address_in_another_country_delivers_nothing_and_people_look(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    with pytest.raises(ChargeMismatch, match="taxed an address in FR"):
        pay(shop, order, living_in="FR")
    order.refresh_from_db()
    assert (order.state, bool(order.alert), tax_account("FR")) == ("PLACED", True, 0)


def test_a_tax_that_is_not_complete_delivers_nothing(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    with pytest.raises(ChargeMismatch, match="has not reckoned the tax"):
        pay(shop, order, living_in="")
    assert Order.objects.get().state == "PLACED"
    assert Charge.objects.get().tax is None


def test_the_control_without_the_setting_the_same_page_settles_by_the_table(shop: Shop, settings: Any) -> None:
    settings.STRIPE_TAX = False
    order = shop.order(shelf.shelve())
    assert pay(shop, order, living_in="FR").state == "PAID"
    assert tax_account() == order.tax_minor * 10_000


def test_lines_at_stripe_that_are_not_ours_deliver_nothing(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    page = checkout.start_payment(order, at=timezone.now())
    shop.stripe.pay(page)
    charge = Charge.objects.get()
    charge = charges.read_charge(charge)
    assert charge.tax is not None
    charge.tax["lines"][0]["name"] = "Something else"
    charge.save(update_fields=["tax"])
    with pytest.raises(ChargeMismatch, match="does not list"):
        settlement.settle_order(order, at=timezone.now())


def test_what_credit_pays_bears_the_tables_tax_and_only_a_vouched_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shelf.shelve())
    monkeypatch.setattr("store.tax._confirmed", lambda _row: False)
    monkeypatch.setattr("store.tax.Rate.is_verified", property(lambda _row: False))
    with pytest.raises(TaxRateUnverified):
        credit.use(order, at=timezone.now())


def test_who_was_to_be_taxed_by_stripe_does_not_pay_a_table_that_nobody_vouches_for(
    shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shelf.shelve())
    settings.STRIPE_TAX = False
    with monkeypatch.context() as patched:
        patched.setattr("store.tax._confirmed", lambda _row: False)
        patched.setattr("store.tax.Rate.is_verified", property(lambda _row: False))
        with pytest.raises(TaxRateUnverified):
            checkout.start_payment(order, at=timezone.now())
    assert not Charge.objects.exists()
    assert pay(shop, order).state == "PAID"  # the control: vouched for, it is paid by the table


def test_what_is_given_above_the_price_is_taxed_too_however_stripe_rounds(shop: Shop, settings: Any) -> None:
    settings.TAX_ON_TIPS = False
    release = onsale.put_on_sale()
    offers.set_price(release, currency="EUR", amount_minor=300, or_more=True, actor="user:bob")
    onsale.review()
    basket = shop.basket_of()
    baskets.add(basket, shelf.whole(release), named_minor=500)
    order = checkout.place_order(
        basket, buyer=shop.alice, country="DE", evidence={}, consent=True, request_key="k", at=timezone.now()
    )
    shop.stripe.pay(checkout.start_payment(order, at=timezone.now()))
    charge = charges.read_charge(Charge.objects.get())
    assert charge.tax is not None
    assert charge.tax["lines"][0]["tax_minor"] == 80  # of all 5.00, and not of the price of 3.00
    charge.tax["lines"][0]["tax_minor"] = 79  # as by a rate of 18.8 %
    charge.save(update_fields=["tax"])
    settlement.settle_order(order, at=timezone.now())
    refunds.refund_line(order.lines.get(), reason="a scratch", amount_minor=100, at=timezone.now())
    shop.deliver_webhooks()
    invoices.write(at=timezone.now())
    first, note = Invoice.objects.order_by("pk")
    assert (first.total_minor, first.tax_minor, first.untaxed_micros) == (500, 79, 0)
    assert (note.total_minor, note.untaxed_micros) == (100, 0)


@pytest.mark.parametrize(("percentages", "points"), [([8.875], 888), ([4, "4.625"], 863), ([19.0], 1900), ([], 0)])
def test_rates_are_kept_to_the_nearest_basis_point(percentages: list[Any], points: int) -> None:
    assert gateway._points({"taxes": [{"rate": {"percentage": one}} for one in percentages]}) == points


def test_the_database_takes_another_tax_only_from_stripe_and_only_before_it_is_paid(shop: Shop) -> None:
    order = shop.order(shelf.shelve())
    for change in (lambda: Order.objects.update(tax_minor=1), lambda: OrderLine.objects.update(tax_minor=1)):
        with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
            change()
    pay(shop, order)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        OrderLine.objects.update(tax_minor=1)
