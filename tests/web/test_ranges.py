"""Which bytes a Range header asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.ranges import RangeUnsatisfiable, Span, parse


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-99", Span(0, 99)),
        ("bytes=900-", Span(900, 999)),
        ("bytes=-100", Span(900, 999)),
        ("bytes=-5000", Span(0, 999)),
        ("bytes=990-5000", Span(990, 999)),
        ("Bytes=0-0", Span(0, 0)),
    ],
)
def test_a_single_range_is_understood(header: str, span: Span) -> None:
    assert parse(header, 1000) == span


@pytest.mark.parametrize("header", ["", "bytes=", "bytes=-", "bytes=9-3", "bytes=a-b", "items=0-1", "bytes=0-1,5-6"])
def test_what_is_no_single_range_asks_for_the_whole(header: str) -> None:
    assert parse(header, 1000) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(header: str) -> None:
    with pytest.raises(RangeUnsatisfiable):
        parse(header, 1000)


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(RangeUnsatisfiable):
        parse("bytes=0-", 0)


@given(st.text(alphabet="bytes=-0123456789, ", max_size=30), st.integers(0, 10**12))
def test_every_span_lies_inside_the_file(header: str, size: int) -> None:
    try:
        span = parse(header, size)
    except RangeUnsatisfiable:
        return
    assert span is None or 0 <= span.first <= span.last < size
