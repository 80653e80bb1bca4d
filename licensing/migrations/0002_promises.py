"""What the database itself promises about licensing, whatever code or person speaks to it."""

from django.db import migrations

APPEND_ONLY = [
    "instrument",
    "licencegrant",
    "grantevidence",
    "review",
    "grantend",
    "notice",
    "noticeend",
    "clearancedecision",
]

FORWARD = (
    """
CREATE FUNCTION licensing_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add a new row instead of % on it', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""
    + "".join(
        f"""
CREATE TRIGGER licensing_{table}_append_only BEFORE UPDATE OR DELETE ON licensing_{table}
    FOR EACH ROW EXECUTE FUNCTION licensing_append_only();
"""
        for table in APPEND_ONLY
    )
    + """
CREATE FUNCTION licensing_review_is_independent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked licensing_licencegrant%ROWTYPE;
BEGIN
    SELECT * INTO asked FROM licensing_licencegrant WHERE id = NEW.grant_id;
    IF asked.submitted_by = NEW.reviewer OR asked.submitted_for_id = ANY (NEW.reviewer_labels) THEN
        RAISE EXCEPTION 'REVIEW_NOT_INDEPENDENT: % handed in or belongs to the label of grant %', NEW.reviewer, NEW.grant_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER licensing_review_independent BEFORE INSERT ON licensing_review
    FOR EACH ROW EXECUTE FUNCTION licensing_review_is_independent();

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
)

BACKWARD = (
    """
DROP TRIGGER licensing_evidence_before_review ON licensing_grantevidence;
DROP FUNCTION licensing_evidence_before_review();
DROP TRIGGER licensing_review_independent ON licensing_review;
DROP FUNCTION licensing_review_is_independent();
"""
    + "".join(f"DROP TRIGGER licensing_{table}_append_only ON licensing_{table};\n" for table in APPEND_ONLY)
    + "DROP FUNCTION licensing_append_only();\n"
)


class Migration(migrations.Migration):
    dependencies = [("licensing", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
