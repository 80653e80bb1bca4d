"""How long a cleared preview may be: what is read out of an answer is what the engine says when it is asked."""

import pytest

from licensing import excerpts
from licensing.rules import decide
from licensing.terms import Layer, Use
from licensing.territories import BIT, COUNTRIES, TerritorySet
from tests.licensing.facts import ask, both, known, master, public, work

WORLD = set(COUNTRIES)


def longest(*records):
    verdict = decide(ask(Use.PREVIEW, preview_seconds=30, edited=True), known(*records))
    granted = {record.id: record.preview_max_seconds for record in records}
    found = excerpts.longest(verdict, granted)
    return {seconds: {code for code in COUNTRIES if mask & BIT[code]} for seconds, mask in found.items()}


@pytest.mark.parametrize(
    "records",
    [
        (master(), work()),
        (master(preview_max_seconds=45), work(preview_max_seconds=60)),
        (master(preview_max_seconds=30), work()),
        (master(preview_max_seconds=200), work()),
        (master(territories=TerritorySet.only("CA", "DE")), work()),
        both("CC BY 4.0"),
        both("CC BY-ND 4.0"),
        (public(Layer.RECORDING, "CC BY 4.0"), work()),
        (master(preview_max_seconds=20), work()),  # not even the usual length
    ],
)
def test_the_engine_clears_the_longest_cut_and_no_longer_one(records) -> None:
    found = longest(*records)
    for code in ("CA", "DE", "US"):
        most = next((seconds for seconds, there in found.items() if code in there), 0)
        for seconds in (30, 31, 45, 46, 60, 61, 90):
            asked = ask(Use.PREVIEW, preview_seconds=seconds, edited=True)
            assert decide(asked, known(*records)).is_cleared(code) is (seconds <= most), (code, seconds)


def test_the_shortest_grant_counts_and_canada_hears_less() -> None:
    assert longest(master(preview_max_seconds=45), work()) == {45: WORLD - {"CA"}, 30: {"CA"}}


def test_a_public_licence_sets_no_limit_so_ours_holds() -> None:
    assert longest(*both("CC BY 4.0")) == {90: WORLD}


def test_a_record_that_nobody_looked_up_allows_what_was_asked() -> None:
    verdict = decide(ask(Use.PREVIEW, preview_seconds=30), known(master(), work()))
    assert set(excerpts.longest(verdict, {})) == {30}
