"""Closed periods: their ends, the balances kept of them, and the refusal of what is posted before.

* A transfer's time lies at or after the end of the last closing that was announced; a trigger on the transfer looks.
  It takes its transaction id first: `payments/closings.py` waits for every id given out before the announcement was
  committed, and whoever has a later one sees it.
* For that, whoever posts must see what was committed a moment ago: posting is refused in any other isolation than
  read committed.
* A closing never lies ahead, is never deleted, and its end never moves.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

BEGIN_BEFORE = """
CREATE OR REPLACE FUNCTION payments_transfer_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
"""

FORWARD = """
CREATE OR REPLACE FUNCTION payments_transfer_begin() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed timestamptz;
BEGIN
    NEW.xid := pg_current_xact_id()::text::bigint;  -- first the id, then the look: see closings
    SELECT max(until) INTO closed FROM payments_closing;
    IF NEW.posted_at < closed THEN
        RAISE EXCEPTION 'transfer % has a time in a closed period, before %', NEW.reference, closed
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_period_open';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'transfer % must be posted in read committed isolation', NEW.reference
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_period_open';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION payments_closing_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.until > now() THEN
            RAISE EXCEPTION 'a period that is not over cannot be closed'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_closing_stays';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.until <> OLD.until OR NEW.announced_at <> OLD.announced_at
            OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at) THEN
        RAISE EXCEPTION 'a closing stays as it was announced'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_closing_stays';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_closing_stays BEFORE INSERT OR UPDATE OR DELETE ON payments_closing
    FOR EACH ROW EXECUTE FUNCTION payments_closing_stays();
"""

BACKWARD = (
    BEGIN_BEFORE
    + """
DROP TRIGGER payments_closing_stays ON payments_closing;
DROP FUNCTION payments_closing_stays();
"""
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_entries_know_their_time")]

    operations = [
        migrations.CreateModel(
            name="Closing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateTimeField(unique=True)),
                ("announced_at", models.DateTimeField()),
                ("horizon", models.BigIntegerField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("kept", models.BooleanField(default=False)),
            ],
            options={"ordering": ["-until"]},
        ),
        migrations.CreateModel(
            name="ClosedBalance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("micros", models.BigIntegerField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="payments.account",
                    ),
                ),
                (
                    "closing",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balances",
                        to="payments.closing",
                    ),
                ),
            ],
            options={"ordering": ["closing", "account"]},
        ),
        migrations.AddConstraint(
            "closing",
            models.CheckConstraint(condition=Q(until__lte=F("announced_at")), name="closing_is_over"),
        ),
        migrations.AddConstraint(
            "closing",
            models.CheckConstraint(
                condition=Q(kept=False) | Q(closed_at__isnull=False), name="closing_kept_once_closed"
            ),
        ),
        migrations.AddConstraint(
            "closedbalance",
            models.UniqueConstraint(fields=["closing", "account"], include=["micros"], name="closed_balance_once"),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
