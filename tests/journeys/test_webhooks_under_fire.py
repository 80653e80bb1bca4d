"""A1, A4 and A5: webhooks repeated, in any order, from many senders at once, forged, or of something else. One posting
for each business fact, one end; and what does not fit delivers nothing and leaves an alert."""

import hmac
import itertools
import json
import random
import threading
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.utils import timezone

from payments import charges, gateway, inbox, ledger
from payments.models import Alert, Charge, Entry, StripeEvent, Transfer
from store import checkout, refunds, settlement, stripe_events, tasks
from store.models import Certificate, Order
from store.views import stripe as stripe_views
from tests.factories import shelf
from tests.factories.payments import make_payee
from tests.fakes import WEBHOOK_SECRET, StripeFake, signed
from tests.journeys.conftest import Shop


def facts():
    """What is in the ledger, without the names that differ from order to order."""
    found: Counter[tuple[str, tuple[tuple[str, str, int], ...]]] = Counter()
    for transfer in Transfer.objects.prefetch_related("entries__account"):
        entries = sorted((entry.account.code, entry.side, entry.amount_micros) for entry in transfer.entries.all())
        found[transfer.kind, tuple(entries)] += 1
    return found


def work():
    """A worker handles what waits; claims that failed have run out."""
    StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).update(claimed_until=None)
    for key in StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).values_list("pk", flat=True):
        tasks.handle_stripe_event(key)


# -- A1: repeated, reordered, at once ----------------------------------------------------------------------------------


def played(shop):
    """A day at the shop, with every kind of event that Stripe sends us; returns them in their order."""
    came = []
    first, second = shelf.shelve(), shelf.shelve("Second Sight")
    paid = shop.bought(first, key="paid")
    refunds.refund_line(paid.lines.get(), reason="a scratch", at=paid.placed_at, amount_minor=50)
    later = shop.order(second, key="later")
    page = shop.pay_later(later)
    shop.deliver_webhooks()
    shop.stripe.arrive(page)
    bounced = shop.order(first, key="bounced")
    page = shop.pay_later(bounced)
    shop.deliver_webhooks()
    shop.stripe.bounce(page)
    abandoned = shop.order(second, key="abandoned")
    shop.stripe.sandbox.api.expire_session(_session(shop, abandoned))
    shop.deliver_webhooks()
    shop.stripe.sandbox.chargebacks.win(shop.charge_back(later))
    state = shop.stripe.sandbox.state
    charge = state.get("charge", Charge.objects.get(reference=paid.number).stripe_charge_id)
    state.emit("charge.updated", charge)
    payee = make_payee(stripe_account_id=shop.stripe.sandbox.api.create_account({"type": "express"})["id"])
    assert payee.stripe_account_id
    shop.deliver_webhooks()
    came = [(one["type"], one["id"]) for one in shop.stripe.objects("event")]
    return [key for kind, key in came if kind in stripe_events.HANDLERS], {kind for kind, _ in came}


def _session(shop, order):
    checkout.start_payment(order, at=timezone.now())
    return Charge.objects.get(reference=order.number).stripe_session_id


def test_every_kind_of_event_three_times_in_any_order_changes_nothing_more(shop):
    keys, kinds = played(shop)
    assert len(kinds & stripe_events.HANDLERS.keys()) >= 12
    before, states = facts(), Counter(Order.objects.values_list("state", flat=True))
    again = keys * 3
    random.Random(1).shuffle(again)
    for key in again:
        body, signature = next(one for one in shop.stripe.sent if key.encode() in one[0])
        assert shop.post(body, signature) == 200
        StripeEvent.objects.filter(stripe_id=key).update(state="RECEIVED", claimed_until=None, attempts=0)
        tasks.handle_stripe_event(StripeEvent.objects.get(stripe_id=key).pk)
    assert facts() == before
    assert Counter(Order.objects.values_list("state", flat=True)) == states
    assert StripeEvent.objects.count() == StripeEvent.objects.filter(state="HANDLED").count()


FIVE = [
    "checkout.session.completed", "charge.succeeded", "payment_intent.succeeded", "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
]  # fmt: skip


def orders_of_five(shop, turns):
    """The end of one order after each order of its five events, the database being put back in between."""
    order = shop.order(shelf.shelve())
    shop.pay(order)
    charge = shop.stripe.objects("charge")[-1]["id"]
    shop.stripe.sandbox.chargebacks.open(charge)
    hooks = {one.type: one for one in shop.stripe.webhooks()}
    ends = []
    for turn in turns:
        point = transaction.savepoint()
        for kind in turn:
            shop.post(hooks[kind].body, hooks[kind].signature)
            work()
        work()
        lines = tuple(order.lines.values_list("state", "returned_minor"))
        waits = StripeEvent.objects.exclude(state="HANDLED").count()
        ends.append((facts(), Order.objects.get(pk=order.pk).state, lines, Certificate.objects.count(), waits))
        transaction.savepoint_rollback(point)
    return ends


def one_end(ends):
    posted = Counter(kind for kind, _ in ends[0][0].elements())
    assert posted["SALE"] == posted["SALE_REVERSAL"] == posted["CHARGEBACK_FEE"] == 1
    assert ends[0][1:] == ("PAID", (("CHARGEBACK", 160),), 1, 0)
    return all(end == ends[0] for end in ends)


def test_the_five_events_of_an_order_come_to_one_end_in_some_orders(shop):
    assert one_end(orders_of_five(shop, list(itertools.permutations(FIVE))[::15]))


@pytest.mark.long
def test_the_five_events_of_an_order_come_to_one_end_in_all_120_orders(shop):
    assert one_end(orders_of_five(shop, list(itertools.permutations(FIVE))))


@pytest.mark.django_db(transaction=True)
def test_eight_senders_at_once_post_each_fact_once(stripe_sandbox: StripeFake):
    shop = Shop(stripe_sandbox)
    order = shop.order(shelf.shelve())
    shop.pay(order)
    hooks = stripe_sandbox.webhooks()
    gate, answers = threading.Barrier(8), []

    def send(seed):
        mine = list(hooks)
        random.Random(seed).shuffle(mine)
        gate.wait()
        try:
            for hook in mine:
                answers.append(shop.post(hook.body, hook.signature))
                for key in StripeEvent.objects.filter(state="RECEIVED").values_list("pk", flat=True):
                    tasks.handle_stripe_event(key)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work()
    assert set(answers) == {200}
    assert StripeEvent.objects.count() == len(hooks)
    assert Counter(Transfer.objects.values_list("kind", flat=True))["SALE"] == 1
    assert Certificate.objects.count() == 1
    assert Order.objects.get().state == Order.State.PAID


def test_without_the_orders_state_and_the_ledgers_reference_a_repeat_would_post_again(shop, monkeypatch):
    """The control: both guards off, a second look at the same payment sells a second time."""
    order = shop.bought(shelf.shelve())
    monkeypatch.setattr(settlement, "SETTLED", ())
    monkeypatch.setattr(
        "store.certificates.issue", lambda lines, **_named: {line.pk: line.certificate for line in lines}
    )
    post, number = ledger.post, itertools.count()
    monkeypatch.setattr(ledger, "post", lambda reference, **named: post(f"{reference}:{next(number)}", **named))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE store_order DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE store_orderline DISABLE TRIGGER USER")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    settlement.settle_order(order, at=order.placed_at)
    assert Transfer.objects.filter(kind="SALE").count() == 2


# -- A4: forged, old, broken -------------------------------------------------------------------------------------------


def event(**over):
    body = {"id": "evt_1", "object": "event", "type": "charge.succeeded", "livemode": False, "data": {"object": {}}}
    return json.dumps(body | over).encode()


HOUR = 3600
FORGERIES = {
    "wrong secret": lambda: (event(), signed(event(), secret="whsec_forged")),
    "v0 only": lambda: (event(), signed(event()).replace("v1=", "v0=")),
    "301 s old": lambda: (event(), signed(event(), at=int(time.time()) - 301)),
    "a year ahead": lambda: (event(), signed(event(), at=int(time.time()) + 365 * 24 * HOUR)),
    "another body": lambda: (event(id="evt_2"), signed(event())),
    "no signature": lambda: (event(), ""),
    "not UTF-8": lambda: (b"\xff\xfe\x00", signed(b"\xff\xfe\x00")),
    "no JSON": lambda: (b"{", signed(b"{")),
    "ten megabytes": lambda: (b"x" * 10_000_000, signed(b"x" * 10_000_000)),
    "two secrets, neither ours": lambda: (event(), signed(event(), secret="a") + ",v1=" + "0" * 64),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_what_stripe_did_not_sign_for_us_now_is_a_400_and_no_row(shop, how):
    body, signature = FORGERIES[how]()
    assert shop.post(body, signature) == 400
    assert not StripeEvent.objects.exists()
    assert not Alert.objects.exists()


def large():
    return event(padding="x" * 10_000_000)


def believes_any_signature(patch):
    patch.setattr(gateway, "hmac", SimpleNamespace(new=hmac.new, compare_digest=lambda *_two: True))


def reads_any_scheme(patch):
    read = gateway._read_signature
    patch.setattr(gateway, "_read_signature", lambda header: read(header.replace("v0=", "v1=")))


def takes_any_size(patch):
    patch.setattr(django_settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", None)
    patch.setattr(stripe_views, "MOST_BYTES", 10**9)
    patch.setattr(gateway, "MOST_EVENT_BYTES", 10**9)


UNGUARDED = {
    "wrong secret": believes_any_signature,
    "another body": believes_any_signature,
    "v0 only": reads_any_scheme,
    "301 s old": lambda patch: patch.setattr(gateway, "TOLERANCE_SECONDS", 400),
    "a year ahead": lambda patch: patch.setattr(gateway, "FUTURE_SECONDS", 366 * 24 * HOUR),
    "ten megabytes": takes_any_size,
}


@pytest.mark.parametrize("how", UNGUARDED)
def test_with_its_guard_off_a_forgery_would_be_taken(shop, monkeypatch, how):
    """The control, one guard at a time."""
    body, signature = (large(), signed(large())) if how == "ten megabytes" else FORGERIES[how]()
    assert shop.post(body, signature) == 400
    UNGUARDED[how](monkeypatch)
    assert shop.post(body, signature) == 200
    assert StripeEvent.objects.count() == 1


def test_while_secrets_rotate_one_of_two_signatures_is_enough(shop, settings):
    both = signed(event()) + "," + signed(event(), secret="whsec_other").partition(",")[2]
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new"]  # the control: without the old one nothing is taken meanwhile
    assert shop.post(event(), both) == 400
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", WEBHOOK_SECRET]
    assert shop.post(event(), both) == 200


# -- A5: of something else ---------------------------------------------------------------------------------------------


def altered(shop, kind, **fields):
    state = shop.stripe.sandbox.state
    state.change(shop.stripe.objects(kind)[-1], **fields)


MISFITS: dict[str, tuple[str, dict[str, Any]]] = {
    "amount": ("charge", {"amount_captured": 159}),
    "currency": ("payment_intent", {"currency": "usd"}),
    "the page's reference": ("checkout.session", {"client_reference_id": "CS-OTHER"}),
    "the page's metadata": ("checkout.session", {"metadata": {"reference": "CS-OTHER"}}),
    "the payment's metadata": ("payment_intent", {"metadata": {"reference": "CS-OTHER"}}),
    "unpaid": ("checkout.session", {"payment_status": "unpaid"}),
    "free of charge": ("checkout.session", {"payment_status": "no_payment_required"}),
}


@pytest.mark.parametrize("what", MISFITS)
def test_what_does_not_fit_the_order_delivers_nothing_and_leaves_an_alert(shop, what):
    order = shop.order(shelf.shelve())
    shop.pay(order)
    kind, fields = MISFITS[what]
    altered(shop, kind, **fields)
    shop.deliver_webhooks()
    order.refresh_from_db()
    assert order.state == Order.State.PLACED
    assert not Entry.objects.exists()
    assert not Certificate.objects.exists()
    assert [alert.subject for alert in Alert.objects.filter(code="CHARGE_MISMATCH")] == [order.number]


GUARDS = {
    "amount": "_check_amount",
    "currency": "_check_amount",
    "the page's reference": "_own_session",
    "the page's metadata": "_own_session",
    "the payment's metadata": "_facts",
    "unpaid": "OUTCOMES",
    "free of charge": "OUTCOMES",
}
OFF: dict[str, Any] = {
    "_check_amount": lambda *_args: None,
    "_facts": lambda _charge, session: gateway.read_charge(session.payment_intent_id),
    "_own_session": lambda charge: gateway.read_session(charge.stripe_session_id),
    "OUTCOMES": dict.fromkeys(itertools.product(["unpaid", "no_payment_required"], ["succeeded"]), Charge.State.PAID),
}


@pytest.mark.parametrize("what", MISFITS)
def test_with_its_guard_off_it_would_be_delivered(shop, monkeypatch, what):
    """The control."""
    monkeypatch.setattr(charges, GUARDS[what], OFF[GUARDS[what]])
    order = shop.order(shelf.shelve())
    shop.pay(order)
    kind, fields = MISFITS[what]
    altered(shop, kind, **fields)
    shop.deliver_webhooks()
    order.refresh_from_db()
    assert order.state == Order.State.PAID


@pytest.mark.parametrize("over", [{"livemode": True}, {"account": "acct_stranger"}])
def test_an_event_of_elsewhere_is_refused_and_leaves_an_alert(shop, over):
    body = event(**over)
    assert shop.post(body, signed(body)) == 400
    assert not StripeEvent.objects.exists()
    assert Alert.objects.get().code == "EVENT_FOREIGN"


def is_live(patch):
    patch.setattr(gateway, "is_live", lambda: True)


def knows_everybody(patch):
    everybody = SimpleNamespace(filter=lambda **_named: SimpleNamespace(exists=lambda: True))
    patch.setattr(inbox, "Payee", SimpleNamespace(objects=everybody))


@pytest.mark.parametrize(
    ("over", "off"), [({"livemode": True}, is_live), ({"account": "acct_stranger"}, knows_everybody)]
)
def test_with_its_guard_off_an_event_of_elsewhere_would_be_taken(shop, monkeypatch, over, off):
    """The control."""
    off(monkeypatch)
    body = event(**over)
    assert shop.post(body, signed(body)) == 200
    assert StripeEvent.objects.count() == 1
