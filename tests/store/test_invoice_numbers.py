"""Numbers without a gap or a double, whatever is aborted and whoever writes, and papers that stay as they are."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from store import invoices
from store.models import Invoice, InvoiceSeries, Order
from tests.factories.invoices import NOW, settle
from tests.factories.store import make_offer, make_order, make_user


@pytest.fixture(autouse=True)
def _seller(settings: Any) -> None:
    settings.SELLER_NAME, settings.SELLER_ADDRESS, settings.SELLER_COUNTRY = "Bob's Shop", ["Gasse 2"], "AT"


@pytest.fixture
def paper() -> Invoice:
    settle(make_order())
    invoices.write(at=NOW)
    return Invoice.objects.get()


def again(paper: Invoice, **over: Any) -> Invoice:
    """Another order's invoice, as raw rows."""
    fields = {
        field.attname: getattr(paper, field.attname)
        for field in Invoice._meta.concrete_fields
        if field.name not in {"id", "public_id"}
    }
    return Invoice.objects.create(**fields | {"order_id": make_order().pk, "name": f"X{over}"[:40]} | over)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 3, 0])
def test_a_number_follows_the_last_one(paper: Invoice, number: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        again(paper, number=number)
    again(paper, number=2)  # the control


@pytest.mark.django_db
def test_a_paper_is_of_the_year_it_is_issued_in(paper: Invoice) -> None:
    with pytest.raises(IntegrityError, match="not of the year"), transaction.atomic():
        again(paper, number=1, year=2025)
    again(paper, number=1, year=2025, issued_at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "act",
    [
        lambda: Invoice.objects.update(total_minor=1),
        lambda: Invoice.objects.all().delete(),
        lambda: InvoiceSeries.objects.update(last=0),
        lambda: InvoiceSeries.objects.all().delete(),
    ],
)
def test_papers_and_their_series_are_never_changed(paper: Invoice, act: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        act()


@pytest.mark.django_db
def test_a_number_is_given_to_a_paper_or_not_at_all(paper: Invoice) -> None:
    InvoiceSeries.objects.filter(kind="INVOICE").update(last=2)
    with pytest.raises(IntegrityError, match="given to no paper"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db(transaction=True)
def test_of_two_writers_one_does_the_work_and_a_patient_one_waits_for_it() -> None:
    with transaction.atomic():
        order = make_order()
    settle(order)
    locked, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [invoices.WRITER_LOCK])
                locked.set()
                over.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        locked.wait(30)
        try:
            assert invoices.write(at=NOW) == 0
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                invoices.write(at=NOW, patient=True)
        finally:
            over.set()
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = 0")
    assert invoices.write(at=NOW, patient=True) == 1


# -- Five hundred at once ----------------------------------------------------------------------------------------------


def at_once(orders: list[Order], act: Callable[[Order], object]) -> int:
    """Settle all orders on eight connections; every third or so is aborted at its very end. Returns how many stood."""

    def sell(pair: tuple[int, Order]) -> int:
        number, order = pair
        with transaction.atomic():
            act(order)
            aborted = number % 10 in {1, 4, 7}
            transaction.set_rollback(aborted)
        return not aborted

    def turn(pairs: list[tuple[int, Order]]) -> int:
        try:
            return sum(map(sell, pairs))
        finally:
            connection.close()

    numbered = list(enumerate(orders))
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(turn, [numbered[n::8] for n in range(8)]))


@pytest.fixture
def five_hundred() -> list[Order]:
    with transaction.atomic():
        offer, buyer = make_offer(), make_user()
        return [make_order(offer, buyer=buyer) for _ in range(500)]


@pytest.mark.django_db(transaction=True)
def test_of_500_orders_at_once_with_a_third_aborted_no_number_is_missing_or_given_twice(
    five_hundred: list[Order],
) -> None:
    over = threading.Event()

    def keep_writing() -> int:
        written = 0
        try:
            while not over.is_set():
                written += invoices.write(at=NOW)
        finally:
            connection.close()
        return written

    with ThreadPoolExecutor(2) as writers:
        written = [writers.submit(keep_writing) for _ in range(2)]
        stood = at_once(five_hundred, settle)
        over.set()
    invoices.write(at=NOW)
    assert stood == 350
    assert sum(one.result() for one in written) <= stood
    assert list(Invoice.objects.order_by("number").values_list("name", flat=True)) == [
        f"CS-2026-{number:06}" for number in range(1, 351)
    ]
    assert set(Invoice.objects.values_list("order", flat=True)) == set(
        Order.objects.filter(state="PAID").values_list("pk", flat=True)
    )


@pytest.mark.django_db(transaction=True)
def test_the_same_with_a_sequence_would_leave_gaps(five_hundred: list[Order]) -> None:
    given: list[int] = []

    def number_within_the_sale(order: Order) -> None:
        Order.objects.filter(pk=order.pk).update(state="PAID", paid_at=NOW)
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('invoice_numbers')")
            number = cursor.fetchone()[0]
        transaction.on_commit(lambda: given.append(number))

    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE invoice_numbers")
    try:
        assert at_once(five_hundred, number_within_the_sale) == 350
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SEQUENCE invoice_numbers")
    assert len(given) == 350
    assert max(given) > 350
