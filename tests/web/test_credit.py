"""The credit pages: what there is, adding to it, gift cards; a stranger's purchases do not exist."""

import pytest
from django.test import Client
from django.utils import timezone

from payments.money import Money
from store import credit_purchases
from store.models import CreditPurchase
from store.views import credit as views
from tests.fakes import StripeFake, stripe_sandbox  # noqa: F401 - a fixture


@pytest.fixture
def paid(alice, stripe_sandbox: StripeFake) -> CreditPurchase:  # noqa: F811
    purchase = credit_purchases.buy(alice, amount=Money.of(2000, "EUR"), request_key="k", at=timezone.now())
    stripe_sandbox.pay(credit_purchases.start_payment(purchase, at=timezone.now()))
    return purchase


def test_adding_credit_leads_to_the_payment_page_and_back(at_alices: Client, stripe_sandbox: StripeFake):  # noqa: F811
    form = at_alices.get("/account/credit").context["form"]
    answer = at_alices.post("/account/credit", {"amount": "20.00", "request_key": form["request_key"].value()})
    stripe_sandbox.pay(answer["Location"])
    page = at_alices.get(f"/account/credit/{CreditPurchase.objects.get().public_id}/return", follow=True)
    assert "Your credit is here." in page.content.decode()
    assert "€20.00" in page.content.decode()


def test_too_much_is_refused_on_the_page(at_alices: Client, db: None):
    answer = at_alices.post("/account/credit", {"amount": "1000", "request_key": "k"})
    assert answer.status_code == 422
    assert "A wallet here holds at most €150.00" in answer.content.decode()


@pytest.mark.parametrize("amount", ["-1", "0", "NaN", "Infinity", "1e400", "1E+2", "١٢", "1_000", "1.005", "abc", ""])
def test_what_is_no_amount_is_refused_in_words(at_alices: Client, amount: str):
    answer = at_alices.post("/account/credit", {"amount": amount, "request_key": "k"})
    assert answer.status_code == 422
    assert not CreditPurchase.objects.exists()


def test_a_wrong_code_is_said_beside_its_field(at_alices: Client, db: None):
    answer = at_alices.post("/account/credit/redeem", {"code": "AAAA"})
    assert answer.status_code == 422
    assert "no gift card with this code" in answer.content.decode()


def test_what_is_left_is_given_back_at_a_press(at_alices: Client, paid: CreditPurchase):
    at_alices.get(f"/account/credit/{paid.public_id}/return")
    page = at_alices.post(f"/account/credit/{paid.public_id}/back", follow=True).content.decode()
    assert "on its way" in page
    assert "€20.00 paid back" in page


def test_a_strangers_purchase_does_not_exist(at_charlies: Client, paid: CreditPurchase):
    assert at_charlies.get(f"/account/credit/{paid.public_id}/return").status_code == 404
    assert at_charlies.post(f"/account/credit/{paid.public_id}/back").status_code == 404


def test_one_signs_in_first(visitor: Client):
    assert visitor.get("/account/credit")["Location"] == "/account/login/?next=/account/credit"


def test_a_payment_page_that_does_not_answer_charges_nothing(at_alices: Client, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"  # nobody listens there
    answer = at_alices.post("/account/credit", {"amount": "20.00", "request_key": "k"})
    assert views.SILENT in answer.content.decode()


def test_a_longer_history_costs_no_more_queries(at_alices: Client, alice, paid, django_assert_max_num_queries):
    at_alices.get(f"/account/credit/{paid.public_id}/return")
    for cents in range(1, 12):
        credit_purchases.give_back(CreditPurchase.objects.get(pk=paid.pk), Money.of(cents, "EUR"), at=timezone.now())
    with django_assert_max_num_queries(16):
        at_alices.get("/account/credit")
