"""Names and titles are one clean line before they are kept."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.words import clean, sort_name, split_featured


@given(st.text())
def test_clean_text_can_be_stored_and_shown(text: str) -> None:
    line = clean(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in line)
    assert line == unicodedata.normalize("NFC", line).strip()
    assert clean(line) == line


def test_a_letter_and_its_accent_become_one() -> None:
    assert clean("Bjo\u0308rk") == "Björk"


def test_marks_that_turn_the_reading_direction_go() -> None:
    assert clean("Song\u202egnos\u2066") == "Songgnos"


def test_bytes_of_a_file_name_that_is_not_utf8_show_as_unknown() -> None:
    assert clean(b"caf\xe9.ogg".decode("utf-8", "surrogateescape")) == "caf\ufffd.ogg"


def test_a_title_too_long_is_cut_with_a_mark() -> None:
    assert clean("x" * 600) == "x" * 499 + "…"


@pytest.mark.parametrize(
    ("name", "filed"),
    [("The Aerials", "Aerials, The"), ("Die Ärzte", "Ärzte, Die"), ("The", "The"), ("Theory", "Theory")],
)
def test_an_article_is_filed_last(name: str, filed: str) -> None:
    assert sort_name(name) == filed


@pytest.mark.parametrize(
    ("written", "main", "featured"),
    [
        ("Ana feat. Ben & Cy", "Ana", ["Ben", "Cy"]),
        ("Ana (ft. Ben)", "Ana", ["Ben"]),
        ("Ana & Ben", "Ana & Ben", []),
        ("Featuring Ana", "Featuring Ana", []),
        ("Left feat Right", "Left", ["Right"]),
    ],
)
def test_guests_are_told_from_the_main_artist(written: str, main: str, featured: list[str]) -> None:
    assert split_featured(written) == (main, featured)
