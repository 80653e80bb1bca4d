"""What a label and a payee are told adds up to what the ledger holds."""

from datetime import timedelta

from django.core.management import call_command
from django.utils import timezone

from payments import accounts, ledger, payees, statements
from payments.models import Payout
from store import refunds, reports
from tests.factories import shelf

DAY = timedelta(days=1)


def period():
    return {"since": timezone.now() - DAY, "until": timezone.now() + DAY}


def test_statement_lines_add_up_to_the_ledger_also_after_a_refund(shop):
    release, other = shelf.shelve("First Light", tracks=3), shelf.shelve("Second Sight")
    letter = shelf.make_letter(shelf.make_holder(release.label))
    order = shop.bought(release, other)
    shop.bought(release, key="k2")
    refunds.refund_line(order.lines.get(release=release), reason="x", at=timezone.now())
    lines = reports.statement_lines(letter.payee, **period())

    assert reports.totals(lines) == {"EUR": ledger.balance(accounts.payee(letter.payee, "EUR"))}
    assert sorted({line.units for line in lines}) == [-1, 1]
    assert {line.title for line in lines} == {f"First Light, part {number}" for number in (1, 2, 3)}


def test_a_payees_statement_names_what_was_sold(shop):
    release = shelf.shelve()
    letter = shelf.make_letter(shelf.make_holder(release.label))
    shop.bought(release)
    data = statements.statement(letter.payee, currency="EUR", describe=reports.describe, **period())

    assert [line.what for line in data.lines] == ["First Light, Ana Lind"]
    assert data.closing_micros == ledger.balance(accounts.payee(letter.payee, "EUR"))


def test_a_label_sees_its_own_sales_only(shop):
    release, other = shelf.shelve("First Light"), shelf.shelve("Second Sight")
    shop.bought(release, other)

    assert [row.title for row in reports.sales_by_title(release.label, **period())] == ["First Light"]
    assert [row.gross_minor for row in reports.sales_by_day(release.label, **period())] == [160]
    assert reports.sales_by_country(release.label, **period()) == [("DE", "EUR", 1, 160)]


def test_the_payout_command_pays_once_however_often_it_runs(shop, capsys):
    release = shelf.shelve()
    payee = shelf.make_letter(shelf.make_holder(release.label)).payee
    shop.stripe.onboard(payees.onboarding_link(payee, refresh_url="https://x/r", return_url="https://x/d"))
    shop.bought(release)
    call_command("payout", dry_run=True, minimum_minor=1)
    assert not Payout.objects.exists()
    for _ in range(3):
        call_command("payout", minimum_minor=1)

    assert [payout.amount_minor for payout in Payout.objects.all()] == [113]
    assert len(shop.stripe.objects("transfer")) == 1
    assert ledger.balance(accounts.payee(payee, "EUR")) == 9_000
