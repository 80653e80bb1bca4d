"""Countries kept as one text are found one by one, and nothing else is found among them."""

import pytest

from licensing.models import ClearanceDecision
from tests.factories import catalog, store

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
