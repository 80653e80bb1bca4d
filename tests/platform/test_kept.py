"""What a factory laid out once is copied where it would come out the same, and is made anew everywhere else."""

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection, transaction

from catalog.models import Release
from licensing.models import AuditPending
from store.models import Offer, ReviewDue
from tests import cleaning
from tests.factories import kept, onsale
from tests.factories.catalog import make_label, make_recording

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is kept yet; each time that the factory really works is noted here."""
    if not cleaning.ready():
        pytest.skip("only a superuser of the database may write past triggers")
    monkeypatch.setattr(kept, "_laid", {})
    worked: list[str] = []
    review = onsale.review

    def noted() -> None:
        worked.append("reviewed")
        review()

    monkeypatch.setattr(onsale, "review", noted)
    return worked


def once() -> Release:
    """By a test before this one: kept, and gone from the database."""
    before = transaction.savepoint()
    release = onsale.put_on_sale()
    transaction.savepoint_rollback(before)
    return release


def rows() -> dict[str, int]:
    """How many rows stand in each table that is not clean."""
    with connection.cursor() as cursor:
        return {table: len(data.splitlines()) for table, data in cleaning.copied(cursor, cleaning.held()).items()}


def test_the_copy_holds_what_was_made_and_nobody_works_for_it(made: list[str]) -> None:
    before = transaction.savepoint()
    first = onsale.put_on_sale()
    stood = rows()
    transaction.savepoint_rollback(before)
    worked = len(made)
    second = onsale.put_on_sale()
    assert second == first
    assert second is not first
    assert rows() == stood
    assert len(made) == worked


def test_triggers_see_what_is_done_to_a_copy(made: list[str]) -> None:
    once()
    release = onsale.put_on_sale()
    waiting = AuditPending.objects.count()
    another = make_recording("Another")
    release.tracks.update(recording=another)
    assert ReviewDue.objects.filter(recording=another).exists()
    assert not Offer.objects.filter(closed_at=None).exists()
    onsale.agree(another)
    assert AuditPending.objects.count() > waiting


def test_a_second_one_in_one_test_is_another(made: list[str]) -> None:
    assert onsale.put_on_sale() != onsale.put_on_sale()


def test_another_question_is_answered_anew(made: list[str]) -> None:
    once()
    assert onsale.put_on_sale("Harbour").title == "Harbour"


def test_beside_other_rows_of_its_kind_it_is_made(made: list[str]) -> None:
    once()
    worked = len(made)
    make_label()
    onsale.put_on_sale()
    assert len(made) > worked


def test_at_another_time_it_is_made(made: list[str]) -> None:
    once()
    worked = len(made)
    with time_machine.travel("2026-11-20T12:00:00Z"):
        onsale.put_on_sale()
    assert len(made) > worked


def test_under_other_settings_it_is_made(made: list[str], settings: LazySettings) -> None:
    once()
    worked = len(made)
    settings.REVIEW_BATCH = 7
    onsale.put_on_sale()
    assert len(made) > worked


def test_with_the_rights_of_the_application_it_is_made(made: list[str]) -> None:
    once()
    worked = len(made)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE clearsong_app")
    onsale.put_on_sale()
    assert len(made) > worked
