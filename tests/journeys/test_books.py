"""The ledger against the shop and Stripe: each planted fault is found and named, and a sound store has none."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from payments import payees, payouts
from payments.models import Payout
from store import books, refunds
from store.models import OrderLine
from tests.factories import shelf
from tests.factories.payments import make_payee, post_earning


@contextmanager
def guards_off() -> Iterator:
    """What a superuser with bad intentions can do: triggers are off inside the block."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as if the sale were committed
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor.execute
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def refunded(shop, release) -> OrderLine:
    line = shop.bought(release, key="refunded").lines.get()
    refunds.refund_line(line, reason="asked for by the buyer", at=timezone.now())
    shop.deliver_webhooks()
    return line


def test_a_sound_store_has_no_fault(shop):
    shop.bought(shelf.shelve("First Light"))
    refunded(shop, shelf.shelve("Second Sight"))
    shop.order(shelf.shelve("Third Man"), key="not paid")
    for key, decide in (("open", None), ("won", "win"), ("lost", "lose")):
        name = shop.charge_back(shop.bought(shelf.shelve(key), key=key))
        if decide:
            getattr(shop.stripe.sandbox.chargebacks, decide)(name)
        shop.deliver_webhooks()
    states = set(OrderLine.objects.values_list("state", flat=True))
    assert states == {"PAID", "REFUNDED", "PLACED", "CHARGEBACK", "CHARGED_BACK"}
    assert books.verify() is None


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("DELETE FROM payments_transfer", "no transfer is in the ledger"),
        (
            "UPDATE payments_transfer SET reference = 'sale:somebody-else' WHERE reference LIKE 'sale:%'",
            "no such line|no transfer",
        ),
        ("UPDATE store_orderline SET state = 'PLACED'", "no such line was paid"),
        ("UPDATE payments_entry SET amount_micros = amount_micros + 1", "another amount"),
        ("UPDATE payments_transfer SET document_sha256 = repeat('0', 64)", "hash of its certificate"),
        ("UPDATE store_orderline SET state = 'REFUNDED'", "gave nothing back"),
        ("UPDATE store_orderline SET state = 'CHARGED_BACK'", "bank took it back, but the ledger gave nothing back"),
    ],
)
def test_a_line_that_does_not_fit_is_named(fault, what, shop):
    line = shop.bought(shelf.shelve()).lines.get()
    with guards_off() as run:
        run(fault)
    problem = books.verify()
    assert problem is not None
    assert problem.row in {f"order line {line.public_id}", "order line somebody-else"}
    assert any(each in problem.what for each in what.split("|"))


@pytest.fixture
def paid_out(shop) -> Payout:
    bob = make_payee()
    shop.stripe.onboard(payees.onboarding_link(bob, refresh_url="http://s/r", return_url="http://s/b"))
    post_earning(payees.refresh_payee(bob), 5_000_000)
    shop.stripe.fund(10_000)
    payouts.run(minimum_minor=1, at=timezone.now())
    assert books.verify() is None
    return Payout.objects.get()


@pytest.mark.parametrize(
    "field", [{"amount_minor": 499}, {"stripe_transfer_id": "tr_other"}, {"transfer_group": "other"}]
)
def test_a_payout_that_stripe_knows_otherwise_is_named(field, paid_out):
    Payout.objects.update(**field)
    problem = books.verify()
    assert problem is not None
    assert (problem.row, "another transfer" in problem.what) == (f"payout {paid_out.number}", True)
    assert books.verify(ask_stripe=False) is None


def test_a_payout_that_stripe_took_back_is_named(shop, paid_out):
    state = shop.stripe.sandbox.state
    transfer = state.get("transfer", paid_out.stripe_transfer_id)
    state.change(transfer, amount_reversed=transfer["amount"], reversed=True)
    problem = books.verify()
    assert problem is not None
    assert "taken it back" in problem.what


def test_a_payout_that_stripe_cannot_be_asked_about_does_not_pass(settings, paid_out):
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    problem = books.verify()
    assert problem is not None
    assert "could not be asked" in problem.what


def test_the_command_names_the_line_and_ends_with_status_1(shop):
    line = shop.bought(shelf.shelve()).lines.get()
    with guards_off() as run:
        run("UPDATE store_orderline SET state = 'PLACED'")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("ledger", "verify", "--offline", stdout=out)
    assert ended.value.code == 1
    assert str(line.public_id) in out.getvalue()
