"""An owner gives a payee's account and tax forms: with her password, told to the payee, and counted later."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from catalog.models import Party
from payments import handed_in
from payments.models import BankChange, Payee, TaxPaper
from store import bank_accounts, letters, tasks
from store.models import Letter, User
from tests.factories import shelf

IBAN = "DE89370400440532013000"
ACCOUNT = {"what": "bank", "holder": "Kleinklang", "iban": IBAN, "bic": ""}
FORM = {"what": "tax", "kind": "W-8BEN", "country": "US", "percent": "0", "valid_from": "2026-01-01",
        "valid_to": "2028-12-31"}  # fmt: skip


@pytest.fixture
def payee(label: Party, settings: LazySettings) -> Payee:
    settings.BANK_HOLDER, settings.BANK_IBAN = "Clearsong", "FR7630006000011234567890189"
    found: Payee = shelf.make_letter(shelf.make_holder(label), "Kleinklang").payee
    return found


@pytest.fixture
def owner(bob: User, at_bobs: Client) -> Client:
    """Bob, who has a password and has shown it again just now."""
    bob.set_password("correct horse 7")
    bob.save()
    at_bobs.force_login(bob)
    shown = at_bobs.post("/account/reauthenticate/", {"password": "correct horse 7"})
    assert shown.status_code == 302
    return at_bobs


def path(payee: Payee) -> str:
    return f"/studio/bobs/money/payees/{payee.public_id}/"


def paper(data: bytes = b"%PDF-1.7 form") -> SimpleUploadedFile:
    return SimpleUploadedFile("w8ben.pdf", data)


def test_an_account_is_kept_told_to_the_payee_and_waits(owner: Client, payee: Payee) -> None:
    assert owner.post(path(payee), ACCOUNT).status_code == 302
    change = BankChange.objects.get()
    assert change.usable_from - change.given_at == timedelta(days=7)
    page = owner.get(path(payee)).text
    assert "the money waits" in page
    assert IBAN not in page
    letters.send(Letter.objects.get(kind="bank"), at=timezone.now())
    (letter,) = mail.outbox
    assert letter.to == ["pay@example.org"]
    assert "ending in 3000" in letter.body
    assert IBAN not in letter.body


def test_without_the_password_shown_again_nothing_is_kept(owner: Client, payee: Payee, bob: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(bob)  # signed in, and nothing shown since
    assert "show your password again" in elsewhere.get(path(payee)).text
    answer = elsewhere.post(path(payee), ACCOUNT)
    assert answer["Location"].startswith("/account/reauthenticate/?next=%2Fstudio%2Fbobs")
    assert not BankChange.objects.exists()


def test_the_payee_stops_it_by_the_letters_link_alone(owner: Client, payee: Payee, bob: User) -> None:
    owner.post(path(payee), ACCOUNT)
    link = bank_accounts.address(BankChange.objects.get()).removeprefix("http://localhost:8000")
    link = link[link.index("/payees/") :]
    anybody = Client()
    assert "ends in" in anybody.get(link).text.lower()
    assert "Not taken" in anybody.post(link).text
    assert handed_in.take_due(at=timezone.now() + timedelta(days=30)) == []
    assert anybody.post(link).status_code == 409
    assert anybody.get(link[:-3] + "xyz").status_code == 404
    assert "The payee stopped it" in owner.get(path(payee)).text


def test_after_its_days_the_account_counts_by_itself(owner: Client, payee: Payee) -> None:
    bank_accounts.give(Party.objects.get(slug="bobs"), payee, holder="K", iban=IBAN, bic="",
                       by=User.objects.get(name="Bob"), at=timezone.now() - timedelta(days=8))  # fmt: skip
    tasks.look_after_notices()
    payee.refresh_from_db()
    assert (payee.route, payee.bank.iban) == ("SEPA", IBAN)


def test_only_owners_give_and_only_to_their_own_payees(
    at_eves: Client, at_charlies: Client, owner: Client, payee: Payee
) -> None:
    assert at_eves.get(path(payee)).status_code == 200
    assert at_eves.post(path(payee), ACCOUNT).status_code == 404
    assert at_charlies.get(path(payee)).status_code == 404
    foreign = Payee.objects.create(name="Else", country="DE", currency="EUR")
    assert owner.post(path(foreign), ACCOUNT).status_code == 404
    assert not BankChange.objects.exists()


def test_a_wrong_number_is_said_and_not_repeated_in_the_message(owner: Client, payee: Payee) -> None:
    answer = owner.post(path(payee), ACCOUNT | {"iban": "DE89370400440532013001"})
    assert answer.status_code == 422
    assert "This is no IBAN" in answer.text


def test_where_the_shop_has_no_bank_it_says_so(owner: Client, payee: Payee, settings: LazySettings) -> None:
    settings.BANK_IBAN = ""
    assert "pays through Stripe alone" in owner.get(path(payee)).text
    assert owner.post(path(payee), ACCOUNT).status_code == 422


def test_a_tax_form_is_handed_in_and_only_ever_downloaded(owner: Client, at_charlies: Client, payee: Payee) -> None:
    assert owner.post(path(payee), FORM | {"file": paper()}).status_code == 302
    kept = TaxPaper.objects.get()
    assert "Waits to be read" in owner.get(path(payee)).text
    where = f"{path(payee)}forms/{kept.public_id}"
    file = owner.get(where)
    assert b"".join(file.streaming_content) == b"%PDF-1.7 form"  # type: ignore[attr-defined]
    assert file["Content-Disposition"].startswith('attachment; filename="w-8ben-')
    assert "sandbox" in file["Content-Security-Policy"]
    assert at_charlies.get(where).status_code == 404


def test_a_member_who_is_no_owner_sees_that_a_form_was_handed_in_and_cannot_read_it(
    owner: Client, at_eves: Client, payee: Payee
) -> None:
    owner.post(path(payee), FORM | {"file": paper()})
    where = f"{path(payee)}forms/{TaxPaper.objects.get().public_id}"
    assert where in owner.get(path(payee)).text
    page = at_eves.get(path(payee)).text
    assert "Waits to be read" in page
    assert where not in page
    assert at_eves.get(where).status_code == 404


def test_a_refused_form_says_why(owner: Client, payee: Payee) -> None:
    owner.post(path(payee), FORM | {"file": paper()})
    handed_in.refuse_paper(TaxPaper.objects.get(), reason="It is not signed.", by="user:9", at=timezone.now())
    assert "It is not signed." in owner.get(path(payee)).text


def test_a_program_is_no_form(owner: Client, payee: Payee) -> None:
    answer = owner.post(path(payee), FORM | {"file": paper(b"MZ a program")})
    assert answer.status_code == 422
    assert "PDF, a PNG or a JPEG" in answer.text


def test_on_the_evidence_host_the_file_comes_by_a_signed_address(
    owner: Client, payee: Payee, settings: LazySettings
) -> None:
    owner.post(path(payee), FORM | {"file": paper()})
    settings.EVIDENCE_HOST = "http://evidence.example"
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "evidence.example"]
    where = owner.get(f"{path(payee)}forms/{TaxPaper.objects.get().public_id}")["Location"]
    assert where.startswith("http://evidence.example/tax-forms/")
    answer = Client(headers={"host": "evidence.example"}).get(where.removeprefix("http://evidence.example"))
    assert b"".join(answer.streaming_content) == b"%PDF-1.7 form"  # type: ignore[attr-defined]
