"""The chain over what was granted, reviewed, decided and demanded.

* An AFTER INSERT trigger puts the hash of each new row of a followed table into `licensing_auditpending`, in the row's
  own transaction: a row without its hash cannot be committed, and a rolled back row leaves none.
* The hash is over the row as JSON, its columns sorted by name, in UTC, without those that are null, so that neither a
  session's settings nor a nullable column added years later changes it. The trigger's function spells the columns out,
  which takes a third of the time of `to_jsonb`.
* Entries continue the chain: the first new one stands one place after the tip and names the tip's hash. They are never
  changed or deleted.
* Which tables are followed is for the models to say (`licensing.audit.followed`); `licensing_audit_follow` is called
  after every `migrate`, when all tables have their last form, and takes in the rows that were there before.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION licensing_audit_text(followed text, called text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format($f$'{' || ltrim(%s, ',') || '}'$f$, string_agg(
        format($f$coalesce(',"%s":' || to_json(%s."%s")::text, '')$f$, attname, called, attname), ' || '
        ORDER BY attname COLLATE "C"))
    FROM pg_attribute WHERE attrelid = followed::regclass AND attnum > 0 AND NOT attisdropped
$$;

CREATE FUNCTION licensing_audit_follow(followed text) RETURNS boolean LANGUAGE plpgsql
SET TimeZone = 'UTC' SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1 AS $$
DECLARE
    named text := followed || '_audited';
    body text := format($f$BEGIN INSERT INTO licensing_auditpending (table_name, row_id, row_sha256) $f$
        || $f$SELECT %L, added.id, encode(sha256(convert_to(%s, 'UTF8')), 'hex') FROM added ORDER BY added.id; $f$
        || 'RETURN NULL; END', followed, licensing_audit_text(followed, 'added'));
    hooked boolean := EXISTS (SELECT FROM pg_trigger WHERE tgrelid = followed::regclass AND tgname = named);
BEGIN
    IF hooked AND EXISTS (SELECT FROM pg_proc WHERE proname = named AND prosrc = body
                          AND pronamespace = current_schema()::regnamespace) THEN
        RETURN false;
    END IF;
    EXECUTE format($f$CREATE OR REPLACE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SET TimeZone = 'UTC' $f$
        || $f$SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1 AS %L$f$, named, body);
    IF hooked THEN
        RETURN true;
    END IF;
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS added '
                   'FOR EACH STATEMENT EXECUTE FUNCTION %I()', named, followed, named);
    -- A table that was followed before lost its trigger to somebody: what came in since is for the verifier to name.
    IF NOT EXISTS (SELECT FROM licensing_auditentry WHERE table_name = followed)
       AND NOT EXISTS (SELECT FROM licensing_auditpending WHERE table_name = followed) THEN
        EXECUTE format($f$INSERT INTO licensing_auditpending (table_name, row_id, row_sha256) $f$
            || $f$SELECT %L, kept.id, encode(sha256(convert_to(%s, 'UTF8')), 'hex') FROM %I AS kept ORDER BY kept.id$f$,
            followed, licensing_audit_text(followed, 'kept'), followed);
    END IF;
    RETURN true;
END $$;

CREATE FUNCTION licensing_audit_continues() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken bigint;
BEGIN
    SELECT min(added.position) INTO broken FROM added
        LEFT JOIN licensing_auditentry AS before ON before.position = added.position - 1
        WHERE added.previous_sha256 <> coalesce(before.sha256, CASE added.position WHEN 1 THEN repeat('0', 64) END, '');
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'audit entry % does not follow the one before it', broken USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER licensing_auditentry_continues AFTER INSERT ON licensing_auditentry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION licensing_audit_continues();
CREATE TRIGGER licensing_auditentry_append_only BEFORE UPDATE OR DELETE ON licensing_auditentry
    FOR EACH ROW EXECUTE FUNCTION licensing_append_only();
"""

BACKWARD = """
DROP TRIGGER licensing_auditentry_append_only ON licensing_auditentry;
DROP TRIGGER licensing_auditentry_continues ON licensing_auditentry;
DROP FUNCTION licensing_audit_continues();
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid AND proname = tgname
        WHERE right(tgname, 8) = '_audited'
    LOOP
        EXECUTE format('DROP FUNCTION %I() CASCADE', named);
    END LOOP;
END $$;
DROP FUNCTION licensing_audit_follow(text);
DROP FUNCTION licensing_audit_text(text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("licensing", "0005_clearing_at_scale")]

    operations = [
        migrations.CreateModel(
            name="AuditPending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table_name", models.CharField(max_length=63)),
                ("row_id", models.BigIntegerField()),
                ("row_sha256", models.CharField(max_length=64)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"verbose_name_plural": "audit pending"},
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("table_name", models.CharField(max_length=63)),
                ("row_id", models.BigIntegerField()),
                ("row_sha256", models.CharField(max_length=64)),
                ("previous_sha256", models.CharField(max_length=64)),
                ("sha256", models.CharField(max_length=64)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "audit entries", "ordering": ["position"]},
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(condition=models.Q(("position__gte", 1)), name="audit_position_from_one"),
        ),
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.UniqueConstraint(fields=("table_name", "row_id"), name="audit_row_once"),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
