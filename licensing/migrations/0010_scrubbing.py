"""What is hashed again in the background, and found to be what was approved or not."""

import django.db.models.functions.datetime
from django.db import migrations, models

PLACES = [("EVIDENCE", "Evidence"), ("TEXT", "Text"), ("AUDIO", "Audio")]

WATCHED = """
CREATE FUNCTION licensing_watch_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO licensing_bytecheck (place, key, sha256)
        SELECT DISTINCT CASE WHEN file = '' THEN 'TEXT' ELSE 'EVIDENCE' END,
            CASE WHEN file = '' THEN id::text ELSE file END, sha256
        FROM captured
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_watch_bytes AFTER INSERT ON licensing_instrument
    REFERENCING NEW TABLE AS captured FOR EACH STATEMENT EXECUTE FUNCTION licensing_watch_bytes();

INSERT INTO licensing_bytecheck (place, key, sha256)
    SELECT DISTINCT CASE WHEN file = '' THEN 'TEXT' ELSE 'EVIDENCE' END,
        CASE WHEN file = '' THEN id::text ELSE file END, sha256
    FROM licensing_instrument;

CREATE INDEX licensing_instrument_file ON licensing_instrument (file) WHERE file <> '';
"""
NOT_WATCHED = """
DROP INDEX licensing_instrument_file;
DROP TRIGGER licensing_watch_bytes ON licensing_instrument;
DROP FUNCTION licensing_watch_bytes();
"""


class Migration(migrations.Migration):
    dependencies = [("licensing", "0009_records")]

    operations = [
        migrations.CreateModel(
            name="ByteCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(choices=PLACES, max_length=8)),
                ("key", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("found_sha256", models.CharField(blank=True, max_length=64, null=True)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("next_check_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("altered_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["next_check_at", "id"], name="byte_check_due"),
                    models.Index(
                        condition=models.Q(("altered_at__isnull", False)),
                        fields=["place", "sha256"],
                        name="byte_check_altered",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("place", "key", "sha256"), name="byte_check_once"),
                    models.CheckConstraint(
                        condition=models.Q(("place__in", ["EVIDENCE", "TEXT", "AUDIO"])), name="byte_check_place_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="byte_check_has_sha256"
                    ),
                ],
            },
        ),
        migrations.RunSQL(WATCHED, NOT_WATCHED),
    ]
