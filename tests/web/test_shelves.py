"""Home, browse, artist and label: what stands on the shelves, and what it costs to look."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Release
from store.models import Offer
from store.views import shop
from store.views.sleeves import newest
from tests.factories import catalog, shelf

pytestmark = pytest.mark.django_db
Counted = Callable[..., Any]


def shelve_many(count: int, **over: Any) -> None:
    label = catalog.make_label("Harbour")
    for number in range(count):
        shelf.shelve(f"Record {number}", label=label, tracks=1, **over)


@pytest.mark.parametrize("path", ["/", "/browse", "/search?q=record"])
def test_more_releases_cost_no_more_queries(
    visitor: Client, path: str, django_assert_max_num_queries: Counted, django_assert_num_queries: Counted
) -> None:
    shelve_many(2)
    visitor.get(path)  # what a process keeps in memory is read once
    with django_assert_max_num_queries(20) as few:
        visitor.get(path)
    shelve_many(6)
    with django_assert_num_queries(len(few)):
        visitor.get(path)


def test_a_release_stands_on_the_shelf_with_its_price(visitor: Client) -> None:
    shelf.shelve("First Light", tracks=3)
    page = visitor.get("/browse").content.decode()
    assert "First Light" in page
    assert "€2.40" in page


@pytest.mark.parametrize("path", ["/", "/browse", "/search?q=first"])
def test_the_shop_stays_open_while_the_cache_is_away(visitor: Client, path: str, settings: Any) -> None:
    shelf.shelve("First Light")
    nobody_listens = {"BACKEND": settings.CACHES["default"]["BACKEND"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": nobody_listens}
    assert "First Light" in visitor.get(path).content.decode()


def test_a_release_of_which_nothing_is_sold_has_no_place(visitor: Client) -> None:
    release = shelf.shelve("First Light")
    Offer.objects.update(closed_at=shelf.NOW)
    assert "First Light" not in visitor.get("/browse").content.decode()
    assert visitor.get(f"/release/{release.slug}").status_code == 404


def test_pages_of_the_shelf_hold_each_release_once(visitor: Client) -> None:
    shelve_many(40)
    first = visitor.get("/browse")
    second = visitor.get(f"/browse{first.context['next_page']}")
    titles = [sleeve.title for page in (first, second) for sleeve in page.context["sleeves"]]
    assert len(titles) == len(set(titles)) == 40
    assert not second.context["next_page"]


def test_the_newest_release_stands_first_and_moves_with_its_date(visitor: Client) -> None:
    old = shelf.shelve("First Light")
    new = shelf.shelve("Second Light")
    assert [each.title for each in visitor.get("/browse").context["sleeves"]] == ["Second Light", "First Light"]
    type(old).objects.filter(pk=old.pk).update(created_at=new.created_at + timedelta(days=1))
    assert [each.title for each in visitor.get("/browse").context["sleeves"]] == ["First Light", "Second Light"]


def test_a_page_goes_on_behind_the_last_of_those_that_came_at_the_same_moment() -> None:
    when = timezone.now()
    for number in range(4):
        shelf.shelve(f"Record {number}")
    Release.objects.update(created_at=when)
    seen = [release.pk for release in newest(9, "DE")]
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    assert [release.pk for release in newest(9, "DE", after=(when, seen[1]))] == seen[2:]


@pytest.mark.parametrize("country", ["", "DE"])
def test_a_page_is_read_off_the_shelf_in_its_order(country: str) -> None:
    shelve_many(3)
    with connection.cursor() as cursor:  # so few rows are sorted at once; a plan that has no other way is what is asked
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = newest(2, country, after=(timezone.now(), 1)).explain()
    below = plan[plan.index("Limit") :]
    assert "using shelf_newest" in below
    assert "Sort" not in below


@pytest.mark.parametrize("cursor", ["x", "bm9wZQ==", "WyIyMDI2LTAxLTAxIiwgMV0="])
def test_a_crooked_cursor_is_not_found(visitor: Client, cursor: str) -> None:
    assert visitor.get("/browse", {"after": cursor}).status_code == 404


def test_a_genre_shows_only_its_own(visitor: Client) -> None:
    shelf.shelve("First Light", genre="Ambient")
    shelf.shelve("Harbour", genre="Jazz")
    page = visitor.get("/browse?genre=Jazz").content.decode()
    assert "Harbour" in page
    assert "First Light" not in page


def test_an_artists_page_parts_her_own_from_where_she_is_heard(visitor: Client) -> None:
    ana = catalog.make_party("Ana Lind")
    shelf.shelve("Mine", artist=ana)
    guest = shelf.shelve("Theirs")
    catalog.make_credit(ana, recording=guest.tracks.all()[0].recording, role="FEATURED_ARTIST")
    page = visitor.get(f"/artist/{ana.slug}").context
    assert [sleeve.title for sleeve in page["own"]] == ["Mine"]
    assert [sleeve.title for sleeve in page["heard"]] == ["Theirs"]


def test_a_long_shelf_is_counted_only_so_far(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    shelve_many(3)
    assert "3 releases" in visitor.get("/browse").content.decode()
    monkeypatch.setattr(shop, "COUNTED", 2)
    assert "More than 2 releases" in visitor.get("/browse").content.decode()


@pytest.mark.parametrize("path", ["/", "/browse"])
def test_the_next_visitor_does_not_count_the_whole_shelf_again(visitor: Client, path: str) -> None:
    shelve_many(3, genre="Ambient")
    visitor.get(path)
    with CaptureQueriesContext(connection) as seen:
        assert "Ambient" in visitor.get(path).content.decode()
    assert [one["sql"] for one in seen if "GROUP BY" in one["sql"]] == []


def test_what_is_listed_is_never_as_old_as_its_numbers(visitor: Client) -> None:
    shelf.shelve("First Light", genre="Ambient")
    visitor.get("/browse?genre=Ambient")
    Offer.objects.update(closed_at=shelf.NOW)
    page = visitor.get("/browse?genre=Ambient").content.decode()
    assert "First Light" not in page
    assert "Nothing on this shelf" in page


def test_a_label_page_lists_its_releases(visitor: Client) -> None:
    label = catalog.make_label("Harbour Records")
    shelf.shelve("First Light", label=label)
    assert "First Light" in visitor.get(f"/label/{label.slug}").content.decode()


def test_nothing_found_proposes_what_was_meant(visitor: Client) -> None:
    shelf.shelve("Nocturnes")
    page = visitor.get("/search?q=noctrunes").content.decode()
    assert "Did you mean" in page
    assert "Nocturnes" in page


def test_an_empty_shop_says_what_will_be_here(visitor: Client) -> None:
    assert "The shelves are still empty" in visitor.get("/").content.decode()
