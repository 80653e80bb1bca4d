"""A2: the connection breaks at any statement, and at any COMMIT before and after it was done. After a restart and the
redelivery that follows, the ledger and Stripe are what they would have been without.

The suite tries some moments of each act, drawn by a seed (CRASH_SEED); the long run tries all of them.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from payments import ledger
from payments.errors import PaymentsError
from payments.models import StripeEvent, Transfer
from store import chargebacks, checkout, refunds, settlement, tasks
from store.errors import StoreError
from store.models import Certificate, Order
from tests.breaking import Moments
from tests.factories import shelf
from tests.journeys.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
SOME = 3
Books = tuple[Counter[tuple[str, tuple[tuple[str, str, int], ...]]], int, int, str, tuple[str, ...]]


@dataclass
class Stage:
    """A shop with one release over and over; each trial is an order of its own."""

    shop: Shop
    trial: int = 0

    @cached_property
    def release(self):
        release = shelf.shelve()
        shelf.make_letter(shelf.make_holder(release.label))
        return release

    def place(self) -> Order:
        basket = self.shop.basket_of(self.release)
        return checkout.place_order(
            basket, buyer=self.shop.alice, country="DE", evidence={}, consent=True,
            request_key=f"trial-{self.trial}", at=timezone.now(),
        )  # fmt: skip

    def mine(self) -> Order:
        return Order.objects.get(request_key=f"trial-{self.trial}")

    def buy(self) -> Order:
        """Order and pay; at Stripe all is done."""
        order = self.place()
        self.shop.stripe.pay(checkout.start_payment(order, at=timezone.now()))
        return order

    def settle(self) -> Order:
        return settlement.check_order(self.mine(), at=timezone.now())

    def books(self) -> Books:
        """What the ledger and Stripe hold of this trial's order, without the names that differ from trial to trial."""
        order = self.mine()
        named = [order.number, *(str(key) for key in order.lines.values_list("public_id", flat=True))]
        posted: Counter[tuple[str, tuple[tuple[str, str, int], ...]]] = Counter()
        for key in named:
            for transfer in Transfer.objects.filter(reference__contains=key):
                entries = transfer.entries.values_list("account__code", "side", "amount_micros")
                posted[transfer.kind, tuple(sorted(entries))] += 1
        charges = [one for one in self.shop.stripe.objects("charge") if one["metadata"]["reference"] == order.number]
        given = sum(one["amount"] for one in self.shop.stripe.objects("refund") if one["charge"] == charges[0]["id"])
        lines = tuple(order.lines.values_list("state", flat=True))
        assert Certificate.objects.filter(order_line__order=order).count() == len(lines)
        return posted, len(charges), given, order.state, lines


def placing(stage: Stage) -> None:
    stage.place()
    checkout.start_payment(stage.mine(), at=timezone.now())


def settling(stage: Stage) -> None:
    """The webhook comes, is kept, and a worker handles it; the sweep looks for what became of it."""
    for one in stage.shop.stripe.webhooks("checkout.session.completed", "charge.succeeded"):
        stage.shop.post(one.body, one.signature)
    for event in StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).order_by("pk"):
        tasks.handle_stripe_event(event.pk)
    stage.settle()


def refunding(stage: Stage) -> None:
    line = stage.mine().lines.get()
    refunds.refund_line(line, reason="asked for", at=timezone.now())


def part_refunding(stage: Stage) -> None:
    line = stage.mine().lines.get()
    if not line.returned_minor:
        refunds.refund_line(line, reason="a scratch", at=timezone.now(), amount_minor=50)
    refunds.push(line, at=timezone.now())


def charging_back(stage: Stage) -> None:
    dispute = stage.shop.stripe.objects("dispute")[-1]
    chargebacks.follow(dispute["id"], at=timezone.now())


def nothing(stage: Stage) -> None:
    pass


def bought(stage: Stage) -> None:
    stage.buy()


def sold(stage: Stage) -> None:
    stage.buy()
    stage.settle()


def disputed(stage: Stage) -> None:
    sold(stage)
    stage.shop.charge_back(stage.mine())


def pay_and_settle(stage: Stage) -> None:
    stage.shop.stripe.pay(checkout.start_payment(stage.mine(), at=timezone.now()))
    stage.settle()


def later_on(stage: Stage) -> None:
    """Time passes: claims run out, and the sweep rings for all that is owed."""
    StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).update(claimed_until=None)
    for line in refunds.due().filter(order=stage.mine()):
        refunds.push(line, at=timezone.now())


Step = Callable[[Stage], None]
ACTS: dict[str, tuple[Step, Step, Step]] = {  # what was before, the act that breaks, what comes after
    "checkout": (nothing, placing, pay_and_settle),
    "settlement": (bought, settling, nothing),
    "refund": (sold, refunding, nothing),
    "part": (sold, part_refunding, nothing),
    "chargeback": (disputed, charging_back, nothing),
}


def played(stage: Stage, act: str, moments: Moments) -> Books:
    """One trial: the act breaks at its moment, then it is done again as whoever waits would do it again."""
    before, breaks, after = ACTS[act]
    stage.trial += 1
    before(stage)
    with moments.breaking(), suppress(PaymentsError, StoreError):
        breaks(stage)
    if act != "checkout":
        later_on(stage)
    breaks(stage)
    after(stage)
    return stage.books()


@pytest.fixture
def stage(stripe_sandbox) -> Stage:
    return Stage(Shop(stripe_sandbox))


def sweep(stage: Stage, act: str, chosen: Callable[[int], list[int]]) -> int:
    whole = played(stage, act, Moments())  # what is only made once, accounts and caches, is there afterwards
    counted = Moments()
    assert played(stage, act, counted) == whole
    assert whole[1] == 1
    moments = chosen(counted.count)
    for at in moments:
        broken = Moments(at)
        assert played(stage, act, broken) == whole, f"{act} broke at moment {at}: {broken.broke_at}"
        assert broken.broke_at, f"{act} has no moment {at}"
    return counted.count


@pytest.mark.parametrize("act", ACTS)
def test_wherever_the_connection_breaks_the_books_end_the_same(stage, act):
    seed = int(os.environ.get("CRASH_SEED", "1"))
    draw = random.Random(f"{seed}:{act}")
    sweep(stage, act, lambda count: sorted(draw.sample(range(1, count + 1), SOME)))


@pytest.mark.long
@pytest.mark.parametrize("act", ACTS)
def test_at_every_single_moment(stage, act):
    sweep(stage, act, lambda count: list(range(1, count + 1)))


def test_a_moment_that_breaks_really_loses_what_was_not_committed(stage):
    """The control: broken before its COMMIT, an act that nobody does again leaves nothing behind."""
    for counted in (Moments(), Moments()):  # the first also fills caches
        stage.trial += 1
        with counted.breaking():
            stage.place()
    stage.trial += 1
    lost = Moments(counted.count - 1)
    with lost.breaking():
        stage.place()
    assert "never went out" in lost.broke_at
    assert not Order.objects.filter(request_key=f"trial-{stage.trial}").exists()
    stage.trial += 1
    unheard = Moments(counted.count)
    with unheard.breaking():
        stage.place()
    assert "reply was lost" in unheard.broke_at
    assert stage.mine().state == Order.State.PLACED


def test_posting_twice_without_a_reference_to_hold_it_would_be_seen(stage):
    """The control: a ledger that took the same fact twice would differ from the fault-free run."""
    whole = played(stage, "settlement", Moments())
    transfer = Transfer.objects.filter(kind="SALE").latest("posted_at")
    with transaction.atomic():
        legs = [ledger.Leg(entry.account, entry.side, entry.amount_micros) for entry in transfer.entries.all()]
        ledger.post(f"{transfer.reference}:again", kind="SALE", legs=legs, at=transfer.posted_at)
    assert stage.books() != whole


def test_an_error_that_is_not_ours_is_not_swallowed():
    with pytest.raises(OperationalError), Moments().breaking():
        raise OperationalError("disk full")
