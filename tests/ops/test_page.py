"""The operators' page is for staff, and its figures for whoever shows the token."""

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from store import attendance
from tests.ops.conftest import owed, waiting_master


def test_staff_see_what_is_owed_and_what_is_stuck(at_adas: Client) -> None:
    waiting = owed(priority=10, minutes=60)
    page = at_adas.get("/ops/").content.decode()
    assert "Files a buyer waits for" in page
    assert f"/admin/transcoding/rendition/{waiting.pk}/change/" in page
    assert "No worker has been heard today" in page


def test_an_idle_store_says_so(at_adas: Client) -> None:
    assert "Nothing is owed." in at_adas.get("/ops/").content.decode()


@pytest.mark.parametrize("path", ["/ops/", "/ops/metrics"])
def test_for_others_there_is_no_such_page(at_alices: Client, path: str) -> None:
    assert at_alices.get(path).status_code == 404


@pytest.mark.django_db
def test_a_stranger_is_asked_to_sign_in() -> None:
    assert Client().get("/ops/").status_code == 302
    assert Client().get("/ops/metrics").status_code == 404


@pytest.mark.django_db
def test_the_token_opens_the_figures(settings: LazySettings) -> None:
    settings.METRICS_TOKEN = "a long secret"
    answer = Client().get("/ops/metrics", headers={"authorization": "Bearer a long secret"})
    assert answer.status_code == 200
    assert b"clearsong_oldest_owed_seconds" in answer.content


@pytest.mark.django_db
@pytest.mark.parametrize(("token", "shown"), [("a long secret", "Bearer wrong"), ("", "Bearer "), ("x", "Basic x")])
def test_no_token_or_a_wrong_one_opens_nothing(settings: LazySettings, token: str, shown: str) -> None:
    settings.METRICS_TOKEN = token
    assert Client().get("/ops/metrics", headers={"authorization": shown}).status_code == 404


def test_the_page_costs_the_same_whatever_waits(at_adas: Client, django_assert_max_num_queries) -> None:
    for minutes in range(60, 66):
        owed(priority=10, minutes=minutes)
        waiting_master(minutes=minutes)
    with django_assert_max_num_queries(24):
        at_adas.get("/ops/")


def test_workers_are_listed_with_when_they_were_last_heard(at_adas: Client) -> None:
    attendance.sign_in("celery@harbour", ("cpu", "io"), at=timezone.now())
    page = at_adas.get("/ops/").content.decode()
    assert "celery@harbour" in page
    assert "cpu, io" in page
