"""A decision's columns: countries are found one by one and nothing else among them; a verdict keeps its bytes."""

from typing import Any

import pytest
from django.db import connection

from licensing import batches, clearance, dossiers
from licensing.models import ClearanceDecision
from licensing.terms import Use
from tests.factories import catalog, licensing, store

pytestmark = pytest.mark.django_db


def _found(text: str) -> bool:
    return ClearanceDecision.objects.filter(cleared_countries__names=text).exists()


def test_countries_come_back_as_they_were_written() -> None:
    kept = store.make_decision(catalog.make_recording(), countries=["DE", "AT"])
    kept.refresh_from_db()
    assert kept.cleared_countries == ["AT", "DE"]


def test_a_country_among_them_is_found() -> None:
    store.make_decision(catalog.make_recording(), countries=["AT", "DE", "FR"])
    assert [_found(code) for code in ("AT", "DE", "FR", "ES")] == [True, True, True, False]


@pytest.mark.parametrize("text", ["", " ", "A", "T D", "AT DE", "%", "de"])
def test_no_piece_of_the_text_passes_for_a_country(text: str) -> None:
    store.make_decision(catalog.make_recording(), countries=["AT", "DE", "FR"])
    assert not _found(text)


def _hashed_by_the_database() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(sha256(convert_to(verdict::text, 'UTF8')), 'hex'), verdict_sha256 "
            "FROM licensing_clearancedecision"
        )
        return list(cursor.fetchall())


def test_the_kept_verdict_is_the_very_text_that_was_hashed() -> None:
    recording = licensing.make_cleared()
    ask: dict[str, Any] = {"use": Use.PERMANENT_DOWNLOAD, "at": licensing.NOW, "actor": "t"}
    clearance.clear(recording, sound_sha256=licensing.SOUND, **ask)
    known = dossiers.open_all([recording.pk], at=licensing.NOW)
    rows, _ = batches.decide_recordings({recording.pk: "6" * 64}, known, **ask)
    batches.write(rows)
    found = _hashed_by_the_database()
    assert len(found) == 2
    assert all(computed == kept for computed, kept in found)
