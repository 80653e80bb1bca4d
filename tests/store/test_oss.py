"""The quarterly return: what was sold to each member state, corrections apart, in euros, and the same as the ledger."""

from datetime import UTC, date, datetime
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from payments import accounts, ledger
from store import exchange, invoices, oss
from store.errors import ExchangeRateMissing, RatesRefused, ReturnRefused
from store.exchange import Quarter
from store.models import ExchangeRate, Order, VatCheck
from store.oss import Correction, Elsewhere, Row
from tests.factories.invoices import give_back, settle
from tests.factories.store import make_decision, make_offer, make_order, make_release, make_user

Q3, Q4 = Quarter(2026, 3), Quarter(2026, 4)
AUGUST, OCTOBER = datetime(2026, 8, 5, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _seller(settings: Any) -> None:
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"


@pytest.fixture
def offer(db: None) -> Any:
    """Something that is sold everywhere these tests look."""
    track = make_release(tracks=1).tracks.get()
    everywhere = ("DE", "FR", "GR", "AT", "GB", "MC", "US", "SE")
    return make_offer(track, decision=make_decision(track.recording, everywhere))


def sell(offer: Any, country: str, rate: int, tax: int, *, at: datetime = OCTOBER, **over: Any) -> Order:
    order = make_order(offer, country=country, tax_minor=tax, line={"tax_rate": rate, "tax_minor": tax}, **over)
    return settle(order, at=at)


def returned(quarter: Quarter = Q4) -> oss.Return:
    invoices.write(at=timezone.now())
    return oss.report(quarter)


def test_sales_are_added_up_by_member_state_and_rate(offer: Any) -> None:
    for country, rate, tax in (("DE", 1900, 16), ("DE", 1900, 16), ("FR", 2000, 17), ("GR", 2400, 19)):
        sell(offer, country, rate, tax)
    found = returned()
    assert found.rows == (Row("DE", 1900, 168, 32), Row("EL", 2400, 81, 19), Row("FR", 2000, 83, 17))
    assert (found.to_pay, found.is_whole) == (68, True)


def test_monaco_is_returned_as_france(offer: Any) -> None:
    sell(offer, "MC", 2000, 17)
    sell(offer, "FR", 2000, 17)
    assert returned().rows == (Row("FR", 2000, 166, 34),)


def test_home_and_what_lies_outside_the_union_is_for_other_returns(offer: Any) -> None:
    for country, rate, tax in (("AT", 2000, 17), ("GB", 2000, 17), ("US", 0, 0)):
        sell(offer, country, rate, tax)
    found = returned()
    assert found.rows == ()
    assert found.elsewhere == (
        Elsewhere("AT", "EUR", 2000, 830_000, 170_000),
        Elsewhere("GB", "EUR", 2000, 830_000, 170_000),
        Elsewhere("US", "EUR", 0, 1_000_000, 0),
    )


def test_a_reverse_charge_is_not_returned(offer: Any) -> None:
    alice = make_user()
    check = VatCheck.objects.create(buyer=alice, country="DE", vat_id="DE136695976", state="VALID", asked_at=OCTOBER)
    sell(offer, "DE", 0, 0, buyer=alice, vat_check=check, reverse_charge=True)
    assert returned().rows == ()


def test_what_goes_back_within_the_quarter_lessens_it(offer: Any) -> None:
    sell(offer, "DE", 1900, 16)
    give_back(sell(offer, "DE", 1900, 16).lines.get(), 100, 160_000, at=OCTOBER)
    assert returned().rows == (Row("DE", 1900, 84, 16),)


def test_what_goes_back_later_corrects_the_quarter_of_its_sale(offer: Any) -> None:
    order = sell(offer, "DE", 1900, 16, at=AUGUST)
    sell(offer, "FR", 2000, 17)
    give_back(order.lines.get(), 50, 80_000, at=OCTOBER)
    found = returned()
    assert found.rows == (Row("FR", 2000, 83, 17),)
    assert found.corrections == (Correction("DE", Q3, -8),)
    assert found.balances == {"DE": -8, "FR": 17}
    assert found.to_pay == 17  # what Germany owes back is not set against what France is owed
    assert returned(Q3).rows == (Row("DE", 1900, 84, 16),)


def test_a_quarter_begins_and_ends_at_midnight(offer: Any) -> None:
    sell(offer, "DE", 1900, 16, at=datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=UTC))
    sell(offer, "FR", 2000, 17, at=datetime(2026, 10, 1, tzinfo=UTC))
    assert [row.country for row in returned(Q3).rows] == ["DE"]
    assert [row.country for row in returned(Q4).rows] == ["FR"]


# -- The books ---------------------------------------------------------------------------------------------------------


def test_there_is_no_return_while_a_paper_waits(offer: Any) -> None:
    sell(offer, "DE", 1900, 16)
    found = oss.report(Q4)
    assert (found.waiting, found.is_whole) == (1, False)
    with pytest.raises(ReturnRefused, match="still to be written"):
        oss.lines(found)


def test_a_tax_account_that_says_otherwise_is_named_and_stops_the_return(offer: Any) -> None:
    sell(offer, "DE", 1900, 16)
    assert returned().is_whole  # the control
    with transaction.atomic():
        legs = [
            ledger.debit(accounts.commission("EUR"), 1),
            ledger.credit(accounts.tax("DE", "EUR"), 1),
        ]
        ledger.post("by hand", kind="CORRECTION", legs=legs, at=OCTOBER)
    found = oss.report(Q4)
    assert found.differences == (oss.Difference("DE", "EUR", 160_000, 160_001),)
    with pytest.raises(ReturnRefused, match="DE EUR"):
        oss.lines(found)


def test_the_papers_sum_to_the_ledgers_tax_accounts(offer: Any) -> None:
    for number in range(6):
        order = sell(offer, ("DE", "FR")[number % 2], 1900, 16)
        if number % 3 == 0:
            give_back(order.lines.get(), 33, 52_800, at=OCTOBER)
    found = returned()
    assert found.is_whole
    assert oss.ledger_tax(Q4) == {("DE", "EUR"): 427_200, ("FR", "EUR"): 427_200}
    assert [(row.country, row.tax) for row in found.rows] == [("DE", 43), ("FR", 43)]


def test_a_return_asks_as_much_for_many_as_for_few(offer: Any, django_assert_num_queries: Any) -> None:
    for country in ("DE", "FR", "SE"):
        sell(offer, country, 2000, 17)
    invoices.write(at=timezone.now())
    with django_assert_num_queries(3):
        oss.report(Q4)


# -- Exchange ----------------------------------------------------------------------------------------------------------

ECB = """Date,USD,SEK,ISK,RON,
2027-01-04,1.18,11.20,N/A,5.1,
2026-12-31,1.1734,11.0525,N/A,N/A,
2026-11-17,9.9999,9.9999,N/A,N/A,
2026-10-01,1.2,10.9,N/A,5.0,
2026-09-30,N/A,10.8,N/A,N/A,
"""


@pytest.mark.django_db
def test_the_rates_around_the_ends_of_quarters_are_kept_once() -> None:
    assert exchange.bring(ECB, source="hist", at=OCTOBER) == 9
    assert exchange.bring(ECB, source="hist", at=OCTOBER) == 0
    assert not ExchangeRate.objects.filter(day=date(2026, 11, 17)).exists()
    assert exchange.per_euro("SEK", quarter=Q4) == Fraction("11.0525")
    assert exchange.per_euro("RON", quarter=Q4) == Fraction("5.1")  # the next day that was published
    assert exchange.per_euro("EUR", quarter=Q4) == 1
    with pytest.raises(ExchangeRateMissing, match="ISK on 2026-12-31"):
        exchange.per_euro("ISK", quarter=Q4)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Day,USD\n2026-12-31,1\n", "must be Date"),
        ("Date,USD\n31.12.2026,1\n", "Line 2"),
        ("Date,USD\n2026-12-31,1e3\n", "no rate of USD"),
        ("Date,USD\n2026-12-31,-1\n", "no rate of USD"),
        ("Date,USD\n2026-12-31,0\n", "no rate of USD"),
        ("Date,USD\n2026-12-31,NaN\n", "no rate of USD"),
        ("Date,USD,SEK\n2026-12-31,1.2,11.0526\n", "another rate"),
        ("", "must be Date"),
    ],
)
def test_a_table_that_is_none_or_says_otherwise_is_refused_whole(text: str, why: str) -> None:
    exchange.bring("Date,SEK\n2026-12-31,11.0525\n", source="hist", at=OCTOBER)
    with pytest.raises(RatesRefused, match=why):
        exchange.bring(text, source="hist", at=OCTOBER)
    assert ExchangeRate.objects.count() == 1


def test_other_currencies_are_returned_in_euros_of_the_last_day(db: None) -> None:
    track = make_release(tracks=1).tracks.get()
    crowns = make_offer(track, decision=make_decision(track.recording, ("SE",)), currency="SEK", amount_minor=10_000)
    amounts = {"currency": "SEK", "total_minor": 10_000}
    for at, tax in ((AUGUST, 2000), (OCTOBER, 2000), (OCTOBER, 2000)):
        sell(crowns, "SE", 2500, tax, at=at, **amounts)
    give_back(Order.objects.order_by("pk")[0].lines.get(), 10_000, 20_000_000, at=OCTOBER)
    invoices.write(at=timezone.now())
    with pytest.raises(ExchangeRateMissing):
        oss.report(Q4)
    exchange.bring(ECB, source="hist", at=OCTOBER)
    found = oss.report(Q4)
    assert found.rows == (Row("SE", 2500, 1448, 362),)  # 160 crowns at 11.0525
    assert found.corrections == (Correction("SE", Q3, -185),)  # 20 crowns at 10.8, the rate of that quarter


# -- The command -------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_return(offer: Any, tmp_path: Path) -> None:
    sell(offer, "DE", 1900, 16)
    order = sell(offer, "FR", 2000, 17, at=AUGUST)
    give_back(order.lines.get(), 100, 170_000, at=OCTOBER)
    invoices.write(at=timezone.now())
    out = StringIO()
    call_command("oss", "2026Q4", "--so-far", stdout=out)
    assert out.getvalue().splitlines() == [
        "section,country,rate_percent,corrected_period,taxable_base_eur,vat_eur",
        "SALE,DE,19,,0.84,0.16",
        "CORRECTION,FR,,2026Q3,,-0.17",
        "BALANCE,DE,,,,0.16",
        "BALANCE,FR,,,,-0.17",
        "TO_PAY,,,,,0.16",
    ]
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text(ECB)
    out = StringIO()
    call_command("oss", "rates", file, stdout=out)
    assert out.getvalue() == "9 new rates are kept.\n"


@pytest.mark.django_db
@pytest.mark.parametrize("asked", [["2026Q5"], ["2026-4"], ["2099Q1"], ["rates"], ["rates", "/nowhere.csv"]])
def test_the_command_says_what_is_wrong(asked: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("oss", *asked)


@pytest.mark.parametrize(
    ("quarter", "after", "last"),
    [("2026Q4", "2027Q1", date(2026, 12, 31)), ("2026Q1", "2026Q2", date(2026, 3, 31))],
)
def test_quarters_follow_each_other(quarter: str, after: str, last: date) -> None:
    found = Quarter.parse(quarter)
    assert (str(found), str(found.next), found.last_day) == (quarter, after, last)
    assert found.next.previous == found
    assert Quarter.of(found.begins) == found
    assert Quarter.of(found.ends) == found.next


def test_rates_are_never_changed(db: None) -> None:
    exchange.bring("Date,SEK\n2026-12-31,11.0525\n", source="hist", at=OCTOBER)
    with pytest.raises(Exception, match="never changed"), connection.cursor() as cursor:
        cursor.execute("UPDATE store_exchangerate SET per_euro = 1")
