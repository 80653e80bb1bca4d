"""Every country lies somewhere."""

from licensing.territories import COUNTRIES
from store.regions import region_of


def test_every_country_has_a_region() -> None:
    assert all(region_of(code) for code in COUNTRIES)


def test_countries_lie_where_people_look_for_them() -> None:
    assert [region_of(code) for code in ("DE", "IS", "BR", "NZ", "KE")] == [
        "Europe", "Europe", "Americas", "Oceania", "Africa",
    ]  # fmt: skip
