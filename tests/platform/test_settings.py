"""A setting that cannot be read stops the start, and says what it should look like."""

import json
import runpy
from pathlib import Path

import pytest
from django.conf import settings as live
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory

from store import embedded, settings
from store.csp import PolicyMiddleware


def test_a_missing_value_is_named_with_both_ways_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEEDED", raising=False)
    with pytest.raises(ImproperlyConfigured, match="Set NEEDED, or NEEDED_FILE"):
        settings.text("NEEDED")


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("in the file\n")
    monkeypatch.setenv("NEEDED_FILE", str(tmp_path / "secret"))
    assert settings.text("NEEDED") == "in the file"


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEEDED_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match=r"NEEDED_FILE names .*absent"):
        settings.text("NEEDED")


@pytest.mark.parametrize("value", ["-1", "1.5", "１２", "1_000", "", "1e3", "many"])
def test_a_number_is_whole_and_plain(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("COUNT", value)
    with pytest.raises(ImproperlyConfigured, match="COUNT must be a whole number"):
        settings.number("COUNT", 5)


@pytest.mark.parametrize("value", ["-1", "100.1", "NaN", "Infinity", "half"])
def test_a_percentage_is_from_nought_to_a_hundred(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SHARE", value)
    with pytest.raises(ImproperlyConfigured, match="SHARE must be a number from 0 to 100"):
        settings.percent("SHARE", "15")


def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHT", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="LIGHT must be yes or no"):
        settings.flag("LIGHT", default=True)


@pytest.mark.parametrize("value", ["shop.example", "ftp://shop.example", "https://"])
def test_an_address_names_its_scheme_and_host(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PLACE", value)
    with pytest.raises(ImproperlyConfigured, match="PLACE must begin with http"):
        settings.address("PLACE", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COUNTRY_HEADER", "CF-IPCountry"),  # without a proxy of the operator's own
        ("LOCATION_PROOFS", "3"),
        ("SELLER_COUNTRY", "Austria"),
        ("INVOICE_SERIES", "no/slash"),
        ("VIES_UNANSWERED", "trust"),
    ],
)
def test_what_the_tax_rests_on_is_said_rightly_or_nothing_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        runpy.run_path(settings.__file__)


def test_a_proxy_of_ones_own_may_tell_the_country(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTRY_HEADER", "CF-IPCountry")
    monkeypatch.setenv("BEHIND_PROXY", "yes")
    assert runpy.run_path(settings.__file__)["COUNTRY_HEADER"] == "CF-IPCountry"


def test_another_database_than_postgresql_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="must begin with postgresql://"):
        settings._database("sqlite:///store.db")


def test_an_address_of_the_database_is_read_whole() -> None:
    read = settings._database("postgresql://o%40ner:p%2Fw@db.example:5433/shop?sslmode=require")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("o@ner", "p/w", "db.example", "5433")
    assert read["NAME"] == "shop"
    assert read["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("queue", "cache"),
    [
        ("redis://host:6379/0", "redis://host:6379/1"),
        ("rediss://:secret@host:6380/4", "rediss://:secret@host:6380/5"),
        ("unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=3"),
    ],
)
def test_the_cache_lies_beside_the_queue_and_not_in_it(queue: str, cache: str) -> None:
    assert settings._next_database(queue) == cache


def test_the_tests_work_as_the_owner_and_the_store_does_not() -> None:
    assert settings.AS_OWNER
    assert "runserver" not in settings.OWNER_COMMANDS


def test_whoever_serves_the_web_tells_the_sandbox_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEARSONG_HOME", str(tmp_path))
    embedded.announce_web(8123)
    told = json.loads((tmp_path / "run" / "web.json").read_text())
    assert told == {"webhook_url": "http://127.0.0.1:8123/stripe/webhook"}


def policy(path: str) -> str:
    request = RequestFactory().get(path)
    answer = PolicyMiddleware(lambda _: HttpResponse()).process_response(request, HttpResponse())
    return answer["Content-Security-Policy"]


def test_pages_may_run_nothing_inline() -> None:
    assert "unsafe" not in policy("/")
    assert "script-src 'self'" in policy("/")


def test_only_staff_pages_may() -> None:
    assert "'unsafe-inline'" in policy("/admin/store/order/")


def test_a_form_may_lead_to_the_payment_page() -> None:
    (sources,) = (part for part in policy("/").split("; ") if part.startswith("form-action"))
    assert {"'self'", "https://checkout.stripe.com"} <= set(sources.split()[1:])


def test_a_public_store_on_stand_ins_is_warned_of(settings) -> None:
    settings.SECURE_SITE, settings.EMAIL_HOST = False, ""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRETS = "", []
    found = {message.id for message in checks.run_checks(tags=["security"], include_deployment_checks=True)}
    assert {"store.W001", "store.W002", "store.W004"} <= found


@pytest.mark.parametrize("asked", [True, False])
def test_reviewers_without_a_second_factor_stop_a_deployment(settings, asked) -> None:
    settings.SECURE_SITE, settings.REVIEW_SECOND_FACTOR = True, asked
    found = {message.id: message for message in checks.run_checks(tags=["security"], include_deployment_checks=True)}
    assert ("store.E001" in found) == (not asked)
    assert asked or found["store.E001"].is_serious()


def test_sweeps_ring_for_every_app_that_owes_work() -> None:
    tasks = {str(entry["task"]) for entry in live.CELERY_BEAT_SCHEDULE.values()}
    assert {f"{app}.tasks.sweep" for app in ("store", "payments", "transcoding")} <= tasks
