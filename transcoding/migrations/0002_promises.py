"""Promises that the database keeps by itself, by whatever route somebody writes."""

from django.db import migrations

ACCEPTED_MASTER = """
CREATE FUNCTION transcoding_keep_accepted_master() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'ACCEPTED' AND (TG_OP = 'DELETE' OR NEW IS DISTINCT FROM OLD) THEN
        RAISE EXCEPTION 'master % is accepted and never changes; new audio is a new master', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'accepted_master_never_changes';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (NEW.recording_id, NEW.file_sha256, NEW.bytes) IS DISTINCT FROM (OLD.recording_id, OLD.file_sha256, OLD.bytes) THEN
        RAISE EXCEPTION 'master %: the file and its recording are fixed when it is delivered', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'master_file_never_changes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accepted_master_never_changes BEFORE UPDATE OR DELETE ON transcoding_master
    FOR EACH ROW EXECUTE FUNCTION transcoding_keep_accepted_master();
"""

FINDINGS = """
CREATE FUNCTION transcoding_keep_finding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'finding % is never changed or deleted', OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'finding_never_changes';
END $$;
CREATE TRIGGER finding_never_changes BEFORE UPDATE OR DELETE ON transcoding_finding
    FOR EACH ROW EXECUTE FUNCTION transcoding_keep_finding();
"""

MADE_RENDITION = """
CREATE FUNCTION transcoding_keep_made_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.sha256 <> '' THEN
            RAISE EXCEPTION 'rendition % is made; buyers may hold it', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'made_rendition_never_changes';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.master_id, NEW.format, NEW.recipe, NEW.tag_signature, NEW.tags, NEW.cut, NEW.public_id)
        IS DISTINCT FROM (OLD.master_id, OLD.format, OLD.recipe, OLD.tag_signature, OLD.tags, OLD.cut, OLD.public_id)
        OR (OLD.sha256 <> '' AND (NEW.sha256, NEW.bytes, NEW.storage_key, NEW.sound_sha256, NEW.samples)
            IS DISTINCT FROM (OLD.sha256, OLD.bytes, OLD.storage_key, OLD.sound_sha256, OLD.samples)) THEN
        RAISE EXCEPTION 'rendition %: what it is never changes, nor its bytes once made', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'made_rendition_never_changes';
    END IF;
    IF NEW.fence < OLD.fence THEN
        RAISE EXCEPTION 'rendition %: a fence never goes back', OLD.id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'rendition_fence_only_rises';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER made_rendition_never_changes BEFORE UPDATE OR DELETE ON transcoding_rendition
    FOR EACH ROW EXECUTE FUNCTION transcoding_keep_made_rendition();

CREATE FUNCTION transcoding_only_from_accepted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM transcoding_master WHERE id = NEW.master_id AND state = 'ACCEPTED') THEN
        RAISE EXCEPTION 'master % is not accepted: nothing is made from it', NEW.master_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'rendition_of_accepted_master';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rendition_of_accepted_master BEFORE INSERT ON transcoding_rendition
    FOR EACH ROW EXECUTE FUNCTION transcoding_only_from_accepted();
"""


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0001_initial")]

    operations = [
        migrations.RunSQL(
            ACCEPTED_MASTER,
            "DROP TRIGGER accepted_master_never_changes ON transcoding_master;"
            "DROP FUNCTION transcoding_keep_accepted_master;",
        ),
        migrations.RunSQL(
            FINDINGS,
            "DROP TRIGGER finding_never_changes ON transcoding_finding; DROP FUNCTION transcoding_keep_finding;",
        ),
        migrations.RunSQL(
            MADE_RENDITION,
            "DROP TRIGGER made_rendition_never_changes ON transcoding_rendition;"
            "DROP TRIGGER rendition_of_accepted_master ON transcoding_rendition;"
            "DROP FUNCTION transcoding_keep_made_rendition; DROP FUNCTION transcoding_only_from_accepted;",
        ),
    ]
