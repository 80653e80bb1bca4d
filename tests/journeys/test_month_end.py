"""A month's statements name every sale, sum to the ledger, and read the same as page, PDF, table and DDEX file."""

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from payments import accounts, audit, ledger, months, payees, payouts, reconcile
from payments.models import Alert, Discrepancy, Payee, Statement, StatementPeriod
from store import dsr, earnings, letters, month_end, papers, refunds, settlement, tasks, traces
from store.models import Letter, Order, OrderLine
from store.statement_sheets import Told, csv_text
from tests.factories import shelf
from tests.journeys.conftest import Shop

PARTIES = dsr.Parties("Clearsong", "PADPIDA0000000000A", "Bob's Records")


def close(at: datetime | None = None) -> months.Run:
    """This month, as it stands on its first day after."""
    since, until = months.month_of(timezone.now())
    return month_end.close(since, until, at=at or until + timedelta(hours=2))


@pytest.fixture
def bob(shop: Shop) -> Payee:
    """Paid for an album of three and a single; one of the two albums came back."""
    release = shelf.shelve("First Light", tracks=3)
    other = shelf.shelve("=Second Sight", label=release.label)
    payee = shelf.make_letter(shelf.make_holder(release.label)).payee
    order = shop.bought(release, other)
    shop.bought(release, key="k2", country="US")
    refunds.refund_line(order.lines.get(release=release), reason="x", at=timezone.now())
    found: Payee = payee
    return found


def told(payee: Payee) -> Statement:
    return Statement.objects.get(payee=payee)


def test_the_lines_of_a_statement_sum_to_what_the_ledger_moved(bob: Payee) -> None:
    run = close()
    assert run.refused == ()
    statement = told(bob)
    lines = Told(statement).rows()
    assert sum(line["amount_micros"] for line in lines) == ledger.balance(accounts.payee(bob, "EUR"))
    assert statement.closing_micros == ledger.balance(accounts.payee(bob, "EUR")) > 0


def test_each_line_says_what_was_sold_where_and_what_of_it_is_whose(bob: Payee) -> None:
    close()
    line = next(
        row for row in Told(told(bob)).rows()
        if (row["title"], row["territory"], row["layer"]) == ("First Light, part 1", "DE", "RECORDING")
    )  # fmt: skip
    assert (line["units"], line["returns"], line["amount_micros"], line["gross_micros"]) == (1, 1, 0, 0)
    line = next(row for row in Told(told(bob)).rows() if (row["territory"], row["layer"]) == ("US", "RECORDING"))
    assert (line["release"], line["use"], line["units"], line["share_ppm"]) == (
        "First Light", "PERMANENT_DOWNLOAD", 1, 10**6,
    )  # fmt: skip
    assert (
        line["gross_micros"] - line["tax_micros"] - line["fees_micros"] == line["base_micros"] == line["amount_micros"]
    )


def test_every_line_belongs_to_a_release_and_the_releases_sum_to_what_was_earned(bob: Payee) -> None:
    close()
    told_ = Told(told(bob))
    sold = {str(line.release.public_id) for line in OrderLine.objects.all() if line.release}
    assert {key for _, key, _ in told_.by_release()} == sold
    assert sum(micros for _, _, micros in told_.by_release()) == told_.earned


def test_what_buyers_paid_adds_up_over_the_lines(bob: Payee) -> None:
    close()
    lines = Told(told(bob)).rows()
    paid = sum(line.amount_minor for line in OrderLine.objects.filter(state="PAID"))
    assert sum(line["gross_micros"] for line in lines) == paid * 10_000


def test_the_table_sums_from_opening_to_closing_and_runs_no_formula(bob: Payee) -> None:
    close()
    rows = list(csv.DictReader(io.StringIO(csv_text(told(bob)))))
    assert sum(Decimal(row["amount"]) for row in rows[:-1]) == Decimal(rows[-1]["amount"])
    assert any(row["title"].startswith("'=Second Sight") for row in rows)
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values() if value)


def test_a_split_that_is_not_what_was_posted_is_refused(bob: Payee) -> None:
    line = OrderLine.objects.filter(state="PAID").first()
    assert line is not None
    with connection.cursor() as cursor:  # as nobody can: with the guards resting
        cursor.execute("SET session_replication_role = replica")
        for leg in line.split:
            if leg["payee"] == bob.pk:
                leg["micros"] += 1
        OrderLine.objects.filter(pk=line.pk).update(split=line.split)
        cursor.execute("SET session_replication_role = origin")
    run = close()
    assert len(run.refused) == 1
    assert not Statement.objects.filter(payee=bob).exists()


def test_a_letter_is_owed_with_each_statement_and_says_its_sums(bob: Payee, mailoutbox: list[Any]) -> None:
    close()
    letter = Letter.objects.get(kind="statement", about=told(bob).number)
    assert letter.recipient == bob.email.lower()
    assert letters.send(letter, at=timezone.now())
    assert "Closing balance: €" in mailoutbox[0].body
    close()
    assert Letter.objects.filter(kind="statement").count() == 1


def test_the_paper_is_the_same_bytes_each_time(bob: Payee) -> None:
    close()
    sheet = papers.statement(told(bob))
    assert sheet.startswith(b"%PDF")
    assert sheet == papers.statement(told(bob))


def test_the_ddex_file_counts_its_own_lines_and_its_summaries_are_the_sums_of_its_sales(bob: Payee) -> None:
    close()
    text = dsr.report(told(bob), PARTIES)
    records = [line.split("\t") for line in text.splitlines()]
    foot = records[-1]
    of = {kind: [one for one in records if one[0].startswith(kind)] for kind in ("HEAD", "SY", "RE", "AS", "SU")}
    assert foot == ["FOOT", str(len(records)), str(len(records)), str(len(of["SY"])), *[str(len(of["AS"]))] * 2]
    for summary in of["SY"]:
        sales = [one for one in of["SU"] if one[2] == summary[1]]
        assert int(summary[8]) == sum(int(one[8]) - int(one[9]) for one in sales)
    assert {one[2] for one in of["SU"]} <= {one[1] for one in of["SY"]}
    assert sum(Decimal(one[15]) for one in of["SY"]) == Decimal(Told(told(bob)).earned) / 10**6
    assert {kind: {len(one) for one in found} for kind, found in of.items()} == {
        "HEAD": {16}, "SY": {22}, "RE": {16}, "AS": {22}, "SU": {13},
    }  # fmt: skip


def test_the_ddex_file_is_named_as_the_standard_says(bob: Payee) -> None:
    close()
    name = dsr.file_name(told(bob), PARTIES)
    parts = name.removesuffix(".tsv").split("_")
    assert parts[:4] == ["DSR", "Bob-s-Records", "PADPIDA0000000000A", "Downloads"]
    assert len(parts) == 8
    assert parts[6] == "1of1"


@pytest.mark.parametrize("title", ["a\tb", "a\nb", "a|b", "SU01.02\tx"])
def test_no_title_can_make_another_cell_or_line(title: str) -> None:
    assert "\t" not in dsr.cell(title)
    assert "\n" not in dsr.cell(title)
    assert "|" not in dsr.cell(title).replace("\\|", "")


def test_tax_is_withheld_on_what_buyers_abroad_paid_and_on_nothing_else(bob: Payee) -> None:
    found = earnings.sources([bob], {"US", "DE"})[bob.pk, "EUR"]
    assert sum(found.values()) == ledger.balance(accounts.payee(bob, "EUR"))
    assert found["US"] > 0
    assert earnings.sources([bob], {"FR"}) == {}


def test_a_transfer_that_stripe_reverses_is_owed_again(bob: Payee, shop: Shop) -> None:
    shop.stripe.onboard(payees.onboarding_link(bob, refresh_url="https://x/r", return_url="https://x/d"))
    payees.refresh_payee(bob)
    before = ledger.balance(accounts.payee(bob, "EUR"))
    (payout,) = payouts.run(minimum_minor=1, at=timezone.now()).paid
    shop.stripe.sandbox.api.create_reversal(payout.stripe_transfer_id, {})
    shop.deliver_webhooks()
    payout.refresh_from_db()
    assert payout.state == "REVERSED"
    assert ledger.balance(accounts.payee(bob, "EUR")) == before
    assert audit.verify().problem is None


def test_the_sweep_rings_for_a_month_whose_statements_are_owed(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(tasks.close_month, "delay", lambda: rung.append("month"))
    tasks._ring_for_days(timezone.now())
    assert rung == []
    since, until = months.month_of(months.month_of(timezone.now())[0] - timedelta(days=1))
    StatementPeriod.objects.create(since=since, until=until, opened_at=until)
    tasks._ring_for_days(timezone.now())
    assert rung == ["month"]


def test_what_is_held_back_and_released_stands_on_the_statement(shop: Shop, settings: Settings) -> None:
    settings.RESERVE_PERCENT, settings.RESERVE_DAYS = "10", 14
    release = shelf.shelve("First Light", tracks=2)
    payee = shelf.make_letter(shelf.make_holder(release.label)).payee
    shop.bought(release)
    close()
    words = dict(Told(told(payee)).summary)
    held = ledger.balance(accounts.reserve(payee, "EUR"))
    assert words["Held back until refunds are over"] == -held < 0
    assert words["Earned"] - held == words["Closing balance"]


def test_a_day_of_sales_refunds_and_payouts_is_the_same_in_both_books(bob: Payee, shop: Shop) -> None:
    shop.stripe.onboard(payees.onboarding_link(bob, refresh_url="https://x/r", return_url="https://x/d"))
    payees.refresh_payee(bob)
    (payout,) = payouts.run(minimum_minor=1, at=timezone.now()).paid
    shop.stripe.sandbox.api.create_reversal(payout.stripe_transfer_id, {"amount": 10})
    shop.deliver_webhooks()
    for order in Order.objects.all():
        settlement.check_order(order, at=timezone.now())
    done = reconcile.reconcile(timezone.now().date(), at=timezone.now() + timedelta(days=2), trace=traces.trace)
    assert [(row.kind, row.key, row.about) for row in Discrepancy.objects.all()] == []
    assert done.transactions >= 5


def test_a_refused_statement_waits_for_finance_staff(bob: Payee, monkeypatch: pytest.MonkeyPatch) -> None:
    since, until = months.month_of(timezone.now())
    wrong = replace(earnings.DETAIL, of=lambda keys, _since, _until: {key: [[0]] for key in keys})
    monkeypatch.setattr(earnings, "DETAIL", wrong)
    monkeypatch.setattr(months, "owed", lambda **_at: (since, until))
    monkeypatch.setattr("store.tasks.timezone.now", lambda: until)
    tasks.close_month()
    alert = Alert.objects.get(code="STATEMENT_REFUSED")
    assert alert.subject == accounts.payee(bob, "EUR").code
    assert "where the ledger has" in alert.text


def test_parts_that_went_back_and_came_back_are_told_to_the_last_millionth(shop: Shop) -> None:
    """A refund of a part, a chargeback lost in part, and one that was won: the statement closes on the ledger."""
    release = shelf.shelve("Third Wish", tracks=3)
    payee = shelf.make_letter(shelf.make_holder(release.label)).payee
    orders = [shop.bought(release, key=f"parts-{number}") for number in range(3)]
    refunds.refund_line(orders[0].lines.get(), reason="a scratch", at=timezone.now(), amount_minor=77)
    for order, amount, end in ((orders[1], 101, "lose"), (orders[2], None, "win")):
        key = shop.charge_back(order, amount=amount)
        shop.deliver_webhooks()
        getattr(shop.stripe.sandbox.chargebacks, end)(key)
        shop.deliver_webhooks()
    assert close().refused == ()
    rows = Told(told(payee)).rows()
    owed = ledger.balance(accounts.payee(payee, "EUR"))
    assert sum(row["amount_micros"] for row in rows) == told(payee).closing_micros == owed
    assert all(row["units"] == 3 + row["returns"] for row in rows if row["units"])
