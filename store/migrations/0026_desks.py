"""Who ended a code or a contract; and offers are looked at again when the operator's own card or a contract changes."""

import django.db.models.deletion
from django.db import migrations, models

FROZEN = """
CREATE OR REPLACE FUNCTION store_code_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - %(free)s <> to_jsonb(OLD) - %(free)s THEN
        RAISE EXCEPTION 'store: what a code promises never changes; end it and make another' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER store_commissioncontract_only ON store_commissioncontract;
CREATE TRIGGER store_commissioncontract_only BEFORE UPDATE ON store_commissioncontract
    FOR EACH ROW EXECUTE FUNCTION store_only(%(contract)s);
"""
NOW = FROZEN % {"free": "ARRAY['used', 'ends_at', 'ended_by']", "contract": "'until', 'ended_by'"}
BEFORE = FROZEN % {"free": "ARRAY['used', 'ends_at']", "contract": "'until'"}

# A day begins at fourteen hours before UTC's midnight in the east, and twelve after it in the west.
WIDE = """
CREATE FUNCTION store_wide_review(begins date, of_label bigint, why text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := (begins::timestamp AT TIME ZONE 'UTC') - interval '14 hours';
    turn timestamptz;
BEGIN
    FOREACH turn IN ARRAY ARRAY[greatest(first, now()), first + interval '26 hours'] LOOP
        CONTINUE WHEN turn < now();
        -- One that nobody has begun with serves for this, too; the lock keeps it so until we commit.
        PERFORM 1 FROM store_widereview
        WHERE label_id IS NOT DISTINCT FROM of_label AND upto = 0
          AND (due_at = turn OR (turn <= now() AND due_at <= now()))
        FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO store_widereview (due_at, label_id, cause) VALUES (turn, of_label, why);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION store_rate_reviewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_wide_review(NEW.valid_from, NULL, 'the rate card changed');
    IF NEW.valid_to IS NOT NULL THEN
        PERFORM store_wide_review(NEW.valid_to + 1, NULL, 'a rate of the card ended');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_rate_reviewed AFTER INSERT ON licensing_rate
    FOR EACH ROW WHEN (NEW.tariff = 'HOUSE') EXECUTE FUNCTION store_rate_reviewed();

CREATE FUNCTION store_rate_verified() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM licensing_rate WHERE id = NEW.rate_id AND tariff = 'HOUSE') THEN
        PERFORM store_wide_review(NEW.verified_on, NULL, 'a rate of the card was verified');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_rate_verified AFTER INSERT ON licensing_rateverification
    FOR EACH ROW EXECUTE FUNCTION store_rate_verified();

CREATE FUNCTION store_contract_reviewed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM store_wide_review(NEW.starts_on, NEW.label_id, 'a contract on the commission');
    END IF;
    IF NEW.until IS NOT NULL THEN
        PERFORM store_wide_review(NEW.until, NEW.label_id, 'the end of a contract on the commission');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER store_contract_reviewed AFTER INSERT OR UPDATE OF until ON store_commissioncontract
    FOR EACH ROW EXECUTE FUNCTION store_contract_reviewed();
"""
NOT_WIDE = """
DROP TRIGGER store_contract_reviewed ON store_commissioncontract;
DROP FUNCTION store_contract_reviewed();
DROP TRIGGER store_rate_verified ON licensing_rateverification;
DROP FUNCTION store_rate_verified();
DROP TRIGGER store_rate_reviewed ON licensing_rate;
DROP FUNCTION store_rate_reviewed();
DROP FUNCTION store_wide_review(date, bigint, text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_more_permissions"),
        ("store", "0025_sold"),
        ("licensing", "0011_large_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="code",
            name="ended_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="commissioncontract",
            name="ended_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.CreateModel(
            name="WideReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField()),
                ("cause", models.CharField(max_length=60)),
                ("upto", models.BigIntegerField(db_default=0, default=0)),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="catalog.party",
                    ),
                ),
            ],
            options={
                "ordering": ["due_at", "pk"],
            },
        ),
        migrations.RunSQL(NOW, BEFORE),
        migrations.RunSQL(WIDE, NOT_WIDE),
    ]
