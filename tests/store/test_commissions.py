"""The store's commission: its own percentage, or a contract's, dated and kept."""

from datetime import date
from fractions import Fraction
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from store import commissions, pricing
from store.errors import ContractRefused
from store.models import CommissionContract
from tests.factories import shelf
from tests.factories.catalog import make_label

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)
TENTH = Fraction(1, 10)


@pytest.fixture
def label():
    return make_label()


def agree(label, share=TENTH, starts_on=DAY, **over):
    return commissions.agree(label, share=share, starts_on=starts_on, agreement="A-7", actor="user:1", **over)


def test_without_a_contract_the_store_keeps_its_own_percentage(label):
    assert commissions.in_force([label.pk], on=DAY) == {label.pk: Fraction(15, 100)}


def test_a_contract_holds_from_its_day_for_its_label_alone(label):
    agree(label)
    other = make_label("Other")
    assert commissions.in_force([label.pk], on=date(2025, 12, 31))[label.pk] == Fraction(15, 100)
    assert commissions.in_force([label.pk, other.pk], on=DAY) == {label.pk: TENTH, other.pk: Fraction(15, 100)}


def test_a_contract_is_ended_and_followed(label):
    old = agree(label)
    commissions.end(old, until=date(2027, 1, 1))
    agree(label, Fraction(1, 8), date(2027, 1, 1))
    assert commissions.in_force([label.pk], on=date(2026, 12, 31))[label.pk] == TENTH
    assert commissions.in_force([label.pk], on=date(2027, 1, 1))[label.pk] == Fraction(1, 8)
    with pytest.raises(ContractRefused):
        commissions.end(CommissionContract.objects.get(pk=old.pk), until=date(2028, 1, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": Fraction(-1, 10)},
        {"share": Fraction(11, 10)},
        {"share": Fraction(91, 100)},
        {"until": date(2025, 1, 1)},
    ],
)
def test_what_is_no_contract_is_refused(label, wrong):
    with pytest.raises(ContractRefused):
        agree(label, **wrong)


def test_two_contracts_never_hold_on_one_day(label):
    agree(label, starts_on=date(2027, 1, 1))
    with pytest.raises(ContractRefused):
        agree(label)
    agree(label, until=date(2027, 1, 1))


def test_without_its_guard_two_contracts_hold_on_one_day(label):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_commissioncontract DISABLE TRIGGER store_commission_alone")
    agree(label)
    agree(label)


@pytest.mark.parametrize("change", [{"share_numerator": 0}, {"agreement": "B-8"}, {"starts_on": date(2025, 1, 1)}])
def test_the_database_refuses_to_edit_a_contract(label, change):
    agree(label)
    with pytest.raises(IntegrityError), transaction.atomic():
        CommissionContract.objects.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        CommissionContract.objects.all().delete()


def test_a_price_is_split_by_the_contract_of_the_label():
    release = shelf.shelve()
    agree(release.label)
    priced = pricing.price(shelf.whole(release), country="US", at=shelf.NOW)
    assert sum(leg.micros for leg in priced.split.legs if leg.kind == "COMMISSION") == 160_000


def command(*words):
    out = StringIO()
    call_command("contracts", *words, stdout=out)
    return out.getvalue()


def test_an_operator_records_and_ends_a_contract_by_command(label):
    command("agree", label.slug, "12.5", "--from", "2026-01-01", "--agreement", "A-7", "--by", "user:1")
    assert commissions.in_force([label.pk], on=DAY) == {label.pk: Fraction(1, 8)}
    row = CommissionContract.objects.get()
    command("end", str(row.pk), "--until", "2027-01-01")
    assert f"{row.pk} {label}: 12.5% from 2026-01-01 until 2027-01-01, by A-7" in command("list")


@pytest.mark.parametrize("percent", ["101", "x", "NaN", "Infinity", "-1"])
def test_the_command_refuses_what_is_no_commission(label, percent):
    with pytest.raises(CommandError):
        command("agree", label.slug, "--from", "2026-01-01", "--agreement", "A", "--by", "user:1", "--", percent)
    with pytest.raises(CommandError):
        command("agree", "nobody", "10", "--from", "2026-01-01", "--agreement", "A", "--by", "user:1")
