"""The desk of finance staff: only theirs, only with a second factor; what does not fit is closed there with a note."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments import alerts
from payments.models import Alert
from tests.factories.store import make_user, sign_in

PAGES = ["finance"]


@pytest.fixture
def fay(db: None) -> Client:
    """Fay keeps the books."""
    return sign_in(make_user("Fay", is_finance=True))


@pytest.fixture
def alert(db: None) -> Alert:
    return alerts.raise_alert("CHARGE_MISMATCH", subject="CS-1", text="499 of 500 <b>", at=timezone.now())


@pytest.mark.parametrize("name", PAGES)
def test_for_anybody_else_there_is_no_such_page(db: None, name: str) -> None:
    for other in (make_user("Alice"), make_user("Rita", is_reviewer=True), make_user("Ada", is_staff=True)):
        assert sign_in(other).get(reverse(name)).status_code == 404
    assert Client().get(reverse(name))["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PAGES)
def test_without_a_second_factor_the_way_to_one_is_shown(db: None, name: str) -> None:
    client = sign_in(make_user("Fay", is_finance=True), second_factor=False)
    assert client.get(reverse(name))["Location"].startswith(reverse("mfa_index"))


def test_what_does_not_fit_is_shown_and_closed_with_a_note(fay: Client, alert: Alert) -> None:
    assert "499 of 500 &lt;b&gt;" in fay.get(reverse("finance")).text
    fay.post(reverse("finance-alert-close", args=[alert.pk]), {"note": ""})
    assert alerts.standing() == [alert]
    fay.post(reverse("finance-alert-close", args=[alert.pk]), {"note": "Paid back by hand."})
    assert alerts.standing() == []


def test_nobody_else_closes_it(alert: Alert) -> None:
    url = reverse("finance-alert-close", args=[alert.pk])
    assert sign_in(make_user("Charlie")).post(url, {"note": "x"}).status_code == 404
    lacking = sign_in(make_user("Fay", is_finance=True), second_factor=False)
    assert lacking.post(url, {"note": "x"}).status_code == 302
    assert alerts.standing() == [alert]


def test_with_the_check_off_the_same_page_would_open(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """The control."""
    monkeypatch.setattr("store.access.require_finance", lambda user: user)
    monkeypatch.setattr("store.access.require_second_factor", lambda _request: None)
    assert sign_in(make_user("Charlie")).get(reverse("finance")).status_code == 200
