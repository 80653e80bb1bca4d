"""What the database itself promises about licensing, whatever code or person speaks to it."""

from django.db import migrations

from licensing.migrations._append_only import append_only

APPEND_ONLY = [
    "licensing_instrument",
    "licensing_licencegrant",
    "licensing_grantevidence",
    "licensing_review",
    "licensing_grantend",
    "licensing_notice",
    "licensing_noticeend",
    "licensing_clearancedecision",
]

REFUSE_CHANGES = """
CREATE FUNCTION licensing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add a new row instead of % on it', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""
ALLOW_CHANGES = "DROP FUNCTION licensing_append_only();"

# The engine refuses such a review as well; here it cannot even be written down.
FOUR_EYES = """
CREATE FUNCTION licensing_review_is_independent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked licensing_licencegrant%ROWTYPE;
BEGIN
    SELECT * INTO asked FROM licensing_licencegrant WHERE id = NEW.grant_id;
    IF asked.submitted_by = NEW.reviewer OR asked.submitted_for_id = ANY (NEW.reviewer_labels) THEN
        RAISE EXCEPTION 'REVIEW_NOT_INDEPENDENT: % handed in or belongs to the label of grant %',
            NEW.reviewer, NEW.grant_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER licensing_review_independent BEFORE INSERT ON licensing_review
    FOR EACH ROW EXECUTE FUNCTION licensing_review_is_independent();
"""
NO_FOUR_EYES = """
DROP TRIGGER licensing_review_independent ON licensing_review;
DROP FUNCTION licensing_review_is_independent();
"""

EVIDENCE_FIRST = """
CREATE FUNCTION licensing_evidence_before_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM licensing_review WHERE grant_id = NEW.grant_id) THEN
        RAISE EXCEPTION 'grant % has been reviewed: record a new version with the further evidence', NEW.grant_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER licensing_evidence_before_review BEFORE INSERT ON licensing_grantevidence
    FOR EACH ROW EXECUTE FUNCTION licensing_evidence_before_review();
"""
EVIDENCE_ANY_TIME = """
DROP TRIGGER licensing_evidence_before_review ON licensing_grantevidence;
DROP FUNCTION licensing_evidence_before_review();
"""


class Migration(migrations.Migration):
    dependencies = [("licensing", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSE_CHANGES, ALLOW_CHANGES),
        *(append_only(table) for table in APPEND_ONLY),
        migrations.RunSQL(FOUR_EYES, NO_FOUR_EYES),
        migrations.RunSQL(EVIDENCE_FIRST, EVIDENCE_ANY_TIME),
    ]
