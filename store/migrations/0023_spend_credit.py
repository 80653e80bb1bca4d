"""What a buyer's credit pays of an order: chosen once, given up once, and fixed when the order is paid."""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION store_order_credit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state NOT IN ('PLACED', 'FAILED') OR (OLD.credit_minor > 0 AND NEW.credit_minor > 0) THEN
        RAISE EXCEPTION 'store: what credit pays of an order is chosen before it is paid, and once'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_order_credit BEFORE UPDATE ON store_order
    FOR EACH ROW WHEN (NEW.credit_minor <> OLD.credit_minor) EXECUTE FUNCTION store_order_credit();
"""

BACKWARD = """
DROP TRIGGER store_order_credit ON store_order;
DROP FUNCTION store_order_credit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0022_more_permissions_follow"),
    ]

    operations = [
        migrations.AddField(
            model_name="linerefund",
            name="credit_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="order",
            name="credit_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="linerefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("credit_minor__gte", 0), ("credit_minor__lte", models.F("amount_minor"))),
                name="linerefund_credit_bounds",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("credit_minor__gte", 0), ("credit_minor__lte", models.F("total_minor"))),
                name="order_credit_bounds",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
