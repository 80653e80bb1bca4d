"""The watch that a worker keeps over itself; tests/platform/test_deaf_workers.py has a real worker fall deaf."""

import pytest

from store import watch

LATER = watch.DEAF_SECONDS + 1


def test_orders_that_wait_while_its_hands_are_free_mean_that_it_is_deaf() -> None:
    assert watch.Watch(since=0).deaf(waiting=3, busy=False, received=0, now=LATER)


@pytest.mark.parametrize(
    ("waiting", "busy", "received"),
    [(0, False, 0), (3, True, 0), (3, False, 1)],
    ids=["nothing waits", "it is busy", "an order came in"],
)
def test_a_worker_that_hears_is_left_alone(waiting: int, busy: bool, received: int) -> None:  # noqa: FBT001
    kept = watch.Watch(since=0)
    assert not kept.deaf(waiting=waiting, busy=busy, received=received, now=LATER)
    assert not kept.deaf(waiting=3, busy=False, received=received, now=LATER + watch.DEAF_SECONDS - 1)
