"""Businesses that buy: only a number that VIES calls valid takes the tax away, and the answer is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from store import businesses
from store.errors import VatIdRefused
from store.models import Order, VatCheck
from tests.factories.store import make_user, order_fields
from tests.fakes import ViesFake, vies_fake  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
GERMAN, AUSTRIAN, GREEK = "DE136695976", "ATU13585627", "EL094259216"


def check(**over: Any) -> VatCheck:
    asked: dict[str, Any] = {
        "vat_id": GERMAN,
        "country": "DE",
        "company": "Plattenladen",
        "address": "Weg 1\nBerlin",
        "at": NOW,
    }
    return businesses.check(over.pop("buyer", None) or make_user(), **asked | over)


def test_the_answer_is_kept_with_its_consultation_number(vies_fake: ViesFake) -> None:  # noqa: F811
    found = check(vat_id="de 136 695 976")
    assert (found.vat_id, found.state, found.registered_name) == (GERMAN, "VALID", "Plattenladen GmbH")
    assert (found.consultation, found.registered_address, found.asked_at) == ("WAPIAAAA1", "", NOW)
    assert vies_fake.asked == [
        {
            "countryCode": "DE",
            "vatNumber": "136695976",
            "requesterMemberStateCode": "AT",
            "requesterNumber": "U13585627",
        }
    ]
    assert businesses.reverses(found)


def test_a_greek_number_has_another_prefix_than_its_country(vies_fake: ViesFake) -> None:  # noqa: F811
    vies_fake.known[GREEK] = "Δίσκοι ΑΕ"
    assert check(vat_id=GREEK, country="GR").vat_id == GREEK


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("DE136695977", "DE"),
        ("", "DE"),
        ("136695976", "FR"),
        (GERMAN, "FR"),
        (GERMAN, "US"),
        ("１３６６９５９７６", "DE"),
    ],
)
def test_a_number_without_its_form_is_refused_and_nobody_is_asked(
    vies_fake: ViesFake,  # noqa: F811
    number: str,
    country: str,
) -> None:
    with pytest.raises(VatIdRefused):
        check(vat_id=number, country=country)
    assert (vies_fake.asked, VatCheck.objects.count()) == ([], 0)


def test_a_number_that_vies_does_not_know_is_refused_and_the_answer_kept(vies_fake: ViesFake) -> None:  # noqa: F811
    vies_fake.known.clear()
    with pytest.raises(VatIdRefused, match="not valid"):
        check()
    assert not businesses.reverses(VatCheck.objects.get(state="INVALID"))


@pytest.mark.parametrize("failure", ["MS_UNAVAILABLE", "GLOBAL_MAX_CONCURRENT_REQ", "SOMETHING_NEW", "silent", "gone"])
def test_no_answer_never_takes_the_tax_away(vies_fake: ViesFake, settings: Any, failure: str) -> None:  # noqa: F811
    vies_fake.silent = failure == "silent"
    vies_fake.down = failure
    if failure == "gone":
        settings.VIES_URL = "http://127.0.0.1:9"
    found = check()
    assert found.state == "UNANSWERED"
    assert not businesses.reverses(found)
    settings.VIES_UNANSWERED = "refuse"
    with pytest.raises(VatIdRefused, match="does not answer"):
        check()


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "yes",
        {"valid": "true"},
        {"valid": 1},
        {"valid": True},
        {"valid": True, "countryCode": "FR", "vatNumber": "1"},
    ],
)
def test_an_answer_in_another_form_is_none(vies_fake: ViesFake, monkeypatch: Any, answer: Any) -> None:  # noqa: F811
    monkeypatch.setattr(vies_fake, "answer", lambda _body: answer)
    assert check().state == "UNANSWERED"


def test_a_business_of_the_shops_own_country_pays_the_tax(vies_fake: ViesFake) -> None:  # noqa: F811
    vies_fake.known[AUSTRIAN] = "Musik GmbH"
    assert not businesses.reverses(check(vat_id=AUSTRIAN, country="AT"))


def test_a_shop_without_a_number_of_its_own_sells_with_tax_only(vies_fake: ViesFake, settings: Any) -> None:  # noqa: F811
    settings.SELLER_VAT_ID = ""
    with pytest.raises(VatIdRefused):
        check()
    assert not vies_fake.asked


def test_a_check_holds_for_a_day_its_buyer_and_its_country(vies_fake: ViesFake) -> None:  # noqa: F811
    alice = make_user()
    found = check(buyer=alice)
    assert businesses.holds(found, buyer=alice, country="DE", at=NOW + timedelta(hours=23))
    assert not businesses.holds(found, buyer=alice, country="DE", at=NOW + timedelta(days=1))
    assert not businesses.holds(found, buyer=alice, country="FR", at=NOW)
    assert not businesses.holds(found, buyer=make_user(), country="DE", at=NOW)


def test_nobody_asks_without_end(vies_fake: ViesFake) -> None:  # noqa: F811
    alice = make_user()
    for _ in range(businesses.MOST_AN_HOUR):
        check(buyer=alice)
    with pytest.raises(VatIdRefused, match="in an hour"):
        check(buyer=alice)


@pytest.mark.parametrize("wrong", ["INVALID", "UNANSWERED", "country", "buyer"])
def test_the_database_takes_the_tax_away_for_a_valid_number_of_that_buyer_alone(
    vies_fake: ViesFake,  # noqa: F811
    wrong: str,
) -> None:
    alice = make_user()
    checked = check(buyer=alice)
    untaxed = {"tax_minor": 0, "total_minor": 0, "reverse_charge": True}
    Order.objects.create(**order_fields(alice, vat_check=checked, **untaxed))  # the control
    if wrong in {"INVALID", "UNANSWERED"}:
        fields = {"buyer": alice, "country": "DE", "vat_id": GERMAN, "asked_at": NOW, "state": wrong}
        checked = VatCheck.objects.create(**fields)
    country = "FR" if wrong == "country" else "DE"
    buyer = make_user() if wrong == "buyer" else alice
    with pytest.raises(IntegrityError, match="no valid VAT number"), transaction.atomic():
        Order.objects.create(**order_fields(buyer, country=country, vat_check=checked, **untaxed))


def test_answers_are_never_changed(vies_fake: ViesFake) -> None:  # noqa: F811
    found = check()
    with pytest.raises(IntegrityError), transaction.atomic():
        VatCheck.objects.filter(pk=found.pk).update(state="INVALID")
    with pytest.raises(IntegrityError), transaction.atomic():
        found.delete()
