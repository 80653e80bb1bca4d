"""Notices about a work or a release with more recordings than one request can decide.

As one about a label does, such a notice leaves a `Reclearance` row in its own transaction, and what hangs on its subject
is held back until a worker has decided it (`licensing.affected.AT_ONCE` and the number here are the same).
"""

import django.db.models.deletion
from django.db import migrations, models

from licensing.models.columns import exactly_one

HELD = """
CREATE OR REPLACE FUNCTION licensing_held() RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(held), '{}') FROM (
        SELECT every.id AS held
        FROM licensing_reclearance owed
        JOIN licensing_licencegrant one ON one.id = owed.grant_id
        JOIN licensing_licencegrant every ON every.record_id = one.record_id
        WHERE owed.done_at IS NULL AND owed.closes
        UNION
        SELECT licensing_held_key(owed.label_id, owed.work_id, owed.release_id) FROM licensing_reclearance owed
        WHERE owed.done_at IS NULL AND owed.closes AND coalesce(owed.label_id, owed.work_id, owed.release_id) IS NOT NULL
    ) AS every_one
$$;
"""
KEY = """
CREATE FUNCTION licensing_held_key(label bigint, work bigint, release bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT -coalesce(label, (1::bigint << 40) + work, (1::bigint << 41) + release)
$$;
"""
LABELS_HELD = """
CREATE OR REPLACE FUNCTION licensing_held() RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(held), '{}') FROM (
        SELECT every.id AS held
        FROM licensing_reclearance owed
        JOIN licensing_licencegrant one ON one.id = owed.grant_id
        JOIN licensing_licencegrant every ON every.record_id = one.record_id
        WHERE owed.done_at IS NULL AND owed.closes
        UNION
        SELECT -owed.label_id FROM licensing_reclearance owed
        WHERE owed.done_at IS NULL AND owed.closes AND owed.label_id IS NOT NULL
    ) AS every_one
$$;
DROP FUNCTION licensing_held_key(bigint, bigint, bigint);
"""

OWED = """
CREATE FUNCTION licensing_large(work bigint, release bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT count(*) > 500 FROM (
        SELECT recording_id FROM catalog_recordingwork WHERE work_id = work
        UNION SELECT recording_id FROM catalog_track WHERE release_id = release
        LIMIT 501
    ) AS found;
$$;

CREATE FUNCTION licensing_reclear_large_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF licensing_large(NEW.work_id, NEW.release_id) THEN
        INSERT INTO licensing_reclearance (work_id, release_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
            VALUES (NEW.work_id, NEW.release_id, false, 'notice', true, 0, 1, 0, 0, 0, 0);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_large_notice AFTER INSERT ON licensing_notice
    FOR EACH ROW WHEN (NEW.work_id IS NOT NULL OR NEW.release_id IS NOT NULL)
    EXECUTE FUNCTION licensing_reclear_large_notice();

CREATE FUNCTION licensing_reclear_large_noticeend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO licensing_reclearance (work_id, release_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT about.work_id, about.release_id, false, 'notice end', false, 0, 1, 0, 0, 0, 0 FROM licensing_notice about
        WHERE about.id = NEW.notice_id AND licensing_large(about.work_id, about.release_id);
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_large_noticeend AFTER INSERT ON licensing_noticeend
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_large_noticeend();
"""
NOT_OWED = """
DROP TRIGGER licensing_reclear_large_noticeend ON licensing_noticeend;
DROP TRIGGER licensing_reclear_large_notice ON licensing_notice;
DROP FUNCTION licensing_reclear_large_noticeend(), licensing_reclear_large_notice(), licensing_large(bigint, bigint);
"""


def reference(to: str) -> models.ForeignKey:
    return models.ForeignKey(
        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=to
    )


class Migration(migrations.Migration):
    dependencies = [("licensing", "0010_scrubbing"), ("catalog", "0003_composition")]

    operations = [
        migrations.AddField(model_name="reclearance", name="work", field=reference("catalog.work")),
        migrations.AddField(model_name="reclearance", name="release", field=reference("catalog.release")),
        migrations.RemoveConstraint(model_name="reclearance", name="reclearance_one_scope"),
        migrations.AddConstraint(
            model_name="reclearance",
            constraint=models.CheckConstraint(
                name="reclearance_one_scope",
                condition=(exactly_one("grant", "label", "writer", "work", "release") & models.Q(everything=False))
                | models.Q(grant=None, label=None, writer=None, work=None, release=None, everything=True),
            ),
        ),
        migrations.RunSQL(KEY + HELD, LABELS_HELD),
        migrations.RunSQL(OWED, NOT_OWED),
    ]
