"""What a label asks: lists, prices above them, many at once, and tables; and what the database refuses."""

from decimal import Decimal

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from catalog.models import Party, Release
from payments.money import Currency, Money, currencies
from store import price_tables, prices
from store.errors import AmountRefused
from store.models import ListPrice, Price, ReviewDue
from store.price_tables import TableRefused
from store.prices import Asked, Kind
from tests.factories import catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def release() -> Release:
    label = catalog.make_label("Bob's Records")
    found = catalog.make_release("First Light", label=label)
    for number in (1, 2):
        catalog.make_track(found, catalog.make_recording(f"Piece {number}", label=label), number=number)
    return found


def asked(minor: int | None, code: str = "EUR", *, or_more: bool = False) -> Asked:
    return Asked(None if minor is None else Money.of(minor, code), or_more)


def listed(label: Party, kind: str, minor: int | None, code: str = "EUR", *, or_more: bool = False) -> None:
    said = asked(minor, code, or_more=or_more)
    prices.set_list(label, kind=kind, currency=code, asked=said, actor="user:bob")


def own(thing: object, minor: int | None, code: str = "EUR") -> None:
    prices.set_one(thing, currency=code, asked=asked(minor, code), actor="user:bob")  # type: ignore[arg-type]


def amounts(code: str = "EUR") -> list[tuple[int, bool]]:
    return sorted(Price.objects.filter(currency=code).values_list("amount_minor", "by_list"))


def test_a_list_counts_for_all_that_has_no_price_of_its_own(release: Release) -> None:
    own(release.recordings.earliest("pk"), 150)
    listed(release.label, Kind.TRACK, 100)
    assert amounts() == [(100, True), (150, False)]


def test_a_list_counts_for_what_joins_later(release: Release) -> None:
    listed(release.label, Kind.TRACK, 100)
    listed(release.label, Kind.RELEASE, 800, or_more=True)
    catalog.make_recording("New", label=release.label)
    later = catalog.make_release("Harbour", label=release.label)
    assert Price.objects.filter(recording__title="New").get().amount_minor == 100
    price = Price.objects.get(release=later)
    assert (price.amount_minor, price.or_more, price.by_list) == (800, True, True)


def test_a_strangers_list_counts_for_nothing_of_ours(release: Release) -> None:
    listed(catalog.make_label("Charlie's"), Kind.TRACK, 100)
    assert amounts() == []


def test_a_changed_list_moves_what_follows_it_and_marks_nothing_else(release: Release) -> None:
    first = release.recordings.earliest("pk")
    listed(release.label, Kind.TRACK, 100)
    own(first, 150)
    ReviewDue.objects.all().delete()
    listed(release.label, Kind.TRACK, 120)
    assert amounts() == [(120, True), (150, False)]
    assert first.pk not in set(ReviewDue.objects.values_list("recording", flat=True))


def test_an_ended_list_takes_its_prices_along_and_leaves_the_others(release: Release) -> None:
    listed(release.label, Kind.TRACK, 100)
    own(release.recordings.earliest("pk"), 150)
    listed(release.label, Kind.TRACK, None)
    assert amounts() == [(150, False)]


def test_without_a_price_of_its_own_a_thing_follows_the_list_again(release: Release) -> None:
    own(release, 900)
    listed(release.label, Kind.RELEASE, 800)
    own(release, None)
    assert amounts() == [(800, True)]


def test_raising_moves_list_and_single_prices_and_leaves_the_free_free(release: Release) -> None:
    first, second = release.recordings.order_by("pk")
    listed(release.label, Kind.TRACK, 100)
    own(first, 199)
    own(second, 0)
    prices.change(release.label, kinds=[Kind.TRACK], currency="EUR", value=Decimal(10), actor="user:bob")
    assert ListPrice.objects.get().amount_minor == 110
    assert amounts() == [(0, False), (219, False)]


def test_copying_takes_the_labels_own_rate(release: Release) -> None:
    listed(release.label, Kind.TRACK, 100)
    own(release, 800)
    said = {"kinds": list(Kind), "currency": "JPY", "source": "EUR", "value": Decimal("163.5"), "actor": "user:bob"}
    assert prices.change(release.label, **said) == 2  # type: ignore[arg-type]
    assert amounts("JPY") == [(164, True), (164, True), (1308, False)]
    assert amounts("EUR") == [(100, True), (100, True), (800, False)]


@pytest.mark.parametrize(("code", "minor"), [("ISK", 16_400), ("KWD", 160), ("HUF", 16_350), ("USD", 164)])
def test_a_copied_price_is_one_that_its_currency_can_be_paid_in(code: str, minor: int) -> None:
    rate = {"ISK": "163.5", "KWD": "0.1635", "HUF": "163.5", "USD": "1.635"}[code]

    assert prices.at_rate(Money.of(100, "EUR"), Decimal(rate), Currency(code)).minor == minor


def test_where_one_new_price_could_not_be_paid_none_is_changed(release: Release) -> None:
    own(release, 900)
    own(release.recordings.earliest("pk"), 51)
    with pytest.raises(AmountRefused):
        prices.change(release.label, kinds=list(Kind), currency="EUR", value=Decimal(-50), actor="user:bob")
    assert amounts() == [(51, False), (900, False)]


@pytest.mark.parametrize("minor", [1, 49, 10**8])
def test_what_no_card_can_pay_alone_is_no_price(release: Release, minor: int) -> None:
    with pytest.raises(AmountRefused, match="A payment in EUR"):
        own(release, minor)


# -- By SQL ------------------------------------------------------------------------------------------------------------


def price_by_sql(release: Release, code: str, amount: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO store_price (release_id, currency, amount_minor, set_by, set_at)
            VALUES ({release.pk}, '{code}', {amount}, '', now())"""  # noqa: S608 - a test's own words
        )


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "'NaN'",
        "'sNaN'",
        "'Infinity'",
        "'-Infinity'",
        "1e400",
        "9" * 40,
        "'1E+2'",
        "'１２'",
        "'٣'",
        "'0.99'",
        "10^12",
    ],
)  # fmt: skip
def test_the_database_takes_no_amount_that_is_none(release: Release, amount: str) -> None:
    with pytest.raises((IntegrityError, DataError)):
        price_by_sql(release, "EUR", amount)


@pytest.mark.parametrize("code", ["XYZ", "eur", "EU", "XAU"])
def test_the_database_takes_no_currency_that_cannot_be_charged(release: Release, code: str) -> None:
    with pytest.raises(IntegrityError):
        price_by_sql(release, code, "100")


@pytest.mark.parametrize(("code", "amount"), [("ISK", "150"), ("UGX", "199"), ("KWD", "105"), ("TND", "1")])
def test_the_database_takes_no_parts_that_a_currency_cannot_be_paid_in(
    release: Release, code: str, amount: str
) -> None:
    with pytest.raises(IntegrityError, match="price_chargeable"):
        price_by_sql(release, code, amount)


def test_it_is_the_constraint_that_refuses_it(release: Release) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE store_price DROP CONSTRAINT price_chargeable")
    price_by_sql(release, "ISK", "150")
    assert Price.objects.get().amount_minor == 150


def test_every_currency_can_be_asked_in(release: Release) -> None:
    Price.objects.bulk_create(Price(release=release, currency=code, amount_minor=10_000) for code in currencies())
    assert Price.objects.count() == len(currencies())


# -- Tables ------------------------------------------------------------------------------------------------------------


def table(*lines: str) -> bytes:
    return "\n".join(["kind,id,code,title,price,or_more", *lines]).encode()


def test_a_table_that_was_downloaded_changes_nothing_when_it_comes_back(release: Release) -> None:
    own(release, 900)
    listed(release.label, Kind.TRACK, 100)
    written = "\n".join(",".join(cells) for cells in price_tables.rows(release.label, "EUR")).encode()
    assert price_tables.take(release.label, "EUR", written, actor="user:bob") == 3
    assert amounts() == [(100, True), (100, True), (900, False)]


def test_a_table_sets_and_takes_away(release: Release) -> None:
    track = release.recordings.earliest("pk")
    own(track, 150)
    lines = table(f"release,{release.public_id},,x,8.50,yes", f"track,{track.public_id},,x,,")
    price_tables.take(release.label, "EUR", lines, actor="user:bob")
    price = Price.objects.get()
    assert (price.release, price.amount_minor, price.or_more) == (release, 850, True)


@pytest.mark.parametrize(
    "price",
    [
        "-1",
        "NaN",
        "sNaN",
        "Infinity",
        "1e400",
        "9" * 40,
        "1E+2",
        "１２",
        "٣",
        "1_000",
        "0x10",
        "0.49",
        "1.001",
        "1 000",
        "1.234.5",
    ],
)  # fmt: skip
def test_a_table_with_one_amount_that_is_none_is_refused_whole(release: Release, price: str) -> None:
    track = release.recordings.earliest("pk")
    lines = table(f"track,{track.public_id},,x,1.50,", f"release,{release.public_id},,x,{price},")
    with pytest.raises(TableRefused) as refused:
        price_tables.take(release.label, "EUR", lines, actor="user:bob")
    assert [fault.line for fault in refused.value.faults] == [3]
    assert amounts() == []


def test_a_strangers_release_in_a_table_is_refused(release: Release) -> None:
    other = catalog.make_release("Harbour", label=catalog.make_label("Charlie's"))
    with pytest.raises(TableRefused) as refused:
        price_tables.take(release.label, "EUR", table(f"release,{other.public_id},,x,1.50,"), actor="user:bob")
    assert "no such release" in refused.value.faults[0].message


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2", b"\xff\xfe", b"kind,id\nrelease,1"])
def test_what_is_no_such_table_is_refused(release: Release, data: bytes) -> None:
    with pytest.raises(TableRefused):
        price_tables.take(release.label, "EUR", data, actor="user:bob")


def test_what_a_spreadsheet_would_reckon_with_is_written_as_text(release: Release) -> None:
    Release.objects.filter(pk=release.pk).update(title="=1+1")
    rows = list(price_tables.rows(release.label, "EUR"))
    assert rows[1][3] == "'=1+1"
