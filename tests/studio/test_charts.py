"""The sales chart is drawn to scale."""

import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from store import charts


def _chart(values: list[int]) -> charts.Chart:
    first = date(2026, 11, 1)
    points = [(first + timedelta(days=n), value) for n, value in enumerate(values)]
    return charts.daily(points, amount=str, day=str)


def test_a_day_without_sales_has_a_bar_of_no_height() -> None:
    assert [bar.height for bar in _chart([0, 0]).bars] == [0, 0]


def test_twice_the_sales_is_twice_the_height() -> None:
    first, second = _chart([100, 200]).bars
    assert second.height == 2 * first.height


def test_dates_on_a_phone_have_room_and_every_day_still_has_its_bar() -> None:
    points = [(date(2026, 11, 1) + timedelta(days=n), n) for n in range(30)]
    narrow = charts.daily(points, amount=str, day=str, width=charts.NARROW)
    places = [mark.at for mark in narrow.days]
    assert len(narrow.bars) == 30
    assert max(bar.x + bar.width for bar in narrow.bars) <= charts.NARROW
    assert all(later - before >= charts.DATE for before, later in itertools.pairwise(places))


def test_each_bar_says_its_day_and_amount() -> None:
    assert _chart([7]).bars[0].title == "2026-11-01: 7"


def test_no_sales_at_all_still_draws_the_axis() -> None:
    assert _chart([]).bars == ()
    assert _chart([]).rules[0].text == "0"


def test_where_nothing_was_sold_no_scale_is_made_up() -> None:
    assert [rule.text for rule in _chart([0, 0]).rules] == ["0"]
    assert [rule.text for rule in _chart([0, 4]).rules] == ["0", "1", "2", "3", "4"]


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_every_bar_stays_inside_the_chart(values: list[int]) -> None:
    chart = _chart(values)
    assert all(bar.x >= chart.left and bar.x + bar.width <= chart.width + 0.1 for bar in chart.bars)
    assert all(0 <= bar.y <= chart.base for bar in chart.bars)
