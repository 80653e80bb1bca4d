"""Which finished files were heard to their end, and which bytes turned out to be wrong: a row may forget those alone, and
counts how often it did."""

from django.db import migrations, models

BEFORE = """
CREATE OR REPLACE FUNCTION transcoding_keep_made_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

AFTER = """
CREATE OR REPLACE FUNCTION transcoding_keep_made_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.sha256 <> '' OR OLD.disowned > 0 THEN
            RAISE EXCEPTION 'rendition % is made; buyers may hold it', OLD.id
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'made_rendition_never_changes';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.master_id, NEW.format, NEW.recipe, NEW.tag_signature, NEW.tags, NEW.cut, NEW.public_id)
        IS DISTINCT FROM (OLD.master_id, OLD.format, OLD.recipe, OLD.tag_signature, OLD.tags, OLD.cut, OLD.public_id)
        OR (OLD.sha256 <> '' AND NOT (NEW.state = 'PLANNED' AND NEW.sha256 = '' AND NEW.disowned = OLD.disowned + 1)
            AND (NEW.sha256, NEW.bytes, NEW.storage_key, NEW.sound_sha256, NEW.samples)
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
"""

UNHEARD = models.Q(state="READY", sound_sha256="", heard_at=None, purpose__in=["FULL", "REVIEW"])


class Migration(migrations.Migration):
    dependencies = [("transcoding", "0007_who_tried")]

    operations = [
        migrations.AddField("rendition", "heard_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("rendition", "disowned", models.PositiveSmallIntegerField(db_default=0, default=0)),
        migrations.AddIndex(
            "rendition",
            models.Index(condition=UNHEARD, fields=["ready_at", "id"], name="rendition_unheard"),
        ),
        migrations.RunSQL(AFTER, BEFORE),
    ]
