"""What templates say the same way everywhere."""

import pytest
from django.utils import translation

from licensing.territories import COUNTRIES
from store.templatetags import shop


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(129, "EUR", "€1.29"), (500, "JPY", "¥500"), (1500, "KWD", "KWD1.500")]
)
def test_money_has_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert shop.money(minor, currency) == text


def test_money_is_written_in_the_readers_language() -> None:
    with translation.override("de"):
        assert shop.money(129, "EUR") == "1,29\xa0€"


def test_ledger_amounts_show_parts_of_a_cent_only_where_there_are_some() -> None:
    assert [shop.micros(amount, "EUR") for amount in (1_290_000, 97_200, 453_480)] == ["€1.29", "€0.0972", "€0.45348"]


def test_a_column_of_ledger_amounts_aligns_its_decimals() -> None:
    assert shop.ledger_amounts([1_100_000, 138_000], "EUR") == ["€1.100", "€0.138"]


@pytest.mark.parametrize(("seconds", "text"), [(0, ""), (59.6, "1:00"), (222, "3:42"), (3723, "1:02:03")])
def test_lengths_read_as_on_a_sleeve(seconds: float, text: str) -> None:
    assert shop.seconds_clock(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(999, "999 B"), (3_840_000, "3.8 MB"), (153_000_000, "153 MB")])
def test_sizes_are_counted_in_decimal_units(size: int, text: str) -> None:
    assert shop.filesize(size) == text


def test_hashes_are_grouped_in_fours() -> None:
    assert shop.hash_groups("0123456789ab") == "0123 4567 89ab"


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([], "nowhere yet"),
        (["DE", "AT"], "Austria and Germany"),
        (["DE", "AT", "CH", "FR", "IT"], "Austria, France, Germany and 2 more"),
        (COUNTRIES, "worldwide"),
    ],
)
def test_countries_are_said_in_words(codes: list[str], text: str) -> None:
    assert shop.countries_phrase(codes) == text


@pytest.mark.parametrize(
    ("code", "said"), [("US", "the United States"), ("NL", "the Netherlands"), ("NO", "Norway"), ("DE", "Germany")]
)
def test_a_countrys_name_takes_its_article_inside_a_sentence(code: str, said: str) -> None:
    assert shop.in_country(code) == said
