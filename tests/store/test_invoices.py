"""Invoices and credit notes: what owes one, what they say, and that no word of a name is ever acted upon."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pypdfium2
import pytest
import typst
from django.core import checks
from django.db import connection, transaction

from payments import ledger
from store import invoices, papers
from store.models import Invoice, InvoiceDue, Order
from tests.factories import shelf
from tests.factories.invoices import NOW, give_back, settle
from tests.factories.store import make_decision, make_offer, make_order, make_release, make_user


@pytest.fixture(autouse=True)
def _seller(settings: Any) -> None:
    settings.SELLER_NAME, settings.SELLER_ADDRESS = "Bob's Shop GmbH", ["Gasse 2", "1010 Wien"]
    settings.SELLER_COUNTRY, settings.SELLER_VAT_ID = "AT", "ATU13585627"


def names(kind: str = "INVOICE") -> list[str]:
    return list(Invoice.objects.filter(kind=kind).order_by("number").values_list("name", flat=True))


# -- What is written ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_paid_order_gets_its_invoice_once() -> None:
    order = settle(make_order())
    assert [invoices.write(at=NOW) for _ in range(2)] == [1, 0]
    paper = Invoice.objects.get()
    assert (paper.name, paper.order, paper.country) == ("CS-2026-000001", order, "DE")
    assert (paper.total_minor, paper.tax_minor, paper.tax_rate) == (100, 16, 1900)
    said = json.loads(paper.text)
    assert said["seller"]["name"] == "Bob's Shop GmbH"
    assert said["buyer"] | {"name": ""} == {
        "name": "", "email": "alice@example.org", "country": "DE", "country_name": "Germany",
        "company": "", "address": [], "vat_id": "",
    }  # fmt: skip
    assert (said["base_minor"], said["issued_on"], said["supplied_on"]) == (84, "2026-12-01", "2026-12-01")


@pytest.mark.django_db
def test_what_is_unpaid_or_free_owes_no_paper() -> None:
    make_order()
    track = make_release(tracks=1).tracks.get()
    offer = make_offer(
        track, decision=make_decision(track.recording, use="FREE_DOWNLOAD"), use="FREE_DOWNLOAD", amount_minor=0
    )
    free = make_order(offer, total_minor=0, tax_minor=0, line={"tax_minor": 0})
    Order.objects.filter(pk=free.pk).update(state="PAID", paid_at=NOW)
    assert not InvoiceDue.objects.exists()


@pytest.mark.django_db
def test_the_sums_of_an_invoice_are_those_of_its_lines() -> None:
    order = shelf.sell(
        *[shelf.single(shelf.shelve(f"No {n}", price_minor=price)) for n, price in enumerate((129, 99, 1))],
        buyer=make_user(),
    )
    invoices.write(at=NOW)
    said = json.loads(Invoice.objects.get(order=order).text)
    assert [row["tax_minor"] for row in said["lines"]] == [21, 16, 0]  # each half up: not 37 of the sum
    assert said["tax_minor"] == sum(row["tax_minor"] for row in said["lines"]) == order.tax_minor
    assert said["total_minor"] == sum(row["amount_minor"] for row in said["lines"]) == order.total_minor
    assert said["base_minor"] + said["tax_minor"] == said["total_minor"]


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "shown"), [("JPY", "1,190 JPY"), ("KWD", "1.190 KWD"), ("EUR", "11.90 EUR")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, shown: str) -> None:
    offer = make_offer(currency=currency, amount_minor=1190)
    order = make_order(offer, currency=currency, total_minor=1190, tax_minor=190, line={"tax_minor": 190})
    settle(order)
    invoices.write(at=NOW)
    assert shown in words(Invoice.objects.get())


@pytest.mark.django_db
def test_a_line_that_was_never_delivered_stands_on_no_invoice() -> None:
    order = make_order()
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(state="PAID", paid_at=NOW)
    assert invoices.write(at=NOW) == 0
    give_back(order.lines.get(), 100, 160_000)
    assert invoices.write(at=NOW) == 0
    assert not InvoiceDue.objects.exists()


@pytest.mark.django_db
def test_a_refund_makes_a_credit_note_that_names_its_invoice() -> None:
    order = settle(make_order())
    give_back(order.lines.get(), 100, 160_000, at=NOW + timedelta(days=40))
    assert invoices.write(at=NOW + timedelta(days=40)) == 2  # of the new year, in one go
    note = Invoice.objects.get(kind="CREDIT_NOTE")
    assert (note.name, note.total_minor, note.tax_minor) == ("CS-2027-C000001", 100, 16)
    assert note.corrects == Invoice.objects.get(kind="INVOICE")
    assert json.loads(note.text)["corrects"]["number"] == "CS-2027-000001"


@pytest.mark.django_db
def test_the_tax_of_parts_sums_to_the_lines() -> None:
    line = settle(make_order()).lines.get()
    for number, (minor, micros) in enumerate([(33, 52_800), (33, 52_800), (34, 54_400)]):
        give_back(line, minor, micros, part=f":{number}" if number else "")
        invoices.write(at=NOW)
    notes = Invoice.objects.filter(kind="CREDIT_NOTE").order_by("number")
    assert [note.tax_minor for note in notes] == [5, 6, 5]
    assert sum(note.tax_micros for note in notes) == 160_000
    assert sum(note.total_minor for note in notes) == 100


@pytest.mark.django_db
def test_what_a_bank_took_and_returned_is_written_both_times() -> None:
    line = settle(make_order()).lines.get()
    taken = give_back(line, 100, 160_000, name="chargeback", part=":dp_1")
    with transaction.atomic():
        ledger.reverse(taken, reference=f"reinstated:{line.public_id}:dp_1", at=NOW)
    assert invoices.write(at=NOW) == 3
    again = Invoice.objects.get(transfer__reference__startswith="reinstated:")
    assert (again.kind, again.total_minor, again.tax_minor) == ("INVOICE", 100, 16)
    assert again.corrects is not None
    assert again.corrects.kind == "CREDIT_NOTE"


@pytest.mark.django_db
def test_a_tip_outside_the_tax_is_told_apart() -> None:
    make_order(line={"tax_minor": 5, "amount_minor": 100}, tax_minor=5)
    line = invoices._sold().get()
    line.given_minor = 70  # 30 at 19 percent hold 5
    parts = invoices._of_line(line, "EUR")
    assert (parts.base_micros, parts.tax_micros, parts.untaxed_micros) == (250_000, 50_000, 700_000)


@pytest.mark.django_db
def test_one_paper_that_cannot_be_written_holds_no_other_back() -> None:
    crooked, sound = settle(make_order()), settle(make_order())
    give_back(crooked.lines.get(), 100, 160_000)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE payments_entry SET amount_micros = amount_micros + 1 WHERE transfer_id IN "
                       "(SELECT id FROM payments_transfer WHERE kind = 'REFUND')")  # fmt: skip
        cursor.execute("SET session_replication_role = DEFAULT")
    give_back(sound.lines.get(), 100, 160_000)
    assert invoices.write(at=NOW) == 3
    assert "no whole number" in InvoiceDue.objects.get().problem
    assert names("CREDIT_NOTE") == ["CS-2026-C000001"]
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE payments_entry SET amount_micros = amount_micros - 1 WHERE amount_micros %% 10 = 1", [])
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.django_db
def test_while_nobody_is_named_as_seller_papers_wait_and_the_check_says_so(settings: Any) -> None:
    settings.SELLER_ADDRESS, settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = [], "", "sk_live_x"
    settle(make_order())
    assert invoices.write(at=NOW) == 0
    assert InvoiceDue.objects.count() == 1
    assert "store.W005" in {found.id for found in checks.run_checks(tags=[checks.Tags.compatibility])}
    settings.SELLER_ADDRESS = ["Gasse 2"]
    assert "store.W005" not in {found.id for found in checks.run_checks(tags=[checks.Tags.compatibility])}
    assert invoices.write(at=NOW) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("number", "found"), [("ATU13585627", []), ("ATU13585628", ["store.E002"]), ("DE136695976", ["store.E002"])]
)
def test_the_check_looks_at_the_shops_own_number(settings: Any, number: str, found: list[str]) -> None:
    settings.SELLER_VAT_ID = number
    said = [one.id for one in checks.run_checks(tags=[checks.Tags.compatibility])]
    assert [one for one in said if one == "store.E002"] == found


# -- On paper ----------------------------------------------------------------------------------------------------------


def words(paper: Invoice) -> str:
    document = pypdfium2.PdfDocument(papers.invoice(paper))
    try:
        return " ".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


@pytest.mark.django_db
def test_a_paper_is_the_same_to_the_byte_and_made_to_be_kept() -> None:
    settle(make_order())
    invoices.write(at=NOW)
    paper = Invoice.objects.get()
    first = papers.invoice(paper)
    assert first == papers.invoice(Invoice.objects.get())
    assert b"pdfaid:part" in first


@contextmanager
def listener(asked: list[str]) -> Iterator[str]:
    """A port of this machine that notes who comes."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                server.accept()
                asked.append("somebody")

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.django_db
def test_what_a_name_holds_is_never_acted_upon(settings: Any) -> None:
    """Neither HTML nor Typst's own markup: nobody is asked for a picture or a package."""
    asked: list[str] = []
    with listener(asked) as address:
        name = (
            f'<img src={address}/a.png> #image("{address}/b.png") #import "@preview/x:1.0.0": * $ * _ [ \\ #panic("x")'
        )
        order = make_order(buyer=make_user(name=name[:150]), line={"title": name, "artist": '#read("/etc/passwd")'})
        settings.SELLER_NAME = name
        settle(order)
        invoices.write(at=NOW)
        said = re.sub(r"\s+", "", words(Invoice.objects.get()))
    assert "#image(" in said
    assert '#read("/etc/passwd")' in said
    assert asked == []
    with pytest.raises(RuntimeError, match="panicked"):  # the control: read as markup, the same words act
        typst.compile(b"#panic()", format="pdf")
