"""A long run: many more cases of each law, their number at the end, and what the marker `long` keeps out of the suite.

Loaded by `make test-long`.
"""

from typing import Any

import hypothesis
import pytest

LEAST = 200_000
EACH = 11_000
_counted: list[int] = []


def pytest_configure() -> None:
    hypothesis.settings.register_profile(
        "long",
        deadline=None,
        max_examples=EACH,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("long")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each process hands over how many cases it tried; the suite's own process prints the sum."""
    from tests.licensing.cases import tried

    total = sum(tried.values())
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _counted.append(total)
    else:
        output["property_cases"] = total


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _counted.append(getattr(node, "workeroutput", {}).get("property_cases", 0))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total = sum(_counted)
    if total:
        terminalreporter.write_line(f"{total:,} property cases tried (at least {LEAST:,} are wanted)")
