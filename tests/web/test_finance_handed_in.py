"""Finance staff answer for what labels hand in for payees: with a second factor, once, and never for themselves."""

from datetime import date

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments import handed_in
from payments.models import BankChange, Payee, TaxForm, TaxPaper
from store.models import Letter
from tests.factories.payments import make_payee
from tests.factories.store import make_user, sign_in

IBAN = "DE89370400440532013000"
READ = {"act": "accept", "kind": "W-8BEN", "country": "US", "percent": "5", "valid_from": "2026-01-01",
        "valid_to": "2028-12-31"}  # fmt: skip


@pytest.fixture
def fay(db: None) -> Client:
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def bob(db: None, settings: LazySettings) -> Payee:
    settings.BANK_HOLDER, settings.BANK_IBAN = "Clearsong", "FR7630006000011234567890189"
    return make_payee()


def account(payee: Payee) -> BankChange:
    return handed_in.give_account(payee, holder="Bob", iban=IBAN, by="user:2", days=7, at=timezone.now())


def paper(payee: Payee) -> TaxPaper:
    return handed_in.give_paper(
        payee, kind="W-8BEN", country="US", rate=0, valid_from=date(2026, 1, 1), valid_to=date(2028, 12, 31),
        data=b"%PDF-1.7", by="user:2", at=timezone.now(),
    )  # fmt: skip


def answers(one: BankChange | TaxPaper) -> str:
    name = "finance-account-answer" if isinstance(one, BankChange) else "finance-paper-answer"
    return reverse(name, args=[one.public_id])


def test_nobody_else_answers(bob: Payee) -> None:
    for one in (account(bob), paper(bob)):
        assert sign_in(make_user("Charlie")).post(answers(one), READ).status_code == 404
        assert sign_in(make_user("Fay", is_finance=True), second_factor=False).post(answers(one)).status_code == 302
        one.refresh_from_db()
        assert one.state == "WAITING"


def test_an_account_is_shown_to_be_compared_and_confirmed(fay: Client, bob: Payee) -> None:
    change = account(bob)
    assert "a new account, … 3000" in fay.get(reverse("finance-payouts")).text
    assert IBAN in fay.get(reverse("finance-payee", args=[bob.public_id])).text
    fay.post(answers(change), {"act": "confirm"})
    bob.refresh_from_db()
    assert (bob.route, bob.bank.iban) == ("SEPA", IBAN)
    assert IBAN not in fay.get(reverse("finance-payee", args=[bob.public_id])).text


def test_an_account_that_is_not_taken_is_told_to_the_payee(fay: Client, bob: Payee) -> None:
    change = account(bob)
    fay.post(answers(change), {"reason": ""})
    change.refresh_from_db()
    assert change.state == "WAITING"
    fay.post(answers(change), {"reason": "The payee knows nothing of it."})
    assert "knows nothing" in Letter.objects.get(kind="bank_refused").body


def test_a_form_is_accepted_by_what_staff_read_on_it(fay: Client, bob: Payee) -> None:
    one = paper(bob)
    fay.post(answers(one), READ | {"percent": "nonsense"})
    assert not TaxForm.objects.exists()
    fay.post(answers(one), READ)
    assert TaxForm.objects.get().rate == 50_000
    fay.post(answers(one), READ)
    assert TaxForm.objects.count() == 1


def test_a_form_is_refused_with_a_reason(fay: Client, bob: Payee) -> None:
    one = paper(bob)
    fay.post(answers(one), {"reason": "It is not signed."})
    one.refresh_from_db()
    assert (one.state, one.reason) == ("REFUSED", "It is not signed.")
    assert not TaxForm.objects.exists()


def test_the_file_is_only_ever_downloaded(fay: Client, bob: Payee) -> None:
    where = reverse("finance-paper-file", args=[paper(bob).public_id])
    file = fay.get(where)
    assert b"".join(file.streaming_content) == b"%PDF-1.7"  # type: ignore[attr-defined]
    assert file["Content-Disposition"].startswith("attachment;")
    assert sign_in(make_user("Charlie")).get(where).status_code == 404


def test_a_payee_is_paid_through_stripe_again(fay: Client, bob: Payee) -> None:
    fay.post(answers(account(bob)), {"act": "confirm"})
    fay.post(reverse("finance-payee", args=[bob.public_id]), {"what": "stripe"})
    bob.refresh_from_db()
    assert (bob.route, hasattr(bob, "bank")) == ("STRIPE", False)


def test_more_that_waits_costs_the_desk_no_more_statements(
    fay: Client, bob: Payee, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for payee in (bob, make_payee(name="Carl"), make_payee(name="Dora")):
        account(payee)
        paper(payee)
    with django_assert_max_num_queries(20):
        assert fay.get(reverse("finance-payouts")).text.count("a new account") == 3
