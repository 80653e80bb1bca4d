"""What wide grants and their withdrawals need of the database.

Whatever changes the rights in a whole catalogue leaves a `Reclearance` row in the same transaction, by whatever route it
is written. `licensing_held` names the catalogues on which nothing may be sold meanwhile.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import licensing.models.columns

HELD = """
CREATE FUNCTION licensing_held() RETURNS bigint[] LANGUAGE sql STABLE AS $$
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
"""
NOT_HELD = "DROP FUNCTION licensing_held();"

# A grant for a catalogue, what is said about it and how it ends; a notice about a label and its end; a writer's mandate
# to a society; a tariff's rows. Only what takes a right away holds back sales until everything is decided anew.
OWED = """
CREATE FUNCTION licensing_reclear_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO licensing_reclearance (grant_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        VALUES (NEW.id, false, 'grant', NEW.supersedes_id IS NOT NULL, 0, 1, 0, 0, 0, 0);
    INSERT INTO licensing_reclearance (grant_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT earlier.id, false, 'grant', true, 0, 1, 0, 0, 0, 0 FROM licensing_licencegrant earlier
        WHERE earlier.id = NEW.supersedes_id AND ROW(earlier.catalogue_id, earlier.layer) IS DISTINCT FROM ROW(NEW.catalogue_id, NEW.layer);
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_grant AFTER INSERT ON licensing_licencegrant
    FOR EACH ROW WHEN (NEW.catalogue_id IS NOT NULL) EXECUTE FUNCTION licensing_reclear_grant();

CREATE FUNCTION licensing_reclear_about_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    takes boolean := CASE TG_TABLE_NAME
        WHEN 'licensing_review' THEN to_jsonb(NEW) ->> 'outcome' <> 'APPROVED'
        ELSE to_jsonb(NEW) ->> 'kind' <> 'RESUMED' END;
BEGIN
    INSERT INTO licensing_reclearance (grant_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT about.id, false, TG_ARGV[0], takes, 0, 1, 0, 0, 0, 0 FROM licensing_licencegrant about
        WHERE about.id = NEW.grant_id AND about.catalogue_id IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_review AFTER INSERT ON licensing_review
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_about_grant('review');
CREATE TRIGGER licensing_reclear_grantend AFTER INSERT ON licensing_grantend
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_about_grant('grant end');

CREATE FUNCTION licensing_reclear_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO licensing_reclearance (label_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        VALUES (NEW.label_id, false, 'notice', true, 0, 1, 0, 0, 0, 0);
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_notice AFTER INSERT ON licensing_notice
    FOR EACH ROW WHEN (NEW.label_id IS NOT NULL) EXECUTE FUNCTION licensing_reclear_notice();

CREATE FUNCTION licensing_reclear_noticeend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO licensing_reclearance (label_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT about.label_id, false, 'notice end', false, 0, 1, 0, 0, 0, 0 FROM licensing_notice about
        WHERE about.id = NEW.notice_id AND about.label_id IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_noticeend AFTER INSERT ON licensing_noticeend
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_noticeend();

CREATE FUNCTION licensing_reclear_mandate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    member bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.party_id ELSE NEW.party_id END;
BEGIN
    INSERT INTO licensing_reclearance (writer_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT member, false, 'mandate', false, 0, 1, 0, 0, 0, 0
        WHERE EXISTS (SELECT 1 FROM catalog_workshare WHERE party_id = member);
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_mandate AFTER INSERT OR UPDATE OR DELETE ON catalog_societymembership
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_mandate();

CREATE FUNCTION licensing_reclear_rate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named text := CASE TG_TABLE_NAME WHEN 'licensing_rate' THEN to_jsonb(NEW) ->> 'tariff'
        ELSE (SELECT tariff FROM licensing_rate WHERE id = (to_jsonb(NEW) ->> 'rate_id')::bigint) END;
BEGIN
    INSERT INTO licensing_reclearance (grant_id, everything, cause, closes, part, parts, cursor, decided, changed, fence)
        SELECT paid.id, false, 'rate', false, 0, 1, 0, 0, 0, 0 FROM licensing_licencegrant paid
        WHERE paid.tariff = named AND paid.catalogue_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM licensing_reclearance waiting
              WHERE waiting.grant_id = paid.id AND waiting.done_at IS NULL AND waiting.cursor = 0);
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_reclear_rate AFTER INSERT ON licensing_rate
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_rate();
CREATE TRIGGER licensing_reclear_rateverification AFTER INSERT ON licensing_rateverification
    FOR EACH ROW EXECUTE FUNCTION licensing_reclear_rate();
"""
NOT_OWED = """
DROP TRIGGER licensing_reclear_rateverification ON licensing_rateverification;
DROP TRIGGER licensing_reclear_rate ON licensing_rate;
DROP FUNCTION licensing_reclear_rate();
DROP TRIGGER licensing_reclear_mandate ON catalog_societymembership;
DROP FUNCTION licensing_reclear_mandate();
DROP TRIGGER licensing_reclear_noticeend ON licensing_noticeend;
DROP FUNCTION licensing_reclear_noticeend();
DROP TRIGGER licensing_reclear_notice ON licensing_notice;
DROP FUNCTION licensing_reclear_notice();
DROP TRIGGER licensing_reclear_grantend ON licensing_grantend;
DROP TRIGGER licensing_reclear_review ON licensing_review;
DROP FUNCTION licensing_reclear_about_grant();
DROP TRIGGER licensing_reclear_grant ON licensing_licencegrant;
DROP FUNCTION licensing_reclear_grant();
"""

# The same sound under another label's identifier is looked for whenever a recording is decided.
SOUND = "CREATE INDEX licensing_review_sound ON licensing_review (sound_sha256) WHERE sound_sha256 <> '';"
NO_SOUND = "DROP INDEX licensing_review_sound;"

# What a date has turned is looked for every few seconds.
TURNED = (
    "CREATE INDEX licensing_decision_turned ON licensing_clearancedecision (good_until) WHERE good_until IS NOT NULL;"
)
NO_TURNED = "DROP INDEX licensing_decision_turned;"

# One text instead of an array of 249, and the verdict's own bytes instead of PostgreSQL's reading of them: more than
# half of what a decision cost to write was in these columns.
AS_TEXT = """
ALTER TABLE licensing_clearancedecision ALTER COLUMN cleared_countries TYPE text
    USING array_to_string(cleared_countries, ' '), ALTER COLUMN verdict TYPE json USING verdict::text::json;
"""
AS_ARRAY = """
ALTER TABLE licensing_clearancedecision ALTER COLUMN cleared_countries TYPE varchar(2)[]
    USING string_to_array(cleared_countries, ' '), ALTER COLUMN verdict TYPE jsonb USING verdict::text::jsonb;
"""

TARIFF = "CREATE INDEX licensing_grant_tariff ON licensing_licencegrant (tariff) WHERE tariff <> '';"
NO_TARIFF = "DROP INDEX licensing_grant_tariff;"


class Migration(migrations.Migration):
    dependencies = [("licensing", "0004_rates")]

    operations = [
        migrations.RemoveIndex(model_name="clearancedecision", name="decision_countries"),
        migrations.RunSQL(
            AS_TEXT,
            AS_ARRAY,
            state_operations=[
                migrations.AlterField(
                    model_name="clearancedecision",
                    name="cleared_countries",
                    field=licensing.models.columns.CountriesField(blank=True, default=list),
                ),
                migrations.AlterField(
                    model_name="clearancedecision",
                    name="verdict",
                    field=licensing.models.columns.CanonicalJSONField(),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="clearancedecision", name="decision_has_sha256"),
        migrations.AddConstraint(
            model_name="clearancedecision",
            constraint=models.CheckConstraint(
                condition=licensing.models.columns.is_sha256("verdict_sha256"), name="decision_has_sha256"
            ),
        ),
        migrations.AddField(
            model_name="clearancedecision",
            name="lasting_countries",
            field=licensing.models.columns.CountriesField(blank=True, db_default="", default=list),
        ),
        migrations.RemoveIndex(model_name="clearancedecision", name="decision_of_recording"),
        migrations.RemoveIndex(model_name="clearancedecision", name="decision_of_release"),
        migrations.AlterField(
            model_name="clearancedecision",
            name="recording",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.recording",
            ),
        ),
        migrations.AlterField(
            model_name="clearancedecision",
            name="release",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalog.release",
            ),
        ),
        migrations.AddIndex(
            model_name="clearancedecision",
            index=models.Index(
                fields=["recording", "use", "-id"],
                name="decision_of_recording",
                condition=models.Q(recording__isnull=False),
            ),
        ),
        migrations.AddIndex(
            model_name="clearancedecision",
            index=models.Index(
                fields=["release", "use", "-id"],
                name="decision_of_release",
                condition=models.Q(release__isnull=False),
            ),
        ),
        migrations.AddField(
            model_name="clearancedecision",
            name="lasting_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="clearancedecision",
            name="hangs_on",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.CreateModel(
            name="Reclearance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("everything", models.BooleanField(default=False)),
                ("cause", models.CharField(max_length=60)),
                ("closes", models.BooleanField(default=False)),
                ("part", models.PositiveSmallIntegerField(default=0)),
                ("parts", models.PositiveSmallIntegerField(default=1)),
                ("cursor", models.BigIntegerField(default=0)),
                ("decided", models.BigIntegerField(default=0)),
                ("changed", models.BigIntegerField(default=0)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("claimed_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "grant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="licensing.licencegrant",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.party",
                    ),
                ),
                (
                    "writer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="catalog.party",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(condition=models.Q(("done_at", None)), fields=["id"], name="reclearance_open")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                models.Q(
                                    models.Q(
                                        ("grant__isnull", False), ("label__isnull", True), ("writer__isnull", True)
                                    ),
                                    models.Q(
                                        ("grant__isnull", True), ("label__isnull", False), ("writer__isnull", True)
                                    ),
                                    models.Q(
                                        ("grant__isnull", True), ("label__isnull", True), ("writer__isnull", False)
                                    ),
                                    _connector="OR",
                                ),
                                ("everything", False),
                            ),
                            models.Q(("everything", True), ("grant", None), ("label", None), ("writer", None)),
                            _connector="OR",
                        ),
                        name="reclearance_one_scope",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("part__lt", models.F("parts")), ("parts__gt", 0)),
                        name="reclearance_part_of_parts",
                    ),
                ],
            },
        ),
        migrations.RunSQL(HELD, NOT_HELD),
        migrations.RunSQL(OWED, NOT_OWED),
        migrations.RunSQL(SOUND, NO_SOUND),
        migrations.RunSQL(TURNED, NO_TURNED),
        migrations.RunSQL(TARIFF, NO_TARIFF),
    ]
