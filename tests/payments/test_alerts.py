"""What does not fit is told once while it stands, and ends only with a note of what came of it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError

from payments import alerts
from payments.errors import AlertError
from payments.models import Alert
from tests.factories.payments import AT

pytestmark = pytest.mark.django_db


def raised(**over: str) -> Alert:
    return alerts.raise_alert(**{"code": "CHARGE_MISMATCH", "subject": "CS-1", "text": "499 of 500", **over}, at=AT)


def test_the_same_again_is_counted_while_it_stands() -> None:
    raised()
    assert raised(text="498 of 500").times == 2
    assert [alert.text for alert in alerts.standing()] == ["498 of 500"]


def test_a_closed_one_that_comes_again_is_a_new_one() -> None:
    alerts.close(raised(), actor="user:1", note="Refunded by hand.", at=AT)
    assert alerts.standing() == []
    assert raised().times == 1
    assert Alert.objects.count() == 2


def test_closing_takes_a_note_and_is_done_once() -> None:
    alert = raised()
    with pytest.raises(AlertError):
        alerts.close(alert, actor="user:1", note=" ", at=AT)
    alerts.close(alert, actor="user:1", note="Looked at.", at=AT)
    with pytest.raises(AlertError):
        alerts.close(alert, actor="user:2", note="Me too.", at=AT + timedelta(hours=1))


def test_the_database_keeps_no_closed_alert_without_a_note() -> None:
    with pytest.raises(IntegrityError, match="alert_closed_with_a_note"):
        Alert.objects.filter(pk=raised().pk).update(closed_at=AT)
