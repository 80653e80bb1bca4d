"""Random histories of a shop, each told whole by one number: people buy, give back, complain at their banks and are
paid, while Stripe fails, webhooks get lost, connections break and days pass.

What may not be done is refused in words; anything else that is raised ends the history. Of an act that broke nobody
knows how far it came, so what must hold in the end (`test_histories`) is asked of Stripe's books and the shop's rows,
and not of what was meant.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from random import Random
from typing import Any

from django.utils import timezone

from catalog.models import Release
from payments import chain, inbox, payees, payouts
from payments.errors import PaymentsError
from payments.models import Charge, Payee, StripeEvent
from payments.money import Money
from store import (
    baskets,
    chargebacks,
    checkout,
    codes,
    credit,
    credit_purchases,
    earnings,
    gift_cards,
    gifts,
    refunds,
    settlement,
    stripe_events,
)
from store.errors import StoreError
from store.models import CreditPurchase, CreditRefund, LineRefund, Offer, Order, OrderLine, User
from tests.breaking import Moments
from tests.factories import shelf
from tests.factories.store import make_user
from tests.fakes import StripeFake, Webhook

SESSIONS, REFUNDS, TRANSFERS = "/v1/checkout/sessions", "/v1/refunds", "/v1/transfers"
FAULTS = {
    SESSIONS: ("saved_500", "rate_limited", "lost_reply"),
    REFUNDS: ("saved_500", "rate_limited", "lost_reply"),
    TRANSFERS: ("saved_500", "rate_limited", "lost_reply", "insufficient_funds"),
}
LATEST_MOMENT = 80  # an act has up to some hundred statements; what breaks later than its end does not break
BREAKS, FAILS, RINGS = 0.15, 0.15, 0.6
ROUNDS = 8  # of looking after what is owed; each may make more of it
OPEN = (Order.State.PLACED, Order.State.FAILED, Order.State.PENDING)


class History:
    """One shop and what happens to it. `story` is what was done so far, in words, for whoever looks at a failure."""

    def __init__(self, seed: int, stripe: StripeFake) -> None:
        self.seed, self.dice = seed, Random(seed)
        self.stripe = stripe
        self.ahead = timedelta()
        self.story: list[str] = []
        self.lost: list[Webhook] = []  # never delivered: who asks Stripe finds them
        self.people = [make_user(name) for name in ("Alice", "Charlie", "Dora")]
        self.releases = [self._release(number) for number in range(2)]
        self.acts: list[tuple[int, Callable[[], object]]] = [
            (10, self.buys), (3, self.pays_later), (2, self.leaves_the_payment_page), (2, self.bank_answers),
            (2, self.cancels), (3, self.buys_credit), (2, self.gives_a_card), (2, self.redeems), (2, self.credit_back),
            (3, self.gives_back), (4, self.staff_refunds), (2, self.refund_comes_or_not), (3, self.complains),
            (3, self.bank_decides), (3, self.payout), (2, self.ticks), (4, self.time_passes),
        ]  # fmt: skip

    def _release(self, number: int) -> Release:
        """A release of two tracks, whose label and payee are known at Stripe."""
        release = shelf.shelve(f"Release {number}", price_minor=150 + 200 * number)
        payee: Payee = shelf.make_letter(shelf.make_holder(release.label)).payee
        self.stripe.onboard(payees.onboarding_link(payee, refresh_url="http://s/r", return_url="http://s/b"))
        payees.refresh_payee(payee)
        return release

    def now(self) -> datetime:
        return timezone.now()

    # -- One act after the other ---------------------------------------------------------------------------------------

    def live(self, acts: int) -> None:
        weights = [weight for weight, _ in self.acts]
        self._do(self.buys)
        for number, (_, act) in enumerate(self.dice.choices(self.acts, weights, k=acts)):
            self.dice = Random(
                f"{self.seed}:{number}"
            )  # what breaks early throws fewer dice; the next act must not mind
            self._do(act)
            if self.dice.random() < RINGS:
                self._post_comes()

    def _do(self, act: Callable[[], object]) -> None:
        moments = Moments(self.dice.randint(1, LATEST_MOMENT) if self.dice.random() < BREAKS else 0)
        path = self.dice.choice(sorted(FAULTS))
        how = self.dice.choice(FAULTS[path]) if self.dice.random() < FAILS else ""
        if how:
            self.stripe.sandbox.fail_next(path, how)
        said = ""
        try:
            with moments.breaking():
                act()
        except (PaymentsError, StoreError) as refusal:
            said = f": {refusal.code}"
        self.stripe.sandbox.fail_none()
        broke = f", broke at {moments.broke_at[:60]!r}" if moments.broke_at else ""
        self.story.append(f"{act.__name__}{f', {how}' if how else ''}{broke}{said}")

    def _post_comes(self) -> None:
        """Webhooks as the internet brings them: in any order, some twice, some never."""
        hooks = self.stripe.webhooks()
        self.dice.shuffle(hooks)
        for hook in hooks:
            fate = self.dice.random()
            if fate < 0.1:
                self.lost.append(hook)
                continue
            for _ in range(2 if fate > 0.9 else 1):
                inbox.record_event(hook.body, hook.signature)
        self._work()

    def _work(self) -> None:
        """Workers take what waits, in any order; what fails is tried again later."""
        waiting = inbox.sweepable(at=self.now())
        self.dice.shuffle(waiting)
        for key in waiting:
            event = inbox.claim_event(key, at=self.now())
            if event is None:
                continue
            try:
                stripe_events.handle(event, at=self.now())
            except (PaymentsError, StoreError) as error:
                inbox.fail_event(event, error.code, at=self.now())
            else:
                inbox.conclude_event(event, at=self.now())

    # -- What buyers do ------------------------------------------------------------------------------------------------

    def _someone(self) -> User:
        return self.dice.choice(self.people)

    def _places(self) -> Order:
        """An order of one or two things, perhaps with a code, as a gift, and paid with credit as far as that goes."""
        buyer, dice = self._someone(), self.dice
        basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
        basket.lines.all().delete()
        offers = list(Offer.objects.filter(closed_at=None).order_by("pk"))
        for offer in dice.sample(offers, dice.randint(1, 2)):
            baskets.add(basket, offer)
        coded, given, credited, key = dice.random() < 0.25, dice.random() < 0.15, dice.random() < 0.6, dice.random()
        baskets.drop_code(basket)
        if coded:
            baskets.use_code(basket, self.code, buyer=buyer, at=self.now())
        basket.refresh_from_db()
        order = checkout.place_order(
            basket, buyer=buyer, country=dice.choice(["DE", "US"]), evidence={}, consent=True,
            request_key=f"press-{key}", at=self.now(), gift=gifts.Wish("friend@example.org") if given else None,
        )  # fmt: skip
        if credited:
            order = credit.use(order, at=self.now())
        return order if order.due_minor else settlement.settle_order(order, at=self.now())

    @cached_property
    def code(self) -> str:
        """A code of the shop for a quarter off; its text, because an act that made it may have broken."""
        terms = codes.Terms(25, None, self.now())
        (made,) = codes.make(terms, label=None, bearer=codes.Bearer.SHOP, actor="user:rita", at=self.now(), count=1)
        return str(made.text)

    def _page(self, order: Order) -> str:
        return checkout.start_payment(order, at=self.now())

    def buys(self) -> None:
        order = self._places()
        if order.state == Order.State.PLACED:
            self.stripe.pay(self._page(order))
        if self.dice.random() < 0.5:  # she comes back to the shop; the others close the page
            settlement.settle_order(order, at=self.now())

    def pays_later(self) -> None:
        order = self._places()
        if order.state == Order.State.PLACED:
            self.stripe.pay_later(self._page(order))

    def leaves_the_payment_page(self) -> None:
        order = self._places()
        if order.state == Order.State.PLACED:
            self._page(order)

    def bank_answers(self) -> None:
        """A bank pays, or does not, what was ordered days ago."""
        page = self._one(self._on_their_way())
        if page:
            self.dice.choice([self.stripe.arrive, self.stripe.arrive, self.stripe.bounce])(page)

    def _on_their_way(self) -> list[str]:
        sessions = self.stripe.objects("checkout.session")
        waiting = [one for one in sessions if (one["status"], one["payment_status"]) == ("complete", "unpaid")]
        intents = {one["id"]: one["status"] for one in self.stripe.objects("payment_intent")}
        return [
            f"{self.stripe.address}/pay/{one['id']}"
            for one in waiting
            if intents.get(one["payment_intent"]) == "processing"
        ]

    def cancels(self) -> None:
        order = self._one(Order.objects.filter(state__in=OPEN).order_by("pk"))
        if order:
            checkout.cancel(order, at=self.now())

    def buys_credit(self, recipient: str = "") -> None:
        buyer, amount, key = self._someone(), self.dice.choice([500, 1000, 2500]), self.dice.random()
        purchase = credit_purchases.buy(
            buyer, amount=Money.of(amount, "EUR"), request_key=f"press-{key}", at=self.now(), recipient=recipient
        )
        self.stripe.pay(credit_purchases.start_payment(purchase, at=self.now()))

    def gives_a_card(self) -> None:
        self.buys_credit("friend@example.org")

    def redeems(self) -> None:
        rows = CreditPurchase.objects.filter(gift_card__isnull=False).select_related("gift_card", "buyer")
        purchase = self._one(rows.order_by("pk"))
        if purchase:
            gift_cards.redeem(gift_cards.code_of(purchase), by=self._someone(), at=self.now())

    def credit_back(self) -> None:
        purchase = self._one(CreditPurchase.objects.filter(state="PAID").select_related("buyer").order_by("pk"))
        if purchase:
            credit_purchases.give_back(purchase, credit_purchases.refundable(purchase), at=self.now())

    def gives_back(self) -> None:
        line = self._line()
        if line:
            refunds.ask(line, reason="changed my mind", at=self.now())

    def _line(self) -> OrderLine | None:
        return self._one(OrderLine.objects.filter(order__paid_at__isnull=False).select_related("order").order_by("pk"))

    # -- What banks, staff and time do --------------------------------------------------------------------------------

    def staff_refunds(self) -> None:
        line = self._line()
        if line:
            part = self.dice.choice([None, 1, 50, line.amount_minor // 2 or 1])
            refunds.refund_line(line, reason="a scratch", actor="user:fay", at=self.now(), amount_minor=part)

    def refund_comes_or_not(self) -> None:
        """What is on its way to a bank account comes there, or comes back."""
        found = self._one([one for one in self.stripe.objects("refund") if one["status"] == "pending"])
        if found:
            api = self.stripe.sandbox.api
            self.dice.choice([api.finish_refund, api.fail_refund])(found["id"])

    def complains(self) -> None:
        """At her bank, of an order: of bought credit the shop only tells its staff."""
        numbers = set(Order.objects.values_list("number", flat=True))
        paid = [
            one
            for one in self.stripe.objects("charge")
            if one["paid"] and not one["disputed"] and one["metadata"]["reference"] in numbers
        ]
        charge = self._one(paid)
        if charge:
            amount = self.dice.choice([None, None, max(charge["amount"] // 3, 1)])
            self.stripe.sandbox.chargebacks.open(charge["id"], amount=amount, inquiry=self.dice.random() < 0.2)

    def bank_decides(self) -> None:
        banks = self.stripe.sandbox.chargebacks
        open_ones = [one for one in self.stripe.objects("dispute") if "needs_response" in one["status"]]
        dispute = self._one(open_ones)
        if dispute:
            self.dice.choice([banks.win, banks.win, banks.lose, banks.escalate])(dispute["id"])

    def payout(self) -> None:
        payouts.run(minimum_minor=1, at=self.now(), sources=earnings.sources)

    def ticks(self) -> None:
        """The sweeps that find what nobody rang for; one that is refused holds up no other."""
        for order in Order.objects.filter(next_check_at__lte=self.now()).order_by("pk"):
            self._quietly(partial(settlement.check_order, order, at=self.now()))
        for purchase in CreditPurchase.objects.filter(next_check_at__lte=self.now()).order_by("pk"):
            self._quietly(partial(credit_purchases.check, purchase, at=self.now()))
        for line in refunds.due().order_by("pk"):
            self._quietly(partial(refunds.push, line, at=self.now()))
        chain.seal_new(at=self.now())

    def time_passes(self) -> None:
        self._pass(timedelta(hours=self.dice.choice([1, 7, 25, 80])))

    def _pass(self, time: timedelta) -> None:
        self.ahead += time
        self.stripe.sandbox.state.move_clock(time.total_seconds())

    def _one(self, found: Iterable[Any]) -> Any:
        """One of what was found, or None where there is nothing."""
        listed = list(found)
        return self.dice.choice(listed) if listed else None

    # -- The end -------------------------------------------------------------------------------------------------------

    def settle_down(self) -> None:
        """No more faults: whatever is owed is done, as the sweeps do it, until nothing is left."""
        for page in self._on_their_way():
            self.dice.choice([self.stripe.arrive, self.stripe.bounce])(page)
        for refund in self.stripe.objects("refund"):
            if refund["status"] == "pending":
                self.stripe.sandbox.api.finish_refund(refund["id"])
        inbox.fetch_missed(since=self.now() - self.ahead - timedelta(days=1), types=sorted(stripe_events.HANDLERS))
        for round_ in range(ROUNDS):
            self._look_after()
            if round_ and not still_owed() and not self.stripe.sandbox.state.undelivered():
                break
        self._pass(timedelta(days=6))  # until Stripe's books of all days may be compared
        chain.seal_new(at=self.now())

    def _look_after(self) -> None:
        """One round of all that sweeps ring for."""
        for hook in self.stripe.webhooks():
            inbox.record_event(hook.body, hook.signature)
        self._pass(timedelta(hours=2))
        self._work()
        self.ticks()
        self._quietly(self.payout)
        for dispute in self.stripe.objects("dispute"):
            self._quietly(partial(chargebacks.follow, dispute["id"], at=self.now()))
        for due in CreditRefund.objects.filter(state=CreditRefund.State.DUE).select_related("purchase"):
            self._quietly(partial(credit_purchases.push, due, at=self.now()))

    def _quietly(self, act: Callable[[], object]) -> None:
        with suppress(PaymentsError, StoreError):
            act()


def still_owed() -> dict[str, int]:
    """What nobody did, by what it is; empty when all was done. A mismatch that waits for people is not owed."""
    found = {
        "events": StripeEvent.objects.filter(state=StripeEvent.State.RECEIVED).count(),
        "refunds": LineRefund.objects.filter(state=LineRefund.State.DUE).count(),
        "credit refunds": CreditRefund.objects.filter(state=CreditRefund.State.DUE).count(),
        "paid orders": Order.objects.filter(
            paid_at=None, number__in=Charge.objects.filter(state=Charge.State.PAID).values("reference")
        ).count(),
    }
    return {name: number for name, number in found.items() if number}
