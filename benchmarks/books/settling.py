"""`settle_order` of an order of one line: lock, reading again, split, posting, certificate, library.

The orders are copies of one that was placed through the shop, each paid as far as its charge says; what Stripe would be
asked over the network is left out, because its answer takes as long as it takes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from benchmarks.books.clients import Act, Clients, rounds
from benchmarks.figures import Figure, Progress

ALONE_GOAL, TOGETHER_GOAL, TOGETHER = 150.0, 250.0, 8
START = 1_000_000_000  # the first key of a copy


def lay_out(number: int) -> None:
    """One order through the shop, and so many copies of it."""
    from django.db import connection
    from django.utils import timezone

    from payments.models import Charge
    from store import baskets, checkout
    from tests.factories import shelf
    from tests.factories.store import make_user

    release = shelf.shelve()
    shelf.make_letter(shelf.make_holder(release.label))
    alice = make_user("Alice")  # type: ignore[no-untyped-call]
    basket = baskets.open_basket(user=alice, session_key=None, currency="EUR")
    baskets.add(basket, shelf.single(release))
    order = checkout.place_order(
        basket, buyer=alice, country="DE", evidence={"stated": "DE"}, consent=True, request_key="first",
        at=timezone.now(),
    )  # fmt: skip
    charge = Charge.objects.create(
        reference=order.number, request_sha256="0" * 64, amount_minor=order.total_minor, currency=order.currency,
        state=Charge.State.PAID, transfer_group=order.number, paid_at=timezone.now(),
    )  # fmt: skip
    line = order.lines.get()
    key = f"{START} + n"
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    name = "'copy-' || n"
    _copy(
        "store_order",
        order.pk,
        number,
        {"id": key, "public_id": "gen_random_uuid()", "number": name, "request_key": name},
    )
    _copy("payments_charge", charge.pk, number, {"id": key, "reference": name, "transfer_group": name})
    _copy("store_orderline", line.pk, number, {"id": key, "public_id": "gen_random_uuid()", "order_id": key})
    _copy("store_orderlinetrack", line.tracks.get().pk, number, {"id": key, "line_id": key})
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def _copy(table: str, key: int, number: int, changed: Mapping[str, str]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
            [table],
        )
        columns = {name: changed.get(name, f"kept.{name}") for (name,) in cursor.fetchall()}
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {', '.join(columns.values())} "  # noqa: S608 - our own tables
            f"FROM {table} AS kept, generate_series(1, %s) AS n WHERE kept.id = %s",
            [number, key],
        )


def settle(index: int) -> Act:
    """Each client settles orders of its own, one after the other."""
    from store import settlement
    from store.models import Order

    waiting = iter(range(START + 1 + index, START + 10_000_000, TOGETHER))

    def act() -> None:
        order = Order.objects.get(pk=next(waiting))
        settled = settlement.settle_order(order, at=datetime.now(UTC))
        if settled.state != Order.State.PAID:
            raise RuntimeError(f"{order.number} is not settled: {settled.alert or settled.state}")

    return act


def figures(say: Progress, workers: Clients, *, seconds: float, times: int) -> list[Figure]:
    say(f"settling orders of one line with 1 and {TOGETHER} clients")
    act = "benchmarks.books.settling:settle"
    workers.rate(act, TOGETHER, seconds=0.5)
    alone, together, raw = rounds(
        times,
        [
            lambda: workers.rate(act, 1, seconds=seconds),
            lambda: workers.rate(act, TOGETHER, seconds=seconds),
            lambda: workers.rate("benchmarks.books.posting:raw", 1, seconds=seconds),
        ],
    )
    return [
        Figure("ledger.settle_1_client", alone, "1/s", ALONE_GOAL, 1.0, more_is_better=True),
        Figure(f"ledger.settle_{TOGETHER}_clients", together, "1/s", TOGETHER_GOAL, 1.0, more_is_better=True),
        Figure(
            "ledger.settle_to_raw", alone, "1/s", raw, more_is_better=True
        ),  # says how fast the machine was just then
    ]
