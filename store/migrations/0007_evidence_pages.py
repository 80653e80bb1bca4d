"""Pages of evidence as pictures, owed for every file that is kept, and staged tables of records."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

OWE_PAGES = """
CREATE FUNCTION store_owe_evidence_pages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO store_evidencepages (sha256) VALUES (NEW.sha256) ON CONFLICT (sha256) DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER store_owe_evidence_pages AFTER INSERT ON licensing_instrument
    FOR EACH ROW WHEN (NEW.file <> '') EXECUTE FUNCTION store_owe_evidence_pages();
INSERT INTO store_evidencepages (sha256) SELECT DISTINCT sha256 FROM licensing_instrument WHERE file <> '';
"""
OWE_NONE = """
DROP TRIGGER store_owe_evidence_pages ON licensing_instrument;
DROP FUNCTION store_owe_evidence_pages();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0006_notices"), ("licensing", "0009_records")]

    operations = [
        migrations.CreateModel(
            name="EvidencePages",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("DUE", "Due"), ("DRAWN", "Drawn")], db_default="DUE", default="DUE", max_length=5
                    ),
                ),
                (
                    "codes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, db_default=[], default=list, size=None
                    ),
                ),
                ("total", models.PositiveIntegerField(db_default=0, default=0)),
                ("fence", models.PositiveIntegerField(db_default=0, default=0)),
                ("attempts", models.PositiveIntegerField(db_default=0, default=0)),
                ("claimed_until", models.DateTimeField(blank=True, null=True)),
                (
                    "next_try_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
                    ),
                ),
                ("drawn_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "evidence pages",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "DUE")), fields=["next_try_at"], name="evidence_pages_due"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="evidence_pages_sha256"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["DUE", "DRAWN"])), name="evidence_pages_state"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EvidencePage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("width", models.PositiveIntegerField()),
                ("height", models.PositiveIntegerField()),
                ("bytes", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "pages",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="pages", to="store.evidencepages"
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("pages", "number"), name="evidence_page_once"),
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="evidence_page_sha256"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecordImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("file_name", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("papers", models.JSONField(default=dict)),
                ("actor", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[("STAGED", "Staged"), ("APPLIED", "Applied"), ("DROPPED", "Dropped")],
                        default="STAGED",
                        max_length=7,
                    ),
                ),
                ("plan_sha256", models.CharField(blank=True, max_length=64)),
                ("made", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "label",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.party"
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["label", "-id"], name="record_import_label")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["STAGED", "APPLIED", "DROPPED"])), name="record_import_state"
                    )
                ],
            },
        ),
        migrations.RunSQL(OWE_PAGES, OWE_NONE),
    ]
