"""Tax that goes back to a business whose number VIES confirmed late: only on its yes, only the line's tax, once.

Two papers then stand for one movement of money: the credit note, and the same sale's invoice with a reverse charge.
Once such papers are written there is no way back: what came before holds one paper for a movement, and none is removed.
"""

import django.db.models.deletion
from django.db import migrations, models

PROMISE = """
CREATE FUNCTION store_linerefund_of_tax() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM store_orderline line
        JOIN store_order sale ON sale.id = line.order_id
        JOIN store_vatcheck asked ON asked.id = sale.vat_check_id
        JOIN store_vatcheck later ON later.id = NEW.vat_check_id
        WHERE line.id = NEW.line_id AND NEW.amount_minor = line.tax_minor AND NOT sale.reverse_charge
          AND later.state = 'VALID' AND later.vat_id = asked.vat_id
          AND later.buyer_id = sale.buyer_id AND later.country = sale.country
    ) THEN
        RAISE EXCEPTION 'store: no tax goes back for line % without a valid VAT number', NEW.line_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER store_linerefund_of_tax BEFORE INSERT OR UPDATE OF vat_check_id, amount_minor, line_id
    ON store_linerefund FOR EACH ROW WHEN (NEW.vat_check_id IS NOT NULL) EXECUTE FUNCTION store_linerefund_of_tax();
"""
NO_PROMISE = """
DROP TRIGGER store_linerefund_of_tax ON store_linerefund;
DROP FUNCTION store_linerefund_of_tax();
"""
# Papers never change; here a new column learns what their orders always said.
EARLIER = """
ALTER TABLE store_invoice DISABLE TRIGGER store_invoice_final;
UPDATE store_invoice paper SET reverse_charge = true
FROM store_order sale WHERE sale.id = paper.order_id AND sale.reverse_charge;
ALTER TABLE store_invoice ENABLE TRIGGER store_invoice_final;
"""
# Papers are never removed, and before this migration there was room for one of each movement.
NOT_ONCE_USED = """
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM store_linerefund WHERE vat_check_id IS NOT NULL)
       OR EXISTS (SELECT 1 FROM store_invoice WHERE transfer_id IS NOT NULL GROUP BY transfer_id HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'store: migration 0027 cannot be taken back: tax went back to businesses, and its papers stay'
            USING ERRCODE = 'restrict_violation', HINT = 'Restore a backup from before it, or stay at this version.';
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0012_handed_in"),
        ("store", "0026_desks"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="reverse_charge",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="linerefund",
            name="vat_check",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="store.vatcheck",
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="transfer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="payments.transfer",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("transfer", "kind"), name="invoice_once_a_transfer"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("reverse_charge", False),
                    models.Q(("tax_micros", 0), ("tax_minor", 0), ("tax_rate", 0)),
                    _connector="OR",
                ),
                name="invoice_reverse_charge_is_untaxed",
            ),
        ),
        migrations.AddConstraint(
            model_name="linerefund",
            constraint=models.CheckConstraint(
                condition=models.Q(("vat_check", None), ("whole", False), _connector="OR"),
                name="linerefund_of_tax_is_a_part",
            ),
        ),
        migrations.AddConstraint(
            model_name="linerefund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("vat_check__isnull", False), models.Q(("state", "FAILED"), _negated=True)),
                fields=("line",),
                name="linerefund_of_tax_once",
            ),
        ),
        migrations.RunSQL(PROMISE, NO_PROMISE),
        migrations.RunSQL(EARLIER, NOT_ONCE_USED),
    ]
