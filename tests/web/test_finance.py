"""The desk of finance staff: only theirs, only with a second factor; what does not fit is closed there with a note."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments import alerts
from payments.models import Alert, Charge, Chargeback
from store.models import LineRefund, OrderLine
from tests.factories import shelf
from tests.factories.store import make_user, sign_in
from tests.fakes import stripe_sandbox  # noqa: F401 - a fixture
from tests.journeys.conftest import Shop, shop  # noqa: F401 - a fixture

PAGES = ["finance", "finance-orders", "finance-refunds", "finance-chargebacks"]


@pytest.fixture
def fay(db: None) -> Client:
    """Fay keeps the books."""
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def alert(db: None) -> Alert:
    return alerts.raise_alert("CHARGE_MISMATCH", subject="CS-1", text="499 of 500 <b>", at=timezone.now())


@pytest.mark.parametrize("name", PAGES)
def test_for_anybody_else_there_is_no_such_page(db: None, name: str) -> None:
    for other in (make_user("Alice"), make_user("Rita", is_reviewer=True), make_user("Ada", is_staff=True)):
        assert sign_in(other).get(reverse(name)).status_code == 404
    assert Client().get(reverse(name))["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PAGES)
def test_without_a_second_factor_the_way_to_one_is_shown(db: None, name: str) -> None:
    client = sign_in(make_user("Fay", is_finance=True), second_factor=False)
    assert client.get(reverse(name))["Location"].startswith(reverse("mfa_index"))


def test_what_does_not_fit_is_shown_and_closed_with_a_note(fay: Client, alert: Alert) -> None:
    assert "499 of 500 &lt;b&gt;" in fay.get(reverse("finance")).text
    fay.post(reverse("finance-alert-close", args=[alert.pk]), {"note": ""})
    assert alerts.standing() == [alert]
    fay.post(reverse("finance-alert-close", args=[alert.pk]), {"note": "Paid back by hand."})
    assert alerts.standing() == []


def test_nobody_else_closes_it(alert: Alert) -> None:
    url = reverse("finance-alert-close", args=[alert.pk])
    assert sign_in(make_user("Charlie")).post(url, {"note": "x"}).status_code == 404
    lacking = sign_in(make_user("Fay", is_finance=True), second_factor=False)
    assert lacking.post(url, {"note": "x"}).status_code == 302
    assert alerts.standing() == [alert]


def test_with_the_check_off_the_same_page_would_open(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """The control."""
    monkeypatch.setattr("store.access.require_finance", lambda user: user)
    monkeypatch.setattr("store.access.require_second_factor", lambda _request: None)
    assert sign_in(make_user("Charlie")).get(reverse("finance")).status_code == 200


@pytest.fixture
def line(shop: Shop) -> OrderLine:  # noqa: F811
    return shop.bought(shelf.shelve()).lines.get()


def give_back(client: Client, line: OrderLine, **typed: str) -> Any:
    url = reverse("finance-refund", args=[line.order.number, line.public_id])
    return client.post(url, {"amount": "", "reason": "A scratch in track 2.", **typed})


def test_an_order_is_found_by_number_address_and_payment(fay: Client, line: OrderLine) -> None:
    charge = Charge.objects.get()
    for wanted in (line.order.number, line.order.email, charge.stripe_payment_intent_id, charge.stripe_charge_id):
        assert line.order.number in fay.get(reverse("finance-orders"), {"q": wanted}).text
    assert line.order.number not in fay.get(reverse("finance-orders"), {"q": "CS-NONE"}).text
    assert line.order.number not in fay.get(reverse("finance-orders"), {"state": "PENDING"}).text


def test_a_part_is_given_back_with_its_reason_and_by_whom(fay: Client, line: OrderLine) -> None:
    assert give_back(fay, line, amount="0.40").status_code == 302
    kept = LineRefund.objects.get()
    assert (kept.amount_minor, kept.reason, kept.state) == (40, "A scratch in track 2.", "DONE")
    shown = fay.get(reverse("finance-order", args=[line.order.number])).text
    assert "A scratch in track 2." in shown
    assert "€1.20 are left" in shown
    assert "A scratch in track 2." in fay.get(reverse("finance-refunds")).text


def test_all_of_it_ends_the_buyers_right(fay: Client, line: OrderLine) -> None:
    give_back(fay, line)
    line.refresh_from_db()
    assert line.state == OrderLine.State.REFUNDED


@pytest.mark.parametrize("amount", ["1.61", "0", "-1", "0.001", "1e2", "١", "1_0", "NaN", "all"])
def test_an_amount_that_cannot_be_is_refused_in_words(fay: Client, line: OrderLine, amount: str) -> None:
    answer = give_back(fay, line, amount=amount)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text or "errorlist" in answer.text or "Write the amount" in answer.text
    assert not LineRefund.objects.exists()


def test_giving_back_takes_a_reason(fay: Client, line: OrderLine) -> None:
    assert give_back(fay, line, reason="").status_code == 422
    assert not LineRefund.objects.exists()


def test_nobody_else_gives_back(line: OrderLine) -> None:
    assert give_back(sign_in(make_user("Charlie")), line).status_code == 404
    assert give_back(sign_in(make_user("Fay", is_finance=True), second_factor=False), line).status_code == 302
    assert not LineRefund.objects.exists()


def test_a_refund_that_a_bank_refused_is_asked_again(fay: Client, shop: Shop) -> None:  # noqa: F811
    order = shop.order(shelf.shelve())
    shop.stripe.arrive(shop.pay_later(order))
    shop.deliver_webhooks()
    give_back(fay, order.lines.get())
    shop.stripe.sandbox.api.fail_refund(shop.stripe.objects("refund")[0]["id"])
    shop.deliver_webhooks()
    assert "Ask again" in fay.get(reverse("finance-refunds")).text
    fay.post(reverse("finance-refund-again", args=[LineRefund.objects.get().pk]))
    assert len(shop.stripe.objects("refund")) == 2


def test_a_chargeback_is_listed_with_the_day_to_answer(fay: Client, shop: Shop, line: OrderLine) -> None:  # noqa: F811
    shop.charge_back(line.order)
    shop.deliver_webhooks()
    row = Chargeback.objects.get()
    assert row.answer_by is not None
    for url in (reverse("finance-chargebacks"), reverse("finance-order", args=[line.order.number])):
        shown = fay.get(url).text
        assert "the bank decides" in shown
        assert f"{row.answer_by:%Y}" in shown


@pytest.mark.parametrize("name", ["finance-orders", "finance-refunds", "finance-chargebacks"])
def test_lists_cost_the_same_for_many(
    fay: Client,
    shop: Shop,  # noqa: F811
    name: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        order = shop.bought(shelf.shelve(f"Title {number}"), key=f"k{number}")
        give_back(fay, order.lines.get(), amount="0.10")
        shop.charge_back(order)
    shop.deliver_webhooks()
    with django_assert_max_num_queries(13):
        assert fay.get(reverse(name)).status_code == 200
