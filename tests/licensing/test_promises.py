"""What the database keeps by itself, tried with raw SQL, and what happens where the guard is off."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import Error

from licensing import clearance, grants, notices
from licensing.models import (
    ClearanceDecision,
    GrantEnd,
    GrantEvidence,
    Instrument,
    LicenceGrant,
    Notice,
    NoticeEnd,
    Review,
)
from licensing.terms import EndKind, Use
from tests.factories.catalog import make_label, make_recording
from tests.factories.licensing import NOW, SOUND, make_cleared, make_evidence, make_grant

pytestmark = pytest.mark.django_db
APPEND_ONLY = [Instrument, LicenceGrant, GrantEvidence, Review, GrantEnd, Notice, NoticeEnd, ClearanceDecision]


@pytest.fixture
def one_of_each():
    """A row in every append-only table."""
    recording = make_cleared()
    clearance.clear(recording, use=Use.PERMANENT_DOWNLOAD, at=NOW, actor="t", sound_sha256=SOUND)
    notice = notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    notices.lift(notice, reason="R", actor="t", at=NOW)
    grant = LicenceGrant.objects.get(recording=recording)
    grants.end_grant(grant, kind=EndKind.SUSPENDED, reason="R", actor="t", at=NOW)


def run(statement, *values):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model.__name__)
@pytest.mark.usefixtures("one_of_each")
def test_no_row_of_evidence_is_changed_or_deleted(model):
    table = model._meta.db_table
    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):  # noqa: S608
        with pytest.raises(Error, match="append-only"):
            run(statement)
    assert model.append_only


@pytest.mark.usefixtures("one_of_each")
def test_without_the_trigger_the_same_statement_goes_through():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE licensing_notice DISABLE TRIGGER licensing_notice_append_only")
        cursor.execute("UPDATE licensing_notice SET claimant = 'Nobody'")
        assert cursor.rowcount == 1


@pytest.mark.parametrize("over", [{"reviewer": "user:bob"}, {"reviewer": "user:eve", "reviewer_labels": "own"}])
def test_nobody_can_write_down_a_review_of_ones_own(over):
    label = make_label()
    grant = make_grant(make_recording(label=label), actor="user:bob")
    if over.get("reviewer_labels"):
        over = {**over, "reviewer_labels": [label.pk]}
    with pytest.raises(Error, match="REVIEW_NOT_INDEPENDENT"), transaction.atomic():
        Review.objects.create(grant=grant, outcome="APPROVED", evidence_sha256="0" * 64, at=NOW, **over)


def test_an_independent_review_can_be_written_down():
    grant = make_grant(make_recording())
    assert Review.objects.create(grant=grant, outcome="APPROVED", reviewer="user:eve", evidence_sha256="0" * 64, at=NOW)


def test_evidence_is_not_added_behind_a_review():
    recording = make_cleared()
    with pytest.raises(Error, match="has been reviewed"), transaction.atomic():
        GrantEvidence.objects.create(grant=LicenceGrant.objects.get(recording=recording), instrument=make_evidence())


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"recording": None}, "grant_one_subject"),
        ({"layer": "WORK"}, "grant_subject_fits_layer"),
        ({"layer": "LYRICS"}, "grant_"),
        ({"basis": "HANDSHAKE"}, "grant_basis_known"),
        ({"licensee": "FRIEND"}, "grant_licensee_known"),
        ({"uses": []}, "grant_uses_known"),
        ({"uses": ["SYNC"]}, "grant_uses_known"),
        ({"territory_mode": "ONLY"}, "grant_territory_given"),
        ({"territory_mode": "MANY"}, "grant_territory_given"),
        ({"share_numerator": 0}, "grant_share_is_a_part"),
        ({"share_numerator": 3, "share_denominator": 2}, "grant_share_is_a_part"),
        ({"starts_on": "2026-02-02", "ends_on": "2026-02-01"}, "grant_dates_in_order"),
        ({"version": 2}, "grant_first_or_superseding"),
        ({"price_minimum_minor": 1}, "grant_price_has_currency"),
        ({"submitted_by": ""}, "grant_has_actor"),
    ],
)
def test_a_grant_that_makes_no_sense_cannot_be_kept(change, constraint):
    grant = make_grant(make_recording())
    fields = {field.attname: getattr(grant, field.attname) for field in LicenceGrant._meta.concrete_fields}
    del fields["id"], fields["record_id"]
    if "recording" in change:
        fields["recording_id"] = None
        change = {}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        LicenceGrant.objects.create(**{**fields, **change})


def test_a_version_has_one_successor():
    grant = make_grant(make_recording())
    newer = grants.new_version(grant, actor="user:bob", at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        LicenceGrant.objects.create(
            **{
                field.attname: getattr(newer, field.attname)
                for field in LicenceGrant._meta.concrete_fields
                if field.attname not in {"id", "version"}
            },
            version=3,
        )


@pytest.mark.usefixtures("as_application")
def test_the_application_does_all_its_acts_with_fewer_rights_than_the_owner():
    recording = make_cleared()
    sale = Use.PERMANENT_DOWNLOAD
    assert clearance.clear(recording, use=sale, at=NOW, actor="t", sound_sha256=SOUND).cleared_countries
    notices.take_down(recording, claimant="C", statement="S", actor="t", at=NOW)
    with pytest.raises(Error, match="permission denied"):
        run("UPDATE licensing_notice SET claimant = 'Nobody'")
