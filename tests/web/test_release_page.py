"""The release page: what one gets, what it costs, who gets what, and on what it rests."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from catalog.models import Release
from tests.factories import shelf

pytestmark = pytest.mark.django_db


def page_of(client: Client, release: Release) -> Any:
    return client.get(f"/release/{release.slug}")


def test_who_gets_what_sums_to_the_price(visitor: Client) -> None:
    page = page_of(visitor, shelf.shelve(tracks=3, price_minor=129)).context
    assert sum(part.minor for part in page["split"]) == page["offer"].amount_minor
    assert sum(part.micros for part in page["split"]) == page["split_total"]
    assert sum(part.width for part in page["split"]) == 1000


def test_tax_is_that_of_the_country_one_buys_from(visitor: Client) -> None:
    release = shelf.shelve()
    assert "Tax in Germany" in page_of(visitor, release).content.decode()
    visitor.post("/country", {"country": "US"})
    assert "no tax for the United States" in page_of(visitor, release).content.decode()


def test_a_release_not_cleared_here_says_why_and_where_it_is_sold(visitor: Client) -> None:
    release = shelf.shelve(countries=["AT", "CH"])
    page = page_of(visitor, release).content.decode()
    assert "Not sold in Germany yet." in page
    assert "Sold in Austria and Switzerland." in page
    assert "Buy the album" not in page


def test_where_one_track_is_refused_the_others_sell_singly(visitor: Client) -> None:
    page = page_of(visitor, shelf.shelve(tracks=3, refused=1))
    shut = [line for disc in page.context["discs"] for line in disc["tracks"] if line.why]
    assert len(shut) == 1
    assert "non-commercial" in shut[0].why
    assert page.context["offer"] is None
    assert page.context["singles"]


def test_nothing_lossless_is_offered_from_a_lossy_master(visitor: Client) -> None:
    page = page_of(visitor, shelf.shelve(lossless=False))
    labels = [row["label"] for row in page.context["formats"]]
    assert labels[0] == "MP3, the delivered file itself"
    assert not any("lossless" in label for label in labels)
    assert all("lossy source" in label for label in labels[1:])


def test_sizes_are_exact_once_the_files_are_made(visitor: Client) -> None:
    rows = {row["label"]: row for row in page_of(visitor, shelf.shelve()).context["formats"]}
    assert rows["FLAC, lossless"]["exact"]
    assert not rows["WAV, lossless"]["exact"]


def test_both_layers_name_their_licence_and_who_granted_it(visitor: Client) -> None:
    page = page_of(visitor, shelf.shelve()).context
    assert [layer["name"] for layer in page["layers"]] == ["The recording", "The composition"]
    assert all(layer["grants"][0]["licence"] == "CC BY-SA 4.0" for layer in page["layers"])


def test_a_release_with_three_hundred_tracks_costs_no_more_queries(
    visitor: Client, django_assert_max_num_queries: Callable[..., Any], django_assert_num_queries: Callable[..., Any]
) -> None:
    small, large = shelf.shelve("Small", tracks=1), shelf.shelve("Large", tracks=20)
    page_of(visitor, small)
    with django_assert_max_num_queries(40) as few:
        page_of(visitor, small)
    with django_assert_num_queries(len(few)):
        page_of(visitor, large)


def test_what_one_owns_is_not_sold_again(at_alices: Client, alice: Any) -> None:
    release = shelf.shelve()
    shelf.sell(shelf.whole(release), buyer=alice)
    page = page_of(at_alices, release).content.decode()
    assert "In your library" in page
    assert "Buy the album" not in page


def test_a_blank_sleeve_stands_for_a_missing_cover(visitor: Client) -> None:
    assert "blank" in page_of(visitor, shelf.shelve()).content.decode()


def test_a_cover_comes_in_several_widths(visitor: Client) -> None:
    release = shelf.shelve()
    shelf.make_cover(release)
    page = page_of(visitor, release)
    answer = visitor.get(f"/artwork/{page.context['cover']}-240.webp")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert "immutable" in answer["Cache-Control"]
    assert visitor.get(f"/artwork/{page.context['cover']}-241.webp").status_code == 404
