"""Codes, contracts and rate cards on the finance desk: made, listed, ended, with the names of those who did it."""

from datetime import timedelta

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Party
from licensing.models import Rate
from store import codes
from store.models import Code, CommissionContract
from tests.factories import catalog
from tests.factories.store import make_user, sign_in

pytestmark = pytest.mark.django_db
TODAY = timezone.now().date()
CODE = {"text": "SPRING-26", "act": "PERCENT", "value": "10", "currency": "EUR", "count": "1", "max_uses": "5"}
CONTRACT = {"label": "harbour", "percent": "12.5", "starts_on": f"{TODAY}", "agreement": "A-7"}
RATE = {"tariff": "HOUSE", "countries": "DE at", "use": "PERMANENT_DOWNLOAD", "method": "GREATER_OF_WITH_MIN",
        "percent": "9", "base": "NET", "minimum": "0,09", "currency": "EUR", "tracks_from": "1",
        "valid_from": f"{TODAY}", "source": "our own card"}  # fmt: skip


@pytest.fixture
def fay() -> Client:
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def label() -> Party:
    return catalog.make_label("Harbour Records", slug="harbour")


def house() -> QuerySet[Rate]:
    """Rows of the shop's own card; a new store knows some of statutes' as well."""
    return Rate.objects.filter(tariff="HOUSE")


@pytest.mark.parametrize("page", ["codes", "contracts", "rates"])
def test_for_anybody_else_there_is_no_such_desk(page: str) -> None:
    for other in (make_user("Alice"), make_user("Ada", is_staff=True)):
        assert sign_in(other).post(f"/finance/{page}/", CODE).status_code == 404
    assert sign_in(make_user("Fay", is_finance=True), second_factor=False).get(f"/finance/{page}/").status_code == 302


def test_a_code_of_the_shop_is_made_listed_and_ended_by_name(fay: Client, label: Party) -> None:
    assert fay.post("/finance/codes/", CODE | {"label": "https://shop.example/label/harbour"}).status_code == 302
    code = Code.objects.get()
    assert (code.bearer, code.label, code.percent, code.max_uses) == ("SHOP", label, 10, 5)
    fay.post(f"/finance/codes/{code.pk}/end/")
    page = fay.get("/finance/codes/").text
    assert "Ended" in page
    assert page.count("Fay") >= 2  # made by, and ended by
    assert "SPRING-26" in fay.get("/finance/codes/codes.csv").text


def test_a_code_that_cannot_be_says_why_and_is_not_made(fay: Client) -> None:
    for wrong, why in (({"value": "0"}, "1 to 100 per cent"), ({"label": "nobody"}, "no such label")):
        answer = fay.post("/finance/codes/", CODE | wrong)
        assert answer.status_code == 422
        assert why in answer.text
    assert not Code.objects.exists()


def test_labels_own_codes_are_seen_and_not_ended_here(fay: Client, label: Party) -> None:
    terms = codes.Terms(10, None, timezone.now())
    (code,) = codes.make(terms, label=label, bearer="LABEL", actor="user:1", at=timezone.now(), text="OURS")
    assert "OURS" not in fay.get("/finance/codes/").text
    assert "OURS" in fay.get("/finance/codes/?of=labels").text
    assert fay.post(f"/finance/codes/{code.pk}/end/").status_code == 404


def test_a_contract_is_recorded_and_ended_and_both_names_stay(fay: Client, label: Party) -> None:
    assert fay.post("/finance/contracts/", CONTRACT).status_code == 302
    contract = CommissionContract.objects.get()
    again = fay.post("/finance/contracts/", CONTRACT)
    assert again.status_code == 422
    assert "End the earlier first" in again.text
    fay.post(f"/finance/contracts/{contract.pk}/end/", {"until": f"{TODAY - timedelta(days=1)}"})
    assert CommissionContract.objects.get().until is None
    fay.post(f"/finance/contracts/{contract.pk}/end/", {"until": f"{TODAY + timedelta(days=30)}"})
    page = fay.get("/finance/contracts/").text
    assert "12.5%" in page
    assert "ended by Fay" in page


def test_rates_are_recorded_by_one_and_verified_by_another(fay: Client) -> None:
    assert fay.post("/finance/rates/", RATE).status_code == 302
    assert sorted(house().values_list("territory", "minimum_micros")) == [("AT", 90_000), ("DE", 90_000)]
    rate = house().get(territory="DE")
    fay.post(f"/finance/rates/{rate.pk}/verify/", {"note": "the card"})
    assert not rate.verifications.exists()  # she recorded it herself
    greg = sign_in(make_user("Greg", is_finance=True))
    greg.post(f"/finance/rates/{rate.pk}/verify/", {"note": ""})
    assert not rate.verifications.exists()
    greg.post(f"/finance/rates/{rate.pk}/verify/", {"note": "the card, page 2"})
    assert "by Greg: the card, page 2" in fay.get("/finance/rates/?tariff=HOUSE").text


def test_the_same_rates_twice_are_once_and_others_for_the_same_day_are_refused(fay: Client) -> None:
    fay.post("/finance/rates/", RATE)
    assert fay.post("/finance/rates/", RATE).status_code == 302
    other = fay.post("/finance/rates/", RATE | {"percent": "10"})
    assert other.status_code == 422
    assert "never changed" in other.text
    assert house().count() == 2


@pytest.mark.parametrize("wrong", [{"percent": "9e1"}, {"countries": "XX"}, {"source": ""}, {"valid_to": "2020-01-01"}])
def test_what_is_no_rate_is_refused(fay: Client, wrong: dict[str, str]) -> None:
    assert fay.post("/finance/rates/", RATE | wrong).status_code == 422
    assert not house().exists()


@pytest.mark.parametrize(("page", "most"), [("codes", 14), ("contracts", 14), ("rates", 15)])
def test_longer_lists_cost_no_more_statements(
    fay: Client, page: str, most: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        catalog.make_label(f"Label {number}", slug=f"l{number}")
        fay.post("/finance/codes/", CODE | {"text": f"CODE-{number}", "label": f"l{number}"})
        fay.post("/finance/contracts/", CONTRACT | {"label": f"l{number}"})
        fay.post("/finance/rates/", RATE | {"tariff": f"CARD-{number}"})
    with django_assert_max_num_queries(most):
        assert fay.get(f"/finance/{page}/").status_code == 200
