"""A figure meets its goal by its ratio to a limit of the same run, or makes no claim."""

import pytest

from benchmarks.figures import Figure


@pytest.mark.parametrize(
    ("value", "limit", "goal", "more", "met"),
    [
        (1.1, 1.0, 1.2, False, True),
        (1.3, 1.0, 1.2, False, False),
        (0.7, 1.0, 0.6, True, True),
        (0.5, 1.0, 0.6, True, False),
        (1.0, None, 1.2, False, None),
        (1.0, 1.0, None, False, None),
    ],
)
def test_a_goal_bounds_the_ratio(value, limit, goal, more, met) -> None:
    assert Figure("x", value, "s", limit=limit, goal=goal, more_is_better=more).met is met


def test_the_report_holds_what_a_reader_needs() -> None:
    assert set(Figure("x", 2.0, "s", limit=1.0, goal=3.0).to_json()) >= {
        "name", "value", "unit", "limit", "ratio", "goal", "met",
    }  # fmt: skip
