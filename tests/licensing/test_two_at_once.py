"""C5 under haste: the same reviewer twice at the same moment is one approval, two reviewers are two, and a new version
never slips in between what was read and what is written down."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from licensing import assessments, clearance, dossiers, grants, reviews
from licensing.errors import GrantOutdated, LicensingError, ReviewTwice
from licensing.models import LicenceGrant, Review, ReviewCase
from licensing.reviews import Reviewer
from tests.factories.catalog import make_recording
from tests.factories.licensing import NOW, SOUND, make_grant
from tests.waiters import until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def two(settings: Any) -> None:
    settings.REVIEW_TWO_ABOVE_RISK = 0


def approve(grant: LicenceGrant, actor: str) -> Review | LicensingError:
    try:
        return reviews.approve(grant, reviewer=Reviewer(actor), sound_sha256=SOUND, at=NOW)
    except LicensingError as refusal:
        return refusal
    finally:
        connection.close()


def test_the_same_reviewer_pressing_twice_at_once_approves_once() -> None:
    grant = make_grant(make_recording())
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(approve, [grant] * 6, ["user:rita"] * 6))
    assert sum(isinstance(word, Review) for word in said) == 1
    assert all(isinstance(word, Review | ReviewTwice) for word in said)
    assert ReviewCase.objects.get().seconding


def test_two_reviewers_at_once_are_two() -> None:
    grant = make_grant(make_recording())
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(approve, [grant] * 2, ["user:rita", "user:sam"]))
    assert all(isinstance(word, Review) for word in said)
    assert not ReviewCase.objects.exists()


def test_an_approval_on_its_way_never_follows_a_new_version() -> None:
    grant = make_grant(make_recording())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            newer = grants.new_version(grant, actor="user:bob", at=NOW)
            late = pool.submit(approve, grant, "user:rita")
            until_somebody_waits("transactionid", "tuple")
        assert isinstance(late.result(), GrantOutdated)
    assert not Review.objects.exists()
    assert ReviewCase.objects.get().grant_id == newer.pk


def test_without_the_lock_the_same_reviewer_could_be_written_down_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither transaction sees the other's row; that they are one person the engine still knows."""
    grant = make_grant(make_recording())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licensing_review DISABLE TRIGGER licensing_case_decided")
    monkeypatch.setattr(reviews, "_hold", lambda _keys: None)
    monkeypatch.setattr(clearance, "decide_again", lambda *_found, **_by: None)
    monkeypatch.setattr(dossiers, "hashes_of", lambda _recordings: {})
    monkeypatch.setattr(assessments, "_KEEP", "SELECT %s, %s, %s")
    try:
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            words = reviews._approvals([grant], sounds={grant.pk: SOUND}, shown={}, reason="")
            reviews._write(words, reviewer=Reviewer("user:rita"), at=NOW)
            assert isinstance(pool.submit(approve, grant, "user:rita").result(), Review)
        assert Review.objects.count() == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE licensing_review ENABLE TRIGGER licensing_case_decided")
