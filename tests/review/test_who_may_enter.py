"""The reviewer's desk exists for reviewers; its notices for staff as well."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from licensing.models import LicenceGrant, Notice, Review
from tests.factories import transcoding
from transcoding.models import Master


def _pages(grant: LicenceGrant) -> list[str]:
    evidence = grant.evidence.first()
    master = Master.objects.get(recording=grant.recording)
    copy = transcoding.make_rendition(master, "REVIEW", purpose="REVIEW")
    return [
        reverse("review"),
        reverse("review-decided"),
        reverse("review-case", args=[grant.record_id]),
        reverse("review-evidence", args=[evidence.public_id]),
        reverse("review-sound", args=[grant.record_id, master.public_id]),
        reverse("review-copy", args=[grant.record_id, copy.public_id]),
    ]


def test_a_stranger_is_asked_to_sign_in(client: Client, grant: LicenceGrant) -> None:
    assert {client.get(page).status_code for page in _pages(grant)} == {302}


@pytest.mark.parametrize("who", ["at_alices", "at_bobs", "at_adas"])
def test_nobody_but_a_reviewer_finds_the_desk(request: pytest.FixtureRequest, grant: LicenceGrant, who: str) -> None:
    client = request.getfixturevalue(who)
    assert {client.get(page).status_code for page in _pages(grant)} == {404}


@pytest.mark.parametrize("act", ["review-approve", "review-refuse"])
@pytest.mark.parametrize("who", ["at_alices", "at_bobs", "at_adas"])
def test_nobody_but_a_reviewer_decides(request: pytest.FixtureRequest, grant: LicenceGrant, who: str, act: str) -> None:
    body = {"evidence_sha256": "0" * 64, "reason": "no"}
    answer = request.getfixturevalue(who).post(reverse(act, args=[grant.record_id]), body)
    assert answer.status_code == 404
    assert not Review.objects.exists()


@pytest.mark.parametrize("who", ["at_alices", "at_bobs"])
@pytest.mark.parametrize("name", ["review-notices", "review-notice-new", "review-reports", "review-refunds"])
def test_nobody_else_finds_the_notices(request: pytest.FixtureRequest, who: str, name: str) -> None:
    assert request.getfixturevalue(who).get(reverse(name)).status_code == 404


@pytest.mark.parametrize("name", ["review-notices", "review-notice-new", "review-reports", "review-refunds"])
@pytest.mark.parametrize("who", ["at_ritas", "at_adas"])
def test_reviewers_and_staff_find_the_notices(request: pytest.FixtureRequest, who: str, name: str) -> None:
    assert request.getfixturevalue(who).get(reverse(name)).status_code == 200


def test_nobody_else_lifts_a_notice(at_bobs: Client) -> None:
    assert at_bobs.post(reverse("review-notice-lift", args=[uuid.uuid4()])).status_code == 404
    assert not Notice.objects.exists()


def test_a_decision_needs_a_post(at_ritas: Client, grant: LicenceGrant) -> None:
    assert at_ritas.get(reverse("review-approve", args=[grant.record_id])).status_code == 405


def test_an_unknown_record_is_not_found(at_ritas: Client) -> None:
    assert at_ritas.get(reverse("review-case", args=[uuid.uuid4()])).status_code == 404
