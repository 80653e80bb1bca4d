"""A3: PostgreSQL is killed and started again while fifty people buy. Whatever was paid is delivered, once, and nothing
that the shop acknowledged is lost.

A server of its own, durable as an operator's, with the supervisor that starts it again. The long run has fifty shoppers
and three kills.
"""

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.db import DatabaseError, InterfaceError, connection, connections
from django.utils import timezone

from payments import audit
from payments.models import Transfer
from store import baskets, books, checkout, settlement
from store.errors import StoreError
from store.models import Certificate, Offer, Order, User
from tests import migrated
from tests.factories import shelf
from tests.factories.store import make_user
from tests.fakes import StripeFake
from tests.journeys.conftest import Shop
from tests.platform.homes import Home, kill, opened, until

pytestmark = pytest.mark.django_db(transaction=True)
BROKEN = (DatabaseError, InterfaceError)
SEED = 1


@dataclass
class Server:
    """A PostgreSQL that this process uses instead of the suite's, and that may be killed at any moment."""

    home: Home

    def kill(self) -> None:
        kill(self.home.pid("postgres"))

    def wait(self) -> None:
        until(self._answers)

    @staticmethod
    def _answers() -> bool:
        connection.close()
        try:
            connection.ensure_connection()
        except BROKEN:
            return False
        return True


@pytest.fixture
def server(transactional_db: None, kept_schema: Path | None, tmp_path: Path) -> Iterator[Server]:
    known = connections.settings["default"]
    before = {name: known[name] for name in ("HOST", "NAME", "USER", "PASSWORD")}
    with opened(Home(tmp_path / "home")) as home:
        address = urlsplit(home.user().environment["DATABASE_URL"])
        connection.close()
        known |= {"HOST": parse_qs(address.query)["host"][0], "NAME": "shop", "USER": "clearsong", "PASSWORD": ""}
        try:
            if kept_schema is None or not migrated.lay("shop", kept_schema):
                with connection._nodb_cursor() as cursor:
                    cursor.execute('CREATE DATABASE "shop"')
            call_command("migrate", verbosity=0)  # what is kept has no grants
            yield Server(home)
        finally:
            connection.close()
            known |= before


@dataclass
class Day:
    """Many who buy at once, each an order of one release, while the server is killed at some of their steps."""

    server: Server
    shop: Shop
    kills: set[int]
    people: list[User]
    offer: Offer
    steps: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    acknowledged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        threads = [threading.Thread(target=self._one, args=(number,)) for number in range(len(self.people))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.server.wait()
        assert not self.failed, self.failed

    def _one(self, number: int) -> None:
        try:
            order = self._patiently(lambda: self._place(number))
            self.acknowledged.append(order.number)
            page = self._patiently(lambda: checkout.start_payment(order, at=timezone.now()))
            self.shop.stripe.pay(page)
            if number % 2:  # the others close the page: webhook or sweep must do it
                self._once(lambda: settlement.settle_order(order, at=timezone.now()))
        except BaseException as error:
            self.failed.append(error)
            raise
        finally:
            connection.close()

    def _place(self, number: int) -> Order:
        buyer = self.people[number]
        basket = baskets.open_basket(user=buyer, session_key=None, currency="EUR")
        if not basket.lines.exists():
            baskets.add(basket, self.offer)
        return checkout.place_order(
            basket, buyer=buyer, country="DE", evidence={}, consent=True, request_key=f"press-{number}",
            at=timezone.now(),
        )  # fmt: skip

    def _patiently(self, act: Callable[[], object]):
        """As somebody who sees an error page and presses the same button again."""
        while True:
            found = self._once(act)
            if found is not None:
                return found
            self.server.wait()

    def _once(self, act: Callable[[], object]):
        self._perhaps_kill()
        try:
            return act()
        except BROKEN as error:
            self.broken.append(type(error).__name__)
        except StoreError as error:  # "has just gone off sale": what an unknown outcome may say; nothing was ordered
            self.broken.append(error.code)
        connection.close()
        return None

    def _perhaps_kill(self) -> None:
        with self.lock:
            if next(self.steps) in self.kills:
                self.server.kill()


def a_day(server: Server, stripe: StripeFake, *, people: int, kills: int) -> Day:
    release = shelf.shelve()
    shelf.make_letter(shelf.make_holder(release.label))
    shop = Shop(stripe)
    buyers = [make_user(f"Shopper {number}") for number in range(people)]
    at = set(random.Random(SEED).sample(range(people // 2, 5 * people // 2), kills))
    return Day(server, shop, at, buyers, shelf.whole(release))


def afterwards(day: Day) -> None:
    """The webhooks that come now, and the sweep that looks for what is still owed."""
    day.shop.deliver_webhooks()
    for order in Order.objects.exclude(state=Order.State.PAID):
        settlement.check_order(order, at=timezone.now())


def assert_each_paid_order_is_delivered_once(day: Day) -> None:
    orders = {order.number: order for order in Order.objects.all()}
    assert set(day.acknowledged) == set(orders)
    assert len(orders) == len(day.people)
    assert Counter(order.state for order in orders.values()) == {Order.State.PAID: len(orders)}
    charged = Counter(one["metadata"]["reference"] for one in day.shop.stripe.objects("charge"))
    assert charged == dict.fromkeys(orders, 1)
    assert Transfer.objects.filter(kind="SALE").count() == Certificate.objects.count() == len(orders)
    assert sum(audit.trial_balance().values()) == 0
    assert audit.verify().problem is None
    assert books.verify() is None


def storm(server: Server, stripe: StripeFake, *, people: int, kills: int) -> None:
    day = a_day(server, stripe, people=people, kills=kills)
    day.run()
    assert day.broken, "nobody noticed the kill"
    afterwards(day)
    assert_each_paid_order_is_delivered_once(day)
    before = Transfer.objects.count()
    afterwards(day)
    assert Transfer.objects.count() == before


@pytest.mark.long
def test_killed_three_times_while_fifty_buy_every_paid_order_is_delivered_once(
    server: Server, stripe_sandbox: StripeFake
) -> None:
    storm(server, stripe_sandbox, people=50, kills=3)


@pytest.mark.long
def test_without_webhooks_and_sweep_a_kill_would_leave_paid_orders_undelivered(
    server: Server, stripe_sandbox: StripeFake
) -> None:
    """The control: what is owed is a row, and somebody must look at it again."""
    day = a_day(server, stripe_sandbox, people=8, kills=1)
    day.run()
    with pytest.raises(AssertionError):
        assert_each_paid_order_is_delivered_once(day)
    afterwards(day)
    assert_each_paid_order_is_delivered_once(day)


@pytest.mark.long
@pytest.mark.parametrize(("durable", "kept"), [("on", 1), ("off", 0)], ids=["as it is", "the control"])
def test_an_order_that_was_acknowledged_is_there_after_a_kill(
    server: Server, stripe_sandbox: StripeFake, durable: str, kept: int
) -> None:
    """The control is a server that acknowledges before it has written: it loses the order."""
    day = a_day(server, stripe_sandbox, people=1, kills=0)
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        cursor.execute(f"ALTER SYSTEM SET synchronous_commit = {durable}")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    order = day._place(0)
    server.kill()
    server.wait()
    assert Order.objects.filter(pk=order.pk).count() == kept
