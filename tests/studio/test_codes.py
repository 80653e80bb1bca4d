"""The label's codes in the studio."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Party
from store.models import Code
from tests.factories import catalog

PAGE = "/studio/bobs/codes/"


def make(client: Client, **over: str) -> Any:
    said = {"text": "SPRING-26", "act": "PERCENT", "value": "20", "currency": "EUR", "count": "1", **over}
    return client.post(PAGE, said)


def test_a_code_is_made_for_the_labels_own_music_and_the_label_bears_it(at_bobs: Client, label: Party) -> None:
    assert make(at_bobs, max_uses="3", ends_on="2030-12-31").status_code == 302
    code = Code.objects.get()
    assert (code.text, code.percent, code.label, code.bearer, code.max_uses) == ("SPRING-26", 20, label, "LABEL", 3)
    page = at_bobs.get(PAGE).content.decode()
    assert "0 of 3" in page
    assert "31 Dec 2030" in page


def test_a_batch_comes_as_a_table(at_bobs: Client) -> None:
    make(at_bobs, text="", count="20", act="FREE", max_uses="1", batch="=LP")
    lines = at_bobs.get(f"{PAGE}codes.csv?batch==LP").content.decode().splitlines()
    assert len(lines) == 21
    assert lines[1].endswith("'=LP")


@pytest.mark.parametrize(
    "over",
    [{"value": "0"}, {"value": "1E1"}, {"value": "１０"}, {"act": "AMOUNT", "value": "NaN"}, {"text": "x"},
     {"count": "0"}, {"act": "AMOUNT", "value": "5", "currency": "XXX"}, {"ends_on": "2001-01-01"}],
)  # fmt: skip
def test_a_code_that_cannot_be_is_refused_in_words(at_bobs: Client, over: dict[str, str]) -> None:
    page = make(at_bobs, **over)
    assert page.status_code == 422
    assert page.context["form"].errors
    assert not Code.objects.exists()


def test_a_word_is_given_once(at_bobs: Client) -> None:
    make(at_bobs)
    assert make(at_bobs).status_code == 422


def test_anothers_release_cannot_be_chosen(at_bobs: Client) -> None:
    other = catalog.make_release("Harbour", label=catalog.make_label("Other"))
    assert make(at_bobs, release=str(other.pk)).status_code == 422


def test_an_ended_code_says_so(at_bobs: Client) -> None:
    make(at_bobs)
    at_bobs.post(f"{PAGE}{Code.objects.get().pk}/end/")
    assert "Ended" in at_bobs.get(PAGE).content.decode()


def test_a_strangers_codes_do_not_exist(at_bobs: Client, at_charlies: Client) -> None:
    make(at_bobs)
    key = Code.objects.get().pk
    assert [at_charlies.get(PAGE).status_code, at_charlies.post(f"{PAGE}{key}/end/").status_code] == [404, 404]
    assert at_charlies.post(f"/studio/charlies/codes/{key}/end/").status_code == 404
    assert Code.objects.get().ends_at is None


def test_more_codes_cost_no_more_queries(at_bobs: Client, django_assert_num_queries: Callable[..., Any]) -> None:
    make(at_bobs)
    at_bobs.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        at_bobs.get(PAGE)
    asked = len(few)
    make(at_bobs, text="", count="20")
    at_bobs.get(PAGE)  # the word that they are made is said once
    with django_assert_num_queries(asked):
        at_bobs.get(PAGE)
