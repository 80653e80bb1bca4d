"""The finance desk on money that goes out: only staff with a second factor, and every act through the rules."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from payments import accounts, ledger, payees, payouts
from payments.models import Discrepancy, Payee, Payout, PayoutBatch, TaxForm
from store import tasks
from tests.factories.payments import make_payee, post_earning
from tests.factories.store import make_user, sign_in

IBAN = "DE89370400440532013000"
PAGES = ["finance-payouts", "finance-books", "finance-suspense"]
ACTS = ["finance-payouts-send", "finance-payouts-export"]


@pytest.fixture
def fay(db: None) -> Client:
    """Fay keeps the books."""
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def bob(db: None, settings: Settings) -> Payee:
    """Owed 12.345678 EUR, to be paid by bank."""
    settings.BANK_HOLDER, settings.BANK_IBAN = "Clearsong", "FR7630006000011234567890189"
    payee = make_payee()
    payees.give_bank(payee, holder="Bob", iban=IBAN, by="user:1", at=timezone.now())
    post_earning(payee, 12_345_678, at=timezone.now())
    return payee


def difference(key: str = "ch_1") -> Discrepancy:
    today = timezone.now().date()
    return Discrepancy.objects.create(kind="MISSING", key=key, currency="EUR", stripe_micros=1_000_000,
                                      ledger_micros=0, first_seen=today, last_seen=today)  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_for_anybody_else_there_is_no_such_page(db: None, name: str) -> None:
    for other in (make_user("Alice"), make_user("Rita", is_reviewer=True), make_user("Ada", is_staff=True)):
        assert sign_in(other).get(reverse(name)).status_code == 404


@pytest.mark.parametrize("name", PAGES)
def test_without_a_second_factor_the_way_to_one_is_shown(db: None, name: str) -> None:
    client = sign_in(make_user("Fay", is_finance=True), second_factor=False)
    assert client.get(reverse(name))["Location"].startswith(reverse("mfa_index"))


@pytest.mark.parametrize("name", ACTS)
def test_nobody_else_sends_or_exports(bob: Payee, name: str) -> None:
    payouts.plan(minimum_minor=1, at=timezone.now())
    assert sign_in(make_user("Charlie")).post(reverse(name)).status_code == 404
    assert sign_in(make_user("Fay", is_finance=True), second_factor=False).post(reverse(name)).status_code == 302
    assert not PayoutBatch.objects.exists()


def test_what_is_due_is_shown_and_what_is_held_says_why(fay: Client, bob: Payee) -> None:
    post_earning(make_payee(name="Carl"), 5_000_000, at=timezone.now())
    page = fay.get(reverse("finance-payouts")).text
    assert "€12.34" in page
    assert "No account at Stripe yet" in page
    assert IBAN not in page


def test_from_plan_to_file_to_the_banks_word(fay: Client, bob: Payee) -> None:
    tasks.pay_out()
    fay.post(reverse("finance-payouts-export"))
    batch, payout = PayoutBatch.objects.get(), Payout.objects.get()
    file = fay.get(reverse("finance-payout-file", args=[batch.number]))
    assert IBAN in file.text
    assert file["Content-Disposition"] == f'attachment; filename="{batch.number}.xml"'
    assert file["Cache-Control"].count("no-store")
    fay.post(reverse("finance-payout-answer", args=[payout.number]), {"on": f"{timezone.now():%Y-%m-%d}"})
    payout.refresh_from_db()
    assert payout.state == "SETTLED"
    assert fay.get(reverse("finance-payout-file", args=[batch.number])).status_code == 404


def test_what_the_bank_refused_is_owed_again(fay: Client, bob: Payee) -> None:
    tasks.pay_out()
    fay.post(reverse("finance-payouts-export"))
    number = Payout.objects.get().number
    fay.post(reverse("finance-payout-answer", args=[number]), {"reason": "Account closed"})
    assert ledger.balance(accounts.payee(bob, "EUR")) == 12_345_678


def test_a_tax_form_is_entered_and_one_that_cannot_be_is_refused(fay: Client, bob: Payee) -> None:
    url = reverse("finance-payee", args=[bob.public_id])
    form = {"what": "tax", "kind": "W-8BEN", "country": "us", "percent": "5", "valid_from": "2026-01-01",
            "valid_to": "2028-12-31"}  # fmt: skip
    assert fay.post(url, form).status_code == 302
    assert TaxForm.objects.get().rate == 50_000
    refused = fay.post(url, form | {"kind": "W-9"})
    assert refused.status_code == 422
    assert "needs a W-8BEN" in refused.text


def test_bank_details_are_kept_and_never_shown_again(fay: Client, bob: Payee) -> None:
    url = reverse("finance-payee", args=[bob.public_id])
    wrong = fay.post(url, {"what": "bank", "holder": "Bob", "iban": "DE89370400440532013001"})
    assert wrong.status_code == 422
    assert "This is no IBAN" in wrong.text
    page = fay.get(url).text
    assert IBAN not in page
    assert "… 3000" in page


def test_paying_through_stripe_again_is_refused_with_the_way_out_while_a_payout_is_planned(
    fay: Client, bob: Payee
) -> None:
    url = reverse("finance-payee", args=[bob.public_id])
    (payout,) = payouts.plan(minimum_minor=1, at=timezone.now())
    refused = fay.post(url, {"what": "stripe"})
    assert refused.status_code == 422
    assert f"Payout {payout.number} waits for the bank&#x27;s file." in refused.text
    fay.post(reverse("finance-payouts-export"))
    assert fay.post(url, {"what": "stripe"}).status_code == 302
    assert "by Fay: no longer: paid through Stripe again" in fay.get(url).text


def test_a_difference_is_explained_with_words(fay: Client) -> None:
    row = difference()
    assert "ch_1" in fay.get(reverse("finance-books")).text
    fay.post(reverse("finance-explain", args=[row.pk]), {"text": " "})
    assert Discrepancy.objects.get().state == "OPEN"
    fay.post(reverse("finance-explain", args=[row.pk]), {"text": "A test charge <b>"})
    page = fay.get(reverse("finance-books")).text
    assert "A test charge &lt;b&gt;" in page
    assert "Fay, " in page


def test_what_waits_in_suspense_is_named(fay: Client) -> None:
    legs = [ledger.debit(accounts.stripe_balance("EUR"), 500_000),
            ledger.credit(accounts.suspense("holder-999999", "EUR"), 500_000)]  # fmt: skip
    with transaction.atomic():
        ledger.post("sale:x", kind="SALE", legs=legs, at=timezone.now())
    page = fay.get(reverse("finance-suspense")).text
    assert "€0.50" in page
    assert "suspense:holder-999999:EUR" in page


@pytest.mark.parametrize(("name", "most"), [("finance-payouts", 22), ("finance-books", 12), ("finance-suspense", 12)])
def test_a_page_costs_the_same_for_many_rows(
    fay: Client, name: str, most: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    at = timezone.now() - timedelta(minutes=1)
    for number in range(8):
        payee = make_payee(name=f"Payee {number}")
        post_earning(payee, 5_000_000, at=at)
        Payout.objects.create(payee=payee, number=f"PO-{number}", amount_minor=1, currency="USD", planned_at=at,
                              transfer_group=f"g{number}")  # fmt: skip
        difference(f"ch_{number}")
        legs = [ledger.debit(accounts.stripe_balance("EUR"), 5),
                ledger.credit(accounts.suspense(f"holder-{number}", "EUR"), 5)]  # fmt: skip
        with transaction.atomic():
            ledger.post(f"sale:{number}", kind="SALE", legs=legs, at=at)
    with django_assert_max_num_queries(most):
        assert fay.get(reverse(name)).status_code == 200
